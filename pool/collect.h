/*
 * On the gate driver-thread: answers of quick statements that the thread keeps back until it has some
 * more. What it is at meanwhile may take longer than was thought; then the loop fetches them.
 */
#ifndef DBAL__COLLECT_H
#define DBAL__COLLECT_H

#include "dbal/clock.h"

typedef struct dbal_pool dbal_pool;

typedef struct dbal__collect {
    dbal__timer timer;
    double delay; /* seconds, until the next look */
} dbal__collect;

/* Something more was handed to the thread. */
void dbal__collect_later(dbal_pool *pool);
void dbal__collect_stop(dbal_pool *pool);

#endif
