/*
 * Where a thread's results go back to when nobody wants them any more. Memory is freed by the
 * thread that made it: another's free() may wait for a lock of malloc that this one holds.
 */
#ifndef DBAL__HOME_H
#define DBAL__HOME_H

#include "dbal/result.h"

typedef struct dbal__home dbal__home;

/* Counted; each result that will come back holds a reference. NULL without memory. */
dbal__home *dbal__home_new(void);
dbal__reaper *dbal__home_reaper(dbal__home *home);
void dbal__home_unref(dbal__home *home);
/* Its thread frees what has come back. */
void dbal__home_clear(dbal__home *home);

#endif
