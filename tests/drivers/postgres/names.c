/* What goes by the name of a prepared statement: the form of its rows, and the errors of names. */
#include <string.h>

#include "session.h"
#include "tests/lib/suite.h"

static const char *const gates[] = {"pool_max_size=1&pool_gate=loop",
                                    "pool_max_size=1&pool_gate=thread"};

static void
before(void)
{
    session_begin("");
    RUN("create table t (n integer)");
    RUN("insert into t values (7)");
}

static void
after(void)
{
    session_end();
}

static void
cell_is(dbal_deferred *deferred, const char *text)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_result *result = dbal_outcome_result(outcome);
    ck_assert_msg(result != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_str_eq(dbal_result_text(result, 0, 0), text);
    dbal_outcome_clear(&outcome);
}

/* ---- rows in binary ---- */

/* One behind the answer to the other; the last one's is the session's. */
typedef struct script {
    dbal_connection *connection;
    const char *const *sql;
} script;

static dbal_outcome
next_of_script(dbal_outcome in, void *arg)
{
    script *left = arg;
    if (*left->sql == NULL || in.kind == DBAL_OUTCOME_ERROR)
        return in;
    return dbal_wait(dbal_deferred_add_both(
        dbal_connection_query(left->connection, *left->sql++, DBAL_NO_PARAMS), next_of_script,
        left));
}

static dbal_outcome
run_script(dbal_connection *connection, void *arg)
{
    script *left = arg;
    left->connection = connection;
    return next_of_script(dbal_done(), left);
}

START_TEST(another_table_behind_the_same_text)
{
    static const char *const texts[] = {"set search_path = one",
                                        "select n from of_two",
                                        "set search_path = two",
                                        "select n from of_two",
                                        "select n from of_two",
                                        "select n from of_two",
                                        NULL};
    script left = {.sql = texts};
    dbal_pool *one = session_open(gates[_i]);
    RUN("create schema one");
    RUN("create schema two");
    RUN("create table one.of_two as select 7 as n");
    RUN("create table two.of_two as select 1.5 as n");
    dbal_deferred *session = dbal_pool_session(one, NULL, run_script, &left);
    dbal_outcome outcome = loop_fixture_await(&fixture, session);
    RUN("drop schema one, two cascade");
    dbal_result *result = dbal_outcome_result(outcome);
    ck_assert_msg(result != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_str_eq(dbal_result_text(result, 0, 0), "1.5");
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_column_that_somebody_else_alters)
{
    dbal_pool *one = session_open(gates[_i]);
    for (int uses = 1; uses < 5; uses++) {
        RUN("alter table t alter n type integer");
        for (int i = 0; i < uses; i++)
            cell_is(dbal_pool_query(one, "select n from t", DBAL_NO_PARAMS), "7");
        RUN("alter table t alter n type numeric(5, 1)");
        for (int i = 0; i < uses; i++)
            cell_is(dbal_pool_query(one, "select n from t", DBAL_NO_PARAMS), "7.0");
    }
}
END_TEST

/* in text it has fewer digits here */
START_TEST(what_is_prepared_comes_in_binary)
{
    RUN("alter role current_user set extra_float_digits = -10");
    dbal_pool *one = session_open(gates[_i]);
    for (int use = 1; use <= 10; use++)
        cell_is(dbal_pool_query(one, "select 1 / 3::float8", DBAL_NO_PARAMS),
                use <= 2 ? "0.33333" : "0.3333333333333333");
}
END_TEST

/* ---- errors of names ---- */

static dbal_outcome
run_one(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_query(connection, arg, DBAL_NO_PARAMS));
}

static void
tells_of_nosuch(dbal_pool *one, const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_transaction(one, NULL, run_one, (void *)(uintptr_t)sql));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_ptr_nonnull(strstr(dbal_error_message(error), "\"nosuch\" does not exist"));
    outcome_is(outcome, DBAL_ERROR_PROGRAMMING, "26000");
}

START_TEST(a_name_of_the_programs_own)
{
    dbal_pool *one = session_open(gates[_i]);
    RUN("create function f() returns void language plpgsql as "
        "'begin execute ''execute nosuch''; end'");
    for (int i = 0; i < 4; i++) {
        tells_of_nosuch(one, "execute nosuch");
        tells_of_nosuch(one, "deallocate nosuch");
        tells_of_nosuch(one, "select f()");
    }
}
END_TEST

/* The name is only known to be gone by the error. */
START_TEST(a_name_that_is_gone)
{
    dbal_pool *one = session_open(gates[_i]);
    RUN("create function g() returns void language plpgsql as "
        "'begin execute ''deallocate all''; end'");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            cell_is(dbal_pool_query(one, "select n from t", DBAL_NO_PARAMS), "7");
        ends_well(dbal_pool_query(one, "select g()", DBAL_NO_PARAMS));
    }
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *tcase = tcase_create(test->name);
    tcase_add_checked_fixture(tcase, before, after);
    tcase_add_loop_test(tcase, test, 0, 2);
    suite_add_tcase(suite, tcase);
}

int
main(void)
{
    Suite *suite = suite_create("postgres names");
    add(suite, another_table_behind_the_same_text);
    add(suite, a_column_that_somebody_else_alters);
    add(suite, what_is_prepared_comes_in_binary);
    add(suite, a_name_of_the_programs_own);
    add(suite, a_name_that_is_gone);
    return session_main(suite);
}
