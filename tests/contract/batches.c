/* Batches: one statement, many sets of parameters, all or nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/contract.h"

/* `count` sets of one number each; the caller frees both. */
typedef struct numbers {
    dbal_value *values;
    dbal_params *sets;
    size_t count;
} numbers;

static numbers
numbers_of(size_t count, int64_t first)
{
    numbers self = {calloc(count, sizeof *self.values), calloc(count, sizeof *self.sets), count};
    ck_assert(self.values != NULL && self.sets != NULL);
    for (size_t i = 0; i < count; i++) {
        self.values[i] = dbal_int64(first);
        self.sets[i] = (dbal_params){1, &self.values[i]};
    }
    return self;
}

static void
numbers_free(numbers *self)
{
    /* what was given must have been copied */
    memset(self->values, 0xff, self->count * sizeof *self->values);
    free(self->values);
    free(self->sets);
}

/* The batch fails, and its error says which set did. */
static void
bad_at(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate, size_t index)
{
    char name[32];
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    snprintf(name, sizeof name, "sets[%zu]: ", index);
    ck_assert_msg(strncmp(dbal_error_message(error), name, strlen(name)) == 0, "%s",
                  dbal_error_message(error));
    ck_assert_str_eq(dbal_error_sqlstate(error), sqlstate);
    ck_assert(dbal_error_is(error, error_class));
    dbal_outcome_clear(&outcome);
}

static void
check_rows(dbal_outcome outcome, size_t count)
{
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_msg(rows != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_uint_eq(dbal_result_row_count(rows), count);
    ck_assert_uint_eq(dbal_result_column_count(rows), 2);
    ck_assert_str_eq(dbal_result_column_name(rows, 0), "affected");
    ck_assert_str_eq(dbal_result_column_name(rows, 1), "last_insert_id");
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(dbal_result_int64(rows, i, 0), 1);
    ck_assert_int_eq(dbal_result_affected(rows), (int64_t)count);
    good_outcome(outcome);
}

START_TEST(every_set_is_run_and_counted)
{
    static const size_t counts[] = {1, 15, 16, 17, 64, 65, 3000};
    int64_t sum = 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        numbers self = numbers_of(counts[i], 2);
        dbal_deferred *batch = dbal_pool_batch(pool, SQL(gain), self.count, self.sets);
        numbers_free(&self);
        check_rows(loop_fixture_await(&fixture, batch), counts[i]);
        sum += 2 * (int64_t)counts[i];
        ck_assert_int_eq(value_now(), sum);
    }
}
END_TEST

START_TEST(every_set_tells_the_id_that_it_made)
{
    const dbal_params sets[] = {DBAL_PARAMS(dbal_int64(5)), DBAL_PARAMS(dbal_int64(3))};
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_batch(pool, SQL(insert), 2, sets));
    dbal_result *rows = dbal_outcome_result(outcome);
    bool told = (target->quirks & CONTRACT_NO_IDS) == 0;
    ck_assert_int_eq(dbal_result_int64(rows, 0, 1), told ? 5 : 0);
    ck_assert_int_eq(dbal_result_int64(rows, 1, 1), told ? 3 : 0);
    ck_assert_int_eq(dbal_result_last_insert_id(rows), told ? 3 : 0);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(no_set_is_a_success_that_asks_nothing)
{
    dbal_pool *fresh = contract_open(fixture.loop, "");
    dbal_pool_counts counts = {.size = sizeof counts};
    check_rows(loop_fixture_await(&fixture, dbal_pool_batch(fresh, SQL(gain), 0, NULL)), 0);
    dbal_pool_stats(fresh, &counts);
    ck_assert_uint_eq(counts.queries, 0);
    ck_assert_uint_eq(counts.opened, 0);
}
END_TEST

START_TEST(sets_may_be_by_name)
{
    const dbal_params sets[] = {DBAL_PARAMS(dbal_named("much", dbal_int64(1))),
                                DBAL_PARAMS(dbal_named("much", dbal_int64(10)))};
    check_rows(loop_fixture_await(&fixture, dbal_pool_batch(pool, SQL(gain_name), 2, sets)), 2);
    ck_assert_int_eq(value_now(), 11);
    bad_at(dbal_pool_batch(pool, SQL(gain), 2, sets), DBAL_ERROR_PROGRAMMING, "07001", 0);
    ck_assert_int_eq(value_now(), 11);
}
END_TEST

