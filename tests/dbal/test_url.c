#include "tests/lib/alloc_fault.h"
#include "tests/lib/suite.h"

#include <check.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/url.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

static dbal_url *
make(const char *text)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_url *url = dbal__url_new(text, &fault);
    ck_assert_msg(url != NULL, "%s: %s", text,
                  fault.error != NULL ? dbal_error_message(fault.error) : "no fault");
    ck_assert(!dbal_fault_is_set(&fault));
    return url;
}

static const struct {
    const char *text, *scheme, *user, *password, *hosts, *path;
} urls[] = {
    {"sqlite:relative/path", "sqlite", NULL, NULL, NULL, "relative/path"},
    {"sqlite:/abs", "sqlite", NULL, NULL, NULL, "/abs"},
    {"sqlite::memory:", "sqlite", NULL, NULL, NULL, ":memory:"},
    {"sqlite:///abs/path", "sqlite", NULL, NULL, NULL, "/abs/path"},
    {"sqlite:", "sqlite", NULL, NULL, NULL, ""},
    {"sqlite:a%20b%3fc+d#e", "sqlite", NULL, NULL, NULL, "a b?c+d#e"},
    {"sqlite:me@home.db", "sqlite", NULL, NULL, NULL, "me@home.db"},
    {"sqlite:///me@home.db", "sqlite", NULL, NULL, NULL, "/me@home.db"},
    {"fake:anything", "fake", NULL, NULL, NULL, "anything"},
    {"SQLite+x-1.y:a", "sqlite+x-1.y", NULL, NULL, NULL, "a"},
    {"postgresql://user:pw@h1:1,h2/db", "postgresql", "user", "pw", "h1:1,h2", "/db"},
    {"postgresql://", "postgresql", NULL, NULL, NULL, ""},
    {"postgresql:///db", "postgresql", NULL, NULL, NULL, "/db"},
    {"postgresql://h", "postgresql", NULL, NULL, "h", ""},
    {"postgresql://h:?a=b", "postgresql", NULL, NULL, "h:", ""},
    {"postgresql://u@/db", "postgresql", "u", NULL, NULL, "/db"},
    {"postgresql://u:@h/", "postgresql", "u", "", "h", "/"},
    {"postgresql://:p@h/", "postgresql", NULL, "p", "h", "/"},
    {"postgresql://u%40x:p%3a%2F%25@h/%C3%A9", "postgresql", "u@x", "p:/%", "h", "/\xc3\xa9"},
    {"postgresql://u@h/d@b", "postgresql", "u", NULL, "h", "/d@b"},
    {"postgresql://u:p@ss@h/db", "postgresql", "u", "p@ss", "h", "/db"},
    {"postgresql://u:p:q@h/db", "postgresql", "u", "p:q", "h", "/db"},
    {"postgresql://[::1]:5432,[fe80::1]/d", "postgresql", NULL, NULL, "[::1]:5432,[fe80::1]", "/d"},
    {"postgresql://%2Fvar%2Frun/db", "postgresql", NULL, NULL, "/var/run", "/db"},
};

static void
assert_text(const char *text, const char *expected)
{
    ck_assert((text == NULL) == (expected == NULL));
    if (text != NULL)
        ck_assert_str_eq(text, expected);
}

START_TEST(parts)
{
    dbal_url *url = make(urls[_i].text);
    assert_text(dbal_url_scheme(url), urls[_i].scheme);
    assert_text(dbal_url_user(url), urls[_i].user);
    assert_text(dbal_url_password(url), urls[_i].password);
    assert_text(dbal_url_hosts(url), urls[_i].hosts);
    assert_text(dbal_url_path(url), urls[_i].path);
    dbal__url_free(url);
}
END_TEST

