#include "tests/dbal/result_fixture.h"

#include <stdio.h>

#include "tests/lib/suite.h"

dbal_result *result;

void
setup(void)
{
    result = dbal__result_new(PLENTY);
}

void
teardown(void)
{
    ck_assert_ptr_null(dbal_result_unref(result));
}

void
columns(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        ck_assert_int_eq(dbal__result_add_column(result, name, DBAL_NULL), DBAL__FITS);
    }
}

void
add(dbal_value value)
{
    dbal__refusal refusal;
    switch (value.type) {
    case DBAL_DOUBLE:
        refusal = dbal__result_add_real(result, value.as.real);
        break;
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_JSON:
        refusal =
            dbal__result_add_bytes(result, value.type, value.as.bytes.data, value.as.bytes.size);
        break;
    case DBAL_UUID:
        refusal = dbal__result_add_bytes(result, value.type, value.as.uuid, 16);
        break;
    case DBAL_BOOL:
        refusal = dbal__result_add_integer(result, value.type, value.as.boolean);
        break;
    default:
        refusal = dbal__result_add_integer(result, value.type, value.as.integer);
        break;
    }
    ck_assert_int_eq(refusal, DBAL__FITS);
}

void
row_of(const dbal_value *values, unsigned count)
{
    columns(count);
    for (unsigned i = 0; i < count; i++)
        add(values[i]);
    ck_assert_int_eq(dbal__result_end_row(result), DBAL__FITS);
}

void
expect_no_error(void)
{
    dbal_error *error = dbal_result_take_error(result);
    ck_assert_msg(error == NULL, "%s", dbal_error_message(error));
}
