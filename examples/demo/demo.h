/*
 * The demonstration: loads Unicode's character table through a pool, then runs hundreds of queries
 * of mixed cost at once while a 1 ms timer ticks on the same loop, and measures what that timer and
 * dbal's own callbacks saw.
 */
#ifndef DEMO_H
#define DEMO_H

#include <dbal.h>
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEMO_QUERIES = 600 };

/* One line of the data; texts point into demo.text. */
typedef struct character {
    int64_t code, combining, upper; /* upper: -1 when it has none */
    const char *name, *category, *direction;
} character;

/* What a query of the concurrent part costs. */
typedef enum cost { POINT, SEARCH, GROUP, LARGE, LONG, COSTS } cost;

typedef struct demo demo;

/* One query of the concurrent part, and what its answer must be. */
typedef struct question {
    demo *demo;
    cost cost;
    const character *expected;
} question;

/* How the queries of one cost fared: seconds from asking to the first and the last answer. */
typedef struct tally {
    int answers;
    double first, last;
} tally;

struct demo {
    struct ev_loop *ev;
    dbal_loop *loop;
    dbal_pool *pool;
    dbal_deferred *work; /* everything but cleaning up: what a signal cancels */

    const char *url, *data; /* url: NULL until a place of its own is made */
    bool json, quick;
    char table[32], folder[256], own_url[300];
    ev_signal signals[3];
    int signal; /* the one that came, or 0 */
    bool created, ending;

    char *text;
    character *characters;
    size_t count, sent; /* rows there are, rows given to the database */
    dbal_connection *connection;

    question questions[DEMO_QUERIES];
    int answered, errors;
    tally tallies[COSTS];
    double asked, took; /* when the concurrent part began, and its seconds */
    int64_t steps;      /* how far the long query counts */
    size_t large;       /* rows of the large one */
    ev_timer tick;
    double due, lateness;

    dbal_loop_counts loop_counts;
    dbal_pool_counts pool_counts;
};

/* data.c: reading the file, before the loop runs, and loading it */
bool demo_read(demo *self);
dbal_outcome demo_create(dbal_connection *connection, void *arg);
dbal_outcome demo_load(dbal_outcome in, void *arg);

/* queries.c: the concurrent part */
dbal_outcome demo_calibrate(dbal_outcome in, void *arg);
dbal_outcome demo_ask(dbal_outcome in, void *arg);

/* report.c: for people and programs */
dbal_outcome demo_look(dbal_outcome in, void *arg);
dbal_outcome demo_failed(dbal_outcome in, void *arg); /* an errback: counts and tells */
bool demo_report(const demo *self);

/* main.c */
double demo_now(void);
/* Fails the chain when a signal has come; else a success. */
dbal_outcome demo_go_on(const demo *self);

#endif
