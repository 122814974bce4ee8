/* libzdb with threads behind an event loop: point selects and inserts, 64 in flight. */
#ifndef BENCH_PEERS_WITH_ZDB_H
#define BENCH_PEERS_WITH_ZDB_H

#include <stdbool.h>
#include <zdb.h>

#include "../insert.h"
#include "../point.h"
#include "threads.h"

enum { PEERS_FLIGHT = 64 };

/* One query on its way. */
typedef struct peers_query {
    peers_job job; /* first */
    struct peers_zdb *zdb;
    bench_point point;
    bench_insert insert;
} peers_query;

typedef struct peers_zdb {
    int threads;
    bool keeps; /* each thread keeps a connection and a statement; otherwise anew for each query */
    bool inserts; /* or selects */
    URL_T url;
    ConnectionPool_T pool;
    peers_threads crew;
    peers_query queries[PEERS_FLIGHT];
    bench_point_run points;
    bench_insert_run rows;
} peers_zdb;

/* `file` is made for inserts; that of the selects is there. */
void peers_zdb_begin(peers_zdb *zdb, const char *file);
void peers_zdb_end(peers_zdb *zdb);
/* Queries a second. */
double peers_zdb_rate(peers_zdb *zdb, int queries);

#endif
