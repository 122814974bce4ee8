/* Which process this is: the number changes in the child of a fork. */
#ifndef DBAL__FORK_H
#define DBAL__FORK_H

#include <stdatomic.h>

extern atomic_uint dbal__fork_count;

/* Forks are counted from now on; before anything asks for the number. */
void dbal__fork_watch(void);

static inline unsigned
dbal__fork_generation(void)
{
    return atomic_load_explicit(&dbal__fork_count, memory_order_relaxed);
}

#endif
