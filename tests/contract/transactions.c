/* Transactions, savepoints and sessions: what they keep, undo and leave behind. */
#include <stdlib.h>
#include <string.h>

#include "tests/contract/contract.h"

static dbal_deferred *
add_on(dbal_connection *connection, int64_t much)
{
    return dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(much)));
}

static dbal_outcome
add_one(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(add_on(connection, 1));
}

static dbal_outcome
add_and_fail(dbal_connection *connection, void *arg)
{
    (void)arg;
    add_on(connection, 10);
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "changed my mind"));
}

static dbal_outcome
add_and_leave_an_error(dbal_connection *connection, void *arg)
{
    (void)arg;
    add_on(connection, 100);
    dbal_connection_query(connection, SQL(duplicate), DBAL_NO_PARAMS);
    add_on(connection, 1000);
    return dbal_done();
}

static dbal_outcome
add_and_handle_an_error(dbal_connection *connection, void *arg)
{
    (void)arg;
    add_on(connection, 2);
    return dbal_wait(dbal_deferred_add_errback(
        dbal_connection_query(connection, SQL(duplicate), DBAL_NO_PARAMS), swallow, NULL));
}

START_TEST(a_success_commits)
{
    good(transaction(NULL, add_one, NULL));
    ck_assert_int_eq(value_now(), 1);
}
END_TEST

START_TEST(an_error_rolls_back)
{
    bad(transaction(NULL, add_and_fail, NULL), DBAL_ERROR_APPLICATION, "", DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

START_TEST(an_error_that_nobody_handled_rolls_back)
{
    bad(transaction(NULL, add_and_leave_an_error, NULL), DBAL_ERROR_INTEGRITY, "23505",
        DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(value_now(), 0);
    ck_assert_uint_eq(fixture.log.count, 0);
}
END_TEST

START_TEST(a_handled_error_does_not)
{
    bool spoilt = (target->quirks & CONTRACT_SPOILS) != 0;
    dbal_deferred *work = transaction(NULL, add_and_handle_an_error, NULL);
    if (spoilt)
        bad(work, DBAL_ERROR_INTERNAL, "25P02", DBAL_EXECUTION_FAILED);
    else
        good(work);
    ck_assert_int_eq(value_now(), spoilt ? 0 : 2);
}
END_TEST

static dbal_outcome
add_without_waiting(dbal_connection *connection, void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++)
        add_on(connection, 1);
    return dbal_done();
}

START_TEST(all_statements_settle_before_the_commit)
{
    good(transaction(NULL, add_without_waiting, NULL));
    ck_assert_int_eq(value_now(), 40);
}
END_TEST

static dbal_outcome
script_without_waiting(dbal_connection *connection, void *arg)
{
    dbal_connection_script(connection, arg);
    return dbal_done();
}

START_TEST(a_script_is_part_of_its_work)
{
    const char *two = SQL(add_two);
    char *sql = contract_script((const char *[]){two, two, two, NULL});
    good(transaction(NULL, script_without_waiting, sql));
    ck_assert_int_eq(value_now(), 6);
    free(sql);
    sql = contract_script((const char *[]){two, two, two, SQL(duplicate), NULL});
    bad(transaction(NULL, script_without_waiting, sql), DBAL_ERROR_INTEGRITY, "23505",
        DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(value_now(), 6);
    free(sql);
}
END_TEST

static dbal_outcome
fail_inside(dbal_connection *connection, void *arg)
{
    add_on(connection, 5);
    return dbal_wait(dbal_deferred_add_errback(
        dbal_connection_savepoint(connection, add_and_fail, arg), swallow, NULL));
}

static dbal_outcome
nest(dbal_connection *connection, void *arg)
{
    add_on(connection, 3);
    return dbal_wait(dbal_connection_savepoint(connection, fail_inside, arg));
}

START_TEST(a_savepoint_is_undone_alone)
{
    good(transaction(NULL, fail_inside, NULL));
    ck_assert_int_eq(value_now(), 5);
    good(transaction(NULL, nest, NULL));
    ck_assert_int_eq(value_now(), 13);
}
END_TEST

static dbal_outcome
nest_wrongly(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_transaction(connection, NULL, add_one, arg));
}

static dbal_outcome
savepoint_alone(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_savepoint(connection, add_one, arg));
}

START_TEST(scopes_in_the_wrong_place_are_refused)
{
    bad(transaction(NULL, nest_wrongly, NULL), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_session(pool, NULL, savepoint_alone, NULL), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(value_now(), 0);
    good(dbal_pool_session(pool, NULL, nest_wrongly, NULL));
    ck_assert_int_eq(value_now(), 1);
}
END_TEST

static dbal_outcome
fail_retryably(dbal_outcome in, void *arg)
{
    (void)in;
    dbal_connection *connection = arg;
    if (dbal_connection_attempt(connection) >= 3)
        return dbal_done();
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "not yet"));
}

