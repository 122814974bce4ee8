/* Statements: parameters, answers, errors, and their order. */
#include <stdlib.h>
#include <string.h>

#include "tests/contract/contract.h"

START_TEST(the_gate_is_the_one_of_its_level)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    ck_assert_str_eq(counts.gate, target->gate);
    ck_assert_int_eq(counts.threadlevel, target->threadlevel);
}
END_TEST

static dbal_outcome
both(const char *sql, dbal_params params)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_query(pool, sql, params));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    return outcome;
}

START_TEST(parameters_go_by_number)
{
    dbal_outcome outcome = both(SQL(echo_both), DBAL_PARAMS(dbal_int64(1), dbal_text("two")));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_uint_eq(dbal_result_column_count(rows), 2);
    ck_assert_str_eq(dbal_result_text(rows, 0, 0), "two");
    ck_assert_int_eq(dbal_result_int64(rows, 0, 1), 1);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(parameters_go_by_name)
{
    dbal_outcome outcome = both(SQL(by_name), DBAL_PARAMS(dbal_named("a", dbal_int64(1)),
                                                          dbal_named("b", dbal_text("two"))));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_str_eq(dbal_result_text(rows, 0, 0), "two");
    ck_assert_int_eq(dbal_result_int64(rows, 0, 1), 1);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(wrong_parameters_are_refused_before_anything_is_sent)
{
    bad(dbal_pool_query(pool, SQL(echo), DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING, "07001",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_query(pool, SQL(echo), DBAL_PARAMS(dbal_int64(1), dbal_int64(2))),
        DBAL_ERROR_PROGRAMMING, "07001", DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_query(pool, SQL(by_name), DBAL_PARAMS(dbal_named("a", dbal_null()))),
        DBAL_ERROR_PROGRAMMING, "07001", DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_query(pool, SQL(echo), DBAL_PARAMS(dbal_text("\xff"))), DBAL_ERROR_DATA, "22021",
        DBAL_EXECUTION_NOT_SENT);
    good(dbal_pool_query(pool, SQL(echo), DBAL_PARAMS(dbal_null())));
}
END_TEST

START_TEST(a_second_statement_is_refused)
{
    char *sql = contract_script((const char *[]){SQL(get), SQL(get), NULL});
    bad(dbal_pool_query(pool, sql, DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT);
    free(sql);
    bad(dbal_pool_query(pool, "", DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_query(pool, NULL, DBAL_NO_PARAMS), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
}
END_TEST

START_TEST(rows_come_in_order)
{
    static const int64_t counts[] = {0, 1, 3, 5000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        dbal_outcome outcome = both(SQL(rows), DBAL_PARAMS(dbal_int64(counts[i])));
        dbal_result *rows = dbal_outcome_result(outcome);
        ck_assert_uint_eq(dbal_result_row_count(rows), (size_t)counts[i]);
        ck_assert_uint_eq(dbal_result_column_count(rows), 1);
        ck_assert_str_eq(dbal_result_column_name(rows, 0), "n");
        ck_assert_int_eq(dbal_result_affected(rows), counts[i]);
        for (int64_t row = 0; row < counts[i]; row++)
            ck_assert_int_eq(dbal_result_int64(rows, (size_t)row, 0), row + 1);
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

START_TEST(a_write_says_what_it_affected)
{
    dbal_outcome outcome = both(SQL(add), DBAL_PARAMS(dbal_int64(5)));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_int_eq(dbal_result_affected(rows), 1);
    ck_assert_uint_eq(dbal_result_row_count(rows), 0);
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(value_now(), 5);
}
END_TEST

START_TEST(a_violated_constraint_is_an_integrity_error)
{
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_query(pool, SQL(duplicate), DBAL_NO_PARAMS));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_ptr_nonnull(dbal_error_constraint(error));
    ck_assert(!dbal_error_connection_lost(error));
    ck_assert(!dbal_error_retryable(error));
    bad_outcome(outcome, DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED);
    good(add_to_value(1));
}
END_TEST

START_TEST(a_syntax_error_has_a_place)
{
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_query(pool, SQL(syntax), DBAL_NO_PARAMS));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(dbal_error_position(error) == target->sql->syntax_position, "%d: %s",
                  (int)dbal_error_position(error), dbal_error_message(error));
    bad_outcome(outcome, DBAL_ERROR_PROGRAMMING, "42601", DBAL_EXECUTION_FAILED);
}
END_TEST

START_TEST(a_promise_to_read_only_is_kept)
{
    bad(dbal_pool_run(pool, DBAL_QUERY(.sql = SQL(add), .params = DBAL_PARAMS(dbal_int64(1)),
                                       .read_only = true)),
        DBAL_ERROR_OPERATIONAL, "25006", DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(value_now(), 0);
    good(dbal_pool_run(pool, DBAL_QUERY(.sql = SQL(get), .read_only = true)));
}
END_TEST

START_TEST(a_statement_of_a_session_is_refused_on_a_pool)
{
    bad(dbal_pool_query(pool, SQL(begin), DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING, "25001",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_query(pool, SQL(setting), DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING, "25001",
        DBAL_EXECUTION_NOT_SENT);
    ck_assert(dbal_sql_needs_session(pool, SQL(begin)));
    ck_assert(!dbal_sql_needs_session(pool, SQL(get)));
    good(add_to_value(1));
}
END_TEST

/* ---- order ---- */

static dbal_outcome
in_order(dbal_connection *connection, void *arg)
{
    dbal_deferred *all[9];
    for (int i = 0; i < 9; i += 3) {
        all[i] = dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(1)));
        all[i + 1] = dbal_connection_query(connection, SQL(duplicate), DBAL_NO_PARAMS);
        all[i + 2] = dbal_connection_query(connection, SQL(get), DBAL_NO_PARAMS);
    }
    return dbal_wait(dbal_gather(arg, DBAL_GATHER_ALL, 9, all));
}

START_TEST(statements_of_a_connection_keep_their_order)
{
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, in_order, fixture.loop));
    ck_assert_uint_eq(dbal_outcome_count(outcome), 9);
    for (size_t i = 0; i < 9; i += 3) {
        dbal_result *rows = dbal_outcome_result(dbal_outcome_at(outcome, i + 2));
        ck_assert_ptr_nonnull(dbal_outcome_result(dbal_outcome_at(outcome, i)));
        /* a failed one does not stop the next */
        ck_assert(dbal_error_is(dbal_outcome_error(dbal_outcome_at(outcome, i + 1)),
                                DBAL_ERROR_INTEGRITY));
        ck_assert_int_eq(dbal_result_int64(rows, 0, 0), (int64_t)i / 3 + 1);
    }
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(many_at_once_each_get_their_own)
{
    enum { MANY = 500 };
    dbal_deferred *all[MANY];
    bool writes = target->sql->add != NULL;
    for (int i = 0; i < MANY; i++)
        all[i] = writes && i % 10 == 3 ? add_to_value(i)
                                       : dbal_pool_query(pool, i % 7 == 5 ? SQL(rows) : SQL(echo),
                                                         DBAL_PARAMS(dbal_int64(i)));
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_ALL, MANY, all));
    int64_t sum = 0;
    for (int i = 0; i < MANY; i++) {
        dbal_outcome one = dbal_outcome_at(outcome, (size_t)i);
        dbal_result *rows = dbal_outcome_result(one);
        ck_assert_msg(rows != NULL, "%d: %s", i, dbal_error_message(dbal_outcome_error(one)));
        if (writes && i % 10 == 3)
            sum += i;
        else if (i % 7 == 5)
            ck_assert_uint_eq(dbal_result_row_count(rows), (size_t)i);
        else
            ck_assert_int_eq(dbal_result_int64(rows, 0, 0), i);
    }
    dbal_outcome_clear(&outcome);
    if (writes)
        ck_assert_int_eq(value_now(), sum);
}
END_TEST

static dbal_outcome
run_script(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_script(connection, arg));
}

START_TEST(a_script_runs_until_one_fails)
{
    char *sql = contract_script((const char *[]){SQL(get), SQL(get), NULL});
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, run_script, sql));
    ck_assert_uint_eq(dbal_outcome_count(outcome), 2);
    ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(dbal_outcome_at(outcome, 1)), 0, 0), 0);
    dbal_outcome_clear(&outcome);
    free(sql);
    sql = contract_script((const char *[]){SQL(duplicate), SQL(get), NULL});
    bad(dbal_pool_session(pool, NULL, run_script, sql), DBAL_ERROR_INTEGRITY, "23505",
        DBAL_EXECUTION_FAILED);
    free(sql);
}
END_TEST

