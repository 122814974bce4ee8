/* A pool on a private PostgreSQL server, what became of its Deferreds, and what troubles them. */
#ifndef TESTS_FAULTS_POSTGRES_FIXTURE_H
#define TESTS_FAULTS_POSTGRES_FIXTURE_H

#include <check.h>
#include <dbal.h>

#include "tests/lib/chance.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/postgres.h"
#include "tests/lib/suite.h"

extern postgres server; /* started by main() */
extern loop_fixture fixture;
extern dbal_pool *pool;

/* Around each test. */
void fixture_init(void);
void fixture_fini(void);

/* Opens a pool at a URL, with parameters ("pool_max_size=1&…", "" for none); not yet ready. */
dbal_pool *open_at(const char *url, const char *parameters);
/* Opens `pool` at the server, and waits until it is ready. */
void open_pool(const char *parameters);

/* What became of a Deferred. */
typedef struct seen {
    int settled;
    dbal_error_class error_class; /* 0: a success */
    dbal_execution execution;
    bool connection_lost;
    char sqlstate[6], message[160];
    size_t rows;
    int64_t value; /* of the first cell, where that is a number */
    char text[64]; /* of the first cell */
    double at;     /* when, see seconds() */
} seen;

dbal_deferred *ask(const char *sql);
/* Watches; errors count as handled. */
dbal_deferred *watch(dbal_deferred *deferred, seen *one);
/* Runs the loop until it, or all of them, have settled. */
void until_settled(seen *one);
void until_all(seen *all, int count);
void until_true(const bool *flag);
/* Runs the loop for a while. */
void pass_time(double seconds);
/* Runs a statement, waits for it, and asserts that it worked; its first cell. */
int64_t number(const char *sql);
/* Asserts that it was a success, or failed so. */
void is_good(const seen *one);
void is_bad(const seen *one, dbal_error_class error_class, const char *sqlstate,
            dbal_execution execution);

/* It was lost with its connection, and nobody knows what became of it. */
void is_lost(const seen *one, const char *sqlstate);

/* Runs the loop until the server is at work on a statement; its backend's process. */
int64_t until_at_work(const char *sql);
void terminate(int64_t backend);

dbal_pool_counts counts(const dbal_pool *of);
/* Of the monotonic clock. */
double seconds(void);
/* Of this process, in bytes. */
size_t resident(void);
bool is_full_run(void);

/* Looks how long the loop is kept from coming back, by something else than a machine that is busy. */
typedef struct pulse {
    ev_timer timer;
    double last, worst;
    int statistics; /* the kernel's on this thread, or -1 */
} pulse;

void pulse_start(pulse *self);
/* The longest time it did not beat. */
double pulse_stop(pulse *self);

/* suite_add() with time for more, in seconds. */
void hunt_add(Suite *suite, const TTest *test, int timeout);

#endif
