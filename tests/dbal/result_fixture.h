/* A result under construction, for the tests of results. */
#ifndef TESTS_RESULT_FIXTURE_H
#define TESTS_RESULT_FIXTURE_H

#include "dbal/result.h"

enum { PLENTY = 1 << 30 };

extern dbal_result *result;

void setup(void);
void teardown(void);
/* Adds columns that are named c0, c1, ... */
void columns(unsigned count);
void add(dbal_value value);
/* Columns, and one row in them. */
void row_of(const dbal_value *values, unsigned count);
void expect_no_error(void);

#define ROW(...)                                                                                   \
    do {                                                                                           \
        const dbal_value values[] = {__VA_ARGS__};                                                 \
        row_of(values, sizeof values / sizeof values[0]);                                          \
    } while (0)

#endif
