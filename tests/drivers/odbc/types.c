/* Types: what columns are, what cells become, long ones. */
#include <stdlib.h>
#include <string.h>

#include "drivers/odbc/moment.h"
#include "drivers/odbc/uuid.h"
#include "tests/drivers/odbc/fixture.h"
#include "tests/lib/suite.h"

static const dbal_type all[] = {DBAL_BOOL,   DBAL_INT64,     DBAL_INT64, DBAL_INT64, DBAL_DOUBLE,
                                DBAL_DOUBLE, DBAL_NUMERIC,   DBAL_TEXT,  DBAL_BLOB,  DBAL_DATE,
                                DBAL_TIME,   DBAL_TIMESTAMP, DBAL_UUID,  DBAL_NULL};

START_TEST(every_type_of_postgresql)
{
    open_postgres("&BoolsAsChar=0");
    dbal_outcome outcome =
        ask("select true, 7::int2, -8::int4, 9223372036854775807::int8, 0.5::float4, "
            "0.1::float8, 12345678901234567890.10::numeric, 'Grüße'::text, '\\x00ff'::bytea, "
            "'2024-10-04'::date, '23:59:59.999999'::time, '1969-12-31 23:59:59.999999'::timestamp, "
            "'01020304-0506-0708-090a-0b0c0d0e0fff'::uuid, null::int4",
            DBAL_NO_PARAMS);
    dbal_result *rows = dbal_outcome_result(outcome);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ck_assert_msg(dbal_result_get(rows, 0, i).type == all[i], "%zu: %d", i,
                      dbal_result_get(rows, 0, i).type);
    ck_assert(dbal_result_bool(rows, 0, 0));
    ck_assert_int_eq(dbal_result_int64(rows, 0, 3), INT64_MAX);
    ck_assert(dbal_result_double(rows, 0, 5) == 0.1);
    ck_assert_str_eq(dbal_result_text(rows, 0, 6), "12345678901234567890.10");
    ck_assert_str_eq(dbal_result_text(rows, 0, 7), "Grüße");
    ck_assert_int_eq(dbal_result_date(rows, 0, 9), 20000);
    ck_assert_int_eq(dbal_result_time(rows, 0, 10), INT64_C(86399999999));
    ck_assert_int_eq(dbal_result_timestamp(rows, 0, 11), -1);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(parameters_fit_where_they_go)
{
    static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};
    open_postgres("&BoolsAsChar=0&ByteaAsLongVarBinary=1");
    run("create table every(a bool, b bigint, c float8, d numeric, e text, f bytea, g date, h "
        "time, "
        "i timestamp, j uuid)");
    dbal_outcome outcome =
        ask("insert into every values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            DBAL_PARAMS(dbal_bool(true), dbal_int64(INT64_MIN), dbal_double(0.1),
                        dbal_numeric("-12345678901234567890.10"), dbal_text("世界"),
                        dbal_blob("\0\xff", 2), dbal_date(20000), dbal_time(INT64_C(86399999999)),
                        dbal_timestamp(-1), dbal_uuid(uuid)));
    ck_assert_int_eq(dbal_result_affected(dbal_outcome_result(outcome)), 1);
    dbal_outcome_clear(&outcome);
    outcome = ask("select * from every", DBAL_NO_PARAMS);
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert(dbal_result_bool(rows, 0, 0));
    ck_assert_int_eq(dbal_result_int64(rows, 0, 1), INT64_MIN);
    ck_assert(dbal_result_double(rows, 0, 2) == 0.1);
    ck_assert_str_eq(dbal_result_text(rows, 0, 3), "-12345678901234567890.10");
    ck_assert_str_eq(dbal_result_text(rows, 0, 4), "世界");
    ck_assert_mem_eq(dbal_result_get(rows, 0, 5).as.bytes.data, "\0\xff", 2);
    ck_assert_int_eq(dbal_result_date(rows, 0, 6), 20000);
    ck_assert_int_eq(dbal_result_time(rows, 0, 7), INT64_C(86399999999));
    ck_assert_int_eq(dbal_result_timestamp(rows, 0, 8), -1);
    ck_assert_mem_eq(dbal_result_get(rows, 0, 9).as.uuid, uuid, 16);
    dbal_outcome_clear(&outcome);
    run("drop table every");
}
END_TEST

