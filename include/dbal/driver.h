/** @file driver.h  What a driver is made of. Drivers include this header and no other of dbal's. */
#ifndef DBAL_DRIVER_H
#define DBAL_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/connection.h>
#include <dbal/error.h>
#include <dbal/result.h>
#include <dbal/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The number of this contract; a driver with another one is refused. The folder that drivers are installed in has it in its name. */
#define DBAL_DRIVER_ABI 1u

/* ---- memory ---------------------------------------------------------------------------------- */

/** Zeroed memory from the program's allocator (memory.h). @param size in bytes @return NULL without memory. Any thread. */
void *dbal_driver_alloc(size_t size);
/** As realloc(3). @param pointer of dbal_driver_alloc(), or NULL @param size in bytes @return NULL without memory. Any thread. */
void *dbal_driver_realloc(void *pointer, size_t size);
/** Frees it. @param pointer may be NULL. Any thread. */
void dbal_driver_free(void *pointer);

/* ---- a fault: why something failed ------------------------------------------------------- */

/** An error that is being put together. The core owns it; it is good for the call it is given to. */
typedef struct dbal_fault dbal_fault;

/**
 * Says what went wrong; a later call replaces an earlier one. All texts are copied.
 *
 * @param fault        the fault
 * @param error_class  who is at fault
 * @param sqlstate     five characters, or NULL
 * @param format       printf-like. Never a password or a parameter's value.
 */
void dbal_fault_set(dbal_fault *fault, dbal_error_class error_class, const char *sqlstate,
                    const char *format, ...) DBAL_PRINTF(4, 5);
/** Whether something was said already. @param fault the fault */
bool dbal_fault_is_set(const dbal_fault *fault);
/** Takes back all that was said, as before something is tried once more. @param fault the fault */
void dbal_fault_clear(dbal_fault *fault);
/** Adds the database's detail. @param fault a set fault @param text copied, may be NULL */
void dbal_fault_set_detail(dbal_fault *fault, const char *text);
/** Adds a hint. @param fault a set fault @param text copied, may be NULL */
void dbal_fault_set_hint(dbal_fault *fault, const char *text);
/** Names the violated constraint. @param fault a set fault @param text copied, may be NULL */
void dbal_fault_set_constraint(dbal_fault *fault, const char *text);
/** Adds the driver's own number. @param fault a set fault @param code the number */
void dbal_fault_set_vendor_code(dbal_fault *fault, int code);
/** Adds the place. @param fault a set fault @param position 1-based byte of the request's SQL, 0 unknown */
void dbal_fault_set_position(dbal_fault *fault, int position);
/** Says that the connection is of no more use. @param fault a set fault @param lost whether */
void dbal_fault_set_connection_lost(dbal_fault *fault, bool lost);
/** Says that the same work may succeed when run again. @param fault a set fault @param retryable whether */
void dbal_fault_set_retryable(dbal_fault *fault, bool retryable);
/** Says what is known of the statement; DBAL_EXECUTION_FAILED unless said. @param fault a set fault @param execution what is known */
void dbal_fault_set_execution(dbal_fault *fault, dbal_execution execution);
/** Says that the request turned out to write and did nothing yet: the core gets the write token and runs it again. Blocking face only. @param fault any fault */
void dbal_fault_set_needs_token(dbal_fault *fault);

/* ---- a URL --------------------------------------------------------------------------------- */

/** A parsed URL, percent-decoded, without the `pool_…` parameters. */
typedef struct dbal_url dbal_url;

/** The scheme, in lower case. @param url the URL */
const char *dbal_url_scheme(const dbal_url *url);
/** What follows `scheme:` or `scheme://host…`, without the query; "" when empty. @param url the URL */
const char *dbal_url_path(const dbal_url *url);
/** The authority's user, or NULL. @param url the URL */
const char *dbal_url_user(const dbal_url *url);
/** The authority's password, or NULL. @param url the URL */
const char *dbal_url_password(const dbal_url *url);
/** The authority's hosts with their ports as written ("a:1,b"), or NULL. @param url the URL */
const char *dbal_url_hosts(const dbal_url *url);
/** Number of parameters. @param url the URL */
size_t dbal_url_parameter_count(const dbal_url *url);
/** A parameter's name. @param url the URL @param index from 0 */
const char *dbal_url_parameter_name(const dbal_url *url, size_t index);
/** Whether a pooler of transactions stands between (pool_pooler=transaction): a transaction may get another connection of the server's than the one before. @param url the URL */
bool dbal_url_pools_transactions(const dbal_url *url);
/** A parameter's value, or NULL when it is not there. @param url the URL @param name its name */
const char *dbal_url_parameter(const dbal_url *url, const char *name);

