/* What becomes of each of MariaDB's types, there and back. */
#include "session.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("");
}

static void
before_bool(void)
{
    session_begin("tinyint1=bool");
}

/* Asserts the type and text of one expression, which is stored in a column of some type before. */
static void
check(const char *column, const char *literal, dbal_type type, const char *text)
{
    char sql[300];
    snprintf(sql, sizeof sql, "create or replace table t(c %s)", column);
    RUN(sql);
    snprintf(sql, sizeof sql, "insert into t values (%s)", literal);
    RUN(sql);
    dbal_outcome outcome = run("select c from t", DBAL_NO_PARAMS);
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_msg(rows != NULL, "%s: %s", column, dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_msg(dbal_result_get(rows, 0, 0).type == type, "%s %s: %s", column, literal,
                  dbal_type_name(dbal_result_get(rows, 0, 0).type));
    ck_assert_str_eq(dbal_result_text(rows, 0, 0), text);
    dbal_outcome_clear(&outcome);
}

START_TEST(integers)
{
    check("tinyint", "-128", DBAL_INT64, "-128");
    check("tinyint unsigned", "255", DBAL_INT64, "255");
    check("smallint", "-32768", DBAL_INT64, "-32768");
    check("mediumint unsigned", "16777215", DBAL_INT64, "16777215");
    check("int unsigned", "4294967295", DBAL_INT64, "4294967295");
    check("bigint", "-9223372036854775808", DBAL_INT64, "-9223372036854775808");
    check("bigint unsigned", "9223372036854775807", DBAL_INT64, "9223372036854775807");
    check("bigint unsigned", "18446744073709551615", DBAL_NUMERIC, "18446744073709551615");
    check("year", "2155", DBAL_INT64, "2155");
    check("bool", "true", DBAL_INT64, "1");
    check("bit(1)", "b'1'", DBAL_INT64, "1");
    check("bit(12)", "b'100000000001'", DBAL_INT64, "2049");
    check("bit(64)", "0xffffffffffffffff", DBAL_NUMERIC, "18446744073709551615");
    check("int", "null", DBAL_NULL, "");
}
END_TEST

START_TEST(tinyint1_is_a_truth_value_where_the_url_says_so)
{
    check("bool", "true", DBAL_BOOL, "1");
    check("tinyint(1)", "0", DBAL_BOOL, "0");
    check("tinyint(1)", "-7", DBAL_INT64, "-7");
    check("tinyint(4)", "1", DBAL_INT64, "1");
}
END_TEST

START_TEST(numbers_with_fractions)
{
    check("decimal(65,30)", "12345678901234567890123456789012345.000000000000000000000000000001",
          DBAL_NUMERIC, "12345678901234567890123456789012345.000000000000000000000000000001");
    check("decimal(5,2)", "-0.10", DBAL_NUMERIC, "-0.10");
    check("double", "0.1", DBAL_DOUBLE, "0.1");
    check("double", "-2.5e300", DBAL_DOUBLE, "-2.5e+300");
    check("float", "0.5", DBAL_DOUBLE, "0.5");
}
END_TEST

START_TEST(texts_and_bytes)
{
    check("varchar(20)", "'Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x8c\x8d'", DBAL_TEXT,
          "Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x8c\x8d");
    check("char(5)", "'a'", DBAL_TEXT, "a");
    check("longtext", "repeat('x', 100)", DBAL_TEXT,
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxx");
    check("enum('one','two')", "'two'", DBAL_TEXT, "two");
    check("set('a','b','c')", "'a,c'", DBAL_TEXT, "a,c");
    check("inet6", "'::1'", DBAL_TEXT, "::1");
    check("json", "'{\"a\": 1}'", DBAL_JSON, "{\"a\": 1}");
    check("uuid", "'123e4567-e89b-12d3-a456-426655440000'", DBAL_UUID,
          "123e4567-e89b-12d3-a456-426655440000");
    check("blob", "'abc'", DBAL_BLOB, "abc");
    check("varbinary(4)", "'abc'", DBAL_BLOB, "abc");
    check("varchar(5) character set latin1", "'\xc3\xbc'", DBAL_TEXT, "\xc3\xbc");
}
END_TEST

START_TEST(moments)
{
    check("date", "'1000-01-01'", DBAL_DATE, "1000-01-01");
    check("date", "'9999-12-31'", DBAL_DATE, "9999-12-31");
    check("time(6)", "'23:59:59.999999'", DBAL_TIME, "23:59:59.999999");
    check("datetime(6)", "'1969-12-31 23:59:59.999999'", DBAL_TIMESTAMP,
          "1969-12-31 23:59:59.999999");
    check("timestamp", "'2024-02-29 12:00:00'", DBAL_TIMESTAMP, "2024-02-29 12:00:00");
    /* no numbers are for these */
    check("time", "'-838:59:59'", DBAL_TEXT, "-838:59:59");
    check("time", "'24:00:00'", DBAL_TEXT, "24:00:00");
    check("date", "'0000-00-00'", DBAL_TEXT, "0000-00-00");
    check("datetime", "'2024-00-00 00:00:00'", DBAL_TEXT, "2024-00-00 00:00:00");
}
END_TEST

START_TEST(a_date_that_is_none_is_a_data_error_for_who_wants_a_number)
{
    RUN("create table t(c date)");
    RUN("insert into t values ('0000-00-00')");
    dbal_outcome outcome = run("select c from t", DBAL_NO_PARAMS);
    dbal_result *rows = dbal_outcome_result(outcome);
    dbal_result_date(rows, 0, 0);
    dbal_error *error = dbal_result_take_error(rows);
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(dbal_error_kind(error), DBAL_ERROR_DATA);
    dbal_error_unref(error);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(the_server_thinks_the_same_of_parameters)
{
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x55, 0x44, 0,    0};
    RUN("create table t(i bigint, d double, n decimal(40,5), s text, b blob, da date, ti time(6), "
        "ts datetime(6), u uuid, j json, bo tinyint, x int)");
    run_ok("insert into t values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
           DBAL_PARAMS(dbal_int64(INT64_MIN), dbal_double(0.1),
                       dbal_numeric("12345678901234567890123456789.12345"),
                       dbal_textn("a\0'\\b", 5), dbal_blob("\0\xff", 2), dbal_date(-1),
                       dbal_time(INT64_C(86399999999)), dbal_timestamp(INT64_C(-62167219200000000)),
                       dbal_uuid(uuid), dbal_json("[1]"), dbal_bool(true), dbal_null()));
    ck_assert_int_eq(
        run_number("select i = -9223372036854775808 and d = 0.1e0 and n = "
                   "12345678901234567890123456789.12345 and hex(s) = '6100275C62' and hex(b) = "
                   "'00FF' and da = '1969-12-31' and ti = '23:59:59.999999' and ts = '0000-01-01' "
                   "and u = '123e4567-e89b-12d3-a456-426655440000' and j = '[1]' and bo = 1 and x "
                   "is null from t"),
        1);
}
END_TEST

START_TEST(what_mariadb_cannot_hold_is_refused)
{
    ends_badly(dbal_pool_query(pool, "select $1", DBAL_PARAMS(dbal_double(NAN))), DBAL_ERROR_DATA,
               "22003");
    ends_badly(dbal_pool_query(pool, "select $1", DBAL_PARAMS(dbal_date(4000000))), DBAL_ERROR_DATA,
               "22008");
    ends_badly(dbal_pool_query(pool, "select $1", DBAL_PARAMS(dbal_time(-1))), DBAL_ERROR_DATA,
               "22008");
    static const int64_t list[] = {1, 2};
    ends_badly(dbal_pool_query(pool, "select $1", DBAL_PARAMS(dbal_array_int64(list, 2))),
               DBAL_ERROR_NOT_SUPPORTED, "0A000");
}
END_TEST

START_TEST(cells_may_grow_from_row_to_row)
{
    RUN("create table t(n int, s longtext, b longblob)");
    for (int n = 0; n < 5; n++)
        run_ok(
            "insert into t values ($1, repeat('\xc3\xbc', pow(40, $1)), repeat('y', pow(10, $1)))",
            DBAL_PARAMS(dbal_int64(n)));
    dbal_outcome outcome = run("select s, b, n from t order by n", DBAL_NO_PARAMS);
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_ptr_nonnull(rows);
    for (size_t n = 0; n < 5; n++) {
        dbal_value s = dbal_result_get(rows, n, 0), b = dbal_result_get(rows, n, 1);
        ck_assert_uint_eq(s.as.bytes.size, 2 * (size_t)pow(40, (double)n));
        ck_assert_uint_eq(b.as.bytes.size, (size_t)pow(10, (double)n));
        ck_assert_mem_eq((const char *)s.as.bytes.data + s.as.bytes.size - 2, "\xc3\xbc", 2);
        ck_assert_int_eq(dbal_result_int64(rows, n, 2), (int64_t)n);
    }
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_number_that_mariadb_does_not_have_is_not_0)
{
    static const char more[] =
        "1234567890123456789012345678901234567890123456789012345678901234567";
    RUN("create table d(d decimal(20,2), v varchar(100))");
    run_ok("insert into d(d) values ($1)", DBAL_PARAMS(dbal_numeric("-12.50")));
    ends_badly(
        dbal_pool_query(pool, "insert into d(d) values ($1)", DBAL_PARAMS(dbal_numeric("NaN"))),
        DBAL_ERROR_DATA, "22007");
    ends_badly(
        dbal_pool_query(pool, "insert into d(d) values ($1)", DBAL_PARAMS(dbal_numeric(more))),
        DBAL_ERROR_DATA, "22003");
    run_ok("insert into d(v) values ($1)", DBAL_PARAMS(dbal_numeric(more)));
    dbal_outcome outcome = run("select v from d where v is not null", DBAL_NO_PARAMS);
    ck_assert_str_eq(dbal_result_text(dbal_outcome_result(outcome), 0, 0), more);
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(run_number("select count(*) from d where d is not null"), 1);
}
END_TEST

START_TEST(columns_stay_what_they_are_when_a_kept_statement_runs_again)
{
    RUN("create table k(u uuid, i inet6, j json, b varbinary(4))");
    RUN("insert into k values ('123e4567-e89b-12d3-a456-426655440000', '::1', '[1]', 'abc')");
    static const dbal_type types[] = {DBAL_UUID, DBAL_TEXT, DBAL_JSON, DBAL_BLOB};
    for (int i = 0; i < 3; i++) {
        dbal_outcome outcome = run("select u, i, j, b from k", DBAL_NO_PARAMS);
        for (size_t column = 0; column < 4; column++)
            ck_assert_int_eq(dbal_result_get(dbal_outcome_result(outcome), 0, column).type,
                             types[column]);
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

void
add_types(Suite *suite)
{
    suite_add(suite, integers, before, session_end);
    suite_add(suite, tinyint1_is_a_truth_value_where_the_url_says_so, before_bool, session_end);
    suite_add(suite, numbers_with_fractions, before, session_end);
    suite_add(suite, texts_and_bytes, before, session_end);
    suite_add(suite, moments, before, session_end);
    suite_add(suite, a_date_that_is_none_is_a_data_error_for_who_wants_a_number, before,
              session_end);
    suite_add(suite, the_server_thinks_the_same_of_parameters, before, session_end);
    suite_add(suite, what_mariadb_cannot_hold_is_refused, before, session_end);
    suite_add(suite, cells_may_grow_from_row_to_row, before, session_end);
    suite_add(suite, a_number_that_mariadb_does_not_have_is_not_0, before, session_end);
    suite_add(suite, columns_stay_what_they_are_when_a_kept_statement_runs_again, before,
              session_end);
}
