/* From a URL to a connection string, a thread level and a gate. */
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/url.h"
#include "drivers/odbc/attribute.h"
#include "drivers/odbc/config.h"
#include "drivers/odbc/odbc.h"
#include "tests/drivers/odbc/fixture.h"
#include "tests/lib/suite.h"

static void
string_is(const char *text, const char *expected)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_url *url = dbal__url_new(text, &fault);
    ck_assert_ptr_nonnull(url);
    dbal__odbc_config *config = dbal_odbc_driver.configure(url, &fault);
    ck_assert_ptr_nonnull(config);
    ck_assert_str_eq(config->string, expected);
    ck_assert_uint_eq(config->size, strlen(expected));
    dbal_odbc_driver.configure_free(config);
    dbal__url_free(url);
}

START_TEST(a_url_is_a_connection_string)
{
    string_is("odbc:bank?UID=me&pool_max_size=3", "DSN=bank;UID=me;");
    string_is("odbc:?driver=SQLite&database=/var/lib/bank.db",
              "driver=SQLite;database=/var/lib/bank.db;");
    string_is("odbc:?driver=PostgreSQL%20Unicode&Servername=db",
              "driver=PostgreSQL Unicode;Servername=db;");
}
END_TEST

START_TEST(a_value_stays_one)
{
    string_is("odbc:bank?PWD=a;UID=root", "DSN=bank;PWD={a;UID=root};");
    string_is("odbc:bank?PWD=a%7D;UID=root", "DSN=bank;PWD={a}};UID=root};");
    string_is("odbc:bank?PWD=%7Ba", "DSN=bank;PWD={{a};");
    string_is("odbc:bank?PWD=a%3Db", "DSN=bank;PWD=a=b;");
    string_is("odbc:bank?PWD=(p@ss!)", "DSN=bank;PWD=(p@ss!);");
    string_is("odbc:bank?PWD=%20a", "DSN=bank;PWD={ a};");
    string_is("odbc:bank;UID=root", "DSN={bank;UID=root};");
}
END_TEST

static void
refused(const char *url)
{
    dbal_error *error = open_pool(url);
    ck_assert_msg(error != NULL, "%s", url);
    ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
    ck_assert_ptr_null(strstr(dbal_error_message(error), "secret"));
    dbal_error_unref(error);
}

START_TEST(what_is_no_connection_string_is_refused)
{
    refused("odbc:");
    refused("odbc:?PWD=secret");
    refused("odbc:bank?driver=SQLite&PWD=secret");
    refused("odbc://me:secret@host/bank");
    refused("odbc:bank?a;b=secret");
    refused("odbc:bank?a%7D=secret");
}
END_TEST

static void
gate_is(const char *url, int level, const char *gate)
{
    dbal_error *error = NULL;
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool *one = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(one != NULL, "%s", dbal_error_message(error));
    dbal_pool_stats(one, &counts);
    ck_assert_msg(counts.threadlevel == level, "%s: level %d", url, counts.threadlevel);
    ck_assert_str_eq(counts.gate, gate);
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_query(one, "select 1", DBAL_NO_PARAMS));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s: %s", url,
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
    outcome = loop_fixture_await(&fixture, dbal_pool_close(one));
    dbal_outcome_clear(&outcome);
}

START_TEST(what_is_locked_is_not_shared)
{
    gate_is("odbc:?driver=Zero&database=:memory:", 3, "thread");
    gate_is("odbc:?driver=One&database=:memory:", 2, "thread");
    gate_is("odbc:?driver=Two&database=:memory:", 1, "thread");
    gate_is("odbc:?driver=Three&database=:memory:", 0, "driver-thread");
    gate_is("odbc:threes", 0, "driver-thread");
    gate_is("odbc:?DSN=threes", 0, "driver-thread");
    /* unixODBC locks nothing then */
    gate_is("odbc:?driver=Silent&database=:memory:", 3, "thread");
    gate_is("odbc:?driver=Odd&database=:memory:", 3, "thread");
}
END_TEST

START_TEST(one_thread_for_all_cannot_cancel)
{
    dbal__odbc_config config = {.threading = DBAL__ODBC_LOCKS_ENVIRONMENT};
    ck_assert_uint_eq(
        dbal_odbc_driver.capabilities(&config) & (DBAL_CAN_INTERRUPT | DBAL_CAN_CANCEL), 0);
    config.threading = DBAL__ODBC_LOCKS_CONNECTION;
    ck_assert_uint_ne(dbal_odbc_driver.capabilities(&config) & DBAL_CAN_INTERRUPT, 0);
}
END_TEST

START_TEST(a_url_that_is_shown_has_no_password)
{
    char *shown = dbal__url_redact("odbc:bank?UID=me&PWD=secret");
    ck_assert_str_eq(shown, "odbc:bank?UID=me&PWD=***");
    dbal__free(shown);
}
END_TEST

void
add_config(Suite *suite)
{
    suite_add(suite, a_url_is_a_connection_string, before, after);
    suite_add(suite, a_value_stays_one, before, after);
    suite_add(suite, what_is_no_connection_string_is_refused, before, after);
    suite_add(suite, what_is_locked_is_not_shared, before, after);
    suite_add(suite, one_thread_for_all_cannot_cancel, before, after);
    suite_add(suite, a_url_that_is_shown_has_no_password, before, after);
}
