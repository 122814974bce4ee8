/* Results: what is built is what is read, with and without conversion. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/dbal/result_fixture.h"
#include "tests/lib/suite.h"

static void
expect_error(dbal_error_class kind)
{
    dbal_error *error = dbal_result_take_error(result);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_is(error, kind), "%s", dbal_error_message(error));
    dbal_error_unref(error);
    ck_assert_ptr_null(dbal_result_take_error(result));
}

/* without rows */

START_TEST(null_stands_for_a_result_without_rows)
{
    size_t index = 7, size = 7;
    ck_assert_ptr_null(dbal_result_ref(NULL));
    ck_assert_ptr_null(dbal_result_unref(NULL));
    ck_assert_uint_eq(dbal_result_row_count(NULL), 0);
    ck_assert_uint_eq(dbal_result_column_count(NULL), 0);
    ck_assert_str_eq(dbal_result_column_name(NULL, 0), "");
    ck_assert(!dbal_result_column_index(NULL, "x", &index));
    ck_assert_uint_eq(index, 7);
    ck_assert_int_eq(dbal_result_column_type(NULL, 0), DBAL_NULL);
    ck_assert_int_eq(dbal_result_affected(NULL), 0);
    ck_assert_int_eq(dbal_result_last_insert_id(NULL), 0);
    ck_assert(dbal_result_is_null(NULL, 0, 0));
    ck_assert(!dbal_result_bool(NULL, 0, 0));
    ck_assert_int_eq(dbal_result_int64(NULL, 0, 0), 0);
    ck_assert(dbal_result_double(NULL, 0, 0) == 0);
    ck_assert_str_eq(dbal_result_textn(NULL, 0, 0, &size), "");
    ck_assert_uint_eq(size, 0);
    ck_assert_uint_eq(dbal_result_blob(NULL, 0, 0).size, 0);
    ck_assert_int_eq(dbal_result_date(NULL, 0, 0), 0);
    ck_assert_int_eq(dbal_result_get(NULL, 0, 0).type, DBAL_NULL);
    ck_assert_ptr_null(dbal_result_take_error(NULL));
}
END_TEST

START_TEST(columns_are_found_by_their_exact_name)
{
    size_t index = 7;
    dbal__result_add_column(result, "a", DBAL_INT64);
    dbal__result_add_column(result, "B", DBAL_TEXT);
    dbal__result_add_column(result, "B", DBAL_DATE);
    dbal__result_add_column(result, "", DBAL_NULL);
    ck_assert_uint_eq(dbal_result_column_count(result), 4);
    ck_assert(dbal_result_column_index(result, "B", &index) && index == 1);
    ck_assert(dbal_result_column_index(result, "", &index) && index == 3);
    ck_assert(!dbal_result_column_index(result, "b", &index) && index == 3);
    ck_assert_int_eq(dbal_result_column_type(result, 2), DBAL_DATE);
    ck_assert_int_eq(dbal_result_column_type(result, 4), DBAL_NULL);
    ck_assert_str_eq(dbal_result_column_name(result, 4), "");
}
END_TEST

START_TEST(affected_rows_are_those_said_or_those_there)
{
    ck_assert_int_eq(dbal_result_affected(result), 0);
    ROW(dbal_int64(1));
    ck_assert_int_eq(dbal_result_affected(result), 1);
    dbal__result_set_affected(result, 0);
    ck_assert_int_eq(dbal_result_affected(result), 0);
    dbal__result_set_affected(result, INT64_C(1) << 40);
    dbal__result_set_last_insert_id(result, INT64_MIN);
    ck_assert_int_eq(dbal_result_affected(result), INT64_C(1) << 40);
    ck_assert_int_eq(dbal_result_last_insert_id(result), INT64_MIN);
}
END_TEST

/* conversions */

START_TEST(integers_come_out_exact_or_not_at_all)
{
    static const double beyond = 9007199254740994.0;
    ROW(dbal_int64(INT64_MIN), dbal_bool(true), dbal_double(-0.0), dbal_double(9007199254740992.0),
        dbal_text("-42"), dbal_numeric("9223372036854775807"), dbal_date(-3),
        /* from here on none is one */
        dbal_double(0.5), dbal_double(beyond), dbal_double(NAN), dbal_double(INFINITY),
        dbal_text(""), dbal_text("1.0"), dbal_text("9223372036854775808"), dbal_textn("1\0", 2),
        dbal_blob("1", 1), dbal_json("[1]"));
    static const int64_t expected[] = {INT64_MIN, 1,         0, INT64_C(9007199254740992),
                                       -42,       INT64_MAX, -3};
    for (size_t i = 0; i < 7; i++)
        ck_assert_int_eq(dbal_result_int64(result, 0, i), expected[i]);
    expect_no_error();
    for (size_t i = 7; i < dbal_result_column_count(result); i++) {
        ck_assert_int_eq(dbal_result_int64(result, 0, i), 0);
        expect_error(DBAL_ERROR_DATA);
    }
}
END_TEST

