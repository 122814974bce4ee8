/* A pool on a fake driver, with a clock that the test may drive. */
#ifndef TESTS_POOL_POOL_FIXTURE_H
#define TESTS_POOL_POOL_FIXTURE_H

#include <check.h>
#include <dbal.h>

#include "tests/lib/fake_script.h"
#include "tests/lib/loop_fixture.h"

extern loop_fixture fixture;
extern fake_script *script;
extern dbal_pool *pool;

/* Around each test. */
void pool_fixture_init(void);
void pool_fixture_fini(void);
/* Opens `fake:NAME?parameters`, or `native:…`, as the pool; not yet ready. */
void open_pool(const char *scheme, const char *parameters);
/* The same, ready, with the clock driven from then on. */
void open_driven(const char *scheme, const char *parameters);

dbal_deferred *ask(const char *sql);
void good(dbal_deferred *deferred);
/* Fails so; the message holds a text, unless that is NULL. */
void bad(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate,
         dbal_execution execution, const char *text);
int64_t number(const char *sql);

/* Runs the loop until a count of the script is at least so much. */
void until_count(const int *count, int least);
/* Runs the loop until the pool's connections, open now, are so many. */
void until_connections(int count);
dbal_pool_counts counts_now(void);
/* Runs all that can happen now, without time passing. */
void settle(void);

/* Lets time pass that the test drives, in turns of the loop which take so long. */
extern const double TURN;
void pass(double seconds);

/* An outcome that is looked at later: what became of a Deferred so far. */
typedef struct seen {
    int settled;
    dbal_error_class error_class; /* 0: a success */
    dbal_execution execution;
    int order; /* which of all that were watched it was, from 1 */
} seen;

/* Watches; errors count as handled. */
dbal_deferred *watch(dbal_deferred *deferred, seen *one);
/* Runs the loop until it has settled. */
void until_settled(seen *one);

/* A session whose work ends when the test ends it. */
typedef struct holder {
    dbal_connection *connection; /* once it is held */
    dbal_deferred *release;      /* ends the work, see let_go() */
    seen end;
} holder;

/* Asks for a connection to hold; the Deferred of the session. */
dbal_deferred *hold(holder *one);
void let_go(holder *one);
void until_held(holder *one);

#endif
