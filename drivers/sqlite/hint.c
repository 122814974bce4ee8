#include "hint.h"

#include <stddef.h>

static const char damaged[] =
    "restore the database from a copy, or save what can be read with the sqlite3 program's "
    ".recover; PRAGMA integrity_check lists what is damaged. What is not damaged can still be read";
static const char disk[] = "look at the system's log and at the disk; the connection stays in use, "
                           "and the next statement tries again";
static const char locks[] = "file locks failed: the database may lie on a network file system that "
                            "has none; move it to a local disk";
static const char memory[] = "the -shm file beside the database cannot be made or used: its folder "
                             "needs space and permission, and a file system with shared memory; "
                             "journal_mode=delete works without";

static const struct {
    int code; /* extended ones first, see failure.c */
    const char *hint;
    const char *doing;
} known[] = {
    {SQLITE_IOERR_READ, disk, "reading"},
    {SQLITE_IOERR_SHORT_READ, disk, "reading: the file is shorter than it has to be"},
    {SQLITE_IOERR_WRITE, disk, "writing"},
    {SQLITE_IOERR_FSYNC, disk, "syncing"},
    {SQLITE_IOERR_DIR_FSYNC, disk, "syncing the folder"},
    {SQLITE_IOERR_TRUNCATE, disk, "changing the file's size"},
    {SQLITE_IOERR_FSTAT, disk, "looking at the file"},
    {SQLITE_IOERR_DELETE, disk, "deleting a journal"},
    {SQLITE_IOERR_ACCESS, disk, "looking for a journal"},
    {SQLITE_IOERR_CLOSE, disk, "closing the file"},
    {SQLITE_IOERR_RDLOCK, locks, "locking"},
    {SQLITE_IOERR_LOCK, locks, "locking"},
    {SQLITE_IOERR_UNLOCK, locks, "unlocking"},
    {SQLITE_IOERR_CHECKRESERVEDLOCK, locks, "looking at the locks"},
    {SQLITE_IOERR_SHMOPEN, memory, "opening the shared memory"},
    {SQLITE_IOERR_SHMSIZE, memory, "making the shared memory"},
    {SQLITE_IOERR_SHMLOCK, memory, "locking the shared memory"},
    {SQLITE_IOERR_SHMMAP, memory, "mapping the shared memory"},
    {SQLITE_IOERR_GETTEMPPATH,
     "SQLite finds no folder for temporary files: set SQLITE_TMPDIR or TMPDIR to one that can be "
     "written",
     "making a temporary file"},
    {SQLITE_IOERR, disk, NULL},
    {SQLITE_FULL,
     "free space where the database lies, or raise PRAGMA max_page_count if that is the limit; the "
     "next statement tries again",
     NULL},
    {SQLITE_READONLY_DBMOVED, "put the file back, or open a new pool", NULL},
    {SQLITE_READONLY,
     "the pool has mode=ro, or the file, its folder or its file system cannot be written", NULL},
    {SQLITE_CANTOPEN,
     "the file, its journal or a temporary file cannot be opened: permissions, a "
     "read-only place, or too many open files",
     NULL},
    {SQLITE_CORRUPT, damaged, NULL},
    {SQLITE_NOTADB, damaged, NULL},
};

enum { KNOWN = sizeof known / sizeof known[0] };

static size_t
find(int code)
{
    size_t i = 0;
    while (i < KNOWN && known[i].code != code && known[i].code != (code & 0xff))
        i++;
    return i;
}

const char *
dbal__sqlite_hint_of(int code)
{
    size_t i = find(code);
    return i < KNOWN ? known[i].hint : NULL;
}

const char *
dbal__sqlite_hint_doing(int code)
{
    size_t i = find(code);
    return i < KNOWN ? known[i].doing : NULL;
}

int
dbal__sqlite_hint_cause(sqlite3 *db, int code)
{
    int primary = code & 0xff;
    if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
        return 0;
    /* SQLite keeps whatever errno there was: only a system call that failed has set it */
    if (code == SQLITE_IOERR_SHORT_READ || sqlite3_extended_errcode(db) != code)
        return 0;
    return sqlite3_system_errno(db);
}
