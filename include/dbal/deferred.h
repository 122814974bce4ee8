/** @file deferred.h  A result that is not there yet, and the chain of callbacks that waits for it. */
#ifndef DBAL_DEFERRED_H
#define DBAL_DEFERRED_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/outcome.h>

#ifdef __cplusplus
extern "C" {
#endif

/** See loop.h. */
typedef struct dbal_loop dbal_loop;

/**
 * A result that is not there yet. Meaning and names are those of Twisted's Deferred
 * (twisted.internet.defer), but for two things: callbacks always run from the loop, never on the
 * stack that made, fired or cancelled something; and cancelling a query settles it when the
 * database has settled it.
 *
 * Belongs to its loop's thread; no other thread may touch it. Returned Deferreds float: valid
 * until you return to the loop; dbal_deferred_ref() keeps one. NULL stands for one that could not
 * be made because memory ran out, and is accepted everywhere:
 *
 *     struct request *r = …;
 *     dbal_deferred *d = dbal_pool_query(pool, sql, params);    // NULL without memory
 *     dbal_deferred_add_callbacks(d, show, complain, r);        // then never run
 *     dbal_deferred_add_finally(d, free, r);                    // then runs at once
 *
 * Adding callbacks cannot fail for the first four of a Deferred; when memory runs out for a later
 * one, the chain fails with NO_MEMORY from that place on, and a finally still runs.
 */
typedef struct dbal_deferred dbal_deferred;

/**
 * A callback or errback. Runs on the loop, once.
 *
 * @param in   what the chain has so far; borrowed
 * @param arg  what was given with the callback
 * @return `in` itself to pass it on (a new outcome around what is in it is taken for it too,
 *         and a reference taken for that is lost), or another outcome. An errback that returns a value has handled the
 *         error.
 */
typedef dbal_outcome dbal_callback(dbal_outcome in, void *arg);

/**
 * Stops what would have fired a Deferred; it may fire it itself, with any outcome. If it does not,
 * the Deferred fails with CANCELLED when it returns. The reference of the side that fires is still
 * its own: it fires it with something, or drops it with dbal_deferred_unref(). Runs inside dbal_deferred_cancel().
 */
typedef void dbal_canceller(dbal_deferred *deferred, void *arg);

/**
 * Makes one that the program fires itself.
 *
 * @param loop       whose thread it belongs to
 * @param canceller  may be NULL: cancelling then fails it with CANCELLED, and one late firing is let pass
 * @param arg        for the canceller
 * @return a reference for the side that will fire it, consumed by dbal_deferred_fire(); NULL
 *         without memory. When the last reference goes unfired, it fails with CLOSED.
 */
dbal_deferred *dbal_deferred_new(dbal_loop *loop, dbal_canceller *canceller, void *arg);

/**
 * Fires it. Callbacks run later, from the loop.
 *
 * @param deferred  its reference is consumed, whatever is returned; NULL: the outcome is freed
 * @param outcome   taken over, also when false is returned
 * @return false when it had been fired or cancelled before; nothing changes then. The one late
 *         firing after a cancel without a canceller returns false without being reported.
 */
bool dbal_deferred_fire(dbal_deferred *deferred, dbal_outcome outcome);

/**
 * Adds a callback for success and one for failure; exactly one of them runs.
 *
 * @param deferred  may be NULL: nothing is added
 * @param callback  NULL passes a value on
 * @param errback   NULL passes an error on
 * @param arg       for both
 * @return deferred
 */
dbal_deferred *dbal_deferred_add_callbacks(dbal_deferred *deferred, dbal_callback *callback,
                                           dbal_callback *errback, void *arg);
/** Adds a callback for success. @param deferred may be NULL @param callback the callback @param arg for it @return deferred */
dbal_deferred *dbal_deferred_add_callback(dbal_deferred *deferred, dbal_callback *callback, void *arg);
/** Adds a callback for failure. @param deferred may be NULL @param errback the callback @param arg for it @return deferred */
dbal_deferred *dbal_deferred_add_errback(dbal_deferred *deferred, dbal_callback *errback, void *arg);
/** Adds one for both. @param deferred may be NULL @param both the callback @param arg for it @return deferred */
dbal_deferred *dbal_deferred_add_both(dbal_deferred *deferred, dbal_callback *both, void *arg);

/**
 * Adds what must happen on every path, such as free(context). The outcome passes it by unchanged.
 *
 * @param deferred  NULL: fn runs at once, inside this call (the only callback that ever does)
 * @param fn        runs exactly once, last of what was added before it
 * @param arg       for fn; not touched after it
 * @return deferred
 */
dbal_deferred *dbal_deferred_add_finally(dbal_deferred *deferred, void (*fn)(void *arg), void *arg);

/**
 * Limits the time of everything added before it (Twisted addTimeout). When it is up, cancels; only
 * its own cancellation becomes a TIMEOUT error.
 *
 * @param deferred  may be NULL
 * @param seconds   from now; 0 or less: at the next turn of the loop; NaN is ignored
 * @return deferred
 */
dbal_deferred *dbal_deferred_add_timeout(dbal_deferred *deferred, double seconds);

/**
 * Cancels. Unfired: runs its canceller, or fails it with CANCELLED. Waiting for another: cancels
 * that one. Settled or NULL: does nothing. Never runs a callback before it returns.
 * @param deferred may be NULL
 */
void dbal_deferred_cancel(dbal_deferred *deferred);

/** Holds its callbacks back until as many unpauses. @param deferred may be NULL */
void dbal_deferred_pause(dbal_deferred *deferred);
/** Undoes one pause. @param deferred may be NULL */
void dbal_deferred_unpause(dbal_deferred *deferred);

/** Keeps it. Dropping a reference never cancels. @param deferred may be NULL @return the same pointer */
dbal_deferred *dbal_deferred_ref(dbal_deferred *deferred);
/** Drops a reference. @param deferred may be NULL @return NULL */
dbal_deferred *dbal_deferred_unref(dbal_deferred *deferred);

/** How dbal_gather() takes failures. */
typedef enum dbal_gather_mode {
    DBAL_GATHER_ALL,    /**< waits for every one; errors stay in their outcomes (Twisted DeferredList, consumeErrors) */
    DBAL_GATHER_OR_FAIL /**< fails at once with the first error; the others run on, their errors count as handled (gatherResults) */
} dbal_gather_mode;

/**
 * Waits for several. Its outcome holds theirs, in their order: dbal_outcome_count(), _at().
 * Cancelling it cancels all that are unsettled.
 *
 * @param loop       their loop
 * @param mode       see above
 * @param count      may be 0: succeeds at once
 * @param deferreds  may hold NULLs, which count as failed with NO_MEMORY. What callbacks added to
 *                   them later see is dbal_done().
 * @return floating; NULL without memory (the children are left as they were)
 */
dbal_deferred *dbal_gather(dbal_loop *loop, dbal_gather_mode mode, size_t count,
                           dbal_deferred *const *deferreds);

/**
 * The first success wins and the losers are cancelled; when all fail, the last one's error
 * (Twisted race()). Cancelling it cancels all. Parameters as for dbal_gather().
 *
 * @param loop       their loop
 * @param count      0 fails with INTERFACE
 * @param deferreds  may hold NULLs
 * @return floating; NULL without memory
 */
dbal_deferred *dbal_race(dbal_loop *loop, size_t count, dbal_deferred *const *deferreds);

#ifdef __cplusplus
}
#endif
#endif
