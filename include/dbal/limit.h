/** @file limit.h  One limit of connections for several pools, of several loops and threads. */
#ifndef DBAL_LIMIT_H
#define DBAL_LIMIT_H

#include <stdbool.h>

#include <dbal/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * How many connections pools may have together: for a program with a pool on each of its loops, and
 * a server that takes so many. Given as dbal_pool_options.limit; each pool keeps its own max_size
 * besides. Counted: whoever made it and each of its pools refer to it. Any thread may call.
 *
 * A connection counts from before it is opened until it is closed, or given up; not that of
 * dbal_pool_listen(). Where all places are taken, pools get the next in the order in which they
 * asked, one at a time, those first that have none. A pool with work that waits and no connection at
 * all gets the next that any other pool can spare: an idle one at once, else one when what it does has
 * ended. A pool that has some gets those of others that were not used for a quarter of a second. Fewer
 * places than pools work: the pools take turns, with a connect for each, and each has 10 ms at least
 * while it has work. min_size takes no place from anybody; dbal_pool_ready(), which waits for it, does,
 * and waits for as long as there is no room. After fork(), in the child: 0 is used, and nothing resized.
 */
typedef struct dbal_limit dbal_limit;

/**
 * Makes one.
 *
 * @param connections  at most, 1 to 100,000
 * @param ret_error    may be NULL; set, owned by the caller, when NULL is returned
 * @return owned, until dbal_limit_unref(); NULL for another number (INTERFACE) or without memory
 */
dbal_limit *dbal_limit_new(int connections, dbal_error **ret_error);

/** One reference more. @param limit the limit @return the same */
dbal_limit *dbal_limit_ref(dbal_limit *limit);

/** One reference less; with the last it is freed. @param limit may be NULL */
void dbal_limit_unref(dbal_limit *limit);

/**
 * Changes it while pools use it. Lower than what is open: nothing is closed for it, and nothing opened
 * until enough has gone.
 *
 * @param limit        the limit
 * @param connections  as for dbal_limit_new()
 * @return false, with nothing changed, for another number
 */
bool dbal_limit_resize(dbal_limit *limit, int connections);

/** Places taken now. @param limit the limit */
int dbal_limit_used(dbal_limit *limit);

#ifdef __cplusplus
}
#endif
#endif
