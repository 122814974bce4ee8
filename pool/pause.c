#include "pool/pause.h"

#include "pool/listener.h"
#include "pool/pool.h"

/* A thread goes to sleep a little later than its last answer is here: nobody tells, so it is looked. */
static const double LOOK_FIRST = 0.001, LOOK_MOST = 0.05; /* seconds */

/* Threads take work by themselves, unless they are held. */
static void
hold_threads(dbal_pool *pool, bool hold)
{
    if (!pool->pulls)
        return;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state != DBAL__SLOT_OPEN || slot->held)
            continue; /* a session's is held already */
        dbal__threaded_hold(slot->channel, hold);
    }
}

/* Nothing is in a connection, or on its way to one or back. */
static bool
is_quiet(const dbal_pool *pool)
{
    if (pool->pulls && pool->crew.outstanding > dbal__crew_waiting(&pool->crew))
        return false;
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal__slot *slot = DBAL__OF(link, const dbal__slot, link);
        if (!slot->channel->given_up && !dbal__slot_is_idle(slot))
            return false;
    }
    return true;
}

void
dbal__pause_check(dbal_pool *pool)
{
    if (pool->paused && !dbal__list_empty(&pool->pauses) && is_quiet(pool))
        dbal__listeners_tell(&pool->pauses, NULL);
}

int64_t
dbal__pause_look(dbal_pool *pool, int64_t now)
{
    dbal__pause_check(pool);
    if (dbal__list_empty(&pool->pauses))
        return DBAL__NEVER;
    double delay = pool->pause_delay;
    pool->pause_delay = delay * 2 < LOOK_MOST ? delay * 2 : LOOK_MOST;
    return dbal__after(now, delay);
}

dbal_deferred *
dbal_pool_pause(dbal_pool *pool)
{
    bool ok;
    dbal_deferred *refused = dbal__pool_refuse_closed(pool, "dbal_pool_pause", &ok);
    if (!ok)
        return refused;
    dbal_deferred *deferred = dbal__listener_new(pool, &pool->pauses, 0);
    if (!pool->paused) {
        pool->paused = pool->attended = true;
        pool->serves = false;
        hold_threads(pool, true);
        dbal__writes_serve(pool); /* takes its requests back */
    }
    pool->pause_delay = LOOK_FIRST;
    dbal__life_arm(pool, dbal__pause_look(pool, dbal__loop_now(pool->loop)));
    return deferred;
}

/* What waits is not handed down by this. */
static void
end(dbal_pool *pool)
{
    pool->paused = false;
    pool->attended = pool->closing;
    pool->serves = pool->probed;
    hold_threads(pool, false);
}

void
dbal_pool_resume(dbal_pool *pool)
{
    if (!dbal__loop_check(pool->loop, "dbal_pool_resume") || !pool->paused || pool->stopped)
        return;
    dbal_error *error = dbal__error_make(DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_NOT_SENT,
                                         "the pool was resumed before nothing ran any more");
    end(pool);
    dbal__listeners_tell(&pool->pauses, error);
    dbal_error_unref(error);
    dbal__slots_grow_if_wanted(pool);
    dbal__waiters_serve(pool);
    dbal__writes_serve_soon(pool);
    if (pool->pulls)
        dbal__crew_rouse(&pool->crew);
    dbal__replace(pool);
}

void
dbal__pause_stop(dbal_pool *pool)
{
    dbal__listeners_tell(&pool->pauses,
                         dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT));
    if (!pool->paused)
        return;
    end(pool);
    dbal__slots_grow_if_wanted(pool);
    dbal__waiters_serve_soon(pool);
    dbal__writes_serve_soon(pool);
    if (pool->pulls)
        dbal__crew_rouse(&pool->crew);
}

void
dbal__pause_release(dbal__slot *slot)
{
    if (!slot->pool->pulls)
        return;
    if (slot->pool->paused)
        dbal__threaded_keep(slot->channel);
    else
        dbal__threaded_release(slot->channel);
}