START_TEST(one_set_that_fails_undoes_all)
{
    static const size_t places[] = {0, 7, 15, 16, 63, 64, 150, 199};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        numbers self = numbers_of(200, 1);
        self.values[places[i]] = dbal_int64(-1);
        dbal_deferred *batch = dbal_pool_batch(pool, SQL(gain), self.count, self.sets);
        numbers_free(&self);
        bad_at(batch, DBAL_ERROR_INTEGRITY, "23502", places[i]);
        ck_assert_int_eq(value_now(), 0);
    }
    good(add_to_value(1));
}
END_TEST

START_TEST(of_two_that_fail_the_first_is_told)
{
    numbers self = numbers_of(40, -1);
    self.values[0] = self.values[1] = dbal_int64(1);
    dbal_deferred *batch = dbal_pool_batch(pool, SQL(gain), self.count, self.sets);
    numbers_free(&self);
    bad_at(batch, DBAL_ERROR_INTEGRITY, "23502", 2);
}
END_TEST

START_TEST(what_is_wrong_with_a_set_is_found_before_anything_runs)
{
    const dbal_params sets[] = {DBAL_PARAMS(dbal_int64(1)),
                                DBAL_PARAMS(dbal_int64(1), dbal_int64(2))};
    const dbal_params bytes[] = {DBAL_PARAMS(dbal_int64(1)), DBAL_PARAMS(dbal_text("\xff"))};
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool *fresh = contract_open(fixture.loop, "");
    bad_at(dbal_pool_batch(fresh, SQL(gain), 2, sets), DBAL_ERROR_PROGRAMMING, "07001", 1);
    bad_at(dbal_pool_batch(fresh, SQL(gain), 2, bytes), DBAL_ERROR_DATA, "22021", 1);
    bad(dbal_pool_batch(fresh, NULL, 2, sets), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_batch(fresh, SQL(gain), 2, NULL), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_batch(fresh, SQL(begin), 0, NULL), DBAL_ERROR_PROGRAMMING, "25001",
        DBAL_EXECUTION_NOT_SENT);
    dbal_pool_stats(fresh, &counts);
    ck_assert_uint_eq(counts.opened, 0);
}
END_TEST

START_TEST(a_statement_that_gives_rows_is_refused)
{
    numbers self = numbers_of(3, 1);
    dbal_deferred *batch = dbal_pool_batch(pool, SQL(echo), self.count, self.sets);
    numbers_free(&self);
    bad_at(batch, DBAL_ERROR_NOT_SUPPORTED, "0A000", 0);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

/* ---- cancelled, late ---- */

static bool
is_in_the_middle(void *arg)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    return counts.queries >= *(const uint64_t *)arg;
}

START_TEST(cancelled_in_the_middle_it_undoes_all)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    for (uint64_t more = 1; more <= 1000; more *= 10) {
        numbers self = numbers_of(100000, 1);
        dbal_pool_stats(pool, &counts);
        uint64_t from = counts.queries + more;
        dbal_deferred *batch =
            dbal_deferred_ref(dbal_pool_batch(pool, SQL(gain), self.count, self.sets));
        numbers_free(&self);
        loop_fixture_until(&fixture, is_in_the_middle, &from);
        dbal_deferred_cancel(batch);
        dbal_outcome outcome = loop_fixture_await(&fixture, batch);
        dbal_error *error = dbal_outcome_error(outcome);
        ck_assert_msg(dbal_error_is(error, DBAL_ERROR_CANCELLED), "%s", dbal_error_message(error));
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(batch);
        ck_assert_int_eq(value_now(), 0);
    }
    good(add_to_value(1));
}
END_TEST

START_TEST(cancelled_before_it_begins_it_does_nothing)
{
    numbers self = numbers_of(3, 1);
    dbal_pool *fresh = contract_open(fixture.loop, "");
    dbal_deferred *batch =
        dbal_deferred_ref(dbal_pool_batch(fresh, SQL(gain), self.count, self.sets));
    numbers_free(&self);
    dbal_deferred_cancel(batch);
    bad(batch, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(batch);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

START_TEST(its_time_is_the_query_timeout)
{
    dbal_pool *hasty = contract_open(fixture.loop, "pool_query_timeout=0.05");
    const dbal_params sets[] = {DBAL_NO_PARAMS, DBAL_NO_PARAMS};
    if ((target->quirks & (CONTRACT_PRIVATE | CONTRACT_FORGETS)) == 0)
        good(dbal_pool_ready(hasty));
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_batch(hasty, SQL(endless), 2, sets));
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_TIMEOUT));
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

