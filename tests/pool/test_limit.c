/* One limit for several pools: who gets the next place, and who makes one free. */
#include <string.h>

#include "tests/pool/limit_fixture.h"

static dbal_outcome
in_session(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS));
}

/* ---- the number ---- */

START_TEST(a_limit_is_a_number_of_connections)
{
    const int wrong[] = {0, -1, 100001, -2147483647};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        dbal_error *error = NULL;
        ck_assert_ptr_null(dbal_limit_new(wrong[i], &error));
        ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
        ck_assert_ptr_nonnull(strstr(dbal_error_message(error), "out of range"));
        dbal_error_unref(error);
        ck_assert_ptr_null(dbal_limit_new(wrong[i], NULL));
    }
    dbal_limit *one = dbal_limit_ref(dbal_limit_new(3, NULL));
    ck_assert(!dbal_limit_resize(one, 0));
    ck_assert(dbal_limit_resize(one, 100000));
    ck_assert_int_eq(dbal_limit_used(one), 0);
    dbal_limit_unref(one);
    dbal_limit_unref(one);
    dbal_limit_unref(NULL);
}
END_TEST

START_TEST(pools_together_stay_below_it)
{
    open_pools(_i, MANY, 4, "");
    for (int round = 0; round < 20; round++) {
        seen all[MANY][8];
        for (int i = 0; i < MANY; i++)
            for (int j = 0; j < 8; j++)
                watch(j % 4 == 0 ? dbal_pool_session(pools[i], NULL, in_session, NULL)
                                 : ask_of(i, j % 2 == 0 ? "rows 20" : "add 1"),
                      &all[i][j]);
        for (int i = 0; i < MANY; i++)
            for (int j = 0; j < 8; j++)
                until_settled(&all[i][j]);
    }
    close_pools(MANY);
    ck_assert_int_le(fake_script_count(script, &script->most_live), 4);
    ck_assert_int_eq(script->value, 20 * MANY * 6);
}
END_TEST

START_TEST(more_room_is_used_at_once)
{
    holder all[3];
    open_pools(_i, 1, 1, "");
    for (int i = 0; i < 3; i++)
        hold_of(0, &all[i]);
    until_got(&all[0]);
    settle();
    ck_assert_int_eq(dbal_limit_used(limit), 1);
    ck_assert(dbal_limit_resize(limit, 2));
    until_used(2);
    until_got(&all[1]);
    ck_assert_ptr_null(all[2].connection);
    ck_assert(dbal_limit_resize(limit, 1)); /* nothing is closed for it */
    settle();
    ck_assert_int_eq(dbal_limit_used(limit), 2);
    end(&all[0]);
    until_got(&all[2]);
    end(&all[1]);
    end(&all[2]);
    close_pools(1);
}
END_TEST

/* ---- who makes one free ---- */

START_TEST(who_has_none_gets_an_idle_one_at_once)
{
    holder all[2];
    open_pools(_i, 2, 2, "");
    for (int i = 0; i < 2; i++)
        hold_of(0, &all[i]);
    for (int i = 0; i < 2; i++)
        until_got(&all[i]);
    for (int i = 0; i < 2; i++)
        end(&all[i]);
    loop_fixture_drive(&fixture); /* no time passes */
    good(ask_of(1, "get"));
    ck_assert_int_eq(counts_of(0).connections, 1);
    ck_assert_uint_eq(counts_of(0).spared, 1);
    ck_assert_int_eq(counts_of(1).connections, 1);
    ck_assert_uint_eq(counts_of(1).spared, 0);
    close_pools(2);
}
END_TEST

START_TEST(who_has_none_gets_a_busy_one_when_it_has_done)
{
    seen runs, behind, ours;
    open_pools(_i, 2, 1, "pool_pipeline_depth=1");
    watch(ask_of(0, "wait g"), &runs);
    until_count(&script->waiting, 1);
    watch(ask_of(0, "get"), &behind);
    watch(ask_of(1, "get"), &ours);
    settle();
    ck_assert(!ours.settled);
    fake_script_open_gate(script, "g");
    until_settled(&runs);
    until_settled(&ours);
    until_settled(&behind); /* they take turns */
    ck_assert_int_eq(runs.error_class, 0);
    ck_assert_int_eq(ours.error_class, 0);
    ck_assert_int_eq(behind.error_class, 0);
    close_pools(2);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 1);
}
END_TEST

