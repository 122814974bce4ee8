/** @file pool.h  Connections to one database, and the line of work that waits for them. */
#ifndef DBAL_POOL_H
#define DBAL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/connection.h>
#include <dbal/deferred.h>
#include <dbal/error.h>
#include <dbal/limit.h>
#include <dbal/query.h>
#include <dbal/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A pool: owns connections to one database and the queue of work that waits for one. Belongs to
 * its loop's thread; its memory lives until dbal_loop_free(). An idle pool does not keep ev_run
 * alive.
 */
typedef struct dbal_pool dbal_pool;

/** How calls enter the driver; see the table in the README. */
typedef enum dbal_gate_kind {
    DBAL_GATE_AUTO,          /**< what the driver's declared threadlevel allows best */
    DBAL_GATE_LOOP,          /**< natively on the loop */
    DBAL_GATE_THREAD,        /**< a dedicated thread per connection, or fewer: see dbal_pool_options.threads */
    DBAL_GATE_DRIVER_THREAD, /**< one thread for the whole driver */
    DBAL_GATE_PROCESS        /**< a worker process per connection: a driver that crashes takes nothing else along, and one of threadlevel 0 runs in parallel. See process.h */
} dbal_gate_kind;

/** What stands between the pool and its database. */
typedef enum dbal_pooler {
    DBAL_POOLER_NONE,       /**< nothing: each connection is one of the server's */
    DBAL_POOLER_TRANSACTION /**< PgBouncer or its like in transaction mode: each transaction may get another server connection */
} dbal_pooler;

/** When a connection is made as new behind who had it to himself: settings, temporary tables, locks and the like. */
typedef enum dbal_reset {
    DBAL_RESET_AUTO, /**< behind a session that changed it */
    DBAL_RESET_FULL, /**< behind each session and transaction that ran anything */
    DBAL_RESET_NONE  /**< never: whoever comes next finds what was left behind */
} dbal_reset;

/**
 * Says where a connect goes, see dbal_pool_options.before_connect: for a password that changes, as a
 * vault's or a cloud's do. Called on the loop before each connect, that of dbal_pool_listen() too.
 *
 * @param url  what the last one said, with its password; before that what dbal_pool_open() was given.
 *             Valid until this returns
 * @param arg  dbal_pool_options.before_connect_arg
 * @return dbal_done(): to that one. dbal_ok(text, free): to this URL, which is copied. dbal_fail(): the
 *         connect fails with it, `before_connect: ` before the message: what waits fails too, unless
 *         the error is of a kind that passes (dbal_error_retryable(), TIMEOUT), which is tried again.
 *         dbal_wait(): a Deferred that ends in one of these; when connect_timeout is over it is
 *         cancelled, and asked again. dbal_ok() with NULL, which strdup() gives without memory, is as
 *         dbal_done()
 */
typedef dbal_outcome dbal_before_connect(const char *url, void *arg);

/** What the hooks on_acquire, on_release and on_close are told of a connection. Valid until the function that it was given to returns. */
typedef struct dbal_connection_info {
    size_t size;       /**< sizeof(dbal_connection_info), as dbal has it */
    uint64_t id;       /**< the same for one connection, and of no other of the pool; that of its events, see trace.h */
    const char *label; /**< on_acquire, on_release: of the session or transaction; NULL: none */
    double age;        /**< seconds since it was opened */
} dbal_connection_info;

/**
 * Is told of a connection, on the loop. May call anything, dbal_pool_close() too; must not be slow.
 * Nothing can fail by it: what it makes on the pool runs later.
 *
 * @param connection  which
 * @param arg         dbal_pool_options.hook_arg
 */
typedef void dbal_connection_hook(const dbal_connection_info *connection, void *arg);

