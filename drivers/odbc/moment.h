/* Dates, times and timestamps as ODBC writes them: 2024-10-04, 23:59:59.999999, both with a space. */
#ifndef DBAL__ODBC_MOMENT_H
#define DBAL__ODBC_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/driver.h>

enum { DBAL__ODBC_MOMENT_MAX = 48 };

/* The text with a NUL; 0 for years outside 0001 to 9999 and times outside a day. */
size_t dbal__odbc_moment_write(char *to, dbal_type type, int64_t value);
/* False for what is none. */
bool dbal__odbc_moment_read(dbal_type type, const char *text, size_t size, int64_t *ret_value);

#endif
