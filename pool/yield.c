/*
 * What a pool can spare of its connections when others wait at the limit that it shares with them. To
 * one that has none it gives what it can: an idle connection, or one when what it does has ended, also
 * when it has work for it. To others, what was not used for a while.
 */
#include "pool/pool.h"

/* Seconds. One that is being used has a turn at least: opening the next one is dear. */
static const double WHILE = 0.25, TURN = 0.01;

static bool
may_go(const dbal__slot *slot)
{
    return slot->state == DBAL__SLOT_OPEN && !slot->held && !slot->channel->opening.sole &&
           slot != slot->pool->life.replacement &&
           (!slot->pool->pulls || !dbal__threaded_is_engaged(slot->channel));
}

/* It was opened for work that still waits. */
static bool
has_its_turn(const dbal__slot *slot, int64_t now)
{
    return now < dbal__after(slot->opened_at, TURN) && dbal__waiters_count(slot->pool) > 0;
}

/*
 * For one that has none: an idle one, of these the one used longest ago, else the one with the least to
 * do, of these the one used last.
 */
static dbal__slot *
least_needed(const dbal_pool *pool, int64_t now, bool idle_only)
{
    dbal__slot *best = NULL;
    for (dbal__list *link = pool->slots.prev; link != &pool->slots; link = link->prev) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (!may_go(slot) || has_its_turn(slot, now))
            continue;
        if (dbal__slot_is_idle(slot))
            return slot;
        if (!idle_only && (best == NULL || slot->flying <= best->flying))
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
spare(dbal__slot *slot, bool idle)
{
    dbal_pool *pool = slot->pool;
    if (!dbal__seat_spare(pool, idle))
        return false;
    slot->spared = idle ? DBAL__SPARED_IDLE : DBAL__SPARED_BUSY;
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
    bool looked = life->yield_at != DBAL__NEVER;
    if (want == DBAL__WANT_NONE)
        return life->yield_at = DBAL__NEVER;
    if (!looked || now >= life->yield_at) {
        slot = unused(pool, looked);
        life->yield_at = dbal__after(now, WHILE);
    }
    if (want >= DBAL__WANT_IDLE)
        slot = least_needed(pool, now, want == DBAL__WANT_IDLE);
    if (slot != NULL)
        spare(slot, dbal__slot_is_idle(slot));
    /* an end of a statement does not look whether somebody else waits */
    int64_t soon = want >= DBAL__WANT_IDLE ? dbal__after(now, TURN) : life->yield_at;
    return soon < life->yield_at ? soon : life->yield_at;
}

/* In a pool that closes, all that nothing waits for. */
bool
dbal__yield_returned(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    if (pool->seat.limit == NULL || slot->channel->opening.sole)
        return false;
    if (pool->closing && dbal__waiters_count(pool) == 0) {
        dbal__life_close(slot);
        return true;
    }
    return !pool->closing && dbal__seat_wanted(pool) >= DBAL__WANT_IDLE &&
           !has_its_turn(slot, dbal__loop_now(pool->loop)) && spare(slot, true);
}

void
dbal__yield_rest(dbal_pool *pool)
{
    dbal__list *link = pool->slots.next;
    if (pool->seat.limit == NULL || dbal__waiters_count(pool) > 0)
        return;
    while (link != &pool->slots) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        link = link->next;
        if (may_go(slot) && dbal__slot_is_idle(slot))
            dbal__life_close(slot);
    }
}