/** A pool's settings; zero means default everywhere. Each can also stand in the URL as `pool_<name>`, which wins. */
typedef struct dbal_pool_options {
    size_t size;              /**< sizeof(dbal_pool_options); DBAL_POOL_OPTIONS() sets it */
    int min_size;             /**< connections kept open; default 0. One above the default max_size raises that. Too low: the first queries wait for a connect */
    int max_size;             /**< connections at most; default 10 on the loop gate, else 4. Too low: work waits; too high: the database suffers */
    dbal_gate_kind gate;      /**< default DBAL_GATE_AUTO; one that the threadlevel forbids is an error */
    int pipeline_depth;       /**< statements in flight on a shared connection, loop gate; default 64. Too low: a round trip carries little, and more connections are used; too high: a slow statement delays many that were sent behind it, and all of them are lost with the connection */
    double acquire_timeout;   /**< seconds to wait for a connection, then POOL_EXHAUSTED; default 30, or off. Too low: a burst or a reconnect fails what would have run a moment later; too high: callers wait for what nobody awaits any more */
    int max_waiting;          /**< work that may wait, for the first connection too; default 10,000, then QUEUE_FULL at once, or off. Too low: bursts are refused that the pool could serve; too high: memory for each that waits, parameters and all, and answers that come too late */
    double connect_timeout;   /**< seconds for one connect, names, TLS and login included; default 20, or off. Too low: a busy server is never reached; too high: a host that does not answer is waited for before the next of a list is tried */
    double query_timeout;     /**< seconds for a query, waiting included; default none. Where the database has such a limit, it gets what is left, so that a query ends there too when no cancel reaches it. Too low: sound queries are cancelled under load; too high: a query that has lost its way holds its connection so long */
    double cancel_timeout;    /**< seconds a cancelled statement may take to end before its connection is given up; default 2, or off. Too low: connections are lost that the server would have given back, and are made anew; too high: a caller who has cancelled waits so long for the outcome */
    double close_timeout;     /**< seconds closing waits for what was accepted; default 15, or off. Too low: work is cancelled that was nearly done; too high: a program that is to end does not */
    int statement_cache;      /**< prepared statements kept per connection; default 100, or off. Too low: what comes often is prepared again and again; too high: memory, in the server too, times the number of connections */
    int prepare_after;        /**< the use of a text on a connection from which on it is prepared there, 1 the first; default 2. PostgreSQL alone: others prepare all there is. Too low: texts that come once are prepared for nothing; too high: those that come often are planned each time */
    int64_t max_result_bytes; /**< a larger result is an error, DATA 54000; at least 4 kB, default 256 MiB, or off. A stream's batches count each by itself. Too low: sound queries fail; too high: a query without its WHERE takes the process along */
    int64_t memory_budget;    /**< gate thread without `threads`: bytes of results that may wait for the loop; while more do, the pool's threads begin no further statement of it, those of sessions and transactions aside, and what waits for them is as late. At least 64 kB, default 64 MiB, or off. Elsewhere the loop reads or hands down each by itself, and nothing piles up. Too low: threads wait though the loop is not late; too high: a loop that was held up finds that much memory in use */
    double pipeline_wait;     /**< seconds a statement may be expected to wait behind others on a shared connection before one more connection is used, loop gate; twice that while fewer than 16 are there; default 0.0002. Too low: many connections with little to do each; too high: statements wait for one another */
    dbal_pooler pooler;       /**< default DBAL_POOLER_NONE. With DBAL_POOLER_TRANSACTION what lives longer than a transaction is refused, and nothing is prepared */
    int max_statements;       /**< gate process: a worker that has run so many is replaced by a new one, for drivers that leak; default none. Too low: every statement waits for a process to start */
    int64_t max_memory;       /**< gate process: bytes; a worker that has more of them resident is replaced, looked at every 16 statements; default none. Not below what one needs to begin with */
    double idle_timeout;      /**< seconds after which a connection that was not needed meanwhile is closed, down to min_size, at most a quarter later; at least 1, default 600, or off. Too low: each burst waits for connects anew; too high: what one burst needed is kept from other users of the server */
    double max_lifetime;      /**< seconds after which a connection is replaced, less up to 5 % drawn when it is opened; at least 1, default 1800, or off. The replacement is opened first, and no query waits for it; for that moment there is one connection more than max_size. In a session, when that has ended. Too low: the server is busy with logins; too high: memory that it keeps for a connection grows, and a changed address, certificate or password is noticed late. Keep it below what a firewall or the server allows */
    double backoff;           /**< seconds at most from a connect that failed to the next while nothing waits; while something does, 1. The first wait is 0.1, doubled each time, with full jitter; after 3 failures one connect at a time, and one more for each that has succeeded since, up to 4. At least 0.1, default 30. Too low: a server that is just coming up is hit by all its clients; too high: min_size and max_lifetime are late after an outage */
    bool fail_fast;           /**< what waits fails with the last connect error while no connection is open and the server cannot be reached, and what is asked for meanwhile at once, but for the one that has the next connect tried and waits for it; default off: it waits for up to acquire_timeout. On, a restart of the server is seen by everybody; off, callers pile up behind a server that is gone */
    double leak_after;        /**< seconds after which a session or transaction that still holds its connection is told to the log, once, with its label, age and last SQL; at least 0.1, default off. Too low: long work is reported as lost; too high: a leak is seen when the pool is dry already */
    int threads;              /**< gate thread: threads for all connections; default one for each. Fewer than max_size only at threadlevel 2 or 3, more only where the driver runs statements of one connection in parallel: else an INTERFACE error. A connection then gets a thread for as long as a statement runs, and a session or transaction keeps one. Too low: sessions and statements wait for a thread as they do for a connection, with acquire_timeout; too high: memory for stacks that are not used */
    double slow_query;        /**< seconds; a statement that took longer from being handed to its connection to its end is told to the log, with its label, SQL without parameters, and how long it waited and ran. At least 0.001, default 1, or off. Ten lines a second at most; what was left out is counted in the next. Too low: the log is full of what is no trouble; too high: it hides what is */
    double slow_acquire;      /**< seconds; the same for what waited longer for a connection, got or not. At least 0.001, default 2, or off. Too low: each burst is reported; too high: that max_size or the database is too small shows in acquire_timeout's errors only */
    double validate_after;    /**< seconds; a connection of which nothing was heard for longer is asked whether it lives before it is used again, and another is used when it does not. At least 0.001, default 1, or off. In threads only, and where its driver can ask: on the gate loop idle connections are watched. Too low: a round trip more for each quiet statement; too high: a statement may meet a server that has gone, and what it was is then not known */
    bool histograms;          /**< keeps histograms of how long phases take, by label: see dbal_pool_histograms() and dbal_pool_metrics(). Default off. On, each statement costs some hundred nanoseconds more, and the pool 120 kB at most */
    dbal_reset reset;         /**< default DBAL_RESET_AUTO. FULL, where a driver cannot see all that changes a session: a round trip more behind each session and transaction; a driver that can make none as new is an INTERFACE error. NONE, for a pooler that resets by itself: settings of one caller are those of the next, and what he locked stays locked. With each, a session that ends changed is told to the log, once for each label or SQL, and counted in dirty_sessions; an open transaction is rolled back, and where that fails the connection closed */
    const char *name;         /**< what the pool is called in dbal_pool_metrics(): 1 to 63 bytes, copied; default the URL without passwords. The same for two pools: nobody can tell which is which */
    dbal_before_connect *before_connect; /**< says where each connect goes, in its connect_timeout. Its URL must be of the same driver, promise what the pool's promises (INTERFACE else), and say all that is wanted again; one that differs from the last is looked at as by dbal_pool_open(), which for a file may touch the disk; `pool_` settings in it are not looked at. Connections that are open stay as they are: see max_lifetime and dbal_pool_drain(). When it fails, that is a connect that failed. Nothing that waits for a connection of the same pool may be waited for in it. Default NULL. Not in URLs */
    void *before_connect_arg; /**< for before_connect */
    dbal_work *on_connect;    /**< a session on each fresh connection, before anybody else has it: settings, a PRAGMA, prepared statements. Runs from the loop, as dbal_pool_session()'s work, once more on a connection that was made as new, and not on that of dbal_pool_listen(); it is a part of connecting, within connect_timeout. What it changes stays; what it fails with, or a transaction that it leaves open and cannot be undone, is a connect that failed, with `on_connect: ` before the message, and the connection is closed. It must not wait for anything else of the pool: that may be waiting for this. Default NULL. Not in URLs */
    void *on_connect_arg;     /**< for on_connect */
    dbal_connection_hook *on_acquire; /**< a session or transaction has its connection, and its work is about to begin: once for each, not for each attempt, and not for on_connect's. Statements on the pool share connections, and acquire none. Default NULL, as those that follow; not in URLs */
    dbal_connection_hook *on_release; /**< its work, and what undoes or resets it, has ended, and it gives the connection back or has lost it: once for each on_acquire */
    dbal_connection_hook *on_close;   /**< a connection that was open is closed, for whatever reason: lost, idle, old, or the pool closes. Of one that hangs and was given up when it comes back, if ever. Not at the loop's end, of those that close behind it; nor for that of dbal_pool_listen() */
    void *hook_arg;                   /**< for these three */
    dbal_limit *limit;        /**< connections of all pools that are given the same, of other loops and threads too; NULL: none. The pool refers to it. Not in URLs. Too low: pools wait for one another, and with fewer places than pools each turn is a connect */
    dbal_trace_fn *trace;     /**< is told when phases begin and end; NULL: nobody. Not in URLs. A slow one holds up the loop */
    void *trace_arg;          /**< for trace */
} dbal_pool_options;

