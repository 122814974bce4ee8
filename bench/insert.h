/* Inserts that commit by themselves: the table, what each gives, dbal's side, what is common by hand. */
#ifndef BENCH_INSERT_H
#define BENCH_INSERT_H

#include <dbal.h>
#include <ev.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "hop.h"

/* What a row inserts, and how. */
typedef struct bench_insert_kind {
    const char *synchronous; /* the pragma's word */
    bool failing;            /* one in a hundred meets a unique index, and that code once more */
} bench_insert_kind;

/*
 * The inserts of one side into a file of its own: which are still to come, and what they made. A
 * run goes on where the one before it ended.
 */
typedef struct bench_insert_run {
    int to_give, to_answer;
    int64_t code;          /* the next */
    int64_t made, ids;     /* rows of this run, and the sum of their ids */
    int64_t total, failed; /* rows of all runs; failures of this one */
    bool failing;
} bench_insert_run;

void bench_insert_start(bench_insert_run *run, int inserts);
/* The next one's code; only while there are some to give. */
int64_t bench_insert_code(bench_insert_run *run);
void bench_insert_made(bench_insert_run *run, int64_t changed, int64_t id);
void bench_insert_failed(bench_insert_run *run);
/* Ends the program unless each had its answer, and the right one. */
void bench_insert_check(bench_insert_run *run, int inserts);

extern const char bench_insert_sql[], bench_insert_name[];

/* Makes a file for the runs of one side. */
void bench_insert_make(const char *file, bench_insert_run *run, const bench_insert_kind *kind);

/* ---- by hand ---- */

typedef struct bench_insert_hand {
    sqlite3 *db;
    sqlite3_stmt *insert, *begin, *commit;
    bench_insert_run run;
} bench_insert_hand;

/* An insert on its way to a thread and back. */
typedef struct bench_insert {
    bench_item item; /* first */
    int64_t code, changed, id;
    bool failed;
} bench_insert;

void bench_insert_open(bench_insert_hand *hand, const bench_insert_kind *kind);
void bench_insert_close(bench_insert_hand *hand);
/* Runs one and says in it what came of it. */
void bench_insert_step(const bench_insert_hand *hand, bench_insert *insert);
/* Inserts a second of a plain loop. */
double bench_insert_plain_rate(bench_insert_hand *hand, int inserts);
/* Takes what came of it. */
void bench_insert_answer(bench_insert_run *run, const bench_insert *insert);

/* ---- dbal ---- */

typedef struct bench_insert_dbal {
    struct ev_loop *ev;
    dbal_loop *loop;
    dbal_pool *pool;
    bench_insert_run run;
} bench_insert_dbal;

void bench_insert_dbal_begin(bench_insert_dbal *dbal, const bench_insert_kind *kind);
void bench_insert_dbal_end(bench_insert_dbal *dbal);
/* Inserts a second, with so many of them in flight. */
double bench_insert_dbal_rate(bench_insert_dbal *dbal, int inserts, int flight);

#endif
