#include "dbal/outcome.h"

#include "dbal/alloc.h"
#include "dbal/error.h"
#include <dbal/deferred.h>

static void
drop_result(void *result)
{
    dbal_result_unref(result);
}

dbal_outcome
dbal_ok(void *value, dbal_free_fn *free)
{
    dbal_outcome outcome = {DBAL_OUTCOME_VALUE, value, free};
    return outcome;
}

dbal_outcome
dbal_done(void)
{
    /* kept in memory and copied whole: what is stored in parts and then loaded together, as callers
     * do that pass it on, makes the processor wait */
    static const dbal_outcome done = {DBAL_OUTCOME_VALUE, NULL, NULL};
    const dbal_outcome *place = &done;
    __asm__("" : "+r"(place));
    return *place;
}

dbal_outcome
dbal__fail_constant(dbal_error_class error_class, dbal_execution execution)
{
    return dbal_fail(dbal__error_constant(error_class, execution));
}

static dbal_outcome
out_of_memory(void)
{
    return dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

dbal_outcome
dbal_ok_result(dbal_result *result)
{
    return result != NULL ? dbal_ok(result, drop_result) : out_of_memory();
}

dbal_outcome
dbal_fail(dbal_error *error)
{
    if (error == NULL)
        return out_of_memory();
    dbal_outcome outcome = {DBAL_OUTCOME_ERROR, error, NULL};
    return outcome;
}

dbal_outcome
dbal_wait(dbal_deferred *deferred)
{
    if (deferred == NULL)
        return out_of_memory();
    dbal_outcome outcome = {DBAL_OUTCOME_DEFERRED, dbal_deferred_ref(deferred), NULL};
    return outcome;
}

dbal_result *
dbal_outcome_result(dbal_outcome outcome)
{
    return dbal_outcome_value(outcome, drop_result);
}

dbal_error *
dbal_outcome_error(dbal_outcome outcome)
{
    return outcome.kind == DBAL_OUTCOME_ERROR ? outcome.pointer : NULL;
}

void *
dbal_outcome_value(dbal_outcome outcome, dbal_free_fn *free)
{
    return outcome.kind == DBAL_OUTCOME_VALUE && outcome.free == free ? outcome.pointer : NULL;
}

dbal__outcomes *
dbal__outcomes_new(size_t count)
{
    if (count > (SIZE_MAX - sizeof(dbal__outcomes)) / sizeof(dbal_outcome))
        return NULL;
    dbal__outcomes *outcomes = dbal__alloc(sizeof *outcomes + count * sizeof(dbal_outcome));
    if (outcomes == NULL)
        return NULL;
    outcomes->count = count;
    for (size_t i = 0; i < count; i++)
        outcomes->items[i] = dbal_done();
    return outcomes;
}

void
dbal__outcomes_free(void *pointer)
{
    dbal__outcomes *outcomes = pointer;
    if (outcomes == NULL)
        return;
    for (size_t i = 0; i < outcomes->count; i++)
        dbal__outcome_fini(outcomes->items[i]);
    dbal__free(outcomes);
}

dbal_outcome
dbal__ok_outcomes(dbal__outcomes *outcomes)
{
    return outcomes != NULL ? dbal_ok(outcomes, dbal__outcomes_free) : out_of_memory();
}

size_t
dbal_outcome_count(dbal_outcome outcome)
{
    const dbal__outcomes *outcomes = dbal_outcome_value(outcome, dbal__outcomes_free);
    return outcomes != NULL ? outcomes->count : 0;
}

dbal_outcome
dbal_outcome_at(dbal_outcome outcome, size_t index)
{
    const dbal__outcomes *outcomes = dbal_outcome_value(outcome, dbal__outcomes_free);
    if (outcomes == NULL || index >= outcomes->count)
        return dbal__fail_constant(DBAL_ERROR_INTERFACE, DBAL_EXECUTION_NOT_SENT);
    return outcomes->items[index];
}

void
dbal_outcome_clear(dbal_outcome *outcome)
{
    if (outcome == NULL)
        return;
    dbal_outcome old = *outcome;
    *outcome = dbal_done();
    dbal__outcome_fini(old);
}

dbal_error *
dbal__outcome_take_error(dbal_outcome outcome)
{
    dbal_result *result = dbal_outcome_result(outcome);
    if (result != NULL)
        return dbal_result_take_error(result);
    for (size_t i = 0; i < dbal_outcome_count(outcome); i++) {
        dbal_error *error = dbal__outcome_take_error(dbal_outcome_at(outcome, i));
        if (error != NULL)
            return error;
    }
    return NULL;
}