START_TEST(doubles_come_out_exact_or_not_at_all)
{
    ROW(dbal_double(1e308), dbal_int64(INT64_C(9007199254740992)), dbal_text("1e5"),
        dbal_numeric("-0.25"), dbal_bool(true),
        /* from here on none is one */
        dbal_int64(INT64_C(9007199254740993)), dbal_int64(INT64_MIN), dbal_text("x"),
        dbal_text("1e999"), dbal_blob("1", 1));
    static const double expected[] = {1e308, 9007199254740992.0, 1e5, -0.25, 1};
    for (size_t i = 0; i < 5; i++)
        ck_assert(dbal_result_double(result, 0, i) == expected[i]);
    expect_no_error();
    for (size_t i = 5; i < dbal_result_column_count(result); i++) {
        ck_assert(dbal_result_double(result, 0, i) == 0);
        expect_error(DBAL_ERROR_DATA);
    }
}
END_TEST

START_TEST(truth_values_come_out_exact_or_not_at_all)
{
    ROW(dbal_bool(true), dbal_int64(1), dbal_text("t"), dbal_text("true"), dbal_bool(false),
        dbal_int64(0), dbal_text("f"), dbal_text("false"),
        /* from here on none is one */
        dbal_int64(2), dbal_int64(-1), dbal_double(1), dbal_text(""), dbal_text("yes"),
        dbal_blob("t", 1), dbal_date(1));
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(dbal_result_bool(result, 0, i), i < 4);
    expect_no_error();
    for (size_t i = 8; i < dbal_result_column_count(result); i++) {
        ck_assert(!dbal_result_bool(result, 0, i));
        expect_error(DBAL_ERROR_DATA);
    }
}
END_TEST

START_TEST(moments_come_out_of_their_own_type_and_of_text)
{
    ROW(dbal_date(-1), dbal_text("1970-01-02"), dbal_time(5), dbal_text("00:00:01"),
        dbal_timestamp(-5), dbal_text("1970-01-01 00:00:01"), dbal_int64(1), dbal_blob("x", 1));
    ck_assert_int_eq(dbal_result_date(result, 0, 0), -1);
    ck_assert_int_eq(dbal_result_date(result, 0, 1), 1);
    ck_assert_int_eq(dbal_result_time(result, 0, 2), 5);
    ck_assert_int_eq(dbal_result_time(result, 0, 3), 1000000);
    ck_assert_int_eq(dbal_result_timestamp(result, 0, 4), -5);
    ck_assert_int_eq(dbal_result_timestamp(result, 0, 5), 1000000);
    expect_no_error();
    static const size_t wrong[] = {2, 4, 6, 7};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(dbal_result_date(result, 0, wrong[i]), 0);
        expect_error(DBAL_ERROR_DATA);
    }
    dbal_result_time(result, 0, 0);
    expect_error(DBAL_ERROR_DATA);
    dbal_result_timestamp(result, 0, 0);
    expect_error(DBAL_ERROR_DATA);
}
END_TEST

START_TEST(every_cell_has_a_text)
{
    static const uint8_t uuid[16] = {0xab, [15] = 0xcd};
    static const char *const expected[] = {"",
                                           "true or 1",
                                           "-9223372036854775808",
                                           "1.5",
                                           "text",
                                           "a",
                                           "1.10",
                                           "1970-01-01",
                                           "00:00:01",
                                           "1970-01-01 00:00:01",
                                           "ab000000-0000-0000-0000-0000000000cd",
                                           "{}"};
    ROW(dbal_null(), dbal_bool(true), dbal_int64(INT64_MIN), dbal_double(1.5), dbal_text("text"),
        dbal_blob("a\0b", 3), dbal_numeric("1.10"), dbal_date(0), dbal_time(1000000),
        dbal_timestamp(1000000), dbal_uuid(uuid), dbal_json("{}"));
    const char *texts[12];
    for (size_t i = 0; i < 12; i++)
        texts[i] = dbal_result_text(result, 0, i);
    /* each lives as long as the result, whatever is asked for later */
    for (size_t i = 0; i < 12; i++) {
        if (i != 1)
            ck_assert_str_eq(texts[i], expected[i]);
    }
    ck_assert_str_ne(texts[1], "");
    expect_no_error();
    size_t size = 0;
    ck_assert_int_eq(memcmp(dbal_result_textn(result, 0, 5, &size), "a\0b", 4), 0);
    ck_assert_uint_eq(size, 3);
    dbal_result_textn(result, 0, 2, &size);
    ck_assert_uint_eq(size, 20);
}
END_TEST

