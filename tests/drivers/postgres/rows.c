#include "drivers/postgres/rows.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "drivers/postgres/type.h"
#include "tests/lib/alloc_fault.h"
#include "values.h"

static asked a;
static dbal__postgres_columns columns;

static void
setup(void)
{
    asked_init(&a, "select", DBAL_NO_PARAMS);
}

static void
teardown(void)
{
    asked_fini(&a);
    dbal__postgres_columns_fini(&columns);
}

/* the rows of a result made of these cells; of what the test before had, nothing is left */
static bool
take(const cell *cells, int count)
{
    PGresult *result = result_of(cells, count);
    asked_fini(&a);
    setup();
    ck_assert(dbal__postgres_columns_learn(&columns, result));
    bool ok = dbal__postgres_rows_take(&columns, result, 0, PQntuples(result), true, &a.request,
                                       &a.fault);
    PQclear(result);
    return ok;
}

/* whether a cell becomes of this type and has this text */
static void
expect(cell c, dbal_type type, const char *text)
{
    ck_assert(take(&c, 1));
    dbal_value value = dbal_result_get(a.request.result, 0, 0);
    ck_assert_msg(value.type == type, "%s: %s instead of %s", text, dbal_type_name(value.type),
                  dbal_type_name(type));
    ck_assert_str_eq(dbal_result_text(a.request.result, 0, 0), text);
    ck_assert_ptr_null(dbal_result_take_error(a.request.result));
}

static void
expect_spoiled(cell c)
{
    ck_assert(!take(&c, 1));
    ck_assert(dbal_fault_is_set(&a.fault));
    ck_assert_int_eq(dbal_error_kind(a.fault.error), DBAL_ERROR_INTERNAL);
    ck_assert_str_eq(dbal_error_sqlstate(a.fault.error), "08P01");
}

#define EXPECT_TEXT(oid, text, type) expect((cell)TEXT(oid, text), type, text)
#define EXPECT_BINARY(oid, bytes, type, text) expect((cell)BINARY(oid, bytes), type, text)

START_TEST(both_forms_of_numbers)
{
    EXPECT_TEXT(DBAL__POSTGRES_INT8, "-9223372036854775808", DBAL_INT64);
    EXPECT_TEXT(DBAL__POSTGRES_INT8, "9223372036854775807", DBAL_INT64);
    EXPECT_TEXT(DBAL__POSTGRES_INT4, "0", DBAL_INT64);
    EXPECT_TEXT(DBAL__POSTGRES_INT2, "-1", DBAL_INT64);
    EXPECT_TEXT(DBAL__POSTGRES_OID, "4294967295", DBAL_INT64);
    EXPECT_TEXT(DBAL__POSTGRES_BOOL, "t", DBAL_BOOL);
    EXPECT_TEXT(DBAL__POSTGRES_BOOL, "f", DBAL_BOOL);
    EXPECT_TEXT(DBAL__POSTGRES_NUMERIC, "1.10", DBAL_NUMERIC);
    EXPECT_TEXT(DBAL__POSTGRES_NUMERIC, "NaN", DBAL_NUMERIC);
    EXPECT_BINARY(DBAL__POSTGRES_INT8, "\x80\0\0\0\0\0\0\0", DBAL_INT64, "-9223372036854775808");
    EXPECT_BINARY(DBAL__POSTGRES_INT8, "\0\0\0\0\0\0\1\0", DBAL_INT64, "256");
    EXPECT_BINARY(DBAL__POSTGRES_INT4, "\xff\xff\xff\xfe", DBAL_INT64, "-2");
    EXPECT_BINARY(DBAL__POSTGRES_INT2, "\x80\0", DBAL_INT64, "-32768");
    EXPECT_BINARY(DBAL__POSTGRES_OID, "\xff\xff\xff\xff", DBAL_INT64, "4294967295");
    EXPECT_BINARY(DBAL__POSTGRES_BOOL, "\1", DBAL_BOOL, "t");
    EXPECT_BINARY(DBAL__POSTGRES_BOOL, "\0", DBAL_BOOL, "f");
}
END_TEST