START_TEST(parameters_and_settings)
{
    dbal_url *url =
        make("postgresql://h/db?x=y&pool_max_size=3&empty=&a%3Db=c%26d=e&%70ool_gate=t");
    ck_assert_uint_eq(dbal_url_parameter_count(url), 3);
    assert_text(dbal_url_parameter_name(url, 0), "x");
    assert_text(dbal_url_parameter_name(url, 1), "empty");
    assert_text(dbal_url_parameter_name(url, 2), "a=b");
    assert_text(dbal_url_parameter_name(url, 3), NULL);
    assert_text(dbal_url_parameter(url, "x"), "y");
    assert_text(dbal_url_parameter(url, "empty"), "");
    assert_text(dbal_url_parameter(url, "a=b"), "c&d=e");
    assert_text(dbal_url_parameter(url, "max_size"), NULL);
    assert_text(dbal_url_parameter(url, "pool_max_size"), NULL);
    ck_assert_uint_eq(dbal__url_setting_count(url), 2);
    assert_text(dbal__url_setting_name(url, 0), "max_size");
    assert_text(dbal__url_setting_value(url, 0), "3");
    assert_text(dbal__url_setting_name(url, 1), "gate");
    assert_text(dbal__url_setting_value(url, 1), "t");
    assert_text(dbal__url_setting_name(url, 2), NULL);
    assert_text(dbal__url_setting_value(url, 2), NULL);
    dbal__url_free(url);
}
END_TEST

START_TEST(no_parameters)
{
    static const char *const texts[] = {"sqlite:a", "sqlite:a?", "postgresql://h?"};
    for (int i = 0; i < LENGTH(texts); i++) {
        dbal_url *url = make(texts[i]);
        ck_assert_uint_eq(dbal_url_parameter_count(url), 0);
        ck_assert_uint_eq(dbal__url_setting_count(url), 0);
        assert_text(dbal_url_parameter(url, "a"), NULL);
        dbal__url_free(url);
    }
}
END_TEST

static const struct {
    const char *text, *part;
} refused[] = {
    {NULL, "no scheme"},
    {"", "no scheme"},
    {"bank.db", "no scheme"},
    {"/abs/bank.db", "no scheme"},
    {":memory:", "no scheme"},
    {"1a:b", "no scheme"},
    {"a_b:c", "no scheme"},
    {"sqlite:a%", "byte 9 "},
    {"sqlite:a%2", "byte 9 "},
    {"sqlite:a%2g", "byte 9 "},
    {"sqlite:a%00b", "byte 9 of the URL: %00"},
    {"postgresql://%zz@h/", "byte 14 "},
    {"postgresql://u:%zz@h/", "byte 16 "},
    {"postgresql://u:p@%zz/", "byte 18 "},
    {"postgresql://h/%zz", "byte 16 "},
    {"sqlite:a?%zz=b", "byte 10 "},
    {"sqlite:a?b=%zz", "byte 12 "},
    {"postgresql://h:port/", "byte 16 of the URL: a port"},
    {"postgresql://h:1,i:2x/", "byte 20 of the URL: a port"},
    {"postgresql://u:se/cret@h/db", "byte 23 of the URL: an @"},
    {"postgresql://u:12/secret@h/db", "byte 25 of the URL: an @"},
    {"postgresql://u:p@ss/word@h/db", "byte 25 of the URL: an @"},
    {"postgresql://u@x:p@ss/word@h/db", "byte 27 of the URL: an @"},
    {"postgresql://u:secret?x@h/db", "byte 16 of the URL: a port"},
    {"sqlite:a?mode=ro&mode=rw", "parameter mode is given twice"},
    {"sqlite:a?mode=ro&m%6fde=ro", "parameter mode is given twice"},
    {"sqlite:a?pool_x=1&pool_x=2", "parameter pool_x is given twice"},
    {"sqlite:a?a%40=1&a%40=2", "byte 17 of the URL: a parameter is given twice"},
    {"sqlite:a?mode", "byte 10 of the URL: a parameter has no value"},
    {"sqlite:a?a=b&", "byte 14 of the URL: a parameter has no value"},
    {"sqlite:a?=b", "byte 10 of the URL: a parameter has no name"},
    {"sqlite:a?pool_=b", "byte 10 of the URL: a parameter has no name"},
};

START_TEST(refused_with_a_place)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    ck_assert_ptr_null(dbal__url_new(refused[_i].text, &fault));
    ck_assert(dbal_fault_is_set(&fault));
    const char *message = dbal_error_message(fault.error);
    ck_assert(dbal_error_is(fault.error, DBAL_ERROR_INTERFACE));
    ck_assert_int_eq(dbal_error_execution(fault.error), DBAL_EXECUTION_NOT_SENT);
    ck_assert_msg(strstr(message, refused[_i].part) != NULL, "%s", message);
    ck_assert_ptr_null(strstr(message, "cret"));
    dbal_fault_clear(&fault);
}
END_TEST

