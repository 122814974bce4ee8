/* Point selects by key: the file they read, their keys, dbal's side and what is common by hand. */
#ifndef BENCH_POINT_H
#define BENCH_POINT_H

#include <dbal.h>
#include <ev.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

#include "hop.h"

enum { BENCH_POINT_KEYS = 100000, BENCH_POINT_NAME = 32 };

/* One run: which keys are still to come, and what the answers came to. The same keys each time. */
typedef struct bench_point_run {
    int to_ask, to_answer;
    uint64_t random;
    int64_t sum, expected;
} bench_point_run;

static inline void
bench_point_start(bench_point_run *run, int queries)
{
    *run = (bench_point_run){.to_ask = queries, .to_answer = queries, .random = 1};
}

/* Only while there are some to ask. */
static inline int64_t
bench_point_key(bench_point_run *run)
{
    run->random = run->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    int64_t key = (int64_t)((run->random >> 33) % BENCH_POINT_KEYS) + 1;
    run->expected += key * 7 % 1000 + (int64_t)strlen("item number 00000000");
    run->to_ask--;
    return key;
}

static inline void
bench_point_answer(bench_point_run *run, const char *name, int64_t price)
{
    run->sum += price + (int64_t)strlen(name);
    run->to_answer--;
}

/* Ends the program unless every query had its answer. */
void bench_point_check(const bench_point_run *run);

extern const char bench_point_file[], bench_point_sql[];

/* Makes the file. */
void bench_point_make(void);

/* ---- by hand ---- */

typedef struct bench_point_hand {
    sqlite3 *db;
    sqlite3_stmt *select;
} bench_point_hand;

/* A query on its way to a thread and back. */
typedef struct bench_point {
    bench_item item; /* first */
    int64_t key;
    char name[BENCH_POINT_NAME];
    int64_t price;
} bench_point;

void bench_point_open(bench_point_hand *hand);
void bench_point_close(bench_point_hand *hand);
void bench_point_select(const bench_point_hand *hand, bench_point *point);
/* Queries a second of a plain loop. */
double bench_point_plain_rate(const bench_point_hand *hand, int queries);

/* ---- dbal ---- */

typedef struct bench_point_dbal {
    struct ev_loop *ev;
    dbal_loop *loop;
    dbal_pool *pool;
    dbal_connection *connection; /* asked instead of the pool, or NULL */
    bool read_only;              /* said of each query */
    dbal_deferred *all;          /* fires when the last is answered; or NULL: the loop ends */
    int flight;
    bench_point_run run;
} bench_point_dbal;

void bench_point_dbal_begin(bench_point_dbal *dbal);
/* On another database. */
void bench_point_dbal_begin_on(bench_point_dbal *dbal, const char *url,
                               const dbal_pool_options *options);
void bench_point_dbal_end(bench_point_dbal *dbal);
/* Queries a second, with so many of them in flight. */
double bench_point_dbal_rate(bench_point_dbal *dbal, int queries, int flight);
/* The same in one transaction. */
double bench_point_dbal_rate_within(bench_point_dbal *dbal, int queries, int flight);

#endif
