/*
 * The wait after a connect that failed: doubled each time, with full jitter, shorter while something
 * waits for a connection.
 */
#ifndef DBAL__BACKOFF_H
#define DBAL__BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/clock.h"
#include <dbal/error.h>

typedef struct dbal_pool dbal_pool;

typedef struct dbal__backoff {
    dbal__timer timer;
    bool active;       /* nothing is opened meanwhile */
    bool patient;      /* as long as nothing wants a connection */
    bool down;         /* connecting failed and nothing was open, or no more is: until one opens */
    bool asked;        /* fail_fast: somebody was refused for it */
    unsigned let_in;   /* connections opened since the last failure, none of them died unused */
    double draw;       /* from 0 to 1: what of the wait it is */
    int64_t failed_at; /* when it began */
    int64_t error_at;  /* when the pool's last_error came */
} dbal__backoff;

/* A connect failed, or a connection was good for nothing: one more in a row. */
void dbal__backoff_begin(dbal_pool *pool);
/* Somebody waits now. */
void dbal__backoff_hurry(dbal_pool *pool);
void dbal__backoff_stop(dbal_pool *pool);
/* A connection was opened. */
void dbal__backoff_opened(dbal_pool *pool);
/* With fail_fast: why nothing is to wait. */
dbal_error *dbal__backoff_refusal(dbal_pool *pool);
/* How many connects may be on their way at once where otherwise so many might. */
int dbal__backoff_connects(const dbal_pool *pool, int most);
/* A connect failed; takes the error over. */
void dbal__slots_failed(dbal_pool *pool, dbal_error *error);
/* From 0 to 1, so that programs that lost a server together do not come back together. */
double dbal__pool_jitter(dbal_pool *pool);

#endif
