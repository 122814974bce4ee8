/* Dates, times and UUIDs between dbal's numbers and the client library's fields. */
#ifndef DBAL__MARIADB_MOMENT_H
#define DBAL__MARIADB_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mysql.h>

#include <dbal/driver.h>

enum { DBAL__MARIADB_MOMENT_MAX = 48 };

/* False: it is one that MariaDB cannot hold. */
bool dbal__mariadb_moment_of(dbal_type type, int64_t value, MYSQL_TIME *ret_moment);
/* False: it is one that dbal has no number for, as 0000-00-00, or 30:00:00. */
bool dbal__mariadb_moment_value(dbal_type type, const MYSQL_TIME *moment, int64_t *ret_value);
/* As the server writes it; its length. */
size_t dbal__mariadb_moment_text(dbal_type type, const MYSQL_TIME *moment, char *to);

/* 36 characters and a NUL. */
void dbal__mariadb_uuid_text(const uint8_t *bytes, char *to);
/* False: it is none. */
bool dbal__mariadb_uuid_read(const char *text, size_t size, uint8_t *ret_bytes);

#endif
