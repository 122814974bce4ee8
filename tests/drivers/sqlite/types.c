#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/sqlite/declared.h"
#include "drivers/sqlite/moment.h"
#include "fixture.h"

static database db;

static void
setup(void)
{
    database_init(&db);
    database_open(&db, NULL);
    ASK(&db, "create table t (v)");
}

static void
teardown(void)
{
    database_fini(&db);
}

/* stores a value and reads it back from the file */
static dbal_value
round_trip(dbal_value value)
{
    ASK(&db, "delete from t");
    ask_ok(&db, "insert into t values (?1)", DBAL_PARAMS(value));
    ck_assert_int_eq(dbal_result_affected(db.result), 1);
    ASK(&db, "select v from t");
    ck_assert_uint_eq(dbal_result_row_count(db.result), 1);
    return dbal_result_get(db.result, 0, 0);
}

static void
expect_text(dbal_value got, const char *text)
{
    ck_assert_int_eq(got.type, DBAL_TEXT);
    ck_assert_uint_eq(got.as.bytes.size, strlen(text));
    ck_assert_mem_eq(got.as.bytes.data, text, strlen(text));
}

START_TEST(integers)
{
    static const int64_t values[] = {0, 1, -1, 127, 32768, INT64_C(1) << 53, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        dbal_value got = round_trip(dbal_int64(values[i]));
        ck_assert_int_eq(got.type, DBAL_INT64);
        ck_assert_int_eq(got.as.integer, values[i]);
    }
}
END_TEST

START_TEST(doubles)
{
    static const double values[] = {0.1,   -1.5,     1e308,     5e-324, 9007199254740993.0,
                                    1e-10, INFINITY, -INFINITY, 3.0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        dbal_value got = round_trip(dbal_double(values[i]));
        ck_assert_int_eq(got.type, DBAL_DOUBLE);
        ck_assert(memcmp(&got.as.real, &values[i], sizeof values[i]) == 0);
    }
    ck_assert_int_eq(round_trip(dbal_double(NAN)).type, DBAL_NULL);
}
END_TEST

START_TEST(null_and_empty_differ)
{
    ck_assert_int_eq(round_trip(dbal_null()).type, DBAL_NULL);
    expect_text(round_trip(dbal_textn(NULL, 0)), "");
    expect_text(round_trip(dbal_text("")), "");
    dbal_value blob = round_trip(dbal_blob(NULL, 0));
    ck_assert_int_eq(blob.type, DBAL_BLOB);
    ck_assert_uint_eq(blob.as.bytes.size, 0);
    ask_int64(&db, "select count(*) from t where v is x''", 1);
}
END_TEST

START_TEST(nul_bytes_survive)
{
    static const char bytes[] = "a\0b\0";
    dbal_value text = round_trip(dbal_textn(bytes, 4));
    ck_assert_int_eq(text.type, DBAL_TEXT);
    ck_assert_uint_eq(text.as.bytes.size, 4);
    ck_assert_mem_eq(text.as.bytes.data, bytes, 4);
    dbal_value blob = round_trip(dbal_blob(bytes, 4));
    ck_assert_int_eq(blob.type, DBAL_BLOB);
    ck_assert_uint_eq(blob.as.bytes.size, 4);
    ck_assert_mem_eq(blob.as.bytes.data, bytes, 4);
}
END_TEST

START_TEST(every_other_type)
{
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0xff};
    ck_assert_int_eq(round_trip(dbal_bool(true)).as.integer, 1);
    ck_assert_int_eq(round_trip(dbal_bool(false)).as.integer, 0);
    expect_text(round_trip(dbal_numeric("12345678901234567890.12")), "12345678901234567890.12");
    expect_text(round_trip(dbal_json("{\"a\":1}")), "{\"a\":1}");
    expect_text(round_trip(dbal_uuid(uuid)), "123e4567-e89b-12d3-a456-4266141740ff");
    expect_text(round_trip(dbal_date(20000)), "2024-10-04");
    ck_assert_int_eq(dbal_result_date(db.result, 0, 0), 20000);
    expect_text(round_trip(dbal_time(INT64_C(86399999999))), "23:59:59.999999");
    ck_assert_int_eq(dbal_result_time(db.result, 0, 0), INT64_C(86399999999));
    expect_text(round_trip(dbal_timestamp(-1)), "1969-12-31 23:59:59.999999");
    ck_assert_int_eq(dbal_result_timestamp(db.result, 0, 0), -1);
    ck_assert_ptr_null(dbal_result_take_error(db.result));
}
END_TEST

