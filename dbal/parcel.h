/* What is in the bodies of frames: requests, openings, errors, and rows. */
#ifndef DBAL__PARCEL_H
#define DBAL__PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbal/columns.h"
#include "dbal/error.h"
#include "dbal/frame.h"
#include "dbal/job.h"
#include "dbal/note.h"

/* ---- both ends say who they are ---- */

void dbal__parcel_greet(dbal__ink *ink);
/* Whether the other end is of the same build; if not, *ret_version is its version, or NULL. */
bool dbal__parcel_greeted(dbal__eye *eye, const char **ret_version);

/* ---- requests ---- */

/* A frame for a job: its request, and what the worker has to know of the job besides. */
void dbal__parcel_put_request(dbal__ink *ink, const dbal__job *job, uint64_t number);
/*
 * The same in the worker. The SQL and the values stay in the body, which is aligned for a pointer;
 * *sql is filled for the request to point to, unless there is no SQL. False: it is broken.
 */
bool dbal__parcel_take_request(const char *body, size_t size, dbal__job *job, dbal__sql *sql,
                               bool *ret_streams);

/* ---- opening ---- */

void dbal__parcel_put_opening(dbal__ink *ink, const dbal_opening *opening);
/* Sets what open() sets, and adds the notes. False: it is broken. */
bool dbal__parcel_take_opening(dbal__eye *eye, dbal_opening *opening);

/* ---- errors ---- */

void dbal__parcel_put_error(dbal__ink *ink, const dbal_error *error);
/* Sets the fault. False: it is broken. */
bool dbal__parcel_take_error(dbal__eye *eye, dbal_fault *fault);

/* ---- how a request ended ---- */

typedef struct dbal__verdict {
    bool ok, in_transaction, needs_token, has_affected;
    uint8_t upkeep; /* a dbal_upkeep */
    int64_t affected, last_insert_id;
    uint64_t memory; /* bytes the worker has resident, or 0 */
} dbal__verdict;

void dbal__parcel_put_verdict(dbal__ink *ink, const dbal__verdict *verdict);
/* False: it is broken. */
bool dbal__parcel_take_verdict(dbal__eye *eye, dbal__verdict *ret_verdict);

/* ---- rows: parcel_rows.c ---- */

void dbal__parcel_put_rows(dbal__ink *ink, const dbal_result *rows);

/* The columns that the last rows had: the next ones are often the same. */
typedef struct dbal__columns_memory {
    char *written;
    size_t size;
    dbal_columns *columns;
} dbal__columns_memory;

void dbal__columns_memory_fini(dbal__columns_memory *memory);

typedef enum dbal__unpacking {
    DBAL__UNPACKED,         /* all rows are in the request */
    DBAL__UNPACKING,        /* there are more */
    DBAL__UNPACKING_STOPS,  /* the request wants no more of them */
    DBAL__UNPACKING_BROKEN, /* what was sent is no rows */
} dbal__unpacking;

/* Rows on their way into a request. */
typedef struct dbal__unpacker {
    dbal__eye eye;
    uint64_t rows; /* that are left */
    size_t columns;
} dbal__unpacker;

/* Tells the request its columns. */
dbal__unpacking dbal__unpacker_begin(dbal__unpacker *unpacker, dbal__eye eye, dbal_request *request,
                                     dbal_speller *speller, dbal__columns_memory *memory);
/* Some of the rows: about so many bytes of them. After the last, nothing may be left over. */
dbal__unpacking dbal__unpacker_go_on(dbal__unpacker *unpacker, dbal_request *request, size_t bytes);

#endif
