/* A dbal_loop on an event loop of its own, and waiting on it: what a test of a driver needs. */
#ifndef TESTS_LIB_LOOP_AWAIT_H
#define TESTS_LIB_LOOP_AWAIT_H

#include <ev.h>
#include <stdbool.h>

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
 * caller. Fails the test when that takes two minutes.
 */
dbal_outcome loop_fixture_await(loop_fixture *fixture, dbal_deferred *deferred);
/* Runs the event loop until something is true, with the same guard. */
void loop_fixture_until(loop_fixture *fixture, bool (*done)(void *arg), void *arg);

/* Time passes for dbal only when told from now on. */
void loop_fixture_drive(loop_fixture *fixture);
/* Lets so much time pass, and what is due happen. */
void loop_fixture_advance(loop_fixture *fixture, double seconds);

#endif
