#include "drivers/postgres/bind.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/value.h"
#include "drivers/postgres/begin.h"
#include "drivers/postgres/type.h"
#include "tests/lib/alloc_fault.h"
#include "values.h"

static dbal__postgres_bound bound;

static void
teardown(void)
{
    dbal__postgres_bound_fini(&bound);
}

/* whether the one parameter becomes this */
static void
expect(dbal_value value, Oid type, int format, const char *bytes, int size)
{
    asked a;
    asked_init(&a, "select $1", (dbal_params){1, &value});
    ck_assert(dbal__postgres_bind(&bound, &a.request, &a.fault));
    ck_assert(!dbal_fault_is_set(&a.fault));
    ck_assert_int_eq(bound.count, 1);
    ck_assert_uint_eq(bound.types[0], type);
    ck_assert_int_eq(bound.formats[0], format);
    if (bytes == NULL) {
        ck_assert_ptr_null(bound.values[0]);
    } else {
        ck_assert_int_eq(bound.lengths[0], size);
        ck_assert_mem_eq(bound.values[0], bytes, (size_t)size);
        if (format == 0) /* which is how libpq finds its end */
            ck_assert_uint_eq(strlen(bound.values[0]), (size_t)size);
    }
    asked_fini(&a);
}

static void
expect_refused(dbal_value value, const char *sqlstate)
{
    asked a;
    asked_init(&a, "select $1", (dbal_params){1, &value});
    ck_assert(!dbal__postgres_bind(&bound, &a.request, &a.fault));
    expect_refusal(&a, DBAL_ERROR_DATA, sqlstate);
    asked_fini(&a);
}

START_TEST(texts_have_no_type)
{
    expect(dbal_text("Grüße"), 0, 0, "Grüße", 7);
    expect(dbal_text(""), 0, 0, "", 0);
    expect(dbal_textn(NULL, 0), 0, 0, "", 0);
    expect(dbal_json("{}"), 0, 0, "{}", 2);
    expect(dbal_null(), 0, 0, NULL, 0);
    expect(dbal_text(NULL), 0, 0, NULL, 0);
}
END_TEST

START_TEST(numbers_have_one)
{
    expect(dbal_bool(true), DBAL__POSTGRES_BOOL, 1, "\1", 1);
    expect(dbal_bool(false), DBAL__POSTGRES_BOOL, 1, "\0", 1);
    expect(dbal_int64(1), DBAL__POSTGRES_INT8, 1, "\0\0\0\0\0\0\0\1", 8);
    expect(dbal_int64(INT64_MIN), DBAL__POSTGRES_INT8, 1, "\x80\0\0\0\0\0\0\0", 8);
    expect(dbal_int64(-2), DBAL__POSTGRES_INT8, 1, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8);
    expect(dbal_double(-1.5), DBAL__POSTGRES_FLOAT8, 1, "\xbf\xf8\0\0\0\0\0\0", 8);
    expect(dbal_numeric("-1.10"), DBAL__POSTGRES_NUMERIC, 0, "-1.10", 5);
}
END_TEST

START_TEST(moments_count_from_2000)
{
    expect(dbal_date(0), DBAL__POSTGRES_DATE, 1, "\xff\xff\xd5\x33", 4);
    expect(dbal_date(10958), DBAL__POSTGRES_DATE, 1, "\0\0\0\1", 4);
    expect(dbal_time(0), DBAL__POSTGRES_TIME, 1, "\0\0\0\0\0\0\0\0", 8);
    expect(dbal_time(INT64_C(86400000000)), DBAL__POSTGRES_TIME, 1, "\0\0\0\x14\x1d\xd7\x60\0", 8);
    expect(dbal_timestamp(INT64_C(946684800000001)), DBAL__POSTGRES_TIMESTAMPTZ, 1,
           "\0\0\0\0\0\0\0\1", 8);
    expect(dbal_timestamp(INT64_MAX), DBAL__POSTGRES_TIMESTAMPTZ, 1,
           "\x7f\xfc\xa2\xfe\xc4\xc8\x1f\xff", 8);
}
END_TEST

