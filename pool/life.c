#include "pool/life.h"

#include "pool/holders.h"
#include "pool/listener.h"
#include "pool/pause.h"
#include "pool/pool.h"

/*
 * What is idle is looked at so often in an idle_timeout, and closed when it was not used from one
 * look to the next so many times. The connection used last is used first, so those that are never
 * used are as many as were never needed at once.
 */
enum { LOOKS = 4 };
/* Of max_lifetime, so that what began together does not end so. */
static const double JITTER = 0.05;

static void on_timer(dbal__timer *timer);

void
dbal__life_init(dbal_pool *pool)
{
    pool->life.idle_at = pool->life.yield_at = DBAL__NEVER;
    dbal__list_init(&pool->life.drains);
}

void
dbal__life_stop(dbal_pool *pool)
{
    dbal_error *closed = dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT);
    dbal__clock_stop(&pool->loop->ready.clock, &pool->life.timer);
    dbal__listeners_tell(&pool->life.drains, closed);
}

void
dbal__life_arm(dbal_pool *pool, int64_t at)
{
    dbal__timer *timer = &pool->life.timer;
    if (pool->closing || (timer->active && timer->at <= at))
        return;
    dbal__clock_start(&pool->loop->ready.clock, timer, at, on_timer);
}

int
dbal__life_least(const dbal_pool *pool)
{
    return pool->settings.min_size < pool->limit ? pool->settings.min_size : pool->limit;
}

/* ---- what is idle ---- */

static int64_t
next_look(const dbal_pool *pool, int64_t now)
{
    double idle = pool->settings.idle_timeout;
    if (idle < 0 || pool->open <= dbal__life_least(pool))
        return DBAL__NEVER;
    return dbal__after(now, idle / LOOKS);
}

bool
dbal__life_was_used(dbal__slot *slot, dbal__use *since)
{
    bool used = since->used || !dbal__slot_is_idle(slot);
    since->used = false;
    if (slot->pool->pulls) {
        /* its thread takes work by itself */
        const dbal__worker *worker = dbal__threaded_worker(slot->channel);
        unsigned taken = atomic_load_explicit(&worker->taken, memory_order_relaxed);
        used = used || taken != since->taken;
        since->taken = taken;
    }
    return used;
}

static void
look_for_idle(dbal_pool *pool)
{
    /* those that were used longest ago first */
    dbal__list *link = pool->slots.prev;
    while (link != &pool->slots) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        link = link->prev;
        if (slot->state != DBAL__SLOT_OPEN)
            continue;
        bool used = dbal__life_was_used(slot, &slot->span.idle) || pool->paused;
        slot->span.unused = used ? 0 : slot->span.unused + 1;
        if (slot->span.unused >= LOOKS && pool->open > dbal__life_least(pool) &&
            !slot->channel->opening.sole && slot != pool->life.replacement)
            dbal__life_part(slot, &pool->counts.closed_idle);
    }
}

/* ---- what is old ---- */

/* When the next one is too old. */
static int64_t
look_for_old(dbal_pool *pool, int64_t now)
{
    int64_t next = DBAL__NEVER;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state != DBAL__SLOT_OPEN || slot->span.age != DBAL__AGE_YOUNG)
            continue;
        if (slot->span.retire_at <= now)
            slot->span.age = DBAL__AGE_OLD;
        else if (slot->span.retire_at < next)
            next = slot->span.retire_at;
    }
    return next;
}

/* ---- for all ---- */

static void
on_timer(dbal__timer *timer)
{
    dbal_pool *pool = DBAL__OF(timer, dbal_pool, life.timer);
    int64_t now = dbal__loop_now(pool->loop);
    if (now >= pool->life.idle_at) {
        look_for_idle(pool);
        pool->life.idle_at = next_look(pool, now);
    }
    dbal__life_arm(pool, look_for_old(pool, now));
    dbal__replace(pool);
    dbal__life_arm(pool, dbal__yield_look(pool, now));
    dbal__life_arm(pool, dbal__watch_look(pool, now));
    dbal__life_arm(pool, dbal__pause_look(pool, now));
    dbal__life_arm(pool, dbal__slow_look(pool, now));
    dbal__life_arm(pool, pool->life.idle_at);
}

