/* Statements that helpers interrupt: their connection's memory stays until all of that has come back. */
#ifndef DBAL__INTERRUPTION_H
#define DBAL__INTERRUPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/loop.h"
#include "dbal/runner.h"

/* A connection's; the loop's. */
typedef struct dbal__interruptions {
    dbal_loop *loop;
    unsigned count;            /* that have not come back */
    void (*over)(void *owner); /* set when none is wanted any more: called behind the last */
    void *owner;
} dbal__interruptions;

/* Has a helper interrupt that job, should it still run then. Without memory nothing happens. */
void dbal__interruptions_send(dbal__interruptions *all, dbal__runner *runner, uint64_t number);
/* Calls it here and now, or when the last has come back. */
void dbal__interruptions_end(dbal__interruptions *all, void (*over)(void *owner), void *owner);

#endif
