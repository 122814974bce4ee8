/* How a statement waits for a lock, and how it is stopped while it runs. */
#ifndef DBAL__SQLITE_WAIT_H
#define DBAL__SQLITE_WAIT_H

#include "connection.h"

/* Others that share a commit wait so long (ns) for one statement, or for the COMMIT's lock. */
#define DBAL__SQLITE_PATIENCE INT64_C(50000000)

/* Installs the busy and progress handlers. */
void dbal__sqlite_wait_install(dbal__sqlite_connection *c);

/* Nanoseconds of CLOCK_MONOTONIC, as deadlines are. */
int64_t dbal__sqlite_wait_clock(void);

/* Begins to count for a request, or for opening when it is NULL. */
void dbal__sqlite_wait_begin(dbal__sqlite_connection *c, dbal_request *request, int64_t deadline);
void dbal__sqlite_wait_end(dbal__sqlite_connection *c);

/* Whether the running statement must end now; remembers that it had to. */
bool dbal__sqlite_wait_over(dbal__sqlite_connection *c);

/* Waits a moment for a lock. False: no longer, see `stopped`. */
bool dbal__sqlite_wait_once(dbal__sqlite_connection *c, int count);

#endif
