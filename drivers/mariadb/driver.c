#include "begin.h"
#include "connection.h"
#include "mariadb.h"
#include "meaning.h"

static const char *
version(void)
{
    return mysql_get_client_info();
}

/* A handle is one thread's at a time, and the library keeps memory for each of its threads. */
static int
threadlevel(const void *config)
{
    (void)config;
    return mysql_thread_safe() ? 1 : 0;
}

static unsigned
capabilities(const void *config)
{
    (void)config;
    return DBAL_CAN_INTERRUPT | DBAL_CAN_CANCEL | DBAL_CAN_STREAM | DBAL_CAN_SAVEPOINT |
           DBAL_CAN_RETURNING | DBAL_CAN_LAST_INSERT_ID;
}

static bool
library_init(dbal_fault *fault)
{
    if (mysql_library_init(0, NULL, NULL) == 0)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "58000",
                   "MariaDB's client library cannot be initialized");
    return false;
}

static const char *const schemes[] = {"mariadb", "mysql", NULL};

static const dbal_blocking blocking = {
    .size = sizeof(dbal_blocking),
    .library_init = library_init,
    .library_exit = NULL, /* the program may use the library too */
    .open = dbal__mariadb_open,
    .close = dbal__mariadb_close,
    .run = dbal__mariadb_run,
    .interrupt = dbal__mariadb_interrupt,
    .ping = dbal__mariadb_ping,
    .reset = dbal__mariadb_reset,
    .in_transaction = dbal__mariadb_in_transaction,
};

const dbal_driver dbal_mariadb_driver = {
    .size = sizeof(dbal_driver),
    .abi = DBAL_DRIVER_ABI,
    .name = "mariadb",
    .schemes = schemes,
    .settings = dbal__mariadb_settings,
    .dialect = DBAL_DIALECT_MYSQL,
    .paramstyle = DBAL_PARAMSTYLE_QMARK,
    .max_parameters = 65535,
    .connection_size = sizeof(dbal__mariadb_connection),
    .version = version,
    .configure = dbal__mariadb_configure,
    .configure_free = dbal__mariadb_configure_free,
    .threadlevel = threadlevel,
    .capabilities = capabilities,
    .classify = dbal__mariadb_classify,
    .begin = dbal__mariadb_begin,
    .blocking = &blocking,
    .native = NULL,
};
