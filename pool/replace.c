/*
 * What is too old, or drained, is replaced: one at a time, so that a pool never has more than one
 * connection above its limit. Another is opened first, so that nothing waits for it; then the old one
 * takes nothing more, and is closed when what it does has ended. One in a session goes when the
 * session does. While the server cannot be reached, the old ones serve on.
 *
 * What an old one does may take an hour. Meanwhile the others go when they do nothing, each before
 * another is opened in its place.
 */
#include <string.h>

#include "pool/pool.h"

/* An end of a statement does not look whether its connection is to go. Seconds. */
static const double LOOK = 0.25;

static uint64_t *
count_of(dbal__slot *slot)
{
    dbal_pool_counts *counts = &slot->pool->counts;
    return slot->span.age == DBAL__AGE_DRAINED ? &counts->drained : &counts->closed_lifetime;
}

static bool
is_engaged(const dbal__slot *slot)
{
    return slot->pool->pulls && dbal__threaded_is_engaged(slot->channel);
}

/*
 * Of those that are to go and are in no session, one that does nothing, if there is one, else the one
 * used last: what the others do has taken longer already, and may take longer still. Not the one that
 * takes another's place.
 */
static dbal__slot *
choose(const dbal_pool *pool, bool *ret_any)
{
    dbal__slot *best = NULL;
    *ret_any = false;
    for (dbal__list *link = pool->slots.prev; link != &pool->slots; link = link->prev) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state != DBAL__SLOT_OPEN || slot->span.age == DBAL__AGE_YOUNG ||
            slot == pool->life.replacement)
            continue;
        *ret_any = true;
        if (slot->held || is_engaged(slot))
            continue;
        if (dbal__slot_is_idle(slot))
            return slot;
        if (best == NULL || slot->flying <= best->flying)
            best = slot;
    }
    return best;
}

/* The new one takes the old one's place, and the old one goes. */
static void
change(dbal__slot *old)
{
    dbal_pool *pool = old->pool;
    dbal__life *life = &pool->life;
    dbal__slot *fresh = life->replacement;
    if (fresh != NULL) {
        fresh->span.idle.used = old->span.idle.used;
        fresh->span.unused = old->span.unused;
        dbal__list_remove(&fresh->link);
        dbal__list_insert_before(&old->link, &fresh->link);
    }
    life->replacement = NULL;
    life->leaving = old;
    life->refills = fresh == NULL;
    life->lingers = !dbal__slot_is_idle(old);
    if (life->lingers)
        dbal__life_arm(pool, dbal__after(dbal__loop_now(pool->loop), LOOK));
    dbal__life_part(old, count_of(old));
}

/* The database has no room for one more, or has said so; or the limit that it shares with others. */
static bool
goes_first(dbal_pool *pool)
{
    return pool->life.full || pool->open + pool->connecting >= pool->most ||
           !dbal__seat_has_room(pool);
}

/* One has gone first, and none was opened for it: else all might go, one after another. */
static bool
waits_for_one(dbal_pool *pool)
{
    if (!pool->life.owes)
        return false;
    if (pool->open + pool->connecting < pool->limit && dbal__seat_has_room(pool))
        dbal__slots_open(pool);
    else if (pool->connecting == 0)
        pool->life.owes = false; /* there is no place for one any more */
    return pool->life.owes;
}

static void
begin(dbal_pool *pool, dbal__slot *old)
{
    if (!dbal__slots_may_connect(pool) || pool->open + pool->connecting > pool->limit)
        return; /* somebody looks again when that changes */
    if (waits_for_one(pool))
        return;
    if (goes_first(pool))
        change(old);
    else
        pool->life.replacement = dbal__slots_open(pool);
}

/* The place of the one that lingers is taken: there is none for another before this one has gone. */
static void
pass(dbal__slot *old)
{
    dbal_pool *pool = old->pool;
    if (pool->open < 2 || !dbal__slots_may_connect(pool) || waits_for_one(pool))
        return; /* the last one serves on; and as in begin() */
    pool->life.passing = old;
    dbal__life_part(old, count_of(old));
}

static void
look_beside(dbal_pool *pool)
{
    bool any;
    dbal__slot *old = choose(pool, &any);
    if (old != NULL && dbal__slot_is_idle(old))
        pass(old);
    if (any && pool->life.passing == NULL)
        dbal__life_arm(pool, dbal__after(dbal__loop_now(pool->loop), LOOK));
}

void
dbal__replace(dbal_pool *pool)
{
    dbal__life *life = &pool->life;
    bool any;
    if (pool->closing || pool->paused || life->passing != NULL)
        return;
    if (life->leaving != NULL) {
        if (life->lingers)
            look_beside(pool);
        return;
    }
    if (life->replacement != NULL && life->replacement->state != DBAL__SLOT_OPEN)
        return; /* it is being opened */
    dbal__slot *old = choose(pool, &any);
    if (!any && life->replacement != NULL) {
        life->replacement = NULL; /* what it was for is gone: it is one as others are */
        old = choose(pool, &any); /* and perhaps old itself by now */
    }
    if (old != NULL && life->replacement != NULL)
        change(old);
    else if (old != NULL)
        begin(pool, old);
}

bool
dbal__replace_returned(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    const dbal__slot *fresh = pool->life.replacement;
    if (pool->paused || pool->life.passing != NULL ||
        (pool->life.leaving != NULL && !pool->life.lingers))
        return false;
    if (pool->life.leaving != NULL)
        pass(slot);
    else if (fresh == NULL)
        begin(pool, slot); /* others may hold it again before another is open */
    else if (fresh != slot && fresh->state == DBAL__SLOT_OPEN)
        change(slot);
    return slot->state != DBAL__SLOT_OPEN;
}

bool
dbal__replace_gone(dbal__slot *slot)
{
    dbal__life *life = &slot->pool->life;
    bool refills = life->passing == slot || (life->leaving == slot && life->refills);
    life->owes = life->owes || refills;
    if (life->replacement == slot)
        life->replacement = NULL;
    if (life->leaving == slot) {
        life->leaving = NULL;
        life->refills = life->lingers = false;
    }
    if (life->passing == slot)
        life->passing = NULL;
    return refills;
}