START_TEST(a_session_comes_first_to_who_has_none)
{
    holder first, second, ours;
    open_pools(_i, 2, 1, "");
    hold_of(0, &first);
    until_got(&first);
    hold_of(0, &second);
    hold_of(1, &ours);
    settle();
    ck_assert_ptr_null(ours.connection);
    loop_fixture_drive(&fixture);
    loop_fixture_advance(&fixture, 0.02); /* it has had its turn */
    end(&first);
    until_got(&ours);
    ck_assert_ptr_null(second.connection);
    loop_fixture_advance(&fixture, 0.02);
    end(&ours);
    until_got(&second);
    end(&second);
    close_pools(2);
}
END_TEST

/* Two of four are in use, and another pool has one and wants more: it gets what is not used. */
START_TEST(who_has_some_gets_what_is_not_used)
{
    holder all[4], ours[4];
    open_pools(_i, 2, 5, "");
    for (int i = 0; i < 4; i++)
        hold_of(0, &all[i]);
    for (int i = 0; i < 4; i++)
        until_got(&all[i]);
    hold_of(1, &ours[0]);
    until_got(&ours[0]);
    end(&all[2]);
    end(&all[3]);
    loop_fixture_drive(&fixture);
    for (int i = 1; i < 4; i++)
        hold_of(1, &ours[i]);
    for (int i = 0; i < 20; i++) {
        settle();
        loop_fixture_advance(&fixture, 0.01);
    }
    ck_assert_ptr_null(ours[1].connection); /* it may be used again soon */
    for (int i = 0; i < 100; i++) {
        settle();
        loop_fixture_advance(&fixture, 0.01);
    }
    until_got(&ours[1]);
    until_got(&ours[2]);
    ck_assert_ptr_null(ours[3].connection);
    ck_assert_uint_eq(counts_of(0).spared, 2);
    end(&ours[0]);
    until_got(&ours[3]);
    for (int i = 1; i < 4; i++)
        end(&ours[i]);
    for (int i = 0; i < 2; i++)
        end(&all[i]);
    close_pools(2);
    ck_assert_int_le(fake_script_count(script, &script->most_live), 5);
}
END_TEST

START_TEST(fewer_places_than_pools_go_round)
{
    seen all[MANY][10];
    open_pools(_i, MANY, 1, "pool_pipeline_depth=2");
    for (int j = 0; j < 10; j++)
        for (int i = 0; i < MANY; i++)
            watch(ask_of(i, "add 1"), &all[i][j]);
    for (int i = 0; i < MANY; i++) {
        for (int j = 0; j < 10; j++) {
            until_settled(&all[i][j]);
            ck_assert_int_eq(all[i][j].error_class, 0);
        }
    }
    close_pools(MANY);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 1);
    ck_assert_int_eq(script->value, 10 * MANY);
}
END_TEST

/* One that is to be free when what runs there has ended does not keep others from giving theirs. */
START_TEST(an_idle_one_is_given_while_a_busy_one_is_awaited)
{
    static const int several[] = {0, 2, 3}; /* at once */
    seen slow, quick, ours;
    open_pools(several[_i], 3, 2, "pool_cancel_timeout=off");
    watch(ask_of(0, "wait g"), &slow);
    until_count(&script->waiting, 1);
    watch(ask_of(1, "wait h"), &quick);
    until_count(&script->waiting, 2);
    loop_fixture_drive(&fixture);
    watch(ask_of(2, "get"), &ours);
    settle();
    fake_script_open_gate(script, "h");
    until_settled(&quick);
    until_settled_in_time(&ours);
    ck_assert_int_eq(slow.settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&slow);
    close_pools(3);
}
END_TEST

/* ---- who does not ---- */

static bool
both_are_open(void *arg)
{
    (void)arg;
    return counts_of(0).connections + counts_of(1).connections == 2;
}

