/* Memory of tickets that have ended: the next one is asked for soon. */
#ifndef DBAL__SPARE_H
#define DBAL__SPARE_H

#include <stddef.h>

#include "pool/pool.h"

/* For one with so many bytes of parameters; only `spared` is set. NULL without memory. */
dbal__ticket *dbal__spare_take(dbal_pool *pool, size_t block_size);
/* For one whose job is never handed down: it ends where the job's `work` would begin. */
dbal__ticket *dbal__spare_take_short(dbal_pool *pool);
void dbal__spare_leave(dbal__ticket *ticket);
void dbal__spare_free(dbal_pool *pool);

#endif