/* ---- SQL text ------------------------------------------------------------------------------ */

/** How a database's SQL is cut into tokens. */
typedef enum dbal_dialect {
    DBAL_DIALECT_SQLITE,
    DBAL_DIALECT_POSTGRESQL,
    DBAL_DIALECT_MYSQL
} dbal_dialect;

/** How a driver wants parameters written (PEP 249 paramstyle, and SQLite's `?1`). */
typedef enum dbal_paramstyle {
    DBAL_PARAMSTYLE_DOLLAR,   /**< $1, $2 */
    DBAL_PARAMSTYLE_NUMBERED, /**< ?1, ?2 */
    DBAL_PARAMSTYLE_QMARK     /**< ?, ? (values are repeated where a number is) */
} dbal_paramstyle;

/** What a token is. */
typedef enum dbal_sql_token_kind {
    DBAL_SQL_END,        /**< nothing is left */
    DBAL_SQL_WORD,       /**< a keyword or a bare name */
    DBAL_SQL_IDENTIFIER, /**< a quoted name, quotes included */
    DBAL_SQL_STRING,     /**< a string or blob literal, quotes and prefix included */
    DBAL_SQL_NUMBER,
    DBAL_SQL_PARAMETER,  /**< $1, :name, ?1 … */
    DBAL_SQL_SEMICOLON,
    DBAL_SQL_OPERATOR,   /**< anything else, a byte or more */
    DBAL_SQL_BROKEN      /**< a quote or comment that never ends: the rest of the text */
} dbal_sql_token_kind;

/** One token; comments and white space are passed over. */
typedef struct dbal_sql_token {
    dbal_sql_token_kind kind; /**< what it is */
    const char *start; /**< in the text */
    size_t size;       /**< bytes */
} dbal_sql_token;

/**
 * Takes the next token.
 *
 * @param dialect  whose rules
 * @param cursor   where to begin, NUL-terminated; moved behind the token
 * @return the token; DBAL_SQL_END with size 0 at the end
 */
dbal_sql_token dbal_sql_next(dbal_dialect dialect, const char **cursor);

/** Whether a WORD token is this word, whatever the case. @param token the token @param word in lower case */
bool dbal_sql_token_is(dbal_sql_token token, const char *word);

/** What a statement does, as far as its text tells. */
typedef enum dbal_sql_kind {
    DBAL_SQL_READS = 1,    /**< changes nothing */
    DBAL_SQL_WRITES = 2,   /**< needs the write token, where the driver has one */
    DBAL_SQL_SESSION = 4,  /**< belongs to a session: refused on a pool */
    DBAL_SQL_UNSHARED = 8, /**< must not share a snapshot, commit or Sync with others */
    DBAL_SQL_BEGINS = 16,  /**< begins a transaction */
    DBAL_SQL_REFUSED = 32, /**< refused everywhere: `instead` says why */
    DBAL_SQL_COPY_IN = 64, /**< takes data from the client: for dbal_pool_copy_in() and its like alone */
    DBAL_SQL_COPY_OUT = 128, /**< gives data to the client: for dbal_pool_copy_out() and its like alone */
    DBAL_SQL_LOCAL = 256    /**< with SESSION: what it changes is gone with its transaction, so that nobody need clean up */
} dbal_sql_kind;

/** What classify says. */
typedef struct dbal_sql_class {
    unsigned kinds;      /**< of dbal_sql_kind */
    const char *instead; /**< for SESSION and REFUSED: the call to use instead, a constant */
} dbal_sql_class;

/* ---- a request: one statement on its way down, its rows on their way up --------------------- */

/**
 * One statement that a driver is to run. The core owns it; it is good until run() returns, or, on
 * the native face, until dbal_request_finish().
 */
typedef struct dbal_request dbal_request;

