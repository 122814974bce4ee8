/* Point selects by key on PostgreSQL: the table, and how they are asked by hand. */
#ifndef BENCH_PG_POINT_H
#define BENCH_PG_POINT_H

#include "lane.h"
#include "point.h"

/* Starts the server and makes the table. */
void bench_pg_point_make(void);

/* One run's questions by hand. `around`: BEGIN goes before the first, COMMIT behind the last. */
typedef struct bench_pg_point {
    bench_point_run run;
    bool around, begun;
} bench_pg_point;

/* Queries a second. */
double bench_pg_point_rate(bench_lanes *lanes, int queries, bool around);
/* Asks without a clock. */
void bench_pg_point_run(bench_lanes *lanes, int queries, bool around);

#endif
