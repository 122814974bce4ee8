/*
 * Who gets a connection next. Strictly in the order of asking. On the thread gate most of that order
 * is the crew's line, from which the connections' threads pull by themselves; on the others the loop
 * hands each job to a connection, which may hold several.
 */
#include <limits.h>
#include <stddef.h>

#include "dbal/deferred.h"
#include "pool/connection.h"
#include "pool/pause.h"
#include "pool/pool.h"

enum { CACHE_LINE = 64 };
/* Memory of what was cancelled on the line may be kept there for such a part of max_waiting. */
enum { STALE_PART = 4 };

size_t
dbal__waiters_count(const dbal_pool *pool)
{
    size_t on_line = pool->pulls ? dbal__crew_waiting(&pool->crew) : 0;
    return pool->waiting_count + pool->writes_count + on_line;
}

size_t
dbal__waiters_live(const dbal_pool *pool)
{
    size_t all = dbal__waiters_count(pool);
    return all > pool->stale ? all - pool->stale : 0;
}

static bool
is_stale(const dbal__work *work)
{
    const dbal__job *job = DBAL__OF(work, const dbal__job, work);
    const dbal__ticket *ticket = DBAL__OF(job, const dbal__ticket, job);
    return atomic_load(&job->state) == DBAL__JOB_CANCELLED &&
           (ticket->stale || ticket->kind == DBAL__TICKET_WRITER);
}

/* Takes those that were cancelled off the line, where the others keep their order. */
static void
sweep_line(dbal_pool *pool)
{
    if (!pool->pulls || pool->sweeping)
        return; /* what is swept up may ask for another sweep */
    pool->sweeping = true;
    dbal__crew_give(&pool->crew);
    dbal__work *next, *swept = dbal__line_sweep(&pool->crew.line, is_stale);
    for (; swept != NULL; swept = next) {
        dbal__job *job = DBAL__OF(swept, dbal__job, work);
        next = swept->next;
        job->message.deliver(&job->message);
    }
    pool->sweeping = false;
}

static dbal_error *
queue_is_full(dbal_pool *pool)
{
    if (pool->stale > pool->waiting_most / STALE_PART) /* each time would take too long */
        sweep_line(pool);
    size_t waiting = dbal__waiters_live(pool);
    if (waiting < pool->waiting_most)
        return NULL;
    if (waiting < (size_t)pool->settings.max_waiting)
        return dbal__backoff_refusal(pool);
    return dbal__error_make(DBAL_ERROR_QUEUE_FULL, NULL, DBAL_EXECUTION_NOT_SENT,
                            "%zu are waiting for a connection already (max_waiting)", waiting);
}

dbal_error *
dbal__waiters_refusal(dbal_pool *pool)
{
    if (pool->closing || pool->loop->ready.closed)
        return dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT,
                                "the pool is closed");
    /* what has not come back is at least as much as waits there, and known without looking */
    size_t most = pool->waiting_count + pool->writes_count + pool->crew.outstanding;
    if (most < pool->waiting_most)
        return NULL;
    return dbal__waiters_count(pool) >= pool->waiting_most ? queue_is_full(pool) : NULL;
}

void
dbal__waiters_limit(dbal_pool *pool)
{
    /* the last connect has failed, and the next one is not to begin yet, or may hang */
    bool down = pool->settings.fail_fast && pool->open == 0 && pool->last_error != NULL &&
                (pool->backoff.active || (pool->backoff.down && pool->connecting > 0));
    pool->waiting_most = down ? 0 : (size_t)pool->settings.max_waiting;
}

/* It waits with those that write; before the first connection it is not known that it must. */
static bool
wants_token(const dbal__ticket *ticket)
{
    return ticket->writes && ticket->pool->token != NULL;
}

/* ---- one connection takes it ---- */

void
dbal__waiters_submit(dbal__ticket *ticket, dbal__slot *slot)
{
    ticket->place = DBAL__PLACE_SLOT;
    ticket->slot = slot;
    slot->flying++;
    if (DBAL__SELDOM(ticket->journey != NULL))
        dbal__journey_handed(ticket);
    slot->channel->ops->submit(slot->channel, &ticket->job);
    if (slot->pool->gate == DBAL_GATE_DRIVER_THREAD)
        dbal__collect_later(slot->pool);
}

