#include "dbal/budget.h"

#include "dbal/alloc.h"

dbal__budget *
dbal__budget_new(int64_t most)
{
    dbal__budget *budget = dbal__alloc(sizeof *budget);
    if (budget == NULL)
        return NULL;
    atomic_init(&budget->refs, 1);
    atomic_init(&budget->spent, 0);
    budget->most = most;
    return budget;
}

dbal__budget *
dbal__budget_ref(dbal__budget *budget)
{
    if (budget != NULL)
        atomic_fetch_add_explicit(&budget->refs, 1, memory_order_relaxed);
    return budget;
}

void
dbal__budget_unref(dbal__budget *budget)
{
    if (budget != NULL && atomic_fetch_sub_explicit(&budget->refs, 1, memory_order_acq_rel) == 1)
        dbal__free(budget);
}

void
dbal__budget_spend(dbal__budget *budget, size_t bytes)
{
    atomic_fetch_add(&budget->spent, (int64_t)bytes);
}

bool
dbal__budget_give_back(dbal__budget *budget, size_t bytes)
{
    int64_t before = atomic_fetch_sub(&budget->spent, (int64_t)bytes);
    return before >= budget->most && before - (int64_t)bytes < budget->most;
}