/** Its SQL, written in the driver's paramstyle, NUL-terminated. @param request the request @param ret_size may be NULL */
const char *dbal_request_sql(const dbal_request *request, size_t *ret_size);
/** A hash of the SQL, for statement caches. @param request the request */
uint64_t dbal_request_hash(const dbal_request *request);
/** Number of parameters. @param request the request */
size_t dbal_request_parameter_count(const dbal_request *request);
/**
 * A parameter, valid as long as the request. Texts are followed by a NUL. An array of texts comes as
 * one run of bytes: for each element a `uint32_t` at any address, its length or UINT32_MAX for NULL,
 * and so many bytes. @param request the request @param index from 0
 */
dbal_value dbal_request_parameter(const dbal_request *request, size_t index);
/** Whether it was promised to change nothing; one that would must fail with SQLSTATE 25006. @param request the request */
bool dbal_request_read_only(const dbal_request *request);
/** Whether it is one of a session's statements, which take effect in the order given; others have no order between them. @param request the request */
bool dbal_request_in_order(const dbal_request *request);
/**
 * Native face: whether it may share a transaction with some others of the same kind, whose answers come
 * when all are done. It was promised to change nothing, is of no session, no stream and nothing that
 * classify() calls UNSHARED, and its text is known to be quick.
 *
 * @param request  the request
 */
bool dbal_request_may_share(const dbal_request *request);
/** Whether the write token is held for it. @param request the request */
bool dbal_request_has_token(const dbal_request *request);
/** When it must have ended: CLOCK_MONOTONIC in nanoseconds, INT64_MAX for never. @param request the request */
int64_t dbal_request_deadline(const dbal_request *request);
/** Whether it is to stop as soon as it can; any thread. @param request the request */
bool dbal_request_stopped(const dbal_request *request);
/** How many prepared statements a connection is to keep. @param request the request */
int dbal_request_statement_cache(const dbal_request *request);

/** Adds a column, before the first row. @param request the request @param name copied @param type its declared type @return false: stop */
bool dbal_request_column(dbal_request *request, const char *name, dbal_type type);
/** The columns of a statement that is run often: told once, and shared by its results. Counted; any thread. */
typedef struct dbal_columns dbal_columns;
/** Makes them. @param count how many @param names copied @param types their declared types @return owned, freed with dbal_columns_unref(); NULL without memory */
dbal_columns *dbal_columns_new(size_t count, const char *const *names, const dbal_type *types);
/**
 * Writes the text of a cell that is not kept as text (BOOL, INT64, DOUBLE, DATE, TIME, TIMESTAMP,
 * UUID, BLOB), as the database itself would have written it.
 *
 * @param to     where the text goes, with a NUL behind it
 * @param room   bytes there; 64 at least. For a text that does not fit only its length counts.
 * @param kind   what the driver said of the cell's column
 * @param value  the cell
 * @return the text's length; 0 for a cell that dbal writes the same way
 */
typedef size_t dbal_speller(char *to, size_t room, uint32_t kind, dbal_value value);
/** Says how such cells are written, before the columns are first used. @param columns fresh ones @param speller any thread may call it, at any time @param kinds one for each column, copied */
void dbal_columns_spell(dbal_columns *columns, dbal_speller *speller, const uint32_t *kinds);
/** Gives up a reference. @param columns may be NULL */
void dbal_columns_unref(dbal_columns *columns);
/** All columns at once, instead of dbal_request_column() for each. @param request the request @param columns what the result refers to from now on @return false: stop */
bool dbal_request_columns(dbal_request *request, dbal_columns *columns);
/** Adds a NULL cell to the row. @param request the request @return false: stop */
bool dbal_request_null(dbal_request *request);
/** Adds an integer cell of a type (INT64, BOOL, DATE, TIME, TIMESTAMP). @param request the request @param type its type @param value the value @return false: stop */
bool dbal_request_integer(dbal_request *request, dbal_type type, int64_t value);
/** Adds a double cell. @param request the request @param value the value @return false: stop */
bool dbal_request_real(dbal_request *request, double value);
/** Adds a cell of bytes (TEXT, BLOB, NUMERIC, JSON, UUID as 16 bytes). @param request the request @param type its type @param data copied @param size bytes @return false: stop */
bool dbal_request_bytes(dbal_request *request, dbal_type type, const void *data, size_t size);
/** Ends the row. May block on the blocking face while a stream's consumer is slow. @param request the request @return false: stop, as a success when dbal_request_satisfied() */
bool dbal_request_row(dbal_request *request);
/** Whether the consumer has all the rows it wants: stopping is then no failure. @param request the request */
bool dbal_request_satisfied(const dbal_request *request);
/** Whether a stream's or copy's consumer is behind; native face: read no more until resume. @param request the request */
bool dbal_request_full(const dbal_request *request);
/** Forgets the columns and rows told so far, and that it was sent, for a statement of which nothing is left and that is run once more. @param request the request @return false when a stream's consumer has had some: it cannot be run again */
bool dbal_request_restart(dbal_request *request);

