/* The life of a pool's connections: opened on demand, replaced after a loss, closed at the end. */
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include "pool/connection.h"
#include "pool/pause.h"
#include "pool/pool.h"

static void on_opened(dbal__channel *channel, dbal_error *error);
static void on_closed(dbal__channel *channel);
static void on_closing(dbal__channel *channel);
static void on_lost(dbal__channel *channel, dbal_error *error);
static void on_landed(dbal__channel *channel, const dbal__list *jobs);

dbal__slot *
dbal__slot_of(const dbal__ticket *ticket)
{
    if (ticket->slot != NULL)
        return ticket->slot;
    return ticket->job.channel != NULL ? ticket->job.channel->owner : NULL;
}

static dbal__channel *
make_channel(dbal_pool *pool)
{
    if (dbal__pool_is_native(pool))
        return dbal__native_new(pool->loop, pool->driver);
    if (pool->pulls)
        return dbal__threaded_new(pool->loop, pool->driver, &pool->crew.line, NULL);
    if (pool->threads != NULL)
        return dbal__moving_new(pool->loop, pool->driver, pool->threads, pool->width);
    bool hung = false;
    dbal__worker *worker = dbal__driver_thread_again(pool->worker, &hung);
    return worker != NULL ? dbal__threaded_new(pool->loop, pool->driver, NULL, worker) : NULL;
}

/* It counts no more at the limit that the pool shares with others. */
static void
leave_place(dbal__slot *slot)
{
    if (slot->placed)
        dbal__seat_give(slot->pool, slot->spared);
    slot->placed = false;
}

static void
slot_free(dbal__slot *slot)
{
    leave_place(slot);
    dbal__clock_stop(&slot->pool->loop->ready.clock, &slot->timer);
    dbal__lanes_drop(slot);
    dbal__journey_unref(slot->journey);
    if (slot->hook != NULL)
        slot->hook->slot = NULL;
    dbal__list_remove(&slot->link);
    dbal__asking_forget(slot->asking);
    if (slot->channel != NULL)
        slot->channel->ops->free(slot->channel);
    dbal__target_unref(slot->target);
    dbal__free(slot);
}

/* What hangs is left behind, and remembered until it comes back. */
static void
abandon(dbal__slot *slot)
{
    slot->pool->hanging++;
    slot->pool->loop->abandoned++;
    leave_place(slot);
    slot->channel->ops->give_up(slot->channel);
}

static dbal_error *
thread_hangs(void)
{
    return dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT,
                            "the driver's one thread hangs and was given up");
}

/* Where one thread serves all, what one connection hangs in is the end of the others. */
static void
share_fate(dbal_pool *pool)
{
    bool hangs = false;
    if (pool->gate != DBAL_GATE_DRIVER_THREAD)
        return;
    dbal__driver_thread_again(pool->worker, &hangs);
    if (!hangs)
        return;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state == DBAL__SLOT_OPEN)
            dbal__slot_give_up(slot);
    }
    dbal_error *error = thread_hangs();
    dbal__waiters_fail(pool, error);
    dbal_error_unref(error);
}

static void
on_connect_timeout(dbal__timer *timer)
{
    dbal__slot *slot = DBAL__OF(timer, dbal__slot, timer);
    dbal_pool *pool = slot->pool;
    slot->state = DBAL__SLOT_CLOSING;
    pool->connecting--;
    abandon(slot);
    dbal__replace_gone(slot);
    dbal_error *error = dbal__error_make(DBAL_ERROR_TIMEOUT, "08001", DBAL_EXECUTION_NOT_SENT,
                                         "no connection within connect_timeout (%g s)",
                                         pool->settings.connect_timeout);
    if (DBAL__SELDOM(slot->journey != NULL))
        dbal__journey_connected(slot, error);
    dbal__slots_failed(pool, error);
    share_fate(pool);
}