void
dbal__life_opened(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    double lifetime = pool->settings.max_lifetime;
    int64_t now = dbal__loop_now(pool->loop);
    dbal__span *span = &slot->span;
    pool->life.owes = false;
    span->idle.used = span->lately.used = true;
    span->retire_at = DBAL__NEVER;
    if (slot->channel->opening.sole) {
        span->generation = pool->life.generation; /* nothing can take its place */
    } else {
        if (lifetime >= 0)
            span->retire_at = dbal__after(now, lifetime * (1 - JITTER * dbal__pool_jitter(pool)));
        if (span->generation != pool->life.generation)
            span->age = DBAL__AGE_DRAINED; /* that began before */
    }
    dbal__life_arm(pool, span->retire_at);
    if (pool->seat.limit != NULL)
        dbal__life_arm(pool, now); /* others may have come while there was nothing to spare */
    if (pool->life.idle_at == DBAL__NEVER)
        pool->life.idle_at = next_look(pool, now);
    dbal__life_arm(pool, pool->life.idle_at);
}

/* It had nothing to do, and does not come to an end. */
static void
on_close_late(dbal__timer *timer)
{
    dbal__slot *slot = DBAL__OF(timer, dbal__slot, timer);
    dbal_pool *pool = slot->pool;
    if (slot->channel->given_up)
        return;
    if (slot->channel->opened_once)
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                        "a connection did not close within close_timeout (%g s): it is given up",
                        pool->settings.close_timeout);
    dbal__slot_give_up(slot);
}

/* Where threads are few, its time begins when it has one; that of all, when its pool is closed. */
void
dbal__life_closing(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    dbal__clock *clock = &pool->loop->ready.clock;
    double limit = pool->settings.close_timeout;
    if (limit >= 0 && !pool->closing && !slot->channel->given_up)
        dbal__clock_start(clock, &slot->timer, dbal__after(dbal__clock_now(clock), limit),
                          on_close_late);
}

void
dbal__life_close(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    dbal__clock *clock = &pool->loop->ready.clock;
    bool opening = slot->state == DBAL__SLOT_OPENING && !slot->channel->opened_once;
    bool prepares = slot->state == DBAL__SLOT_OPENING && !opening; /* or has just failed to */
    double limit = opening ? pool->settings.connect_timeout * 9 / 8 : pool->settings.close_timeout;
    bool idle = opening || (prepares && slot->flying == 0) || dbal__slot_is_idle(slot);
    bool later = !opening && pool->threads != NULL; /* see dbal__life_closing() */
    if (slot->state == DBAL__SLOT_CLOSING)
        return;
    /* a thread that just wakes up for the line may take something yet, which it does first */
    if (idle && !opening && !prepares && pool->pulls)
        idle = dbal__threaded_hold_idle(slot->channel);
    dbal__slot_close(slot);
    /* on one thread for all it waits for what others do there */
    if (idle && limit >= 0 && pool->gate != DBAL_GATE_DRIVER_THREAD && !later)
        dbal__clock_start(clock, &slot->timer, dbal__after(dbal__clock_now(clock), limit),
                          on_close_late);
}

void
dbal__life_part(dbal__slot *slot, uint64_t *count)
{
    ++*count;
    dbal__life_close(slot);
}

bool
dbal__life_stays(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    if (dbal__yield_returned(slot))
        return false;
    if (pool->closing)
        return true;
    if (dbal__resize_surplus(pool) > 0) {
        dbal__life_part(slot, &pool->counts.closed_surplus);
        return false;
    }
    return slot->span.age == DBAL__AGE_YOUNG || !dbal__replace_returned(slot);
}
