#include "tests/lib/alloc_fault.h"
#include "tests/lib/suite.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/sql.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

enum { S = DBAL_DIALECT_SQLITE, P = DBAL_DIALECT_POSTGRESQL, M = DBAL_DIALECT_MYSQL };

static unsigned
can_arrays(const void *config)
{
    return config != NULL ? 0 : DBAL_CAN_ARRAY;
}

static const dbal_driver drivers[] = {
    [S] = {.dialect = DBAL_DIALECT_SQLITE, .paramstyle = DBAL_PARAMSTYLE_NUMBERED},
    [P] = {.dialect = DBAL_DIALECT_POSTGRESQL,
           .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
           .capabilities = can_arrays},
    [M] = {.dialect = DBAL_DIALECT_MYSQL, .paramstyle = DBAL_PARAMSTYLE_QMARK},
};

static dbal__sql *
make(int dialect, const char *text)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = dbal__sql_new(&drivers[dialect], NULL, text, &fault);
    ck_assert_ptr_nonnull(sql);
    return sql;
}

/* ---- values for parameters ------------------------------------------------------------------- */

static void
assert_order(int dialect, const char *text, dbal_params params, const char *expected)
{
    uint32_t order[8];
    char shown[64] = "";
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = make(dialect, text);
    ck_assert_uint_le(sql->value_count, 8);
    ck_assert_msg(dbal__sql_bind(sql, &drivers[dialect], NULL, params, order, &fault), "%s: %s",
                  text, dbal_error_message(fault.error));
    ck_assert(!dbal_fault_is_set(&fault));
    for (size_t i = 0; i < sql->value_count; i++)
        sprintf(shown + strlen(shown), "%u", order[i]);
    ck_assert_str_eq(shown, expected);
    dbal__sql_unref(sql);
}

#define N(name) dbal_named(name, dbal_null())

START_TEST(bound_by_number)
{
    assert_order(S, "select 1", DBAL_PARAMS(), "");
    assert_order(S, "select 1", DBAL_NO_PARAMS, "");
    assert_order(S, "select $2, $1", DBAL_PARAMS(dbal_int64(1), dbal_int64(2)), "01");
    assert_order(P, "select $2, $1, $2", DBAL_PARAMS(dbal_int64(1), dbal_int64(2)), "01");
    assert_order(M, "select $2, $1, $2", DBAL_PARAMS(dbal_int64(1), dbal_int64(2)), "101");
    assert_order(M, "select $1, $2", DBAL_PARAMS(dbal_int64(1), dbal_int64(2)), "01");
}
END_TEST

START_TEST(bound_by_name)
{
    assert_order(S, "select :a, :b", DBAL_PARAMS(N("a"), N("b")), "01");
    assert_order(S, "select :a, :b", DBAL_PARAMS(N("b"), N("a")), "10");
    assert_order(P, "select :c, :a, :c, :b", DBAL_PARAMS(N("a"), N("b"), N("c")), "201");
    assert_order(M, "select :c, :a, :c, :b", DBAL_PARAMS(N("a"), N("b"), N("c")), "2021");
    assert_order(M, "select :a, :a, :b, :b, :a", DBAL_PARAMS(N("b"), N("a")), "11001");
}
END_TEST

START_TEST(bound_of_every_type)
{
    static const int64_t integers[] = {1, 2};
    static const char *const texts[] = {"a", NULL, "\xc3\xa9"};
    static const uint8_t uuid[16] = {1};
    assert_order(P, "select $1, $2, $3, $4, $5, $6, $7, $8",
                 DBAL_PARAMS(dbal_null(), dbal_bool(true), dbal_double(1), dbal_text("\xc3\xa9"),
                             dbal_textn("a\0b", 3), dbal_blob("\xff", 1), dbal_textn(NULL, 0),
                             dbal_blob(NULL, 0)),
                 "01234567");
    assert_order(P, "select $1, $2, $3, $4, $5, $6, $7, $8",
                 DBAL_PARAMS(dbal_numeric("1.10"), dbal_json("{}"), dbal_uuid(uuid), dbal_date(1),
                             dbal_time(1), dbal_timestamp(1), dbal_array_int64(integers, 2),
                             dbal_array_text(texts, 3)),
                 "01234567");
}
END_TEST