static dbal_error *
no_memory(void)
{
    return dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

/* It has not become open. The error is taken over. */
static void
open_failed(dbal__slot *slot, dbal_error *error)
{
    dbal_pool *pool = slot->pool;
    pool->connecting--;
    if (DBAL__SELDOM(slot->journey != NULL))
        dbal__journey_connected(slot, error);
    dbal__replace_gone(slot);
    slot_free(slot);
    dbal__slots_failed(pool, error);
}

/* In nanoseconds. Where several threads are in one connection, it is not silent for long. */
static int64_t
validate_after(const dbal_pool *pool)
{
    double seconds = pool->settings.validate_after;
    bool asks = !dbal__pool_is_native(pool) && pool->width <= 1 &&
                pool->driver->driver->blocking->ping != NULL;
    return asks && seconds > 0 ? dbal__after(0, seconds) : DBAL__NEVER;
}

/* The driver begins. */
static bool
enter_open(dbal__slot *slot, dbal_error **ret_error)
{
    dbal_pool *pool = slot->pool;
    dbal_opening *opening = &slot->channel->opening;
    double limit = pool->settings.connect_timeout;
    int64_t now = dbal__loop_now(pool->loop);
    opening->config = slot->target != NULL ? dbal__target_config(slot->target) : pool->config;
    opening->again = pool->probed;
    opening->deadline = slot->open_by == DBAL__NEVER
                            ? DBAL__NEVER
                            : dbal__monotonic() + (slot->open_by > now ? slot->open_by - now : 0);
    if (!slot->channel->ops->open(slot->channel, ret_error))
        return false;
    /* a little later than the driver's own deadline, whose error says more */
    if (slot->open_by != DBAL__NEVER)
        dbal__clock_start(&pool->loop->ready.clock, &slot->timer,
                          dbal__after(slot->open_by, limit / 8), on_connect_timeout);
    return true;
}

/* Before_connect has said where it goes. */
static void
on_asked(void *owner, dbal__target *target, dbal_error *error)
{
    dbal__slot *slot = owner;
    slot->asking = NULL;
    slot->target = target;
    if (slot->state != DBAL__SLOT_OPENING) {
        dbal_error_unref(error); /* it was closed meanwhile */
        on_closed(slot->channel);
        return;
    }
    if (error == NULL && enter_open(slot, &error))
        return;
    open_failed(slot, error != NULL ? error : no_memory());
}

static bool
slot_open(dbal__slot *slot, dbal_error **ret_error)
{
    dbal_pool *pool = slot->pool;
    dbal__channel *channel = slot->channel = make_channel(pool);
    if (channel == NULL) {
        *ret_error = pool->gate == DBAL_GATE_DRIVER_THREAD ? thread_hangs() : no_memory();
        return false;
    }
    double limit = pool->settings.connect_timeout;
    slot->open_by = limit < 0 ? DBAL__NEVER : dbal__after(dbal__loop_now(pool->loop), limit);
    channel->owner = slot;
    channel->threadlevel = pool->entry_level;
    channel->capabilities = pool->capabilities;
    channel->validate_after = validate_after(pool);
    channel->opening.statement_cache = pool->settings.statement_cache;
    channel->opening.prepare_after = pool->settings.prepare_after;
    channel->opened = on_opened;
    channel->closed = on_closed;
    channel->closing = on_closing;
    channel->lost = on_lost;
    channel->landed = on_landed;
    if (pool->settings.before_connect == NULL)
        return enter_open(slot, ret_error);
    slot->asking = dbal__asking_begin(pool, on_asked, slot);
    return slot->asking != NULL;
}

dbal__slot *
dbal__slots_open(dbal_pool *pool)
{
    dbal_error *error = NULL;
    bool urgent = dbal__waiters_count(pool) > 0 || !dbal__list_empty(&pool->readiers);
    if (!dbal__seat_take(pool, urgent))
        return NULL;
    dbal__slot *slot = dbal__zalloc(sizeof *slot);
    if (slot == NULL)
        dbal__seat_give(pool, DBAL__SPARED_NOT);
    if (slot != NULL) {
        slot->pool = pool;
        slot->placed = true;
        slot->number = ++pool->last_job;
        slot->span.generation = pool->life.generation;
        dbal__list_init(&slot->lane.flying);
        slot->state = DBAL__SLOT_OPENING;
        dbal__list_push(&pool->slots, &slot->link);
        if (slot_open(slot, &error)) {
            pool->connecting++;
            dbal__waiters_limit(pool);
            if (DBAL__SELDOM(pool->follows))
                dbal__journey_connecting(slot);
            return slot;
        }
        slot_free(slot);
    }
    dbal__slots_failed(pool, error != NULL ? error : no_memory());
    return NULL;
}

/* One has gone, or is not to be had. */
static void
changed(dbal_pool *pool)
{
    dbal__replace(pool);
    dbal__drain_check(pool);
    dbal__pool_check_closed(pool);
}

static void
learn_from(dbal_pool *pool, const dbal_opening *opening)
{
    if (opening->max_connections > 0 && opening->max_connections < pool->most)
        pool->most = opening->max_connections;
    if (pool->limit > pool->most)
        pool->limit = pool->most;
    if (pool->token == NULL && opening->token_size > 0 &&
        opening->token_size <= sizeof opening->token) {
        pool->token = dbal__token_get(opening->token, opening->token_size);
        pool->token_timeout = opening->token_timeout;
    }
    pool->probed = true;
    pool->serves = !pool->paused;
}

/* What the driver has noted, once for all connections of the pool. */
static void
log_notes(dbal_pool *pool, const dbal_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        if (dbal__notes_add(&pool->notes, notes->texts[i]))
            dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING, "%s: %s",
                            pool->driver->driver->name, notes->texts[i]);
}

