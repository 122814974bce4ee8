/* ODBC drivers that do not keep to the rules; see bad_driver.c. */
#include <stdio.h>
#include <string.h>

#include "drivers/odbc/secret.h"
#include "tests/drivers/odbc/fixture.h"
#include "tests/lib/suite.h"

/* No memory but what was offered has anything of the cell in it, whatever its length is said to be. */
START_TEST(a_length_that_cannot_be_is_an_error)
{
    static const char *const words[] = {"size=-2",
                                        "size=-3",
                                        "size=-5000",
                                        "size=-9223372036854775807",
                                        "size=512",
                                        "size=100000",
                                        "size=9223372036854775807",
                                        "truncated size=-2",
                                        "truncated size=-9223372036854775807",
                                        "binary size=-2",
                                        "binary size=-4",
                                        "binary size=513",
                                        "double size=-4",
                                        "double size=-2"};
    char sql[80];
    open_bad();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        snprintf(sql, sizeof sql, "select 1 -- %s", words[i]);
        fails(sql, DBAL_ERROR_OPERATIONAL, "HY000");
    }
    run("select 1");
}
END_TEST

static void
text_is(const char *sql, size_t size, const char *end)
{
    dbal_outcome outcome = ask(sql, DBAL_NO_PARAMS);
    dbal_value cell = dbal_result_get(dbal_outcome_result(outcome), 0, 0);
    ck_assert_int_eq(cell.type, DBAL_TEXT);
    ck_assert_msg(cell.as.bytes.size == size, "%s: %zu", sql, cell.as.bytes.size);
    ck_assert_str_eq((const char *)cell.as.bytes.data + size - strlen(end), end);
    dbal_outcome_clear(&outcome);
}

START_TEST(what_a_length_promises_is_not_believed)
{
    open_bad();
    text_is("select 1", 3, "row");
    /* SQL_NO_TOTAL, though it is all there */
    text_is("select 1 -- size=-4", 3, "row");
    text_is("select 1 -- truncated size=-4", 511 + 512 + 3, "xrow");
    /* there is no such memory; and a new connection, for one keeps some */
    open_bad();
    text_is("select 1 -- truncated size=9000000000000000000", 511 + 1048576 + 3, "xrow");
    dbal_outcome outcome = ask("select 1 -- size=-1", DBAL_NO_PARAMS);
    ck_assert(dbal_result_is_null(dbal_outcome_result(outcome), 0, 0));
    dbal_outcome_clear(&outcome);
}
END_TEST

static void
execution_is(dbal_outcome outcome, dbal_execution execution)
{
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_execution(error) == execution, "%s: %d", dbal_error_message(error),
                  dbal_error_execution(error));
    ck_assert(!dbal_error_retryable(error));
    dbal_outcome_clear(&outcome);
}

static void
ends_as(const char *verb, const char *word, dbal_execution execution)
{
    char sql[80];
    snprintf(sql, sizeof sql, "%s -- %s", verb, word);
    execution_is(loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_NO_PARAMS)),
                 execution);
}

static dbal_outcome
insert_badly(dbal_connection *connection, void *sql)
{
    return dbal_wait(dbal_connection_query(connection, sql, DBAL_NO_PARAMS));
}

/* It was executed, and by itself: its effect may be there. */
START_TEST(what_fails_behind_a_write_is_unknown)
{
    static const char *const words[] = {"fail-fetch",     "fail-data",         "no-columns",
                                        "fail-more",      "fail-more no-rows", "size=-2",
                                        "roll-back-fetch"};
    char sql[80];
    open_bad();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        ends_as("insert into t values (1)", words[i], DBAL_EXECUTION_UNKNOWN);
        if (strcmp(words[i], "roll-back-fetch") != 0)
            ends_as("select 1", words[i], DBAL_EXECUTION_FAILED);
        snprintf(sql, sizeof sql, "insert into t values (1) -- %s", words[i]);
        if (strcmp(words[i], "roll-back-fetch") != 0)
            execution_is(
                loop_fixture_await(&fixture, dbal_pool_transaction(pool, NULL, insert_badly, sql)),
                DBAL_EXECUTION_FAILED);
    }
    ends_as("insert into t values (1)", "refuse", DBAL_EXECUTION_FAILED);
}
END_TEST

/* It says all of its connection string, as an ODBC driver must not. */
START_TEST(no_password_is_shown_in_whatever_form)
{
    static const char *const urls[] = {
        "PWD=s3cret",
        "PWD=s3cret&pwd=t0ps3cret&Password=s3cr",
        "Password=s3cr&PWD=s3cret",
        "PWD=s3cret%7Ds3cr;et",
        "PWD=s3%7D%7Dcret",
        "PWD=s3cr%0Aet",
        "NewPassword=s3cret",
        "Extra=a;PWD=s3cret;b",
        "Extra=%7Bpassword%3Ds3cret%7D",
        "PWD=aa&Extra=aaa",
    };
    char url[400];
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        snprintf(url, sizeof url, "odbc:?driver=Bad&Say=it&%s&pool_fail_fast=on", urls[i]);
        dbal_error *error = open_pool(url);
        ck_assert_msg(error != NULL, "%s", url);
        const char *message = dbal_error_message(error);
        ck_assert_msg(strstr(message, "Say=it") != NULL, "%s", message);
        ck_assert_msg(strstr(message, "s3") == NULL && strstr(message, "cr") == NULL &&
                          strstr(message, "et") == NULL && strstr(message, "=a;") == NULL,
                      "%s: %s", urls[i], message);
        dbal_error_unref(error);
    }
}
END_TEST

START_TEST(a_password_that_is_cut_off_is_hidden)
{
    static const char list[] = "secret\0se\0";
    char text[] = "my secret is not sesame but secr", whole[] = "secr", both[] = "sesecret";
    dbal__odbc_secret_hide(list, text, true);
    ck_assert_str_eq(text, "my ****** is not **same but ****");
    dbal__odbc_secret_hide(list, whole, false);
    ck_assert_str_eq(whole, "**cr");
    dbal__odbc_secret_hide(list, both, false);
    ck_assert_str_eq(both, "********");
}
END_TEST

void
add_bad(Suite *suite)
{
    suite_add(suite, a_length_that_cannot_be_is_an_error, before, after);
    suite_add(suite, what_a_length_promises_is_not_believed, before, after);
    suite_add(suite, what_fails_behind_a_write_is_unknown, before, after);
    suite_add(suite, no_password_is_shown_in_whatever_form, before, after);
    suite_add(suite, a_password_that_is_cut_off_is_hidden, before, after);
}
