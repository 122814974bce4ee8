/* UUIDs and their text. */
#ifndef DBAL__ODBC_UUID_H
#define DBAL__ODBC_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 36 characters and a NUL. */
void dbal__odbc_uuid_write(char *to, const uint8_t *bytes);
/* In braces or not, in either case. */
bool dbal__odbc_uuid_read(const char *text, size_t size, uint8_t *ret_bytes);

#endif
