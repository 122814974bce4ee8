#include <stdio.h>

#include "config.h"
#include "connection.h"
#include "meaning.h"
#include "odbc.h"

/* of ODBC: unixODBC tells its own only to who has a connection */
static const char *
version(void)
{
    static const char text[] = {'0' + ODBCVER / 0x100, '.', '0' + ODBCVER / 0x10 % 0x10,
                                '0' + ODBCVER % 0x10, '\0'};
    return text;
}

static int
threadlevel(const void *config)
{
    const dbal__odbc_config *c = config;
    return dbal__odbc_threading_level(c != NULL ? c->threading
                                                : dbal__odbc_threading_of(NULL, NULL));
}

static unsigned
capabilities(const void *config)
{
    const dbal__odbc_config *c = config;
    unsigned can = DBAL_CAN_STREAM | DBAL_CAN_SAVEPOINT;
    /* where everything is one thread's, so is SQLCancel() */
    if (c == NULL || c->threading != DBAL__ODBC_LOCKS_ENVIRONMENT)
        can |= DBAL_CAN_INTERRUPT | DBAL_CAN_CANCEL;
    return can;
}

#define EACH(level)                                                                                \
    {                                                                                              \
        "begin" level, "begin" level " read only"                                                  \
    }

/* what dbal__odbc_meaning_begins() reads again; nothing of it is ever sent */
static const char *
begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    static const char *const statements[][2] = {
        [DBAL_ISOLATION_DEFAULT] = EACH(""),
        [DBAL_READ_COMMITTED] = EACH(" isolation level read committed"),
        [DBAL_REPEATABLE_READ] = EACH(" isolation level repeatable read"),
        [DBAL_SERIALIZABLE] = EACH(" isolation level serializable"),
    };
    (void)config, (void)deferrable;
    if ((size_t)isolation >= sizeof statements / sizeof statements[0]) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "there is no isolation level %d",
                       (int)isolation);
        return NULL;
    }
    return statements[isolation][read_only];
}

static const char *const schemes[] = {"odbc", NULL};
/* what else a URL has goes into the connection string */
static const char *const settings[] = {"driver", "filedsn", NULL};

static const dbal_blocking blocking = {
    .size = sizeof(dbal_blocking),
    .library_init = NULL, /* each connection has an environment of its own */
    .library_exit = NULL,
    .open = dbal__odbc_open,
    .close = dbal__odbc_close,
    .run = dbal__odbc_run,
    .interrupt = dbal__odbc_interrupt,
    .ping = dbal__odbc_ping,
    .reset = dbal__odbc_reset,
    .in_transaction = dbal__odbc_in_transaction,
};

const dbal_driver dbal_odbc_driver = {
    .size = sizeof(dbal_driver),
    .abi = DBAL_DRIVER_ABI,
    .name = "odbc",
    .schemes = schemes,
    .settings = settings,
    .dialect = DBAL_DIALECT_POSTGRESQL, /* only the text is cut so: what differs is rare */
    .paramstyle = DBAL_PARAMSTYLE_QMARK,
    .max_parameters = 0, /* the database decides */
    .connection_size = sizeof(dbal__odbc_connection),
    .version = version,
    .configure = dbal__odbc_configure,
    .configure_free = dbal__odbc_configure_free,
    .threadlevel = threadlevel,
    .capabilities = capabilities,
    .classify = dbal__odbc_classify,
    .begin = begin,
    .blocking = &blocking,
    .native = NULL,
};