/** Where the data of a request goes that is a copy in bulk. */
typedef enum dbal_copy_direction {
    DBAL_COPY_NONE, /**< it is none */
    DBAL_COPY_IN,   /**< into the database, see dbal_request_copy_next() */
    DBAL_COPY_OUT   /**< out of it, see dbal_request_copy_data() */
} dbal_copy_direction;

/** What there is to do for a copy into the database. */
typedef enum dbal_copy_step {
    DBAL_COPY_DATA, /**< send these bytes */
    DBAL_COPY_WAIT, /**< nothing is there yet: native.resume says when to ask again */
    DBAL_COPY_END,  /**< that was all: end it as a success */
    DBAL_COPY_ABORT /**< end it as a failure: the bytes are the reason, a NUL behind them */
} dbal_copy_step;

/**
 * Whether it is a copy in bulk; native face, with DBAL_CAN_COPY. It comes alone: nothing else is in
 * flight on its connection until it has been finished. Its text is of DBAL_SQL_COPY_IN or _OUT as
 * classify() has it; when the database takes it for something else, the driver fails it and gets the
 * connection back into order.
 *
 * @param request  the request
 */
dbal_copy_direction dbal_request_copy(const dbal_request *request);
/**
 * The next bytes for the database. The first call tells that the database is ready for them. A driver
 * asks when what it got before has left, and not while its socket is full: what waits, waits in the
 * core, which tells the program to write no more.
 *
 * @param request   a copy into the database
 * @param ret_data  set to the bytes, which are good until the next call or the request's end
 * @param ret_size  set to how many
 * @return what to do with them; after END and ABORT it is not called again
 */
dbal_copy_step dbal_request_copy_next(dbal_request *request, const void **ret_data, size_t *ret_size);
/**
 * Bytes out of the database: whole rows, as they come. dbal_request_full() tells afterwards whether
 * to read on.
 *
 * @param request  a copy out of the database
 * @param data     copied
 * @param size     how many
 * @return false: stop, as a success when dbal_request_satisfied()
 */
bool dbal_request_copy_data(dbal_request *request, const void *data, size_t size);

/** Says how many rows were affected. @param request the request @param rows the number */
void dbal_request_affected(dbal_request *request, int64_t rows);
/** Says which row id was made. @param request the request @param id the id */
void dbal_request_last_insert_id(dbal_request *request, int64_t id);

/* ---- the driver ------------------------------------------------------------------------------ */

