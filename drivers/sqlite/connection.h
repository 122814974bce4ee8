/* One connection: SQLite's handle, its statements, and what the running request may cost. */
#ifndef DBAL__SQLITE_CONNECTION_H
#define DBAL__SQLITE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "cache.h"
#include "config.h"

typedef struct dbal__sqlite_connection {
    sqlite3 *db;
    const dbal__sqlite_config *config;
    dbal__sqlite_cache cache;
    dbal__sqlite_files files;
    sqlite3_stmt *begin, *begin_writing, *commit, *rollback; /* of what statements share */
    bool sharing;                                            /* statements share a transaction */
    bool has_token;       /* writing needs the process's write token */
    bool tx_lost;         /* SQLite ended a transaction by itself; ROLLBACK or COMMIT clears it */
    bool lasting;         /* the session was changed in a way that reset() cannot undo */
    bool inserted;        /* the running statement, or a trigger of its, made a row with an id */
    bool same_id;         /* one had the id that the last row before had */
    int64_t id_before;    /* that id */
    bool stopped;         /* a handler stopped the running statement */
    int page_size;        /* bytes, 0: not known */
    unsigned ticks;       /* of the progress handler */
    int64_t busy_timeout; /* nanoseconds */
    int64_t busy_since;   /* when the running statement first met a lock, 0: not yet */
    int64_t deadline;     /* of the running statement */
    const dbal_request *leader; /* the first of those that share a commit */
    int64_t slow_since;         /* when the running one was seen to take its time, 0: not yet */
    dbal_request *request;      /* the running one, NULL while opening */
} dbal__sqlite_connection;

bool dbal__sqlite_open(void *connection, dbal_opening *opening, dbal_fault *fault);
void dbal__sqlite_close(void *connection);
bool dbal__sqlite_run(void *connection, dbal_request *request, dbal_fault *fault);
bool dbal__sqlite_reset(void *connection, dbal_fault *fault);
bool dbal__sqlite_in_transaction(void *connection);
bool dbal__sqlite_backup(void *connection, dbal_request *request, dbal_fault *fault);

bool dbal__sqlite_share_begin(void *connection, dbal_share what, dbal_request *first,
                              dbal_fault *fault);
bool dbal__sqlite_share_holds(void *connection);
bool dbal__sqlite_share_end(void *connection, bool keep, dbal_fault *fault);

/* Settings of the session that are the same for every connection; SQLite's code. */
int dbal__sqlite_setup(dbal__sqlite_connection *c);

#endif
