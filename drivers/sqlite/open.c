#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "connection.h"
#include "failure.h"
#include "wait.h"

/* ---- the session's settings ---------------------------------------------------------------------- */

static int
execute(dbal__sqlite_connection *c, const char *sql)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL);
}

static int
execute_with(dbal__sqlite_connection *c, const char *format, const char *word)
{
    char sql[128];
    sqlite3_snprintf(sizeof sql, sql, format, word);
    return execute(c, sql);
}

static void
set_switches(dbal__sqlite_connection *c)
{
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, c->config->foreign_keys ? 1 : 0, NULL);
}

int
dbal__sqlite_setup(dbal__sqlite_connection *c)
{
    set_switches(c);
    int code = dbal__sqlite_options_set(c);
    if (code == SQLITE_OK)
        code = execute_with(c, "pragma synchronous = %s", c->config->synchronous);
    if (code == SQLITE_OK && c->config->cache_kib != 0) {
        char sql[64];
        sqlite3_snprintf(sizeof sql, sql, "pragma cache_size = -%lld",
                         (long long)c->config->cache_kib);
        code = execute(c, sql);
    }
    return code;
}

/* ---- the journal --------------------------------------------------------------------------------- */

static int
store_word(void *arg, int columns, char **cells, char **names)
{
    (void)names;
    if (columns == 1 && cells[0] != NULL)
        sqlite3_snprintf(16, arg, "%s", cells[0]);
    return 0;
}

/* whether the journal mode is what it is */
static bool
is_fixed(const dbal__sqlite_connection *c)
{
    return c->config->memory || sqlite3_db_readonly(c->db, "main") == 1;
}

/* asks for the journal mode, and reads what it became: a failure is not always an error */
static int
set_journal(dbal__sqlite_connection *c, char *ret_mode)
{
    char sql[64];
    if (is_fixed(c))
        sqlite3_snprintf(sizeof sql, sql, "pragma journal_mode");
    else
        sqlite3_snprintf(sizeof sql, sql, "pragma journal_mode = %s", c->config->journal_mode);
    int code = sqlite3_exec(c->db, sql, store_word, ret_mode, NULL);
    /* two that change it at once get a BUSY without a call of the handler */
    for (int i = 0; (code & 0xff) == SQLITE_BUSY && dbal__sqlite_wait_once(c, i); i++)
        code = sqlite3_exec(c->db, sql, store_word, ret_mode, NULL);
    return code;
}

/* ---- opening ------------------------------------------------------------------------------------- */

static int
flags_of(const dbal__sqlite_config *config)
{
    static const int modes[] = {
        [DBAL__SQLITE_RWC] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [DBAL__SQLITE_RW] = SQLITE_OPEN_READWRITE,
        [DBAL__SQLITE_RO] = SQLITE_OPEN_READONLY,
    };
    int flags = modes[config->mode];
    /* one that has gone must not be taken for one that was always empty */
    if (atomic_load(config->was_there) && !config->memory)
        flags &= ~SQLITE_OPEN_CREATE;
    return flags | (config->full_mutex ? SQLITE_OPEN_FULLMUTEX : SQLITE_OPEN_NOMUTEX);
}

/* SQLite would open a FIFO and wait for ever */
static bool
may_be_a_database(const dbal__sqlite_config *config)
{
    struct stat status;
    return config->memory || stat(config->path, &status) != 0 || S_ISREG(status.st_mode);
}

/* a row whose id is the table's own key was made; tables WITHOUT ROWID do not call it */
static void
on_update(void *arg, int what, const char *database, const char *table, sqlite3_int64 rowid)
{
    dbal__sqlite_connection *c = arg;
    (void)database, (void)table;
    if (what != SQLITE_INSERT)
        return;
    c->inserted = true;
    c->same_id = c->same_id || rowid == c->id_before;
}

static int
touch(dbal__sqlite_connection *c)
{
    return execute(c, "select 1 from sqlite_schema limit 1");
}

/* SQLite's code; the handle may be there in any case */
static int
open_handle(dbal__sqlite_connection *c)
{
    const dbal__sqlite_config *config = c->config;
    if (!may_be_a_database(config))
        return SQLITE_CANTOPEN;
    int code = sqlite3_open_v2(config->path, &c->db, flags_of(config), config->vfs);
    if (c->db != NULL)
        sqlite3_extended_result_codes(c->db, 1);
    if (code != SQLITE_OK)
        return c->db != NULL ? sqlite3_extended_errcode(c->db) : code;
    dbal__sqlite_wait_install(c);
    code = dbal__sqlite_setup(c);
    /* nothing has touched the file so far: what is wrong with it shall be known now */
    if (code == SQLITE_OK)
        code = touch(c);
    sqlite3_update_hook(c->db, on_update, c);
    if (code == SQLITE_OK && config->mode != DBAL__SQLITE_RO && !config->memory)
        dbal__sqlite_checkpoint_install(c);
    return code;
}

