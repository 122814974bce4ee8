/*
 * The links of a Deferred: a queue in one array, which is inside while it is short. When memory runs
 * out, a plain callback is left out and the chain fails where it would have been; anything else
 * must be there, and takes the place of the last plain callback.
 */
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/outcome.h"

static void
move_to_front(dbal_deferred *deferred)
{
    deferred->count -= deferred->head;
    memmove(deferred->links, deferred->links + deferred->head,
            deferred->count * sizeof *deferred->links);
    deferred->head = 0;
}

static bool
enlarge(dbal_deferred *deferred)
{
    unsigned room = deferred->room * 2;
    dbal__link *links = dbal__alloc(room * sizeof *links);
    if (links == NULL)
        return false;
    memcpy(links, deferred->links, deferred->count * sizeof *links);
    if (deferred->links != deferred->inside)
        dbal__free(deferred->links);
    deferred->links = links;
    deferred->room = room;
    return true;
}

/* Makes room for one link more; what it moves it has moved for a good part of the room. */
static bool
grow(dbal_deferred *deferred)
{
    if (deferred->head < deferred->room / 4 && enlarge(deferred))
        return true;
    if (deferred->head == 0)
        return false;
    move_to_front(deferred);
    return true;
}

/* A plain callback gives its place to `link`, and the chain fails from there on. */
static bool
displace(dbal_deferred *deferred, dbal__link link)
{
    for (unsigned i = deferred->count; i-- > deferred->head;) {
        dbal__link *old = &deferred->links[i];
        if (old->kind != DBAL__LINK_CALLBACKS)
            continue;
        /* what stands behind keeps its order */
        memmove(old, old + 1, (deferred->count - i - 1) * sizeof *old);
        deferred->links[deferred->count - 1] = link;
        old->starved = true;
        return true;
    }
    return false;
}

static bool
store(dbal_deferred *deferred, dbal__link link)
{
    link.starved = deferred->starved;
    if (deferred->head == deferred->count)
        deferred->head = deferred->count = 0;
    if (deferred->count < deferred->room || grow(deferred))
        deferred->links[deferred->count++] = link;
    else if (link.kind == DBAL__LINK_CALLBACKS || !displace(deferred, link))
        return false;
    deferred->starved = false;
    return true;
}

bool
dbal__deferred_append(dbal_deferred *deferred, dbal__link link)
{
    bool stored = deferred->ready != NULL && store(deferred, link);
    if (!stored && link.kind == DBAL__LINK_CALLBACKS)
        deferred->starved = true;
    dbal__deferred_go_on(deferred);
    return stored;
}

/* A place for a link where nothing has to be moved, or NULL. */
static inline dbal__link *
free_place(dbal_deferred *deferred)
{
    if (deferred->head == deferred->count)
        deferred->head = deferred->count = 0;
    return deferred->count < deferred->room ? &deferred->links[deferred->count++] : NULL;
}

/* The common case is written field by field, since copying what was just written is slow. */
static inline dbal_deferred *
add_pair(dbal_deferred *deferred, dbal_callback *ok, dbal_callback *failed, void *arg)
{
    if (deferred == NULL || !dbal__deferred_is_ours(deferred, "adding a callback"))
        return deferred;
    dbal__link *place = deferred->ready != NULL ? free_place(deferred) : NULL;
    if (__builtin_expect(place == NULL, 0)) {
        dbal__link link = {.kind = DBAL__LINK_CALLBACKS, .as = {.pair = {ok, failed}}, .arg = arg};
        dbal__deferred_append(deferred, link);
        return deferred;
    }
    place->kind = DBAL__LINK_CALLBACKS;
    place->starved = deferred->starved;
    place->as.pair.ok = ok;
    place->as.pair.failed = failed;
    place->arg = arg;
    deferred->starved = false;
    if (deferred->fired)
        dbal__deferred_go_on(deferred);
    return deferred;
}

dbal_deferred *
dbal_deferred_add_callbacks(dbal_deferred *deferred, dbal_callback *callback,
                            dbal_callback *errback, void *arg)
{
    return add_pair(deferred, callback, errback, arg);
}

dbal_deferred *
dbal_deferred_add_callback(dbal_deferred *deferred, dbal_callback *callback, void *arg)
{
    return add_pair(deferred, callback, NULL, arg);
}

dbal_deferred *
dbal_deferred_add_errback(dbal_deferred *deferred, dbal_callback *errback, void *arg)
{
    return add_pair(deferred, NULL, errback, arg);
}

dbal_deferred *
dbal_deferred_add_both(dbal_deferred *deferred, dbal_callback *both, void *arg)
{
    return add_pair(deferred, both, both, arg);
}

dbal_deferred *
dbal_deferred_add_finally(dbal_deferred *deferred, void (*fn)(void *arg), void *arg)
{
    if (deferred == NULL || deferred->ready == NULL) {
        fn(arg);
        return deferred;
    }
    if (!dbal__deferred_is_ours(deferred, "dbal_deferred_add_finally"))
        return deferred;
    dbal__link link = {.kind = DBAL__LINK_FINALLY, .as = {.finally = fn}, .arg = arg};
    if (!dbal__deferred_append(deferred, link))
        dbal__ready_log(deferred->ready, DBAL_LOG_ERROR,
                        "out of memory: a finally could not be stored and will not run");
    return deferred;
}

void
dbal__deferred_add_taker(dbal_deferred *deferred, void (*take)(dbal_outcome outcome, void *arg),
                         void *arg)
{
    dbal__link link = {.kind = DBAL__LINK_TAKER, .as = {.take = take}, .arg = arg};
    if (deferred == NULL || !dbal__deferred_append(deferred, link))
        take(dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN), arg);
}
