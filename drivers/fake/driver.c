/*
 * A database that is none: answers, waits, fails and goes away as it is told, for the tests of programs
 * that use dbal.
 */
#include <string.h>

#include "words.h"

static bool
is_unwanted(const void *arg)
{
    return dbal_opening_stopped(arg);
}

static bool
open_fake(void *arg, dbal_opening *opening, dbal_fault *fault)
{
    fake_connection *self = arg;
    const fake_config *config = opening->config;
    if (!fake_store_sleep(config->store, config->connect_delay, opening->deadline, is_unwanted,
                          opening)) {
        dbal_fault_set(fault, DBAL_ERROR_TIMEOUT, "08001", "the connect took too long");
        dbal_fault_set_retryable(fault, true);
        return false;
    }
    if (fake_store_attempt(config->store) < config->refuse) {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001", "the connection was refused");
        dbal_fault_set_retryable(fault, true);
        return false;
    }
    self->config = config;
    opening->max_connections = config->connections;
    return true;
}

static void
close_fake(void *arg)
{
    (void)arg;
}

/* Its words, or NULL with the fault set. */
static const char *
find_words(fake_connection *self, dbal_request *request, dbal_fault *fault)
{
    static const char *const own[] = {"begin", "commit", "rollback", "savepoint", "release"};
    const char *sql = dbal_request_sql(request, NULL), *from = sql;
    fake_script *script = self->config->script;
    const char *words = script != NULL ? fake_script_words(script, sql) : sql;
    dbal_sql_token first = dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &from);
    for (size_t i = 0; words == NULL && i < sizeof own / sizeof own[0]; i++)
        if (dbal_sql_token_is(first, own[i]))
            words = sql;
    if (words == NULL)
        dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "42601",
                       "no line of the script is for: %.200s", sql);
    return words;
}

static bool
run_fake(void *arg, dbal_request *request, dbal_fault *fault)
{
    fake_connection *self = arg;
    fake_run run = {.connection = self, .request = request, .fault = fault};
    const fake_config *config = self->config;
    bool due = config->lose_after >= 0 && self->statements++ >= config->lose_after;
    run.words = due || self->lost ? "lose" : find_words(self, request, fault);
    if (run.words == NULL)
        return false;
    run.cursor = run.words;
    run.word.start = run.words;
    atomic_store(&self->struck, false);
    if (config->delay > 0)
        fake_run_sleep(&run, config->delay);
    return !run.failed && fake_words_run(&run);
}

/* Comes from another thread, while the statement sleeps perhaps. */
static void
interrupt_fake(void *arg)
{
    fake_connection *self = arg;
    atomic_store(&self->struck, true);
    fake_store_rouse(self->config->store);
}

static bool
ping_fake(void *arg, dbal_fault *fault)
{
    fake_connection *self = arg;
    if (!self->lost)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08006", "the connection was lost");
    dbal_fault_set_connection_lost(fault, true);
    return false;
}

static bool
reset_fake(void *arg, dbal_fault *fault)
{
    (void)fault;
    fake_connection_reset(arg);
    return true;
}

static bool
in_transaction(void *arg)
{
    return ((fake_connection *)arg)->in_transaction;
}

static const char *
version(void)
{
    return "1";
}

static unsigned
capabilities(const void *config)
{
    (void)config;
    return DBAL_CAN_INTERRUPT | DBAL_CAN_CANCEL | DBAL_CAN_STREAM | DBAL_CAN_SAVEPOINT |
           DBAL_CAN_RETURNING | DBAL_CAN_LAST_INSERT_ID | DBAL_CAN_DETACHED_RESULTS |
           DBAL_LIVES_HERE;
}

/* By its first word, be it of the fake's own or of SQL. */
static dbal_sql_class
classify(const void *config, const char *sql)
{
    static const struct {
        const char *word;
        unsigned kinds;
        const char *instead;
    } classes[] = {
        {"add", DBAL_SQL_WRITES, NULL},
        {"gain", DBAL_SQL_WRITES, NULL},
        {"insert", DBAL_SQL_WRITES, NULL},
        {"update", DBAL_SQL_WRITES, NULL},
        {"delete", DBAL_SQL_WRITES, NULL},
        {"begin", DBAL_SQL_SESSION | DBAL_SQL_BEGINS, "dbal_pool_transaction()"},
        {"commit", DBAL_SQL_SESSION, "dbal_pool_transaction()"},
        {"rollback", DBAL_SQL_SESSION, "dbal_pool_transaction()"},
        {"savepoint", DBAL_SQL_SESSION, "dbal_connection_savepoint()"},
        {"release", DBAL_SQL_SESSION, "dbal_connection_savepoint()"},
        {"setting", DBAL_SQL_SESSION, "dbal_pool_session()"},
        {"set", DBAL_SQL_SESSION, "dbal_pool_session()"},
    };
    (void)config;
    dbal_sql_token token = dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &sql);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (dbal_sql_token_is(token, classes[i].word))
            return (dbal_sql_class){classes[i].kinds, classes[i].instead};
    return (dbal_sql_class){.kinds = DBAL_SQL_READS};
}

static const char *
begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    (void)config, (void)isolation, (void)read_only, (void)deferrable, (void)fault;
    return "begin";
}

static const char *const schemes[] = {"fake", NULL};

static const dbal_blocking blocking = {
    .size = sizeof blocking,
    .open = open_fake,
    .close = close_fake,
    .run = run_fake,
    .interrupt = interrupt_fake,
    .ping = ping_fake,
    .reset = reset_fake,
    .in_transaction = in_transaction,
};

extern const dbal_driver dbal_fake_driver;
const dbal_driver dbal_fake_driver = {
    .size = sizeof dbal_fake_driver,
    .abi = DBAL_DRIVER_ABI,
    .name = "fake",
    .schemes = schemes,
    .settings = fake_settings,
    .dialect = DBAL_DIALECT_POSTGRESQL,
    .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
    .connection_size = sizeof(fake_connection),
    .version = version,
    .configure = fake_configure,
    .configure_free = fake_configure_free,
    .threadlevel = fake_threadlevel,
    .capabilities = capabilities,
    .classify = classify,
    .begin = begin,
    .blocking = &blocking,
};
