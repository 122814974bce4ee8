/* The life of connections: opened when needed, failing to open, hanging, closed. */
#include <dbal/gate.h>

#include "pool/pool.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const schemes[] = {"fake", "native"};

static int
opens(void)
{
    return fake_script_count(script, &script->opens);
}

START_TEST(none_is_opened_before_it_is_needed)
{
    open_pool(schemes[_i], "");
    settle();
    ck_assert_int_eq(opens(), 0);
    good(ask("get"));
    ck_assert_int_ge(opens(), 1);
    if (_i == 0)
        return; /* a thread that the system lets wait makes the pool open another */
    for (int i = 0; i < 20; i++)
        good(ask("get"));
    ck_assert_int_eq(opens(), 1);
}
END_TEST

START_TEST(min_size_is_opened_at_once)
{
    open_pool(schemes[_i], "pool_min_size=3");
    until_connections(3);
    settle();
    ck_assert_int_eq(opens(), 3);
}
END_TEST

START_TEST(what_connections_note_is_logged_once)
{
    open_pool(schemes[_i], "pool_min_size=3&notes=on");
    until_connections(3);
    settle();
    ck_assert_uint_eq(log_lines_count(&fixture.log, "it is old, not new"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "and slow"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, schemes[_i]), 2);
    ck_assert_uint_eq(fixture.log.count, 2);
}
END_TEST

START_TEST(busy_connections_make_more)
{
    seen ends[6];
    open_pool(schemes[_i], "pool_max_size=3&pipeline=off");
    good(dbal_pool_ready(pool));
    for (int i = 0; i < 6; i++)
        watch(ask("wait g"), &ends[i]);
    until_count(&script->waiting, 3);
    settle();
    ck_assert_int_eq(counts_now().connections, 3);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 3);
    fake_script_open_gate(script, "g");
    for (int i = 0; i < 6; i++)
        until_settled(&ends[i]);
}
END_TEST

START_TEST(a_database_that_has_one_connection_gets_one)
{
    seen ends[4];
    open_pool(schemes[_i], "connections=1");
    for (int i = 0; i < 4; i++)
        watch(ask("rows 100"), &ends[i]);
    good(ask("get"));
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 1);
    ck_assert_int_eq(counts_now().max_size, 1);
}
END_TEST

START_TEST(a_failure_that_passes_is_tried_again)
{
    seen one;
    script->fail_open_from = 1;
    script->fail_open_to = 3;
    open_pool(schemes[_i], "");
    loop_fixture_drive(&fixture);
    watch(ask("get"), &one);
    for (int tries = 1; tries <= 3; tries++) {
        until_count(&script->opens, tries);
        while (counts_now().connect_errors < (uint64_t)tries)
            ev_run(fixture.ev, EVRUN_ONCE);
        settle();
        ck_assert_int_eq(opens(), tries); /* not before the back-off's time */
        ck_assert_int_eq(one.settled, 0);
        loop_fixture_advance(&fixture, 1);
    }
    until_count(&script->live, 1);
    good(ask("get"));
    ck_assert_int_eq(one.settled, 1);
    ck_assert_int_eq(one.error_class, 0);
    ck_assert_uint_eq(counts_now().connect_errors, 3);
}
END_TEST

START_TEST(a_failure_that_does_not_pass_fails_those_who_wait)
{
    script->fail_open_from = 1;
    script->fail_open_to = 1000;
    script->fail_open_for_good = true;
    open_pool(schemes[_i], "");
    bad(dbal_pool_ready(pool), DBAL_ERROR_OPERATIONAL, "08001", DBAL_EXECUTION_NOT_SENT,
        "does not open");
    bad(ask("get"), DBAL_ERROR_OPERATIONAL, "08001", DBAL_EXECUTION_NOT_SENT, "does not open");
    fake_script_add(script, &script->fail_open_to, -1000);
    good(ask("get"));
}
END_TEST

/* who waits for a server that is not there can stop waiting, and its log says what for */
START_TEST(waiting_to_be_ready_can_be_cancelled)
{
    seen first, second;
    script->fail_open_from = 1;
    script->fail_open_to = 1000;
    open_pool(schemes[_i], "");
    dbal_deferred *ready = dbal_deferred_ref(dbal_pool_ready(pool));
    watch(ready, &first);
    watch(dbal_deferred_add_timeout(dbal_pool_ready(pool), 0.05), &second);
    dbal_deferred_cancel(ready);
    dbal_deferred_unref(ready);
    until_settled(&first);
    ck_assert_int_eq(first.error_class, DBAL_ERROR_CANCELLED);
    until_settled(&second);
    ck_assert_int_eq(second.error_class, DBAL_ERROR_TIMEOUT);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "no connection"), 1);
    fake_script_add(script, &script->fail_open_to, -1000);
    good(dbal_pool_ready(pool));
}
END_TEST