static const struct {
    const char *text, *shown;
} shown[] = {
    {"sqlite:bank.db?mode=ro", "sqlite:bank.db?mode=ro"},
    {"sqlite::memory:", "sqlite::memory:"},
    {"postgresql://u:secret@h:1/db?x=y", "postgresql://u:***@h:1/db?x=y"},
    {"postgresql://u@h:5432/db", "postgresql://u@h:5432/db"},
    {"postgresql://u:@h/db", "postgresql://u:***@h/db"},
    {"postgresql://u:sec@ret@h/db", "postgresql://u:***@h/db"},
    {"postgresql://u:sec/ret?x@h/db", "postgresql://u:***@h/db"},
    {"postgresql:u:secret@h/db", "postgresql:u:***@h/db"},
    {"postgresql://h/db?password=secret&x=y", "postgresql://h/db?password=***&x=y"},
    {"postgresql://h/db?x=y&passfile=secret", "postgresql://h/db?x=y&passfile=***"},
    {"postgresql://h/db?sslpassword=sec&ret&x=y", "postgresql://h/db?sslpassword=***&x=y"},
    {"postgresql://h/db?PassWord=secret", "postgresql://h/db?PassWord=***"},
    {"postgresql://h/db?p%61ssword=secret", "postgresql://h/db?p%61ssword=***"},
    {"postgresql://h/db?passwords=1&apassword=2", "postgresql://h/db?passwords=1&apassword=2"},
    {"postgresql://u:secret@h?password=secret&x=1", "postgresql://u:***@h?password=***&x=1"},
    {"postgresql://h:1/db?password=sec@ret&x=1", "postgresql://h:***&x=1"},
    {"postgresql://h/db?password=sec?ret", "postgresql://h/db?password=***"},
    {"odbc:bank;UID=me;PWD=secret;x=y", "odbc:bank;UID=me;PWD=***"},
    {"odbc:?driver=x;pwd=secret&x=y", "odbc:?driver=x;pwd=***&x=y"},
    {"odbc:?driver=x&pqopt={password=secret}&x=y", "odbc:?driver=x&pqopt={password=***&x=y"},
    {"host=h password=secret", "(no URL)"},
    {"postgres//u:secret@h", "(no URL)"},
    {"", "(no URL)"},
    {NULL, "(no URL)"},
};

START_TEST(without_secrets)
{
    char *text = dbal__url_redact(shown[_i].text);
    ck_assert_str_eq(text, shown[_i].shown);
    dbal__free(text);
}
END_TEST

static void
read_one(void *arg)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_url *url = dbal__url_new(arg, &fault);
    ck_assert((url == NULL) == dbal_fault_is_set(&fault));
    ck_assert(url != NULL || dbal_error_is(fault.error, DBAL_ERROR_NO_MEMORY) ||
              dbal_error_is(fault.error, DBAL_ERROR_INTERFACE));
    dbal__url_free(url);
    dbal_fault_clear(&fault);
    dbal__free(dbal__url_redact(arg));
}

START_TEST(without_memory)
{
    static const char *const texts[] = {"sqlite:a", "postgresql://u:p@h/db?x=y&pool_max_size=3",
                                        "sqlite:a?a=b&a=c", "sqlite:a%", "a"};
    alloc_fault_install();
    for (int i = 0; i < LENGTH(texts); i++)
        alloc_fault_sweep(read_one, (void *)texts[i]);
    alloc_fault_remove();
}
END_TEST

static void
add_loop(Suite *suite, const TTest *test, int count)
{
    TCase *one = tcase_create(test->name);
    tcase_add_loop_test(one, test, 0, count);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("url");
    add_loop(suite, parts, LENGTH(urls));
    suite_add(suite, parameters_and_settings, NULL, NULL);
    suite_add(suite, no_parameters, NULL, NULL);
    add_loop(suite, refused_with_a_place, LENGTH(refused));
    add_loop(suite, without_secrets, LENGTH(shown));
    suite_add(suite, without_memory, NULL, NULL);
    return suite_run(suite);
}
