/*
 * The way of a statement, session or connection through its phases, for those who follow it: the
 * program's trace function and the histograms. Nobody does, and there are no journeys, unless the
 * pool's settings say so.
 */
#ifndef DBAL__JOURNEY_H
#define DBAL__JOURNEY_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/ready.h"
#include <dbal/outcome.h>
#include <dbal/trace.h>

typedef struct dbal__slot dbal__slot;
typedef struct dbal__ticket dbal__ticket;
typedef struct dbal__journey dbal__journey;
struct dbal_connection;

/* Events on their way to the program, see dbal__trace_fini(). */
typedef struct dbal__trace {
    dbal_trace_fn *fn; /* NULL: nobody is told */
    void *arg;
    dbal__task task;
    struct dbal__event *events;
    size_t told, count, room; /* of the events: those up to `told` are with the program */
} dbal__trace;

/*
 * Around what is asked before anything is done for journeys, or for what is slow: mostly it is not so.
 * The benchmarks compare it with a build where it never is.
 */
#ifdef DBAL_WITHOUT_JOURNEYS
#define DBAL__SELDOM(what) ((void)(what), false)
#else
#define DBAL__SELDOM(what) __builtin_expect(what, 0)
#endif

void dbal__trace_init(dbal_pool *pool, dbal_trace_fn *fn, void *arg);
/* What was not told is not told any more. */
void dbal__trace_fini(dbal_pool *pool);

/* A ticket is asked for: it queues. `connection`: of a statement in a session, or NULL. */
void dbal__journey_begin(dbal__ticket *ticket, const struct dbal_connection *connection);
/* On the loop, its connection takes it. Threads take work by themselves: their jobs say when. */
void dbal__journey_handed(dbal__ticket *ticket);
/* A session has got its connection: its statements are journeys of their own. */
void dbal__journey_granted(dbal__ticket *ticket);
/* It did nothing yet, and queues once more. */
void dbal__journey_again(dbal__ticket *ticket);
/* It settles so; harmless when its journey is over. The outcome is borrowed. */
void dbal__journey_end(dbal__ticket *ticket, dbal_outcome outcome);
/* Takes NULL. */
void dbal__journey_unref(dbal__journey *journey);

/* A connection is being opened; it is open, or not to be had: the error is borrowed, NULL for none. */
void dbal__journey_connecting(dbal__slot *slot);
void dbal__journey_connected(dbal__slot *slot, dbal_error *error);

#endif