START_TEST(the_reason_is_in_the_error_of_who_waited_in_vain)
{
    script->fail_open_from = 1;
    script->fail_open_to = 1000;
    open_pool(schemes[_i], "pool_acquire_timeout=3");
    loop_fixture_drive(&fixture);
    dbal_deferred *deferred = ask("get");
    while (counts_now().connect_errors == 0)
        ev_run(fixture.ev, EVRUN_ONCE);
    dbal_deferred_ref(deferred);
    loop_fixture_advance(&fixture, 3.5);
    bad(deferred, DBAL_ERROR_POOL_EXHAUSTED, "53300", DBAL_EXECUTION_NOT_SENT, "does not open");
    dbal_deferred_unref(deferred);
}
END_TEST

START_TEST(an_open_that_hangs_is_given_up)
{
    script->hang_open = true;
    open_pool(schemes[_i], "pool_connect_timeout=2&pool_acquire_timeout=off");
    loop_fixture_drive(&fixture);
    dbal_deferred *deferred = dbal_deferred_ref(ask("get"));
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 3);
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    ck_assert_int_eq(counts_now().connecting, 0);
    /* the next attempt works */
    script->hang_open = false;
    loop_fixture_advance(&fixture, 1);
    good(deferred);
    dbal_deferred_unref(deferred);
    /* the one that hung comes back at last, and is closed */
    fake_script_open_gate(script, "open");
    until_count(&script->opens, 2);
    while (fake_script_count(script, &script->closes) < 1)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    ck_assert_int_ge(counts_now().connections, 1);
    good(ask("get"));
}
END_TEST

static bool
none_opens(void *arg)
{
    (void)arg;
    return pool->connecting == 0 && pool->hanging == 0;
}

START_TEST(an_open_that_was_given_up_is_told_so)
{
    script->hang_open = script->stop_ends_open = true;
    open_pool(schemes[_i], "pool_connect_timeout=0.02&pool_acquire_timeout=0.1");
    bad(ask("get"), DBAL_ERROR_POOL_EXHAUSTED, "53300", DBAL_EXECUTION_NOT_SENT, "");
    /* nobody opens the gate: they end by themselves */
    good(dbal_pool_close(pool));
    loop_fixture_until(&fixture, none_opens, NULL);
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
}
END_TEST

START_TEST(closing_waits_for_no_open_that_nobody_wants)
{
    script->hang_open = script->stop_ends_open = true;
    open_pool(schemes[_i], "pool_min_size=1&pool_close_timeout=off&pool_connect_timeout=off");
    until_count(&script->waiting, 1);
    good(dbal_pool_close(pool));
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
}
END_TEST

static dbal_outcome
nothing(void *arg)
{
    (void)arg;
    return dbal_done();
}

/* Connects that hang hold up no thread that others on the loop need. */
START_TEST(opens_that_hang_are_in_nobodys_way)
{
    seen waiting, called, asked;
    script->hang_open = true;
    open_pool("native", "pool_connect_timeout=0.02&pool_acquire_timeout=off&pool_max_size=10");
    watch(ask("get"), &waiting);
    until_count(&script->waiting, 4);
    dbal_gate *gate = dbal_gate_new(fixture.loop, 2, NULL, NULL);
    dbal_pool *other = dbal_pool_open(fixture.loop, "sqlite::memory:", NULL, NULL);
    watch(dbal_gate_call(gate, NULL, nothing, NULL), &called);
    watch(dbal_pool_query(other, "select 1", DBAL_NO_PARAMS), &asked);
    until_settled(&called);
    until_settled(&asked);
    ck_assert_int_eq(asked.error_class, 0);
    ck_assert_int_eq(waiting.settled, 0);
    script->hang_open = false;
    fake_script_open_gate(script, "open");
    until_settled(&waiting);
    ck_assert_int_eq(waiting.error_class, 0);
    /* those that were given up come back, and are closed */
    loop_fixture_until(&fixture, none_opens, NULL);
}
END_TEST

START_TEST(closed_while_it_opens)
{
    seen one, ready;
    script->hang_open = true;
    open_pool(schemes[_i], "");
    watch(ask("get"), &one);
    watch(dbal_pool_ready(pool), &ready);
    until_count(&script->waiting, 1);
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(pool));
    settle();
    ck_assert_int_eq(ready.error_class, DBAL_ERROR_CLOSED);
    ck_assert_int_eq(one.settled, 0); /* it was accepted */
    fake_script_open_gate(script, "open");
    good(closed);
    dbal_deferred_unref(closed);
    ck_assert_int_eq(one.settled, 1);
    ck_assert_int_eq(one.error_class, 0);
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
}
END_TEST

