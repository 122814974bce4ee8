/* Outcomes: what is in them and how it ends. */
#ifndef DBAL__OUTCOME_H
#define DBAL__OUTCOME_H

#include <dbal/deferred.h>
#include <dbal/outcome.h>

/* Several outcomes in one: those of a gather or a script. */
typedef struct dbal__outcomes {
    size_t count;
    dbal_outcome items[];
} dbal__outcomes;

/* Room for `count`, each dbal_done(); NULL without memory. */
dbal__outcomes *dbal__outcomes_new(size_t count);
void dbal__outcomes_free(void *outcomes);
/* Takes over the outcomes. */
dbal_outcome dbal__ok_outcomes(dbal__outcomes *outcomes);

/* Frees what it holds. */
static inline void
dbal__outcome_fini(dbal_outcome outcome)
{
    if (outcome.pointer == NULL)
        return;
    if (outcome.kind == DBAL_OUTCOME_ERROR)
        dbal_error_unref((dbal_error *)outcome.pointer);
    else if (outcome.kind == DBAL_OUTCOME_DEFERRED)
        dbal_deferred_unref((dbal_deferred *)outcome.pointer);
    else if (outcome.free != NULL)
        outcome.free(outcome.pointer);
}

/* An error outcome of a class that needs no memory. */
dbal_outcome dbal__fail_constant(dbal_error_class error_class, dbal_execution execution);
/* The first error that an accessor left in a result of it, or NULL; owned. */
dbal_error *dbal__outcome_take_error(dbal_outcome outcome);

#endif
