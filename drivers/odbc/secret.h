/* Passwords: what no message may show, in each form that an ODBC driver may know it in. */
#ifndef DBAL__ODBC_SECRET_H
#define DBAL__ODBC_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* What the passwords of a parameter take in a list, in bytes, at most. */
size_t dbal__odbc_secret_room(const char *value);
/*
 * Adds those of a parameter: its value, as given and as it stands between braces, or what is a password
 * in the value ("x;PWD=y"); where the next goes. The list ends at a NUL.
 */
char *dbal__odbc_secret_write(char *to, const char *name, const char *value);

/* Writes over all of a list's that are in the first KiB of the text; `cut`: at its end one may begin that did
 * not fit. */
void dbal__odbc_secret_hide(const char *list, char *text, bool cut);

#endif
