#include "pool/collect.h"

#include "pool/pool.h"

/* Seconds between two looks: short at first, longer the longer it takes. */
static const double LOOK_FIRST = 0.0005, LOOK_MOST = 0.016;

static void look(dbal__timer *timer);

static void
look_again(dbal_pool *pool)
{
    dbal__clock *clock = &pool->loop->ready.clock;
    dbal__clock_start(clock, &pool->collect.timer,
                      dbal__after(dbal__clock_now(clock), pool->collect.delay), look);
}

static bool
waits_for_answers(const dbal_pool *pool)
{
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal__slot *slot = DBAL__OF(link, const dbal__slot, link);
        if (slot->flying > 0 && !slot->channel->given_up)
            return true;
    }
    return false;
}

static void
look(dbal__timer *timer)
{
    dbal_pool *pool = DBAL__OF(timer, dbal_pool, collect.timer);
    if (!waits_for_answers(pool))
        return;
    if (atomic_load_explicit(&pool->worker->unannounced_count, memory_order_relaxed) != 0)
        dbal__inbox_wake(pool->loop->inbox);
    if (pool->collect.delay < LOOK_MOST)
        pool->collect.delay *= 2;
    look_again(pool);
}

void
dbal__collect_later(dbal_pool *pool)
{
    if (pool->collect.timer.active)
        return;
    pool->collect.delay = LOOK_FIRST;
    look_again(pool);
}

void
dbal__collect_stop(dbal_pool *pool)
{
    dbal__clock_stop(&pool->loop->ready.clock, &pool->collect.timer);
}
