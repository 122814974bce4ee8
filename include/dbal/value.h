/** @file value.h  Values: parameters on their way down, cells on their way up. */
#ifndef DBAL_VALUE_H
#define DBAL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

/** What a value is. */
typedef enum dbal_type {
    DBAL_NULL,
    DBAL_BOOL,
    DBAL_INT64,
    DBAL_DOUBLE,
    DBAL_TEXT,        /**< UTF-8, may hold NUL bytes where the database lets it */
    DBAL_BLOB,
    DBAL_NUMERIC,     /**< a decimal number as text; never passes through a double */
    DBAL_DATE,        /**< days since 1970-01-01 */
    DBAL_TIME,        /**< microseconds since midnight */
    DBAL_TIMESTAMP,   /**< microseconds since 1970-01-01 00:00 UTC */
    DBAL_UUID,
    DBAL_JSON,        /**< JSON as text */
    DBAL_ARRAY_INT64, /**< a parameter only, and only where the driver can `array` */
    DBAL_ARRAY_TEXT   /**< likewise */
} dbal_type;

/** A run of bytes that somebody else owns. */
typedef struct dbal_bytes {
    const void *data; /**< may be NULL when size is 0 */
    size_t size;      /**< in bytes; for arrays, in elements */
} dbal_bytes;

/**
 * One value. Its layout is frozen. It points to memory of whoever made it, which need only live
 * until the call that is given the value returns.
 */
typedef struct dbal_value {
    dbal_type type;   /**< which of the union counts */
    const char *name; /**< NULL, or the :name it is for */
    union {
        bool boolean;
        int64_t integer; /**< also date, time and timestamp */
        double real;
        dbal_bytes bytes; /**< text, blob, numeric, json, arrays */
        uint8_t uuid[16];
    } as; /**< by type */
} dbal_value;

/**
 * The parameters of one statement. Its layout is frozen; made with DBAL_PARAMS() for a call's
 * argument, or from an array of values that lives as long as it is used:
 * `(dbal_params){count, values}`.
 */
typedef struct dbal_params {
    size_t count;             /**< how many */
    const dbal_value *values; /**< in the order of $1, $2 … */
} dbal_params;

/** SQL's NULL. */
dbal_value dbal_null(void);
/** A truth value; 1 or 0 on databases that have none. @param value the value */
dbal_value dbal_bool(bool value);
/** A 64-bit integer. @param value the value */
dbal_value dbal_int64(int64_t value);
/** A double; what the database cannot store (NaN in SQLite becomes NULL) is in its driver's notes. @param value the value */
dbal_value dbal_double(double value);
/** NUL-terminated UTF-8. @param text NULL makes an SQL NULL */
dbal_value dbal_text(const char *text);
/** UTF-8 of a given length, which may hold NUL bytes. @param text may be NULL when size is 0 @param size in bytes */
dbal_value dbal_textn(const char *text, size_t size);
/** Bytes. @param data may be NULL when size is 0 @param size in bytes */
dbal_value dbal_blob(const void *data, size_t size);
/** An exact decimal number, "1.10". @param text digits, sign, point, exponent; NULL makes an SQL NULL */
dbal_value dbal_numeric(const char *text);
/** A date. @param days since 1970-01-01 */
dbal_value dbal_date(int64_t days);
/** A time of day. @param microseconds since midnight */
dbal_value dbal_time(int64_t microseconds);
/** A moment. @param microseconds since 1970-01-01 00:00 UTC */
dbal_value dbal_timestamp(int64_t microseconds);
/** A UUID. @param bytes 16 bytes, most significant first; copied into the value */
dbal_value dbal_uuid(const uint8_t *bytes);
/** JSON text. @param text NULL makes an SQL NULL */
dbal_value dbal_json(const char *text);
/** An array of integers, for `= any($1)`. @param values may be NULL when count is 0 @param count elements */
dbal_value dbal_array_int64(const int64_t *values, size_t count);
/** An array of NUL-terminated texts; a NULL element is an SQL NULL. @param values may be NULL when count is 0 @param count elements */
dbal_value dbal_array_text(const char *const *values, size_t count);
/** Gives a value the name of a `:name` in the SQL. @param name without the colon @param value the value */
dbal_value dbal_named(const char *name, dbal_value value);

/** A type's name, "int64" say; a constant. @param type any value */
const char *dbal_type_name(dbal_type type);

#ifdef __cplusplus
}
/** What DBAL_PARAMS() is in C++. */
static inline dbal_params
dbal_params_of(std::initializer_list<dbal_value> values)
{
    return {values.size(), values.begin()};
}
extern "C" {
/** A statement's parameters; in C++ for call arguments only, since they live until the full expression ends. */
#define DBAL_PARAMS(...) dbal_params_of({__VA_ARGS__})
/** No parameters. */
#define DBAL_NO_PARAMS (dbal_params())
#else
#define DBAL_VALUES_(...)                                                                          \
    (const dbal_value[])                                                                           \
    {                                                                                              \
        {.type = DBAL_NULL}, __VA_ARGS__                                                           \
    }
/**
 * A statement's parameters: `DBAL_PARAMS(dbal_int64(1), dbal_text("x"))`, `DBAL_PARAMS()` for none.
 * Its values live until the end of the block it stands in: never store it from within a loop.
 */
#define DBAL_PARAMS(...)                                                                           \
    ((dbal_params){sizeof(DBAL_VALUES_(__VA_ARGS__)) / sizeof(dbal_value) - 1,                     \
                   DBAL_VALUES_(__VA_ARGS__) + 1})
/** No parameters. */
#define DBAL_NO_PARAMS ((dbal_params){0, NULL})
#endif

#ifdef __cplusplus
}
#endif
#endif
