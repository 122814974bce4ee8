/* Those who wait in line for something: a permit, an item of a queue. */
#ifndef DBAL__FANOUT_H
#define DBAL__FANOUT_H

#include <stddef.h>

#include "dbal/list.h"
#include <dbal/fanout.h>

typedef struct dbal__line {
    dbal__list waiting;
    size_t count;
} dbal__line;

void dbal__line_init(dbal__line *line);
/* Waits at the end; cancelling leaves the line. Floating; NULL without memory. */
dbal_deferred *dbal__line_join(dbal__line *line, dbal_loop *loop);
/* Takes the first out of the line, to be fired by the caller; NULL when nobody waits. */
dbal_deferred *dbal__line_leave(dbal__line *line);
/* Whoever waits fails with CLOSED. */
void dbal__line_close(dbal__line *line);

#endif
