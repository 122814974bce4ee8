/* One limit for several pools: who gets the next place, and who makes one free. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pool/pool.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", "level=1"},
    {"fake", "level=0"},
    {"native", "pipeline=on"},
    {"native", "pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0], MANY = 3 };

static dbal_limit *limit;
static dbal_pool *pools[MANY];

static dbal_pool *
open_on(dbal_loop *loop, int target, const char *parameters)
{
    char url[256];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "%s:pool?%s%s%s", targets[target][0], targets[target][1],
             parameters[0] != '\0' ? "&" : "", parameters);
    dbal_pool *opened =
        dbal_pool_open(loop, url, DBAL_POOL_OPTIONS(.limit = limit, .max_size = 8), &error);
    dbal_error_unref(error);
    return opened;
}

/* The first so many of the pools. */
static void
open_pools(int target, int count, int places, const char *parameters)
{
    limit = dbal_limit_new(places, NULL);
    for (int i = 0; i < count; i++) {
        pools[i] = open_on(fixture.loop, target % TARGETS, parameters);
        ck_assert_ptr_nonnull(pools[i]);
    }
    pool = pools[0];
}

static void
close_pools(int count)
{
    for (int i = 0; i < count; i++)
        good(dbal_pool_close(pools[i]));
    ck_assert_int_eq(dbal_limit_used(limit), 0);
    dbal_limit_unref(limit);
}

static dbal_deferred *
ask_of(int index, const char *sql)
{
    return dbal_pool_query(pools[index], sql, DBAL_NO_PARAMS);
}

static dbal_pool_counts
counts_of(int index)
{
    pool = pools[index];
    return counts_now();
}

static void
hold_of(int index, holder *one)
{
    pool = pools[index];
    hold(one);
}

static bool
is_held(void *arg)
{
    loop_fixture_advance(&fixture,
                         0.0005); /* the crew of threads grows with the time that passes */
    return ((holder *)arg)->connection != NULL;
}

static void
until_got(holder *one)
{
    loop_fixture_until(&fixture, is_held, one);
}

static void
end(holder *one)
{
    let_go(one);
    until_settled(&one->end);
}

static bool
are_used(void *arg)
{
    loop_fixture_advance(&fixture, 0.0005);
    return dbal_limit_used(limit) == *(int *)arg;
}

static void
until_used(int count)
{
    loop_fixture_until(&fixture, are_used, &count);
}

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
    end(&first);
    until_got(&ours);
    ck_assert_ptr_null(second.connection);
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

/* ---- what goes wrong ---- */

START_TEST(who_waits_in_vain_is_told_of_it)
{
    holder one;
    open_pools(_i, 2, 1, "pool_acquire_timeout=5");
    hold_of(0, &one);
    until_got(&one);
    loop_fixture_drive(&fixture);
    dbal_deferred *waits = dbal_deferred_ref(ask_of(1, "get"));
    settle();
    loop_fixture_advance(&fixture, 6);
    bad(waits, DBAL_ERROR_POOL_EXHAUSTED, "53300", DBAL_EXECUTION_NOT_SENT,
        "1 of 1 places of the limit that it shares");
    dbal_deferred_unref(waits);
    end(&one);
    settle();
    good(ask_of(1, "get")); /* and it has left the line in order */
    close_pools(2);
}
END_TEST

START_TEST(a_connect_that_fails_gives_its_place_back)
{
    script->fail_open_from = 1;
    script->fail_open_to = 6;
    seen all[2];
    open_pools(_i, 2, 1, "pool_backoff=0.1");
    for (int i = 0; i < 2; i++)
        watch(ask_of(i, "get"), &all[i]);
    for (int i = 0; i < 2; i++) {
        until_settled(&all[i]);
        ck_assert_int_eq(all[i].error_class, 0);
    }
    close_pools(2);
}
END_TEST

START_TEST(a_pool_that_closes_leaves_the_line)
{
    holder one;
    seen waits, last;
    open_pools(_i, MANY, 1, "pool_close_timeout=0.001");
    hold_of(0, &one);
    until_got(&one);
    watch(ask_of(1, "get"), &waits);
    watch(ask_of(2, "get"), &last);
    settle();
    good(dbal_pool_close(pools[1]));
    ck_assert_int_eq(waits.error_class, DBAL_ERROR_CLOSED);
    end(&one);
    until_settled(&last);
    ck_assert_int_eq(last.error_class, 0);
    good(dbal_pool_close(pools[0]));
    good(dbal_pool_close(pools[2]));
    ck_assert_int_eq(dbal_limit_used(limit), 0);
    dbal_limit_unref(limit);
}
END_TEST

