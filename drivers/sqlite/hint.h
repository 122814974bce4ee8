/* What a failure of a file or of the system means for whoever runs the program. */
#ifndef DBAL__SQLITE_HINT_H
#define DBAL__SQLITE_HINT_H

#include <sqlite3.h>

/* What can be done about a failure; NULL: nothing is known. */
const char *dbal__sqlite_hint_of(int code);

/* "syncing": what SQLite was doing when it failed with SQLITE_IOERR; NULL: it does not say. */
const char *dbal__sqlite_hint_doing(int code);

/* The errno behind the handle's last failure, which had this code; 0: there was none. */
int dbal__sqlite_hint_cause(sqlite3 *db, int code);

#endif
