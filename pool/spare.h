/* Memory of what has ended, of a few sizes: more is asked for soon. */
#ifndef DBAL__SPARE_H
#define DBAL__SPARE_H

#include <stddef.h>

#include "dbal/clock.h"

/* What it is for; that of one is never another's. */
typedef enum dbal__spare_size {
    DBAL__SPARE_NOT,     /* none of it is kept */
    DBAL__SPARE_SHORT,   /* the ticket of a session whose job is never handed down */
    DBAL__SPARE_WHOLE,   /* a ticket with few parameters */
    DBAL__SPARE_SESSION, /* a connection's handle, with a scope */
    DBAL__SPARE_SIZES
} dbal__spare_size;

typedef struct dbal__spares {
    dbal__clock *clock;
    dbal__timer timer; /* the next look whether there is more than was needed */
    struct {
        void *first;
        unsigned count, least; /* since the last look */
    } of[DBAL__SPARE_SIZES];
} dbal__spares;

void dbal__spares_init(dbal__spares *spares, dbal__clock *clock);
void dbal__spares_fini(dbal__spares *spares);
/* So many bytes, which are always the same for a size that is kept. NULL without memory. */
void *dbal__spare_take(dbal__spares *spares, dbal__spare_size size, size_t bytes);
void dbal__spare_leave(dbal__spares *spares, dbal__spare_size size, void *memory);

#endif