static void
assert_unfit(int dialect, const char *text, const void *config, dbal_params params,
             dbal_error_class error_class, const char *sqlstate, const char *part)
{
    uint32_t order[8];
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = make(dialect, text);
    ck_assert(!dbal__sql_bind(sql, &drivers[dialect], config, params, order, &fault));
    ck_assert(dbal_fault_is_set(&fault));
    const char *message = dbal_error_message(fault.error);
    ck_assert_msg(dbal_error_is(fault.error, error_class), "%s", message);
    ck_assert_str_eq(dbal_error_sqlstate(fault.error), sqlstate);
    ck_assert_msg(strstr(message, part) != NULL, "%s", message);
    ck_assert(dbal__utf8_valid(message, strlen(message)));
    ck_assert_int_eq(dbal_error_execution(fault.error), DBAL_EXECUTION_NOT_SENT);
    dbal_fault_clear(&fault);
    dbal__sql_unref(sql);
}

#define UNFIT(text, part, ...)                                                                     \
    assert_unfit(S, text, NULL, DBAL_PARAMS(__VA_ARGS__), DBAL_ERROR_PROGRAMMING, "07001", part)

START_TEST(wrong_parameters)
{
    UNFIT("select $1, $2", "2 parameters, but 1 was given", dbal_null());
    UNFIT("select $1", "1 parameter, but 2 were given", dbal_null(), dbal_null());
    assert_unfit(S, "select $1", NULL, DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "07001",
                 "1 parameter, but 0 were given");
    UNFIT("select 1", "0 parameters, but 1 was given", dbal_null());
    UNFIT("select $1", "parameter 1 is named a", N("a"));
    UNFIT("select $1", "parameter 1 has a name", N("\xff"));
    UNFIT("select :a, :b", ":b is missing", N("a"));
    UNFIT("select :a, :b", "parameter 2 has no name", N("a"), dbal_null());
    UNFIT("select :a", "no parameter :c", N("a"), N("c"));
    UNFIT("select :a", "no parameter :", N(""));
    UNFIT("select :a", "parameter 1 has a name that", N("\xff"));
    UNFIT("select :a, :b", ":a is given twice", N("a"), N("a"), N("b"));
    UNFIT("select :a", "no parameter ::a", N(":a"));
    assert_unfit(S, "select :a", NULL, DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "07001",
                 ":a is missing");
}
END_TEST

START_TEST(long_names_are_cut)
{
    char text[256] = "select :", *name = text + 8;
    for (int i = 0; i < 50; i++)
        strcat(text, "\xe2\x82\xac");
    dbal_params none = DBAL_NO_PARAMS;
    assert_unfit(P, text, NULL, none, DBAL_ERROR_PROGRAMMING, "07001", "\xe2\x82\xac is missing");
    UNFIT("select :a", "no parameter :\xe2\x82\xac", N(name));
}
END_TEST

static dbal_value
strange(void)
{
    dbal_value value = dbal_null();
    value.type = (dbal_type)99;
    return value;
}

START_TEST(wrong_types)
{
    static const char *const bad[] = {"a", "\xff"};
    static const int64_t integers[] = {1};
    const char *one = "select $1";
    int nothing;
    assert_unfit(S, one, NULL, DBAL_PARAMS(dbal_text("ab\xff")), DBAL_ERROR_DATA, "22021",
                 "parameter 1 is not UTF-8 at its byte 3");
    assert_unfit(S, one, NULL, DBAL_PARAMS(dbal_json("\xff")), DBAL_ERROR_DATA, "22021", "UTF-8");
    assert_unfit(S, one, NULL, DBAL_PARAMS(dbal_numeric("\xff")), DBAL_ERROR_DATA, "22021",
                 "UTF-8");
    assert_unfit(P, one, NULL, DBAL_PARAMS(dbal_array_text(bad, 2)), DBAL_ERROR_DATA, "22021",
                 "UTF-8");
    assert_unfit(S, one, NULL, DBAL_PARAMS(dbal_array_int64(integers, 1)), DBAL_ERROR_NOT_SUPPORTED,
                 "0A000", "parameter 1 is an array");
    assert_unfit(P, one, &nothing, DBAL_PARAMS(dbal_array_int64(integers, 1)),
                 DBAL_ERROR_NOT_SUPPORTED, "0A000", "parameter 1 is an array");
    assert_unfit(S, one, NULL, DBAL_PARAMS(dbal_textn(NULL, 1)), DBAL_ERROR_INTERFACE, "HY009",
                 "no data");
    assert_unfit(S, one, NULL, DBAL_PARAMS(dbal_blob(NULL, 1)), DBAL_ERROR_INTERFACE, "HY009",
                 "no data");
    assert_unfit(S, one, NULL, (dbal_params){1, NULL}, DBAL_ERROR_INTERFACE, "HY009", "no values");
    assert_unfit(S, one, NULL, DBAL_PARAMS(strange()), DBAL_ERROR_INTERFACE, "HY004", "99");
}
END_TEST

