/* A dbal_loop for a test: on an event loop of its own, or bare and driven by hand. */
#ifndef TESTS_LIB_LOOP_FIXTURE_H
#define TESTS_LIB_LOOP_FIXTURE_H

#include "dbal/ready.h"
#include "tests/lib/loop_await.h"

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