START_TEST(both_forms_of_floating_point)
{
    static const char *const texts[] = {
        "0",          "-0",        "0.1",    "1e-05",
        "123456.789", "1e+15",     "5e-324", "1.7976931348623157e+308",
        "Infinity",   "-Infinity", "NaN",    "0.30000000000000004"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect((cell){DBAL__POSTGRES_FLOAT8, 0, texts[i], (int)strlen(texts[i])}, DBAL_DOUBLE,
               texts[i]);
    EXPECT_TEXT(DBAL__POSTGRES_FLOAT4, "0.1", DBAL_DOUBLE);
    ck_assert(dbal_result_double(a.request.result, 0, 0) == (double)0.1f);
    EXPECT_TEXT(DBAL__POSTGRES_FLOAT4, "3.4028235e+38", DBAL_DOUBLE);
    EXPECT_BINARY(DBAL__POSTGRES_FLOAT8, "\x3f\xb9\x99\x99\x99\x99\x99\x9a", DBAL_DOUBLE, "0.1");
    EXPECT_BINARY(DBAL__POSTGRES_FLOAT8, "\xff\xf0\0\0\0\0\0\0", DBAL_DOUBLE, "-Infinity");
    EXPECT_BINARY(DBAL__POSTGRES_FLOAT8, "\x7f\xf8\0\0\0\0\0\0", DBAL_DOUBLE, "NaN");
    EXPECT_BINARY(DBAL__POSTGRES_FLOAT4, "\x3d\xcc\xcc\xcd", DBAL_DOUBLE, "0.1");
    ck_assert(dbal_result_double(a.request.result, 0, 0) == (double)0.1f);
}
END_TEST

START_TEST(both_forms_of_moments)
{
    EXPECT_TEXT(DBAL__POSTGRES_DATE, "2026-11-22", DBAL_DATE);
    ck_assert_int_eq(dbal_result_date(a.request.result, 0, 0), 20779);
    EXPECT_TEXT(DBAL__POSTGRES_DATE, "0044-03-15 BC", DBAL_DATE);
    EXPECT_TEXT(DBAL__POSTGRES_DATE, "5874897-12-31", DBAL_DATE);
    EXPECT_TEXT(DBAL__POSTGRES_TIME, "24:00:00", DBAL_TIME);
    EXPECT_TEXT(DBAL__POSTGRES_TIME, "12:34:56.789", DBAL_TIME);
    ck_assert_int_eq(dbal_result_time(a.request.result, 0, 0), INT64_C(45296789000));
    EXPECT_TEXT(DBAL__POSTGRES_TIMESTAMP, "1969-12-31 23:59:59.999999", DBAL_TIMESTAMP);
    ck_assert_int_eq(dbal_result_timestamp(a.request.result, 0, 0), -1);
    EXPECT_TEXT(DBAL__POSTGRES_TIMESTAMPTZ, "0044-03-15 12:00:00.5+00 BC", DBAL_TIMESTAMP);
    /* the session's zone is another one: the moment is the same, its text is UTC's */
    expect((cell)TEXT(DBAL__POSTGRES_TIMESTAMPTZ, "2026-11-22 10:00:00-03:30"), DBAL_TIMESTAMP,
           "2026-11-22 13:30:00+00");
    expect((cell)TEXT(DBAL__POSTGRES_TIMESTAMPTZ, "1880-01-01 00:00:00+00:19:32"), DBAL_TIMESTAMP,
           "1879-12-31 23:40:28+00");
    EXPECT_BINARY(DBAL__POSTGRES_DATE, "\0\0\0\0", DBAL_DATE, "2000-01-01");
    EXPECT_BINARY(DBAL__POSTGRES_DATE, "\xff\xf4\xdb\xf8", DBAL_DATE, "0001-12-31 BC");
    EXPECT_BINARY(DBAL__POSTGRES_TIME, "\0\0\0\x14\x1d\xd7\x60\0", DBAL_TIME, "24:00:00");
    EXPECT_BINARY(DBAL__POSTGRES_TIMESTAMP, "\0\0\0\0\0\x07\xa1\x20", DBAL_TIMESTAMP,
                  "2000-01-01 00:00:00.5");
    EXPECT_BINARY(DBAL__POSTGRES_TIMESTAMPTZ, "\xff\xff\xff\xff\xff\xff\xff\xff", DBAL_TIMESTAMP,
                  "1999-12-31 23:59:59.999999+00");
}
END_TEST

/* infinity, and what 64 bits of microseconds since 1970 do not reach */
START_TEST(moments_that_do_not_fit_stay_text)
{
    EXPECT_TEXT(DBAL__POSTGRES_DATE, "infinity", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TIMESTAMP, "-infinity", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TIMESTAMP, "294247-01-10 04:00:54.775807", DBAL_TIMESTAMP);
    EXPECT_TEXT(DBAL__POSTGRES_TIMESTAMP, "294247-01-10 04:00:54.775808", DBAL_TEXT);
    EXPECT_BINARY(DBAL__POSTGRES_DATE, "\x7f\xff\xff\xff", DBAL_TEXT, "infinity");
    EXPECT_BINARY(DBAL__POSTGRES_DATE, "\x80\0\0\0", DBAL_TEXT, "-infinity");
    EXPECT_BINARY(DBAL__POSTGRES_TIMESTAMP, "\x7f\xff\xff\xff\xff\xff\xff\xff", DBAL_TEXT,
                  "infinity");
    EXPECT_BINARY(DBAL__POSTGRES_TIMESTAMPTZ, "\x80\0\0\0\0\0\0\0", DBAL_TEXT, "-infinity");
    EXPECT_BINARY(DBAL__POSTGRES_TIMESTAMP, "\x7f\xfc\xa2\xfe\xc4\xc8\x1f\xff", DBAL_TIMESTAMP,
                  "294247-01-10 04:00:54.775807");
    EXPECT_BINARY(DBAL__POSTGRES_TIMESTAMP, "\x7f\xfc\xa2\xfe\xc4\xc8\x20\0", DBAL_TEXT,
                  "294247-01-10 04:00:54.775808");
    EXPECT_BINARY(DBAL__POSTGRES_TIMESTAMPTZ, "\x7f\xff\xff\x5b\xb3\xb2\x9f\xff", DBAL_TEXT,
                  "294276-12-31 23:59:59.999999+00");
}
END_TEST

/* with DateStyle=German, say, or of a server that writes something new */
START_TEST(texts_that_are_no_such_value_stay_text)
{
    EXPECT_TEXT(DBAL__POSTGRES_DATE, "22.11.2026", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_DATE, "2026-02-29", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_DATE, "2026-11-22x", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_DATE, "2026-11-2", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TIME, "24:00:00.000001", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TIME, "12:60:00", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TIME, "12:00:00.1234567", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TIMESTAMP, "2026-11-22 12:00", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TIMESTAMPTZ, "2026-11-22 12:00:00+", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TIMESTAMPTZ, "Sun 22 Nov 12:00:00 2026 UTC", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_INT4, "", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_INT4, "-", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_INT8, "9223372036854775808", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_INT8, "-9223372036854775809", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_INT8, "18446744073709551617", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_BOOL, "yes", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_FLOAT8, "1,5", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_FLOAT8, "1e", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_FLOAT8, ".", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_UUID, "a0eebc99", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_BYTEA, "\\x0", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_BYTEA, "a\\8", DBAL_TEXT);
}
END_TEST

START_TEST(bytes_and_texts)
{
    EXPECT_TEXT(DBAL__POSTGRES_TEXT, "Grüße", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_TEXT, "", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_VARCHAR, "a", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_BPCHAR, "a  ", DBAL_TEXT);
    EXPECT_TEXT(DBAL__POSTGRES_JSON, "{\"a\":1}", DBAL_JSON);
    EXPECT_TEXT(DBAL__POSTGRES_JSONB, "{\"a\": 1}", DBAL_JSON);
    EXPECT_TEXT(DBAL__POSTGRES_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", DBAL_UUID);
    EXPECT_TEXT(DBAL__POSTGRES_BYTEA, "\\x00ff41", DBAL_BLOB);
    EXPECT_TEXT(DBAL__POSTGRES_BYTEA, "\\x", DBAL_BLOB);
    expect((cell)TEXT(DBAL__POSTGRES_BYTEA, "\\000\\\\'\\377a"), DBAL_BLOB, "\\x005c27ff61");
    expect((cell)TEXT(DBAL__POSTGRES_BYTEA, ""), DBAL_BLOB, "\\x");
    EXPECT_BINARY(DBAL__POSTGRES_TEXT, "Grüße", DBAL_TEXT, "Grüße");
    EXPECT_BINARY(DBAL__POSTGRES_NAME, "n", DBAL_TEXT, "n");
    EXPECT_BINARY(DBAL__POSTGRES_JSON, "[1]", DBAL_JSON, "[1]");
    EXPECT_BINARY(DBAL__POSTGRES_JSONB, "\1[1]", DBAL_JSON, "[1]");
    EXPECT_BINARY(DBAL__POSTGRES_BYTEA, "\0\xff", DBAL_BLOB, "\\x00ff");
    ck_assert_uint_eq(dbal_result_blob(a.request.result, 0, 0).size, 2);
    EXPECT_BINARY(DBAL__POSTGRES_UUID, "0123456789abcdef", DBAL_UUID,
                  "30313233-3435-3637-3839-616263646566");
    EXPECT_BINARY(DBAL__POSTGRES_VOID, "", DBAL_TEXT, "");
}
END_TEST

START_TEST(a_long_blob_comes_from_text)
{
    static char text[2 + 2 * 5000 + 1] = "\\x";
    memset(text + 2, 'a', 10000);
    expect((cell){DBAL__POSTGRES_BYTEA, 0, text, 10002}, DBAL_BLOB, text);
    dbal_bytes bytes = dbal_result_blob(a.request.result, 0, 0);
    ck_assert_uint_eq(bytes.size, 5000);
    ck_assert_uint_eq(((const uint8_t *)bytes.data)[4999], 0xaa);
}
END_TEST

START_TEST(other_types_are_their_text)
{
    enum { INTERVAL = 1186, INT4_ARRAY = 1007, MOOD = 16999 };
    EXPECT_TEXT(INTERVAL, "1 day 02:00:00", DBAL_TEXT);
    EXPECT_TEXT(INT4_ARRAY, "{1,2,NULL}", DBAL_TEXT);
    EXPECT_TEXT(MOOD, "ok", DBAL_TEXT);
    ck_assert_int_eq(dbal_result_column_type(a.request.result, 0), DBAL_TEXT);
}
END_TEST

START_TEST(null_is_no_empty_text)
{
    cell cells[] = {{DBAL__POSTGRES_TEXT, 0, NULL, -1},
                    TEXT(DBAL__POSTGRES_TEXT, ""),
                    {DBAL__POSTGRES_INT4, 1, NULL, -1},
                    {DBAL__POSTGRES_BYTEA, 1, "", 0}};
    ck_assert(take(cells, 4));
    ck_assert(dbal_result_is_null(a.request.result, 0, 0));
    ck_assert(!dbal_result_is_null(a.request.result, 0, 1));
    ck_assert(dbal_result_is_null(a.request.result, 0, 2));
    ck_assert(!dbal_result_is_null(a.request.result, 0, 3));
}
END_TEST

START_TEST(spoiled_cells_are_no_values)
{
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_INT8, "\0\0\0\1"));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_INT4, ""));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_BOOL, "ab"));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_BOOL, "\2"));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_UUID, "0123456789abcde"));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_JSONB, "\2{}"));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_JSONB, ""));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_TIME, "\xff\xff\xff\xff\xff\xff\xff\xff"));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_TIME, "\0\0\0\x14\x1d\xd7\x60\1"));
    expect_spoiled((cell)BINARY(DBAL__POSTGRES_NUMERIC, "\0\0\0\0\0\0\0\0"));
    expect_spoiled((cell)BINARY(1186, "x"));
}
END_TEST

