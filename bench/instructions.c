/*
 * Point selects for callgrind to count: as dbal has them or written by hand. Only what is done in
 * bench_counted() is to be counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg_point.h"
#include "place.h"

enum { FLIGHT = 64, WARM = 1000 };

static bench_lanes *lanes;
static bench_point_dbal ours;

void bench_counted(bool by_hand, int queries);

__attribute__((noinline)) void
bench_counted(bool by_hand, int queries)
{
    if (by_hand)
        bench_pg_point_run(lanes, queries, false);
    else
        bench_point_dbal_rate(&ours, queries, FLIGHT);
}

static void
by_hand(const char *url, int queries)
{
    lanes = bench_lanes_new(url, &(const bench_lane_kind){1, FLIGHT, 1}, bench_point_sql);
    bench_pg_point_run(lanes, WARM, false);
    bench_counted(true, queries);
    bench_lanes_free(lanes);
}

static void
by_dbal(const char *url, int queries)
{
    bench_point_dbal_begin_on(&ours, url, DBAL_POOL_OPTIONS(.max_size = 1));
    bench_point_dbal_rate(&ours, WARM, FLIGHT);
    bench_counted(false, queries);
    bench_point_dbal_end(&ours);
}

int
main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench-instructions hand|dbal URL QUERIES\n");
        return 2;
    }
    if (strcmp(argv[1], "hand") == 0)
        by_hand(argv[2], atoi(argv[3]));
    else
        by_dbal(argv[2], atoi(argv[3]));
    return 0;
}
