/* What a URL asks of SQLite, read once for a pool; immutable afterwards but for the log. */
#ifndef DBAL__SQLITE_CONFIG_H
#define DBAL__SQLITE_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

#include "checkpoint.h"
#include "option.h"
#include "place.h"

typedef enum dbal__sqlite_mode {
    DBAL__SQLITE_RWC,
    DBAL__SQLITE_RW,
    DBAL__SQLITE_RO
} dbal__sqlite_mode;

typedef struct dbal__sqlite_config {
    dbal__sqlite_mode mode;
    bool memory; /* the path is ":memory:" */
    bool full_mutex;
    bool foreign_keys;
    bool sharing;             /* statements that wait together share snapshots and commits */
    const char *journal_mode; /* constants, as PRAGMA takes them */
    bool journal_given;       /* in the URL */
    const char *synchronous;
    int64_t busy_timeout;  /* nanoseconds */
    int64_t cache_kib;     /* 0: SQLite's own default */
    int64_t wal_limit;     /* bytes */
    dbal__sqlite_log *log; /* what changes: the log's length */
    dbal__sqlite_options options;
    atomic_bool checked, *was_checked; /* the content, see check.c; it changes too */
    dbal__sqlite_place *place;         /* NULL in memory */
    atomic_bool there, *was_there;     /* the file; not to be made again then */
    const char *vfs;                   /* its name, behind the path; NULL: SQLite's default one */
    char path[];                       /* absolute, or ":memory:" */
} dbal__sqlite_config;

/* the names of the URL parameters, NULL at the end */
extern const char *const dbal__sqlite_settings[];

void *dbal__sqlite_configure(const dbal_url *url, dbal_fault *fault);
void dbal__sqlite_configure_free(void *config);

#endif
