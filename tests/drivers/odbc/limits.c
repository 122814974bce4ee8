/* Deadlines that the server knows of, and limits of its own. */
#include <stdio.h>

#include "drivers/odbc/time_limit.h"
#include "tests/drivers/odbc/fixture.h"
#include "tests/lib/suite.h"

static const char kept[] = "select current_setting('statement_timeout')";

static void
is(dbal_outcome outcome, const char *expected)
{
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_str_eq(dbal_result_text(dbal_outcome_result(outcome), 0, 0), expected);
    dbal_outcome_clear(&outcome);
}

/* What is in force for one with that timeout; negative: without. */
static void
in_force(double timeout, const char *expected)
{
    is(loop_fixture_await(&fixture,
                          dbal_pool_run(pool, DBAL_QUERY(.sql = kept, .timeout = timeout))),
       expected);
}

START_TEST(what_is_left_is_in_force)
{
    open_postgres("");
    in_force(-1, "0");
    in_force(10, "16s");
    in_force(6, "16s");
    in_force(-1, "0");
    in_force(3.9, "4s");
    in_force(0.9, "4s");
    in_force(-1, "0");
    in_force(0.9, "1s");
    in_force(-1, "0");
}
END_TEST

/* Nobody can cancel it: everything is one thread's. */
START_TEST(the_server_ends_what_no_cancel_reaches)
{
    open_postgres_by("Uncancelled", "&pool_cancel_timeout=20");
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_run(pool, DBAL_QUERY(.sql = "select pg_sleep(100)", .timeout = 0.9)));
    ck_assert_int_eq(dbal_error_execution(dbal_outcome_error(outcome)), DBAL_EXECUTION_FAILED);
    ck_assert(!dbal_error_connection_lost(dbal_outcome_error(outcome)));
    expect(outcome, DBAL_ERROR_TIMEOUT, "57014");
    in_force(-1, "0");
}
END_TEST

static void
set_of_role(const char *value)
{
    char sql[128];
    snprintf(sql, sizeof sql, "alter role current_user set statement_timeout = %s", value);
    open_postgres("");
    run(sql);
    open_postgres("");
}

START_TEST(a_limit_of_its_own_stays_what_it_is)
{
    set_of_role("'7s'");
    in_force(1, "7s");
    in_force(-1, "7s");
    in_force(60, "7s");
    set_of_role("'200ms'");
    fails("select pg_sleep(100)", DBAL_ERROR_OPERATIONAL, "57014");
    expect(loop_fixture_await(&fixture, dbal_pool_run(pool, DBAL_QUERY(.sql = "select pg_sleep(99)",
                                                                       .timeout = 60))),
           DBAL_ERROR_OPERATIONAL, "57014");
    run("alter role current_user reset statement_timeout");
}
END_TEST

static dbal_outcome
ask_again(dbal_outcome in, void *connection)
{
    (void)in;
    return dbal_wait(dbal_connection_run(connection, DBAL_QUERY(.sql = kept, .timeout = 1)));
}

static dbal_outcome
set_its_own(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_run(connection, DBAL_QUERY(.sql = kept, .timeout = 3));
    return dbal_wait(dbal_deferred_add_callback(
        dbal_connection_query(connection, "set statement_timeout = '7s'", DBAL_NO_PARAMS),
        ask_again, connection));
}

START_TEST(what_a_session_has_set_is_left_alone)
{
    open_postgres("");
    is(loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, set_its_own, NULL)), "7s");
    in_force(-1, "0");
    in_force(0.9, "1s");
}
END_TEST

static dbal_outcome
ask_and_fail(dbal_outcome in, void *arg)
{
    dbal_result *rows = dbal_outcome_result(in);
    (void)arg;
    ck_assert_ptr_nonnull(rows);
    ck_assert_str_eq(dbal_result_text(rows, 0, 0), "0");
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "on purpose"));
}

static dbal_outcome
undo(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_deferred_add_callback(
        dbal_connection_run(
            connection,
            DBAL_QUERY(.sql = "select current_setting($1) where $2 = 1",
                       .params = DBAL_PARAMS(dbal_text("statement_timeout"), dbal_int64(1)),
                       .timeout = 30)),
        ask_and_fail, NULL));
}

/* A limit that came back with a rollback would end what has a longer one, or none. */
START_TEST(what_a_transaction_undoes_was_never_set)
{
    static const char *const cursors[] = {"", "&UseDeclareFetch=1"};
    for (size_t i = 0; i < 2; i++) {
        open_postgres(cursors[i]);
        in_force(0.9, "1s");
        for (int j = 0; j < 2; j++) {
            dbal_outcome outcome =
                loop_fixture_await(&fixture, dbal_pool_transaction(pool, NULL, undo, NULL));
            ck_assert_ptr_nonnull(dbal_outcome_error(outcome));
            dbal_outcome_clear(&outcome);
            in_force(j == 0 ? -1 : 5, j == 0 ? "0" : "8s");
        }
        in_force(-1, "0");
    }
}
END_TEST

START_TEST(it_is_never_below_the_rest_and_never_above_its_own)
{
    static const SQLULEN owns[] = {0, 1, 7, 100000};
    for (size_t i = 0; i < sizeof owns / sizeof owns[0]; i++) {
        SQLULEN own = owns[i], present = 0;
        for (int64_t rest = 1; rest < INT64_C(1000000000000000); rest = rest * 3 / 2 + 1) {
            present = dbal__odbc_time_limit_for(own, present, 0, rest);
            SQLULEN now = present != 0 ? present : own;
            ck_assert(now == own || (int64_t)now * 1000000000 >= rest);
            ck_assert(own == 0 || now <= own);
            ck_assert(own != 0 || now != 0);
        }
        ck_assert_uint_eq(dbal__odbc_time_limit_for(own, 4, 0, INT64_MAX), 0);
    }
    ck_assert_uint_eq(dbal__odbc_time_limit_for(0, 0, 5, 4), 1);
}
END_TEST

void
add_limits(Suite *suite)
{
    suite_add(suite, what_is_left_is_in_force, before, after);
    suite_add(suite, the_server_ends_what_no_cancel_reaches, before, after);
    suite_add(suite, a_limit_of_its_own_stays_what_it_is, before, after);
    suite_add(suite, what_a_session_has_set_is_left_alone, before, after);
    suite_add(suite, what_a_transaction_undoes_was_never_set, before, after);
    suite_add(suite, it_is_never_below_the_rest_and_never_above_its_own, NULL, NULL);
}