/* ---- columns --------------------------------------------------------------------------------- */

START_TEST(columns_tell_names_and_types)
{
    cell cells[] = {TEXT(DBAL__POSTGRES_INT4, "1"), TEXT(DBAL__POSTGRES_NUMERIC, "2"),
                    TEXT(DBAL__POSTGRES_TIMESTAMPTZ, "infinity")};
    ck_assert(take(cells, 3));
    dbal_result *result = a.request.result;
    ck_assert_uint_eq(dbal_result_column_count(result), 3);
    ck_assert_str_eq(dbal_result_column_name(result, 2), "c2");
    ck_assert_int_eq(dbal_result_column_type(result, 0), DBAL_INT64);
    ck_assert_int_eq(dbal_result_column_type(result, 1), DBAL_NUMERIC);
    ck_assert_int_eq(dbal_result_column_type(result, 2), DBAL_TIMESTAMP);
}
END_TEST

static bool
is_binary_possible(Oid type)
{
    cell cells[] = {TEXT(DBAL__POSTGRES_INT4, "1"), {type, 0, NULL, -1}};
    ck_assert(take(cells, 2));
    return columns.binary_possible;
}

START_TEST(binary_is_possible_where_all_can_be_read)
{
    static const Oid can[] = {16,  17,  19,   20,   21,   23,   25,   26,   114,  700,
                              701, 705, 1042, 1043, 1082, 1083, 1114, 1184, 2950, 3802};
    static const Oid cannot[] = {18, 142, 790, 1007, 1186, 1266, 1700, 869, 16999, 0};
    for (size_t i = 0; i < sizeof can / sizeof can[0]; i++)
        ck_assert_msg(is_binary_possible(can[i]), "%u", can[i]);
    for (size_t i = 0; i < sizeof cannot / sizeof cannot[0]; i++)
        ck_assert_msg(!is_binary_possible(cannot[i]), "%u", cannot[i]);
}
END_TEST

