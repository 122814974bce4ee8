/* Point selects by key, 64 in flight: beside a plain loop, a hop to a thread, and a busy machine. */
#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../clock.h"
#include "../database.h"
#include "../place.h"
#include "../point.h"
#include "../row.h"

enum { FLIGHT = 64, QUERIES = 40000 };
/* more, since how a new thread is scheduled at first says little; fewer than two seconds hold */
enum { BUSY_QUERIES = 120000 };

static bench_point_hand hand;
static bench_point_run run;
static bench_point_dbal ours;

static double
dbal(void)
{
    return bench_point_dbal_rate(&ours, QUERIES, FLIGHT);
}

static double
dbal_busy(void)
{
    return bench_point_dbal_rate(&ours, BUSY_QUERIES, FLIGHT);
}

/* ---- a plain loop ---- */

static double
limit_loop(void)
{
    return bench_point_plain_rate(&hand, QUERIES);
}

static void
begin_loop(void)
{
    bench_point_make();
    bench_point_open(&hand);
    bench_point_dbal_begin(&ours);
}

static void
end_loop(void)
{
    bench_point_close(&hand);
    bench_point_dbal_end(&ours);
}

/* ---- a hop to a thread, which reads all that waits in one snapshot ---- */

static struct ev_loop *hop_loop;
static bench_hop hop;
static bench_point points[FLIGHT];
static sqlite3_stmt *snapshot, *commit;

static void
work(bench_item *item)
{
    bench_point_select(&hand, (bench_point *)(void *)item);
}

static void
execute(sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE)
        bench_fail("%s", sqlite3_errmsg(hand.db));
    sqlite3_reset(stmt);
}

static void
open_snapshot(void)
{
    execute(snapshot);
}

static void
close_snapshot(void)
{
    execute(commit);
}

static void
ask(bench_point *point)
{
    point->key = bench_point_key(&run);
    bench_hop_give(&hop, &point->item);
}

static void
done(bench_item *item)
{
    bench_point *point = (bench_point *)(void *)item;
    bench_point_answer(&run, point->name, point->price);
    if (run.to_ask > 0)
        ask(point);
    else if (run.to_answer == 0)
        ev_break(hop_loop, EVBREAK_ONE);
}

static double
limit_hop(void)
{
    double began = bench_clock();
    bench_point_start(&run, QUERIES);
    for (int i = 0; i < FLIGHT; i++)
        ask(&points[i]);
    bench_hop_flush(&hop);
    ev_run(hop_loop, 0);
    double took = bench_clock() - began;
    bench_point_check(&run);
    return QUERIES / took;
}

static void
begin_hop(void)
{
    begin_loop();
    snapshot = bench_database_prepare(hand.db, "begin");
    commit = bench_database_prepare(hand.db, "commit");
    hop_loop = ev_loop_new(EVFLAG_AUTO);
    bench_hop_begin(&hop, hop_loop, work, done);
    bench_hop_share(&hop, open_snapshot, close_snapshot);
}

static void
end_hop(void)
{
    bench_hop_end(&hop);
    sqlite3_finalize(snapshot);
    sqlite3_finalize(commit);
    end_loop();
    ev_loop_destroy(hop_loop);
}

/* ---- the same while a thread is busy: with a slow query of the pool's, or with nothing ---- */

static const char *const slow_sql =
    "with recursive n(i) as (select 1 union all select i + 1 from n "
    "where i < $1) select count(*) from n";
static const double slow_seconds = 2;
static int64_t slow_count;
static atomic_bool spinning;

static void *
spin(void *arg)
{
    while (atomic_load_explicit(&spinning, memory_order_relaxed))
        continue;
    return arg;
}

static double
limit_spin(void)
{
    pthread_t thread;
    atomic_store(&spinning, true);
    if (pthread_create(&thread, NULL, spin, NULL) != 0)
        bench_fail("no thread");
    double rate = dbal_busy();
    atomic_store(&spinning, false);
    pthread_join(thread, NULL);
    return rate;
}

static dbal_outcome
slow_ended(dbal_outcome in, void *arg)
{
    dbal_error *error = dbal_outcome_error(in);
    *(bool *)arg = true;
    if (error != NULL && !dbal_error_is(error, DBAL_ERROR_CANCELLED))
        bench_fail("%s", dbal_error_message(error));
    ev_break(ours.ev, EVBREAK_ONE);
    return dbal_done();
}

/* The slow query is cancelled when the others are done; if they wait for it, it has its two seconds. */
static double
dbal_slow(void)
{
    bool ended = false;
    dbal_params count = DBAL_PARAMS(dbal_int64(slow_count));
    dbal_deferred *slow = dbal_deferred_ref(dbal_pool_query(ours.pool, slow_sql, count));
    dbal_deferred_add_both(slow, slow_ended, &ended);
    double rate = dbal_busy();
    dbal_deferred_cancel(slow);
    while (!ended)
        ev_run(ours.ev, 0);
    dbal_deferred_unref(slow);
    return rate;
}

/* How far to count to be at it for two seconds. */
static int64_t
slow_counting(void)
{
    enum { SAMPLE = 200000 };
    sqlite3_stmt *stmt = bench_database_prepare(hand.db, slow_sql);
    double began = bench_clock();
    sqlite3_bind_int64(stmt, 1, SAMPLE);
    if (sqlite3_step(stmt) != SQLITE_ROW)
        bench_fail("%s", sqlite3_errmsg(hand.db));
    sqlite3_finalize(stmt);
    return (int64_t)(SAMPLE * slow_seconds / (bench_clock() - began));
}

static void
begin_slow(void)
{
    begin_loop();
    slow_count = slow_counting();
}

extern const bench_row bench_sqlite_point_64, bench_sqlite_point_64_hop, bench_sqlite_point_64_slow;
const bench_row bench_sqlite_point_64 = {"sqlite_point_64", "queries/s", false, 0,
                                         begin_loop,        limit_loop,  dbal,  end_loop};
const bench_row bench_sqlite_point_64_hop = {
    "sqlite_point_64_hop", "queries/s", false, 0, begin_hop, limit_hop, dbal, end_hop};
const bench_row bench_sqlite_point_64_slow = {
    "sqlite_point_64_slow", "queries/s", false, 0, begin_slow, limit_spin, dbal_slow, end_loop};
