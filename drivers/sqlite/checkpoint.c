#include "checkpoint.h"

#include <string.h>

#include "connection.h"
#include "failure.h"
#include "wait.h"

/* Pages: SQLite's own default, and how far it may go beyond it while writers keep coming. */
enum { STEP = 1000, PATIENCE = 3000 };

/* Beyond this a COMMIT copies it back after all: sessions have had all connections for long. */
enum { NOBODY_CAME = 4 * PATIENCE };

/* How long writers wait, at most, for readers of an old state to end; tried again a STEP later. */
static const int64_t readers_wait = 100000000;
enum { TRIES = 3 };

void
dbal__sqlite_log_init(dbal__sqlite_log *log)
{
    atomic_init(&log->pages, 0);
    atomic_init(&log->next, STEP);
    atomic_init(&log->most, 0);
    atomic_init(&log->stuck, 0);
}

static int
limit_of(const dbal__sqlite_connection *c)
{
    int64_t pages = c->config->wal_limit / (c->page_size > 0 ? c->page_size : 4096);
    return pages < STEP ? STEP : pages < INT32_MAX ? (int)pages : INT32_MAX;
}

static void
begins_anew(const dbal__sqlite_connection *c)
{
    dbal__sqlite_log *log = c->config->log;
    atomic_store(&log->next, STEP);
    atomic_store(&log->most, limit_of(c));
    atomic_store(&log->stuck, 0);
}

/* What SQLite calls after each commit that went to a log. */
static int
on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    dbal__sqlite_connection *c = arg;
    dbal__sqlite_log *log = c->config->log;
    if (strcmp(name, "main") != 0) {
        /* an attached one has nobody else */
        if (pages >= STEP)
            sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        return SQLITE_OK;
    }
    if (pages < atomic_load(&log->pages))
        begins_anew(c);
    atomic_store(&log->pages, pages);
    if (pages >= atomic_load(&log->next) + NOBODY_CAME) {
        sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        atomic_store(&log->next, pages + STEP);
    }
    return SQLITE_OK;
}

/* 0 when it cannot be asked */
static int
page_size_of(dbal__sqlite_connection *c)
{
    sqlite3_stmt *stmt;
    int size = 0;
    if (sqlite3_prepare_v2(c->db, "pragma page_size", -1, &stmt, NULL) != SQLITE_OK)
        return 0;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        size = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return size;
}

void
dbal__sqlite_checkpoint_install(dbal__sqlite_connection *c)
{
    int nothing = 0;
    c->page_size = page_size_of(c);
    atomic_compare_exchange_strong(&c->config->log->most, &nothing, limit_of(c));
    sqlite3_wal_hook(c->db, on_commit, c);
}

dbal_upkeep
dbal__sqlite_upkeep_wanted(void *connection)
{
    const dbal__sqlite_connection *c = connection;
    const dbal__sqlite_log *log = c->config->log;
    int pages = atomic_load(&log->pages), next = atomic_load(&log->next);
    if (pages < next)
        return DBAL_UPKEEP_NONE;
    bool now = pages >= next + PATIENCE || pages >= atomic_load(&log->most);
    return now ? DBAL_UPKEEP_NOW : DBAL_UPKEEP_LATER;
}

/* copies back what no reader's state forbids */
static int
copy_back(dbal__sqlite_connection *c, int mode, int *ret_length, int *ret_copied)
{
    return sqlite3_wal_checkpoint_v2(c->db, "main", mode, ret_length, ret_copied);
}

/*
 * Waits for the readers of old states, and empties the log. SQLite's own wait looks for a moment
 * when nobody reads at all, which readers that overlap never give it. But while nothing is written
 * new ones read the newest state, and once that is copied back they need the log no more: so old
 * ones are waited for first.
 */
static int
empty(dbal__sqlite_connection *c, int *ret_length, int *ret_copied)
{
    int code = SQLITE_OK;
    dbal__sqlite_wait_begin(c, NULL, dbal__sqlite_wait_clock() + readers_wait);
    for (int i = 0;; i++) {
        code = copy_back(c, SQLITE_CHECKPOINT_PASSIVE, ret_length, ret_copied);
        bool waits = code == SQLITE_OK && *ret_length > *ret_copied;
        if (!waits || !dbal__sqlite_wait_once(c, i))
            break;
    }
    if (code == SQLITE_OK && *ret_length == *ret_copied)
        code = copy_back(c, SQLITE_CHECKPOINT_TRUNCATE, ret_length, ret_copied);
    dbal__sqlite_wait_end(c);
    return code;
}

/* Readers kept it as it is, again and again: said then, and after twice as many times. */
static bool
is_stuck(dbal__sqlite_connection *c, int pages, dbal_fault *fault)
{
    dbal__sqlite_log *log = c->config->log;
    if (pages < limit_of(c))
        return true;
    atomic_store(&log->most, pages + STEP);
    int tries = atomic_fetch_add(&log->stuck, 1) + 1, times = tries / TRIES;
    if (tries % TRIES != 0 || (times & (times - 1)) != 0)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "55P03",
                   "%s-wal has grown to %lld kB, beyond wal_limit, and cannot be emptied: "
                   "somebody has been reading the same state of the database for long",
                   c->config->path, (long long)pages * c->page_size / 1024);
    return false;
}

bool
dbal__sqlite_upkeep(void *connection, dbal_fault *fault)
{
    dbal__sqlite_connection *c = connection;
    dbal__sqlite_log *log = c->config->log;
    bool too_long = atomic_load(&log->pages) >= atomic_load(&log->most);
    int length = 0, copied = 0;
    /* a deleted log must not be copied over what others have written since */
    if (dbal__sqlite_place_is_lost(c->config->place, &c->files))
        return dbal__sqlite_place_check(c->config->place, &c->files, fault);
    int code = too_long ? empty(c, &length, &copied)
                        : copy_back(c, SQLITE_CHECKPOINT_PASSIVE, &length, &copied);
    if (length < 0)
        length = 0;
    if (code == SQLITE_OK && length == 0) {
        atomic_store(&log->pages, 0);
        begins_anew(c);
        return true;
    }
    /* what is still there is not looked at again before it has grown by as much */
    atomic_store(&log->next, length + STEP);
    if ((code & 0xff) == SQLITE_BUSY || (code == SQLITE_OK && length > copied))
        return is_stuck(c, length > 0 ? length : atomic_load(&log->pages), fault);
    if (code == SQLITE_OK)
        return true;
    dbal__sqlite_failure_step(c, code, DBAL__SQLITE_OTHER, false, fault);
    return false;
}
