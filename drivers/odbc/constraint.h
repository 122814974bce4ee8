/* A violated constraint's name out of a message, for ODBC has no place for it. */
#ifndef DBAL__ODBC_CONSTRAINT_H
#define DBAL__ODBC_CONSTRAINT_H

#include <stdbool.h>
#include <stddef.h>

/* False when the message names none in a way that is known. */
bool dbal__odbc_constraint_find(const char *message, char *to, size_t room);

#endif
