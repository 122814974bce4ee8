/* What a driver sees of a job: SQL and parameters on the way down, a sink for rows on the way up. */
#ifndef DBAL__REQUEST_H
#define DBAL__REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbal/clock.h"
#include "dbal/error.h"
#include "dbal/home.h"
#include "dbal/result.h"
#include "dbal/sql.h"
#include <dbal/driver.h>

/*
 * Filled by the loop before the job goes down, written by whoever runs it, read by the loop when it
 * has come back. Only `stopped` is touched by two threads at once. What a plain query needs comes
 * first, since all of it has to go from one processor's cache to another's and back.
 */
struct dbal_request {
    dbal__sql *sql;    /* a reference of the loop's */
    const void *block; /* packed values */
    size_t value_count;
    int64_t deadline;
    size_t max_result_bytes;
    dbal__home *home; /* of its results, or NULL */
    dbal_result *result;
    dbal_error *refusal; /* why the sink refused something */
    int statement_cache;
    bool read_only, has_token, sent;
    bool in_order;  /* one of a session's */
    bool delivered; /* a stream's consumer has had some of it */
    bool satisfied; /* the consumer wants no more rows */
    bool full;      /* a stream's consumer is behind */
    bool may_share; /* native: see dbal_request_may_share() */
    atomic_bool stopped;
    /*
     * For a stream: takes a full batch, owned. False: no more rows are wanted. NULL: all rows go
     * into one result.
     */
    bool (*deliver)(dbal_request *request, dbal_result *batch);
    const dbal__clock *clock; /* says when the first row came; NULL: nobody asks */
    int64_t first_row;        /* then; 0: none came */
    size_t batch_rows, batch_bytes;
    dbal_fault fault; /* of a native request */
    /* native: called once, by dbal_request_finish() */
    void (*finished)(dbal_request *request, bool ok);
    /* For a copy: takes bytes that came out, copied; or gives the next ones to go in. */
    dbal_copy_direction copy;
    bool (*take)(dbal_request *request, const void *data, size_t size);
    dbal_copy_step (*next)(dbal_request *request, const void **ret_data, size_t *ret_size);
};

/* Makes the result that rows go to; false without memory, before anything was sent. */
bool dbal__request_begin(dbal_request *request);
/* After a success: hands over the last batch, if it is a stream. False: see dbal__request_error(). */
bool dbal__request_end(dbal_request *request);
/* The error of a failed request, owned; takes what the driver said, or why the sink refused. */
dbal_error *dbal__request_error(dbal_request *request, dbal_fault *fault);
/* The sink refuses to go on, for this reason; false, so that callers can return it. */
bool dbal__request_refuse(dbal_request *request, dbal__refusal refusal);
/* Drops what it still holds. */
void dbal__request_fini(dbal_request *request);

#endif