START_TEST(min_size_takes_nothing_from_others)
{
    open_pools(_i, 2, 2, "pool_min_size=2");
    loop_fixture_until(&fixture, both_are_open, NULL);
    loop_fixture_drive(&fixture);
    int opened = fake_script_count(script, &script->opens);
    for (int i = 0; i < 1000; i++) {
        settle();
        loop_fixture_advance(&fixture, 0.01);
    }
    ck_assert_int_eq(fake_script_count(script, &script->opens), opened);
    ck_assert_int_eq(counts_of(0).connections + counts_of(1).connections, 2);
    int rich = counts_of(0).connections == 2 ? 0 : 1;
    good(dbal_pool_close(pools[rich]));
    until_used(2); /* and is there when there is room */
    good(dbal_pool_close(pools[1 - rich]));
    dbal_limit_unref(limit);
}
END_TEST

START_TEST(the_old_one_goes_first_when_there_is_no_room)
{
    open_pools(_i, 1, 1, "pool_max_lifetime=100&pool_connect_timeout=off&pool_close_timeout=off");
    good(ask_of(0, "get"));
    loop_fixture_drive(&fixture);
    for (int i = 0; i < 30; i++) {
        settle();
        loop_fixture_advance(&fixture, 10);
    }
    good(ask_of(0, "get"));
    ck_assert_uint_ge(counts_of(0).closed_lifetime, 1);
    close_pools(1);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 1);
}
END_TEST

/* One whose work is cancelled wishes for a connection still, for min_size, but behind all that wait. */
START_TEST(who_steps_out_leaves_the_others_in_order)
{
    holder ours[MOST];
    open_pools(_i, 1, 1, "");
    hold_of(0, &ours[0]);
    until_held(&ours[0]);
    for (int i = 1; i < MOST; i++)
        pools[i] = open_on(fixture.loop, _i, "pool_min_size=1");
    loop_fixture_drive(&fixture);
    seen given_up;
    dbal_deferred *first = dbal_deferred_ref(ask_of(1, "get"));
    watch(first, &given_up);
    let_pass(0.02);
    hold_of(2, &ours[2]);
    let_pass(0.02);
    dbal_deferred_cancel(first);
    dbal_deferred_unref(first);
    let_pass(0.02);
    ck_assert_int_eq(given_up.error_class, DBAL_ERROR_CANCELLED);
    hold_of(3, &ours[3]);
    let_pass(0.02);
    end(&ours[0]);
    until_got(&ours[2]);
    ck_assert_ptr_null(ours[3].connection);
    end(&ours[2]);
    until_got(&ours[3]);
    end(&ours[3]);
    close_pools(MOST);
    ck_assert_int_eq(fake_script_count(script, &script->most_live), 1);
}
END_TEST

/* What it waited for has been done by the connection that it has. */
START_TEST(who_has_done_wants_no_more)
{
    seen all[4], other;
    open_pools(_i, 2, 2, "pool_pipeline_depth=1");
    watch(ask_of(1, "get"), &other);
    until_settled(&other);
    watch(ask_of(0, "get"), &all[0]);
    until_settled(&all[0]);
    loop_fixture_drive(&fixture);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++)
            watch(ask_of(0, "get"), &all[i]);
        for (int i = 0; i < 4; i++)
            until_settled_in_time(&all[i]);
        let_pass(1);
    }
    ck_assert_uint_eq(counts_of(1).spared, 0);
    ck_assert_int_eq(counts_of(1).connections, 1);
    close_pools(2);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("limit");
    add(suite, a_limit_is_a_number_of_connections, 1);
    add(suite, pools_together_stay_below_it, TARGETS);
    add(suite, more_room_is_used_at_once, TARGETS);
    add(suite, who_has_none_gets_an_idle_one_at_once, TARGETS);
    add(suite, who_has_none_gets_a_busy_one_when_it_has_done, TARGETS);
    add(suite, a_session_comes_first_to_who_has_none, TARGETS);
    add(suite, who_has_some_gets_what_is_not_used, TARGETS);
    add(suite, fewer_places_than_pools_go_round, TARGETS);
    add(suite, min_size_takes_nothing_from_others, TARGETS);
    add(suite, the_old_one_goes_first_when_there_is_no_room, TARGETS);
    add(suite, an_idle_one_is_given_while_a_busy_one_is_awaited, 3);
    add(suite, who_steps_out_leaves_the_others_in_order, TARGETS);
    add(suite, who_has_done_wants_no_more, TARGETS);
    return suite_run(suite);
}
