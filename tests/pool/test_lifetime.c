/* How long connections live: closed when they are not needed, replaced when they are old. */
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
enum { TARGETS = sizeof targets / sizeof targets[0], DRIVER_THREAD = 1, MANY = 4 };

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

/* So many are open, and all of them have come to rest. */
static void
until_idle(int count)
{
    loop_fixture_until(&fixture, are_idle, &count);
}

/* The crew of threads grows with the time that passes. */
static bool
is_held(void *arg)
{
    loop_fixture_advance(&fixture, 0.0005);
    return ((holder *)arg)->connection != NULL;
}

/* So many work at once, and are done. */
static void
use(int count)
{
    holder all[MANY];
    for (int i = 0; i < count; i++)
        hold(&all[i]);
    for (int i = 0; i < count; i++)
        loop_fixture_until(&fixture, is_held, &all[i]);
    for (int i = 0; i < count; i++)
        let_go(&all[i]);
    for (int i = 0; i < count; i++)
        until_settled(&all[i].end);
}

static int
opens(void)
{
    return fake_script_count(script, &script->opens);
}

static int
closes(void)
{
    return fake_script_count(script, &script->closes);
}

/* ---- idle_timeout ---- */

START_TEST(what_is_not_needed_is_closed)
{
    open_target(_i, "pool_min_size=1&pool_max_size=4&pool_idle_timeout=40");
    use(4);
    until_idle(4);
    for (int seconds = 10; seconds <= 60; seconds += 10) {
        use(2); /* so many are needed still */
        until_idle(counts_now().connections);
        loop_fixture_advance(&fixture, 10);
        if (seconds < 40)
            ck_assert_int_eq(counts_now().connections, 4);
    }
    until_count(&script->closes, 2);
    ck_assert_int_eq(counts_now().connections, 2);
    for (int seconds = 10; seconds <= 100; seconds += 10)
        loop_fixture_advance(&fixture, 10);
    until_count(&script->closes, 3);
    ck_assert_int_eq(counts_now().connections, 1);
    ck_assert_uint_eq(counts_now().closed_idle, 3);
    ck_assert_int_eq(opens(), 4);
}
END_TEST

START_TEST(the_last_goes_too_and_comes_back)
{
    open_target(_i, "pool_idle_timeout=40");
    use(1);
    until_idle(counts_now().connections);
    for (int seconds = 0; seconds < 60; seconds += 10)
        loop_fixture_advance(&fixture, 10);
    until_connections(0);
    good(ask("get"));
}
END_TEST

START_TEST(one_that_is_used_now_and_then_is_kept)
{
    open_target(_i, "pool_max_size=1&pool_idle_timeout=40");
    for (int seconds = 0; seconds < 400; seconds += 35) {
        good(ask("get"));
        until_idle(1);
        for (int i = 0; i < 7; i++)
            loop_fixture_advance(&fixture, 5);
    }
    ck_assert_int_eq(opens(), 1);
}
END_TEST

/* a session that runs nothing needs its connection all the same */
START_TEST(one_that_is_held_is_kept)
{
    holder one;
    open_target(_i, "pool_max_size=1&pool_idle_timeout=40");
    hold(&one);
    until_held(&one);
    for (int seconds = 0; seconds < 400; seconds += 10)
        loop_fixture_advance(&fixture, 10);
    ck_assert_int_eq(counts_now().held, 1);
    let_go(&one);
    until_settled(&one.end);
    ck_assert_uint_eq(counts_now().closed_idle, 0);
}
END_TEST

START_TEST(nothing_is_closed_when_that_is_off)
{
    open_target(_i, "pool_max_size=3&pool_idle_timeout=off&pool_max_lifetime=off");
    use(3);
    until_idle(3);
    for (int hours = 0; hours < 48; hours++)
        loop_fixture_advance(&fixture, 3600);
    ck_assert_int_eq(counts_now().connections, 3);
    ck_assert(!pool->life.timer.active); /* and nothing wakes the program for it */
}
END_TEST

START_TEST(a_database_that_is_gone_with_its_connection_keeps_it)
{
    open_target(_i, "connections=1&sole=on&pool_idle_timeout=40&pool_max_lifetime=50");
    for (int seconds = 0; seconds < 400; seconds += 10)
        loop_fixture_advance(&fixture, 10);
    bad(dbal_pool_drain(pool), DBAL_ERROR_NOT_SUPPORTED, "0A000", DBAL_EXECUTION_NOT_SENT, "gone");
    good(ask("get"));
    ck_assert_int_eq(opens(), 1);
}
END_TEST