/** `DBAL_POOL_OPTIONS(.max_size = 2)`: pool options for a call (C only). */
#define DBAL_POOL_OPTIONS(...)                                                                     \
    (&(const dbal_pool_options){.size = sizeof(dbal_pool_options), __VA_ARGS__})
/** Pool options with nothing set, for C++ and for setting fields one by one. */
#define DBAL_POOL_OPTIONS_INIT                                                                     \
    {sizeof(dbal_pool_options), 0, 0, DBAL_GATE_AUTO, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, DBAL_POOLER_NONE, 0, 0, 0, 0, 0, false, 0, 0, 0, 0, 0, false, DBAL_RESET_AUTO, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/**
 * Opens a pool. May load a driver and resolve a path: the one call that may touch the disk. What
 * needs the database (a missing read-only file included) is the outcome of what is asked of it.
 *
 * @param loop       where outcomes come back
 * @param url        "sqlite:bank.db?mode=ro&pool_max_size=2"; a driver's own settings are in its
 *                   page of the documentation. Copied.
 * @param options    NULL: defaults
 * @param ret_error  may be NULL; set, owned by the caller, when NULL is returned
 * @return NULL when the URL, a setting, the driver or the gate is wrong; an unknown setting is
 *         named, with the known ones
 */
dbal_pool *dbal_pool_open(dbal_loop *loop, const char *url, const dbal_pool_options *options,
                          dbal_error **ret_error);

/** Waits until max(1, min_size) connections are open, or for the first error that will not pass: without limit while there is no server, see dbal_deferred_add_timeout(). @param pool the pool @return floating */
dbal_deferred *dbal_pool_ready(dbal_pool *pool);

/**
 * Closes: new calls fail with CLOSED, what was accepted runs until close_timeout, then is
 * cancelled. @param pool the pool @return floating; a success once closed, the same end when called
 * again. Cancelled, nobody waits, and the pool closes all the same: so do sessions whose work waits for
 * it, which are CLOSED after close_timeout
 */
dbal_deferred *dbal_pool_close(dbal_pool *pool);

/**
 * Changes min_size and max_size while the pool runs. Growing serves what waits at once. Shrinking
 * closes idle connections now, busy ones when what they do has ended, and those of sessions when
 * they come back; nothing fails for it.
 *
 * @param pool       the pool
 * @param min_size   as in dbal_pool_options, but 0 is 0
 * @param max_size   the same, at least 1; what the database can have still limits it
 * @param ret_error  may be NULL; set, owned by the caller, when false is returned
 * @return false, with nothing changed, when a size is out of range, min_size above max_size, max_size
 *         above `threads` at threadlevel 0 or 1 (INTERFACE), or the pool closed (CLOSED)
 */
bool dbal_pool_resize(dbal_pool *pool, int min_size, int max_size, dbal_error **ret_error);

/**
 * Replaces every connection that is open or being opened now, without an outage: as by max_lifetime,
 * one after the other, each new one before its old one goes. For a new certificate, a changed
 * address behind the same name, or memory that a server keeps for old connections. While the server
 * cannot be reached the old ones serve on. The connection that dbal_pool_listen() has stays.
 *
 * @param pool  the pool
 * @return floating; a success when all of them are gone: not before sessions that have one end. To
 *         wait for a time only, dbal_deferred_add_timeout(); cancelled, nobody waits, and they are
 *         replaced all the same. NOT_SUPPORTED, 0A000, for a database that is gone with its one
 *         connection; CLOSED when the pool closes
 */
dbal_deferred *dbal_pool_drain(dbal_pool *pool);

/**
 * Hands nothing more down, until dbal_pool_resume(): for a failover, or for work on the server. What
 * runs goes on to its end, sessions and transactions too; what is asked for waits, with its
 * acquire_timeout and deadlines, and max_waiting limits it. Nothing is connected meanwhile.
 * Connections stay open, and dbal_pool_listen() goes on. Closing the pool ends it.
 *
 * @param pool  the pool
 * @return floating; a success when nothing runs any more. CANCELLED when the pool is resumed before
 *         that, CLOSED when it closes. Cancelled, nobody waits, and the pool is paused all the same
 */
dbal_deferred *dbal_pool_pause(dbal_pool *pool);

/** Ends dbal_pool_pause(): what waits is served in its order. Without effect on a pool that is not paused. @param pool the pool */
void dbal_pool_resume(dbal_pool *pool);

/** Somebody who holds a connection: a session or transaction. Valid until the function that it was given to returns, or ends that session. */
typedef struct dbal_holder {
    size_t size;       /**< sizeof(dbal_holder), as dbal has it */
    const char *label; /**< of its options; NULL: none */
    double age;        /**< seconds since it got its connection */
    const char *sql;   /**< what it ran last, or runs, or what of it waits for a writer of this process, be it the BEGIN or COMMIT of its transaction; NULL: nothing yet */
    bool executing;    /**< something of it runs now, or waits for a writer of this process */
    uint64_t id;       /**< of its connection, see dbal_connection_info.id */
} dbal_holder;

/** Is told of one holder. May call anything. */
typedef void dbal_holder_fn(const dbal_holder *holder, void *arg);

/**
 * Lists the sessions and transactions that hold a connection, in the order in which they asked for
 * it. For a page or signal that shows where a pool's connections are; see leak_after too.
 *
 * @param pool  the pool
 * @param fn    called within; NULL: only counts
 * @param arg   for fn
 * @return how many there are
 */
size_t dbal_pool_holders(dbal_pool *pool, dbal_holder_fn *fn, void *arg);

/**
 * Runs one statement on any connection. Statements of a session (BEGIN, SET, temporary tables, a
 * PRAGMA that sets, ATTACH) are refused with the right call's name. Two statements on a pool have
 * no order between them unless one is awaited.
 *
 * @param pool    the pool
 * @param sql     see dbal_query.sql
 * @param params  see dbal_query.params
 * @return floating; a result, or an error
 */
dbal_deferred *dbal_pool_query(dbal_pool *pool, const char *sql, dbal_params params);

/** dbal_pool_query() with all its options. @param pool the pool @param query copied @return floating */
dbal_deferred *dbal_pool_run(dbal_pool *pool, const dbal_query *query);

/**
 * Runs one statement with many sets of parameters in one transaction, all or nothing (PEP 249
 * executemany). The sets are handed down a few at a time, in their order.
 *
 * The outcome is a result with a row for each set, in their order, and two columns: `affected`, as
 * dbal_result_affected() of that set, and `last_insert_id`, NULL where it made no row with an id.
 * dbal_result_affected() of the whole is their sum.
 *
 * The first set that fails ends it; the error is that set's and its message begins with which it
 * was, from 0: "sets[3]: UNIQUE constraint failed: t.a". Sets that do not fit the statement are
 * found before anything has run. A statement that gives rows (SELECT, RETURNING) fails with
 * NOT_SUPPORTED, 0A000. The pool's query_timeout is for the whole.
 *
 * @param pool   the pool
 * @param sql    see dbal_query.sql
 * @param count  how many sets; 0 is a success without rows, for which the database is not asked
 * @param sets   copied, values included; may be NULL when count is 0. Filled in a loop they need an
 *               array of values that lives on: DBAL_PARAMS() in a loop's body ends with that body
 * @return floating; a result, or an error, after which nothing of it is left in the
 *         database (but for a COMMIT whose outcome is unknown, see dbal_error_execution())
 */
dbal_deferred *dbal_pool_batch(dbal_pool *pool, const char *sql, size_t count,
                               const dbal_params *sets);

/**
 * Runs work in a transaction: success commits, an error rolls back and is what the caller sees. All
 * of its statements settle before the COMMIT. One whose error was neither handled by a callback on
 * its Deferred nor part of the work's outcome rolls back. Serialization failures and deadlocks run
 * the work again (options.retries).
 *
 * @param pool     the pool
 * @param options  NULL: defaults
 * @param work     runs from the loop
 * @param arg      for work
 * @return floating; the work's outcome once committed
 */
dbal_deferred *dbal_pool_transaction(dbal_pool *pool, const dbal_transaction_options *options,
                                     dbal_work *work, void *arg);

/**
 * A connection of one's own until the work's outcome settles, which stands: one that is cancelled, or whose
 * time is up, and whose work succeeds all the same is a success (dbal_pool_transaction() has a COMMIT, which is
 * not sent then).
 *
 * @param pool     the pool
 * @param options  NULL: defaults
 * @param work     runs from the loop
 * @param arg      for work
 * @return floating; the work's outcome
 */
dbal_deferred *dbal_pool_session(dbal_pool *pool, const dbal_session_options *options,
                                 dbal_work *work, void *arg);

/** Whether a pool would refuse this statement because it belongs to a session. @param pool the pool @param sql the statement */
bool dbal_sql_needs_session(dbal_pool *pool, const char *sql);

/**
 * Quotes a name for what cannot be a parameter (a table, a column).
 *
 * @param pool  whose driver's rules count
 * @param name  UTF-8 without NUL
 * @return owned, freed with dbal_free(); NULL when it cannot be quoted or without memory
 */
char *dbal_quote_identifier(dbal_pool *pool, const char *name);

/** Frees text that dbal made for the caller. @param pointer may be NULL */
void dbal_free(void *pointer);

/**
 * Hears how far a backup is. Runs on the loop, some ten times a second at most, and once at the end
 * of a backup that succeeds, before the callbacks of its Deferred. It may cancel the backup.
 *
 * @param done   bytes copied
 * @param total  bytes there are; 0 of an empty database in memory
 * @param arg    what was given with it
 */
typedef void dbal_progress_fn(int64_t done, int64_t total, void *arg);

/**
 * Copies the whole database, as it is at one moment, while others go on reading and writing. It
 * holds a connection for as long as it takes. Not every driver can: NOT_SUPPORTED, 0A000.
 *
 * The copy is made under another name and gets its own when it is whole and on the disk: after a
 * failure, a cancel or a crash there is nothing under that name. What is there already is never
 * overwritten: OPERATIONAL, 58P02.
 *
 * No query_timeout ends it, only dbal_deferred_cancel() and dbal_deferred_add_timeout().
 *
 * @param pool    the pool
 * @param target  where to, copied; SQLite: a path, best an absolute one
 * @param fn      may be NULL
 * @param arg     for fn
 * @return floating; a success without a value, or an error
 */
dbal_deferred *dbal_pool_backup(dbal_pool *pool, const char *target, dbal_progress_fn *fn, void *arg);

/** A pool's state and counters. */
typedef struct dbal_pool_counts {
    size_t size;             /**< sizeof(dbal_pool_counts), set by the caller */
    const char *driver;      /**< its name, a constant */
    const char *gate;        /**< "loop", "thread", "driver-thread", "process"; a constant */
    int threadlevel;         /**< as declared */
    int connections;         /**< open now; for a moment one more than max_size, while one is replaced */
    int idle;                /**< of these, doing nothing */
    int held;                /**< of these, in a session or transaction */
    int connecting;          /**< being opened */
    int max_size;            /**< the limit now; 1 when the database cannot be shared */
    size_t waiting;          /**< work that has not begun */
    size_t running;          /**< statements that were handed to connections; one may have several at once */
    uint64_t queries;        /**< statements settled, failed ones included, and each BEGIN and COMMIT of a transaction */
    uint64_t errors;         /**< of these, failed: those too whose transaction ran again (see retries) and that no caller saw */
    uint64_t opened;         /**< connections opened so far */
    uint64_t connect_errors; /**< connects that failed */
    uint64_t lost;           /**< connections lost or given up */
    uint64_t shared_snapshots; /**< snapshots that several reads shared */
    uint64_t shared_reads;     /**< statements that read in these; divided by shared_snapshots: how many in one */
    uint64_t shared_commits;   /**< commits that several writes shared */
    uint64_t shared_writes;    /**< statements that these kept, failed ones included */
    uint64_t undone_writes;    /**< runs that were undone because a shared transaction could not be kept; each statement ran again */
    uint64_t upkeeps;          /**< times the database was kept in order (SQLite: its log copied back) when nothing waited for it */
    uint64_t closed_idle;      /**< connections closed by idle_timeout */
    uint64_t closed_lifetime;  /**< replaced by max_lifetime */
    uint64_t drained;          /**< replaced by dbal_pool_drain() */
    uint64_t closed_surplus;   /**< closed by dbal_pool_resize() */
    uint64_t spared;           /**< closed so that another pool of the same dbal_limit has one */
    uint64_t failures_in_a_row; /**< connects since the last success that failed, or whose connection died unused */
    bool paused;               /**< by dbal_pool_pause() */
    uint64_t slow_queries;     /**< statements that took slow_query or longer, those not shown in the log included */
    uint64_t slow_acquires;    /**< requests for a connection that waited for slow_acquire or longer */
    uint64_t dirty_sessions;   /**< sessions and transactions that ended with their connection changed, see dbal_pool_options.reset; and statements on the pool that changed theirs */
    uint64_t resets;           /**< times a connection was made as new */
    uint64_t retries;          /**< runs of transactions' work behind the first, see dbal_transaction_options.retries */
    uint64_t moved;            /**< times a statement on the pool went to another connection by itself: the one that had it was lost before it was sent, or found dead by validate_after. Each time counts, a statement moves a few times at most; it is one of `queries` */
} dbal_pool_counts;

/** Counters to be filled: `dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;` */
#define DBAL_POOL_COUNTS_INIT                                                                      \
    {sizeof(dbal_pool_counts), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,      \
     0, 0, 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0}

/** Reads the counters. @param pool the pool @param ret_counts its size field says how much is filled */
void dbal_pool_stats(const dbal_pool *pool, dbal_pool_counts *ret_counts);

#ifdef __cplusplus
}
#endif
#endif
