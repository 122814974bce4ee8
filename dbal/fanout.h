/* Those who wait in line for something: a permit, an item of a queue. */
#ifndef DBAL__FANOUT_H
#define DBAL__FANOUT_H

#include <stddef.h>

#include "dbal/list.h"
#include <dbal/fanout.h>

typedef struct dbal__waitlist {
    dbal__list waiting;
    size_t count;
} dbal__waitlist;

void dbal__waitlist_init(dbal__waitlist *line);
/* Waits at the end; cancelling leaves the line. Floating; NULL without memory. */
dbal_deferred *dbal__waitlist_join(dbal__waitlist *line, dbal_loop *loop);
/* Takes the first out of the line, to be fired by the caller; NULL when nobody waits. */
dbal_deferred *dbal__waitlist_leave(dbal__waitlist *line);
/* Whoever waits fails with CLOSED. */
void dbal__waitlist_close(dbal__waitlist *line);

#endif