/** What a driver can do; see dbal_driver.capabilities. */
typedef enum dbal_capability {
    DBAL_CAN_INTERRUPT = 1 << 0,           /**< blocking.interrupt works from another thread */
    DBAL_CAN_CANCEL = 1 << 1,              /**< a running statement can be stopped, by stop flag, interrupt or native.cancel */
    DBAL_CAN_STREAM = 1 << 2,              /**< rows come before the statement has ended */
    DBAL_CAN_PIPELINE = 1 << 3,            /**< native: several requests in flight */
    DBAL_CAN_SAVEPOINT = 1 << 4,           /**< SAVEPOINT, ROLLBACK TO, RELEASE */
    DBAL_CAN_RETURNING = 1 << 5,           /**< INSERT … RETURNING */
    DBAL_CAN_ARRAY = 1 << 6,               /**< array parameters */
    DBAL_CAN_LAST_INSERT_ID = 1 << 7,      /**< dbal_result_last_insert_id() */
    DBAL_CAN_PARALLEL_STATEMENTS = 1 << 8, /**< level 3: statements of one connection at once; those are stopped by their stop flag, not by blocking.interrupt */
    DBAL_CAN_DETACHED_RESULTS = 1 << 9,    /**< results may be read while the connection works on */
    DBAL_CAN_SHARE_SNAPSHOT = 1 << 10,     /**< blocking.share_begin takes DBAL_SHARE_SNAPSHOT */
    DBAL_CAN_SHARE_COMMIT = 1 << 11,       /**< blocking.share_begin takes DBAL_SHARE_COMMIT; needs a write token */
    DBAL_CAN_BACKUP = 1 << 12,             /**< blocking.backup is there */
    DBAL_CAN_COPY = 1 << 13,               /**< native: copies in bulk, see dbal_request_copy() */
    DBAL_CAN_NOTIFY = 1 << 14,             /**< native: LISTEN and UNLISTEN a quoted name, and dbal_host_notify() */
    DBAL_CAN_POOLER = 1 << 15,             /**< works through a pooler of transactions, see dbal_url_pools_transactions() */
    DBAL_LIVES_HERE = 1 << 16              /**< no ability: the database is in the memory of the process that opens it, so that gate process is not for it */
} dbal_capability;

/** What statements that wait together may share. */
typedef enum dbal_share {
    DBAL_SHARE_NOTHING,
    DBAL_SHARE_SNAPSHOT, /**< reads: what they see */
    DBAL_SHARE_COMMIT    /**< writes: the transaction that keeps them */
} dbal_share;

/** When a connection would like upkeep() to be called. */
typedef enum dbal_upkeep {
    DBAL_UPKEEP_NONE,  /**< there is nothing to do */
    DBAL_UPKEEP_LATER, /**< when nothing was written for a while */
    DBAL_UPKEEP_NOW    /**< before much more is written */
} dbal_upkeep;

/** What open() has noted; the core's. */
typedef struct dbal_notes dbal_notes;

/** What open() is told and what it tells. */
typedef struct dbal_opening {
    size_t size;          /**< sizeof(dbal_opening) of the core */
    const void *config;   /**< what configure() made */
    int64_t deadline;     /**< CLOCK_MONOTONIC in nanoseconds */
    int statement_cache;  /**< prepared statements to keep */
    int prepare_after;    /**< the use of a text on the connection from which on it is prepared, where that is a step of its own */
    bool again;           /**< the pool has had a connection before, maybe in another process: a database that is not there now is lost, and not to be made, and a name that nobody knows may come back */
    int max_connections;  /**< set by open(): how many this database can have, 0 for no limit */
    uint8_t token[32];    /**< set by open(): names what only one may write at a time in this process */
    size_t token_size;    /**< set by open(): bytes of it, 0 when there is no such thing */
    double token_timeout; /**< set by open(): seconds to wait for it */
    bool sole;            /**< set by open(): the database is gone with this connection, so it is kept to the end */
    dbal_notes *notes;    /**< for dbal_opening_note() */
    const void *stop;     /**< for dbal_opening_stopped() */
} dbal_opening;

/**
 * Notes what the program should know of a connection that opens all the same: a setting that the
 * database took otherwise than asked, say. The core writes it to the log as a warning, on the loop,
 * once for a pool, however many of its connections note the same.
 *
 * @param opening  what open() was given
 * @param format   printf-like; a line of up to 500 bytes. Never a password.
 */
void dbal_opening_note(dbal_opening *opening, const char *format, ...) DBAL_PRINTF(2, 3);

/** Whether the connection is not wanted any more: open() should fail soon. @param opening what open() was given. Any thread. */
bool dbal_opening_stopped(const dbal_opening *opening);

/**
 * The blocking face. Calls come through a gate that keeps to the declared threadlevel, never on
 * the loop's thread; all may block. Functions marked optional may be NULL.
 */
