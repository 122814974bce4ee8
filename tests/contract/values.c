/* Values: what goes down as a parameter comes up as a cell. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/contract.h"

static dbal_outcome
echo(dbal_value value)
{
    bool blob = value.type == DBAL_BLOB && target->sql->echo_blob != NULL;
    const char *sql = blob ? target->sql->echo_blob : SQL(echo);
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_PARAMS(value)));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_uint_eq(dbal_result_row_count(dbal_outcome_result(outcome)), 1);
    return outcome;
}

static void
check_type(dbal_result *rows, dbal_type type)
{
    if ((target->quirks & CONTRACT_GUESSES) == 0)
        ck_assert_int_eq(dbal_result_get(rows, 0, 0).type, type);
}

START_TEST(integers_survive)
{
    static const int64_t values[] = {
        0, 1, -1, 255, INT32_MAX, INT64_C(9007199254740993), INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        dbal_outcome outcome = echo(dbal_int64(values[i]));
        dbal_result *rows = dbal_outcome_result(outcome);
        check_type(rows, DBAL_INT64);
        ck_assert_int_eq(dbal_result_int64(rows, 0, 0), values[i]);
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

START_TEST(doubles_survive)
{
    static const double values[] = {0.5, -1.0 / 3, 1e300, DBL_MIN, DBL_MAX, 5e-324, INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (isinf(values[i]) && (target->quirks & CONTRACT_FINITE) != 0) {
            bad(dbal_pool_query(pool, target->sql->echo, DBAL_PARAMS(dbal_double(values[i]))),
                DBAL_ERROR_DATA, "22003", DBAL_EXECUTION_NOT_SENT);
            continue;
        }
        dbal_outcome outcome = echo(dbal_double(values[i]));
        dbal_result *rows = dbal_outcome_result(outcome);
        check_type(rows, DBAL_DOUBLE);
        double real = dbal_result_double(rows, 0, 0);
        if ((target->quirks & CONTRACT_ROUNDS) != 0 && isfinite(values[i]) && values[i] > DBL_MIN &&
            values[i] < DBL_MAX)
            ck_assert(fabs(real - values[i]) <= fabs(values[i]) * 1e-14);
        else if ((target->quirks & CONTRACT_ROUNDS) == 0)
            ck_assert(real == values[i]);
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

/* The database's own text of a finer type. */
static void
check_text(dbal_result *rows, dbal_type type, const char *expected)
{
    char text[64];
    bool zoned = type == DBAL_TIMESTAMP && (target->quirks & CONTRACT_ZONED) != 0;
    snprintf(text, sizeof text, "%s%s", expected, zoned ? "+00" : "");
    ck_assert_str_eq(dbal_result_text(rows, 0, 0), text);
}

static void
check_bytes(dbal_value value)
{
    size_t size;
    dbal_outcome outcome = echo(value);
    dbal_result *rows = dbal_outcome_result(outcome);
    dbal_value cell = dbal_result_get(rows, 0, 0);
    ck_assert_int_eq(cell.type, value.type);
    ck_assert_uint_eq(cell.as.bytes.size, value.as.bytes.size);
    ck_assert(!dbal_result_is_null(rows, 0, 0));
    if (value.as.bytes.size > 0)
        ck_assert_mem_eq(cell.as.bytes.data, value.as.bytes.data, value.as.bytes.size);
    if (value.type == DBAL_TEXT) {
        const char *text = dbal_result_textn(rows, 0, 0, &size);
        ck_assert_uint_eq(size, value.as.bytes.size);
        ck_assert_int_eq(text[size], '\0');
    }
    dbal_outcome_clear(&outcome);
}

START_TEST(texts_and_blobs_survive)
{
    check_bytes(dbal_text("plain"));
    check_bytes(dbal_text("Grüße, 世界 🌍"));
    check_bytes(dbal_text("it's \"quoted\" \\ and $1 :name ?"));
    if ((target->quirks & CONTRACT_NO_NUL) == 0)
        check_bytes(dbal_textn("a\0b", 3));
    check_bytes(dbal_blob("\x00\xff\x00", 3));
    check_bytes(dbal_blob("\xff\xfe not UTF-8", 12));
}
END_TEST

