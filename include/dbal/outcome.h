/** @file outcome.h  What a callback is handed and what it returns. */
#ifndef DBAL_OUTCOME_H
#define DBAL_OUTCOME_H

#include <stddef.h>

#include <dbal/error.h>
#include <dbal/result.h>

#ifdef __cplusplus
extern "C" {
#endif

/** See deferred.h. */
typedef struct dbal_deferred dbal_deferred;

/** Frees what an outcome holds; runs on the loop. */
typedef void dbal_free_fn(void *pointer);

/** Which of the three an outcome is. */
typedef enum dbal_outcome_kind {
    DBAL_OUTCOME_VALUE,
    DBAL_OUTCOME_ERROR,
    DBAL_OUTCOME_DEFERRED
} dbal_outcome_kind;

/**
 * A value, an error, or another Deferred to wait for. Frozen layout; made and read with the
 * functions below.
 *
 * In a chain the chain owns it: everything read out of an outcome is borrowed, returning it
 * passes it on, returning another replaces it and the chain frees the old one. Outside a chain
 * (dbal_loop_await()) the caller owns it and ends it with dbal_outcome_clear().
 */
typedef struct dbal_outcome {
    dbal_outcome_kind kind; /**< what it is */
    void *pointer;          /**< the value, error or Deferred; NULL for a value without one */
    dbal_free_fn *free;       /**< frees a value; may be NULL */
} dbal_outcome;

/** A success with a value. @param value may be NULL @param free may be NULL: nothing to free */
dbal_outcome dbal_ok(void *value, dbal_free_fn *free);

/** A success without a value. */
dbal_outcome dbal_done(void);

/** A success with a result. @param result the reference is taken over; NULL means NO_MEMORY */
dbal_outcome dbal_ok_result(dbal_result *result);

/** A failure. @param error the reference is taken over; NULL means NO_MEMORY */
dbal_outcome dbal_fail(dbal_error *error);

/** Wait for that one and go on with its outcome. @param deferred takes a reference of its own; NULL means NO_MEMORY */
dbal_outcome dbal_wait(dbal_deferred *deferred);

/** The result in it, borrowed, or NULL when it is something else. @param outcome any */
dbal_result *dbal_outcome_result(dbal_outcome outcome);

/** The error in it, borrowed; NULL when it is none, never NULL when it is one. @param outcome any */
dbal_error *dbal_outcome_error(dbal_outcome outcome);

/**
 * The value in it, borrowed, if it was made by dbal_ok() with this very free function.
 * @param outcome any  @param free tells one type of value from another
 */
void *dbal_outcome_value(dbal_outcome outcome, dbal_free_fn *free);

/** How many outcomes it holds: those of dbal_gather() or of a script; 0 when it is something else. @param outcome any */
size_t dbal_outcome_count(dbal_outcome outcome);

/** One of the outcomes it holds, borrowed; an INTERFACE error out of range. @param outcome any @param index from 0 */
dbal_outcome dbal_outcome_at(dbal_outcome outcome, size_t index);

/** Frees what it holds and makes it dbal_done(); for outcomes outside chains. @param outcome may be NULL */
void dbal_outcome_clear(dbal_outcome *outcome);

#ifdef __cplusplus
}
#endif
#endif
