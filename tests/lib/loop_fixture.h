/* A dbal_loop for a test: on an event loop of its own, or bare and driven by hand. */
#ifndef TESTS_LIB_LOOP_FIXTURE_H
#define TESTS_LIB_LOOP_FIXTURE_H

#include <ev.h>
#include <stdbool.h>

#include "dbal/ready.h"
#include "tests/lib/log_lines.h"
#include <dbal/deferred.h>
#include <dbal/loop.h>

typedef struct loop_fixture {
    struct ev_loop *ev;
    dbal_loop *loop;
    log_lines log;
} loop_fixture;

void loop_fixture_init(loop_fixture *fixture);
/* Frees both loops. */
void loop_fixture_fini(loop_fixture *fixture);

/*
 * Runs the event loop until a Deferred has settled, and takes its outcome, to be cleared by the
 * caller. Fails the test when that takes half a minute.
 */
dbal_outcome loop_fixture_await(loop_fixture *fixture, dbal_deferred *deferred);
/* Runs the event loop until something is true, with the same guard. */
void loop_fixture_until(loop_fixture *fixture, bool (*done)(void *arg), void *arg);

/* Time passes for dbal only when told from now on. */
void loop_fixture_drive(loop_fixture *fixture);
/* Lets so much time pass, and what is due happen. */
void loop_fixture_advance(loop_fixture *fixture, double seconds);

/* What Deferreds live on, without an event loop: nothing happens but by bare_loop_run(). */
typedef struct bare_loop {
    dbal__ready ready;
    log_lines log;
} bare_loop;

/* Time passes only by bare_loop_advance(). */
void bare_loop_init(bare_loop *bare);
/* The loop's end: what is unsettled is closed. */
void bare_loop_fini(bare_loop *bare);

static inline dbal_loop *
bare_loop_of(bare_loop *bare)
{
    return (dbal_loop *)(void *)&bare->ready;
}

/* Runs what is ready until nothing is. */
void bare_loop_run(bare_loop *bare);
/* Lets time pass, fires what is due and runs what is ready. */
void bare_loop_advance(bare_loop *bare, double seconds);
/* Takes the reserve of Deferreds away, so that every one needs memory. */
void bare_loop_starve(bare_loop *bare);

#endif
