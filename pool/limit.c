#include "pool/limit.h"

#include <pthread.h>
#include <stdio.h>

#include "dbal/alloc.h"
#include "dbal/fork.h"
#include "pool/pool.h"

enum { MOST = 100000 };

struct dbal_limit {
    atomic_uint refs;
    pthread_mutex_t guard;
    int most;
    int used;            /* by connections, and promised */
    int sparing;         /* of these, to be free in a while, since others wait */
    int soon;            /* of these, idle ones */
    unsigned generation; /* of the process: a fork has the guard as it was */
    dbal__list seats;
    dbal__list line; /* seats that wait, in order */
};

/* ---- the limit ---- */

static bool
is_size(int connections)
{
    return connections >= 1 && connections <= MOST;
}

static bool
is_of_parent(const dbal_limit *limit)
{
    return limit->generation != dbal__fork_generation();
}

dbal_limit *
dbal_limit_new(int connections, dbal_error **ret_error)
{
    dbal_error *error = NULL;
    dbal_limit *limit = NULL;
    if (!is_size(connections))
        error = dbal_error_new(DBAL_ERROR_INTERFACE,
                               "a limit of %d connections is out of range (1 to %d)", connections,
                               (int)MOST);
    else if ((limit = dbal__zalloc(sizeof *limit)) == NULL)
        error = dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
    if (limit == NULL) {
        dbal__error_give(ret_error, error);
        return NULL;
    }
    atomic_init(&limit->refs, 1);
    pthread_mutex_init(&limit->guard, NULL);
    limit->most = connections;
    limit->generation = dbal__fork_generation();
    dbal__list_init(&limit->seats);
    dbal__list_init(&limit->line);
    return limit;
}

dbal_limit *
dbal_limit_ref(dbal_limit *limit)
{
    atomic_fetch_add(&limit->refs, 1);
    return limit;
}

void
dbal_limit_unref(dbal_limit *limit)
{
    if (limit == NULL || atomic_fetch_sub(&limit->refs, 1) != 1)
        return;
    if (!is_of_parent(limit))
        pthread_mutex_destroy(&limit->guard);
    dbal__free(limit);
}

int
dbal_limit_used(dbal_limit *limit)
{
    if (is_of_parent(limit))
        return 0;
    pthread_mutex_lock(&limit->guard);
    int used = limit->used;
    pthread_mutex_unlock(&limit->guard);
    return used;
}

/* ---- under the guard ---- */

static dbal_pool *
pool_of(dbal__seat *seat)
{
    return DBAL__OF(seat, dbal_pool, seat);
}

static bool
waits(const dbal__seat *seat)
{
    return !dbal__list_empty(&seat->line);
}

/* Its loop will look. False: it is closed. */
static bool
post(dbal__seat *seat)
{
    dbal__inbox *inbox = pool_of(seat)->loop->inbox;
    if (seat->posted)
        return true;
    if (!dbal__inbox_push(inbox, &seat->message))
        return false;
    seat->posted = true;
    dbal__inbox_wake(inbox);
    return true;
}

/* Who gets the next place: the first that has none and has work, else the first; or NULL. */
static dbal__seat *
next_in_line(const dbal_limit *limit)
{
    dbal__list *first = limit->line.next;
    for (dbal__list *link = first; link != &limit->line; link = link->next) {
        dbal__seat *seat = DBAL__OF(link, dbal__seat, line);
        if (seat->urgent && seat->held == 0)
            return seat;
    }
    return first != &limit->line ? DBAL__OF(first, dbal__seat, line) : NULL;
}

/* What is free goes to those that wait, one each. */
static void
grant(dbal_limit *limit)
{
    dbal__seat *seat;
    while (limit->used < limit->most && (seat = next_in_line(limit)) != NULL) {
        dbal__list_remove(&seat->line);
        seat->urgent = false;
        if (!post(seat))
            continue;
        seat->promised++;
        limit->used++;
    }
}

