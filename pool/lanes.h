/*
 * Lanes: connections on the loop that statements share, and which of them one more joins. They are
 * packed by the time that one is expected to wait there, so that few connections have much to do,
 * about as much each, and a slow statement delays only those behind it.
 */
#ifndef DBAL__LANES_H
#define DBAL__LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/list.h"
#include <dbal/pool.h>

typedef struct dbal__slot dbal__slot;
typedef struct dbal__ticket dbal__ticket;

/* One connection's. */
typedef struct dbal__lane {
    dbal__list flying;  /* statements in flight, in order, by ticket->link */
    int64_t load;       /* what they are expected to take together, nanoseconds */
    int64_t since;      /* when the first of them became the one that runs */
    int sharers;        /* lanes at work then */
    int64_t warm_until; /* with nothing in flight, it counts as at work up to then */
    bool taken;         /* by a stream: nobody knows how long its consumer takes */
} dbal__lane;

/* A pool's. */
typedef struct dbal__lanes {
    int64_t wait_most; /* pipeline_wait in nanoseconds */
    int busy;          /* lanes with something in flight */
    int64_t median;    /* of what statements are expected to take, about; 0 until known */
    bool wished;       /* for one connection more, for what stands behind others meanwhile */
} dbal__lanes;

void dbal__lanes_init(dbal__lanes *lanes, double pipeline_wait);
/* Forgets what is in flight: the connection is freed. */
void dbal__lanes_drop(dbal__slot *slot);
/* Statements that may be in flight on one connection. */
unsigned dbal__lanes_depth(const dbal_pool *pool);
/*
 * The lane that a statement is to join now: of the busy ones where it will not wait long that with the
 * fewest, else an idle one, else the one with the shortest wait, and a connection more is opened. NULL:
 * there is none.
 */
dbal__slot *dbal__lanes_choose(dbal_pool *pool, int64_t now);
/* It is about to be handed to that lane. */
void dbal__lanes_join(dbal__ticket *ticket, dbal__slot *slot, int64_t now);
/* These jobs of a connection have ended, in this order, and come back next: learns from them. */
void dbal__lanes_landed(dbal__slot *slot, const dbal__list *jobs);
/* It has come back; harmless when that is known. */
void dbal__lanes_leave(dbal__ticket *ticket);

#endif
