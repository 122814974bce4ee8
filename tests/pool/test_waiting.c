/* Waiting for a connection: in order, with limits, and without losing one. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", "pool_max_size=1"},
    {"fake", "pool_max_size=1&level=0"},
    {"native", "pool_max_size=1"},
    {"native", "pool_max_size=1&pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

START_TEST(connections_are_granted_in_order)
{
    holder holders[4];
    seen statements[4];
    open_driven(targets[_i][0], targets[_i][1]);
    hold(&holders[0]);
    until_held(&holders[0]);
    for (int i = 1; i < 4; i++) {
        watch(ask("get"), &statements[i]);
        hold(&holders[i]);
    }
    for (int i = 1; i < 4; i++) {
        settle();
        ck_assert_ptr_null(holders[i].connection);
        ck_assert_int_eq(statements[i].settled, 0);
        let_go(&holders[i - 1]);
        until_held(&holders[i]);
        ck_assert_int_eq(statements[i].settled, 1);
        ck_assert_int_eq(holders[i - 1].end.settled, 1);
    }
    let_go(&holders[3]);
    good(ask("get"));
}
END_TEST

START_TEST(a_session_is_not_starved_by_statements)
{
    enum { MANY = 100 };
    seen statements[MANY];
    holder one;
    open_driven(targets[_i][0], targets[_i][1]);
    for (int i = 0; i < MANY; i++) {
        watch(ask("rows 10"), &statements[i]);
        if (i == MANY / 2)
            hold(&one);
    }
    until_held(&one);
    settle();
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(statements[i].settled, i <= MANY / 2);
    let_go(&one);
    good(ask("get"));
}
END_TEST

START_TEST(a_waiter_that_is_cancelled_costs_nothing)
{
    holder first, second, third;
    open_driven(targets[_i][0], targets[_i][1]);
    hold(&first);
    until_held(&first);
    dbal_deferred *waits = dbal_deferred_ref(hold(&second));
    hold(&third);
    dbal_deferred_cancel(waits);
    settle();
    ck_assert_int_eq(second.end.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(second.end.execution, DBAL_EXECUTION_NOT_SENT);
    let_go(&first);
    until_held(&third);
    ck_assert_ptr_null(second.connection);
    let_go(&third);
    good(ask("get"));
    dbal_deferred_unref(waits);
    let_go(&second);
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

START_TEST(a_waiter_cancelled_just_when_it_is_granted)
{
    open_driven(targets[_i][0], targets[_i][1]);
    for (int turns = 0; turns < 6; turns++) {
        holder first, second;
        hold(&first);
        until_held(&first);
        dbal_deferred *waits = dbal_deferred_ref(hold(&second));
        let_go(&first);
        for (int i = 0; i < turns; i++)
            ev_run(fixture.ev, EVRUN_NOWAIT);
        dbal_deferred_cancel(waits);
        good(ask("get"));
        ck_assert_int_eq(second.end.settled, 1);
        dbal_deferred_unref(waits);
        let_go(&second);
    }
    ck_assert_uint_eq(counts_now().opened, 1);
    ck_assert_int_eq(counts_now().held, 0);
}
END_TEST

START_TEST(the_time_to_wait_is_limited_and_explained)
{
    char parameters[128];
    holder one;
    strcpy(parameters, targets[_i][1]);
    strcat(parameters, "&pool_acquire_timeout=3");
    open_driven(targets[_i][0], parameters);
    hold(&one);
    until_held(&one);
    dbal_deferred *session = dbal_deferred_ref(ask("get"));
    loop_fixture_advance(&fixture, 2.9);
    settle();
    ck_assert_uint_eq(counts_now().waiting, 1);
    loop_fixture_advance(&fixture, 0.2);
    bad(session, DBAL_ERROR_POOL_EXHAUSTED, "53300", DBAL_EXECUTION_NOT_SENT,
        "1 open of at most 1, 1 in sessions");
    dbal_deferred_unref(session);
    let_go(&one);
    good(ask("get"));
}
END_TEST

START_TEST(how_many_may_wait_is_limited)
{
    char parameters[128];
    holder one;
    seen waiting[3];
    strcpy(parameters, targets[_i][1]);
    strcat(parameters, "&pool_max_waiting=3");
    open_driven(targets[_i][0], parameters);
    hold(&one);
    until_held(&one);
    for (int i = 0; i < 3; i++)
        watch(ask("get"), &waiting[i]);
    bad(ask("get"), DBAL_ERROR_QUEUE_FULL, "", DBAL_EXECUTION_NOT_SENT, "max_waiting");
    let_go(&one);
    until_settled(&waiting[2]);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(waiting[i].order, i + 2);
    good(ask("get"));
}
END_TEST

START_TEST(a_query_has_one_deadline_for_waiting_and_running)
{
    holder one;
    open_driven(targets[_i][0], targets[_i][1]);
    hold(&one);
    until_held(&one);
    dbal_deferred *deferred =
        dbal_deferred_ref(dbal_pool_run(pool, DBAL_QUERY(.sql = "wait g", .timeout = 5)));
    loop_fixture_advance(&fixture, 3);
    let_go(&one);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 2.5);
    bad(deferred, DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_FAILED, "time was up");
    dbal_deferred_unref(deferred);
    good(ask("get"));
}
END_TEST

START_TEST(freed_inside_the_last_callback_of_a_session)
{
    /* callbacks may ask again; the connection is free by then */
    holder one, two;
    open_driven(targets[_i][0], targets[_i][1]);
    hold(&one);
    until_held(&one);
    let_go(&one);
    hold(&two);
    until_held(&two);
    ck_assert_int_eq(one.end.settled, 1);
    let_go(&two);
    good(ask("get"));
}
END_TEST

