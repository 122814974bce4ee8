/* Inserts that commit by themselves, on PostgreSQL connections of a pool. */
#include <dbal.h>
#include <endian.h>
#include <ev.h>
#include <string.h>

#include "../clock.h"
#include "../lane.h"
#include "../place.h"
#include "../row.h"
#include "../server.h"

enum { INSERTS = 100000, FLIGHT = 64, LANES = 4 };

static const char sql[] = "insert into entry (code, name) values ($1, $2)";
static const char name[] = "item number 00000000";

static PGconn *control;
static bench_lanes *lanes;
static struct ev_loop *ev;
static dbal_loop *loop;
static dbal_pool *pool;
static int to_give, to_answer;

static void
start(void)
{
    bench_server_execute(control, "truncate entry");
    to_give = to_answer = INSERTS;
}

/* Each of them is in the table, and once. */
static void
check(void)
{
    if (to_answer != 0 ||
        bench_server_number(control, "select count(distinct code) from entry") != INSERTS ||
        bench_server_number(control, "select count(*) from entry") != INSERTS)
        bench_fail("the inserts made something else");
}

/* ---- by hand ---- */

static bool
give(void *arg, PGconn *pg)
{
    (void)arg;
    if (to_give == 0)
        return false;
    uint64_t code = htobe64((uint64_t)to_give--);
    const char *values[] = {(const char *)&code, name};
    static const int lengths[] = {sizeof code, sizeof name - 1}, formats[] = {1, 1};
    return PQsendQueryPrepared(pg, "it", 2, values, lengths, formats, 1) == 1;
}

static void
made(void *arg, const PGresult *result)
{
    (void)arg;
    /* not const in libpq 15 and 16, and yet not changed */
    if (strcmp(PQcmdTuples((PGresult *)(uintptr_t)result), "1") != 0)
        bench_fail("an insert made no row");
    to_answer--;
}

static double
limit(void)
{
    static const bench_asking asking = {give, made, NULL};
    start();
    double began = bench_clock();
    bench_lanes_run(lanes, &asking);
    double took = bench_clock() - began;
    check();
    return INSERTS / took;
}

/* ---- dbal ---- */

static void insert(void);

static dbal_outcome
inserted(dbal_outcome in, void *arg)
{
    const dbal_error *error = dbal_outcome_error(in);
    (void)arg;
    if (error != NULL)
        bench_fail("%s", dbal_error_message(error));
    if (dbal_result_affected(dbal_outcome_result(in)) != 1)
        bench_fail("an insert made no row");
    if (to_give > 0)
        insert();
    if (--to_answer == 0)
        ev_break(ev, EVBREAK_ONE);
    return in;
}

static void
insert(void)
{
    dbal_params row = DBAL_PARAMS(dbal_int64(to_give--), dbal_textn(name, sizeof name - 1));
    dbal_deferred_add_both(dbal_pool_query(pool, sql, row), inserted, NULL);
}

static double
dbal(void)
{
    start();
    double began = bench_clock();
    for (int i = 0; i < FLIGHT; i++)
        insert();
    ev_run(ev, 0);
    double took = bench_clock() - began;
    check();
    return INSERTS / took;
}

/* ---- the row ---- */

static void
begin(void)
{
    dbal_error *error = NULL;
    bench_server_begin();
    control = bench_server_connect(bench_server_url());
    bench_server_execute(control, "create table entry (id bigint generated always as identity "
                                  "primary key, code bigint not null, name text not null)");
    lanes = bench_lanes_new(bench_server_url(), &(const bench_lane_kind){LANES, FLIGHT / LANES, 1},
                            sql);
    ev = ev_loop_new(EVFLAG_AUTO);
    loop = dbal_loop_new(ev);
    pool = dbal_pool_open(loop, bench_server_url(), NULL, &error);
    if (pool == NULL)
        bench_fail("%s", dbal_error_message(error));
}

static void
end(void)
{
    bench_lanes_free(lanes);
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    bench_server_execute(control, "drop table entry");
    PQfinish(control);
}

extern const bench_row bench_pg_insert_100k;
const bench_row bench_pg_insert_100k = {
    "pg_insert_100k", "inserts/s", false, 15, begin, limit, dbal, end};
