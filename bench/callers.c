/*
 * Throughput over callers: 1, 2, 4 … 1,024 callers, each of whom waits for an answer before asking
 * again, and a plain loop beside them. One line for each, with tabs: what, callers, dbal's rate,
 * the loop's. bench/plot draws it.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "disk.h"
#include "insert.h"
#include "place.h"
#include "point.h"
#include "quantile.h"

enum { CALLERS = 1024, TURNS = 7, SELECTS = 30000, INSERTS = 12800, PLAIN_INSERTS = 1500 };

static bench_point_hand point_hand;
static bench_point_dbal point_dbal;
static bench_insert_hand insert_hand;
static bench_insert_dbal insert_dbal;

static double
select_plainly(void)
{
    return bench_point_plain_rate(&point_hand, SELECTS);
}

static double
select_by_dbal(int callers)
{
    return bench_point_dbal_rate(&point_dbal, SELECTS, callers);
}

static double
insert_plainly(void)
{
    return bench_insert_plain_rate(&insert_hand, PLAIN_INSERTS);
}

/* the fewer callers, the fewer share a commit */
static double
insert_by_dbal(int callers)
{
    int inserts = PLAIN_INSERTS * callers < INSERTS ? PLAIN_INSERTS * callers : INSERTS;
    return bench_insert_dbal_rate(&insert_dbal, inserts, callers);
}

static void
measure(const char *what, int callers, double (*dbal)(int), double (*plain)(void))
{
    double ours[TURNS], plains[TURNS];
    dbal(callers);
    for (int i = 0; i < TURNS; i++) {
        plains[i] = plain();
        ours[i] = dbal(callers);
    }
    printf("%s\t%d\t%.0f\t%.0f\n", what, callers, bench_quantile(ours, TURNS, 0.5),
           bench_quantile(plains, TURNS, 0.5));
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    static const bench_insert_kind full = {"full", false};
    if (argc != 2) {
        fprintf(stderr, "usage: bench-callers DIR\n");
        return 2;
    }
    bench_place_begin(argv[1]);
    printf("sync\t1\t%.1f\t0\n", bench_disk_sync() * 1e6);
    bench_point_make();
    bench_point_open(&point_hand);
    bench_point_dbal_begin(&point_dbal);
    for (int callers = 1; callers <= CALLERS; callers *= 2)
        measure("selects", callers, select_by_dbal, select_plainly);
    bench_point_close(&point_hand);
    bench_point_dbal_end(&point_dbal);
    bench_insert_open(&insert_hand, &full);
    bench_insert_dbal_begin(&insert_dbal, &full);
    for (int callers = 1; callers <= CALLERS; callers *= 2)
        measure("inserts", callers, insert_by_dbal, insert_plainly);
    bench_insert_close(&insert_hand);
    bench_insert_dbal_end(&insert_dbal);
    bench_place_end();
    return 0;
}
