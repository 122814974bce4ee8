/* Dates and times as the text that SQLite's own date functions read and write. */
#ifndef DBAL__SQLITE_MOMENT_H
#define DBAL__SQLITE_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/value.h>

enum { DBAL__SQLITE_MOMENT_MAX = 48 };

/*
 * Writes a DATE, TIME or TIMESTAMP; its length, 0 when SQLite cannot hold it (years 0000 to 9999).
 * A fraction of a second is written only when there is one, as SQLite does, so that equal moments
 * are equal texts and the order of texts is the order of moments.
 */
size_t dbal__sqlite_moment_text(dbal_type type, int64_t value, char *to);

/* What the above has written, and nothing else. False, with nothing set, for any other text. */
bool dbal__sqlite_moment_read(dbal_type type, const char *text, size_t size, int64_t *ret_value);

/* 36 characters and a NUL. */
void dbal__sqlite_uuid_text(const uint8_t *bytes, char *to);
/* The reverse; false for any other spelling. */
bool dbal__sqlite_uuid_read(const char *text, size_t size, uint8_t *ret_bytes);

#endif