START_TEST(what_fits_is_kept)
{
    cell text = TEXT(DBAL__POSTGRES_INT4, "5"), binary = BINARY(DBAL__POSTGRES_INT4, "\0\0\0\6");
    ck_assert(take(&text, 1));
    dbal_columns *shared = columns.shared;
    ck_assert(take(&binary, 1));
    ck_assert_ptr_eq(columns.shared, shared);
    ck_assert_int_eq(dbal_result_int64(a.request.result, 0, 0), 6);
    ck_assert(take(&text, 1));
    ck_assert_ptr_eq(columns.shared, shared);
    ck_assert_int_eq(dbal_result_int64(a.request.result, 0, 0), 5);
    ck_assert(columns.binary_possible);
}
END_TEST

START_TEST(what_has_changed_is_learnt_anew)
{
    cell one = TEXT(DBAL__POSTGRES_INT4, "5"), other = TEXT(DBAL__POSTGRES_TEXT, "5");
    cell two[] = {TEXT(DBAL__POSTGRES_INT4, "5"), TEXT(DBAL__POSTGRES_NUMERIC, "6")};
    expect(one, DBAL_INT64, "5");
    expect(other, DBAL_TEXT, "5");
    ck_assert(take(two, 2));
    ck_assert_int_eq(columns.count, 2);
    ck_assert(!columns.binary_possible);
    expect(one, DBAL_INT64, "5");
    ck_assert(columns.binary_possible);
    PGresult *renamed = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc column = {.name = "other", .typid = DBAL__POSTGRES_INT4};
    ck_assert(PQsetResultAttrs(renamed, 1, &column));
    ck_assert(dbal__postgres_columns_learn(&columns, renamed));
    asked_fini(&a);
    setup();
    ck_assert(dbal__postgres_rows_take(&columns, renamed, 0, PQntuples(renamed), true, &a.request,
                                       &a.fault));
    ck_assert_str_eq(dbal_result_column_name(a.request.result, 0), "other");
    PQclear(renamed);
}
END_TEST