START_TEST(a_label_stands_in_its_errors)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_run(pool, DBAL_QUERY(.sql = SQL(syntax), .label = "cart")));
    ck_assert_str_eq(dbal_error_sqlstate(dbal_outcome_error(outcome)), "42601");
    ck_assert_int_eq(strncmp(dbal_error_message(dbal_outcome_error(outcome)), "cart: ", 6), 0);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(what_is_missing_in_a_call_is_told)
{
    dbal_query without_size = {.sql = SQL(get)};
    dbal_session_options nothing = {.label = "x"};
    bad(dbal_pool_run(pool, NULL), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_run(pool, &without_size), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_session(pool, NULL, NULL, NULL), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_session(pool, &nothing, run_script, NULL), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_transaction(pool, NULL, NULL, NULL), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_stream(pool, DBAL_QUERY(.sql = SQL(get)), NULL, NULL), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
}
END_TEST

void
add_statements(Suite *suite)
{
    contract_add(suite, the_gate_is_the_one_of_its_level);
    contract_add(suite, parameters_go_by_number);
    contract_add(suite, parameters_go_by_name);
    contract_add(suite, wrong_parameters_are_refused_before_anything_is_sent);
    contract_add(suite, a_second_statement_is_refused);
    contract_add(suite, rows_come_in_order);
    contract_add(suite, a_write_says_what_it_affected);
    contract_add(suite, a_violated_constraint_is_an_integrity_error);
    contract_add(suite, a_syntax_error_has_a_place);
    contract_add(suite, a_promise_to_read_only_is_kept);
    contract_add(suite, a_statement_of_a_session_is_refused_on_a_pool);
    contract_add(suite, statements_of_a_connection_keep_their_order);
    contract_add(suite, many_at_once_each_get_their_own);
    contract_add(suite, a_script_runs_until_one_fails);
    contract_add(suite, a_label_stands_in_its_errors);
    contract_add(suite, what_is_missing_in_a_call_is_told);
}