START_TEST(a_session_that_gives_up_leaves_nothing_reserved)
{
    holder waits;
    seen slow, quick;
    open_driven(targets[_i][0], targets[_i][1]);
    watch(ask("wait g"), &slow);
    until_count(&script->waiting, 1);
    dbal_deferred *session = dbal_deferred_ref(hold(&waits));
    settle();
    dbal_deferred_cancel(session);
    watch(ask("get"), &quick);
    settle();
    fake_script_open_gate(script, "g");
    until_settled(&quick);
    ck_assert_int_eq(slow.error_class + quick.error_class, 0);
    ck_assert_int_eq(waits.end.error_class, DBAL_ERROR_CANCELLED);
    dbal_deferred_unref(session);
    let_go(&waits);
    for (int i = 0; i < 5; i++)
        good(ask("get"));
}
END_TEST

START_TEST(a_session_takes_a_new_connection_rather_than_wait_for_a_busy_one)
{
    static const char *const schemes[] = {"fake", "fake", "fake", "native"};
    static const char *const parameters[] = {"pool_max_size=3", "pool_max_size=3&level=3",
                                             "pool_max_size=2", "pool_max_size=3&pipeline=off"};
    holder one;
    seen slow, behind;
    open_pool(schemes[_i], parameters[_i]);
    watch(ask("wait g"), &slow);
    until_count(&script->waiting, 1);
    hold(&one);
    until_held(&one);
    ck_assert_int_eq(slow.settled, 0);
    let_go(&one);
    watch(ask("get"), &behind);
    until_settled(&behind);
    ck_assert_int_eq(slow.settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&slow);
}
END_TEST

/* The answers of quick statements may wait for one another, but not for one that is slow. */
START_TEST(answers_are_not_held_back_by_one_that_was_quick_before)
{
    seen quick[3], slow;
    open_pool(targets[_i][0], targets[_i][1]);
    fake_script_open_gate(script, "g");
    for (int i = 0; i < 40; i++) {
        good(ask("get"));
        good(ask("wait g"));
    }
    fake_script_close_gate(script, "g");
    for (int i = 0; i < 3; i++)
        watch(ask("get"), &quick[i]);
    watch(ask("wait g"), &slow);
    for (int i = 0; i < 3; i++)
        until_settled(&quick[i]);
    ck_assert_int_eq(slow.settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&slow);
}
END_TEST

