/* Columns and rows on their way into a request's sink. */
#ifndef DBAL__POSTGRES_ROWS_H
#define DBAL__POSTGRES_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/driver.h>

#include "libpq.h"

/* One column; private. */
typedef struct dbal__postgres_column {
    Oid type;
    uint8_t format; /* 0 text, 1 binary */
    uint8_t reader; /* of dbal__postgres_reader */
} dbal__postgres_column;

/* What is known of a statement's columns. Zeroed: nothing yet. */
typedef struct dbal__postgres_columns {
    dbal_columns *shared; /* NULL when there are no columns */
    int count;
    bool binary_possible; /* all of them can be read in binary, and there are some */
    unsigned prepared;    /* of which preparing they are, in binary; 0: of any */
    unsigned described;   /* the number of the name that they were last learned by; 0: by none */
    dbal__postgres_column *items;
    char *names; /* one behind the other, each with its NUL */
} dbal__postgres_columns;

/*
 * Learns from a description or from a result with rows; what is known already and still fits is
 * kept, and costs a comparison. False without memory: what was known is still known.
 */
bool dbal__postgres_columns_learn(dbal__postgres_columns *columns, const PGresult *result);
void dbal__postgres_columns_fini(dbal__postgres_columns *columns);

/*
 * Hands over the rows from `from` up to `to` of a result, in the formats that the columns were last learned with; the
 * columns too when it is the `first` result of its request.
 *
 * False: the sink refused, or the fault is set, for a cell that cannot be what its column says.
 */
bool dbal__postgres_rows_take(const dbal__postgres_columns *columns, const PGresult *result,
                              int from, int to, bool first, dbal_request *request,
                              dbal_fault *fault);

#endif
