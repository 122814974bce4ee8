/* A pool that is changed while it runs: resized, drained, paused. */
#include <stdio.h>
#include <string.h>

#include "pool/pool.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", ""},
    {"fake", "level=0"},
    {"native", ""},
    {"native", "pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0], THREAD = 0, DRIVER_THREAD = 1, MANY = 4 };

static void
open_target(int target, const char *parameters)
{
    char text[200];
    snprintf(text, sizeof text, "%s&%s", targets[target][1], parameters);
    open_driven(targets[target][0], text[0] == '&' ? text + 1 : text);
}

static bool
are_idle(void *arg)
{
    return counts_now().idle == *(int *)arg && counts_now().connections == *(int *)arg;
}

static void
until_idle(int count)
{
    loop_fixture_until(&fixture, are_idle, &count);
}

/* Time passes meanwhile: crews of threads grow with it, and a pause looks whether they sleep. */
static bool
is_held(void *arg)
{
    loop_fixture_advance(&fixture, 0.0005);
    return ((holder *)arg)->connection != NULL;
}

static bool
has_settled(void *arg)
{
    loop_fixture_advance(&fixture, 0.0005);
    return ((seen *)arg)->settled != 0;
}

static void
until_ended(seen *one)
{
    loop_fixture_until(&fixture, has_settled, one);
}

static void
hold_many(holder *all, int count)
{
    for (int i = 0; i < count; i++)
        hold(&all[i]);
    for (int i = 0; i < count; i++)
        loop_fixture_until(&fixture, is_held, &all[i]);
}

static void
let_go_many(holder *all, int count)
{
    for (int i = 0; i < count; i++)
        let_go(&all[i]);
    for (int i = 0; i < count; i++)
        until_ended(&all[i].end);
}

static int
closes(void)
{
    return fake_script_count(script, &script->closes);
}

/* ---- resize ---- */

START_TEST(growing_serves_what_waits)
{
    holder all[3];
    open_target(_i, "pool_max_size=1");
    hold_many(all, 1);
    hold(&all[1]);
    hold(&all[2]);
    settle();
    ck_assert_ptr_null(all[1].connection);
    ck_assert(dbal_pool_resize(pool, 0, 3, NULL));
    loop_fixture_until(&fixture, is_held, &all[1]);
    loop_fixture_until(&fixture, is_held, &all[2]);
    ck_assert_int_eq(counts_now().max_size, 3);
    let_go_many(all, 3);
}
END_TEST

START_TEST(what_is_kept_is_opened_in_the_background)
{
    open_target(_i, "pool_max_size=4");
    ck_assert(dbal_pool_resize(pool, 3, 4, NULL));
    until_idle(3);
    settle();
    ck_assert_int_eq(fake_script_count(script, &script->opens), 3);
}
END_TEST

START_TEST(shrinking_closes_idle_ones_first)
{
    holder all[4];
    open_target(_i, "pool_max_size=4");
    hold_many(all, 4);
    let_go(&all[0]);
    let_go(&all[1]);
    until_ended(&all[0].end);
    until_ended(&all[1].end);
    until_connections(4);
    loop_fixture_advance(&fixture, 0.1);
    while (counts_now().idle != 2)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    ck_assert(dbal_pool_resize(pool, 0, 1, NULL));
    until_count(&script->closes, 2);
    settle();
    ck_assert_int_eq(counts_now().connections, 2); /* these two come back first */
    let_go(&all[2]);
    until_ended(&all[2].end);
    until_count(&script->closes, 3);
    good(dbal_connection_query(all[3].connection, "get", DBAL_NO_PARAMS));
    let_go(&all[3]);
    until_ended(&all[3].end);
    until_idle(1);
    ck_assert_uint_eq(counts_now().closed_surplus, 3);
    good(ask("get"));
    ck_assert_int_eq(closes(), 3);
}
END_TEST

START_TEST(shrinking_lets_statements_end)
{
    seen slow[3];
    char parameters[64] = "pool_max_size=3&pool_pipeline_wait=0";
    if (_i == DRIVER_THREAD)
        return; /* one connection is enough for one thread */
    open_target(_i, parameters);
    for (int i = 0; i < 3; i++) {
        watch(ask("add 1 wait g"), &slow[i]);
        while (fake_script_count(script, &script->waiting) <= i) {
            loop_fixture_advance(&fixture, 0.0005);
            ev_run(fixture.ev, EVRUN_NOWAIT);
            if (_i == 2 && i > 0)
                break; /* it may have joined another's lane */
        }
    }
    settle();
    ck_assert(dbal_pool_resize(pool, 0, 1, NULL));
    ck_assert_int_le(counts_now().connections, 1);
    settle();
    fake_script_open_gate(script, "g");
    for (int i = 0; i < 3; i++) {
        until_ended(&slow[i]);
        ck_assert_int_eq(slow[i].error_class, 0);
    }
    until_idle(1);
    ck_assert_int_eq((int)fake_script_value(script), 3);
}
END_TEST

START_TEST(sizes_that_cannot_be_are_refused)
{
    static const struct {
        int min, max;
        const char *text;
    } wrong[] = {
        {-1, 4, "min_size: -1 is out of range"},
        {0, 0, "max_size: 0 is out of range"},
        {0, -5, "max_size: -5"},
        {5, 4, "min_size 5 is above max_size 4"},
        {20000, 20000, "min_size: 20000"},
        {0, 20000, "max_size: 20000"},
    };
    dbal_error *error = NULL;
    open_target(_i, "pool_min_size=1&pool_max_size=2");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert(!dbal_pool_resize(pool, wrong[i].min, wrong[i].max, &error));
        ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
        ck_assert_msg(strstr(dbal_error_message(error), wrong[i].text) != NULL, "%s",
                      dbal_error_message(error));
        dbal_error_unref(error);
        ck_assert(!dbal_pool_resize(pool, wrong[i].min, wrong[i].max, NULL));
        ck_assert_int_eq(counts_now().max_size, 2);
    }
    good(dbal_pool_close(pool));
    ck_assert(!dbal_pool_resize(pool, 0, 4, &error));
    ck_assert(dbal_error_is(error, DBAL_ERROR_CLOSED));
    dbal_error_unref(error);
}
END_TEST