typedef struct dbal_blocking {
    size_t size; /**< sizeof(dbal_blocking) */
    /** Optional. Before the first open in this process. @return false with the fault set */
    bool (*library_init)(dbal_fault *fault);
    /** Optional. After the last close, when the program ends its last pool; never at level 0. */
    void (*library_exit)(void);
    /** Opens. `connection` is zeroed memory of connection_size. On false nothing is left to close. */
    bool (*open)(void *connection, dbal_opening *opening, dbal_fault *fault);
    /** Closes what open() opened, in whatever state; cannot fail. */
    void (*close)(void *connection);
    /** Runs one request to its end. On true the result is what was added; rows added before a false are dropped. */
    bool (*run)(void *connection, dbal_request *request, dbal_fault *fault);
    /** Optional. Stops a running run(); from another thread, never while close() runs. Must not block for long. */
    void (*interrupt)(void *connection);
    /** Optional. Whether the connection still works: one of which nothing was heard for longer than dbal_pool_options.validate_after is asked before it is used. Not for a database in this process, where it tells nothing and takes time. On false the connection is closed, and what was to run there goes to another. Must not wait for long */
    bool (*ping)(void *connection, dbal_fault *fault);
    /** Optional. Makes the session as new; on false the connection is closed. */
    bool (*reset)(void *connection, dbal_fault *fault);
    /** Whether a transaction is open; after each run. What share_begin() opened is none. */
    bool (*in_transaction)(void *connection);
    /**
     * Optional, with share_end: the requests that follow share one transaction, until share_end().
     * Each must end as it would by itself.
     *
     * DBAL_SHARE_SNAPSHOT: they only read, and see one snapshot, taken no earlier than now.
     * DBAL_SHARE_COMMIT: they write, under the write token. Takes the database's lock at once;
     * `first` is the first of them, whose stop and deadline end the wait for it. Those behind it are
     * known to be quick; one that takes long all the same makes the others wait, and should fail
     * with 57014 then: it runs again by itself.
     *
     * @return false with nothing begun and the fault set: each runs by itself, but when the fault
     *         is retryable (a lock was not to be had): then it is the answer to all of them
     */
    bool (*share_begin)(void *connection, dbal_share what, dbal_request *first, dbal_fault *fault);
    /**
     * With DBAL_CAN_SHARE_COMMIT: after each run in a shared commit. False when what has run so far
     * could not be committed now as if each had been by itself: the database has ended the
     * transaction, or a constraint that is checked at its end is violated. All is undone then, and
     * runs again, the last one by itself.
     */
    bool (*share_holds)(void *connection);
    /**
     * Commits, or undoes everything since share_begin(). In any case no transaction is open after it.
     *
     * @param keep false: undo
     * @return false with the fault set. Connection lost: it is of no more use. Execution unknown, or
     *         retryable: the answer to all. Otherwise nothing was kept, and each runs by itself.
     */
    bool (*share_end)(void *connection, bool keep, dbal_fault *fault);
    /** Optional, with upkeep. Whether there is something to do; after each run under the write token. Must not block. */
    dbal_upkeep (*upkeep_wanted)(void *connection);
    /**
     * Optional. Does what keeps the database in order and is nobody's answer, as copying a log back;
     * under the write token.
     *
     * @return false with the fault set: it could not, which is logged as a warning
     */
    bool (*upkeep)(void *connection, dbal_fault *fault);
    /**
     * Optional, with DBAL_CAN_BACKUP. Copies the database as it is at one moment, while others go on
     * using it. The request has no SQL but one parameter: where to, a text. How far it is it tells by
     * rows of two integers, `done` and `total` in bytes, as often as it likes: adding one never
     * waits. It ends early by the request's stop flag and deadline. On false nothing of the copy is left.
     */
    bool (*backup)(void *connection, dbal_request *request, dbal_fault *fault);
} dbal_blocking;

/** The core's services for one native connection. */
typedef struct dbal_host dbal_host;

/** Events of a watched descriptor. */
typedef enum dbal_event { DBAL_READABLE = 1, DBAL_WRITABLE = 2 } dbal_event;

/** Slot numbers that step() is given besides those watched. */
typedef enum dbal_slot { DBAL_SLOT_WAKE = -1, DBAL_SLOT_TIMER = -2 } dbal_slot;

