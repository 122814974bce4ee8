/* Cancelling and deadlines: while waiting, while running, and never for the next statement. */
#include "tests/contract/contract.h"

static dbal_deferred *
endless(void)
{
    return dbal_pool_query(pool, SQL(endless), DBAL_NO_PARAMS);
}

START_TEST(cancelled_before_it_begins_it_never_runs)
{
    /* of a pool that has no connection yet, so that it must wait */
    dbal_pool *fresh = contract_open(fixture.loop, "");
    dbal_deferred *deferred =
        dbal_deferred_ref(dbal_pool_query(fresh, SQL(add), DBAL_PARAMS(dbal_int64(1))));
    dbal_deferred_cancel(deferred);
    bad(deferred, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(deferred);
    good(dbal_pool_ready(fresh));
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

START_TEST(cancelled_while_it_runs_it_is_interrupted)
{
    for (int i = 0; i < 3; i++) {
        dbal_deferred *deferred = dbal_deferred_ref(endless());
        until_running();
        dbal_deferred_cancel(deferred);
        bad(deferred, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
        dbal_deferred_unref(deferred);
        ck_assert_int_eq(value_now(), 0);
    }
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    ck_assert_uint_eq(counts.lost, 0); /* the connection is as good as before */
}
END_TEST

static dbal_deferred *
endless_until(double timeout, void *arg)
{
    (void)arg;
    return dbal_pool_run(pool, DBAL_QUERY(.sql = SQL(endless), .timeout = timeout));
}

START_TEST(a_deadline_while_it_runs)
{
    contract_time_out(endless_until, NULL);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

static dbal_outcome
wait_for(dbal_connection *connection, void *arg)
{
    (void)connection;
    return dbal_wait(arg);
}

START_TEST(a_deadline_while_it_waits)
{
    enum { CONNECTIONS = 2 };
    dbal_pool *small = contract_open(fixture.loop, "pool_max_size=2");
    dbal_deferred *nevers[CONNECTIONS], *holders[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        nevers[i] = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL));
        holders[i] = dbal_deferred_ref(dbal_pool_session(small, NULL, wait_for, nevers[i]));
    }
    bad(dbal_pool_run(small, DBAL_QUERY(.sql = SQL(add), .params = DBAL_PARAMS(dbal_int64(1)),
                                        .timeout = 0.02)),
        DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_NOT_SENT);
    for (int i = 0; i < CONNECTIONS; i++)
        dbal_deferred_fire(nevers[i], dbal_done());
    /* where there is one connection, the second begins to wait only now */
    for (int i = 0; i < CONNECTIONS; i++) {
        good(holders[i]);
        dbal_deferred_unref(holders[i]);
        dbal_deferred_unref(nevers[i]);
    }
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

/* What a cancelled statement may come to. */
static void
check_cancelled(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(error == NULL || dbal_error_is(error, DBAL_ERROR_CANCELLED), "%s",
                  dbal_error_message(error));
    dbal_outcome_clear(&outcome);
}

START_TEST(a_cancel_never_hits_the_next)
{
    enum { ROUNDS = 200 };
    for (int i = 0; i < ROUNDS; i++) {
        dbal_deferred *victim = dbal_deferred_ref(
            i % 4 == 0 ? endless()
                       : dbal_pool_query(pool, SQL(rows), DBAL_PARAMS(dbal_int64(50 * i))));
        if (i % 4 == 0)
            until_running();
        else
            for (int turn = 0; turn < i % 7; turn++)
                ev_run(fixture.ev, EVRUN_NOWAIT);
        dbal_deferred_cancel(victim);
        dbal_deferred *next =
            dbal_deferred_ref(dbal_pool_query(pool, SQL(echo), DBAL_PARAMS(dbal_int64(i))));
        dbal_outcome outcome = loop_fixture_await(&fixture, next);
        ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%d: %s", i,
                      dbal_error_message(dbal_outcome_error(outcome)));
        dbal_outcome_clear(&outcome);
        check_cancelled(victim);
        dbal_deferred_unref(victim);
        dbal_deferred_unref(next);
    }
}
END_TEST

static dbal_outcome
run_endless(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(1)));
    return dbal_wait(dbal_connection_query(connection, SQL(endless), DBAL_NO_PARAMS));
}

START_TEST(a_cancelled_transaction_is_rolled_back)
{
    dbal_deferred *deferred = dbal_deferred_ref(transaction(NULL, run_endless, NULL));
    until_running();
    dbal_deferred_cancel(deferred);
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(dbal_error_is(error, DBAL_ERROR_CANCELLED), "%s", dbal_error_message(error));
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(deferred);
    ck_assert_int_eq(value_now(), 0);
    good(add_to_value(1));
    ck_assert_int_eq(value_now(), 1);
}
END_TEST

START_TEST(a_transaction_has_a_deadline)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture, transaction(DBAL_TRANSACTION(.timeout = 0.03), run_endless, NULL));
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_TIMEOUT));
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

static dbal_outcome
cancel_oneself(dbal_connection *connection, void *arg)
{
    dbal_deferred **self = arg;
    dbal_deferred *write = dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(1)));
    dbal_deferred_cancel(*self);
    return dbal_wait(write);
}

START_TEST(a_transaction_that_cancels_itself)
{
    dbal_deferred *self = NULL;
    self = dbal_deferred_ref(transaction(NULL, cancel_oneself, &self));
    dbal_outcome outcome = loop_fixture_await(&fixture, self);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(dbal_error_is(error, DBAL_ERROR_CANCELLED), "%s", dbal_error_message(error));
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(self);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

static dbal_outcome
cancel_other(dbal_outcome in, void *arg)
{
    dbal_deferred_cancel(arg);
    return in;
}

START_TEST(cancel_inside_a_callback)
{
    int settled = 0;
    dbal_deferred *victim = dbal_deferred_ref(endless());
    dbal_deferred_add_both(victim, count_settled, &settled);
    dbal_deferred *trigger = dbal_pool_query(pool, SQL(echo), DBAL_PARAMS(dbal_null()));
    if ((target->quirks & CONTRACT_ONE) != 0)
        trigger = dbal_pool_ready(pool);
    /* where all share one connection the trigger waits behind the endless one */
    dbal_deferred_add_timeout(trigger, 0.2);
    dbal_deferred_add_both(trigger, cancel_other, victim);
    dbal_deferred_add_errback(trigger, swallow, NULL);
    good(trigger);
    good(victim);
    ck_assert_int_eq(settled, 1);
    dbal_deferred_unref(victim);
}
END_TEST

void
add_stops(Suite *suite)
{
    contract_add(suite, cancelled_before_it_begins_it_never_runs);
    contract_add(suite, cancelled_while_it_runs_it_is_interrupted);
    contract_add(suite, a_deadline_while_it_runs);
    contract_add(suite, a_deadline_while_it_waits);
    contract_add(suite, a_cancel_never_hits_the_next);
    contract_add(suite, a_cancelled_transaction_is_rolled_back);
    contract_add(suite, a_transaction_has_a_deadline);
    contract_add(suite, cancel_inside_a_callback);
    contract_add(suite, a_transaction_that_cancels_itself);
}
