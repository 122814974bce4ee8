#include <stdio.h>

#include "begin.h"
#include "config.h"
#include "connection.h"
#include "meaning.h"
#include "postgres.h"
#include "spell.h"

static const char *
version(void)
{
    static char text[16];
    int number = PQlibVersion();
    snprintf(text, sizeof text, "%d.%d", number / 10000, number % 10000);
    return text;
}

/* A PGconn may move between threads, never in two at once. */
static int
threadlevel(const void *config)
{
    (void)config;
    return PQisthreadsafe() ? 2 : 0;
}

static unsigned
capabilities(const void *config)
{
    unsigned can = DBAL_CAN_INTERRUPT | DBAL_CAN_CANCEL | DBAL_CAN_STREAM | DBAL_CAN_PIPELINE |
                   DBAL_CAN_SAVEPOINT | DBAL_CAN_RETURNING | DBAL_CAN_ARRAY | DBAL_CAN_POOLER |
                   DBAL_CAN_COPY;
    /* a pooler gives each transaction another session */
    const dbal__postgres_config *c = config;
    bool pooler = c != NULL && c->pooler;
    return can | (pooler ? 0u : DBAL_CAN_NOTIFY);
}

static const char *const schemes[] = {"postgresql", "postgres", NULL};

static const dbal_blocking blocking = {
    .size = sizeof(dbal_blocking),
    .open = dbal__postgres_open,
    .close = dbal__postgres_close,
    .run = dbal__postgres_run,
    .interrupt = dbal__postgres_interrupt,
    .ping = dbal__postgres_ping,
    .reset = dbal__postgres_reset,
    .in_transaction = dbal__postgres_in_transaction,
};

const dbal_driver dbal_postgres_driver = {
    .size = sizeof(dbal_driver),
    .abi = DBAL_DRIVER_ABI,
    .name = "postgres",
    .schemes = schemes,
    .settings = dbal__postgres_settings,
    .dialect = DBAL_DIALECT_POSTGRESQL,
    .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
    .max_parameters = 65535,
    .connection_size = sizeof(dbal__postgres_connection),
    .version = version,
    .configure = dbal__postgres_configure,
    .configure_free = dbal__postgres_configure_free,
    .threadlevel = threadlevel,
    .capabilities = capabilities,
    .classify = dbal__postgres_classify,
    .begin = dbal__postgres_begin,
    .blocking = &blocking,
    .native = &dbal__postgres_native,
    .speller = dbal__postgres_spell,
};
