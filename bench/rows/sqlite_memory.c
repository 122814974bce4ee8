/* What a connection and a waiting statement take, each figure in a process of its own. */
#include <stddef.h>

#include "../memory_run.h"
#include "../row.h"

enum { PAIRS = 15 };

static double
connection_by_hand(void)
{
    return bench_memory_run("connection", "hand", NULL);
}

static double
connection_by_dbal(void)
{
    return bench_memory_run("connection", "dbal", NULL);
}

static double
statement_by_hand(void)
{
    return bench_memory_run("statement", "hand", NULL);
}

static double
statement_by_dbal(void)
{
    return bench_memory_run("statement", "dbal", NULL);
}

static double
idle_connection(void)
{
    return bench_memory_run("idle_connection", "dbal", NULL);
}

static double
queued(void)
{
    return bench_memory_run("queued", "dbal", NULL);
}

static void
nothing(void)
{
}

extern const bench_row bench_sqlite_connection_memory, bench_sqlite_statement_memory,
    bench_pool_idle_connection_memory, bench_pool_queued_memory;
const bench_row bench_pool_idle_connection_memory = {
    "pool_idle_connection_memory", "bytes", true, PAIRS, nothing, NULL, idle_connection, nothing};
const bench_row bench_pool_queued_memory = {
    "pool_queued_memory", "bytes", true, PAIRS, nothing, NULL, queued, nothing};
const bench_row bench_sqlite_connection_memory = {
    "sqlite_connection_memory", "bytes", true, PAIRS, nothing, connection_by_hand,
    connection_by_dbal,         nothing};
const bench_row bench_sqlite_statement_memory = {
    "sqlite_statement_memory", "bytes",           true,   PAIRS, nothing,
    statement_by_hand,         statement_by_dbal, nothing};