/* ---- the table ------------------------------------------------------------------------------- */

static dbal__sql *
get(dbal__sql_table *table, const char *text)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = dbal__sql_table_get(table, text, &fault);
    ck_assert_ptr_nonnull(sql);
    ck_assert_str_eq(sql->source, text);
    dbal__sql_unref(sql);
    return sql;
}

START_TEST(met_again)
{
    dbal__sql_table *table = dbal__sql_table_new(&drivers[S], NULL, 2);
    char text[] = "select 1";
    dbal__sql *first = get(table, text);
    ck_assert_ptr_eq(get(table, "select 1"), first);
    text[7] = '2'; /* the same pointer, another statement */
    dbal__sql *second = get(table, text);
    ck_assert_ptr_ne(second, first);
    ck_assert_ptr_eq(get(table, "select 1"), first);
    ck_assert_ptr_eq(get(table, "select 2"), second);
    dbal__sql_table_free(table);
}
END_TEST

START_TEST(oldest_goes)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql_table *table = dbal__sql_table_new(&drivers[S], NULL, 2);
    dbal__sql *kept = dbal__sql_table_get(table, "select 1", &fault);
    dbal__sql *second = get(table, "select 2");
    get(table, "select 3"); /* 1 goes; its reference here stays good */
    ck_assert_uint_eq(kept->refs, 1);
    ck_assert_str_eq(kept->text, "select 1");
    ck_assert_ptr_eq(get(table, "select 2"), second);
    get(table, "select 4"); /* 3 goes, as 2 was used since */
    ck_assert_ptr_eq(get(table, "select 2"), second);
    dbal__sql *again = dbal__sql_table_get(table, "select 1", &fault);
    ck_assert_ptr_ne(again, kept);
    dbal__sql_table_free(table);
    ck_assert_uint_eq(again->refs, 1);
    dbal__sql_unref(again);
    dbal__sql_unref(kept);
}
END_TEST

START_TEST(nothing_is_kept)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql_table *table = dbal__sql_table_new(&drivers[S], NULL, 0);
    dbal__sql *sql = dbal__sql_table_get(table, "select 1", &fault);
    ck_assert_uint_eq(sql->refs, 1);
    dbal__sql_unref(sql);
    dbal__sql_table_free(table);
}
END_TEST

START_TEST(refused_each_time)
{
    dbal__sql_table *table = dbal__sql_table_new(&drivers[S], NULL, 2);
    for (int i = 0; i < 2; i++) {
        dbal_fault fault = DBAL__FAULT_INIT;
        ck_assert_ptr_null(dbal__sql_table_get(table, "select ?", &fault));
        ck_assert_str_eq(dbal_error_sqlstate(fault.error), "42601");
        dbal_fault_clear(&fault);
        ck_assert_ptr_null(dbal__sql_table_get(table, NULL, &fault));
        dbal_fault_clear(&fault);
    }
    dbal__sql_table_free(table);
}
END_TEST

START_TEST(many_statements)
{
    enum { MOST = 100, TEXTS = 1000 };
    dbal__sql_table *table = dbal__sql_table_new(&drivers[S], NULL, MOST);
    for (int i = 0; i < TEXTS * 2; i++) {
        char text[64];
        sprintf(text, "%.*sselect %d", i % 20, "                    ", i % TEXTS);
        dbal__sql *sql = get(table, text);
        ck_assert_ptr_eq(get(table, text), sql);
    }
    dbal__sql_table_free(table);
}
END_TEST