START_TEST(bytes_come_out_of_what_is_kept_as_bytes)
{
    static const uint8_t uuid[16] = {1, [15] = 2};
    ROW(dbal_blob("a\0b", 3), dbal_textn("\0", 1), dbal_uuid(uuid), dbal_blob(NULL, 0),
        dbal_int64(1));
    ck_assert_uint_eq(dbal_result_blob(result, 0, 0).size, 3);
    ck_assert_int_eq(memcmp(dbal_result_blob(result, 0, 0).data, "a\0b", 3), 0);
    ck_assert_uint_eq(dbal_result_blob(result, 0, 1).size, 1);
    ck_assert_uint_eq(dbal_result_blob(result, 0, 2).size, 16);
    ck_assert_int_eq(memcmp(dbal_result_blob(result, 0, 2).data, uuid, 16), 0);
    ck_assert_uint_eq(dbal_result_blob(result, 0, 3).size, 0);
    expect_no_error();
    ck_assert_uint_eq(dbal_result_blob(result, 0, 4).size, 0);
    expect_error(DBAL_ERROR_DATA);
}
END_TEST

START_TEST(null_is_zero_of_every_kind_and_no_error)
{
    ROW(dbal_null());
    ck_assert(dbal_result_is_null(result, 0, 0));
    ck_assert(!dbal_result_bool(result, 0, 0));
    ck_assert_int_eq(dbal_result_int64(result, 0, 0), 0);
    ck_assert(dbal_result_double(result, 0, 0) == 0);
    ck_assert_str_eq(dbal_result_text(result, 0, 0), "");
    ck_assert_uint_eq(dbal_result_blob(result, 0, 0).size, 0);
    ck_assert_int_eq(dbal_result_date(result, 0, 0), 0);
    ck_assert_int_eq(dbal_result_time(result, 0, 0), 0);
    ck_assert_int_eq(dbal_result_timestamp(result, 0, 0), 0);
    expect_no_error();
}
END_TEST

START_TEST(cell_out_of_range_is_the_programs_mistake)
{
    ROW(dbal_int64(1));
    ck_assert(dbal_result_is_null(result, 1, 0));
    ck_assert(dbal_result_is_null(result, 0, SIZE_MAX));
    ck_assert_int_eq(dbal_result_get(result, 1, 0).type, DBAL_NULL);
    expect_no_error();
    ck_assert_int_eq(dbal_result_int64(result, 1, 0), 0);
    expect_error(DBAL_ERROR_INTERFACE);
    ck_assert_str_eq(dbal_result_text(result, 0, 1), "");
    expect_error(DBAL_ERROR_INTERFACE);
    dbal_result_double(result, SIZE_MAX, SIZE_MAX);
    expect_error(DBAL_ERROR_INTERFACE);
}
END_TEST

START_TEST(first_error_is_kept_and_says_where)
{
    ROW(dbal_text("x"), dbal_int64(5));
    dbal_result_int64(result, 0, 0);
    dbal_result_int64(result, 9, 9);
    ck_assert_int_eq(dbal_result_int64(result, 0, 1), 5);
    dbal_error *error = dbal_result_take_error(result);
    ck_assert(dbal_error_is(error, DBAL_ERROR_DATA));
    ck_assert_str_eq(dbal_error_sqlstate(error), "22018");
    ck_assert_msg(strstr(dbal_error_message(error), "c0") != NULL, "%s", dbal_error_message(error));
    /* it may hold what nobody else may see */
    ck_assert_ptr_null(strstr(dbal_error_message(error), "\"x\""));
    dbal_error_unref(error);
    expect_no_error();
}
END_TEST

START_TEST(error_that_nobody_took_goes_with_the_result)
{
    ROW(dbal_text("x"));
    dbal_result_int64(result, 0, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("result");
    const TTest *const tests[] = {
        null_stands_for_a_result_without_rows,          columns_are_found_by_their_exact_name,
        affected_rows_are_those_said_or_those_there,    integers_come_out_exact_or_not_at_all,
        doubles_come_out_exact_or_not_at_all,           truth_values_come_out_exact_or_not_at_all,
        moments_come_out_of_their_own_type_and_of_text, every_cell_has_a_text,
        bytes_come_out_of_what_is_kept_as_bytes,        null_is_zero_of_every_kind_and_no_error,
        cell_out_of_range_is_the_programs_mistake,      first_error_is_kept_and_says_where,
        error_that_nobody_took_goes_with_the_result,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