/* ---- max_lifetime ---- */

START_TEST(the_new_one_is_there_before_the_old_one_goes)
{
    open_target(_i, "pool_max_size=1&pool_max_lifetime=100");
    until_idle(1);
    loop_fixture_advance(&fixture, 94.9);
    settle();
    ck_assert_int_eq(opens(), 1);
    script->hang_open = true;
    loop_fixture_advance(&fixture, 5.1);
    until_count(&script->waiting, 1);
    ck_assert_int_eq(counts_now().connections, 1);
    ck_assert_int_eq(counts_now().connecting, 1);
    if (_i != DRIVER_THREAD)
        good(ask("get")); /* nothing waits for it */
    fake_script_open_gate(script, "open");
    until_count(&script->closes, 1);
    until_idle(1);
    ck_assert_int_eq(counts_now().connecting, 0);
    good(ask("get"));
    ck_assert_uint_eq(counts_now().closed_lifetime, 1);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 2);
}
END_TEST

START_TEST(its_time_is_drawn_once)
{
    int64_t at[MANY], first;
    int64_t now = dbal__loop_now(fixture.loop);
    open_target(_i, "pool_min_size=4&pool_max_size=4&pool_max_lifetime=1000");
    until_connections(MANY);
    int count = 0, differ = 0;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next)
        at[count++] = DBAL__OF(link, dbal__slot, link)->span.retire_at;
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_ge(at[i] - now, dbal__nanoseconds(949));
        ck_assert_int_le(at[i] - now, dbal__nanoseconds(1031));
        differ += i > 0 && at[i] - at[0] > 1000000;
        differ += i > 0 && at[0] - at[i] > 1000000;
    }
    ck_assert_int_gt(differ, 0);
    first = at[0];
    use(4);
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next)
        first = DBAL__OF(link, dbal__slot, link)->span.retire_at == at[0] ? 0 : first;
    ck_assert_int_eq(first, 0);
}
END_TEST

START_TEST(one_in_a_session_goes_when_that_has_ended)
{
    holder one, next;
    open_target(_i, "pool_max_size=1&pool_max_lifetime=100&pool_acquire_timeout=off");
    hold(&one);
    until_held(&one);
    hold(&next);
    loop_fixture_advance(&fixture, 101);
    settle();
    ck_assert_int_eq(opens(), 1);
    good(dbal_connection_query(one.connection, "get", DBAL_NO_PARAMS));
    let_go(&one);
    until_held(&next); /* on the new one, or once more on the old one, which then goes later */
    until_count(&script->opens, 2);
    let_go(&next);
    until_count(&script->closes, 1);
    until_settled(&next.end);
    ck_assert_int_eq(one.end.error_class + next.end.error_class, 0);
    until_idle(1);
    good(ask("get"));
    ck_assert_int_eq(opens(), 2);
}
END_TEST

static bool
is_changing(void *arg)
{
    (void)arg;
    return pool->life.leaving != NULL;
}

START_TEST(one_that_is_at_work_ends_that_first)
{
    seen slow;
    open_target(_i, "pool_max_size=1&pool_max_lifetime=100");
    watch(ask("add 1 wait g"), &slow);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 101);
    if (_i != DRIVER_THREAD) {
        loop_fixture_until(&fixture, is_changing, NULL);
        good(ask("get")); /* the new one serves */
    }
    settle();
    ck_assert_int_eq(slow.settled, 0);
    ck_assert_int_eq(closes(), 0);
    fake_script_open_gate(script, "g");
    until_settled(&slow);
    ck_assert_int_eq(slow.error_class, 0);
    until_count(&script->closes, 1);
    good(ask("get"));
    ck_assert_int_eq(opens(), 2);
}
END_TEST

START_TEST(all_that_began_together_are_replaced_one_by_one)
{
    open_target(_i, "pool_min_size=4&pool_max_size=4&pool_max_lifetime=100");
    until_connections(4);
    until_idle(4);
    loop_fixture_advance(&fixture, 110);
    until_count(&script->closes, 4);
    until_idle(4);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 5);
    ck_assert_int_eq(opens(), 8);
    ck_assert_uint_eq(counts_now().closed_lifetime, 4);
}
END_TEST