/* PostgreSQL's largest and smallest numbers mean infinity, which is no date */
START_TEST(moments_that_would_mean_another_are_refused)
{
    expect_refused(dbal_date(INT64_MAX), "22008");
    expect_refused(dbal_date(INT64_MIN), "22008");
    expect_refused(dbal_date(INT64_C(10957) + INT32_MAX), "22008");
    expect_refused(dbal_date(INT64_C(10957) + INT32_MIN), "22008");
    expect_refused(dbal_time(-1), "22008");
    expect_refused(dbal_time(INT64_C(86400000001)), "22008");
    expect_refused(dbal_timestamp(INT64_MIN), "22008");
    expect_refused(dbal_timestamp(INT64_MIN + INT64_C(946684800000000)), "22008");
}
END_TEST

START_TEST(bytes_go_as_they_are)
{
    static const uint8_t uuid[16] = {1, 2, 3, [15] = 255};
    expect(dbal_blob("a\0\xff", 3), DBAL__POSTGRES_BYTEA, 1, "a\0\xff", 3);
    expect(dbal_blob(NULL, 0), DBAL__POSTGRES_BYTEA, 1, "", 0);
    expect(dbal_uuid(uuid), DBAL__POSTGRES_UUID, 1, (const char *)uuid, 16);
}
END_TEST

START_TEST(arrays)
{
    static const int64_t integers[] = {1, -1};
    static const char *const texts[] = {"a", "b\"\\,{} ", NULL, "", "NULL"};
    static const char literal[] = "{\"a\",\"b\\\"\\\\,{} \",NULL,\"\",\"NULL\"}";
    static const char two[] = "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\2\0\0\0\1"
                              "\0\0\0\x08\0\0\0\0\0\0\0\1"
                              "\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff";
    expect(dbal_array_int64(integers, 2), DBAL__POSTGRES_INT8_ARRAY, 1, two, sizeof two - 1);
    expect(dbal_array_int64(NULL, 0), DBAL__POSTGRES_INT8_ARRAY, 1, "\0\0\0\0\0\0\0\0\0\0\0\x14",
           12);
    expect(dbal_array_text(texts, 5), 0, 0, literal, sizeof literal - 1);
    expect(dbal_array_text(NULL, 0), 0, 0, "{}", 2);
}
END_TEST

START_TEST(nul_in_a_text_is_refused)
{
    expect_refused(dbal_textn("ab\0cd", 5), "22021");
    expect_refused(dbal_textn("\0", 1), "22021");
    expect_refused(dbal_textn("ab\0", 3), "22021");
}
END_TEST

START_TEST(many_parameters)
{
    enum { MOST = 65535 };
    asked a;
    dbal_value *values = calloc(MOST + 1, sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int i = 0; i <= MOST; i++)
        values[i] = i % 2 == 0 ? dbal_int64(i) : dbal_text("x");
    asked_init(&a, "select", (dbal_params){MOST, values});
    ck_assert(dbal__postgres_bind(&bound, &a.request, &a.fault));
    ck_assert_int_eq(bound.count, MOST);
    for (int i = 0; i < MOST; i++) {
        const unsigned char *at = (const unsigned char *)bound.values[i];
        ck_assert_int_eq(bound.lengths[i], i % 2 == 0 ? 8 : 1);
        ck_assert(i % 2 != 0 || (at[6] == i / 256 && at[7] == i % 256));
    }
    asked_fini(&a);
    asked_init(&a, "select", (dbal_params){MOST + 1, values});
    ck_assert(!dbal__postgres_bind(&bound, &a.request, &a.fault));
    expect_refusal(&a, DBAL_ERROR_PROGRAMMING, "54023");
    asked_fini(&a);
    free(values);
}
END_TEST

/* a packed parameter that says how large it is, and is never looked at */
START_TEST(what_is_too_large_is_refused)
{
    dbal__packed packed[2] = {{.type = DBAL_BLOB, .size = 1u << 30}, {.type = DBAL_INT64}};
    asked a;
    asked_init(&a, "select $1", DBAL_NO_PARAMS);
    const void *block = a.request.block;
    a.request.block = packed;
    a.request.value_count = 1;
    ck_assert(!dbal__postgres_bind(&bound, &a.request, &a.fault));
    expect_refusal(&a, DBAL_ERROR_DATA, "54000");
    /* two that would fit, but not together */
    packed[0].size = packed[1].size = 600u << 20;
    packed[1].type = DBAL_BLOB;
    a.request.value_count = 2;
    ck_assert(!dbal__postgres_bind(&bound, &a.request, &a.fault));
    expect_refusal(&a, DBAL_ERROR_DATA, "54000");
    packed[0] = (dbal__packed){.type = DBAL_ARRAY_INT64, .size = UINT64_MAX / 12};
    ck_assert(!dbal__postgres_bind(&bound, &a.request, &a.fault));
    expect_refusal(&a, DBAL_ERROR_DATA, "54000");
    a.request.block = block;
    asked_fini(&a);
}
END_TEST

