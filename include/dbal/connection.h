/** @file connection.h  Work on one connection: sessions, transactions, savepoints. */
#ifndef DBAL_CONNECTION_H
#define DBAL_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/deferred.h>
#include <dbal/query.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A connection of one's own for the length of a session or transaction. Belongs to the pool's
 * loop; given to the work, valid until the session's Deferred has run its last callback. Between
 * the work's end and its settling, calls give an INTERFACE error; later use is undefined.
 */
typedef struct dbal_connection dbal_connection;

/** The part of the program that runs on a connection. Runs from the loop; its outcome decides. */
typedef dbal_outcome dbal_work(dbal_connection *connection, void *arg);

/** How strictly a transaction is kept apart. A weaker one than the database has is met by the stronger. */
typedef enum dbal_isolation {
    DBAL_ISOLATION_DEFAULT,
    DBAL_READ_COMMITTED,
    DBAL_REPEATABLE_READ,
    DBAL_SERIALIZABLE
} dbal_isolation;

/** How a transaction runs; zero means default everywhere. */
typedef struct dbal_transaction_options {
    size_t size;              /**< sizeof(dbal_transaction_options); DBAL_TRANSACTION() sets it */
    dbal_isolation isolation; /**< default: the database's */
    bool read_only;           /**< writes in it fail */
    int retries;              /**< runs the work again after what may pass (a serialization failure, a deadlock, a lock not got in time: dbal_error_retryable()), at most so often; default 0. At once and on the same connection, so many that meet in one row need many; not when that connection is lost, nor after a cancel or the timeout. dbal_connection_attempt() tells which run it is */
    double timeout;           /**< seconds for waiting and running together, all runs of the work; default none, as is DBAL_OFF; any other value below 0 is refused with INTERFACE */
    const char *label;        /**< shown where a session is spoken of: in dbal_pool_holders(), POOL_EXHAUSTED, leak_after, slow lines, traces and histograms */
    bool deferrable;          /**< PostgreSQL's DEFERRABLE, of no effect elsewhere */
} dbal_transaction_options;

/** `DBAL_TRANSACTION(.retries = 3)`: transaction options for a call (C only). */
#define DBAL_TRANSACTION(...)                                                                      \
    (&(const dbal_transaction_options){.size = sizeof(dbal_transaction_options), __VA_ARGS__})
/** Transaction options with nothing set, for C++ and for setting fields one by one. */
#define DBAL_TRANSACTION_OPTIONS_INIT                                                              \
    {sizeof(dbal_transaction_options), DBAL_ISOLATION_DEFAULT, false, 0, 0, 0, false}

/** How a session runs; zero means default everywhere. */
typedef struct dbal_session_options {
    size_t size;       /**< sizeof(dbal_session_options); DBAL_SESSION() sets it */
    double timeout;    /**< seconds for waiting and running together; default none, as is DBAL_OFF; any other value below 0 is refused with INTERFACE */
    const char *label; /**< shown where a session is spoken of: in dbal_pool_holders(), POOL_EXHAUSTED, leak_after, slow lines, traces and histograms */
    bool read_only;    /**< reserved: the caller's word that it changes nothing */
} dbal_session_options;

/** `DBAL_SESSION(.label = "import")`: session options for a call (C only). */
#define DBAL_SESSION(...)                                                                          \
    (&(const dbal_session_options){.size = sizeof(dbal_session_options), __VA_ARGS__})
/** Session options with nothing set, for C++ and for setting fields one by one. */
#define DBAL_SESSION_OPTIONS_INIT {sizeof(dbal_session_options), 0, 0, false}

/**
 * Runs a statement on this connection, after those given before it. A failed one does not stop the
 * next. Statements of a session (PRAGMA, temporary tables) are allowed; BEGIN and its kin in a
 * session, where a transaction that is left open is rolled back with a line in the log, but not in
 * dbal_pool_transaction(), whose end is the work's outcome.
 *
 * @param connection  the connection
 * @param sql         see dbal_query.sql
 * @param params      see dbal_query.params
 * @return floating; a result, or an error. Cancelled while waiting: never runs.
 */
dbal_deferred *dbal_connection_query(dbal_connection *connection, const char *sql, dbal_params params);

/** dbal_connection_query() with all its options. @param connection the connection @param query copied @return floating */
dbal_deferred *dbal_connection_run(dbal_connection *connection, const dbal_query *query);

/**
 * Runs many statements, separated by `;`, one after the other, without parameters; stops at the
 * first that fails.
 *
 * @param connection  the connection
 * @param sql         copied
 * @return floating; outcomes as from dbal_gather(), or the first error
 */
dbal_deferred *dbal_connection_script(dbal_connection *connection, const char *sql);

/**
 * Runs one statement with many sets of parameters, all or nothing: see dbal_pool_batch(). In a
 * transaction it is a part that can be undone by itself, otherwise a transaction of its own.
 *
 * @param connection  the connection
 * @param sql         copied
 * @param count       how many sets
 * @param sets        copied, values included; may be NULL when count is 0
 * @return floating; outcomes as from dbal_pool_batch()
 */
dbal_deferred *dbal_connection_batch(dbal_connection *connection, const char *sql, size_t count,
                                     const dbal_params *sets);

/**
 * A transaction in a session; in a transaction, an INTERFACE error (use dbal_connection_savepoint()).
 * Parameters as for dbal_pool_transaction().
 *
 * @param connection  the connection
 * @param options     NULL: defaults
 * @param work        is given the same connection
 * @param arg         for work
 * @return floating; the work's outcome once committed, or its error once rolled back
 */
dbal_deferred *dbal_connection_transaction(dbal_connection *connection,
                                           const dbal_transaction_options *options, dbal_work *work,
                                           void *arg);

/**
 * A part of a transaction that can be undone by itself: its error rolls back to where it began.
 * Outside a transaction an INTERFACE error.
 *
 * @param connection  the connection
 * @param work        is given the same connection
 * @param arg         for work
 * @return floating; the work's outcome
 */
dbal_deferred *dbal_connection_savepoint(dbal_connection *connection, dbal_work *work, void *arg);

/** Which run of the work this is: 1 on the first, more when a transaction is retried. @param connection the connection */
unsigned dbal_connection_attempt(const dbal_connection *connection);

#ifdef __cplusplus
}
#endif
#endif
