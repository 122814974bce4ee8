/* What a column was declared as, and cells that are that and not only what SQLite stores. */
#ifndef DBAL__SQLITE_DECLARED_H
#define DBAL__SQLITE_DECLARED_H

#include <stdbool.h>

#include <sqlite3.h>

#include <dbal/value.h>

/* The type a column was declared with, as far as dbal knows such a name; DBAL_NULL if not. */
dbal_type dbal__sqlite_declared_type(const char *declaration);
/* Whether SQLite has no such type, so that cells of it are stored as something else. */
bool dbal__sqlite_declared_converts(dbal_type type);
/*
 * The cell as a value of that type; false when it does not fit, and stays what it is. What fits has
 * the same text afterwards. Its bytes are SQLite's, until the cell is looked at again.
 */
bool dbal__sqlite_declared_value(sqlite3_value *cell, dbal_type type, dbal_value *ret_value);

#endif
