/* What a PostgreSQL connection and a stream take, each figure in a process of its own. */
#include <stddef.h>

#include "../memory_run.h"
#include "../pg_fetch.h"
#include "../row.h"
#include "../server.h"

enum { PAIRS = 15 };

static double
connection_by_hand(void)
{
    return bench_memory_run("pg_connection", "hand", bench_server_url());
}

static double
connection_by_dbal(void)
{
    return bench_memory_run("pg_connection", "dbal", bench_server_url());
}

/* What a program should get along with for any number of rows. */
static double
allowed(void)
{
    return 32.0 * 1024 * 1024;
}

static double
fetch_by_dbal(void)
{
    return bench_memory_run("pg_fetch", "dbal", bench_server_url());
}

static void
nothing(void)
{
}

extern const bench_row bench_pg_connection_memory, bench_pg_fetch_memory;
const bench_row bench_pg_connection_memory = {
    "pg_connection_memory", "bytes", true, PAIRS, bench_server_begin, connection_by_hand,
    connection_by_dbal,     nothing};
const bench_row bench_pg_fetch_memory = {"pg_fetch_memory",   "bytes", true,          PAIRS,
                                         bench_pg_fetch_make, allowed, fetch_by_dbal, nothing};