static dbal_outcome
count_attempts(dbal_connection *connection, void *arg)
{
    *(unsigned *)arg = dbal_connection_attempt(connection);
    return dbal_wait(dbal_deferred_add_callback(add_on(connection, 1), fail_retryably, connection));
}

START_TEST(only_what_may_pass_is_run_again)
{
    unsigned attempts = 0;
    bad(transaction(DBAL_TRANSACTION(.retries = 5), count_attempts, &attempts),
        DBAL_ERROR_APPLICATION, "", DBAL_EXECUTION_NOT_SENT);
    ck_assert_uint_eq(attempts, 1);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

static dbal_outcome
end_it_by_hand(dbal_connection *connection, void *arg)
{
    add_on(connection, 1);
    dbal_deferred *ended = dbal_connection_query(connection, arg, DBAL_NO_PARAMS);
    add_on(connection, 1);
    return dbal_wait(ended);
}

START_TEST(a_transaction_is_not_ended_by_a_statement)
{
    bad(transaction(NULL, end_it_by_hand, (void *)(uintptr_t) "commit"), DBAL_ERROR_PROGRAMMING,
        "25001", DBAL_EXECUTION_NOT_SENT);
    bad(transaction(NULL, end_it_by_hand, (void *)(uintptr_t) "rollback"), DBAL_ERROR_PROGRAMMING,
        "25001", DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

/* ---- sessions ---- */

static dbal_outcome
leave_a_transaction(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, SQL(begin), DBAL_NO_PARAMS);
    return dbal_wait(add_on(connection, 7));
}

START_TEST(a_transaction_left_open_is_rolled_back)
{
    good(dbal_pool_session(pool, DBAL_SESSION(.label = "forgetful"), leave_a_transaction, NULL));
    ck_assert_uint_eq(log_lines_count(&fixture.log, "(forgetful) ended with its transaction open"),
                      1);
    ck_assert_int_eq(value_now(), 0);
    good(add_to_value(1));
    ck_assert_int_eq(value_now(), 1);
}
END_TEST

static dbal_outcome
change_session(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, SQL(setting), DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, SQL(changed), DBAL_NO_PARAMS));
}

static dbal_outcome
ask_whether_changed(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, SQL(changed), DBAL_NO_PARAMS));
}

static int64_t
session_number(dbal_work *work)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, work, NULL));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

START_TEST(what_a_session_changed_does_not_reach_the_next)
{
    ck_assert_int_eq(session_number(change_session), 1);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(session_number(ask_whether_changed), 0);
    good(add_to_value(1));
}
END_TEST

typedef struct late {
    dbal_connection *connection;
    dbal_deferred *release, *refused;
} late;

static dbal_outcome
keep_handle(dbal_connection *connection, void *arg)
{
    late *self = arg;
    self->connection = connection;
    return dbal_done();
}

static dbal_outcome
use_after_the_end(dbal_outcome in, void *arg)
{
    late *self = arg;
    self->refused =
        dbal_deferred_ref(dbal_connection_query(self->connection, SQL(get), DBAL_NO_PARAMS));
    return in;
}

START_TEST(a_connection_used_after_its_work_is_refused)
{
    late self = {.connection = NULL};
    dbal_deferred *session = dbal_pool_session(pool, NULL, keep_handle, &self);
    dbal_deferred_add_callback(session, use_after_the_end, &self);
    good(session);
    bad(self.refused, DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(self.refused);
}
END_TEST

START_TEST(writers_in_sessions_and_on_the_pool_take_turns)
{
    dbal_deferred *all[60];
    for (int i = 0; i < 60; i++)
        all[i] = i % 3 == 0   ? transaction(NULL, add_one, NULL)
                 : i % 3 == 1 ? dbal_pool_session(pool, NULL, add_one, NULL)
                              : add_to_value(1);
    good(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, 60, all));
    ck_assert_int_eq(value_now(), 60);
}
END_TEST

void
add_transactions(Suite *suite)
{
    contract_add(suite, a_success_commits);
    contract_add(suite, an_error_rolls_back);
    contract_add(suite, an_error_that_nobody_handled_rolls_back);
    contract_add(suite, a_handled_error_does_not);
    contract_add(suite, all_statements_settle_before_the_commit);
    contract_add(suite, a_script_is_part_of_its_work);
    contract_add(suite, a_savepoint_is_undone_alone);
    contract_add(suite, scopes_in_the_wrong_place_are_refused);
    contract_add(suite, only_what_may_pass_is_run_again);
    contract_add(suite, a_transaction_is_not_ended_by_a_statement);
    contract_add(suite, a_transaction_left_open_is_rolled_back);
    contract_add(suite, what_a_session_changed_does_not_reach_the_next);
    contract_add(suite, a_connection_used_after_its_work_is_refused);
    contract_add(suite, writers_in_sessions_and_on_the_pool_take_turns);
}