START_TEST(cancelled_while_it_opens)
{
    seen one;
    script->hang_open = true;
    open_pool(schemes[_i], "");
    dbal_deferred *deferred = dbal_deferred_ref(ask("get"));
    watch(deferred, &one);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(deferred);
    settle();
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CANCELLED);
    dbal_deferred_unref(deferred);
    fake_script_open_gate(script, "open");
    good(ask("get"));
}
END_TEST

START_TEST(the_loop_freed_while_it_opens)
{
    seen one;
    script->hang_open = true;
    open_pool(schemes[_i], "pool_close_timeout=5");
    watch(ask("get"), &one);
    until_count(&script->waiting, 1);
    fake_script_watch(script, NULL);
    fake_script_open_gate(script, "open");
    dbal_loop_free(fixture.loop);
    ck_assert_int_eq(one.settled, 1);
    fixture.loop = dbal_loop_new(fixture.ev);
}
END_TEST

START_TEST(what_was_accepted_runs_although_connecting_fails_while_it_closes)
{
    seen one;
    script->hang_open = true;
    script->fail_open_from = 1;
    script->fail_open_to = 2;
    open_pool(schemes[_i], "");
    loop_fixture_drive(&fixture);
    watch(ask("add 1"), &one);
    until_count(&script->waiting, 1);
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(pool));
    fake_script_open_gate(script, "open");
    for (uint64_t errors = 1; errors <= 2; errors++) {
        while (counts_now().connect_errors < errors)
            ev_run(fixture.ev, EVRUN_ONCE);
        loop_fixture_advance(&fixture, 1);
    }
    good(closed);
    dbal_deferred_unref(closed);
    ck_assert_int_eq(one.settled, 1);
    ck_assert_int_eq(one.error_class, 0);
    ck_assert_int_eq(fake_script_value(script), 1);
}
END_TEST

START_TEST(closing_ends_with_what_can_never_connect)
{
    seen one;
    script->hang_open = true;
    script->fail_open_from = 1;
    script->fail_open_to = 1000;
    script->fail_open_for_good = true;
    open_pool(schemes[_i], "");
    watch(ask("add 1"), &one);
    until_count(&script->waiting, 1);
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(pool));
    fake_script_open_gate(script, "open");
    good(closed);
    dbal_deferred_unref(closed);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(one.execution, DBAL_EXECUTION_NOT_SENT);
}
END_TEST

START_TEST(a_thread_that_is_busy_is_not_taken_for_hung)
{
    seen busy;
    holder held;
    open_driven("fake", "level=0&pool_connect_timeout=2&pool_acquire_timeout=off");
    watch(ask("wait g"), &busy);
    until_count(&script->waiting, 1);
    hold(&held);
    settle();
    loop_fixture_advance(&fixture, 3); /* its connection was to be opened behind the statement */
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    fake_script_open_gate(script, "g");
    until_settled(&busy);
    ck_assert_int_eq(busy.error_class, 0);
    loop_fixture_advance(&fixture, 2);
    until_held(&held);
    let_go(&held);
    good(ask("get"));
    good(dbal_pool_close(pool));
    open_pool("fake", "level=0");
    good(ask("get"));
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, 2);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("life");
    add(suite, none_is_opened_before_it_is_needed);
    add(suite, min_size_is_opened_at_once);
    add(suite, what_connections_note_is_logged_once);
    add(suite, busy_connections_make_more);
    add(suite, a_database_that_has_one_connection_gets_one);
    add(suite, a_failure_that_passes_is_tried_again);
    add(suite, a_failure_that_does_not_pass_fails_those_who_wait);
    add(suite, waiting_to_be_ready_can_be_cancelled);
    add(suite, the_reason_is_in_the_error_of_who_waited_in_vain);
    add(suite, an_open_that_hangs_is_given_up);
    add(suite, an_open_that_was_given_up_is_told_so);
    add(suite, closing_waits_for_no_open_that_nobody_wants);
    add(suite, closed_while_it_opens);
    add(suite, cancelled_while_it_opens);
    add(suite, the_loop_freed_while_it_opens);
    add(suite, what_was_accepted_runs_although_connecting_fails_while_it_closes);
    add(suite, closing_ends_with_what_can_never_connect);
    suite_add(suite, opens_that_hang_are_in_nobodys_way, pool_fixture_init, pool_fixture_fini);
    suite_add(suite, a_thread_that_is_busy_is_not_taken_for_hung, pool_fixture_init,
              pool_fixture_fini);
    return suite_run(suite);
}