/* Every second one is a session; of those that are cancelled nothing is left in the way of others. */
START_TEST(what_was_cancelled_counts_no_more)
{
    enum { MOST = 100, CANCELLED = 90 };
    holder first, sessions[2 * MOST];
    seen statements[2 * MOST];
    dbal_deferred *asked[MOST];
    char parameters[128];
    snprintf(parameters, sizeof parameters, "%s&pool_max_waiting=%d", targets[_i][1], MOST);
    open_driven(targets[_i][0], parameters);
    hold(&first);
    until_held(&first);
    for (int i = 0; i < MOST; i++)
        asked[i] =
            dbal_deferred_ref(i % 2 == 0 ? hold(&sessions[i]) : watch(ask("get"), &statements[i]));
    bad(ask("get"), DBAL_ERROR_QUEUE_FULL, "", DBAL_EXECUTION_NOT_SENT, "100 are waiting");
    for (int i = 0; i < CANCELLED; i++)
        dbal_deferred_cancel(asked[i]);
    for (int i = 0; i < MOST; i++)
        dbal_deferred_unref(asked[i]);
    ck_assert_uint_eq(counts_now().waiting, MOST - CANCELLED);
    for (int i = MOST; i < MOST + CANCELLED; i++)
        watch(ask("get"), &statements[i]);
    bad(ask("get"), DBAL_ERROR_QUEUE_FULL, "", DBAL_EXECUTION_NOT_SENT, "100 are waiting");
    ck_assert_uint_eq(counts_now().waiting, MOST);
    let_go(&first);
    for (int i = CANCELLED; i < MOST; i += 2) {
        until_held(&sessions[i]);
        let_go(&sessions[i]);
        until_settled(&sessions[i].end);
    }
    for (int i = MOST; i < MOST + CANCELLED; i++) {
        until_settled(&statements[i]);
        ck_assert_int_eq(statements[i].error_class, 0);
    }
    ck_assert_uint_eq(counts_now().waiting, 0);
    for (int i = 0; i < CANCELLED; i += 2)
        let_go(&sessions[i]);
}
END_TEST

typedef struct asker {
    seen asked[16];
    int count;
} asker;

/* Asks when it is told that somebody has waited for long. */
static void
ask_when_told(void *arg, dbal_log_level level, const char *message)
{
    asker *self = arg;
    (void)level;
    if (strstr(message, "slow acquire") != NULL && self->count < 16)
        watch(ask("get"), &self->asked[self->count++]);
}

START_TEST(the_log_may_ask_while_one_is_cancelled)
{
    enum { MOST = 8 };
    holder first, waits[MOST];
    dbal_deferred *asked[MOST];
    asker self = {.count = 0};
    char parameters[128];
    snprintf(parameters, sizeof parameters,
             "%s&pool_max_waiting=%d&pool_slow_acquire=1&pool_acquire_timeout=off", targets[_i][1],
             MOST);
    open_driven(targets[_i][0], parameters);
    dbal_loop_set_log(fixture.loop, ask_when_told, &self);
    hold(&first);
    until_held(&first);
    for (int i = 0; i < MOST; i++)
        asked[i] = dbal_deferred_ref(hold(&waits[i]));
    settle();
    pass(3);
    for (int i = 0; i < MOST; i++)
        dbal_deferred_cancel(asked[i]);
    ck_assert_int_gt(self.count, 0);
    settle();
    for (int i = 0; i < MOST; i++) {
        ck_assert_int_eq(waits[i].end.error_class, DBAL_ERROR_CANCELLED);
        dbal_deferred_unref(asked[i]);
        let_go(&waits[i]);
    }
    let_go(&first);
    for (int i = 0; i < self.count; i++) {
        until_settled(&self.asked[i]);
        ck_assert(self.asked[i].error_class == 0 ||
                  self.asked[i].error_class == DBAL_ERROR_QUEUE_FULL);
    }
    dbal_loop_set_log(fixture.loop, log_lines_add, &fixture.log);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, TARGETS);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("waiting");
    add(suite, connections_are_granted_in_order);
    add(suite, a_session_is_not_starved_by_statements);
    add(suite, a_waiter_that_is_cancelled_costs_nothing);
    add(suite, a_waiter_cancelled_just_when_it_is_granted);
    add(suite, the_time_to_wait_is_limited_and_explained);
    add(suite, how_many_may_wait_is_limited);
    add(suite, a_query_has_one_deadline_for_waiting_and_running);
    add(suite, freed_inside_the_last_callback_of_a_session);
    add(suite, a_session_that_gives_up_leaves_nothing_reserved);
    add(suite, a_session_takes_a_new_connection_rather_than_wait_for_a_busy_one);
    add(suite, answers_are_not_held_back_by_one_that_was_quick_before);
    add(suite, what_was_cancelled_counts_no_more);
    add(suite, the_log_may_ask_while_one_is_cancelled);
    return suite_run(suite);
}
