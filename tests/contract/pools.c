/* Pools: ready, sizes, their end, and several of them. */
#include "tests/contract/contract.h"

START_TEST(ready_when_a_connection_is_open)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool *other = contract_open(fixture.loop, "pool_min_size=2");
    good(dbal_pool_ready(other));
    dbal_pool_stats(other, &counts);
    ck_assert_int_eq(counts.connections, (target->quirks & CONTRACT_ONE) != 0 ? 1 : 2);
    good(dbal_pool_ready(other));
    good(dbal_pool_close(other));
    dbal_pool_stats(other, &counts);
    ck_assert_int_eq(counts.connections, 0);
}
END_TEST

START_TEST(never_more_connections_than_allowed)
{
    enum { MANY = 200 };
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_deferred *all[MANY];
    int most = (target->quirks & CONTRACT_ONE) != 0 ? 1 : 2;
    dbal_pool *small = contract_open(fixture.loop, "pool_max_size=2");
    for (int i = 0; i < MANY; i++)
        all[i] = dbal_pool_query(small, SQL(rows), DBAL_PARAMS(dbal_int64(100 * (i % 20))));
    dbal_deferred *done =
        dbal_deferred_ref(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, MANY, all));
    int settled = 0;
    dbal_deferred_add_both(done, count_settled, &settled);
    while (settled == 0) {
        ev_run(fixture.ev, EVRUN_ONCE);
        dbal_pool_stats(small, &counts);
        ck_assert_int_le(counts.connections + counts.connecting, most);
    }
    dbal_deferred_unref(done);
    ck_assert_uint_eq(counts.errors, 0);
    ck_assert_uint_eq(counts.queries, MANY);
}
END_TEST

START_TEST(what_was_accepted_runs_before_the_pool_is_closed)
{
    if ((target->quirks & CONTRACT_FORGETS) != 0)
        return; /* nobody could look afterwards */
    int settled = 0;
    for (int i = 0; i < 20; i++)
        dbal_deferred_add_both(add_to_value(1), count_settled, &settled);
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(pool));
    bad(add_to_value(1), DBAL_ERROR_CLOSED, "", DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_ready(pool), DBAL_ERROR_CLOSED, "", DBAL_EXECUTION_NOT_SENT);
    good(closed);
    dbal_deferred_unref(closed);
    good(dbal_pool_close(pool));
    ck_assert_int_eq(settled, 20);
    pool = contract_open(fixture.loop, "");
    ck_assert_int_eq(value_now(), 20);
}
END_TEST

static dbal_outcome
hold(dbal_connection *connection, void *arg)
{
    (void)connection;
    return dbal_wait(arg);
}

START_TEST(closing_cancels_what_does_not_end)
{
    dbal_pool *short_lived = contract_open(fixture.loop, "pool_close_timeout=0.05");
    dbal_deferred *never = dbal_deferred_new(fixture.loop, NULL, NULL);
    dbal_deferred *session =
        dbal_deferred_ref(dbal_pool_session(short_lived, NULL, hold, dbal_deferred_ref(never)));
    dbal_deferred *running =
        dbal_deferred_ref(dbal_pool_query(short_lived, SQL(endless), DBAL_NO_PARAMS));
    good(dbal_pool_close(short_lived));
    dbal_outcome outcome = loop_fixture_await(&fixture, running);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_CLOSED));
    dbal_outcome_clear(&outcome);
    outcome = loop_fixture_await(&fixture, session);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_CLOSED));
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(session);
    dbal_deferred_unref(running);
    dbal_deferred_unref(never);
    dbal_deferred_fire(never, dbal_done());
}
END_TEST

START_TEST(freeing_the_loop_settles_everything)
{
    int settled = 0;
    for (int i = 0; i < 50; i++) {
        dbal_deferred *one = i % 7 == 3   ? dbal_pool_query(pool, SQL(endless), DBAL_NO_PARAMS)
                             : i % 7 == 5 ? dbal_pool_ready(pool)
                                          : add_to_value(1);
        dbal_deferred_add_both(one, count_settled, &settled);
    }
    for (int i = 0; i < 3; i++)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    dbal_loop_free(fixture.loop);
    ck_assert_int_eq(settled, 50);
    fixture.loop = dbal_loop_new(fixture.ev);
}
END_TEST

START_TEST(the_event_loop_may_go_first)
{
    int settled = 0;
    for (int i = 0; i < 20; i++)
        dbal_deferred_add_both(i % 2 == 0 ? add_to_value(1)
                                          : dbal_pool_query(pool, SQL(endless), DBAL_NO_PARAMS),
                               count_settled, &settled);
    for (int i = 0; i < 2; i++)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    ev_loop_destroy(fixture.ev);
    ck_assert_int_eq(settled, 20);
    dbal_deferred *refused = add_to_value(1);
    dbal_deferred_add_both(refused, count_settled, &settled);
    dbal_loop_free(fixture.loop);
    fixture.ev = ev_loop_new(EVFLAG_AUTO);
    fixture.loop = dbal_loop_new(fixture.ev);
}
END_TEST

static dbal_outcome
close_pool(dbal_outcome in, void *arg)
{
    dbal_pool_close(arg);
    return in;
}

START_TEST(closing_inside_a_callback)
{
    int settled = 0;
    dbal_deferred *first = add_to_value(1);
    dbal_deferred_add_both(first, close_pool, pool);
    for (int i = 0; i < 10; i++)
        dbal_deferred_add_both(add_to_value(1), count_settled, &settled);
    good(first);
    good(dbal_pool_close(pool));
    ck_assert_int_eq(settled, 10);
}
END_TEST

START_TEST(two_pools_share_a_database)
{
    if ((target->quirks & CONTRACT_PRIVATE) != 0)
        return;
    dbal_deferred *all[100];
    dbal_pool *first = pool, *second = contract_open(fixture.loop, "");
    for (int i = 0; i < 100; i++) {
        pool = i % 2 == 0 ? first : second;
        all[i] = add_to_value(1);
    }
    good(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, 100, all));
    pool = first;
    ck_assert_int_eq(value_now(), 100);
}
END_TEST

START_TEST(an_idle_pool_does_not_keep_the_loop_running)
{
    good(dbal_pool_ready(pool));
    ev_run(fixture.ev, 0);
    good(add_to_value(1));
    ev_run(fixture.ev, 0);
    ck_assert_int_eq(value_now(), 1);
}
END_TEST

void
add_pools(Suite *suite)
{
    contract_add(suite, ready_when_a_connection_is_open);
    contract_add(suite, never_more_connections_than_allowed);
    contract_add(suite, what_was_accepted_runs_before_the_pool_is_closed);
    contract_add(suite, closing_cancels_what_does_not_end);
    contract_add(suite, freeing_the_loop_settles_everything);
    contract_add(suite, the_event_loop_may_go_first);
    contract_add(suite, closing_inside_a_callback);
    contract_add(suite, two_pools_share_a_database);
    contract_add(suite, an_idle_pool_does_not_keep_the_loop_running);
}
