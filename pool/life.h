/*
 * How long a pool's connections live, and how many it keeps. One timer of the pool looks at all of
 * them: at what was not needed, at what is too old, at who holds what for too long.
 */
#ifndef DBAL__LIFE_H
#define DBAL__LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/clock.h"
#include "dbal/list.h"

typedef struct dbal_pool dbal_pool;
typedef struct dbal__slot dbal__slot;

/* Whether a connection is to be replaced, and why. */
typedef enum dbal__age { DBAL__AGE_YOUNG, DBAL__AGE_OLD, DBAL__AGE_DRAINED } dbal__age;

/* Whether it was used since a certain moment. */
typedef struct dbal__use {
    bool used;      /* not the thread gate's */
    unsigned taken; /* work its thread had begun by then; the thread gate's */
} dbal__use;

/* One connection's. */
typedef struct dbal__span {
    dbal__age age;
    unsigned generation; /* the pool's when it was begun */
    dbal__use idle;      /* since the last look at what is idle */
    dbal__use lately;    /* since the last look at what others could have */
    unsigned unused;     /* looks in a row that found it unused */
    int64_t retire_at;   /* by max_lifetime; drawn once */
} dbal__span;

/* A pool's. */
typedef struct dbal__life {
    dbal__timer timer;
    int64_t idle_at;  /* the next look at what is idle; DBAL__NEVER: there is nothing to gain */
    int64_t yield_at; /* the next at what others could have; DBAL__NEVER: nobody asks */
    dbal__slot *replacement; /* opening or open, and the old one is not gone yet; or NULL */
    dbal__slot *leaving;     /* closing, its place is taken; or NULL */
    bool refills;            /* nothing was opened yet for what is leaving */
    bool lingers;            /* it was at work when it was closed */
    dbal__slot *passing; /* closing beside it, and nothing was opened yet in its place; or NULL */
    bool owes;           /* one has gone first, and none was opened since */
    bool full;           /* the database took no more connections: an old one goes first */
    unsigned generation; /* of connections: how often they were drained */
    dbal__list drains;   /* listeners, by generation */
} dbal__life;

/* ---- life.c ---- */

void dbal__life_init(dbal_pool *pool);
/* The pool closes: nothing of this matters any more. */
void dbal__life_stop(dbal_pool *pool);
/* The timer fires at a moment, or before. */
void dbal__life_arm(dbal_pool *pool, int64_t at);
/* It is open from now on. */
void dbal__life_opened(dbal__slot *slot);
/* The connections kept. */
int dbal__life_least(const dbal_pool *pool);
/*
 * Closes it when what it does has ended. When it does nothing, it is given up if that takes longer than
 * close_timeout, or a connect that is to end than connect_timeout.
 */
void dbal__life_close(dbal__slot *slot);
/* On the pool's threads: one of them closes it now, and is given up if that takes too long. */
void dbal__life_closing(dbal__slot *slot);
/* The same, for a reason that is counted. */
void dbal__life_part(dbal__slot *slot, uint64_t *count);
/* Whether it was used since a moment, or is in use; that moment is now from here on. */
bool dbal__life_was_used(dbal__slot *slot, dbal__use *since);
/* It goes back to the others, unless it is closed now: false. */
bool dbal__life_stays(dbal__slot *slot);

/* ---- replace.c ---- */

/* Goes on with what is to be replaced, when something has changed. */
void dbal__replace(dbal_pool *pool);
/* The same for one that a session has given back: whether it is closed now. */
bool dbal__replace_returned(dbal__slot *slot);
/* It is freed, or given up. True: another is to be opened for it. */
bool dbal__replace_gone(dbal__slot *slot);

/* ---- resize.c ---- */

/* Connections above the limit. */
int dbal__resize_surplus(const dbal_pool *pool);

/* ---- yield.c ---- */

/* Closes what others of the same limit are to have; the moment of the next look. */
int64_t dbal__yield_look(dbal_pool *pool, int64_t now);
/* The same for one that a session has given back: whether it is closed now. */
bool dbal__yield_returned(dbal__slot *slot);
/* The pool closes: what does nothing is for others now. */
void dbal__yield_rest(dbal_pool *pool);

/* ---- drain.c ---- */

/* A connection has gone. */
void dbal__drain_check(dbal_pool *pool);

#endif
