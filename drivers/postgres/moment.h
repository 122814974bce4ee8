/* Dates and times as PostgreSQL writes them with DateStyle=ISO, and back. */
#ifndef DBAL__POSTGRES_MOMENT_H
#define DBAL__POSTGRES_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Days from 1970-01-01, where dbal counts from, to 2000-01-01, where PostgreSQL does. */
#define DBAL__POSTGRES_EPOCH INT64_C(10957)
/* Microseconds of a day. */
#define DBAL__POSTGRES_DAY INT64_C(86400000000)

/* Room for any of the texts below, with its NUL. */
enum { DBAL__POSTGRES_MOMENT_MAX = 64 };

/*
 * False for what is no such text, and for infinity and the years that do not fit; those stay text.
 * Of a timestamp with an offset, the moment in UTC; without, it is taken for UTC.
 */
bool dbal__postgres_date_read(const char *text, size_t size, int64_t *ret_days);
bool dbal__postgres_time_read(const char *text, size_t size, int64_t *ret_microseconds);
bool dbal__postgres_timestamp_read(const char *text, size_t size, int64_t *ret_microseconds);

/* They give back the length. `zone`: with the "+00" of a timestamptz. */
size_t dbal__postgres_date_write(char *to, int64_t days);
size_t dbal__postgres_time_write(char *to, int64_t microseconds);
size_t dbal__postgres_timestamp_write(char *to, int64_t days, int64_t microseconds, bool zone);

#endif
