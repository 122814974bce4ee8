/* Whether a database's content is sound, looked at once for a pool, if its URL asks for it. */
#ifndef DBAL__SQLITE_CHECK_H
#define DBAL__SQLITE_CHECK_H

#include "connection.h"

enum { DBAL__SQLITE_DAMAGE = 256 };

/* SQLite's code; SQLITE_CORRUPT also for what SQLite itself only reports, with its words. */
int dbal__sqlite_check(dbal__sqlite_connection *c, char ret_damage[DBAL__SQLITE_DAMAGE]);

#endif