static bool
has_failed(void *arg)
{
    return counts_now().connect_errors >= *(uint64_t *)arg;
}

static void
until_failed(uint64_t errors)
{
    loop_fixture_until(&fixture, has_failed, &errors);
}

static bool
is_connecting_no_more(void *arg)
{
    (void)arg;
    return counts_now().connecting == 0;
}

START_TEST(old_ones_serve_while_there_are_no_new_ones)
{
    open_target(_i, "pool_max_size=2&pool_min_size=2&pool_max_lifetime=100");
    until_idle(2);
    fake_script_add(script, &script->fail_open_from, 1);
    fake_script_add(script, &script->fail_open_to, 1000);
    loop_fixture_advance(&fixture, 101);
    for (uint64_t errors = 1; errors <= 5; errors++) {
        until_failed(errors);
        settle();
        ck_assert_uint_eq(counts_now().connect_errors, errors);
        ck_assert_int_eq(counts_now().connections, 2);
        good(ask("get"));
        loop_fixture_advance(&fixture, 30);
    }
    ck_assert_uint_eq(log_lines_count(&fixture.log, "no connection more"), 1);
    fake_script_add(script, &script->fail_open_to, -1000);
    for (int i = 0; i < 200 && closes() < 2; i++) {
        loop_fixture_advance(&fixture, 0.5);
        /* the clock is not to run ahead of who connects */
        loop_fixture_until(&fixture, is_connecting_no_more, NULL);
        until_idle(2);
    }
    until_count(&script->closes, 2);
    good(ask("get"));
    good(dbal_pool_close(pool)); /* by now it may be opening another */
}
END_TEST

/* The new one is of those that are drained, and has to go as soon as it has taken the old one's place. */
START_TEST(drained_while_the_new_one_is_opened)
{
    seen drained;
    open_target(_i, "pool_max_size=1&pool_max_lifetime=100");
    until_idle(1);
    script->hang_open = true;
    loop_fixture_advance(&fixture, 101);
    until_count(&script->waiting, 1);
    watch(dbal_pool_drain(pool), &drained);
    settle();
    ck_assert_int_eq(drained.settled, 0);
    fake_script_open_gate(script, "open");
    until_settled(&drained);
    ck_assert_int_eq(drained.error_class, 0);
    until_idle(1);
    ck_assert_int_eq(closes(), 2);
    ck_assert_int_eq(opens(), 3);
    good(ask("get"));
}
END_TEST

/* Its place is not free yet, as a session has taken the old one once more. */
START_TEST(a_new_one_that_becomes_old_itself)
{
    holder one;
    if (_i == DRIVER_THREAD)
        return; /* where nothing is taken while another is opened */
    open_target(_i, "pool_max_size=1&pool_max_lifetime=100&pool_acquire_timeout=off");
    until_idle(1);
    script->hang_open = true;
    loop_fixture_advance(&fixture, 101);
    until_count(&script->waiting, 1);
    hold(&one);
    until_held(&one);
    fake_script_open_gate(script, "open");
    until_connections(2);
    loop_fixture_advance(&fixture, 101);
    settle();
    ck_assert_int_eq(closes(), 0);
    good(ask("get")); /* on the new one */
    let_go(&one);
    until_count(&script->closes, 2);
    until_idle(1);
    ck_assert_int_eq(opens(), 3);
    good(ask("get"));
}
END_TEST

/* ... nor for one in its place, which somebody else has taken: the others stay. */
START_TEST(where_none_come_no_more_than_one_goes)
{
    script->fail_open_as_full = true;
    open_target(_i, "pool_min_size=3&pool_max_size=3&pool_max_lifetime=100");
    until_idle(3);
    ck_assert(dbal_pool_resize(pool, 0, 3, NULL));
    fake_script_add(script, &script->fail_open_from, 4);
    fake_script_add(script, &script->fail_open_to, 1000);
    loop_fixture_advance(&fixture, 101);
    for (uint64_t errors = 1; errors <= 5; errors++) {
        until_failed(errors);
        settle();
        loop_fixture_advance(&fixture, 30);
    }
    settle();
    ck_assert_int_eq(closes(), 1);
    ck_assert_int_eq(counts_now().connections, 2);
    good(ask("get"));
}
END_TEST