/* day by day over 400 years and at the ends, against SQLite's own calendar */
START_TEST(dates_are_sqlites)
{
    static const int64_t ends[] = {-719528, 2932896, -719469, -719468, 0, -1, 11016};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        ask_ok(&db, "select date(?1 + 2440587.5) = ?2",
               DBAL_PARAMS(dbal_int64(ends[i]), dbal_date(ends[i])));
        ck_assert_int_eq(dbal_result_int64(db.result, 0, 0), 1);
    }
    char text[DBAL__SQLITE_MOMENT_MAX], before[DBAL__SQLITE_MOMENT_MAX] = "";
    for (int64_t day = -80000; day < 80000; day++) {
        ck_assert_uint_eq(dbal__sqlite_moment_text(DBAL_DATE, day, text), 10);
        ck_assert_int_lt(strcmp(before, text), 0);
        memcpy(before, text, sizeof text);
    }
    ASK(&db, "with recursive d(x) as (select -80000 union all select x + 997 from d where x < "
             "80000) select x, date(x + 2440587.5) from d");
    for (size_t i = 0; i < dbal_result_row_count(db.result); i++) {
        dbal__sqlite_moment_text(DBAL_DATE, dbal_result_int64(db.result, i, 0), text);
        ck_assert_str_eq(dbal_result_text(db.result, i, 1), text);
    }
}
END_TEST

START_TEST(moments_equal_sqlites)
{
    ask_ok(&db, "select ?1 = datetime(0, 'unixepoch'), ?2 = time('12:30:00')",
           DBAL_PARAMS(dbal_timestamp(0), dbal_time(INT64_C(45000000000))));
    ck_assert_int_eq(dbal_result_int64(db.result, 0, 0), 1);
    ck_assert_int_eq(dbal_result_int64(db.result, 0, 1), 1);
}
END_TEST

START_TEST(values_sqlite_cannot_hold)
{
    const dbal_value values[] = {dbal_date(2932897),
                                 dbal_date(-719529),
                                 dbal_date(INT64_MAX),
                                 dbal_date(INT64_MIN),
                                 dbal_time(-1),
                                 dbal_time(INT64_C(86400000000)),
                                 dbal_timestamp(INT64_MAX),
                                 dbal_timestamp(INT64_MIN)};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        ask_fails(&db, "select ?1", DBAL_PARAMS(values[i]), DBAL_ERROR_DATA, "22008");
    const int64_t numbers[] = {1, 2};
    ask_fails(&db, "select ?1", DBAL_PARAMS(dbal_array_int64(numbers, 2)), DBAL_ERROR_NOT_SUPPORTED,
              "0A000");
    ck_assert_ptr_nonnull(strstr(dbal_error_hint(db.error), "json_each"));
    ask_int64(&db, "select 1", 1);
}
END_TEST

START_TEST(a_blob_of_100_megabytes)
{
    enum { SIZE = 100 << 20 };
    uint8_t *bytes = malloc(SIZE);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    dbal_value got = round_trip(dbal_blob(bytes, SIZE));
    ck_assert_int_eq(got.type, DBAL_BLOB);
    ck_assert_uint_eq(got.as.bytes.size, SIZE);
    ck_assert(memcmp(got.as.bytes.data, bytes, SIZE) == 0);
    free(bytes);
}
END_TEST

