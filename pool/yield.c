/*
 * What a pool can spare of its connections when others wait at the limit that it shares with them. To
 * one that has none it gives what it can: an idle connection, or one when what it does has ended, also
 * when it has work for it. To others, what was not used for a while.
 */
#include "pool/pool.h"

static const double WHILE = 0.25; /* seconds */

static bool
may_go(const dbal__slot *slot)
{
    return slot->state == DBAL__SLOT_OPEN && !slot->held && !slot->channel->opening.sole &&
           slot != slot->pool->life.replacement &&
           (!slot->pool->pulls || !dbal__threaded_is_engaged(slot->channel));
}

/* For one that has none: the one with the least to do, of these the one used longest ago. */
static dbal__slot *
least_needed(const dbal_pool *pool)
{
    dbal__slot *best = NULL;
    for (dbal__list *link = pool->slots.prev; link != &pool->slots; link = link->prev) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (!may_go(slot))
            continue;
        if (dbal__slot_is_idle(slot))
            return slot;
        if (best == NULL || slot->flying < best->flying)
            best = slot;
    }
    return best;
}

/* One that was not used since the last look. Looks anew from here. */
static dbal__slot *
unused(const dbal_pool *pool, bool looked)
{
    dbal__slot *found = NULL;
    for (dbal__list *link = pool->slots.prev; link != &pool->slots; link = link->prev) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state != DBAL__SLOT_OPEN)
            continue;
        bool was_used = dbal__life_was_used(slot, &slot->span.lately);
        if (looked && found == NULL && !was_used && may_go(slot))
            found = slot;
    }
    return found;
}

static bool
spare(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    if (!dbal__seat_spare(pool))
        return false;
    slot->spared = true;
    dbal__life_part(slot, &pool->counts.spared);
    return true;
}

int64_t
dbal__yield_look(dbal_pool *pool, int64_t now)
{
    dbal__life *life = &pool->life;
    dbal__slot *slot = NULL;
    if (pool->seat.limit == NULL)
        return DBAL__NEVER;
    dbal__want want = dbal__seat_wanted(pool);
    bool looked = life->yield_at != DBAL__NEVER, due = !looked || now >= life->yield_at;
    if (want == DBAL__WANT_NONE)
        return life->yield_at = DBAL__NEVER;
    if (due) {
        slot = unused(pool, looked);
        life->yield_at = dbal__after(now, WHILE);
    }
    if (want == DBAL__WANT_ONE)
        slot = least_needed(pool);
    if (slot != NULL)
        spare(slot);
    return life->yield_at;
}

bool
dbal__yield_returned(dbal__slot *slot)
{
    return slot->pool->seat.limit != NULL && !slot->channel->opening.sole &&
           dbal__seat_wanted(slot->pool) == DBAL__WANT_ONE && spare(slot);
}