/* ---- names between quotes, UTF-8 ------------------------------------------------------------- */

START_TEST(quoted_identifiers)
{
    static const struct {
        int dialect;
        const char *name, *quoted;
    } names[] = {
        {S, "a", "\"a\""},
        {S, "a\"b", "\"a\"\"b\""},
        {P, "A b", "\"A b\""},
        {P, "\"", "\"\"\"\""},
        {M, "a`b", "`a``b`"},
        {M, "a\"b", "`a\"b`"},
        {S, "\xc3\xa9", "\"\xc3\xa9\""},
        {P, "", "\"\""},
    };
    for (int i = 0; i < LENGTH(names); i++) {
        char *quoted = dbal__sql_quote_identifier((dbal_dialect)names[i].dialect, names[i].name,
                                                  strlen(names[i].name));
        ck_assert_str_eq(quoted, names[i].quoted);
        dbal__free(quoted);
    }
    ck_assert_ptr_null(dbal__sql_quote_identifier(DBAL_DIALECT_SQLITE, "a\0b", 3));
    ck_assert_ptr_null(dbal__sql_quote_identifier(DBAL_DIALECT_SQLITE, "\xff", 1));
}
END_TEST

START_TEST(utf8)
{
    static const struct {
        const char *text;
        size_t size, span;
    } texts[] = {
        {"", 0, 0},
        {"plain text, longer than eight bytes", 35, 35},
        {"\x00\x01\x7f", 3, 3},
        {"1234567\xc3\xa9", 9, 9},
        {"\xc2\x80\xdf\xbf", 4, 4},
        {"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 12, 12},
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, 8},
        {"a\x80", 2, 1},    /* a continuation alone */
        {"\xc0\xaf", 2, 0}, /* overlong */
        {"\xc1\xbf", 2, 0},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xed\xa0\x80", 3, 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 4, 0}, /* too great */
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
        {"12345678\xe2\x82", 10, 8}, /* cut short */
        {"\xe2\x82\xac\xe2\x28\xa1", 6, 3},
    };
    for (int i = 0; i < LENGTH(texts); i++) {
        ck_assert_uint_eq(dbal__utf8_span(texts[i].text, texts[i].size), texts[i].span);
        ck_assert(dbal__utf8_valid(texts[i].text, texts[i].size) ==
                  (texts[i].span == texts[i].size));
    }
    ck_assert(dbal__utf8_valid(NULL, 0));
    ck_assert_uint_eq(dbal__utf8_clip("a\xc3\xa9z", 4, 2), 1);
    ck_assert_uint_eq(dbal__utf8_clip("a\xc3\xa9z", 4, 3), 3);
    ck_assert_uint_eq(dbal__utf8_clip("a\xc3\xa9z", 4, 4), 4);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

static void
use_table(void *arg)
{
    (void)arg;
    static const char *const texts[] = {"select 1", "select :a", "select 1", "select $1",
                                        "select ?"};
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql_table *table = dbal__sql_table_new(&drivers[P], NULL, 2);
    for (int i = 0; table != NULL && i < LENGTH(texts); i++) {
        dbal__sql *sql = dbal__sql_table_get(table, texts[i], &fault);
        ck_assert((sql == NULL) == dbal_fault_is_set(&fault));
        dbal__sql_unref(sql);
        dbal_fault_clear(&fault);
    }
    dbal__sql_table_free(table);
    dbal__free(dbal__sql_quote_identifier(DBAL_DIALECT_SQLITE, "a", 1));
}

START_TEST(without_memory)
{
    alloc_fault_install();
    alloc_fault_sweep(use_table, NULL);
    alloc_fault_remove();
}
END_TEST

#define ADD(test) suite_add(suite, test, NULL, NULL)

int
main(void)
{
    Suite *suite = suite_create("sql bind");
    ADD(bound_by_number);
    ADD(bound_by_name);
    ADD(bound_of_every_type);
    ADD(wrong_parameters);
    ADD(long_names_are_cut);
    ADD(wrong_types);
    ADD(met_again);
    ADD(oldest_goes);
    ADD(nothing_is_kept);
    ADD(refused_each_time);
    ADD(many_statements);
    ADD(quoted_identifiers);
    ADD(utf8);
    ADD(without_memory);
    return suite_run(suite);
}
