/* Results: a builder that drivers fill through their request, read-only afterwards. */
#ifndef DBAL__RESULT_H
#define DBAL__RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/driver.h>
#include <dbal/result.h>

/* Where large results go to be freed, so that the loop does not pay for it; counted. */
typedef struct dbal__reaper dbal__reaper;
struct dbal__reaper {
    /* any thread; with the result's reference to it */
    void (*take)(dbal__reaper *reaper, dbal_result *result);
    void (*ref)(dbal__reaper *reaper);
    void (*unref)(dbal__reaper *reaper);
};

/* Why a builder refused something. */
typedef enum dbal__refusal {
    DBAL__FITS,
    DBAL__NO_MEMORY,
    DBAL__TOO_LARGE,  /* more bytes than allowed */
    DBAL__MISMATCHED, /* cells and columns do not match: the driver's mistake */
} dbal__refusal;

/* An empty result with one reference; NULL without memory. */
dbal_result *dbal__result_new(size_t max_bytes);

/* Building: one thread, before anybody else sees it. */
dbal__refusal dbal__result_add_column(dbal_result *result, const char *name, dbal_type type);
/* All columns at once, in common with other results. */
dbal__refusal dbal__result_use_columns(dbal_result *result, dbal_columns *columns);
dbal__refusal dbal__result_add_integer(dbal_result *result, dbal_type type, int64_t integer);
dbal__refusal dbal__result_add_real(dbal_result *result, double real);
dbal__refusal dbal__result_add_bytes(dbal_result *result, dbal_type type, const void *data,
                                     size_t size);
dbal__refusal dbal__result_end_row(dbal_result *result);
void dbal__result_set_affected(dbal_result *result, int64_t rows);
void dbal__result_set_last_insert_id(dbal_result *result, int64_t id);
bool dbal__result_has_affected(const dbal_result *result);

/* A new result with the same columns and no rows. */
dbal_result *dbal__result_like(const dbal_result *result);

/* Bytes of memory it takes. */
size_t dbal__result_bytes(const dbal_result *result);

/* Frees it through this reaper in the end; the latest counts. */
void dbal__result_set_reaper(dbal_result *result, dbal__reaper *reaper);
/* It will be read soon by this thread, which did not build it. */
void dbal__result_fetch(const dbal_result *result);
/* Too large to be freed by the thread that made it as it goes along. */
bool dbal__result_is_large(const dbal_result *result);
/* For reapers: a chain of results that nobody refers to. */
void dbal__result_set_next(dbal_result *result, dbal_result *next);
dbal_result *dbal__result_next(const dbal_result *result);
/* What a reaper does in the end. */
void dbal__result_destroy(dbal_result *result);
/* Or instead, with one that can: it is empty and has one reference; its reaper stays. */
bool dbal__result_can_renew(const dbal_result *result);
void dbal__result_renew(dbal_result *result, size_t max_bytes);

#endif
