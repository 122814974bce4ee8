#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connect_fixture.h"
#include "drivers/postgres/version.h"
#include "tests/lib/alloc_fault.h"

static dialled one;

static void
is(const char *keyword, const char *value)
{
    const char *given = dbal__postgres_option(&one.config->options, keyword);
    if (value == NULL)
        ck_assert_msg(given == NULL, "%s is %s", keyword, given);
    else
        ck_assert_msg(given != NULL && strcmp(given, value) == 0, "%s is %s, not %s", keyword,
                      given != NULL ? given : "missing", value);
}

static void
good(const char *url)
{
    ck_assert_msg(dial_configure(&one, url), "%s: %s", url,
                  one.error != NULL ? dbal_error_message(one.error) : "");
}

START_TEST(a_location)
{
    good("postgresql://me:se%40cret@db.test:5433/bank");
    is("user", "me");
    is("password", "se@cret");
    is("host", "db.test");
    is("port", "5433");
    is("dbname", "bank");
    good("postgres://db.test");
    is("host", "db.test");
    is("port", NULL);
    is("user", NULL);
    is("dbname", NULL);
    good("postgresql:///bank");
    is("host", NULL);
    is("dbname", "bank");
    good("postgresql://");
    good("postgresql://%2Ftmp%2Fa%3Ab:5433/bank");
    is("host", "/tmp/a:b");
    is("port", "5433");
    good("postgresql://%2Ftmp%2Fa%3Ab/bank");
    is("host", "/tmp/a:b");
    is("port", NULL);
    good("postgresql://[::1]:5433,a,b:7/bank");
    is("host", "::1,a,b");
    is("port", "5433,,7");
    good("postgresql://[::1]/bank");
    is("host", "::1");
    is("port", NULL);
    dial_end(&one);
}
END_TEST

START_TEST(parameters_go_over_the_location)
{
    good("postgresql://you:pw@a:1/b?host=/tmp/x&port=2&user=me&password=other&dbname=c");
    is("host", "/tmp/x");
    is("port", "2");
    is("user", "me");
    is("password", "other");
    is("dbname", "c");
    good("postgresql://a/b?dbname=postgresql://c/d");
    is("dbname", "postgresql://c/d");
    dial_end(&one);
}
END_TEST

START_TEST(settings_of_the_driver)
{
    good("postgresql://a/b?timezone=Europe/Berlin&search_path=x,y&load_balance_hosts=random");
    ck_assert_str_eq(dbal__postgres_option(&one.config->settings, "timezone"), "Europe/Berlin");
    ck_assert_str_eq(dbal__postgres_option(&one.config->settings, "search_path"), "x,y");
    ck_assert_str_eq(one.config->balance, "random");
    ck_assert(!one.config->pooler);
    good("postgresql://a/b?pool_pooler=transaction&timezone=UTC");
    ck_assert(one.config->pooler);
    good("postgresql://a/b?pool_pooler=none&ssl=true&connect_timeout=0.5&client_encoding=utf8");
    ck_assert(!one.config->pooler);
    is("sslmode", "require");
    dial_end(&one);
}
END_TEST

START_TEST(files_do_not_depend_on_the_folder)
{
    char folder[512], path[600];
    ck_assert_ptr_nonnull(getcwd(folder, sizeof folder));
    good("postgresql://a/b?passfile=secrets/pass&sslrootcert=system&sslkey=pkcs11:id&sslcert=/c");
    snprintf(path, sizeof path, "%s/secrets/pass", folder);
    is("passfile", path);
    is("sslrootcert", "system");
    is("sslkey", "pkcs11:id");
    is("sslcert", "/c");
    dial_end(&one);
}
END_TEST

