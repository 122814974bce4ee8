/* Parameters and results without a server: requests of one's own, results put together by hand. */
#ifndef TESTS_DRIVERS_POSTGRES_VALUES_H
#define TESTS_DRIVERS_POSTGRES_VALUES_H

#include <check.h>

#include "dbal/error.h"
#include "dbal/request.h"
#include "drivers/postgres/rows.h"
#include "tests/lib/suite.h"

/* A request with these parameters, and what comes of it. */
typedef struct asked {
    dbal_request request;
    dbal__sql sql;
    dbal_fault fault;
} asked;

void asked_init(asked *a, const char *sql, dbal_params params);
void asked_fini(asked *a);
/* The fault is set so, and nothing was sent. */
void expect_refusal(asked *a, dbal_error_class error_class, const char *sqlstate);

/* A result of one row; `cells` are texts, or bytes with their `sizes` when format is 1. */
typedef struct cell {
    Oid type;
    int format;
    const char *data;
    int size; /* -1: NULL */
} cell;

#define TEXT(type, text)                                                                           \
    {                                                                                              \
        type, 0, text, (int)(sizeof(text) - 1)                                                     \
    }
#define BINARY(type, bytes)                                                                        \
    {                                                                                              \
        type, 1, bytes, (int)(sizeof(bytes) - 1)                                                   \
    }

/* Columns are c0, c1 …; to be given to PQclear(). */
PGresult *result_of(const cell *cells, int count);
/* Another row of the same columns. */
void result_add(PGresult *result, const cell *cells, int count);

Suite *bind_suite(void);
Suite *begin_suite(void);
Suite *failure_suite(void);
Suite *meaning_suite(void);
Suite *rows_suite(void);
Suite *spell_suite(void);

#endif
