/* SQLite's result codes and messages as classes, SQLSTATEs and words. */
#ifndef DBAL__SQLITE_FAILURE_H
#define DBAL__SQLITE_FAILURE_H

#include <dbal/driver.h>

#include "connection.h"

/* While a statement was compiled: the position is known, and most errors are the program's. */
void dbal__sqlite_failure_compile(dbal__sqlite_connection *c, int code, dbal_fault *fault);

/* While it ran. `verb` and `commits` (it would have ended in a commit) tell what is known of it. */
void dbal__sqlite_failure_step(dbal__sqlite_connection *c, int code, dbal__sqlite_verb verb,
                               bool commits, dbal_fault *fault);

/* While a database was opened. */
void dbal__sqlite_failure_open(dbal__sqlite_connection *c, int code, const char *damage,
                               dbal_fault *fault);

/* While the database was copied: `db` is the handle that met it. */
void dbal__sqlite_failure_backup(dbal__sqlite_connection *c, sqlite3 *db, int code,
                                 const char *target, dbal_fault *fault);

/* What needs no code of SQLite's. */
void dbal__sqlite_failure_stopped(dbal_fault *fault);
void dbal__sqlite_failure_memory(dbal_fault *fault);
void dbal__sqlite_failure_lost(dbal_fault *fault);
void dbal__sqlite_failure_promise(dbal_fault *fault);

#endif
