/*
 * The log (-wal) is copied back into the file when nobody waits for it, not by whoever happens to
 * make it long. Only under the write token: two connections that commit and checkpoint at the same
 * time meet a bug of SQLite before 3.51.3 that damages the file.
 */
#ifndef DBAL__SQLITE_CHECKPOINT_H
#define DBAL__SQLITE_CHECKPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

/* What the connections of one pool know of the log. Written by whoever holds the write token. */
typedef struct dbal__sqlite_log {
    atomic_int pages; /* that it held after the last commit */
    atomic_int next;  /* copied back from this length on */
    atomic_int most;  /* emptied from this length on, even when writers have to wait for readers */
    atomic_int stuck; /* times that it could not be emptied since it began anew */
} dbal__sqlite_log;

struct dbal__sqlite_connection;

void dbal__sqlite_log_init(dbal__sqlite_log *log);
/* From now on this connection copies nothing back by itself. */
void dbal__sqlite_checkpoint_install(struct dbal__sqlite_connection *c);
dbal_upkeep dbal__sqlite_upkeep_wanted(void *connection);
bool dbal__sqlite_upkeep(void *connection, dbal_fault *fault);

#endif