/* ---- on a connection ---- */

static dbal_deferred *
gain(dbal_connection *connection, int64_t first, int64_t second)
{
    const dbal_params sets[] = {DBAL_PARAMS(dbal_int64(first)), DBAL_PARAMS(dbal_int64(second))};
    return dbal_connection_batch(connection, SQL(gain), 2, sets);
}

static dbal_outcome
gain_again(dbal_outcome in, void *arg)
{
    (void)in;
    return dbal_wait(gain(arg, 10, 20));
}

static dbal_outcome
gain_in_turn(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_deferred_add_callback(gain(connection, 1, 2), gain_again, connection));
}

static dbal_outcome
lose_one_of_two(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_deferred *lost = gain(connection, 1, -1);
    dbal_deferred_add_errback(lost, swallow, NULL);
    dbal_deferred_add_callback(lost, gain_again, connection);
    return dbal_wait(lost);
}

static dbal_outcome
gain_nothing(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_batch(connection, SQL(gain), 0, NULL));
}

START_TEST(on_a_connection_it_is_a_part_of_the_transaction)
{
    good(transaction(NULL, gain_in_turn, NULL));
    ck_assert_int_eq(value_now(), 33);
    good(transaction(NULL, lose_one_of_two, NULL));
    ck_assert_int_eq(value_now(), 63);
    check_rows(loop_fixture_await(&fixture, transaction(NULL, gain_nothing, NULL)), 0);
}
END_TEST

START_TEST(in_a_session_it_is_a_transaction_of_its_own)
{
    good(dbal_pool_session(pool, NULL, gain_in_turn, NULL));
    ck_assert_int_eq(value_now(), 33);
    good(dbal_pool_session(pool, NULL, lose_one_of_two, NULL));
    ck_assert_int_eq(value_now(), 63);
}
END_TEST

static dbal_outcome
leave_one_that_fails(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(100)));
    gain(connection, 1, -1);
    return dbal_done();
}

START_TEST(one_that_nobody_waits_for_is_a_part_of_its_work)
{
    bad_at(transaction(NULL, leave_one_that_fails, NULL), DBAL_ERROR_INTEGRITY, "23502", 1);
    ck_assert_int_eq(value_now(), 0);
    ck_assert_uint_eq(fixture.log.count, 0);
}
END_TEST

START_TEST(batches_and_other_writers_take_turns)
{
    dbal_deferred *all[30];
    numbers self = numbers_of(50, 1);
    for (int i = 0; i < 30; i++)
        all[i] =
            i % 2 == 0 ? dbal_pool_batch(pool, SQL(gain), self.count, self.sets) : add_to_value(1);
    numbers_free(&self);
    good(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, 30, all));
    ck_assert_int_eq(value_now(), 15 * 50 + 15);
}
END_TEST

void
add_batches(Suite *suite)
{
    contract_add(suite, every_set_is_run_and_counted);
    contract_add(suite, every_set_tells_the_id_that_it_made);
    contract_add(suite, no_set_is_a_success_that_asks_nothing);
    contract_add(suite, sets_may_be_by_name);
    contract_add(suite, one_set_that_fails_undoes_all);
    contract_add(suite, of_two_that_fail_the_first_is_told);
    contract_add(suite, what_is_wrong_with_a_set_is_found_before_anything_runs);
    contract_add(suite, a_statement_that_gives_rows_is_refused);
    contract_add(suite, cancelled_in_the_middle_it_undoes_all);
    contract_add(suite, cancelled_before_it_begins_it_does_nothing);
    contract_add(suite, its_time_is_the_query_timeout);
    contract_add(suite, on_a_connection_it_is_a_part_of_the_transaction);
    contract_add(suite, in_a_session_it_is_a_transaction_of_its_own);
    contract_add(suite, one_that_nobody_waits_for_is_a_part_of_its_work);
    contract_add(suite, batches_and_other_writers_take_turns);
}