/* a cell is what it is, not what its column was declared as */
START_TEST(columns_and_their_types)
{
    static const struct {
        const char *name;
        dbal_type type;
    } columns[] = {{"a", DBAL_INT64},   {"b", DBAL_TEXT}, {"c", DBAL_DOUBLE}, {"d", DBAL_BLOB},
                   {"e", DBAL_BOOL},    {"f", DBAL_DATE}, {"g", DBAL_TIME},   {"h", DBAL_TIMESTAMP},
                   {"i", DBAL_NUMERIC}, {"j", DBAL_JSON}, {"k", DBAL_UUID},   {"l", DBAL_NULL},
                   {"m x", DBAL_NULL}};
    ASK(&db, "create table types (a bigint, b varchar(9), c double precision, d blob, e boolean, "
             "f date, g time, h timestamp, i decimal(9, 2), j json, k uuid, l)");
    ASK(&db, "select *, 1 + 1 as \"m x\" from types");
    ck_assert_uint_eq(dbal_result_row_count(db.result), 0);
    ck_assert_uint_eq(dbal_result_column_count(db.result), 13);
    for (size_t i = 0; i < 13; i++) {
        ck_assert_str_eq(dbal_result_column_name(db.result, i), columns[i].name);
        ck_assert_int_eq(dbal_result_column_type(db.result, i), columns[i].type);
    }
    ASK(&db, "insert into types (a) values ('text')");
    ASK(&db, "select a from types");
    ck_assert_int_eq(dbal_result_get(db.result, 0, 0).type, DBAL_TEXT);
}
END_TEST

START_TEST(declarations)
{
    ck_assert_int_eq(dbal__sqlite_declared_type("UNSIGNED BIG INT"), DBAL_INT64);
    ck_assert_int_eq(dbal__sqlite_declared_type("Native Character(70)"), DBAL_TEXT);
    ck_assert_int_eq(dbal__sqlite_declared_type("DATETIME"), DBAL_TIMESTAMP);
    ck_assert_int_eq(dbal__sqlite_declared_type("FLOAT"), DBAL_DOUBLE);
    ck_assert_int_eq(dbal__sqlite_declared_type("ANY"), DBAL_NULL);
    ck_assert_int_eq(dbal__sqlite_declared_type(""), DBAL_NULL);
    ck_assert_int_eq(dbal__sqlite_declared_type(NULL), DBAL_NULL);
}
END_TEST

/* ---- types=declared ---- */

static const uint8_t an_uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                    0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0xff};

/* What is stored in a column declared so, as it comes back; its text is the database's all the same. */
static dbal_value
declared(const char *declaration, dbal_value stored)
{
    char sql[128];
    snprintf(sql, sizeof sql, "create table d (v %s)", declaration);
    ASK(&db, "drop table if exists d");
    ASK(&db, sql);
    ask_ok(&db, "insert into d values (?1)", DBAL_PARAMS(stored));
    ASK(&db, "select v, cast(v as text) from d");
    dbal_value got = dbal_result_get(db.result, 0, 0);
    if (stored.type != DBAL_BLOB)
        ck_assert_str_eq(dbal_result_text(db.result, 0, 0), dbal_result_text(db.result, 0, 1));
    return got;
}

static void
open_declared(void)
{
    database_close(&db);
    database_open(&db, "types=declared");
}

START_TEST(declared_types_come_back)
{
    open_declared();
    dbal_value got = declared("boolean", dbal_bool(true));
    ck_assert_int_eq(got.type, DBAL_BOOL);
    ck_assert(got.as.boolean);
    got = declared("boolean", dbal_int64(0));
    ck_assert_int_eq(got.type, DBAL_BOOL);
    ck_assert(!got.as.boolean);
    for (int64_t days = -719528; days <= 2932896; days += days < 2932000 ? 89753 : 224) {
        got = declared("date", dbal_date(days));
        ck_assert_int_eq(got.type, DBAL_DATE);
        ck_assert_int_eq(got.as.integer, days);
        got = declared("datetime", dbal_timestamp(days * INT64_C(86400000000) + 12345678));
        ck_assert_int_eq(got.type, DBAL_TIMESTAMP);
        ck_assert_int_eq(got.as.integer, days * INT64_C(86400000000) + 12345678);
    }
    got = declared("time", dbal_time(INT64_C(86399999999)));
    ck_assert_int_eq(got.type, DBAL_TIME);
    ck_assert_int_eq(got.as.integer, INT64_C(86399999999));
    got = declared("timestamp", dbal_text("2024-02-29 23:59:59"));
    ck_assert_int_eq(got.type, DBAL_TIMESTAMP);
    got = declared("json", dbal_json("{\"a\":1}"));
    ck_assert_int_eq(got.type, DBAL_JSON);
    ck_assert_uint_eq(got.as.bytes.size, 7);
    got = declared("uuid", dbal_uuid(an_uuid));
    ck_assert_int_eq(got.type, DBAL_UUID);
    ck_assert_mem_eq(got.as.uuid, an_uuid, 16);
    got = declared("uuid", dbal_blob(an_uuid, 16));
    ck_assert_int_eq(got.type, DBAL_UUID);
    ck_assert_mem_eq(got.as.uuid, an_uuid, 16);
}
END_TEST

