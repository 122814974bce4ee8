/* Outcomes: what is in them and how it ends. */
#ifndef DBAL__OUTCOME_H
#define DBAL__OUTCOME_H

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
void dbal__outcome_fini(dbal_outcome outcome);
/* An error outcome of a class that needs no memory. */
dbal_outcome dbal__fail_constant(dbal_error_class error_class, dbal_execution execution);
/* The first error that an accessor left in a result of it, or NULL; owned. */
dbal_error *dbal__outcome_take_error(dbal_outcome outcome);

#endif
