/** @file loop.h  dbal's side of one libev loop. */
#ifndef DBAL_LOOP_H
#define DBAL_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/deferred.h>

struct ev_loop;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * dbal's side of one `struct ev_loop`: where callbacks run and where other threads hand in.
 *
 * Belongs to the thread that last entered ev_run (before that, to its maker). Other threads may
 * use dbal_loop_call() and dbal_loop_await(), and through them everything. What makes something (a
 * pool, a gate, a Deferred, a query) is refused from another thread with a line in the log; what
 * only touches a Deferred, a semaphore or a queue is refused in builds with checks
 * (-Dchecks=enabled, and all debug builds) and undefined in others. Does not keep ev_run alive by itself;
 * unsettled Deferreds and dbal_loop_hold() do. After fork(), every call in the child is refused.
 */
typedef struct dbal_loop dbal_loop;

/** How much a log line matters. */
typedef enum dbal_log_level {
    DBAL_LOG_DEBUG,
    DBAL_LOG_INFO,
    DBAL_LOG_WARNING,
    DBAL_LOG_ERROR
} dbal_log_level;

/** Takes one line of log, without a newline. Runs in the loop's thread, and for a refused foreign call in that thread. */
typedef void dbal_log_fn(void *arg, dbal_log_level level, const char *message);

/**
 * Makes one for an event loop, which must outlive it or end it by ev_loop_destroy() (the last
 * drain then runs: everything pending settles, new work is refused).
 *
 * @param ev  the event loop, with EV_MULTIPLICITY; several dbal_loops may share one
 * @return NULL without memory or file descriptors
 */
dbal_loop *dbal_loop_new(struct ev_loop *ev);

/**
 * Begins its end: pools and gates close, what was accepted runs until the grace is over, whatever
 * their close_timeout, then is cancelled, and with it every other Deferred of the loop that has not
 * settled; new work fails with CLOSED, also the next step of a job that has several: to let those end,
 * stop taking jobs, wait for those that run, then close. Calling it again gives another Deferred for
 * the same end.
 *
 * @param loop   the loop
 * @param grace  seconds; DBAL_OFF waits for as long as it takes
 * @return floating; a success once all pools and gates are closed
 */
dbal_deferred *dbal_loop_close(dbal_loop *loop, double grace);

/**
 * Ends it: settles everything (callbacks run), joins its threads as long as close_timeout says,
 * frees it with all its pools and gates. Outside ev_run only: inside a callback it is refused and
 * logged. Any thread, as long as no other uses it.
 *
 * @param loop may be NULL
 */
void dbal_loop_free(dbal_loop *loop);

/** Sends log lines elsewhere than to stderr (where warnings and up go). @param loop the loop @param log NULL: back to stderr @param arg for log */
void dbal_loop_set_log(dbal_loop *loop, dbal_log_fn *log, void *arg);

/** Keeps ev_run alive, while other threads may call say. Counted. @param loop the loop */
void dbal_loop_hold(dbal_loop *loop);
/** Undoes one hold. @param loop the loop */
void dbal_loop_unhold(dbal_loop *loop);

/**
 * Runs a function on the loop's thread. The only call, with dbal_loop_await(), that any thread may
 * make; it never blocks.
 *
 * @param loop  the loop, which must not be freed meanwhile
 * @param fn    runs once, soon; never inside this call
 * @param arg   for fn
 * @return false once closed, without memory or without fn; what is accepted runs
 */
bool dbal_loop_call(dbal_loop *loop, void (*fn)(void *arg), void *arg);

/**
 * Runs a function on the loop's thread and blocks the caller until its outcome has settled.
 *
 * @param loop  the loop, which must not be freed meanwhile
 * @param make  runs on the loop; usually returns dbal_wait(dbal_pool_query(…))
 * @param arg   for make
 * @return the caller's own, to be cleared with dbal_outcome_clear(). An INTERFACE error on the
 *         loop's own thread, CLOSED when the loop ends first.
 */
dbal_outcome dbal_loop_await(dbal_loop *loop, dbal_outcome (*make)(void *arg), void *arg);

/** What a loop has done so far; see dbal_loop_stats(). */
typedef struct dbal_loop_counts {
    size_t size;             /**< sizeof(dbal_loop_counts), set by the caller */
    uint64_t entries;        /**< dbal callbacks run by libev */
    uint64_t callbacks;      /**< application callbacks run */
    uint64_t messages;       /**< messages taken from other threads */
    uint64_t unhandled;      /**< unhandled errors reported */
    uint64_t abandoned;      /**< threads given up because a driver never returned */
    uint64_t blocked;        /**< entries in which the thread gave up the processor by itself; only while measuring */
    double max_inside;       /**< greatest thread CPU seconds of one entry, application callbacks excluded; only while measuring */
    size_t unsettled;        /**< Deferreds that have not settled now */
} dbal_loop_counts;

/** Reads the counters. @param loop the loop @param ret_counts its size field says how much is filled */
void dbal_loop_stats(dbal_loop *loop, dbal_loop_counts *ret_counts);

/** Measures max_inside and blocked from now on (two system calls more for each entry and callback). @param loop the loop @param on whether */
void dbal_loop_measure(dbal_loop *loop, bool on);

#ifdef __cplusplus
}
#endif
#endif
