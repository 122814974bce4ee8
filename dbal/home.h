/*
 * Where a thread's results come from, and go back to when nobody wants them any more. Memory is freed
 * by the thread that made it: another's free() may wait for a lock of malloc that this one holds. And
 * a small result is soon wanted again by the same thread.
 */
#ifndef DBAL__HOME_H
#define DBAL__HOME_H

#include "dbal/result.h"

typedef struct dbal__home dbal__home;

/* Counted; each result that will come back holds a reference. NULL without memory. */
dbal__home *dbal__home_new(void);
/* Its thread has ended: what comes back later is freed where that is found. */
void dbal__home_close(dbal__home *home);
/* Its thread, which frees what has come back: an empty result, that will come back. NULL without memory. */
dbal_result *dbal__home_result(dbal__home *home, size_t max_bytes);

#endif