/* a server that has no connection left for the moment that there are two */
START_TEST(where_there_is_no_room_the_old_one_goes_first)
{
    script->fail_open_as_full = true;
    open_target(_i, "pool_max_size=1&pool_max_lifetime=100");
    until_idle(1);
    fake_script_add(script, &script->fail_open_from, 2);
    fake_script_add(script, &script->fail_open_to, 2);
    loop_fixture_advance(&fixture, 101);
    until_failed(1);
    settle();
    ck_assert_int_eq(closes(), 0);
    loop_fixture_advance(&fixture, 30);
    until_count(&script->closes, 1);
    until_count(&script->opens, 3);
    until_idle(1);
    good(ask("get"));
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 1);
}
END_TEST

START_TEST(a_database_that_has_one_connection_replaces_it_in_its_place)
{
    open_target(_i, "connections=1&pool_max_lifetime=100");
    until_idle(1);
    loop_fixture_advance(&fixture, 101);
    until_count(&script->closes, 1);
    until_count(&script->opens, 2);
    until_idle(1);
    good(ask("get"));
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 1);
}
END_TEST

START_TEST(an_old_one_that_is_lost_meanwhile)
{
    seen one;
    open_target(_i, "pool_max_size=1&pool_max_lifetime=100");
    good(ask("get"));
    until_idle(1);
    script->hang_open = true;
    loop_fixture_advance(&fixture, 101);
    until_count(&script->waiting, 1);
    watch(ask("lose"), &one);
    if (_i != DRIVER_THREAD)
        until_settled(&one);
    fake_script_open_gate(script, "open");
    until_settled(&one);
    until_idle(1);
    ck_assert_int_eq(counts_now().connecting, 0);
    ck_assert_ptr_null(pool->life.replacement);
    good(ask("get"));
    /* and the next time is as ever */
    loop_fixture_advance(&fixture, 101);
    until_count(&script->closes, 2);
    until_idle(1);
}
END_TEST

/* Nothing is left behind by one whose close hangs, but itself. */
START_TEST(a_close_that_hangs_is_given_up)
{
    if (_i == DRIVER_THREAD)
        return; /* its one thread hangs with it */
    script->hang_close = true;
    open_target(_i, "pool_min_size=2&pool_max_size=2&pool_max_lifetime=100&pool_close_timeout=3");
    until_idle(2);
    loop_fixture_advance(&fixture, 101);
    until_count(&script->opens, 3);
    until_count(&script->waiting, 1);
    good(ask("get"));
    ck_assert(dbal_pool_resize(pool, 2, 2, NULL)); /* makes it look again */
    loop_fixture_advance(&fixture, 0.1);
    settle();
    ck_assert_int_eq(counts_now().connecting, 0); /* one at a time */
    ck_assert_int_eq(opens(), 3);
    loop_fixture_advance(&fixture, 3.1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "did not close within close_timeout"), 1);
    until_count(&script->opens, 4); /* the other's turn */
    until_count(&script->waiting, 2);
    fake_script_open_gate(script, "close");
    until_count(&script->closes, 2);
    until_idle(2);
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
    Suite *suite = suite_create("lifetime");
    add(suite, what_is_not_needed_is_closed);
    add(suite, the_last_goes_too_and_comes_back);
    add(suite, one_that_is_used_now_and_then_is_kept);
    add(suite, one_that_is_held_is_kept);
    add(suite, nothing_is_closed_when_that_is_off);
    add(suite, a_database_that_is_gone_with_its_connection_keeps_it);
    add(suite, the_new_one_is_there_before_the_old_one_goes);
    add(suite, its_time_is_drawn_once);
    add(suite, one_in_a_session_goes_when_that_has_ended);
    add(suite, one_that_is_at_work_ends_that_first);
    add(suite, all_that_began_together_are_replaced_one_by_one);
    add(suite, old_ones_serve_while_there_are_no_new_ones);
    add(suite, drained_while_the_new_one_is_opened);
    add(suite, a_new_one_that_becomes_old_itself);
    add(suite, where_none_come_no_more_than_one_goes);
    add(suite, where_there_is_no_room_the_old_one_goes_first);
    add(suite, a_database_that_has_one_connection_replaces_it_in_its_place);
    add(suite, an_old_one_that_is_lost_meanwhile);
    add(suite, a_close_that_hangs_is_given_up);
    return suite_run(suite);
}
