/* What a pool counts, and what it does at the moment. */
#include <string.h>

#include "pool/pool.h"

bool
dbal__slot_is_idle(const dbal__slot *slot)
{
    return slot->state == DBAL__SLOT_OPEN && !slot->held && slot->flying == 0 &&
           (!slot->pool->pulls ||
            (dbal__threaded_is_idle(slot->channel) && !dbal__threaded_is_engaged(slot->channel)));
}

int
dbal__pool_idle(const dbal_pool *pool)
{
    int idle = 0;
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next)
        idle += dbal__slot_is_idle(DBAL__OF(link, const dbal__slot, link));
    return idle;
}

/* On_connect has those that are not open yet. */
static int
count_prepared(const dbal_pool *pool)
{
    int prepared = 0;
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal__slot *slot = DBAL__OF(link, const dbal__slot, link);
        prepared += slot->state == DBAL__SLOT_OPENING && slot->held;
    }
    return prepared;
}

static size_t
count_running(const dbal_pool *pool)
{
    size_t running = 0;
    for (const dbal__list *link = pool->tickets.next; link != &pool->tickets; link = link->next) {
        const dbal__ticket *ticket = DBAL__OF(link, const dbal__ticket, all);
        running += ticket->kind != DBAL__TICKET_SESSION &&
                   atomic_load(&ticket->job.state) == DBAL__JOB_RUNNING;
    }
    return running;
}

void
dbal_pool_stats(const dbal_pool *pool, dbal_pool_counts *ret_counts)
{
    dbal_pool_counts counts = pool->counts;
    counts.size = ret_counts->size;
    counts.driver = pool->driver->driver->name;
    counts.gate = dbal__gate_kind_name(pool->gate);
    counts.threadlevel = pool->threadlevel;
    counts.connections = pool->open;
    counts.idle = dbal__pool_idle(pool);
    /* the one that writes go to is kept for them, and no session's */
    counts.held =
        pool->held - (pool->writes_slot != NULL && pool->writes_slot->held) - count_prepared(pool);
    counts.connecting = pool->connecting;
    counts.max_size = pool->limit;
    counts.waiting = dbal__waiters_live(pool);
    counts.running = count_running(pool);
    counts.failures_in_a_row = pool->backoff.let_in > 0 ? 0 : pool->failures;
    counts.paused = pool->paused;
    memcpy(ret_counts, &counts,
           ret_counts->size < sizeof counts ? ret_counts->size : sizeof counts);
}
