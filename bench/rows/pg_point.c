/* Point selects by key on PostgreSQL: so many in flight, on so many connections, with which Sync. */
#include <stddef.h>

#include "../clock.h"
#include "../pg_point.h"
#include "../row.h"
#include "../server.h"

enum { FLIGHT = 64, QUERIES = 40000, QUERIES_1 = 5000 };

static bench_lanes *lanes;
static bench_point_dbal ours;

static void
begin(const bench_lane_kind *kind, int connections)
{
    bench_pg_point_make();
    lanes = bench_lanes_new(bench_server_url(), kind, bench_point_sql);
    bench_point_dbal_begin_on(&ours, bench_server_url(),
                              DBAL_POOL_OPTIONS(.max_size = connections));
}

static void
end(void)
{
    bench_lanes_free(lanes);
    bench_point_dbal_end(&ours);
}

/* ---- how: one connection or the pool's, a Sync for each or for some ---- */

static void
begin_point(void)
{
    begin(&(const bench_lane_kind){1, FLIGHT, 1}, 1);
}

static void
begin_pool(void)
{
    begin(&(const bench_lane_kind){4, FLIGHT / 4, 1}, 0);
}

static void
begin_read_only(void)
{
    begin(&(const bench_lane_kind){1, FLIGHT, FLIGHT / 4}, 1);
    ours.read_only = true;
}

static void
begin_transaction(void)
{
    begin(&(const bench_lane_kind){1, FLIGHT, FLIGHT}, 1);
}

static void
begin_1(void)
{
    begin(&bench_lane_alone, 1);
}

/* ---- queries a second ---- */

static double
limit_64(void)
{
    return bench_pg_point_rate(lanes, QUERIES, false);
}

static double
dbal_64(void)
{
    return bench_point_dbal_rate(&ours, QUERIES, FLIGHT);
}

static double
limit_transaction(void)
{
    return bench_pg_point_rate(lanes, QUERIES, true);
}

static double
dbal_transaction(void)
{
    return bench_point_dbal_rate_within(&ours, QUERIES, FLIGHT);
}

static double
limit_1(void)
{
    return bench_pg_point_rate(lanes, QUERIES_1, false);
}

static double
dbal_1(void)
{
    return bench_point_dbal_rate(&ours, QUERIES_1, 1);
}

/* ---- what they cost the program, in microseconds a query ---- */

static double
cost(double (*run)(void), int queries)
{
    double began = bench_cpu();
    run();
    return (bench_cpu() - began) / queries * 1e6;
}

static double
limit_64_cpu(void)
{
    return cost(limit_64, QUERIES);
}

static double
dbal_64_cpu(void)
{
    return cost(dbal_64, QUERIES);
}

static double
limit_1_cpu(void)
{
    return cost(limit_1, QUERIES_1);
}

static double
dbal_1_cpu(void)
{
    return cost(dbal_1, QUERIES_1);
}

/* ---- the same driver on the loop and in threads: a figure, how much its native face is worth ---- */

enum { LINKS = 4 };
static bench_point_dbal threads;

static void
begin_gates(void)
{
    bench_pg_point_make();
    bench_point_dbal_begin_on(&ours, bench_server_url(), DBAL_POOL_OPTIONS(.max_size = LINKS));
    bench_point_dbal_begin_on(&threads, bench_server_url(),
                              DBAL_POOL_OPTIONS(.max_size = LINKS, .gate = DBAL_GATE_THREAD));
}

static double
limit_thread(void)
{
    return bench_point_dbal_rate(&threads, QUERIES, FLIGHT);
}

static void
end_gates(void)
{
    bench_point_dbal_end(&ours);
    bench_point_dbal_end(&threads);
}

extern const bench_row bench_pg_loop_vs_thread;
const bench_row bench_pg_loop_vs_thread = {"pg_loop_vs_thread", "queries/s",  false,   0,
                                           begin_gates,         limit_thread, dbal_64, end_gates};

/* ---- the rows ---- */

#define ROW(NAME, UNIT, COST, BEGIN, LIMIT, DBAL)                                                  \
    extern const bench_row bench_##NAME;                                                           \
    const bench_row bench_##NAME = {                                                               \
        .name = #NAME,                                                                             \
        .unit = UNIT,                                                                              \
        .cost = COST,                                                                              \
        .begin = BEGIN,                                                                            \
        .limit = LIMIT,                                                                            \
        .dbal = DBAL,                                                                              \
        .end = end,                                                                                \
    }

ROW(pg_point_64, "queries/s", false, begin_point, limit_64, dbal_64);
ROW(pg_point_64_cpu, "us/query", true, begin_point, limit_64_cpu, dbal_64_cpu);
ROW(pg_pool_64, "queries/s", false, begin_pool, limit_64, dbal_64);
ROW(pg_pool_64_cpu, "us/query", true, begin_pool, limit_64_cpu, dbal_64_cpu);
ROW(pg_point_64_read_only, "queries/s", false, begin_read_only, limit_64, dbal_64);
ROW(pg_transaction_64, "queries/s", false, begin_transaction, limit_transaction, dbal_transaction);
ROW(pg_point_1, "queries/s", false, begin_1, limit_1, dbal_1);
ROW(pg_point_1_cpu, "us/query", true, begin_1, limit_1_cpu, dbal_1_cpu);
