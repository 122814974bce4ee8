/** @file trace.h  A pool seen from outside: what each statement spends its time on, as events, histograms and metrics. */
#ifndef DBAL_TRACE_H
#define DBAL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** See pool.h. */
typedef struct dbal_pool dbal_pool;

/**
 * What time is spent on. A statement has QUEUE and EXECUTE, and FETCH when it gave rows; a session
 * or transaction has QUEUE, for its connection, and each of its statements, BEGIN and COMMIT too,
 * has its own; a connection has CONNECT. On the gate `loop` statements share connections: EXECUTE
 * begins when one is handed to its connection, and holds the time of those before it there.
 */
typedef enum dbal_phase {
    DBAL_PHASE_QUEUE,    /**< from asking until a connection takes it; of a statement in a session: until those before it are handed down, and the writer's turn has come */
    DBAL_PHASE_RESOLVE,  /**< looking up the server's name. No driver tells it apart yet: it is part of CONNECT */
    DBAL_PHASE_CONNECT,  /**< opening a connection: before_connect, names, TCP, TLS, login and what the driver sets; not on_connect, whose statements have phases of their own. That of dbal_pool_listen() is not told */
    DBAL_PHASE_VALIDATE, /**< asking a connection that was silent whether it lives, see dbal_pool_options.validate_after: between QUEUE and EXECUTE of what is to run there, or, on the gate thread, behind the QUEUE of a session. On other gates a session's is not told */
    DBAL_PHASE_EXECUTE,  /**< from being handed down until the first row, or the end when there is none */
    DBAL_PHASE_FETCH,    /**< begins with the first row, ends with the last; of a stream with its consumer's pauses */
    DBAL_PHASE_RESET     /**< making a connection as new behind a session that changed it */
} dbal_phase;

/** How many phases there are. */
#define DBAL_PHASES (DBAL_PHASE_RESET + 1)

/** The name of a phase, "queue", "connect"; a constant. @param phase the phase @return "?" for what is none */
const char *dbal_phase_name(dbal_phase phase);

/** That a phase begins or ends. Valid, with all it points to, until the function that is told returns. */
typedef struct dbal_trace_event {
    size_t size;             /**< sizeof(dbal_trace_event), as dbal has it */
    dbal_phase phase;        /**< which */
    bool begins;             /**< else it ends */
    uint64_t id;             /**< of the statement, session or connection: never given twice in a pool */
    uint64_t session;        /**< id of the session or transaction that the statement is of; 0: none */
    const char *label;       /**< of the query, or else of its session or transaction; NULL: none */
    const char *sql;         /**< as it was written, without parameters; NULL: of a session or connection */
    double at;               /**< when it was, seconds of CLOCK_MONOTONIC */
    double took;             /**< an end: seconds since the beginning */
    int64_t rows;            /**< the end of FETCH: how many came; else 0 */
    const dbal_error *error; /**< an end: what went wrong in this phase; NULL: nothing */
} dbal_trace_event;

/**
 * Is told of phases, see dbal_pool_options.trace: on the loop, a little after they happened, in the
 * order in which the pool learnt of them. Each that begins ends, once, also when the statement is
 * cancelled, times out, or loses its connection; one that goes to another connection by itself
 * (nothing of it had been sent) queues and executes again under its id. On the gates `thread` and
 * `driver-thread` the pool learns when a statement began together with how it ended. It must not be
 * slow: whatever else the loop does waits. It may call anything, dbal_pool_close() too. Without
 * memory a statement, or an event, is left out.
 */
typedef void dbal_trace_fn(const dbal_trace_event *event, void *arg);

/** How many buckets a histogram has. */
#define DBAL_HISTOGRAM_BUCKETS 29

/** How long a phase took, for all statements with a label. Valid until the function that is told returns. */
typedef struct dbal_histogram {
    size_t size;             /**< sizeof(dbal_histogram), as dbal has it */
    const char *label;       /**< see dbal_pool_histograms(); "": none */
    dbal_phase phase;        /**< which */
    size_t bucket_count;     /**< DBAL_HISTOGRAM_BUCKETS, as dbal has it */
    const double *bounds;    /**< of each bucket, seconds: the most that it holds. 1 microsecond, each the double of the one before, 134 s; then infinity */
    const uint64_t *buckets; /**< how many took at most that, and more than the bound before */
    uint64_t count;          /**< of all buckets together */
    double sum;              /**< seconds, of all together */
} dbal_histogram;

/** Is told of one histogram. May call anything. */
typedef void dbal_histogram_fn(const dbal_histogram *histogram, void *arg);

/**
 * Reads the histograms of a pool that keeps them, see dbal_pool_options.histograms: for each label
 * and phase that something was counted for. What a statement took is counted when it has settled.
 *
 * The first 64 labels have histograms of their own, all others share those of the label "other".
 * Labels are told apart by their first 63 bytes. What has no label, connections too, is under "";
 * on_connect's session has the label "on_connect".
 * One label takes 1.8 kB, all of them together 120 kB at most.
 *
 * @param pool  the pool
 * @param fn    called within; NULL: only counts
 * @param arg   for fn
 * @return how many there are; 0 when the pool keeps none
 */
size_t dbal_pool_histograms(dbal_pool *pool, dbal_histogram_fn *fn, void *arg);

/**
 * The counters, gauges and histograms of pools in Prometheus' text format, 0.0.4, for whatever
 * answers `/metrics`: what dbal_pool_counts has, in Prometheus' words (`dbal_pool_idle_connections`,
 * `dbal_pool_queries_total` and so on, each with its HELP line), `dbal_pool_info`, and where there are
 * histograms `dbal_pool_phase_seconds`. Each sample has the label `pool`: the pool's name, see
 * dbal_pool_options.name; where two are called the same, the second has ` (2)` behind it. All pools
 * of a thread belong into one call, since the format wants a metric's samples in one place. Where
 * several threads have pools, each answers for its own, at a path or a port that is scraped by itself;
 * their names should differ then.
 *
 * @param count  how many
 * @param pools  of loops of this thread
 * @return owned, freed with dbal_free(); NULL without memory, or with a line in the log when one is
 *         another thread's
 */
char *dbal_pool_metrics(size_t count, dbal_pool *const *pools);

#ifdef __cplusplus
}
#endif
#endif
