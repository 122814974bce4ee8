/*
 * A pool's seat at a limit that it shares with others: the places it has, and its waiting for one
 * more. Pools of several threads meet at a limit, for moments and under its guard; what one has to
 * know of another's doing comes to its loop as a message.
 */
#ifndef DBAL__LIMIT_H
#define DBAL__LIMIT_H

#include <stdbool.h>

#include "dbal/inbox.h"
#include "dbal/list.h"
#include <dbal/limit.h>

typedef struct dbal_pool dbal_pool;

/* Whether a connection was closed so that others have its place. */
typedef enum dbal__spared { DBAL__SPARED_NOT, DBAL__SPARED_BUSY, DBAL__SPARED_IDLE } dbal__spared;

/* One pool's. All but the limit is the guard's. */
typedef struct dbal__seat {
    dbal_limit *limit; /* a reference; NULL: there is none, and all is allowed */
    dbal__list all;
    dbal__list line; /* of those that wait */
    int held;        /* places of its connections */
    int promised;    /* granted, and no connection was begun for it yet */
    bool urgent;     /* it waits for work, and not for min_size alone */
    bool stands;     /* it has stood in line for work; the pool's own */
    bool asked;      /* others wait: it is to look what it can spare */
    bool posted;     /* its message is on its way */
    dbal__message message;
} dbal__seat;

/* Takes a reference. */
void dbal__seat_init(dbal_pool *pool, dbal_limit *limit);
/* It waits no more and is told nothing any more; what its connections have, they keep. */
void dbal__seat_leave(dbal_pool *pool);
/* Whether its message may still come. */
bool dbal__seat_is_posted(dbal_pool *pool);
void dbal__seat_fini(dbal_pool *pool);

/* A place for one connection more. False: it waits for one, and is told. */
bool dbal__seat_take(dbal_pool *pool, bool urgent);
/* What an error says of the limit; "" when there is none. */
void dbal__seat_describe(dbal_pool *pool, char *text, size_t size);
/* Whether one could be taken now. */
bool dbal__seat_has_room(dbal_pool *pool);
/* One of its connections is gone. */
void dbal__seat_give(dbal_pool *pool, dbal__spared spared);
/* Nothing waits any more that it has stood in line for. */
void dbal__seat_step_out(dbal_pool *pool);
/* What was granted and is of no use goes to others. */
void dbal__seat_return(dbal_pool *pool);

/* Which connection others want, those that are being closed for them left out. */
typedef enum dbal__want {
    DBAL__WANT_NONE,
    DBAL__WANT_LATER,  /* none now; but they still wait */
    DBAL__WANT_UNUSED, /* one that was not used for a while: they have some */
    DBAL__WANT_IDLE,   /* one that is idle now: somebody has none, and waits for a busy one */
    DBAL__WANT_ANY     /* somebody has none */
} dbal__want;

dbal__want dbal__seat_wanted(dbal_pool *pool);
/* It makes one free, which is idle or not. False: others have been faster. */
bool dbal__seat_spare(dbal_pool *pool, bool idle);

#endif
