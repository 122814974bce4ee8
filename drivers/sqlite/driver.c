#include <stdatomic.h>

#include "config.h"
#include "connection.h"
#include "meaning.h"
#include "sqlite.h"

static const char *
version(void)
{
    return sqlite3_libversion();
}

/* ---- the thread level ---------------------------------------------------------------------------- */

enum { UNKNOWN, WITH_MUTEXES, WITHOUT };
static atomic_int mutexes = UNKNOWN;

/*
 * The program may have configured SQLite for one thread; only a connection shows it. Without the
 * memory for one nothing is learnt: it is asked again for the next pool.
 */
static bool
has_mutexes(void)
{
    int known = atomic_load(&mutexes);
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_FULLMUTEX;
    if (known == UNKNOWN && sqlite3_open_v2(":memory:", &db, flags, NULL) == SQLITE_OK) {
        known = sqlite3_db_mutex(db) != NULL ? WITH_MUTEXES : WITHOUT;
        atomic_store(&mutexes, known);
    }
    sqlite3_close(db);
    return known == WITH_MUTEXES;
}

static int
threadlevel(const void *config)
{
    const dbal__sqlite_config *c = config;
    int compiled = sqlite3_threadsafe();
    if (compiled == 0)
        return 0;
    if (!has_mutexes())
        return 0;
    return compiled == 1 && c != NULL && c->full_mutex ? 3 : 1;
}

/* ---- what it can do -------------------------------------------------------------------------------- */

static unsigned
capabilities(const void *config)
{
    const dbal__sqlite_config *c = config;
    unsigned can = DBAL_CAN_CANCEL | DBAL_CAN_STREAM | DBAL_CAN_SAVEPOINT |
                   DBAL_CAN_LAST_INSERT_ID | DBAL_CAN_BACKUP;
    if (sqlite3_libversion_number() >= 3035000)
        can |= DBAL_CAN_RETURNING;
    if (c != NULL && c->memory)
        can |= DBAL_LIVES_HERE;
    if (c != NULL && c->sharing)
        can |= DBAL_CAN_SHARE_SNAPSHOT | DBAL_CAN_SHARE_COMMIT;
    return can;
}

/* Every transaction is serializable. One that may write takes its lock at once: later it may fail. */
static const char *
begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    (void)config, (void)isolation, (void)deferrable, (void)fault;
    return read_only ? "begin" : "begin immediate";
}

static bool
library_init(dbal_fault *fault)
{
    if (sqlite3_initialize() == SQLITE_OK)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "58000", "SQLite cannot be initialized");
    return false;
}

static const char *const schemes[] = {"sqlite", NULL};

static const dbal_blocking blocking = {
    .size = sizeof(dbal_blocking),
    .library_init = library_init,
    .library_exit = NULL, /* the program may use SQLite too */
    .open = dbal__sqlite_open,
    .close = dbal__sqlite_close,
    .run = dbal__sqlite_run,
    .interrupt = NULL, /* the stop flag is seen by SQLite's busy and progress handlers */
    .reset = dbal__sqlite_reset,
    .in_transaction = dbal__sqlite_in_transaction,
    .share_begin = dbal__sqlite_share_begin,
    .share_holds = dbal__sqlite_share_holds,
    .share_end = dbal__sqlite_share_end,
    .upkeep_wanted = dbal__sqlite_upkeep_wanted,
    .upkeep = dbal__sqlite_upkeep,
    .backup = dbal__sqlite_backup,
};

const dbal_driver dbal_sqlite_driver = {
    .size = sizeof(dbal_driver),
    .abi = DBAL_DRIVER_ABI,
    .name = "sqlite",
    .schemes = schemes,
    .settings = dbal__sqlite_settings,
    .dialect = DBAL_DIALECT_SQLITE,
    .paramstyle = DBAL_PARAMSTYLE_NUMBERED,
    .max_parameters = 0, /* the build of SQLite decides; run() asks it */
    .connection_size = sizeof(dbal__sqlite_connection),
    .version = version,
    .configure = dbal__sqlite_configure,
    .configure_free = dbal__sqlite_configure_free,
    .threadlevel = threadlevel,
    .capabilities = capabilities,
    .classify = dbal__sqlite_classify,
    .begin = begin,
    .blocking = &blocking,
    .native = NULL,
};