/* Work before min_size, and of each the first that came. */
static void
stand_in_line(dbal__seat *seat, bool urgent)
{
    dbal_limit *limit = seat->limit;
    dbal__list *before = &limit->line;
    dbal__list_remove(&seat->line); /* it may stand there already */
    if (urgent) {
        before = limit->line.next;
        while (before != &limit->line && DBAL__OF(before, dbal__seat, line)->urgent)
            before = before->next;
    }
    dbal__list_insert_before(before, &seat->line);
    seat->urgent = urgent;
}

/* The others are to look what they can spare. */
static void
ask_others(dbal__seat *mine)
{
    dbal_limit *limit = mine->limit;
    for (dbal__list *link = limit->seats.next; link != &limit->seats; link = link->next) {
        dbal__seat *seat = DBAL__OF(link, dbal__seat, all);
        if (seat != mine && seat->held + seat->promised > 0)
            seat->asked = post(seat);
    }
}

/* ---- a pool's seat ---- */

static void
deliver(dbal__message *message)
{
    dbal__seat *seat = DBAL__OF(message, dbal__seat, message);
    dbal_pool *pool = pool_of(seat);
    pthread_mutex_lock(&seat->limit->guard);
    bool asked = seat->asked;
    seat->posted = seat->asked = false;
    pthread_mutex_unlock(&seat->limit->guard);
    if (!pool->stopped) {
        dbal__slots_grow_if_wanted(pool);
        if (pool->pulls)
            dbal__crew_rouse(&pool->crew);
        dbal__waiters_serve(pool);
        dbal__replace(pool);
    }
    dbal__seat_return(pool);
    if (asked && pool->closing)
        dbal__yield_rest(pool);
    else if (asked)
        dbal__life_arm(pool, dbal__loop_now(pool->loop));
    dbal__pool_check_closed(pool);
}

void
dbal__seat_init(dbal_pool *pool, dbal_limit *limit)
{
    dbal__seat *seat = &pool->seat;
    dbal__list_init(&seat->all);
    dbal__list_init(&seat->line);
    seat->message.deliver = deliver;
    if (limit == NULL)
        return;
    seat->limit = dbal_limit_ref(limit);
    pthread_mutex_lock(&limit->guard);
    dbal__list_push(&limit->seats, &seat->all);
    pthread_mutex_unlock(&limit->guard);
}

void
dbal__seat_leave(dbal_pool *pool)
{
    dbal__seat *seat = &pool->seat;
    if (seat->limit == NULL)
        return;
    pthread_mutex_lock(&seat->limit->guard);
    dbal__list_remove(&seat->all);
    dbal__list_remove(&seat->line);
    pthread_mutex_unlock(&seat->limit->guard);
    dbal__seat_return(pool);
}

bool
dbal__seat_is_posted(dbal_pool *pool)
{
    dbal__seat *seat = &pool->seat;
    if (seat->limit == NULL)
        return false;
    pthread_mutex_lock(&seat->limit->guard);
    bool posted = seat->posted;
    pthread_mutex_unlock(&seat->limit->guard);
    return posted;
}

void
dbal__seat_fini(dbal_pool *pool)
{
    dbal__seat_leave(pool);
    dbal_limit_unref(pool->seat.limit);
}

/* ---- places ---- */

static bool
has_room(const dbal__seat *seat)
{
    const dbal_limit *limit = seat->limit;
    const dbal__seat *next = next_in_line(limit);
    return seat->promised > 0 || (limit->used < limit->most && (next == NULL || next == seat));
}

bool
dbal__seat_has_room(dbal_pool *pool)
{
    dbal__seat *seat = &pool->seat;
    if (seat->limit == NULL)
        return true;
    pthread_mutex_lock(&seat->limit->guard);
    bool room = has_room(seat);
    pthread_mutex_unlock(&seat->limit->guard);
    return room;
}

bool
dbal__seat_take(dbal_pool *pool, bool urgent)
{
    dbal__seat *seat = &pool->seat;
    dbal_limit *limit = seat->limit;
    if (limit == NULL)
        return true;
    pthread_mutex_lock(&limit->guard);
    bool taken = has_room(seat), waited = waits(seat) && (seat->urgent || !urgent);
    if (taken) {
        if (seat->promised > 0)
            seat->promised--;
        else
            limit->used++;
        seat->held++;
        dbal__list_remove(&seat->line);
        seat->stands = false;
    } else if (!waited && !dbal__list_empty(&seat->all)) {
        stand_in_line(seat, urgent);
        seat->stands = urgent;
        if (urgent)
            ask_others(seat);
    }
    pthread_mutex_unlock(&limit->guard);
    return taken;
}

