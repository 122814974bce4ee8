/* Point selects by key, one after another. */
#include <ev.h>

#include "../clock.h"
#include "../point.h"
#include "../row.h"

enum { QUERIES = 5000 };

static struct ev_loop *limit_loop;
static bench_point_hand hand;
static bench_point_run run;
static bench_hop hop;
static bench_point one;
static bench_point_dbal ours;

static void
work(bench_item *item)
{
    bench_point_select(&hand, (bench_point *)(void *)item);
}

static void
ask(void)
{
    one.key = bench_point_key(&run);
    bench_hop_give(&hop, &one.item);
}

static void
done(bench_item *item)
{
    const bench_point *answer = (bench_point *)(void *)item;
    bench_point_answer(&run, answer->name, answer->price);
    if (run.to_ask > 0)
        ask();
    else
        ev_break(limit_loop, EVBREAK_ONE);
}

static double
limit(void)
{
    double began = bench_clock();
    bench_point_start(&run, QUERIES);
    ask();
    bench_hop_flush(&hop);
    ev_run(limit_loop, 0);
    double took = bench_clock() - began;
    bench_point_check(&run);
    return QUERIES / took;
}

static double
dbal(void)
{
    return bench_point_dbal_rate(&ours, QUERIES, 1);
}

static void
begin(void)
{
    bench_point_make();
    limit_loop = ev_loop_new(EVFLAG_AUTO);
    bench_point_open(&hand);
    bench_hop_begin(&hop, limit_loop, work, done);
    bench_point_dbal_begin(&ours);
}

static void
end(void)
{
    bench_hop_end(&hop);
    bench_point_close(&hand);
    bench_point_dbal_end(&ours);
    ev_loop_destroy(limit_loop);
}

extern const bench_row bench_sqlite_point_1;
const bench_row bench_sqlite_point_1 = {
    "sqlite_point_1", "queries/s", false, 0, begin, limit, dbal, end};
