/*
 * A driver in a shared object that answers everything with one row, which holds 42; or one that is
 * wrong in the way that the build file says (BREAK_…). Its scheme is what its file is called, so
 * that each copy of the file is a driver of its own, or FIXED_SCHEME.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <dbal/driver.h>

#ifndef OTHER_SCHEME
#define OTHER_SCHEME NULL
#endif
#ifndef LEVEL
#define LEVEL 1
#endif
#ifndef BREAK_TABLE
#define BREAK_TABLE(face) face
#endif
#ifndef BREAK_FACE
#define BREAK_FACE(function) function
#endif

static const char *
version(void)
{
    return "9.8.7";
}

/* anything that is not NULL */
static int plain;

static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    (void)url, (void)fault;
    return &plain;
}

static void
configure_free(void *config)
{
    (void)config;
}

static int
threadlevel(const void *config)
{
    (void)config;
    return LEVEL;
}

static unsigned
capabilities(const void *config)
{
    (void)config;
    return DBAL_CAN_RETURNING;
}

static dbal_sql_class
classify(const void *config, const char *sql)
{
    (void)config, (void)sql;
    return (dbal_sql_class){.kinds = DBAL_SQL_READS};
}

static const char *
begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    (void)config, (void)isolation, (void)read_only, (void)deferrable, (void)fault;
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
    (void)connection, (void)fault;
#ifdef BREAK_SYMBOL
    extern bool nobody_has_this_function(dbal_request * request);
    if (nobody_has_this_function(request))
        return false;
#endif
    return dbal_request_column(request, "n", DBAL_INT64) &&
           dbal_request_integer(request, DBAL_INT64, 42) && dbal_request_row(request);
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
    .run = BREAK_FACE(run),
    .in_transaction = in_transaction,
};

static char name[64];
static const char *const schemes[] = {name, OTHER_SCHEME, NULL};
static const char *const settings[] = {NULL};

static const dbal_driver driver = {
#ifdef BREAK_SIZE
    .size = sizeof driver - 1,
#else
    .size = sizeof driver,
#endif
#ifdef BREAK_ABI
    .abi = DBAL_DRIVER_ABI + 77,
    .name = (const char *)1, /* nobody may look */
#else
    .abi = DBAL_DRIVER_ABI,
    .name = name,
#endif
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
    .blocking = BREAK_TABLE(&blocking),
};

/* It is the linker that makes this before there is a second thread in here. */
__attribute__((constructor)) static void
find_name(void)
{
#ifdef FIXED_SCHEME
    strcpy(name, FIXED_SCHEME);
#else
    Dl_info about;
    if (dladdr(&driver, &about) == 0)
        return;
    const char *base = strrchr(about.dli_fname, '/');
    sscanf(base != NULL ? base + 1 : about.dli_fname, "dbal-%63[^.]", name);
#endif
}

#if defined BREAK_ENTRY
DBAL_DRIVER_VISIBLE const dbal_driver *dbal_driver_entrance(void);

const dbal_driver *
dbal_driver_entrance(void)
{
    return &driver;
}
#elif defined BREAK_GIFT
DBAL_DRIVER_VISIBLE const dbal_driver *dbal_driver_entry(void);

const dbal_driver *
dbal_driver_entry(void)
{
    return driver.size == 0 ? &driver : NULL;
}
#else
DBAL_DRIVER_MODULE(driver);
#endif