void
dbal__seat_give(dbal_pool *pool, dbal__spared spared)
{
    dbal__seat *seat = &pool->seat;
    dbal_limit *limit = seat->limit;
    if (limit == NULL)
        return;
    pthread_mutex_lock(&limit->guard);
    seat->held--;
    limit->used--;
    limit->sparing -= spared != DBAL__SPARED_NOT;
    limit->soon -= spared == DBAL__SPARED_IDLE;
    grant(limit);
    pthread_mutex_unlock(&limit->guard);
}

void
dbal__seat_return(dbal_pool *pool)
{
    dbal__seat *seat = &pool->seat;
    dbal_limit *limit = seat->limit;
    if (limit == NULL)
        return;
    pthread_mutex_lock(&limit->guard);
    limit->used -= seat->promised;
    seat->promised = 0;
    grant(limit);
    pthread_mutex_unlock(&limit->guard);
}

bool
dbal_limit_resize(dbal_limit *limit, int connections)
{
    if (!is_size(connections) || is_of_parent(limit))
        return false;
    pthread_mutex_lock(&limit->guard);
    limit->most = connections;
    grant(limit);
    pthread_mutex_unlock(&limit->guard);
    return true;
}

void
dbal__seat_describe(dbal_pool *pool, char *text, size_t size)
{
    dbal_limit *limit = pool->seat.limit;
    text[0] = '\0';
    if (limit == NULL)
        return;
    pthread_mutex_lock(&limit->guard);
    snprintf(text, size, ", %d of %d places of the limit that it shares are taken", limit->used,
             limit->most);
    pthread_mutex_unlock(&limit->guard);
}

void
dbal__seat_step_out(dbal_pool *pool)
{
    dbal__seat *seat = &pool->seat;
    seat->stands = false;
    pthread_mutex_lock(&seat->limit->guard);
    if (waits(seat)) /* it may still be wished for, by min_size: behind all work */
        stand_in_line(seat, false);
    pthread_mutex_unlock(&seat->limit->guard);
}

/* ---- what others want ---- */

/* Under the guard. */
static dbal__want
wanted(const dbal__seat *mine)
{
    const dbal_limit *limit = mine->limit;
    int all = 0, without = 0;
    for (dbal__list *link = limit->line.next; link != &limit->line; link = link->next) {
        const dbal__seat *seat = DBAL__OF(link, dbal__seat, line);
        all += seat != mine && seat->urgent;
        without += seat != mine && seat->urgent && seat->held == 0;
    }
    if (without > limit->sparing)
        return DBAL__WANT_ANY;
    if (without > limit->soon)
        return DBAL__WANT_IDLE;
    return all > limit->sparing ? DBAL__WANT_UNUSED : all > 0 ? DBAL__WANT_LATER : DBAL__WANT_NONE;
}

dbal__want
dbal__seat_wanted(dbal_pool *pool)
{
    pthread_mutex_lock(&pool->seat.limit->guard);
    dbal__want want = wanted(&pool->seat);
    pthread_mutex_unlock(&pool->seat.limit->guard);
    return want;
}

bool
dbal__seat_spare(dbal_pool *pool, bool idle)
{
    dbal__seat *mine = &pool->seat;
    dbal_limit *limit = mine->limit;
    pthread_mutex_lock(&limit->guard);
    dbal__want want = wanted(mine);
    bool spares =
        want == DBAL__WANT_ANY || (want == DBAL__WANT_IDLE && idle) || want == DBAL__WANT_UNUSED;
    limit->sparing += spares;
    limit->soon += spares && idle;
    if (spares && waits(mine))
        stand_in_line(mine, mine->urgent); /* behind those that it is for */
    pthread_mutex_unlock(&limit->guard);
    return spares;
}
