#include "idle_driver.h"

#include <dbal/driver.h>

#include "place.h"

static const char *
version(void)
{
    return "0";
}

/* anything that is not NULL */
static int config;

static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    (void)url, (void)fault;
    return &config;
}

static void
configure_free(void *given)
{
    (void)given;
}

static int
threadlevel(const void *given)
{
    (void)given;
    return 1;
}

static unsigned
capabilities(const void *given)
{
    (void)given;
    return 0;
}

static dbal_sql_class
classify(const void *given, const char *sql)
{
    (void)given, (void)sql;
    return (dbal_sql_class){.kinds = DBAL_SQL_READS};
}

static const char *
begin(const void *given, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    (void)given, (void)isolation, (void)read_only, (void)deferrable, (void)fault;
    return "begin";
}

static bool
open_one(void *connection, dbal_opening *opening, dbal_fault *fault)
{
    (void)connection, (void)opening, (void)fault;
    return true;
}

static void
close_one(void *connection)
{
    (void)connection;
}

static bool
run(void *connection, dbal_request *request, dbal_fault *fault)
{
    (void)connection, (void)request, (void)fault;
    return true;
}

static bool
in_transaction(void *connection)
{
    (void)connection;
    return false;
}

static const dbal_blocking blocking = {
    .size = sizeof blocking,
    .open = open_one,
    .close = close_one,
    .run = run,
    .in_transaction = in_transaction,
};

/* ---- the same on the loop ---- */

static int
loop_threadlevel(const void *given)
{
    (void)given;
    return 2;
}

static void
attach(void *connection, dbal_host *host)
{
    (void)connection, (void)host;
}

static void
detach(void *connection)
{
    (void)connection;
}

static void
submit(void *connection, dbal_request *request)
{
    (void)connection;
    dbal_request_finish(request, true);
}

static void
step(void *connection, int slot, unsigned events)
{
    (void)connection, (void)slot, (void)events;
}

static const dbal_native native = {
    .size = sizeof native,
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .step = step,
};

/* ---- tables ---- */

static const char *const schemes[] = {"bench-idle", NULL};
static const char *const loop_schemes[] = {"bench-idle-loop", NULL};
static const char *const settings[] = {NULL};

static const dbal_driver driver = {
    .size = sizeof driver,
    .abi = DBAL_DRIVER_ABI,
    .name = "bench-idle",
    .schemes = schemes,
    .settings = settings,
    .dialect = DBAL_DIALECT_SQLITE,
    .paramstyle = DBAL_PARAMSTYLE_NUMBERED,
    .connection_size = 1,
    .version = version,
    .configure = configure,
    .configure_free = configure_free,
    .threadlevel = threadlevel,
    .capabilities = capabilities,
    .classify = classify,
    .begin = begin,
    .blocking = &blocking,
};

static const dbal_driver loop_driver = {
    .size = sizeof loop_driver,
    .abi = DBAL_DRIVER_ABI,
    .name = "bench-idle-loop",
    .schemes = loop_schemes,
    .settings = settings,
    .dialect = DBAL_DIALECT_SQLITE,
    .paramstyle = DBAL_PARAMSTYLE_NUMBERED,
    .connection_size = 1,
    .version = version,
    .configure = configure,
    .configure_free = configure_free,
    .threadlevel = loop_threadlevel,
    .capabilities = capabilities,
    .classify = classify,
    .begin = begin,
    .blocking = &blocking,
    .native = &native,
};

static dbal_pool *
open_pool(dbal_loop *loop, const char *url, int connections)
{
    static bool known;
    dbal_error *error = NULL;
    if (!known &&
        (!dbal_driver_register(&driver, &error) || !dbal_driver_register(&loop_driver, &error)))
        bench_fail("%s", dbal_error_message(error));
    known = true;
    dbal_pool *pool = dbal_pool_open(
        loop, url,
        DBAL_POOL_OPTIONS(.min_size = connections, .max_size = connections, .max_waiting = 100000),
        &error);
    if (pool == NULL)
        bench_fail("%s", dbal_error_message(error));
    return pool;
}

dbal_pool *
bench_idle_driver_pool(dbal_loop *loop, int connections)
{
    return open_pool(loop, "bench-idle:", connections);
}

dbal_pool *
bench_idle_driver_loop_pool(dbal_loop *loop, int connections)
{
    return open_pool(loop, "bench-idle-loop:", connections);
}