static void
wait_here(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    ticket->place = DBAL__PLACE_LIST;
    pool->waiting_count++;
    dbal__list_push(&pool->waiting, &ticket->link);
    dbal__ticket_waits(ticket);
}

void
dbal__waiters_return(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    if (pool->pulls || wants_token(ticket)) {
        dbal__waiters_add(ticket); /* it is not in the loop's line */
        return;
    }
    dbal__list *place = pool->waiting.next;
    while (place != &pool->waiting &&
           DBAL__OF(place, dbal__ticket, link)->job.number < ticket->job.number)
        place = place->next;
    ticket->place = DBAL__PLACE_LIST;
    pool->waiting_count++;
    dbal__list_insert_before(place, &ticket->link);
    dbal__ticket_waits(ticket);
    dbal__waiters_serve_soon(pool);
}

static dbal__ticket *
first_waiting(dbal_pool *pool)
{
    return dbal__list_empty(&pool->waiting) ? NULL
                                            : DBAL__OF(pool->waiting.next, dbal__ticket, link);
}

static void
stop_waiting(dbal__ticket *ticket)
{
    dbal__list_remove(&ticket->link);
    ticket->place = DBAL__PLACE_NOWHERE;
    ticket->pool->waiting_count--;
}

static void
used(dbal__slot *slot)
{
    dbal__list_remove(&slot->link);
    dbal__list_push_front(&slot->pool->slots, &slot->link);
    slot->span.idle.used = slot->span.lately.used = true;
}

/* Whether a thread is there for what is to be handed to it, and for as long as a session has it. */
static bool
has_thread(dbal__slot *slot, bool keep)
{
    if (slot->pool->threads == NULL)
        return true;
    return keep ? dbal__moving_keep(slot->channel) : dbal__moving_engage(slot->channel);
}

static void
give_session(dbal__ticket *ticket, dbal__slot *slot)
{
    slot->pool->reserved = NULL;
    used(slot);
    ticket->slot = slot;
    ticket->job.channel = slot->channel;
    ticket->place = DBAL__PLACE_NOWHERE;
    if (ticket->kind == DBAL__TICKET_WRITER)
        dbal__writes_granted(slot->pool, slot);
    else
        dbal__connection_granted(ticket, slot);
}

/* ---- the thread gate ---- */

static void
push_on_line(dbal__ticket *ticket)
{
    ticket->place = DBAL__PLACE_LINE;
    ticket->on_crew = true;
    dbal__ticket_waits(ticket);
    dbal__threaded_prepare(&ticket->job);
    dbal__crew_gather(&ticket->pool->crew, &ticket->job.work);
}

/* A connection whose thread sleeps, taken away from the line. */
static dbal__slot *
take_idle_thread(dbal_pool *pool)
{
    if (dbal__crew_waiting(&pool->crew) != 0)
        return NULL;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state == DBAL__SLOT_OPEN && !slot->held && slot->flying == 0 &&
            dbal__threaded_is_idle(slot->channel) && dbal__threaded_hold_idle(slot->channel))
            return slot;
    }
    return NULL;
}

static void
add_threaded(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    dbal__slot *slot = ticket->job.kind == DBAL__JOB_GRANT ? take_idle_thread(pool) : NULL;
    if (slot != NULL && dbal__threaded_is_silent(slot->channel)) {
        dbal__threaded_release(slot->channel); /* its thread asks it, and takes the ticket itself */
        slot = NULL;
    }
    if (slot == NULL) {
        push_on_line(ticket);
        return;
    }
    dbal__job_begin_alone(&ticket->job);
    give_session(ticket, slot);
}

/* ---- the others: the loop chooses ---- */

/* what is in flight there, or more when that may take for ever */
static unsigned
business(const dbal__slot *slot)
{
    return slot->lane.taken ? UINT_MAX : slot->flying;
}

/* the connection with the least to do, idle ones first and of these the last used */
static dbal__slot *
least_busy(const dbal_pool *pool)
{
    dbal__slot *best = NULL;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state != DBAL__SLOT_OPEN || slot->held || slot == pool->reserved)
            continue;
        if (best == NULL || business(slot) < business(best))
            best = slot;
        if (best->flying == 0)
            break;
    }
    return best;
}

/* One connection more for each that waits, and no more: several may be asked for many times. */
static void
grow_for_waiting(dbal_pool *pool)
{
    if ((size_t)pool->connecting < pool->waiting_count)
        dbal__slots_grow(pool);
}

