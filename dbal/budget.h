/*
 * How many bytes threads have made that the loop has not taken yet. They look at it before they make
 * more, so that a loop that is held up finds no heap of results when it comes back.
 */
#ifndef DBAL__BUDGET_H
#define DBAL__BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dbal__budget {
    atomic_uint refs; /* the line's, and each worker's */
    _Atomic(int64_t) spent;
    int64_t most;
} dbal__budget;

/* Counted. NULL without memory. */
dbal__budget *dbal__budget_new(int64_t most);
dbal__budget *dbal__budget_ref(dbal__budget *budget);
void dbal__budget_unref(dbal__budget *budget);

/* Whether nobody is to make more. NULL: there is no end of it. */
static inline bool
dbal__budget_is_spent(const dbal__budget *budget)
{
    return budget != NULL && atomic_load(&budget->spent) >= budget->most;
}

/* In a thread: it has made so much, and is about to hand it to the loop. */
void dbal__budget_spend(dbal__budget *budget, size_t bytes);
/* On the loop: it has taken so much. True when it was all spent, and is no more. */
bool dbal__budget_give_back(dbal__budget *budget, size_t bytes);

#endif
