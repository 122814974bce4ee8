/* What goes wrong, and what is said of it. */
#include <string.h>

#include "drivers/odbc/constraint.h"
#include "drivers/odbc/lite.h"
#include "tests/drivers/odbc/fixture.h"
#include "tests/lib/suite.h"

static void
does_not_open(const char *url, const char *sqlstate, const char *words)
{
    dbal_error *error = open_pool(url);
    ck_assert_msg(error != NULL, "%s", url);
    const char *message = dbal_error_message(error);
    ck_assert_msg(dbal_error_is(error, DBAL_ERROR_OPERATIONAL), "%s", message);
    ck_assert_msg(sqlstate == NULL || strcmp(dbal_error_sqlstate(error), sqlstate) == 0, "%s: %s",
                  dbal_error_sqlstate(error), message);
    ck_assert_msg(strstr(message, words) != NULL, "%s", message);
    ck_assert_msg(strstr(message, "s3cret") == NULL, "%s", message);
    dbal_error_unref(error);
}

START_TEST(what_cannot_be_opened_says_why_and_no_password)
{
    does_not_open("odbc:nosuch?PWD=s3cret&pool_fail_fast=on", "IM002", "ata source name not found");
    does_not_open("odbc:?driver=NoSuch&PWD=s3cret&pool_fail_fast=on", "IM003", "NoSuch");
    does_not_open("odbc:gone?PWD=s3cret&pool_fail_fast=on", NULL, "libgone.so");
    does_not_open("odbc:?driver=PostgreSQL&Servername=/nowhere&Port=1&UID=me&PWD=s3cret&"
                  "Database=x&pool_fail_fast=on",
                  NULL, "/nowhere");
    /* libpq shows where it looked, and that is the password here */
    does_not_open("odbc:?driver=PostgreSQL&Servername=/s3cret&Port=1&UID=me&PWD=s3cret&"
                  "Database=x&pool_fail_fast=on",
                  NULL, "/******");
}
END_TEST

START_TEST(errors_have_their_class_and_the_native_code)
{
    open_sqlite("");
    run("create table thing(id integer primary key, n integer not null check (n > 0))");
    run("insert into thing values (1, 1)");
    fails("insert into thing values (1, 1)", DBAL_ERROR_INTEGRITY, "23505");
    fails("insert into thing values (2, null)", DBAL_ERROR_INTEGRITY, "23502");
    fails("insert into thing values (2, -1)", DBAL_ERROR_INTEGRITY, "23514");
    fails("select * from nowhere", DBAL_ERROR_PROGRAMMING, "42P01");
    fails("selec 1", DBAL_ERROR_PROGRAMMING, "42601");
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_query(pool, "insert into thing values (1, 1)", DBAL_NO_PARAMS));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_int_eq(dbal_error_vendor_code(error), 19);
    ck_assert_str_eq(dbal_error_constraint(error), "thing.id");
    dbal_outcome_clear(&outcome);
    run("insert into thing values (3, 1)");
}
END_TEST

START_TEST(what_sqlite_does_not_say_is_known_by_its_code)
{
    ck_assert_str_eq(dbal__odbc_lite_sqlstate("HY000", 5, "database is locked (5)"), "55P03");
    ck_assert_str_eq(dbal__odbc_lite_sqlstate("HY000", 13, "full"), "53100");
    ck_assert_str_eq(dbal__odbc_lite_sqlstate("HY000", 4711, "new"), "HY000");
    ck_assert_str_eq(dbal__odbc_lite_sqlstate("08001", 5, "busy"), "08001");
}
END_TEST

START_TEST(a_constraint_is_found_in_the_message)
{
    char name[32];
    ck_assert(dbal__odbc_constraint_find("violates unique constraint \"thing_pkey\"; Error", name,
                                         sizeof name));
    ck_assert_str_eq(name, "thing_pkey");
    ck_assert(dbal__odbc_constraint_find("CHECK constraint failed: n > 0 (19)", name, sizeof name));
    ck_assert_str_eq(name, "n > 0");
    ck_assert(!dbal__odbc_constraint_find("no such thing", name, sizeof name));
    ck_assert(!dbal__odbc_constraint_find("constraint \"much longer than there is room for here\"",
                                          name, sizeof name));
}
END_TEST

static void
check_secret(const char *sql, const char *secret)
{
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_PARAMS(dbal_text(secret))));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(error != NULL, "%s", sql);
    ck_assert_msg(strstr(dbal_error_message(error), secret) == NULL, "%s",
                  dbal_error_message(error));
    dbal_outcome_clear(&outcome);
}

START_TEST(values_are_kept_secret)
{
    static const char insert[] = "insert into secret values ($1)";
    open_postgres("");
    run("create table secret(s text primary key check (s <> 'it''s'))");
    dbal_outcome outcome = ask(insert, DBAL_PARAMS(dbal_text("s3cret")));
    dbal_outcome_clear(&outcome);
    check_secret(insert, "s3cret"); /* the detail */
    check_secret(insert, "it's");
    check_secret("select cast(cast($1 as text) as integer)", "s3cret");
    check_secret("select cast(cast($1 as text) as integer)", "the \"s3cret\" one");
    run("drop table secret");
}
END_TEST

START_TEST(a_connection_that_the_server_ends_is_lost)
{
    open_postgres("");
    dbal_outcome outcome = loop_fixture_await(
        &fixture,
        dbal_pool_query(pool, "select pg_terminate_backend(pg_backend_pid())", DBAL_NO_PARAMS));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_connection_lost(error), "%s", dbal_error_message(error));
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    dbal_outcome_clear(&outcome);
    run("select 1");
}
END_TEST

void
add_failure(Suite *suite)
{
    suite_add(suite, what_cannot_be_opened_says_why_and_no_password, before, after);
    suite_add(suite, errors_have_their_class_and_the_native_code, before, after);
    suite_add(suite, what_sqlite_does_not_say_is_known_by_its_code, before, after);
    suite_add(suite, a_constraint_is_found_in_the_message, before, after);
    suite_add(suite, values_are_kept_secret, before, after);
    suite_add(suite, a_connection_that_the_server_ends_is_lost, before, after);
}
