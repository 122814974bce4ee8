/** @file copy.h  Data in bulk, in the database's own format (PostgreSQL's COPY), as fast as both sides take it. */
#ifndef DBAL_COPY_H
#define DBAL_COPY_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A copy into the database; given to its function, valid until its Deferred has run its last callback. */
typedef struct dbal_copy dbal_copy;

/**
 * There is room: the first call says that the database is ready, each later one that what had made
 * dbal_copy_write() return false has become less. Runs on the loop.
 *
 * @param copy  the copy
 * @param arg   what was given with it
 */
typedef void dbal_copy_fn(dbal_copy *copy, void *arg);

/**
 * Copies data into the database: `COPY … FROM STDIN`, text or binary. It has a connection to itself
 * until it ends, which dbal_copy_end() and dbal_copy_abort() bring about. Not every driver can, and
 * none behind a gate with threads: NOT_SUPPORTED, 0A000.
 *
 * An error of the database's comes at once, whatever was not written yet; what is written later is
 * dropped. From PostgreSQL it may come with the end of the data only: always behind TLS, elsewhere one
 * that arrives in the same microseconds as the word that the server takes data or a notice, which libpq
 * then keeps to itself. No query_timeout ends a copy, only dbal_deferred_cancel() and
 * dbal_deferred_add_timeout(): nothing of it is in the database then, as after any error but one whose
 * execution is unknown.
 *
 * @param pool  the pool
 * @param sql   the COPY, without parameters; copied. One that is none, or the other way round, is a
 *              PROGRAMMING error
 * @param room  runs when data may be written; not at all when it fails before
 * @param arg   for room
 * @return floating; a result without rows whose dbal_result_affected() says how many were copied,
 *         or an error
 */
dbal_deferred *dbal_pool_copy_in(dbal_pool *pool, const char *sql, dbal_copy_fn *room, void *arg);

/**
 * dbal_pool_copy_in() on a connection of one's own, after the statements given before it and before
 * those given later.
 *
 * @param connection  the connection
 * @param sql         the COPY, copied
 * @param room        runs when data may be written
 * @param arg         for room
 * @return floating; as from dbal_pool_copy_in()
 */
dbal_deferred *dbal_connection_copy_in(dbal_connection *connection, const char *sql,
                                       dbal_copy_fn *room, void *arg);

/**
 * Writes. All is taken, and copied, however much it is; where rows begin and end does not matter.
 *
 * @param copy  the copy
 * @param data  bytes
 * @param size  how many
 * @return false: enough for now, about 1 MB waits to leave: write on when `room` is called again.
 *         False too when nothing is taken any more, since it has ended, was aborted or has failed:
 *         `room` is not called then, and the Deferred tells
 */
bool dbal_copy_write(dbal_copy *copy, const void *data, size_t size);

/** That was all: the database keeps what it got, and the Deferred says how much. @param copy NULL or one that has ended: does nothing */
void dbal_copy_end(dbal_copy *copy);

/**
 * Gives it up: nothing of it stays in the database. The Deferred fails with CANCELLED, 57014, and the
 * reason in its message, unless the database has failed it before.
 *
 * @param copy  NULL or one that has ended: does nothing
 * @param why   the reason, copied; NULL: none. The database may write it to its log
 */
void dbal_copy_abort(dbal_copy *copy, const char *why);

/**
 * Takes a chunk of data: whole rows in text format, several of them where the consumer is slower than
 * the database. Runs on the loop.
 *
 * @param stream  for dbal_stream_resume()
 * @param data    borrowed, until the function returns
 * @param size    its bytes, more than 0
 * @param arg     what was given with it
 */
typedef dbal_flow dbal_bytes_fn(dbal_stream *stream, const void *data, size_t size, void *arg);

/**
 * Copies data out of the database: `COPY … TO STDOUT`, text or binary. It has a connection to itself
 * until it ends. Where dbal_pool_copy_in() is not supported, this is not either.
 *
 * @param pool  the pool
 * @param sql   the COPY, without parameters; copied
 * @param fn    runs for each chunk; not at all when there is no data. DBAL_PAUSE holds the database
 *              back until dbal_stream_resume(); DBAL_STOP ends it as a success, as it
 *              does a stream
 * @param arg   for fn
 * @return floating; a result without rows whose dbal_result_affected() says how many were copied
 *         (0 after DBAL_STOP), or an error, which may come after data was delivered
 */
dbal_deferred *dbal_pool_copy_out(dbal_pool *pool, const char *sql, dbal_bytes_fn *fn, void *arg);

/** dbal_pool_copy_out() on a connection of one's own. @param connection the connection @param sql the COPY, copied @param fn for each chunk @param arg for fn @return floating */
dbal_deferred *dbal_connection_copy_out(dbal_connection *connection, const char *sql,
                                        dbal_bytes_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
