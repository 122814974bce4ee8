/* Point selects by key, one after another. */
#include <dbal.h>
#include <ev.h>
#include <string.h>

#include "../clock.h"
#include "../database.h"
#include "../hop.h"
#include "../place.h"
#include "../row.h"

enum { QUERIES = 5000, KEYS = 100000, NAME = 32 };

static const char *const file = "point.db";
static const char *const fill =
    "create table item (id integer primary key, name text not null, price integer not null);"
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) "
    "insert into item select i, printf('item number %08d', i), i * 7 % 1000 from n";
static const char *const by_key = "select name, price from item where id = $1";

static struct ev_loop *limit_loop, *dbal_ev;
static dbal_loop *loop;
static dbal_pool *pool;
static int left;
static uint64_t random_state;
static int64_t sum;

/* the same keys in each run */
static int64_t
next_key(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((random_state >> 33) % KEYS) + 1;
}

static void
start(void)
{
    left = QUERIES;
    random_state = 1;
    sum = 0;
}

/* Both sides have read the same. */
static void
check_sum(void)
{
    static int64_t expected;
    if (expected == 0)
        expected = sum;
    if (left != 0 || sum != expected)
        bench_fail("the point selects gave something else");
}

/* ---- by hand ---- */

typedef struct point {
    bench_item item; /* first */
    int64_t key;
    char name[NAME];
    int64_t price;
} point;

static bench_hop hop;
static point one;
static sqlite3 *db;
static sqlite3_stmt *stmt;

static void
work(bench_item *item)
{
    point *asked = (point *)(void *)item;
    sqlite3_bind_int64(stmt, 1, asked->key);
    if (sqlite3_step(stmt) != SQLITE_ROW)
        bench_fail("%s", sqlite3_errmsg(db));
    const unsigned char *name = sqlite3_column_text(stmt, 0);
    size_t size = (size_t)sqlite3_column_bytes(stmt, 0);
    memcpy(asked->name, name, size < NAME ? size + 1 : NAME);
    asked->price = sqlite3_column_int64(stmt, 1);
    sqlite3_reset(stmt);
}

static void
ask(void)
{
    one.key = next_key();
    bench_hop_give(&hop, &one.item);
}

static void
done(bench_item *item)
{
    const point *answer = (point *)(void *)item;
    sum += answer->price + (int64_t)strlen(answer->name);
    if (--left > 0)
        ask();
    else
        ev_break(limit_loop, EVBREAK_ONE);
}

static double
limit(void)
{
    double began = bench_clock();
    start();
    ask();
    bench_hop_flush(&hop);
    ev_run(limit_loop, 0);
    double took = bench_clock() - began;
    check_sum();
    return QUERIES / took;
}

/* ---- dbal ---- */

static void query(void);

static dbal_outcome
show(dbal_outcome in, void *arg)
{
    dbal_result *rows = dbal_outcome_result(in);
    (void)arg;
    sum += dbal_result_int64(rows, 0, 1) + (int64_t)strlen(dbal_result_text(rows, 0, 0));
    if (--left > 0)
        query();
    return in;
}

static void
query(void)
{
    dbal_deferred *deferred = dbal_pool_query(pool, by_key, DBAL_PARAMS(dbal_int64(next_key())));
    dbal_deferred_add_callback(deferred, show, NULL);
}

static double
dbal(void)
{
    double began = bench_clock();
    start();
    query();
    ev_run(dbal_ev, 0);
    double took = bench_clock() - began;
    check_sum();
    return QUERIES / took;
}

static void
begin(void)
{
    bench_database_make(file, fill);
    limit_loop = ev_loop_new(EVFLAG_AUTO);
    db = bench_database_open(file);
    stmt = bench_database_prepare(db, by_key);
    bench_hop_begin(&hop, limit_loop, work, done);
    dbal_ev = ev_loop_new(EVFLAG_AUTO);
    loop = dbal_loop_new(dbal_ev);
    pool = bench_database_pool(loop, file);
}

static void
end(void)
{
    bench_hop_end(&hop);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    dbal_loop_free(loop);
    ev_loop_destroy(dbal_ev);
    ev_loop_destroy(limit_loop);
}

extern const bench_row bench_sqlite_point_1;
const bench_row bench_sqlite_point_1 = {
    "sqlite_point_1", "queries/s", false, 0, begin, limit, dbal, end};