/* An idle connection for what is at the head of the line; or one is emptied for it, and NULL. */
static dbal__slot *
emptied(dbal_pool *pool)
{
    dbal__slot *slot = least_busy(pool);
    if (pool->reserved != NULL && (slot == NULL || slot->flying > 0))
        slot = pool->reserved;
    if (slot != NULL && slot->flying == 0)
        return slot;
    grow_for_waiting(pool);
    pool->reserved = slot;
    return NULL;
}

static void
prefetch(const void *memory, size_t size)
{
    for (size_t i = 0; i < size; i += CACHE_LINE)
        __builtin_prefetch((const char *)memory + i, 1);
}

/*
 * Of a long line nothing is in the processor's cache any more: while one gets its connection, what the
 * next ones will touch is on its way there.
 */
static void
look_ahead(const dbal__ticket *ticket)
{
    const dbal__list *line = &ticket->pool->waiting, *link = ticket->link.next;
    if (link == line)
        return;
    const dbal__ticket *next = DBAL__OF(link, const dbal__ticket, link);
    if (next->deferred != NULL)
        prefetch(next->deferred, offsetof(dbal_deferred, inside) + sizeof(dbal__link));
    link = next->link.next;
    if (link == line)
        return;
    const dbal__ticket *behind = DBAL__OF(link, const dbal__ticket, link);
    prefetch(behind, offsetof(dbal__ticket, job) + offsetof(dbal__job, work));
}

static bool
serve_session(dbal__ticket *ticket)
{
    dbal__slot *slot = emptied(ticket->pool);
    if (slot != NULL && dbal__slot_validate(slot)) {
        if (slot->flying > 0) /* another may be heard of earlier */
            dbal__waiters_serve_soon(ticket->pool);
        return false;
    }
    if (slot == NULL || !has_thread(slot, true))
        return false;
    look_ahead(ticket);
    stop_waiting(ticket);
    if (dbal__job_begin_alone(&ticket->job))
        give_session(ticket, slot);
    return true;
}

/* A stream on the loop: its consumer's pauses would be everybody's. A backup takes long by itself. */
static bool
wants_to_be_alone(const dbal__ticket *ticket)
{
    return (ticket->stream != NULL || ticket->backup != NULL) && dbal__pool_is_native(ticket->pool);
}

static bool
serve_stream(dbal__ticket *ticket, int64_t now)
{
    dbal__slot *slot = emptied(ticket->pool);
    if (slot == NULL)
        return false;
    ticket->pool->reserved = NULL;
    stop_waiting(ticket);
    used(slot);
    ticket->job.began = now;
    dbal__lanes_join(ticket, slot, now);
    dbal__waiters_submit(ticket, slot);
    return true;
}

/* Whether one connection more would help those that wait; where one thread serves all, one will do. */
static bool
wants_more(const dbal_pool *pool)
{
    return pool->gate != DBAL_GATE_DRIVER_THREAD || least_busy(pool) == NULL;
}

static dbal__slot *
choose_for_thread(const dbal_pool *pool)
{
    dbal__slot *slot = least_busy(pool);
    return slot != NULL && slot->flying < dbal__lanes_depth(pool) ? slot : NULL;
}

/* False: it must wait; or, when it does so already, it may have failed with all others. */
static bool
serve_statement(dbal__ticket *ticket, int64_t now)
{
    dbal_pool *pool = ticket->pool;
    bool lanes = dbal__pool_is_native(pool);
    dbal__slot *slot = lanes ? dbal__lanes_choose(pool, now) : choose_for_thread(pool);
    if (slot == NULL) {
        if (ticket->place == DBAL__PLACE_LIST && wants_more(pool))
            grow_for_waiting(pool);
        return false;
    }
    if (!has_thread(slot, false))
        return false;
    if (ticket->place == DBAL__PLACE_LIST)
        stop_waiting(ticket);
    used(slot);
    if (lanes) {
        ticket->job.began = now;
        dbal__lanes_join(ticket, slot, now);
    }
    dbal__waiters_submit(ticket, slot);
    return true;
}

static bool
serve(dbal__ticket *ticket)
{
    if (ticket->job.kind == DBAL__JOB_GRANT)
        return serve_session(ticket);
    if (wants_to_be_alone(ticket))
        return serve_stream(ticket, dbal__loop_now(ticket->pool->loop));
    return serve_statement(ticket, dbal__loop_now(ticket->pool->loop));
}

