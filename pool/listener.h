/* Deferreds that wait for something to become true of a pool: that it is ready, closed, drained. */
#ifndef DBAL__LISTENER_H
#define DBAL__LISTENER_H

#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/list.h"

struct dbal_pool;

/*
 * One more on a list, with a number for dbal__listeners_tell_until(). Cancelling it ends the waiting
 * alone. Floating; NULL without memory.
 */
dbal_deferred *dbal__listener_new(struct dbal_pool *pool, dbal__list *list, unsigned number);
/* Fires all; the error is borrowed, NULL for a success. */
void dbal__listeners_tell(dbal__list *list, dbal_error *error);
/* The same for those up to a number; they are listed by it. */
void dbal__listeners_tell_until(dbal__list *list, unsigned number, dbal_error *error);

#endif