/** Watches a descriptor; always a fresh registration, also for the same number. @param host the connection's host @param slot 0 to 3 @param fd the descriptor @param events of dbal_event */
void dbal_host_watch(dbal_host *host, int slot, int fd, unsigned events);
/** Stops watching; before the descriptor is closed. @param host the connection's host @param slot 0 to 3 */
void dbal_host_unwatch(dbal_host *host, int slot);
/** Calls step(DBAL_SLOT_TIMER) once. @param host the connection's host @param seconds from now; negative: no more */
void dbal_host_timer(dbal_host *host, double seconds);
/** Calls step(DBAL_SLOT_WAKE) soon: there is data that no descriptor will announce. @param host the connection's host */
void dbal_host_wake(dbal_host *host);
/** The loop's clock in nanoseconds. @param host the connection's host */
int64_t dbal_host_now(const dbal_host *host);
/** Runs fn in a helper thread, then done on the loop, also when the connection was lost meanwhile. @param host the connection's host @param fn may block @param done on the loop @param arg for both @return false without memory, or when too many are on their way on this loop, or to where this pool's connections go: try later */
bool dbal_host_offload(dbal_host *host, void (*fn)(void *arg), void (*done)(void *arg), void *arg);
/** Frees what takes long to free in a helper thread, or here where there is none. @param host the connection's host @param fn frees it; must not wait for anything @param pointer for it */
void dbal_host_dispose(dbal_host *host, void (*fn)(void *pointer), void *pointer);
/** Says that the connection is dead: the core fails what is unfinished and closes it. @param host the connection's host @return a fault to set, good until step() or submit() returns */
dbal_fault *dbal_host_lost(dbal_host *host);
/** Says whether a transaction is open; kept until said otherwise. @param host the connection's host @param open whether */
void dbal_host_in_transaction(dbal_host *host, bool open);
/**
 * Says that the request which is finished next left the session changed, or as new. What classify()
 * calls DBAL_SQL_SESSION counts as a change by itself. A session that ends changed is reset before
 * others have the connection; on a connection that statements share, it is closed.
 *
 * @param host   the connection's host
 * @param dirty  whether others would see a setting, a temporary table, a lock or the like
 */
void dbal_host_dirty(dbal_host *host, bool dirty);
/** Says that the connection is to be replaced by another when what it does has ended: it works, but is not what was opened. Counts with the request that is finished next. @param host the connection's host */
void dbal_host_worn(dbal_host *host);
/** Passes on what the connection was told by NOTIFY, whether anybody listens or not. @param host the connection's host @param channel copied @param payload copied, NULL for none @param pid of the database's process that sent it, or 0 */
void dbal_host_notify(dbal_host *host, const char *channel, const char *payload, int pid);

/** Writes what the database says besides its answers to the program's log, when the driver has returned. @param host the connection's host @param warning false: it is mere information @param text copied; never a password. Dropped without memory, and beyond 64 at once */
void dbal_host_log(dbal_host *host, bool warning, const char *text);

/** The fault of a native request, to be set before dbal_request_finish(request, false). @param request the request */
dbal_fault *dbal_request_fault(dbal_request *request);
/** Says that bytes of it may have left; its outcome is unknown if the connection is lost from now on. @param request the request */
void dbal_request_sent(dbal_request *request);
/** Ends a native request; the pointer is dead afterwards. @param request the request @param ok false: its fault is set */
void dbal_request_finish(dbal_request *request, bool ok);

/**
 * The native face. All calls come on the loop's thread and never block. open() and close() are the
 * blocking face's, run in a helper thread, which hands the connection over in between.
 */
typedef struct dbal_native {
    size_t size; /**< sizeof(dbal_native) */
    /** The connection arrives on the loop: watch its socket. */
    void (*attach)(void *connection, dbal_host *host);
    /** It leaves the loop and will be closed: forget all requests. Watches are gone already. */
    void (*detach)(void *connection);
    /** Takes one more request; they are answered in order, each with its own sink. */
    void (*submit)(void *connection, dbal_request *request);
    /** Something happened: a slot's events, DBAL_SLOT_WAKE or DBAL_SLOT_TIMER. */
    void (*step)(void *connection, int slot, unsigned events);
    /** Asks to stop a request in flight; it still ends by dbal_request_finish(). */
    void (*cancel)(void *connection, dbal_request *request);
    /** A stream's or copy's consumer has room again, or there is more for a copy into the database. Not from inside any call of the request's. */
    void (*resume)(void *connection, dbal_request *request);
    /**
     * Optional. Takes a request that has no SQL and no parameters: makes the session as new, when no
     * other is in flight. Cancelled and ended as any other; when it fails, or where this is NULL, the
     * connection is closed.
     */
    void (*reset)(void *connection, dbal_request *request);
} dbal_native;

