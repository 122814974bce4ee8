/* A pool that hands nothing down for a while: what is asked for waits, with its deadlines. */
#ifndef DBAL__PAUSE_H
#define DBAL__PAUSE_H

#include <stdint.h>

typedef struct dbal_pool dbal_pool;
typedef struct dbal__slot dbal__slot;

/* The pool closes, which ends it. */
void dbal__pause_stop(dbal_pool *pool);
/* A connection is open now, or free for others again: when the pool goes on. */
void dbal__pause_release(dbal__slot *slot);
/* Something has ended: is anything left? */
void dbal__pause_check(dbal_pool *pool);
/* The same, by the pool's timer; when it is to look again. */
int64_t dbal__pause_look(dbal_pool *pool, int64_t now);

#endif