START_TEST(no_columns_are_columns_too)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
    ck_assert(dbal__postgres_columns_learn(&columns, result));
    ck_assert_int_eq(columns.count, 0);
    ck_assert_ptr_null(columns.shared);
    ck_assert(!columns.binary_possible);
    ck_assert(dbal__postgres_rows_take(&columns, result, 0, PQntuples(result), true, &a.request,
                                       &a.fault));
    cell one = TEXT(DBAL__POSTGRES_INT4, "5");
    expect(one, DBAL_INT64, "5");
    ck_assert(dbal__postgres_columns_learn(&columns, result));
    ck_assert_ptr_null(columns.shared);
    PQclear(result);
}
END_TEST

/* ---- rows ------------------------------------------------------------------------------------ */

START_TEST(many_results_make_one)
{
    cell one = BINARY(DBAL__POSTGRES_INT4, "\0\0\0\1"),
         two = BINARY(DBAL__POSTGRES_INT4, "\0\0\0\2");
    PGresult *first = result_of(&one, 1), *second = result_of(&two, 1);
    result_add(second, &one, 1);
    ck_assert(dbal__postgres_columns_learn(&columns, first));
    ck_assert(
        dbal__postgres_rows_take(&columns, first, 0, PQntuples(first), true, &a.request, &a.fault));
    ck_assert(dbal__postgres_rows_take(&columns, second, 0, PQntuples(second), false, &a.request,
                                       &a.fault));
    ck_assert_uint_eq(dbal_result_row_count(a.request.result), 3);
    ck_assert_int_eq(dbal_result_int64(a.request.result, 1, 0), 2);
    ck_assert_int_eq(dbal_result_int64(a.request.result, 2, 0), 1);
    PQclear(first);
    PQclear(second);
}
END_TEST

