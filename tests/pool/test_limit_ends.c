/* A limit that pools share when something goes wrong or ends, and on several loops. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "tests/lib/alloc_fault.h"
#include "tests/pool/limit_fixture.h"

static dbal_outcome
in_session(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS));
}

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

START_TEST(a_pool_that_closes_gives_what_is_idle)
{
    holder all[2];
    seen ours, closed;
    open_pools(_i, 2, 2, "pool_close_timeout=off");
    for (int i = 0; i < 2; i++)
        hold_of(0, &all[i]);
    for (int i = 0; i < 2; i++)
        until_got(&all[i]);
    end(&all[1]);
    loop_fixture_drive(&fixture);
    watch(dbal_pool_close(pools[0]), &closed);
    watch(ask_of(1, "get"), &ours);
    until_settled_in_time(&ours);
    ck_assert_int_eq(closed.settled, 0);
    end(&all[0]);
    until_settled(&closed);
    good(dbal_pool_close(pools[1]));
    ck_assert_int_eq(dbal_limit_used(limit), 0);
    dbal_limit_unref(limit);
}
END_TEST

/* The place of the one that has gone first went to others. */
START_TEST(a_drain_ends_without_room)
{
    holder all[2], ours[2];
    seen drained;
    open_pools(_i, 2, 3, "pool_idle_timeout=off");
    for (int i = 0; i < 2; i++)
        hold_of(0, &all[i]);
    for (int i = 0; i < 2; i++)
        until_got(&all[i]);
    for (int i = 0; i < 2; i++)
        end(&all[i]);
    hold_of(1, &ours[0]);
    until_got(&ours[0]);
    loop_fixture_drive(&fixture);
    hold_of(1, &ours[1]);
    let_pass(0.02);
    watch(dbal_pool_drain(pools[0]), &drained);
    until_got(&ours[1]);
    until_settled_in_time(&drained);
    ck_assert_int_eq(drained.error_class, 0);
    for (int i = 0; i < 2; i++)
        end(&ours[i]);
    close_pools(2);
}
END_TEST

/* Its driver hangs when the loop ends: its place is for others all the same. */
START_TEST(who_is_abandoned_has_no_place)
{
    struct ev_loop *ev = ev_loop_new(0);
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_loop_set_log(loop, no_log, NULL);
    limit = dbal_limit_new(1, NULL);
    script->hang_close = true;
    static dbal_pool *volatile abandoned[TARGETS]; /* never freed, on purpose */
    int target = _i + 1; /* a thread of the pool's own would never be joined */
    abandoned[_i] =
        open_on(loop, target, "pool_min_size=1&pool_close_timeout=0.05&pool_cancel_timeout=0.05");
    ck_assert_ptr_nonnull(abandoned[_i]);
    while (fake_script_count(script, &script->live) == 0)
        ev_run(ev, EVRUN_NOWAIT);
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    ck_assert_int_eq(dbal_limit_used(limit), 0);
    dbal_limit_unref(limit);
    fake_script_open_gate(script, "close");
    while (fake_script_count(script, &script->live) != 0)
        sched_yield();
}
END_TEST

static dbal_outcome
ignore(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
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

int
main(void)
{
    Suite *suite = suite_create("limit ends");
    add(suite, who_waits_in_vain_is_told_of_it, TARGETS);
    add(suite, a_connect_that_fails_gives_its_place_back, TARGETS);
    add(suite, a_pool_that_closes_leaves_the_line, TARGETS);
    add(suite, a_loop_may_end_while_they_wait, 3 * TARGETS);
    add(suite, nothing_is_lost_without_memory, TARGETS / 2);
    add(suite, a_pool_that_closes_gives_what_is_idle, TARGETS);
    add(suite, a_drain_ends_without_room, TARGETS);
    add(suite, who_is_abandoned_has_no_place, TARGETS - 1);
    add(suite, loops_of_several_threads_share_it, 4 * TARGETS);
    return suite_run(suite);
}
