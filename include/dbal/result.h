/** @file result.h  Columns and rows of one statement, or its affected-row count. */
#ifndef DBAL_RESULT_H
#define DBAL_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/error.h>
#include <dbal/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The result of one statement, or one batch of a stream's rows.
 *
 * Counted (atomically), so it may cross threads. In a callback it belongs to the outcome that is
 * being handled; dbal_result_ref() keeps it longer. One thread at a time may use the converting
 * accessors (all that take a non-const result); dbal_result_get() has no state.
 *
 * Accessors never fail in a way that needs a branch: NULL gives zero or "" and no error; a
 * conversion that is not exact gives zero or "" and leaves an error in the result; a row or column
 * out of range leaves an INTERFACE error. dbal_result_take_error() fetches what was left; an error
 * still there when the callback that was handed the result returns replaces its outcome. All take
 * a NULL result for one without rows.
 */
typedef struct dbal_result dbal_result;

/** Keeps a result. @param result may be NULL @return the same pointer. Any thread. */
dbal_result *dbal_result_ref(dbal_result *result);

/** Drops a reference; a large result is freed by a helper thread. @param result may be NULL @return NULL. Any thread. */
dbal_result *dbal_result_unref(dbal_result *result);

/** Number of rows. @param result may be NULL */
size_t dbal_result_row_count(const dbal_result *result);

/** Number of columns; 0 for a statement that gives no rows. @param result may be NULL */
size_t dbal_result_column_count(const dbal_result *result);

/** A column's name, "" out of range. Lives as long as the result. @param result may be NULL @param column from 0 */
const char *dbal_result_column_name(const dbal_result *result, size_t column);

/**
 * Finds a column by its name, exactly as the database spells it; of several, the first.
 *
 * @param result     may be NULL
 * @param name       the name
 * @param ret_index  set only when found
 * @return whether it was found
 */
bool dbal_result_column_index(const dbal_result *result, const char *name, size_t *ret_index);

/** A column's declared type; DBAL_NULL where the database knows none (an expression in SQLite). @param result may be NULL @param column from 0 */
dbal_type dbal_result_column_type(const dbal_result *result, size_t column);

/** Rows inserted, updated or deleted; the row count for a SELECT; 0 for DDL (PEP 249 .rowcount). @param result may be NULL */
int64_t dbal_result_affected(const dbal_result *result);

/** The id of the row this statement inserted last, 0 when it inserted none or the database has no such thing. @param result may be NULL */
int64_t dbal_result_last_insert_id(const dbal_result *result);

/** Whether a cell is NULL; true out of range, which leaves no error. @param result may be NULL @param row from 0 @param column from 0 */
bool dbal_result_is_null(const dbal_result *result, size_t row, size_t column);

/** A cell as a truth value: bool, integers 0 and 1, texts t/f/true/false. @param result may be NULL @param row from 0 @param column from 0 */
bool dbal_result_bool(dbal_result *result, size_t row, size_t column);

/** A cell as an integer: integers, whole doubles within ±2^53, decimal text. @param result may be NULL @param row from 0 @param column from 0 */
int64_t dbal_result_int64(dbal_result *result, size_t row, size_t column);

/** A cell as a double: doubles, integers within ±2^53, decimal text. @param result may be NULL @param row from 0 @param column from 0 */
double dbal_result_double(dbal_result *result, size_t row, size_t column);

/**
 * A cell as the database's own text; works on every type. NUL-terminated, "" for NULL. Lives as
 * long as the result. @param result may be NULL @param row from 0 @param column from 0
 */
const char *dbal_result_text(dbal_result *result, size_t row, size_t column);

/** dbal_result_text() with its length in bytes. @param result may be NULL @param row from 0 @param column from 0 @param ret_size may be NULL */
const char *dbal_result_textn(dbal_result *result, size_t row, size_t column, size_t *ret_size);

/** A cell's bytes: blobs, and texts as they are. Lives as long as the result. @param result may be NULL @param row from 0 @param column from 0 */
dbal_bytes dbal_result_blob(dbal_result *result, size_t row, size_t column);

/** A date cell in days since 1970-01-01; also text "2026-11-22". @param result may be NULL @param row from 0 @param column from 0 */
int64_t dbal_result_date(dbal_result *result, size_t row, size_t column);

/** A time cell in microseconds since midnight; also text "12:34:56.789". @param result may be NULL @param row from 0 @param column from 0 */
int64_t dbal_result_time(dbal_result *result, size_t row, size_t column);

/** A timestamp cell in microseconds since 1970 UTC; also text "2026-11-22 12:34:56", read as UTC. @param result may be NULL @param row from 0 @param column from 0 */
int64_t dbal_result_timestamp(dbal_result *result, size_t row, size_t column);

/** A cell in its own type (not the column's), without conversion or state; DBAL_NULL out of range. @param result may be NULL @param row from 0 @param column from 0 */
dbal_value dbal_result_get(const dbal_result *result, size_t row, size_t column);

/** Takes the first error that an accessor left; call it before branching on a value. @param result may be NULL @return an owned reference or NULL */
dbal_error *dbal_result_take_error(dbal_result *result);

#ifdef __cplusplus
}
#endif
#endif