START_TEST(empty_is_not_null)
{
    check_bytes(dbal_text(""));
    check_bytes(dbal_blob(NULL, 0));
    dbal_outcome outcome = echo(dbal_null());
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert(dbal_result_is_null(rows, 0, 0));
    ck_assert_str_eq(dbal_result_text(rows, 0, 0), "");
    ck_assert_int_eq(dbal_result_int64(rows, 0, 0), 0);
    ck_assert_ptr_null(dbal_result_take_error(rows));
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(finer_types_survive_or_are_read_back)
{
    static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};
    dbal_value values[] = {dbal_bool(true),        dbal_numeric("1.10"),
                           dbal_date(20000),       dbal_time(INT64_C(86399999999)),
                           dbal_timestamp(-1),     dbal_uuid(uuid),
                           dbal_json("{\"a\": 1}")};
    static const char *const texts[] = {"1",
                                        "1.10",
                                        "2024-10-04",
                                        "23:59:59.999999",
                                        "1969-12-31 23:59:59.999999",
                                        "01020304-0506-0708-090a-0b0c0d0e0fff",
                                        "{\"a\": 1}"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        dbal_outcome outcome = echo(values[i]);
        dbal_result *rows = dbal_outcome_result(outcome);
        bool as_text = values[i].type == DBAL_JSON && (target->quirks & CONTRACT_ANY_JSON) != 0;
        if ((target->quirks & CONTRACT_UNTYPED) == 0 && !as_text)
            ck_assert_int_eq(dbal_result_get(rows, 0, 0).type, values[i].type);
        if (values[i].type != DBAL_BOOL)
            check_text(rows, values[i].type, texts[i]);
        else
            ck_assert(dbal_result_bool(rows, 0, 0));
        if (values[i].type == DBAL_DATE)
            ck_assert_int_eq(dbal_result_date(rows, 0, 0), 20000);
        if (values[i].type == DBAL_TIMESTAMP)
            ck_assert_int_eq(dbal_result_timestamp(rows, 0, 0), -1);
        if (values[i].type == DBAL_TIME)
            ck_assert_int_eq(dbal_result_time(rows, 0, 0), INT64_C(86399999999));
        ck_assert_ptr_null(dbal_result_take_error(rows));
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

START_TEST(large_values_survive)
{
    size_t size = (size_t)8 << 20;
    char *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    check_bytes(dbal_blob(bytes, size));
    free(bytes);
}
END_TEST

static dbal_outcome
read_wrongly(dbal_outcome in, void *arg)
{
    (void)arg;
    dbal_result_int64(dbal_outcome_result(in), 0, 0);
    return in;
}

START_TEST(a_conversion_error_becomes_the_outcome)
{
    dbal_deferred *deferred = dbal_pool_query(pool, SQL(echo), DBAL_PARAMS(dbal_text("twelve")));
    dbal_deferred_add_callback(deferred, read_wrongly, NULL);
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_DATA));
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_result_that_is_too_large_is_an_error)
{
    dbal_pool *small = contract_open(fixture.loop, "pool_max_result_bytes=64k");
    dbal_pool *large = pool;
    pool = small;
    if ((target->quirks & CONTRACT_PRIVATE) == 0)
        ck_assert_int_eq(value_now(), 0);
    bad(dbal_pool_query(small, SQL(rows), DBAL_PARAMS(dbal_int64(100000))), DBAL_ERROR_DATA,
        "54000", DBAL_EXECUTION_UNKNOWN);
    good(dbal_pool_query(small, SQL(rows), DBAL_PARAMS(dbal_int64(10))));
    pool = large;
}
END_TEST

void
add_values(Suite *suite)
{
    contract_add(suite, integers_survive);
    contract_add(suite, doubles_survive);
    contract_add(suite, texts_and_blobs_survive);
    contract_add(suite, empty_is_not_null);
    contract_add(suite, finer_types_survive_or_are_read_back);
    contract_add(suite, large_values_survive);
    contract_add(suite, a_conversion_error_becomes_the_outcome);
    contract_add(suite, a_result_that_is_too_large_is_an_error);
}
