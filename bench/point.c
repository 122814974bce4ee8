#include "point.h"

#include "clock.h"
#include "database.h"
#include "place.h"

const char bench_point_file[] = "point.db";
static const char *const fill =
    "create table item (id integer primary key, name text not null, price integer not null);"
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) "
    "insert into item select i, printf('item number %08d', i), i * 7 % 1000 from n";
const char bench_point_sql[] = "select name, price from item where id = $1";

void
bench_point_check(const bench_point_run *run)
{
    if (run->to_answer != 0 || run->sum != run->expected)
        bench_fail("the point selects gave something else");
}

void
bench_point_make(void)
{
    bench_database_make(bench_point_file, fill);
}

/* ---- by hand ---- */

void
bench_point_open(bench_point_hand *hand)
{
    hand->db = bench_database_open(bench_point_file, "full");
    hand->select = bench_database_prepare(hand->db, bench_point_sql);
}

void
bench_point_close(bench_point_hand *hand)
{
    sqlite3_finalize(hand->select);
    sqlite3_close(hand->db);
}

void
bench_point_select(const bench_point_hand *hand, bench_point *point)
{
    sqlite3_stmt *stmt = hand->select;
    sqlite3_bind_int64(stmt, 1, point->key);
    if (sqlite3_step(stmt) != SQLITE_ROW)
        bench_fail("%s", sqlite3_errmsg(hand->db));
    const unsigned char *name = sqlite3_column_text(stmt, 0);
    size_t size = (size_t)sqlite3_column_bytes(stmt, 0);
    memcpy(point->name, name, size < BENCH_POINT_NAME ? size + 1 : BENCH_POINT_NAME);
    point->price = sqlite3_column_int64(stmt, 1);
    sqlite3_reset(stmt);
}

double
bench_point_plain_rate(const bench_point_hand *hand, int queries)
{
    bench_point_run run;
    bench_point point;
    double began = bench_clock();
    bench_point_start(&run, queries);
    while (run.to_ask > 0) {
        point.key = bench_point_key(&run);
        bench_point_select(hand, &point);
        bench_point_answer(&run, point.name, point.price);
    }
    double took = bench_clock() - began;
    bench_point_check(&run);
    return queries / took;
}

/* ---- dbal ---- */

static void query(bench_point_dbal *dbal);

static void
all_answered(bench_point_dbal *dbal)
{
    dbal_deferred *all = dbal->all;
    dbal->all = NULL;
    if (all == NULL)
        ev_break(dbal->ev, EVBREAK_ONE);
    else
        dbal_deferred_fire(all, dbal_done());
}

static dbal_outcome
show(dbal_outcome in, void *arg)
{
    bench_point_dbal *dbal = arg;
    dbal_result *rows = dbal_outcome_result(in);
    bench_point_answer(&dbal->run, dbal_result_text(rows, 0, 0), dbal_result_int64(rows, 0, 1));
    if (dbal->run.to_ask > 0)
        query(dbal);
    else if (dbal->run.to_answer == 0)
        all_answered(dbal);
    return in;
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    (void)arg;
    bench_fail("%s", dbal_error_message(dbal_outcome_error(in)));
}

static dbal_deferred *
ask(bench_point_dbal *dbal, dbal_params key)
{
    if (dbal->connection != NULL)
        return dbal_connection_query(dbal->connection, bench_point_sql, key);
    if (dbal->read_only)
        return dbal_pool_run(dbal->pool,
                             DBAL_QUERY(.sql = bench_point_sql, .params = key, .read_only = true));
    return dbal_pool_query(dbal->pool, bench_point_sql, key);
}

static void
query(bench_point_dbal *dbal)
{
    dbal_params key = DBAL_PARAMS(dbal_int64(bench_point_key(&dbal->run)));
    dbal_deferred_add_callbacks(ask(dbal, key), show, complain, dbal);
}

static void
begin(bench_point_dbal *dbal)
{
    *dbal = (bench_point_dbal){.ev = ev_loop_new(EVFLAG_AUTO)};
    dbal->loop = dbal_loop_new(dbal->ev);
}

void
bench_point_dbal_begin(bench_point_dbal *dbal)
{
    begin(dbal);
    dbal->pool = bench_database_pool(dbal->loop, bench_point_file, "full");
}

void
bench_point_dbal_begin_on(bench_point_dbal *dbal, const char *url, const dbal_pool_options *options)
{
    dbal_error *error = NULL;
    begin(dbal);
    dbal->pool = dbal_pool_open(dbal->loop, url, options, &error);
    if (dbal->pool == NULL)
        bench_fail("%s", dbal_error_message(error));
}

void
bench_point_dbal_end(bench_point_dbal *dbal)
{
    dbal_loop_free(dbal->loop);
    ev_loop_destroy(dbal->ev);
}

double
bench_point_dbal_rate(bench_point_dbal *dbal, int queries, int flight)
{
    double began = bench_clock();
    bench_point_start(&dbal->run, queries);
    for (int i = 0; i < flight; i++)
        query(dbal);
    ev_run(dbal->ev, 0);
    double took = bench_clock() - began;
    bench_point_check(&dbal->run);
    return queries / took;
}

static dbal_outcome
work(dbal_connection *connection, void *arg)
{
    bench_point_dbal *dbal = arg;
    dbal->connection = connection;
    dbal->all = dbal_deferred_new(dbal->loop, NULL, NULL);
    dbal_outcome answered = dbal_wait(dbal->all);
    for (int i = 0; i < dbal->flight; i++)
        query(dbal);
    return answered;
}

static dbal_outcome
committed(dbal_outcome in, void *arg)
{
    bench_point_dbal *dbal = arg;
    dbal->connection = NULL;
    ev_break(dbal->ev, EVBREAK_ONE);
    return in;
}

double
bench_point_dbal_rate_within(bench_point_dbal *dbal, int queries, int flight)
{
    double began = bench_clock();
    dbal->flight = flight;
    bench_point_start(&dbal->run, queries);
    dbal_deferred_add_callbacks(dbal_pool_transaction(dbal->pool, NULL, work, dbal), committed,
                                complain, dbal);
    ev_run(dbal->ev, 0);
    double took = bench_clock() - began;
    bench_point_check(&dbal->run);
    return queries / took;
}