/* SQLite's ODBC driver takes the first row's type for the column's, and gives NULL for what is none */
START_TEST(a_cell_is_what_it_is_in_spite_of_its_column)
{
    open_sqlite("&BigInt=1");
    dbal_outcome outcome = ask("select 7 union all select 'seven' union all select null "
                               "union all select 9223372036854775807",
                               DBAL_NO_PARAMS);
    dbal_result *rows = dbal_outcome_result(outcome);
    bool seven = false, text = false, null = false, large = false;
    for (size_t i = 0; i < 4; i++) {
        dbal_value cell = dbal_result_get(rows, i, 0);
        seven = seven || (cell.type == DBAL_INT64 && cell.as.integer == 7);
        large = large || (cell.type == DBAL_INT64 && cell.as.integer == INT64_MAX);
        text = text || (cell.type == DBAL_TEXT && strcmp(cell.as.bytes.data, "seven") == 0);
        null = null || cell.type == DBAL_NULL;
    }
    ck_assert(seven && text && null && large);
    dbal_outcome_clear(&outcome);
    outcome = ask("select $1", DBAL_PARAMS(dbal_int64(1)));
    dbal_outcome_clear(&outcome);
    outcome = ask("select $1", DBAL_PARAMS(dbal_text("one")));
    ck_assert_str_eq(dbal_result_text(dbal_outcome_result(outcome), 0, 0), "one");
    dbal_outcome_clear(&outcome);
    outcome = ask("select $1", DBAL_PARAMS(dbal_blob("\0\xff", 2)));
    ck_assert_int_eq(dbal_result_get(dbal_outcome_result(outcome), 0, 0).type, DBAL_BLOB);
    dbal_outcome_clear(&outcome);
    outcome = ask("select $1", DBAL_PARAMS(dbal_int64(2)));
    ck_assert_int_eq(dbal_result_get(dbal_outcome_result(outcome), 0, 0).type, DBAL_INT64);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_text_that_looks_like_a_number_stays_one)
{
    static const char *const texts[] = {"nan", "infinity", "0x10", "1e", "-", "1 "};
    open_sqlite("");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        dbal_outcome outcome =
            ask("select 0.5 as n union all select $1 as n", DBAL_PARAMS(dbal_text(texts[i])));
        dbal_result *rows = dbal_outcome_result(outcome);
        ck_assert_int_eq(dbal_result_get(rows, 0, 0).type, DBAL_DOUBLE);
        ck_assert_int_eq(dbal_result_get(rows, 1, 0).type, DBAL_TEXT);
        ck_assert_str_eq(dbal_result_text(rows, 1, 0), texts[i]);
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

/* around what a portion has room for */
START_TEST(long_texts_come_whole)
{
    enum { LONGEST = 4000000 };
    static const size_t sizes[] = {0, 1, 510, 511, 512, 513, 1023, 1024, 1025, 100000, LONGEST};
    char *text = malloc(LONGEST + 1);
    ck_assert_ptr_nonnull(text);
    for (int database = 0; database < 2; database++) {
        if (database == 0)
            open_sqlite("");
        else
            open_postgres("&MaxLongVarcharSize=5000000");
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            for (size_t at = 0; at < sizes[i]; at++)
                text[at] = (char)('a' + at % 23);
            dbal_outcome outcome =
                ask("select cast($1 as text), 'behind'", DBAL_PARAMS(dbal_textn(text, sizes[i])));
            dbal_value cell = dbal_result_get(dbal_outcome_result(outcome), 0, 0);
            ck_assert_int_eq(cell.type, DBAL_TEXT);
            ck_assert_uint_eq(cell.as.bytes.size, sizes[i]);
            ck_assert(memcmp(cell.as.bytes.data, text, sizes[i]) == 0);
            ck_assert_str_eq(dbal_result_text(dbal_outcome_result(outcome), 0, 1), "behind");
            dbal_outcome_clear(&outcome);
        }
    }
    free(text);
}
END_TEST

START_TEST(moments_are_read_as_written)
{
    static const int64_t values[] = {0,
                                     -1,
                                     1,
                                     INT64_C(1728000000000000),
                                     INT64_C(-62135596800000000),
                                     INT64_C(253402300799999999)};
    char text[DBAL__ODBC_MOMENT_MAX];
    int64_t value;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        size_t size = dbal__odbc_moment_write(text, DBAL_TIMESTAMP, values[i]);
        ck_assert(dbal__odbc_moment_read(DBAL_TIMESTAMP, text, size, &value));
        ck_assert_int_eq(value, values[i]);
    }
    ck_assert_uint_eq(dbal__odbc_moment_write(text, DBAL_TIMESTAMP, INT64_MAX), 0);
    ck_assert_uint_eq(dbal__odbc_moment_write(text, DBAL_TIME, -1), 0);
    ck_assert(dbal__odbc_moment_read(DBAL_TIME, "01:02:03.5", 10, &value));
    ck_assert_int_eq(value, INT64_C(3723500000));
    ck_assert(!dbal__odbc_moment_read(DBAL_TIME, "24:00:00", 8, &value));
    ck_assert(!dbal__odbc_moment_read(DBAL_TIME, "01:02:03.", 9, &value));
    ck_assert(!dbal__odbc_moment_read(DBAL_DATE, "2023-02-29", 10, &value));
    ck_assert(!dbal__odbc_moment_read(DBAL_DATE, "2024-02-29x", 11, &value));
    ck_assert(dbal__odbc_moment_read(DBAL_DATE, "2024-02-29", 10, &value));
}
END_TEST

START_TEST(uuids_are_read_as_written)
{
    static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 171, 12, 13, 14, 15, 255};
    char text[37];
    uint8_t again[16];
    dbal__odbc_uuid_write(text, uuid);
    ck_assert(dbal__odbc_uuid_read(text, 36, again));
    ck_assert_mem_eq(again, uuid, 16);
    ck_assert(dbal__odbc_uuid_read("{01020304-0506-0708-090A-AB0C0D0E0FFF}", 38, again));
    ck_assert(!dbal__odbc_uuid_read("01020304-0506-0708-090A-AB0C0D0E0FF", 35, again));
    ck_assert(!dbal__odbc_uuid_read("01020304x0506-0708-090A-AB0C0D0E0FFF", 36, again));
}
END_TEST

void
add_types(Suite *suite)
{
    suite_add(suite, every_type_of_postgresql, before, after);
    suite_add(suite, parameters_fit_where_they_go, before, after);
    suite_add(suite, a_cell_is_what_it_is_in_spite_of_its_column, before, after);
    suite_add(suite, a_text_that_looks_like_a_number_stays_one, before, after);
    suite_add(suite, long_texts_come_whole, before, after);
    suite_add(suite, moments_are_read_as_written, before, after);
    suite_add(suite, uuids_are_read_as_written, before, after);
}