START_TEST(memory_is_used_again_and_given_back)
{
    static const int64_t integers[20000];
    expect(dbal_int64(7), DBAL__POSTGRES_INT8, 1, "\0\0\0\0\0\0\0\7", 8);
    const char *bytes = bound.bytes;
    const char **values = bound.values;
    expect(dbal_int64(8), DBAL__POSTGRES_INT8, 1, "\0\0\0\0\0\0\0\x08", 8);
    ck_assert_ptr_eq(bound.bytes, bytes);
    ck_assert_ptr_eq(bound.values, values);
    asked a;
    asked_init(&a, "select $1", DBAL_PARAMS(dbal_array_int64(integers, 20000)));
    ck_assert(dbal__postgres_bind(&bound, &a.request, &a.fault));
    ck_assert_uint_ge(bound.bytes_room, 240000);
    asked_fini(&a);
    expect(dbal_int64(9), DBAL__POSTGRES_INT8, 1, "\0\0\0\0\0\0\0\x09", 8);
    ck_assert_uint_lt(bound.bytes_room, 240000);
}
END_TEST

static void
bind_and_forget(void *arg)
{
    dbal__packed packed[2] = {{.type = DBAL_INT64, .word = 1}, {.type = DBAL_NULL}};
    dbal_request request = {.block = packed, .value_count = 2};
    dbal_fault fault = DBAL__FAULT_INIT;
    (void)arg;
    bool ok = dbal__postgres_bind(&bound, &request, &fault);
    ck_assert(ok || dbal_error_kind(fault.error) == DBAL_ERROR_NO_MEMORY);
    ck_assert_int_eq(bound.count, ok ? 2 : 0);
    dbal_fault_clear(&fault);
    dbal__postgres_bound_fini(&bound);
}

START_TEST(without_memory)
{
    alloc_fault_sweep(bind_and_forget, NULL);
}
END_TEST

Suite *
bind_suite(void)
{
    Suite *suite = suite_create("postgres bind");
    suite_add(suite, texts_have_no_type, NULL, teardown);
    suite_add(suite, numbers_have_one, NULL, teardown);
    suite_add(suite, moments_count_from_2000, NULL, teardown);
    suite_add(suite, moments_that_would_mean_another_are_refused, NULL, teardown);
    suite_add(suite, bytes_go_as_they_are, NULL, teardown);
    suite_add(suite, arrays, NULL, teardown);
    suite_add(suite, nul_in_a_text_is_refused, NULL, teardown);
    suite_add(suite, many_parameters, NULL, teardown);
    suite_add(suite, what_is_too_large_is_refused, NULL, teardown);
    suite_add(suite, memory_is_used_again_and_given_back, NULL, teardown);
    suite_add(suite, without_memory, NULL, teardown);
    return suite;
}

/* ---- BEGIN --------------------------------------------------------------------------------- */

START_TEST(says_what_is_asked_for_and_no_more)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    ck_assert_str_eq(dbal__postgres_begin(NULL, DBAL_ISOLATION_DEFAULT, false, false, &fault),
                     "begin");
    ck_assert_str_eq(dbal__postgres_begin(NULL, DBAL_ISOLATION_DEFAULT, true, false, &fault),
                     "begin read only");
    ck_assert_str_eq(dbal__postgres_begin(NULL, DBAL_READ_COMMITTED, false, false, &fault),
                     "begin isolation level read committed");
    ck_assert_str_eq(dbal__postgres_begin(NULL, DBAL_REPEATABLE_READ, true, false, &fault),
                     "begin isolation level repeatable read read only");
    ck_assert_str_eq(dbal__postgres_begin(NULL, DBAL_SERIALIZABLE, true, true, &fault),
                     "begin isolation level serializable read only deferrable");
    ck_assert(!dbal_fault_is_set(&fault));
    ck_assert_ptr_null(dbal__postgres_begin(NULL, (dbal_isolation)99, true, true, &fault));
    ck_assert_int_eq(dbal_error_kind(fault.error), DBAL_ERROR_INTERFACE);
    dbal_fault_clear(&fault);
}
END_TEST

Suite *
begin_suite(void)
{
    Suite *suite = suite_create("postgres begin");
    suite_add(suite, says_what_is_asked_for_and_no_more, NULL, NULL);
    return suite;
}
