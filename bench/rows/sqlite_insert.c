/* Inserts that commit by themselves, on a disk: beside a plain loop, and beside grouped commits. */
#include <ev.h>

#include "../clock.h"
#include "../insert.h"
#include "../place.h"
#include "../row.h"

/*
 * A run is long enough to copy the log back about once. Where many share a commit that takes more
 * inserts than where each has its own; where failures come, a number of hundreds.
 */
enum { FLIGHT = 64, PLAIN = 1500, SHARED = 12800 };

static const bench_insert_kind full = {"full", false};
static const bench_insert_kind failing = {"full", true};
static const bench_insert_kind normal = {"normal", false};

static bench_insert_hand hand;
static bench_insert_dbal ours;

static double
dbal_1(void)
{
    return bench_insert_dbal_rate(&ours, PLAIN, 1);
}

static double
dbal_64(void)
{
    return bench_insert_dbal_rate(&ours, SHARED, FLIGHT);
}

/* ---- a plain loop ---- */

static double
limit_plain(void)
{
    return bench_insert_plain_rate(&hand, PLAIN);
}

/* without a sync for each, so that a run of few would be over too soon to be measured */
static double
limit_normal(void)
{
    return bench_insert_plain_rate(&hand, SHARED);
}

static void
begin(const bench_insert_kind *kind)
{
    bench_insert_open(&hand, kind);
    bench_insert_dbal_begin(&ours, kind);
}

static void
begin_full(void)
{
    begin(&full);
}

static void
begin_failing(void)
{
    begin(&failing);
}

static void
begin_normal(void)
{
    begin(&normal);
}

static void
end(void)
{
    bench_insert_close(&hand);
    bench_insert_dbal_end(&ours);
}

/* ---- a hop to a thread, where all that waits shares a commit ---- */

static struct ev_loop *hop_loop;
static bench_hop hop;
static bench_insert inserts[FLIGHT];

static void
work(bench_item *item)
{
    bench_insert_step(&hand, (bench_insert *)(void *)item);
}

static void
execute(sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE)
        bench_fail("%s", sqlite3_errmsg(hand.db));
    sqlite3_reset(stmt);
}

static void
open_group(void)
{
    execute(hand.begin);
}

static void
close_group(void)
{
    execute(hand.commit);
}

static void
give(bench_insert *insert)
{
    insert->code = bench_insert_code(&hand.run);
    bench_hop_give(&hop, &insert->item);
}

static void
done(bench_item *item)
{
    bench_insert *insert = (bench_insert *)(void *)item;
    bench_insert_answer(&hand.run, insert);
    if (hand.run.to_give > 0)
        give(insert);
    else if (hand.run.to_answer == 0)
        ev_break(hop_loop, EVBREAK_ONE);
}

static double
limit_group(void)
{
    double began = bench_clock();
    bench_insert_start(&hand.run, SHARED);
    for (int i = 0; i < FLIGHT; i++)
        give(&inserts[i]);
    bench_hop_flush(&hop);
    ev_run(hop_loop, 0);
    double took = bench_clock() - began;
    bench_insert_check(&hand.run, SHARED);
    return SHARED / took;
}

static void
begin_group(void)
{
    begin(&full);
    hop_loop = ev_loop_new(EVFLAG_AUTO);
    bench_hop_begin(&hop, hop_loop, work, done);
    bench_hop_share(&hop, open_group, close_group);
}

static void
end_group(void)
{
    bench_hop_end(&hop);
    end();
    ev_loop_destroy(hop_loop);
}

/* ---- the rows ---- */

#define ROW(NAME, BEGIN, LIMIT, DBAL, END, SYNCS)                                                  \
    extern const bench_row bench_##NAME;                                                           \
    const bench_row bench_##NAME = {                                                               \
        .name = #NAME,                                                                             \
        .unit = "inserts/s",                                                                       \
        .begin = BEGIN,                                                                            \
        .limit = LIMIT,                                                                            \
        .dbal = DBAL,                                                                              \
        .end = END,                                                                                \
        .syncs = SYNCS,                                                                            \
    }

ROW(sqlite_insert_full, begin_full, limit_plain, dbal_64, end, true);
ROW(sqlite_insert_full_group, begin_group, limit_group, dbal_64, end_group, true);
ROW(sqlite_insert_full_failing, begin_failing, limit_plain, dbal_64, end, true);
ROW(sqlite_insert_full_1, begin_full, limit_plain, dbal_1, end, true);
ROW(sqlite_insert_normal, begin_normal, limit_normal, dbal_64, end, false);