/* The loop may end with all of them as they are. */
START_TEST(a_loop_may_end_while_they_wait)
{
    static seen all[MANY][4]; /* they settle when the loop ends */
    open_pools(_i, MANY, 2, "pool_min_size=1");
    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < 4; j++)
            watch(ask_of(i, "get"), &all[i][j]);
    for (int i = 0; i < _i; i++)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    dbal_limit_unref(limit);
}
END_TEST

static dbal_outcome
ignore(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static void
no_log(void *arg, dbal_log_level level, const char *message)
{
    (void)arg, (void)level, (void)message;
}

static void
two_pools_without_memory(void *arg)
{
    struct ev_loop *ev = ev_loop_new(0);
    dbal_loop *loop = dbal_loop_new(ev);
    if (loop != NULL)
        dbal_loop_set_log(loop, no_log, NULL);
    limit = dbal_limit_new(1, NULL);
    for (int i = 0; limit != NULL && i < 2; i++) {
        pools[i] = loop != NULL ? open_on(loop, *(int *)arg, "") : NULL;
        dbal_deferred *one = pools[i] != NULL ? ask_of(i, "get") : NULL;
        if (one != NULL)
            dbal_deferred_add_both(one, ignore, NULL);
    }
    for (int i = 0; i < 20; i++)
        ev_run(ev, EVRUN_NOWAIT);
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    ck_assert(limit == NULL || dbal_limit_used(limit) == 0);
    dbal_limit_unref(limit);
}

START_TEST(nothing_is_lost_without_memory)
{
    int target = _i * 2; /* a driver's one thread outlives its pools */
    pool_fixture_fini();
    alloc_fault_install();
    alloc_fault_sweep(two_pools_without_memory, &target);
    alloc_fault_remove();
    pool_fixture_init();
}
END_TEST

/* ---- several loops ---- */

enum { LOOPS = 4, EACH = 300 };

typedef struct side {
    pthread_t thread;
    int target, done, failed;
    dbal_pool *pool;
    dbal_loop *loop;
} side;

static dbal_outcome
on_done(dbal_outcome in, void *arg)
{
    side *self = arg;
    self->failed += in.kind != DBAL_OUTCOME_VALUE;
    if (++self->done == EACH)
        dbal_loop_close(self->loop, 10);
    return dbal_done();
}

static void *
run_side(void *arg)
{
    side *self = arg;
    struct ev_loop *ev = ev_loop_new(0);
    self->loop = dbal_loop_new(ev);
    self->pool = open_on(self->loop, self->target,
                         "pool_min_size=1&pool_acquire_timeout=60&pool_slow_acquire=off");
    for (int i = 0; i < EACH; i++)
        dbal_deferred_add_both(i % 3 == 0 ? dbal_pool_session(self->pool, NULL, in_session, NULL)
                                          : dbal_pool_query(self->pool, "add 1", DBAL_NO_PARAMS),
                               on_done, self);
    ev_run(ev, 0);
    dbal_loop_free(self->loop);
    ev_loop_destroy(ev);
    return NULL;
}

START_TEST(loops_of_several_threads_share_it)
{
    side sides[LOOPS];
    int places = _i / TARGETS + 1; /* fewer than loops, too */
    limit = dbal_limit_new(places, NULL);
    fake_script_watch(script, NULL);
    for (int i = 0; i < LOOPS; i++) {
        sides[i] = (side){.target = _i % TARGETS};
        pthread_create(&sides[i].thread, NULL, run_side, &sides[i]);
    }
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(sides[i].thread, NULL);
        ck_assert_int_eq(sides[i].done, EACH);
        ck_assert_int_eq(sides[i].failed, 0);
    }
    ck_assert_int_eq(script->value, LOOPS * EACH);
    ck_assert_int_le(fake_script_count(script, &script->most_live), places);
    ck_assert_int_eq(dbal_limit_used(limit), 0);
    dbal_limit_unref(limit);
}
END_TEST

static void
add(Suite *suite, const TTest *test, int count)
{
    TCase *tcase = tcase_create(test->name);
    tcase_add_checked_fixture(tcase, pool_fixture_init, pool_fixture_fini);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test, 0, count);
    suite_add_tcase(suite, tcase);
}

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
    add(suite, who_waits_in_vain_is_told_of_it, TARGETS);
    add(suite, a_connect_that_fails_gives_its_place_back, TARGETS);
    add(suite, a_pool_that_closes_leaves_the_line, TARGETS);
    add(suite, a_loop_may_end_while_they_wait, 3 * TARGETS);
    add(suite, nothing_is_lost_without_memory, TARGETS / 2);
    add(suite, loops_of_several_threads_share_it, 4 * TARGETS);
    return suite_run(suite);
}
