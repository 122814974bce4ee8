/* Errors of the server's: their class, SQLSTATE and what else they tell, and what they never tell. */
#include "session.h"

#include <string.h>

#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("");
    RUN("create table parent(id int primary key)");
    RUN("create table t(id int primary key, n int not null, u varchar(20), p int, d date, "
        "constraint only_once unique (u), constraint small check (n < 100), "
        "constraint kin foreign key (p) references parent(id))");
    RUN("insert into t(id, n, u) values (1, 1, 'one')");
}

/* As what fails, with what constraint. */
static void
check(const char *sql, dbal_params params, dbal_error_class error_class, const char *sqlstate,
      int code, const char *constraint)
{
    dbal_outcome outcome = run(sql, params);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(error != NULL, "%s", sql);
    ck_assert_msg(dbal_error_is(error, error_class), "%s: %s", sql, dbal_error_message(error));
    ck_assert_msg(strcmp(dbal_error_sqlstate(error), sqlstate) == 0, "%s: %s", sql,
                  dbal_error_sqlstate(error));
    ck_assert_int_eq(dbal_error_vendor_code(error), code);
    if (constraint != NULL)
        ck_assert_str_eq(dbal_error_constraint(error), constraint);
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_FAILED);
    ck_assert(!dbal_error_connection_lost(error));
    dbal_outcome_clear(&outcome);
}
#define CHECK(sql, ...) check(sql, DBAL_NO_PARAMS, __VA_ARGS__)

START_TEST(constraints)
{
    CHECK("insert into t(id, n) values (1, 1)", DBAL_ERROR_INTEGRITY, "23505", 1062, "PRIMARY");
    CHECK("insert into t(id, n, u) values (2, 1, 'one')", DBAL_ERROR_INTEGRITY, "23505", 1062,
          "only_once");
    CHECK("insert into t(id, n) values (2, null)", DBAL_ERROR_INTEGRITY, "23502", 1048, "n");
    CHECK("insert into t(id) values (2)", DBAL_ERROR_INTEGRITY, "23502", 1364, "n");
    CHECK("insert into t(id, n, p) values (2, 1, 7)", DBAL_ERROR_INTEGRITY, "23503", 1452, "kin");
    CHECK("insert into t(id, n) values (2, 100)", DBAL_ERROR_INTEGRITY, "23514", 4025, "small");
}
END_TEST

START_TEST(the_program_is_wrong)
{
    CHECK("select * from nowhere", DBAL_ERROR_PROGRAMMING, "42P01", 1146, NULL);
    CHECK("select nothing from t", DBAL_ERROR_PROGRAMMING, "42703", 1054, NULL);
    CHECK("create table t(a int)", DBAL_ERROR_PROGRAMMING, "42P07", 1050, NULL);
    CHECK("select a.id from t a, t b where id = 1", DBAL_ERROR_PROGRAMMING, "42702", 1052, NULL);
    CHECK("select nowhere.f()", DBAL_ERROR_PROGRAMMING, "42000", 1305, NULL);
    CHECK("drop database nowhere", DBAL_ERROR_OPERATIONAL, "HY000", 1008, NULL);
}
END_TEST

START_TEST(a_value_is_wrong)
{
    CHECK("update t set n = 99999999999", DBAL_ERROR_DATA, "22003", 1264, NULL);
    CHECK("update t set u = repeat('x', 21)", DBAL_ERROR_DATA, "22001", 1406, NULL);
    CHECK("update t set d = 'yesterday'", DBAL_ERROR_DATA, "22007", 1292, NULL);
    CHECK("update t set n = 'many'", DBAL_ERROR_DATA, "22007", 1366, NULL);
    CHECK("update t set n = 1 / 0", DBAL_ERROR_DATA, "22012", 1365, NULL);
}
END_TEST

START_TEST(where_a_syntax_error_is)
{
    dbal_outcome outcome = run("select 1\nfrom\nwhere 2", DBAL_NO_PARAMS);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_str_eq(dbal_error_sqlstate(error), "42601");
    ck_assert_int_eq(dbal_error_position(error), 15);
    dbal_outcome_clear(&outcome);
    outcome = run("select (1", DBAL_NO_PARAMS);
    ck_assert_int_eq(dbal_error_position(dbal_outcome_error(outcome)), 9);
    dbal_outcome_clear(&outcome);
    run_fails("select 1; select 2", DBAL_ERROR_PROGRAMMING, "42601");
}
END_TEST

/* No value of a parameter's stands in a message. */
static void
check_secret(const char *sql, const char *secret)
{
    dbal_outcome outcome = run(sql, DBAL_PARAMS(dbal_text(secret)));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(strstr(dbal_error_message(error), secret) == NULL, "%s",
                  dbal_error_message(error));
    ck_assert_msg(strstr(dbal_error_message(error), "…") != NULL, "%s", dbal_error_message(error));
    dbal_outcome_clear(&outcome);
}

START_TEST(values_without_quotes_are_kept_secret)
{
    RUN("create table cut(n int) partition by list (n) (partition p values in (1))");
    dbal_outcome outcome =
        run("insert into cut values ($1)", DBAL_PARAMS(dbal_int64(INT64_C(4711))));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_int_eq(dbal_error_vendor_code(error), 1526);
    ck_assert_msg(strstr(dbal_error_message(error), "4711") == NULL, "%s",
                  dbal_error_message(error));
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(values_are_kept_secret)
{
    run_ok("insert into t(id, n, u) values (5, 5, $1)", DBAL_PARAMS(dbal_text("it's 'mine'")));
    check_secret("insert into t(id, n, u) values (6, 6, $1)", "it's 'mine'");
    check_secret("update t set d = $1", "tomorrow");
    check_secret("update t set n = $1", "several");
}
END_TEST

START_TEST(a_database_that_is_not_there)
{
    char url[300];
    char *name = strstr(place.url, place.name);
    snprintf(url, sizeof url, "%.*snowhere", (int)(name - place.url), place.url);
    dbal_pool *other = session_open_url(url);
    ends_badly(dbal_pool_ready(other), DBAL_ERROR_PROGRAMMING, "3D000");
}
END_TEST

START_TEST(it_lacks_rights)
{
    char url[300];
    mariadb_run(&server, NULL, "create or replace user weak@127.0.0.1");
    snprintf(url, sizeof url, "mariadb://weak@%s", strstr(place.url, "127.0.0.1"));
    dbal_pool *other = session_open_url(url);
    ends_badly(dbal_pool_ready(other), DBAL_ERROR_PROGRAMMING, "42501");
    mariadb_run(&server, NULL, "drop user weak@127.0.0.1");
}
END_TEST

void
add_errors(Suite *suite)
{
    suite_add(suite, constraints, before, session_end);
    suite_add(suite, the_program_is_wrong, before, session_end);
    suite_add(suite, a_value_is_wrong, before, session_end);
    suite_add(suite, where_a_syntax_error_is, before, session_end);
    suite_add(suite, values_without_quotes_are_kept_secret, before, session_end);
    suite_add(suite, values_are_kept_secret, before, session_end);
    suite_add(suite, a_database_that_is_not_there, before, session_end);
    suite_add(suite, it_lacks_rights, before, session_end);
}