/**
 * A driver: one constant table. `size` and `abi` stand first in every version of this header, and
 * nothing else is read before they are known to be right.
 */
typedef struct dbal_driver {
    size_t size;                 /**< sizeof(dbal_driver) */
    unsigned abi;                /**< DBAL_DRIVER_ABI */
    const char *name;            /**< "sqlite" */
    const char *const *schemes;  /**< of URLs, lower case, NULL at the end */
    const char *const *settings; /**< URL parameters it knows, NULL at the end */
    dbal_dialect dialect;       /**< how its SQL is cut into tokens */
    dbal_paramstyle paramstyle; /**< how it wants parameters written */
    int max_parameters;      /**< a statement may have, 0 for no limit */
    size_t connection_size;  /**< bytes of its private connection, which the core allocates */
    /** The client library's version, "3.40.1". Any thread, before library_init() too. */
    const char *(*version)(void);
    /** Reads the URL, once for a pool, on the loop's thread; may touch the disk. @return NULL with the fault set */
    void *(*configure)(const dbal_url *url, dbal_fault *fault);
    /** Frees what configure() made; any thread. */
    void (*configure_free)(void *config);
    /** The declared thread level, 0 to 3 (PEP 249 threadsafety), for connections opened so; with NULL for a config, as a URL without parameters would have it. Any thread. NULL: 0 */
    int (*threadlevel)(const void *config);
    /** Of dbal_capability; with NULL for a config, as a URL without parameters would have it. Any thread. */
    unsigned (*capabilities)(const void *config);
    /** What a statement does, by its text alone. */
    dbal_sql_class (*classify)(const void *config, const char *sql);
    /** The statement that begins a transaction; a constant, or NULL with the fault set. */
    const char *(*begin)(const void *config, dbal_isolation isolation, bool read_only,
                         bool deferrable, dbal_fault *fault);
    const dbal_blocking *blocking; /**< may be NULL only when native is there: open and close are needed */
    const dbal_native *native;     /**< NULL when it has none */
    dbal_speller *speller; /**< the one that its columns are given, if any: results that a worker process made are written by it, with kinds from there */
} dbal_driver;

/** The name of the one function that a driver's shared object must have. */
#define DBAL_DRIVER_ENTRY "dbal_driver_entry"

/** What stands before that function: visible from outside, under this very name in C++ too. */
#ifdef __cplusplus
#define DBAL_DRIVER_VISIBLE extern "C" __attribute__((visibility("default")))
#else
#define DBAL_DRIVER_VISIBLE __attribute__((visibility("default")))
#endif

/**
 * Makes a shared object that dbal can load: defines its entry, a function without parameters that
 * gives the driver. Once in the whole object, outside of any function: `DBAL_DRIVER_MODULE(csv_driver)`.
 *
 * The object is called `dbal-SCHEME.so`, for each of the driver's schemes (by symbolic links), and
 * stands in one of the folders that drivers.h names. It is linked with libdbal.so, and best with
 * `-Wl,-z,defs` and nothing but the entry visible. It is loaded by dbal_pool_open() or what else
 * drivers.h has, in the calling thread, which is where its constructors and the entry run: they must
 * neither block for long nor, when the driver declares threadlevel 0, enter its client library. All
 * that it needs is resolved at once (RTLD_NOW), its names are nobody else's (RTLD_LOCAL), and it is
 * never unloaded, so that its constants and its functions live as long as the process.
 */
#define DBAL_DRIVER_MODULE(driver)                                                                 \
    DBAL_DRIVER_VISIBLE const dbal_driver *dbal_driver_entry(void);                                \
    DBAL_DRIVER_VISIBLE const dbal_driver *dbal_driver_entry(void)                                 \
    {                                                                                              \
        return &(driver);                                                                          \
    }                                                                                              \
    struct dbal_driver

/**
 * Makes a driver known to this process, besides those built in and those that are loaded.
 *
 * @param driver     must live as long as the process
 * @param ret_error  may be NULL
 * @return false when its ABI, size or a function is wrong, or a scheme is taken. Any thread.
 */
bool dbal_driver_register(const dbal_driver *driver, dbal_error **ret_error);

#ifdef __cplusplus
}
#endif
#endif
