#include "values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/value.h"

void
asked_init(asked *a, const char *sql, dbal_params params)
{
    void *block = dbal__alloc(dbal__pack_size(params.values, NULL, params.count) + 1);
    ck_assert_ptr_nonnull(block);
    dbal__pack(block, params.values, NULL, params.count);
    *a = (asked){.fault = DBAL__FAULT_INIT, .sql = {.text = sql, .size = strlen(sql)}};
    a->request = (dbal_request){.sql = &a->sql,
                                .block = block,
                                .value_count = params.count,
                                .max_result_bytes = SIZE_MAX / 2,
                                .batch_bytes = SIZE_MAX};
    ck_assert(dbal__request_begin(&a->request));
}

void
asked_fini(asked *a)
{
    dbal__free((void *)a->request.block);
    dbal__request_fini(&a->request);
    dbal_fault_clear(&a->fault);
}

void
expect_refusal(asked *a, dbal_error_class error_class, const char *sqlstate)
{
    ck_assert(dbal_fault_is_set(&a->fault));
    ck_assert_int_eq(dbal_error_kind(a->fault.error), error_class);
    ck_assert_str_eq(dbal_error_sqlstate(a->fault.error), sqlstate);
    ck_assert_int_eq(dbal_error_execution(a->fault.error), DBAL_EXECUTION_NOT_SENT);
}

void
result_add(PGresult *result, const cell *cells, int count)
{
    int row = PQntuples(result);
    for (int i = 0; i < count; i++)
        ck_assert(PQsetvalue(result, row, i, (char *)cells[i].data, cells[i].size));
}

PGresult *
result_of(const cell *cells, int count)
{
    PGresAttDesc columns[64];
    char names[64][16];
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    ck_assert_ptr_nonnull(result);
    ck_assert_int_le(count, 64);
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        columns[i] = (PGresAttDesc){
            .name = names[i], .typid = cells[i].type, .format = cells[i].format, .typlen = -1};
    }
    ck_assert(PQsetResultAttrs(result, count, columns));
    result_add(result, cells, count);
    return result;
}
