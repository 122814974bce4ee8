/*
 * What an old connection does may take an hour: the others are replaced all the same, one by one, each
 * before another is opened in its place.
 */
#include <stdio.h>

#include "pool/pool.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {{"fake", ""}, {"native", ""}, {"native", "pipeline=off"}};
enum { TARGETS = sizeof targets / sizeof targets[0] };

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

static int
opens(void)
{
    return fake_script_count(script, &script->opens);
}

static bool
is_changing(void *arg)
{
    (void)arg;
    return pool->life.leaving != NULL;
}

/* The crew of threads grows with the time that passes. */
static bool
are_waiting(void *arg)
{
    loop_fixture_advance(&fixture, 0.0005);
    return fake_script_count(script, &script->waiting) >= *(int *)arg;
}

static bool
have_parted(void *arg)
{
    loop_fixture_advance(&fixture, 0.001);
    return counts_now().closed_lifetime + counts_now().drained >= *(uint64_t *)arg;
}

/* What runs on one of three takes for ever: the others go all the same, as do those they are for. */
static void
part_beside(int target, bool drains)
{
    open_target(target, "pool_min_size=3&pool_max_size=3&pool_pipeline_depth=1&"
                        "pool_max_lifetime=100&pool_query_timeout=off");
    until_idle(3);
    for (int slow = 0; slow < 3; slow++) {
        seen all[3], drained = {.settled = 0};
        uint64_t parted = 3 * (uint64_t)slow + 3;
        char text[32];
        for (int i = 0; i < 3; i++) {
            snprintf(text, sizeof text, "add 1 wait g%d%d", slow, i);
            watch(ask(text), &all[i]);
        }
        loop_fixture_until(&fixture, are_waiting, &(int){3});
        if (drains)
            watch(dbal_pool_drain(pool), &drained);
        else
            loop_fixture_advance(&fixture, 101);
        loop_fixture_until(&fixture, is_changing, NULL);
        for (int i = 0; i < 3; i++) {
            snprintf(text, sizeof text, "g%d%d", slow, i);
            if (i != slow)
                fake_script_open_gate(script, text);
        }
        if (slow == 0 &&
            targets[target][0][0] == 'n') /* the one used last goes first: no time passes */
            until_count(&script->closes, 1);
        loop_fixture_until(&fixture, have_parted, &parted);
        until_connections(3);
        ck_assert_int_eq(all[slow].settled + drained.settled, 0);
        good(ask("get"));
        snprintf(text, sizeof text, "g%d%d", slow, slow);
        fake_script_open_gate(script, text);
        until_settled(&all[slow]);
        if (drains)
            until_settled(&drained);
        until_count(&script->closes, (int)parted);
        until_idle(3);
        ck_assert_uint_eq(counts_now().closed_lifetime + counts_now().drained, parted);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(all[i].error_class, 0);
    }
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 4);
    ck_assert_int_eq(opens(), 12);
}

START_TEST(one_that_lingers_does_not_delay_the_others)
{
    part_beside(_i, false);
}
END_TEST

START_TEST(one_that_lingers_does_not_delay_those_that_are_drained)
{
    part_beside(_i, true);
}
END_TEST

START_TEST(one_in_a_session_goes_beside_one_that_lingers)
{
    holder one;
    seen slow;
    open_target(_i, "pool_min_size=2&pool_max_size=2&pool_max_lifetime=100&pool_query_timeout=off");
    until_idle(2);
    hold(&one);
    until_held(&one);
    watch(ask("add 1 wait g"), &slow);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 101);
    loop_fixture_until(&fixture, is_changing, NULL);
    let_go(&one);
    until_count(&script->closes, 1); /* no time passes */
    until_connections(2);
    ck_assert_int_eq(slow.settled, 0);
    ck_assert_int_eq(opens(), 4);
    fake_script_open_gate(script, "g");
    until_settled(&slow);
    until_count(&script->closes, 2);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 3);
}
END_TEST

/* At the server it is there until it has gone. */
START_TEST(what_waits_does_not_take_the_place_of_one_that_goes)
{
    holder one, two, three;
    seen slow;
    script->hang_close = true;
    open_target(_i, "pool_min_size=2&pool_max_size=2&pool_max_lifetime=100&pool_query_timeout=off");
    until_idle(2);
    hold(&one);
    until_held(&one);
    watch(ask("add 1 wait g"), &slow);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 101);
    loop_fixture_until(&fixture, is_changing, NULL);
    hold(&two);
    until_held(&two);
    hold(&three);
    let_go(&one);
    until_count(&script->waiting, 2); /* the close hangs */
    settle();
    ck_assert_int_eq(opens(), 3);
    fake_script_open_gate(script, "close");
    until_held(&three);
    ck_assert_int_eq(opens(), 4);
    ck_assert_int_eq(slow.settled, 0);
    let_go(&two);
    let_go(&three);
    fake_script_open_gate(script, "g");
    until_settled(&slow);
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
    Suite *suite = suite_create("lingering");
    add(suite, one_that_lingers_does_not_delay_the_others);
    add(suite, one_that_lingers_does_not_delay_those_that_are_drained);
    add(suite, one_in_a_session_goes_beside_one_that_lingers);
    add(suite, what_waits_does_not_take_the_place_of_one_that_goes);
    return suite_run(suite);
}
