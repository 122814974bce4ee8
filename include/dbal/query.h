/** @file query.h  One statement with its parameters, and what it may cost. */
#ifndef DBAL_QUERY_H
#define DBAL_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/** In an option or query field: none, never, switched off. */
#define DBAL_OFF (-1)

/**
 * One statement. SQL is written with `$1…$n` or `:name` (not both), for every driver alike. SQL,
 * label and parameters are copied before the call that is given it returns. Zero means default.
 *
 * `read_only` is the caller's word that it changes nothing. One that would fails with OPERATIONAL,
 * 25006, as far as its driver can tell; what the database does not count as a change is not found
 * out. On a pool, those that are asked for together may share a transaction where the driver can do
 * that (PostgreSQL on the gate `loop`): each ends as it would by itself, but `now()` is the same.
 */
typedef struct dbal_query {
    size_t size;        /**< sizeof(dbal_query); DBAL_QUERY() sets it */
    const char *sql;    /**< one statement; a `;` at its end is allowed */
    dbal_params params; /**< by number in their order, or dbal_named() each */
    double timeout;     /**< seconds for waiting, running and fetching together; default: the pool's query_timeout. DBAL_OFF: no limit, the pool's neither; any other value below 0, such as the rest of a deadline of which nothing is left, is refused with INTERFACE */
    const char *label;  /**< put before the messages of its errors, and named in the log, where else the SQL is */
    bool read_only;     /**< it changes nothing; false: it may */
} dbal_query;

/** `DBAL_QUERY(.sql = "…", .timeout = 2)`: a query for a call (C only). */
#define DBAL_QUERY(...) (&(const dbal_query){.size = sizeof(dbal_query), __VA_ARGS__})
/** A query with nothing set, for C++ and for setting fields one by one. */
#define DBAL_QUERY_INIT {sizeof(dbal_query), 0, {0, 0}, 0, 0, false}

#ifdef __cplusplus
}
#endif
#endif