START_TEST(the_database_still_has_the_last_word)
{
    open_target(_i, "connections=2&pool_max_size=1");
    ck_assert(dbal_pool_resize(pool, 0, 8, NULL));
    ck_assert_int_eq(counts_now().max_size, 2);
}
END_TEST

START_TEST(fewer_are_kept_than_before)
{
    open_target(_i, "pool_min_size=2&pool_max_size=2&pool_idle_timeout=40");
    until_idle(2);
    loop_fixture_advance(&fixture, 100);
    settle();
    ck_assert_int_eq(closes(), 0);
    ck_assert(dbal_pool_resize(pool, 0, 2, NULL));
    for (int seconds = 0; seconds <= 60; seconds += 10)
        loop_fixture_advance(&fixture, 10);
    until_count(&script->closes, 2);
    good(ask("get"));
}
END_TEST

/* ---- drain ---- */

START_TEST(drained_of_every_connection)
{
    seen drained;
    open_target(_i, "pool_min_size=3&pool_max_size=3");
    until_idle(3);
    watch(dbal_pool_drain(pool), &drained);
    until_ended(&drained);
    ck_assert_int_eq(drained.error_class, 0);
    ck_assert_int_eq(closes(), 3);
    ck_assert_int_eq(fake_script_count(script, &script->opens), 6);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 4);
    ck_assert_uint_eq(counts_now().drained, 3);
    until_idle(3);
    good(ask("get"));
    good(dbal_pool_drain(pool));
    ck_assert_int_eq(closes(), 6);
}
END_TEST

START_TEST(a_drain_waits_for_sessions)
{
    seen drained;
    holder one;
    open_target(_i, "pool_max_size=2&pool_acquire_timeout=off");
    hold_many(&one, 1);
    watch(dbal_pool_drain(pool), &drained);
    settle();
    loop_fixture_advance(&fixture, 1000);
    settle();
    ck_assert_int_eq(drained.settled, 0);
    good(dbal_connection_query(one.connection, "get", DBAL_NO_PARAMS));
    let_go(&one);
    until_ended(&drained);
    ck_assert_int_eq(drained.error_class, 0);
    ck_assert_int_ge(drained.order, one.end.order);
}
END_TEST

START_TEST(a_drain_of_what_is_just_being_opened)
{
    seen first, drained;
    script->hang_open = true;
    open_pool(targets[_i][0], targets[_i][1]);
    watch(ask("get"), &first);
    until_count(&script->waiting, 1);
    watch(dbal_pool_drain(pool), &drained);
    settle();
    ck_assert_int_eq(drained.settled, 0);
    fake_script_open_gate(script, "open");
    until_settled(&drained);
    until_settled(&first);
    ck_assert_int_eq(first.error_class + drained.error_class, 0);
    ck_assert_int_eq(fake_script_count(script, &script->opens), 2);
}
END_TEST

