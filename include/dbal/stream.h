/** @file stream.h  Rows in batches, as fast as the consumer takes them. */
#ifndef DBAL_STREAM_H
#define DBAL_STREAM_H

#include <dbal/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

/** See pool.h. */
typedef struct dbal_pool dbal_pool;

/** A running stream; given to its function, valid until its Deferred has run its last callback. */
typedef struct dbal_stream dbal_stream;

/** What a stream does next. */
typedef enum dbal_flow {
    DBAL_CONTINUE, /**< more as it comes */
    DBAL_PAUSE,    /**< nothing until dbal_stream_resume(); the database is held back */
    DBAL_STOP      /**< no more: the stream ends as a success. What the statement does besides is done all the same, and a transaction goes on: where the database would undo that, the rest is run and its rows dropped (PostgreSQL: all in a transaction, and what writes by its text) */
} dbal_flow;

/**
 * Takes a batch of rows: at most 512, fewer where they are large (a batch ends at some 128 kB). Runs
 * on the loop.
 *
 * @param stream  the stream
 * @param rows    borrowed; dbal_result_ref() keeps it
 * @param arg     what was given with it
 */
typedef dbal_flow dbal_rows_fn(dbal_stream *stream, dbal_result *rows, void *arg);

/**
 * Streams the rows of a statement. A stream holds its connection until it ends, and with it the
 * state of the database that it reads, also while it is paused: give one that may pause for long a
 * timeout. It shares its connection with nobody; on a driver's one thread the others wait for it.
 *
 * @param pool   the pool
 * @param query  copied; its timeout covers the whole stream, pauses included
 * @param fn     runs for each batch; not at all when there are no rows
 * @param arg    for fn
 * @return floating; a result without rows (affected = rows delivered), or an error, which may
 *         come after rows were delivered. Cancelling it stops it; fn is not run again.
 */
dbal_deferred *dbal_pool_stream(dbal_pool *pool, const dbal_query *query, dbal_rows_fn *fn, void *arg);

/** dbal_pool_stream() on a connection of one's own. @param connection the connection @param query copied @param fn for each batch @param arg for fn @return floating */
dbal_deferred *dbal_connection_stream(dbal_connection *connection, const dbal_query *query,
                                      dbal_rows_fn *fn, void *arg);

/** Goes on after DBAL_PAUSE. @param stream NULL or one that is not paused: does nothing */
void dbal_stream_resume(dbal_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
