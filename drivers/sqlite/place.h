/*
 * Where a database lies, for all pools of the process that have it open. SQLite goes on with the
 * file it once opened when that is deleted or another one is put in its place; this notices.
 */
#ifndef DBAL__SQLITE_PLACE_H
#define DBAL__SQLITE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

typedef struct dbal__sqlite_place dbal__sqlite_place;
struct dbal__sqlite_connection;

/* What a connection's files are, as seen from outside. */
typedef struct dbal__sqlite_files {
    uint64_t device, inode; /* of the database; 0: it is no file, or not opened yet */
    uint64_t log, memory;   /* the inodes of -wal and -shm, 0 without */
    int64_t look_at;        /* when to look again, nanoseconds of a coarse clock */
    unsigned generation;    /* of the place's files */
    bool anew;              /* it is being opened, the first one after the files were lost */
} dbal__sqlite_files;

/* The place of a path, counted; NULL without memory. Any thread. */
dbal__sqlite_place *dbal__sqlite_place_get(const char *path);
void dbal__sqlite_place_release(dbal__sqlite_place *place);

/*
 * Before a connection is opened. False with the fault set: another file has taken the place, and
 * opening it now would damage it.
 */
bool dbal__sqlite_place_enter(dbal__sqlite_place *place, dbal__sqlite_files *files,
                              dbal_fault *fault);
/* It was opened. */
void dbal__sqlite_place_opened(dbal__sqlite_place *place, dbal__sqlite_files *files);
/* It was closed, or could not be opened. */
void dbal__sqlite_place_leave(dbal__sqlite_place *place, dbal__sqlite_files *files);

/*
 * Before a statement: looks now and then whether a connection's files are still those of the place.
 * False with the fault set: they are not, and the connection is of no more use.
 */
bool dbal__sqlite_place_check(dbal__sqlite_place *place, dbal__sqlite_files *files,
                              dbal_fault *fault);
/* Looks now. True: they are no more. */
bool dbal__sqlite_place_is_lost(dbal__sqlite_place *place, dbal__sqlite_files *files);

#endif