/* ---- for all ---- */

/* Nothing waits here: it need not wait at the limit that it shares either. */
static void
leave_line(dbal_pool *pool)
{
    if (DBAL__SELDOM(pool->seat.stands) && dbal__waiters_count(pool) == 0)
        dbal__seat_step_out(pool);
}

void
dbal__waiters_serve(dbal_pool *pool)
{
    dbal__ticket *ticket;
    if (!pool->serves) {
        if (!dbal__list_empty(&pool->waiting))
            dbal__slots_grow(pool);
        else
            leave_line(pool);
        return;
    }
    while ((ticket = first_waiting(pool)) != NULL) {
        if (ticket->job.kind != DBAL__JOB_GRANT && !wants_to_be_alone(ticket))
            pool->reserved = NULL; /* what it was for has gone */
        if (pool->pulls || wants_token(ticket)) {
            stop_waiting(ticket);
            dbal__waiters_add(ticket);
        } else if (!serve(ticket)) {
            return;
        }
    }
    pool->reserved = NULL;
    leave_line(pool);
}

dbal__slot *
dbal__waiters_take_idle(dbal_pool *pool)
{
    dbal__slot *slot;
    if (pool->pulls)
        slot = take_idle_thread(pool);
    else
        slot = dbal__list_empty(&pool->waiting) ? least_busy(pool) : NULL;
    if (slot == NULL || slot->flying > 0 || !has_thread(slot, true))
        return NULL;
    used(slot);
    return slot;
}

void
dbal__waiters_serve_soon(dbal_pool *pool)
{
    if (!dbal__task_is_queued(&pool->serve_task))
        dbal__ready_push(&pool->loop->ready, &pool->serve_task);
}

void
dbal__waiters_add(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    if (!pool->serves) {
        wait_here(ticket);
        dbal__slots_grow(pool);
    } else if (wants_token(ticket)) {
        dbal__writes_add(ticket);
    } else if (pool->pulls) {
        add_threaded(ticket);
    } else if (ticket->job.kind == DBAL__JOB_GRANT || wants_to_be_alone(ticket) ||
               !dbal__list_empty(&pool->waiting) || !serve_statement(ticket, ticket->asked)) {
        wait_here(ticket);
        dbal__waiters_serve(pool);
    }
}

/* False: others do not get it. */
static bool
put_back(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    if (slot->held) {
        slot->held = false;
        pool->held--;
    }
    slot->connection = NULL;
    if (slot->state != DBAL__SLOT_OPEN || slot->hook != NULL)
        return false; /* on_connect goes on by itself */
    if (slot->bare && !slot->dirty && !pool->stopped) {
        slot->bare = false;
        dbal__hook_begin(slot, pool->settings.connect_timeout);
        return false;
    }
    if (pool->threads != NULL)
        dbal__moving_release(slot->channel);
    if (slot->dirty && slot->channel->opening.sole) {
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                        "a session left its connection changed, and it cannot be replaced: "
                        "the database is gone with it");
        slot->dirty = false;
    }
    if (slot->dirty) {
        dbal__life_close(slot);
        return false;
    }
    if (dbal__life_stays(slot))
        dbal__pause_release(slot);
    return true;
}

void
dbal__waiters_release(dbal__slot *slot)
{
    if (put_back(slot))
        dbal__waiters_serve(slot->pool);
}

void
dbal__waiters_give_back(dbal__slot *slot)
{
    if (put_back(slot))
        dbal__waiters_serve_soon(slot->pool);
}

static void
fail_one(dbal__ticket *ticket, void *arg)
{
    if (ticket->kind == DBAL__TICKET_BOUND)
        return;
    dbal_error *reason = dbal__error_with_execution(dbal_error_ref(arg), DBAL_EXECUTION_NOT_SENT);
    if (!dbal__ticket_fail_waiting(ticket, reason))
        dbal_error_unref(reason);
}

void
dbal__waiters_fail(dbal_pool *pool, dbal_error *error)
{
    dbal__pool_each_ticket(pool, fail_one, error);
    if (pool->token != NULL)
        dbal__writes_serve(pool);
    dbal__waiters_sweep(pool);
}

void
dbal__waiters_sweep(dbal_pool *pool)
{
    if (pool->open == 0) /* nobody else does */
        sweep_line(pool);
}
