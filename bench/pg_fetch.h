/* A million rows on PostgreSQL: the table, what they add up to, and dbal's side. */
#ifndef BENCH_PG_FETCH_H
#define BENCH_PG_FETCH_H

#include <dbal.h>
#include <ev.h>

#include "place.h"

enum { BENCH_PG_ROWS = 1000000 };

extern const char bench_pg_fetch_sql[];

/* Starts the server and makes the table, unless it is there. */
void bench_pg_fetch_make(void);

/* What has come so far. */
typedef struct bench_pg_cells {
    int64_t rows, ids;
    double prices;
    size_t bytes;
} bench_pg_cells;

static inline void
bench_pg_cells_add(bench_pg_cells *cells, int64_t id, double price, const char *name, size_t size)
{
    cells->rows++;
    cells->ids += id;
    cells->prices += price;
    cells->bytes += size + (name[0] == 'i'); /* it is read */
}

/* Ends the program unless it was all of them. */
void bench_pg_cells_check(const bench_pg_cells *cells);

typedef struct bench_pg_fetching {
    struct ev_loop *ev;
    dbal_loop *loop;
    dbal_pool *pool;
    bench_pg_cells cells;
} bench_pg_fetching;

void bench_pg_fetch_begin(bench_pg_fetching *fetch, const char *url);
void bench_pg_fetch_end(bench_pg_fetching *fetch);
/* Streams them all. */
void bench_pg_fetch_run(bench_pg_fetching *fetch);

#endif