/* what does not fit, or would lose its spelling, stays what it is */
START_TEST(what_does_not_fit_its_declaration_stays)
{
    static const struct {
        const char *declaration, *text;
    } texts[] = {
        {"date", "2023-02-29"},
        {"date", "2023-2-28"},
        {"date", "2023-02-28 "},
        {"date", "2023+02+28"},
        {"date", "now"},
        {"date", "2023-00-10"},
        {"time", "24:00:00"},
        {"time", "12:34"},
        {"time", "12:60:00"},
        {"time", "12:34:56.7"},
        {"time", "12:34:56.000000"},
        {"time", "-1:00:00"},
        {"timestamp", "2023-02-28T12:34:56"},
        {"timestamp", "2023-02-28 12:34:56Z"},
        {"timestamp", "2023-02-28"},
        {"uuid", "123E4567-e89b-12d3-a456-4266141740ff"},
        {"uuid", "123e4567e89b12d3a4564266141740ff0000"},
        {"uuid", "x"},
        {"boolean", "true"},
    };
    open_declared();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_text(declared(texts[i].declaration, dbal_text(texts[i].text)), texts[i].text);
    ck_assert_int_eq(declared("boolean", dbal_int64(2)).type, DBAL_INT64);
    ck_assert_int_eq(declared("date", dbal_int64(20000)).type, DBAL_INT64);
    ck_assert_int_eq(declared("date", dbal_null()).type, DBAL_NULL);
    ck_assert_int_eq(declared("uuid", dbal_blob("x", 1)).type, DBAL_BLOB);
    ck_assert_int_eq(declared("json", dbal_blob("{}", 2)).type, DBAL_BLOB);
    ck_assert_int_eq(declared("integer", dbal_text("one")).type, DBAL_TEXT);
    /* an expression was declared as nothing */
    ask_ok(&db, "select ?1", DBAL_PARAMS(dbal_date(1)));
    ck_assert_int_eq(dbal_result_get(db.result, 0, 0).type, DBAL_TEXT);
}
END_TEST

START_TEST(without_being_asked_nothing_becomes_its_declaration)
{
    ck_assert_int_eq(declared("boolean", dbal_bool(true)).type, DBAL_INT64);
    ck_assert_int_eq(declared("date", dbal_date(20000)).type, DBAL_TEXT);
    ck_assert_int_eq(declared("uuid", dbal_uuid(an_uuid)).type, DBAL_TEXT);
}
END_TEST

/* a database whose texts are UTF-16 gives UTF-8 all the same */
START_TEST(utf16_files)
{
    database_close(&db);
    char path[160];
    snprintf(path, sizeof path, "%s/wide.db", db.folder);
    database_configure(&db, path, NULL);
    ck_assert(database_try_open(&db));
    ASK(&db, "pragma encoding = 'UTF-16le'");
    ASK(&db, "create table t (v)");
    expect_text(round_trip(dbal_text("grüße €😀")), "grüße €😀");
    ASK(&db, "pragma encoding");
    expect_text(dbal_result_get(db.result, 0, 0), "UTF-16le");
}
END_TEST

Suite *
types_suite(void)
{
    Suite *suite = suite_create("sqlite types");
    TCase *tests = tcase_create("types");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, integers);
    tcase_add_test(tests, doubles);
    tcase_add_test(tests, null_and_empty_differ);
    tcase_add_test(tests, nul_bytes_survive);
    tcase_add_test(tests, every_other_type);
    tcase_add_test(tests, dates_are_sqlites);
    tcase_add_test(tests, moments_equal_sqlites);
    tcase_add_test(tests, values_sqlite_cannot_hold);
    tcase_add_test(tests, a_blob_of_100_megabytes);
    tcase_add_test(tests, columns_and_their_types);
    tcase_add_test(tests, declarations);
    tcase_add_test(tests, declared_types_come_back);
    tcase_add_test(tests, what_does_not_fit_its_declaration_stays);
    tcase_add_test(tests, without_being_asked_nothing_becomes_its_declaration);
    tcase_add_test(tests, utf16_files);
    suite_add_tcase(suite, tests);
    return suite;
}
