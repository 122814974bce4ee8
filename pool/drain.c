/* Every connection is replaced by another, without an outage. */
#include <limits.h>

#include "pool/listener.h"
#include "pool/pool.h"

/* The oldest generation that has a connection still. */
static unsigned
oldest(const dbal_pool *pool)
{
    unsigned generation = UINT_MAX;
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal__slot *slot = DBAL__OF(link, const dbal__slot, link);
        if (!slot->channel->given_up && slot->span.generation < generation)
            generation = slot->span.generation;
    }
    return generation;
}

void
dbal__drain_check(dbal_pool *pool)
{
    if (!dbal__list_empty(&pool->life.drains))
        dbal__listeners_tell_until(&pool->life.drains, oldest(pool), NULL);
}

static bool
is_irreplaceable(const dbal_pool *pool)
{
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal__slot *slot = DBAL__OF(link, const dbal__slot, link);
        if (slot->state == DBAL__SLOT_OPEN && slot->channel->opening.sole)
            return true;
    }
    return false;
}

dbal_deferred *
dbal_pool_drain(dbal_pool *pool)
{
    bool ok;
    dbal_deferred *refused = dbal__pool_refuse_closed(pool, "dbal_pool_drain", &ok);
    if (!ok)
        return refused;
    if (is_irreplaceable(pool))
        return dbal__deferred_failed(
            pool->loop, dbal__error_make(DBAL_ERROR_NOT_SUPPORTED, "0A000", DBAL_EXECUTION_NOT_SENT,
                                         "its one connection cannot be replaced: the database "
                                         "would be gone with it"));
    dbal_deferred *deferred =
        dbal__listener_new(pool, &pool->life.drains, pool->life.generation + 1);
    pool->life.generation++;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state == DBAL__SLOT_OPEN)
            slot->span.age = DBAL__AGE_DRAINED;
    }
    dbal__replace(pool);
    dbal__drain_check(pool);
    return deferred;
}