/* Of connect_timeout, in seconds; negative: there is none. */
static double
time_left(const dbal__slot *slot)
{
    if (slot->open_by == DBAL__NEVER)
        return -1;
    double left = (double)(slot->open_by - dbal__loop_now(slot->pool->loop)) / 1e9;
    return left > 0 ? left : 0;
}

static void
on_opened(dbal__channel *channel, dbal_error *error)
{
    dbal__slot *slot = channel->owner;
    dbal_pool *pool = slot->pool;
    if (slot->state != DBAL__SLOT_OPENING) {
        /* it was closed meanwhile; when it was given up, on_closed comes by itself */
        if (pool->threads != NULL) /* its close may have to wait for a thread */
            dbal__clock_stop(&pool->loop->ready.clock, &slot->timer);
        if (!channel->given_up && error == NULL)
            channel->ops->close(channel);
        else if (!channel->given_up)
            on_closed(channel);
        dbal_error_unref(error);
        return;
    }
    dbal__clock_stop(&pool->loop->ready.clock, &slot->timer);
    if (error != NULL) {
        open_failed(slot, error);
        return;
    }
    if (DBAL__SELDOM(slot->journey != NULL))
        dbal__journey_connected(slot, NULL);
    learn_from(pool, &channel->opening);
    log_notes(pool, &channel->notes);
    if (pool->settings.on_connect != NULL && !pool->stopped)
        dbal__hook_begin(slot, time_left(slot));
    else
        dbal__slots_opened(slot);
}

void
dbal__slots_opened(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    pool->connecting--;
    slot->state = DBAL__SLOT_OPEN;
    slot->opened_at = dbal__loop_now(pool->loop);
    pool->open++;
    pool->counts.opened++;
    dbal__backoff_opened(pool);
    if (pool->pulls)
        dbal__crew_join(&pool->crew, dbal__threaded_worker(slot->channel));
    if (pool->stopped) {
        dbal__slot_close(slot);
        return;
    }
    dbal__pause_release(slot);
    dbal__life_opened(slot);
    dbal__pool_ready_changed(pool, NULL);
    dbal__waiters_serve(pool);
    dbal__slots_grow_if_wanted(pool);
    changed(pool);
}

static void
leave_crew(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    if (!pool->pulls || !slot->channel->opened_once)
        return;
    dbal__crew_leave(&pool->crew, dbal__threaded_worker(slot->channel));
    dbal__waiters_serve_soon(pool); /* nobody may have been woken for what it was to take */
}

static void
on_closed(dbal__channel *channel)
{
    dbal__slot *slot = channel->owner;
    dbal_pool *pool = slot->pool;
    pool->hanging -= channel->given_up;
    bool refills = dbal__replace_gone(slot);
    uint64_t number = slot->number;
    int64_t opened_at = slot->opened_at;
    slot_free(slot);
    if (refills)
        dbal__slots_grow(pool);
    dbal__slots_grow_if_wanted(pool);
    changed(pool);
    if (pool->settings.on_close != NULL && opened_at != 0)
        dbal__hook_tell(pool, pool->settings.on_close, number, opened_at, NULL);
}

static void
on_closing(dbal__channel *channel)
{
    dbal__life_closing(channel->owner);
}

/* It counts no more; a session on it is told by the caller. */
static void
retire(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    if (slot->state == DBAL__SLOT_OPEN) {
        pool->open--;
        leave_crew(slot);
    } else if (slot->state == DBAL__SLOT_OPENING) {
        pool->connecting--;
        dbal__clock_stop(&pool->loop->ready.clock, &slot->timer);
        if (DBAL__SELDOM(slot->journey != NULL))
            dbal__journey_connected(
                slot, dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT));
    }
    if (pool->reserved == slot)
        pool->reserved = NULL;
    if (pool->life.replacement == slot)
        pool->life.replacement = NULL;
    slot->state = DBAL__SLOT_CLOSING;
    pool->backoff.down = pool->backoff.down || (pool->open == 0 && pool->backoff.active);
    dbal__waiters_limit(pool);
}

