/* One attribute of a connection string: "name=value;". */
#ifndef DBAL__ODBC_ATTRIBUTE_H
#define DBAL__ODBC_ATTRIBUTE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a name may stand there; a value may be anything. */
bool dbal__odbc_attribute_is_name(const char *name);

/* The most bytes that writing it takes. */
size_t dbal__odbc_attribute_room(const char *name, const char *value);
/* Writes it, in braces where the value needs them, without a NUL. @return behind it */
char *dbal__odbc_attribute_write(char *to, const char *name, const char *value);

#endif