static const struct {
    const char *url, *says;
    dbal_error_class error_class;
} bad[] = {
    {"postgresql://a:0/b", "the port cannot be \"0\"", DBAL_ERROR_INTERFACE},
    {"postgresql://a:99999/b", "the port cannot be \"99999\"", DBAL_ERROR_INTERFACE},
    {"postgresql://a:99999999999999999999/b", "the port cannot be", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?port=12x", "the port cannot be \"12x\"", DBAL_ERROR_INTERFACE},
    {"postgresql://a,b/c?port=1,70000", "the port cannot be \"70000\"", DBAL_ERROR_INTERFACE},
    {"postgresql://a,b/c?port=1,2,3", "3 ports for 2 hosts", DBAL_ERROR_INTERFACE},
    {"postgresql://a,b/c?hostaddr=127.0.0.1", "2 hosts for 1 addresses", DBAL_ERROR_INTERFACE},
    {"postgresql://[::1]x/b", "an address with ] behind it", DBAL_ERROR_INTERFACE},
    {"postgresql:bank", "two slashes", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?colour=red", "no URL parameter \"colour\": it knows timezone",
     DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?ssl=yes", "parameter ssl needs", DBAL_ERROR_NOT_SUPPORTED},
    {"postgresql://a/b?sslmode=full", "sslmode cannot be \"full\": it is one of disable, allow",
     DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?target_session_attrs=master", "one of any, read-write",
     DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?load_balance_hosts=yes", "one of disable, random", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?keepalives_idle=soon", "a whole number", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?keepalives_idle=-1", "a whole number", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?tcp_user_timeout=99999999999", "a whole number", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?connect_timeout=1s", "a number of seconds", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?client_encoding=LATIN1", "UTF8", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?replication=database", "replicas", DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?pool_pooler=transaction&options=-c%20geqo=off", "options does not go",
     DBAL_ERROR_INTERFACE},
    {"postgresql://a/b?pool_pooler=transaction&search_path=x", "search_path does not go",
     DBAL_ERROR_INTERFACE},
};

START_TEST(bad_urls)
{
    ck_assert_msg(!dial_configure(&one, bad[_i].url), "%s", bad[_i].url);
    dial_failed(&one, bad[_i].error_class, "", false, bad[_i].says);
    dial_end(&one);
}
END_TEST

/* Which those are depends on the libpq at hand. */
START_TEST(what_libpq_does_not_know_is_named)
{
    if (PQlibVersion() >= 160000)
        good("postgresql://a/b?require_auth=scram-sha-256");
    else {
        ck_assert(!dial_configure(&one, "postgresql://a/b?require_auth=scram-sha-256"));
        dial_failed(&one, DBAL_ERROR_NOT_SUPPORTED, "", false, "require_auth needs another libpq");
    }
    dial_end(&one);
}
END_TEST

START_TEST(every_keyword_of_libpq_is_listed)
{
    PQconninfoOption *known = PQconninfoParse("", NULL);
    for (PQconninfoOption *each = known; each->keyword != NULL; each++) {
        int at = 0;
        while (dbal__postgres_settings[at] != NULL &&
               strcmp(dbal__postgres_settings[at], each->keyword) != 0)
            at++;
        ck_assert_msg(dbal__postgres_settings[at] != NULL, "%s", each->keyword);
    }
    PQconninfoFree(known);
}
END_TEST

START_TEST(no_password_in_what_is_wrong)
{
    ck_assert(!dial_configure(&one, "postgresql://me:topsecret@a:99999/b?sslpassword=hushhush"));
    ck_assert_ptr_null(strstr(dbal_error_message(one.error), "topsecret"));
    ck_assert_ptr_null(strstr(dbal_error_message(one.error), "hushhush"));
    dial_end(&one);
}
END_TEST

START_TEST(versions_of_libpq)
{
    ck_assert_ptr_nonnull(strstr(dbal__postgres_version_note(150005, false), "pipeline"));
    ck_assert_ptr_nonnull(strstr(dbal__postgres_version_note(150013, true), "bad length"));
    ck_assert_ptr_nonnull(strstr(dbal__postgres_version_note(150013, false), "memory"));
    ck_assert_ptr_null(dbal__postgres_version_note(150015, true));
    ck_assert_ptr_null(dbal__postgres_version_note(160011, true));
    ck_assert_ptr_nonnull(dbal__postgres_version_note(160010, false));
    ck_assert_ptr_null(dbal__postgres_version_note(170007, true));
    ck_assert_ptr_nonnull(dbal__postgres_version_note(180000, false));
    ck_assert_ptr_null(dbal__postgres_version_note(180001, false));
    ck_assert_ptr_null(dbal__postgres_version_note(190000, true));
}
END_TEST

static void
configure_all(void *arg)
{
    (void)arg;
    dialled starved = {0};
    dial_configure(&starved, "postgresql://me:pw@[::1]:5433,a,b:7/bank?passfile=x&timezone=UTC"
                             "&search_path=y&sslmode=require&application_name=bank");
    ck_assert(starved.config != NULL || dbal_error_is(starved.error, DBAL_ERROR_NO_MEMORY));
    dial_end(&starved);
}

START_TEST(without_memory)
{
    alloc_fault_sweep(configure_all, NULL);
}
END_TEST

Suite *
connect_config_suite(void)
{
    Suite *suite = suite_create("postgres config");
    TCase *tests = tcase_create("config");
    tcase_add_test(tests, a_location);
    tcase_add_test(tests, parameters_go_over_the_location);
    tcase_add_test(tests, settings_of_the_driver);
    tcase_add_test(tests, files_do_not_depend_on_the_folder);
    tcase_add_loop_test(tests, bad_urls, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tests, what_libpq_does_not_know_is_named);
    tcase_add_test(tests, every_keyword_of_libpq_is_listed);
    tcase_add_test(tests, no_password_in_what_is_wrong);
    tcase_add_test(tests, versions_of_libpq);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