void
dbal__slot_close(dbal__slot *slot)
{
    if (slot->state == DBAL__SLOT_CLOSING)
        return;
    bool opening = slot->state == DBAL__SLOT_OPENING && !slot->channel->opened_once;
    retire(slot);
    if (slot->connection != NULL && slot->hook != NULL)
        slot->hook->unwanted = true;
    if (slot->connection != NULL)
        dbal__connection_lost(slot->connection, NULL);
    /* one that is being opened is closed when that has ended, which may be soon */
    if (slot->asking != NULL)
        dbal__asking_stop(slot->asking);
    else if (opening)
        dbal__channel_stop_opening(slot->channel);
    else
        slot->channel->ops->close(slot->channel);
}

void
dbal__slot_is_lost(dbal__slot *slot, dbal_error *error)
{
    dbal_pool *pool = slot->pool;
    pool->counts.lost++;
    dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING, "a connection was lost: %s",
                    dbal_error_message(error));
    if (slot->connection != NULL)
        dbal__connection_lost(slot->connection, error);
    dbal__slot_close(slot);
    dbal__hook_lost(slot, error);
}

void
dbal__slot_give_up(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    if (slot->channel->given_up)
        return;
    if (slot->asking != NULL) {
        dbal__slot_close(slot); /* nothing hangs */
        return;
    }
    pool->counts.lost++;
    if (slot->state != DBAL__SLOT_CLOSING)
        retire(slot);
    abandon(slot);
    if (slot->connection != NULL)
        dbal__connection_lost(slot->connection, NULL);
    dbal__hook_lost(slot, NULL);
    if (slot == pool->writes_slot)
        dbal__writes_abandon(pool, true);
    share_fate(pool);
    if (dbal__replace_gone(slot))
        dbal__slots_grow(pool);
    changed(pool);
}

/*
 * One that died without having been of any use is as a connect that failed. What it died of may be in
 * flight: that has its own limit.
 */
static void
replace(const dbal__slot *lost)
{
    dbal_pool *pool = lost->pool;
    bool useless = !lost->proved && lost->flying == 0;
    if (!lost->proved)
        pool->backoff.let_in = 0;
    if (useless && !pool->backoff.active && !pool->stopped)
        dbal__backoff_begin(pool);
    else
        dbal__slots_grow_if_wanted(pool);
}

static void
on_lost(dbal__channel *channel, dbal_error *error)
{
    dbal__slot *slot = channel->owner;
    dbal_pool *pool = slot->pool;
    bool was_open = slot->state != DBAL__SLOT_CLOSING;
    bool was_used = was_open && slot->hook == NULL; /* else a connect has failed */
    if (was_open) {
        pool->counts.lost++;
        retire(slot);
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING, "a connection was lost: %s",
                        dbal_error_message(error));
    }
    if (slot->connection != NULL)
        dbal__connection_lost(slot->connection, error);
    dbal__hook_lost(slot, error);
    if (slot == pool->writes_slot)
        dbal__writes_abandon(pool, false);
    dbal_error_unref(error);
    if (was_used)
        replace(slot);
    dbal__waiters_serve_soon(pool); /* behind those that come back from it */
}

static void
on_landed(dbal__channel *channel, const dbal__list *jobs)
{
    dbal__lanes_landed(channel->owner, jobs);
}

void
dbal__slots_give_up(dbal_pool *pool, bool busy_only)
{
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->channel->given_up || (busy_only && slot->flying == 0))
            continue;
        if (slot->state != DBAL__SLOT_CLOSING)
            dbal__slot_give_up(slot);
        else if (slot->asking == NULL)
            abandon(slot);
    }
}

void
dbal__slots_close_all(dbal_pool *pool)
{
    dbal__list *link = pool->slots.next;
    while (link != &pool->slots) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        link = link->next;
        if (!slot->held)
            dbal__slot_close(slot);
    }
}

/* Blocks until the pool's threads are gone; false when some had to be left. */
bool
dbal__slots_join(dbal_pool *pool, int64_t deadline)
{
    bool all = true;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->channel->ops->join(slot->channel, deadline))
            continue;
        if (pool->pulls)
            atomic_store(&dbal__threaded_worker(slot->channel)->held, true);
        if (!slot->channel->given_up)
            pool->loop->abandoned++;
        all = false;
    }
    return all;
}

void
dbal__slots_leave_places(dbal_pool *pool)
{
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next)
        leave_place(DBAL__OF(link, dbal__slot, link));
}

void
dbal__slots_free(dbal_pool *pool)
{
    while (!dbal__list_empty(&pool->slots))
        slot_free(DBAL__OF(pool->slots.next, dbal__slot, link));
}