START_TEST(closing_is_the_end_of_both)
{
    seen drained, quiet, closed;
    holder one;
    open_target(_i, "pool_max_size=2");
    hold_many(&one, 1);
    watch(dbal_pool_drain(pool), &drained);
    watch(dbal_pool_pause(pool), &quiet);
    settle();
    watch(dbal_pool_close(pool), &closed);
    settle();
    ck_assert_int_eq(drained.error_class, DBAL_ERROR_CLOSED);
    ck_assert_int_eq(quiet.error_class, DBAL_ERROR_CLOSED);
    bad(dbal_pool_drain(pool), DBAL_ERROR_CLOSED, "", DBAL_EXECUTION_NOT_SENT, NULL);
    bad(dbal_pool_pause(pool), DBAL_ERROR_CLOSED, "", DBAL_EXECUTION_NOT_SENT, NULL);
    dbal_pool_resume(pool);
    let_go(&one);
    until_ended(&closed);
    ck_assert_int_eq(one.end.error_class, 0);
}
END_TEST

/* ---- pause ---- */

START_TEST(paused_nothing_is_handed_down)
{
    seen slow, quiet, later[3];
    holder one;
    open_target(_i, "pool_max_size=2&pool_acquire_timeout=off");
    watch(ask("add 1 wait g"), &slow);
    until_count(&script->waiting, 1);
    watch(dbal_pool_pause(pool), &quiet);
    ck_assert(counts_now().paused);
    for (int i = 0; i < 3; i++)
        watch(ask("add 10"), &later[i]);
    hold(&one);
    settle();
    loop_fixture_advance(&fixture, 100);
    settle();
    ck_assert_int_eq(quiet.settled, 0);
    fake_script_open_gate(script, "g");
    until_ended(&quiet);
    ck_assert_int_eq(quiet.error_class, 0);
    ck_assert_int_eq(slow.settled, 1);
    settle();
    ck_assert_int_eq((int)fake_script_value(script), 1);
    ck_assert_uint_eq(counts_now().waiting, 4);
    dbal_pool_resume(pool);
    ck_assert(!counts_now().paused);
    for (int i = 0; i < 3; i++)
        until_ended(&later[i]);
    loop_fixture_until(&fixture, is_held, &one);
    let_go(&one);
    until_ended(&one.end);
    ck_assert_int_eq((int)fake_script_value(script), 31);
    for (int i = 1; i < 3; i++)
        ck_assert_int_lt(later[i - 1].order, one.end.order);
}
END_TEST

/* what stood in line before is not handed down either */
START_TEST(paused_what_waits_already_goes_on_waiting)
{
    seen before[3], quiet;
    holder one;
    open_target(_i, "pool_max_size=1&pool_acquire_timeout=off");
    hold_many(&one, 1);
    for (int i = 0; i < 3; i++)
        watch(ask("add 1"), &before[i]);
    settle();
    watch(dbal_pool_pause(pool), &quiet);
    settle();
    good(dbal_connection_query(one.connection, "get", DBAL_NO_PARAMS)); /* a session goes on */
    ck_assert_int_eq(quiet.settled, 0);
    let_go(&one);
    until_ended(&quiet);
    ck_assert_int_eq(quiet.error_class, 0);
    settle();
    ck_assert_int_eq((int)fake_script_value(script), 0);
    dbal_pool_resume(pool);
    for (int i = 0; i < 3; i++)
        until_ended(&before[i]);
    ck_assert_int_eq((int)fake_script_value(script), 3);
}
END_TEST

START_TEST(what_waits_in_a_pause_keeps_its_deadlines)
{
    seen acquire, own, quiet;
    open_target(_i, "pool_acquire_timeout=5");
    watch(dbal_pool_pause(pool), &quiet);
    until_ended(&quiet);
    watch(ask("get"), &acquire);
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "get", .timeout = 2)), &own);
    dbal_deferred *cancelled = dbal_deferred_ref(ask("get"));
    dbal_deferred_cancel(cancelled);
    bad(cancelled, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_NOT_SENT, NULL);
    dbal_deferred_unref(cancelled);
    loop_fixture_advance(&fixture, 2.1);
    ck_assert_int_eq(own.error_class, DBAL_ERROR_TIMEOUT);
    loop_fixture_advance(&fixture, 3);
    ck_assert_int_eq(acquire.error_class, DBAL_ERROR_POOL_EXHAUSTED);
    dbal_pool_resume(pool);
    good(ask("get"));
}
END_TEST

