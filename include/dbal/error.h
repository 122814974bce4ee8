/** @file error.h  What went wrong, who is at fault, and whether a retry is safe. */
#ifndef DBAL_ERROR_H
#define DBAL_ERROR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Lets gcc and clang check a printf-like function's arguments. */
#if defined(__GNUC__)
#define DBAL_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define DBAL_PRINTF(text, first)
#endif

/**
 * One error. Immutable and counted: whoever was given it borrows it, dbal_error_ref() keeps it.
 *
 * Any thread may read, ref and unref an error. Never holds a password or a parameter's value.
 */
typedef struct dbal_error dbal_error;

/** Who is at fault. The first seven are DB-API 2.0's exceptions (PEP 249, "Exceptions"). */
typedef enum dbal_error_class {
    DBAL_ERROR_INTERFACE = 1,  /**< the program misused dbal (PEP 249 InterfaceError) */
    DBAL_ERROR_DATA,           /**< a value does not fit: range, encoding, conversion */
    DBAL_ERROR_OPERATIONAL,    /**< the database or the way to it failed; not the program's fault */
    DBAL_ERROR_INTEGRITY,      /**< a constraint was violated */
    DBAL_ERROR_INTERNAL,       /**< the database or dbal is in a state that should not exist */
    DBAL_ERROR_PROGRAMMING,    /**< the SQL is wrong: syntax, unknown table, number of parameters */
    DBAL_ERROR_NOT_SUPPORTED,  /**< this driver or database cannot do it */
    DBAL_ERROR_CANCELLED,      /**< dbal cancelled it because the program asked */
    DBAL_ERROR_TIMEOUT,        /**< dbal cancelled it because its time was up */
    DBAL_ERROR_POOL_EXHAUSTED, /**< no connection became free in acquire_timeout */
    DBAL_ERROR_QUEUE_FULL,     /**< max_waiting reached: refused at once */
    DBAL_ERROR_CLOSED,         /**< the pool, gate or loop was closed */
    DBAL_ERROR_NO_MEMORY,      /**< memory ran out */
    DBAL_ERROR_APPLICATION     /**< made by the program itself with dbal_error_new() */
} dbal_error_class;

/** What is known of what failed; it decides whether sending it again is safe. See dbal_error_execution(). */
typedef enum dbal_execution {
    DBAL_EXECUTION_NOT_SENT, /**< it never reached the database */
    DBAL_EXECUTION_FAILED,   /**< the database refused it or undid it */
    DBAL_EXECUTION_UNKNOWN   /**< it may have taken effect: look before sending it again */
} dbal_execution;

/**
 * Makes an error of the program's own. Its execution is NOT_SENT, whatever the work that fails with it has
 * run before.
 *
 * @param error_class  usually DBAL_ERROR_APPLICATION
 * @param format       printf-like; the text is copied
 * @return an owned reference, never NULL: when memory runs out, a constant error of that class
 *         with a general text.
 */
dbal_error *dbal_error_new(dbal_error_class error_class, const char *format, ...) DBAL_PRINTF(2, 3);

/**
 * Puts a new message before a cause. Class, SQLSTATE, retryable, execution and connection_lost are
 * the cause's.
 *
 * @param cause   borrowed; the new error takes a reference of its own. NULL counts as NO_MEMORY.
 * @param format  printf-like; the text is copied
 * @return an owned reference, never NULL (the cause itself when memory runs out).
 */
dbal_error *dbal_error_wrap(dbal_error *cause, const char *format, ...) DBAL_PRINTF(2, 3);

/** Keeps an error. @param error may be NULL. @return the same pointer. Any thread. */
dbal_error *dbal_error_ref(dbal_error *error);

/** Drops a reference. @param error may be NULL. @return NULL, so that `e = dbal_error_unref(e)`. */
dbal_error *dbal_error_unref(dbal_error *error);

/** Its class. @param error NULL counts as NO_MEMORY. */
dbal_error_class dbal_error_kind(const dbal_error *error);

/** Whether it is of that class. @param error NULL counts as NO_MEMORY. @param error_class the class */
bool dbal_error_is(const dbal_error *error, dbal_error_class error_class);

/** One line of English for a person; never NULL, lives as long as the error. @param error may be NULL */
const char *dbal_error_message(const dbal_error *error);

/** Five characters of SQLSTATE, "" when there is none; SQLite's codes are mapped. @param error may be NULL */
const char *dbal_error_sqlstate(const dbal_error *error);

/** The driver's own number (SQLite: the extended result code), 0 when none. @param error may be NULL */
int dbal_error_vendor_code(const dbal_error *error);

/** The database's DETAIL, or NULL. @param error may be NULL */
const char *dbal_error_detail(const dbal_error *error);

/** What to try, from the database or from dbal, or NULL. @param error may be NULL */
const char *dbal_error_hint(const dbal_error *error);

/** The violated constraint or column ("account.name"), or NULL. @param error may be NULL */
const char *dbal_error_constraint(const dbal_error *error);

/** Where in the program's SQL text: the 1-based byte, 0 when unknown. @param error may be NULL */
int dbal_error_position(const dbal_error *error);

/** Whether the connection is gone with it. @param error may be NULL */
bool dbal_error_connection_lost(const dbal_error *error);

/**
 * Whether the same work may succeed when run again as a whole: a serialization failure, a deadlock,
 * busy, a server that cannot be reached now or was lost before anything was sent, a transaction whose
 * connection was lost before its COMMIT. False whenever the outcome is unknown; and of dbal's own refusals (POOL_EXHAUSTED, QUEUE_FULL, CLOSED, TIMEOUT), which
 * have not been sent either, see dbal_error_execution(): more of the same would be no help to a pool
 * that is too busy. @param error may be NULL
 */
bool dbal_error_retryable(const dbal_error *error);

/**
 * What is known of the statement. Of a session or transaction that was cancelled, whose time was up,
 * whose pool was closed or whose connection was lost, it is what is known of all its work: NOT_SENT when
 * none of its statements were handed to the database; FAILED for a transaction, of which nothing is kept;
 * UNKNOWN for a session, as its statements that have ended stand by themselves (FAILED with
 * dbal_session_options.read_only). An error that a work passes on from one of its statements, and is
 * neither, speaks of that statement. @param error may be NULL
 */
dbal_execution dbal_error_execution(const dbal_error *error);

/** The error that caused it, borrowed, or NULL. @param error may be NULL */
dbal_error *dbal_error_cause(const dbal_error *error);

/** The class's name, "operational" say; a constant. @param error_class any value */
const char *dbal_error_class_name(dbal_error_class error_class);

#ifdef __cplusplus
}
#endif
#endif