START_TEST(a_sink_that_refuses_is_no_fault)
{
    cell one = TEXT(DBAL__POSTGRES_TEXT, "long enough");
    dbal_result_unref(a.request.result);
    a.request.result = dbal__result_new(1);
    PGresult *result = result_of(&one, 1);
    ck_assert(dbal__postgres_columns_learn(&columns, result));
    ck_assert(!dbal__postgres_rows_take(&columns, result, 0, PQntuples(result), true, &a.request,
                                        &a.fault));
    ck_assert(!dbal_fault_is_set(&a.fault));
    PQclear(result);
}
END_TEST

static void
learn_and_take(void *arg)
{
    PGresult *result = arg;
    dbal__postgres_columns learnt = {0};
    dbal_request request = {.max_result_bytes = SIZE_MAX / 2};
    dbal_fault fault = DBAL__FAULT_INIT;
    if (dbal__request_begin(&request) && dbal__postgres_columns_learn(&learnt, result)) {
        bool ok =
            dbal__postgres_rows_take(&learnt, result, 0, PQntuples(result), true, &request, &fault);
        ck_assert(ok || request.refusal != NULL ||
                  dbal_error_kind(fault.error) == DBAL_ERROR_NO_MEMORY);
        for (size_t i = 0; i < dbal_result_row_count(request.result); i++)
            ck_assert_int_eq(dbal_result_get(request.result, i, 1).type, DBAL_BLOB);
    }
    dbal_fault_clear(&fault);
    dbal__postgres_columns_fini(&learnt);
    dbal__request_fini(&request);
}

START_TEST(without_memory)
{
    static char blob[2 + 2 * 1000 + 1] = "\\x";
    memset(blob + 2, '0', 2000);
    cell cells[] = {TEXT(DBAL__POSTGRES_TEXT, "text"), {DBAL__POSTGRES_BYTEA, 0, blob, 2002}};
    PGresult *result = result_of(cells, 2);
    alloc_fault_sweep(learn_and_take, result);
    PQclear(result);
}
END_TEST

Suite *
rows_suite(void)
{
    const TTest *const tests[] = {
        both_forms_of_numbers,
        both_forms_of_floating_point,
        both_forms_of_moments,
        moments_that_do_not_fit_stay_text,
        texts_that_are_no_such_value_stay_text,
        bytes_and_texts,
        a_long_blob_comes_from_text,
        other_types_are_their_text,
        null_is_no_empty_text,
        spoiled_cells_are_no_values,
        columns_tell_names_and_types,
        binary_is_possible_where_all_can_be_read,
        what_fits_is_kept,
        what_has_changed_is_learnt_anew,
        no_columns_are_columns_too,
        many_results_make_one,
        a_sink_that_refuses_is_no_fault,
        without_memory,
    };
    Suite *suite = suite_create("postgres rows");
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite;
}