START_TEST(with_the_write_token_too)
{
    seen slow, later, quiet;
    char parameters[80];
    snprintf(parameters, sizeof parameters, "%s&token=on", targets[_i][1]);
    open_driven(targets[_i][0], parameters[0] == '&' ? parameters + 1 : parameters);
    good(ask("add 1"));
    watch(ask("add 1 wait g"), &slow);
    until_count(&script->waiting, 1);
    watch(ask("add 1"), &later);
    settle();
    watch(dbal_pool_pause(pool), &quiet);
    fake_script_open_gate(script, "g");
    until_ended(&quiet);
    ck_assert_int_eq(slow.settled, 1);
    ck_assert_int_eq(later.settled, 0);
    int64_t value = fake_script_value(script);
    loop_fixture_advance(&fixture, 1);
    settle();
    ck_assert_int_eq((int)fake_script_value(script), (int)value);
    dbal_pool_resume(pool);
    until_ended(&later);
    ck_assert_int_eq((int)fake_script_value(script), 3);
}
END_TEST

START_TEST(nothing_is_connected_in_a_pause)
{
    seen quiet, one;
    open_target(_i,
                "pool_min_size=2&pool_max_size=2&pool_max_lifetime=100&pool_acquire_timeout=off");
    until_idle(2);
    good(dbal_pool_pause(pool));
    loop_fixture_advance(&fixture, 101);
    ck_assert(dbal_pool_resize(pool, 4, 4, NULL));
    watch(ask("get"), &one);
    settle();
    ck_assert_int_eq(fake_script_count(script, &script->opens), 2);
    watch(dbal_pool_pause(pool), &quiet);
    until_ended(&quiet);
    dbal_pool_resume(pool);
    until_ended(&one);
    until_count(&script->opens, 6); /* two for the two that are too old by now */
    until_idle(4);
}
END_TEST

START_TEST(nothing_is_closed_in_a_pause)
{
    holder all[2];
    open_target(_i, "pool_max_size=2&pool_idle_timeout=40");
    hold_many(all, 2);
    let_go_many(all, 2);
    seen quiet;
    watch(dbal_pool_pause(pool), &quiet);
    until_ended(&quiet);
    for (int seconds = 0; seconds < 200; seconds += 10)
        loop_fixture_advance(&fixture, 10);
    settle();
    ck_assert_int_eq(closes(), 0);
    dbal_pool_resume(pool);
    good(ask("get"));
}
END_TEST

START_TEST(resumed_before_it_was_quiet)
{
    seen slow, quiet;
    open_target(_i, "pool_max_size=2");
    dbal_pool_resume(pool); /* it is not paused: nothing */
    watch(ask("wait g"), &slow);
    until_count(&script->waiting, 1);
    watch(dbal_pool_pause(pool), &quiet);
    settle();
    dbal_pool_resume(pool);
    until_ended(&quiet);
    ck_assert_int_eq(quiet.error_class, DBAL_ERROR_CANCELLED);
    fake_script_open_gate(script, "g");
    until_ended(&slow);
    good(ask("get"));
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
    Suite *suite = suite_create("running");
    add(suite, growing_serves_what_waits);
    add(suite, what_is_kept_is_opened_in_the_background);
    add(suite, shrinking_closes_idle_ones_first);
    add(suite, shrinking_lets_statements_end);
    add(suite, sizes_that_cannot_be_are_refused);
    add(suite, the_database_still_has_the_last_word);
    add(suite, fewer_are_kept_than_before);
    add(suite, drained_of_every_connection);
    add(suite, a_drain_waits_for_sessions);
    add(suite, a_drain_of_what_is_just_being_opened);
    add(suite, closing_is_the_end_of_both);
    add(suite, paused_nothing_is_handed_down);
    add(suite, paused_what_waits_already_goes_on_waiting);
    add(suite, what_waits_in_a_pause_keeps_its_deadlines);
    add(suite, with_the_write_token_too);
    add(suite, nothing_is_connected_in_a_pause);
    add(suite, nothing_is_closed_in_a_pause);
    add(suite, resumed_before_it_was_quiet);
    return suite_run(suite);
}