static void
note_journal(const dbal__sqlite_config *config, const char *mode, bool fixed, dbal_opening *opening)
{
    if (strcmp(mode, config->journal_mode) != 0 && (config->journal_given || !fixed))
        dbal_opening_note(opening, "%s: journal_mode is %s, not %s%s", config->path, mode,
                          config->journal_mode, config->journal_given ? " as the URL asks" : "");
}

/* What is done once it is known that there is a database; SQLite's code. */
static int
settle(dbal__sqlite_connection *c, char *ret_mode, dbal_opening *opening)
{
    int code = set_journal(c, ret_mode);
    /* the log of one that has just come into WAL mode is opened with the next look at it */
    if (code == SQLITE_OK)
        code = touch(c);
    /* only now: it would have refused journal_mode=off */
    if (code == SQLITE_OK)
        code = dbal__sqlite_options_lock(c);
    if (code != SQLITE_OK)
        return code;
    note_journal(c->config, ret_mode, is_fixed(c), opening);
    dbal__sqlite_options_compare(c, opening);
    return code;
}

/*
 * By device and inode; without opening the file, since closing it would drop SQLite's locks. What a
 * VFS of the program's calls a path may be no file: then its place names it.
 */
static bool
name_token(const dbal__sqlite_config *config, dbal_opening *opening)
{
    struct stat status;
    uint64_t device = 0, inode = (uintptr_t)config->place;
    if (stat(config->path, &status) == 0) {
        device = status.st_dev;
        inode = status.st_ino;
    } else if (config->vfs == NULL) {
        return false;
    }
    memcpy(opening->token, &device, sizeof device);
    memcpy(opening->token + sizeof device, &inode, sizeof inode);
    opening->token_size = sizeof device + sizeof inode;
    opening->token_timeout = (double)config->busy_timeout / 1e9;
    return true;
}

/* what the core has to know; false when the file is gone again */
static bool
describe(dbal__sqlite_connection *c, const char *mode, dbal_opening *opening)
{
    const dbal__sqlite_config *config = c->config;
    opening->token_size = 0;
    opening->max_connections = 0;
    if (config->mode == DBAL__SQLITE_RO)
        return true;
    if (strcmp(mode, "wal") != 0)
        opening->max_connections = 1;
    opening->sole = config->memory;
    if (config->memory)
        return true;
    c->has_token = name_token(config, opening);
    return c->has_token;
}

bool
dbal__sqlite_open(void *connection, dbal_opening *opening, dbal_fault *fault)
{
    dbal__sqlite_connection *c = connection;
    char mode[16] = "", damage[DBAL__SQLITE_DAMAGE] = "";
    c->config = opening->config;
    if (opening->again)
        atomic_store(c->config->was_there, true);
    c->busy_timeout = c->config->busy_timeout;
    if (!dbal__sqlite_place_enter(c->config->place, &c->files, fault))
        return false;
    dbal__sqlite_wait_begin(c, NULL, opening->deadline);
    int code =
        dbal__sqlite_cache_init(&c->cache, opening->statement_cache) ? SQLITE_OK : SQLITE_NOMEM;
    if (code == SQLITE_OK)
        code = open_handle(c);
    if (code == SQLITE_OK)
        code = dbal__sqlite_check(c, damage);
    if (code == SQLITE_OK)
        code = settle(c, mode, opening);
    if (code == SQLITE_OK && !describe(c, mode, opening))
        code = SQLITE_CANTOPEN;
    if (code != SQLITE_OK) {
        dbal__sqlite_failure_open(c, code, damage, fault);
        dbal__sqlite_close(c);
        return false;
    }
    dbal__sqlite_place_opened(c->config->place, &c->files);
    atomic_store(c->config->was_there, true);
    dbal__sqlite_wait_end(c);
    return true;
}

/*
 * One at a time: the last connection to a file copies its log back and removes it only when no
 * other is there, and two that leave together each see the other.
 */
static pthread_mutex_t leaving = PTHREAD_MUTEX_INITIALIZER;

/* False: another one hangs, or hung when the process was forked; a log that stays does no harm. */
static bool
wait_to_leave(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    return pthread_mutex_timedlock(&leaving, &until) == 0;
}

void
dbal__sqlite_close(void *connection)
{
    dbal__sqlite_connection *c = connection;
    if (c->cache.buckets != NULL)
        dbal__sqlite_cache_fini(&c->cache);
    sqlite3_finalize(c->begin);
    sqlite3_finalize(c->begin_writing);
    sqlite3_finalize(c->commit);
    sqlite3_finalize(c->rollback);
    /*
     * No statement of ours is left. There may be some of virtual tables, which sqlite3_close() lets
     * finalize their own: to do it for them would free them twice.
     *
     * The last one to close a database copies its log back. That is safe beside writers in other
     * connections and processes: SQLite does it only after it got the file's exclusive lock.
     */
    bool alone = wait_to_leave();
    if (c->db != NULL && dbal__sqlite_place_is_lost(c->config->place, &c->files))
        /* others may have written since: what is in a deleted log would undo it */
        sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(c->db);
    if (alone)
        pthread_mutex_unlock(&leaving);
    c->db = NULL;
    dbal__sqlite_place_leave(c->config->place, &c->files);
}
