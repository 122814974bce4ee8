/*
 * Statements on PostgreSQL connections, written by hand with libpq on a libev loop: many in flight
 * on each of a few connections, or one after another.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include <ev.h>
#include <libpq-fe.h>
#include <stdbool.h>

typedef struct bench_lanes bench_lanes;

/* What is asked, and what is done with the answers. */
typedef struct bench_asking {
    /* Sends the next one, with nothing behind it; false: there is none left. */
    bool (*ask)(void *arg, PGconn *pg);
    void (*answer)(void *arg, const PGresult *result);
    void *arg;
} bench_asking;

/* How: so many connections, so many statements in flight on each, a Sync for so many of them. */
typedef struct bench_lane_kind {
    int lanes, flight, sync;
} bench_lane_kind;

/* One statement after another without a pipeline. */
extern const bench_lane_kind bench_lane_alone;

/* Connects; `prepare` is given to the server as the statement "it", on each connection. */
bench_lanes *bench_lanes_new(const char *url, const bench_lane_kind *kind, const char *prepare);
void bench_lanes_free(bench_lanes *lanes);
/* Asks until there is nothing left and all is answered. */
void bench_lanes_run(bench_lanes *lanes, const bench_asking *asking);

#endif
