/* Deferreds that wait for one another, without an event loop. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "dbal/deferred.h"
#include "dbal/error.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"

static bare_loop bare;
static dbal_loop *loop;

static void
setup(void)
{
    bare_loop_init(&bare);
    loop = bare_loop_of(&bare);
    trace_clear();
}

static void
teardown(void)
{
    bare_loop_fini(&bare);
    ck_assert_uint_eq(bare.ready.unsettled, 0);
}

static dbal_deferred *
make(void)
{
    return dbal_deferred_new(loop, NULL, NULL);
}

static dbal_deferred *
fired(dbal_outcome outcome)
{
    dbal_deferred *d = make();
    dbal_deferred_fire(d, outcome);
    return d;
}

static dbal_outcome
broken(void)
{
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "broken"));
}

static dbal_outcome
wait_for(dbal_outcome in, void *other)
{
    (void)in;
    return dbal_wait(other);
}

START_TEST(next_callback_waits_for_the_deferred_returned)
{
    dbal_deferred *outer = make(), *inner = make();
    dbal_deferred_add_callback(outer, wait_for, inner);
    dbal_deferred_add_callback(outer, trace_pass, "outer");
    dbal_deferred_fire(outer, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_fire(inner, trace_text("y"));
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("outer=y");
}
END_TEST

START_TEST(errback_may_return_a_deferred)
{
    dbal_deferred *outer = make(), *inner = make();
    dbal_deferred_add_errback(outer, wait_for, inner);
    dbal_deferred_add_callback(outer, trace_pass, "outer");
    dbal_deferred_fire(outer, broken());
    bare_loop_run(&bare);
    dbal_deferred_fire(inner, trace_text("y"));
    bare_loop_run(&bare);
    TRACE_EQ("outer=y");
    ck_assert_uint_eq(bare.log.count, 0);
}
END_TEST

START_TEST(fired_with_a_deferred_it_waits)
{
    dbal_deferred *outer = make(), *inner = make();
    dbal_deferred_add_callback(outer, trace_pass, "outer");
    ck_assert(dbal_deferred_fire(outer, dbal_wait(inner)));
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_fire(inner, trace_text("y"));
    bare_loop_run(&bare);
    TRACE_EQ("outer=y");
}
END_TEST

START_TEST(outcome_of_a_settled_one_is_taken)
{
    dbal_deferred *first = dbal_deferred_ref(fired(trace_text("x")));
    dbal_deferred *second = dbal_deferred_ref(make());
    bare_loop_run(&bare);
    dbal_deferred_add_callback(second, wait_for, first);
    dbal_deferred_fire(second, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_add_callback(first, trace_pass, "first");
    dbal_deferred_add_callback(second, trace_pass, "second");
    bare_loop_run(&bare);
    TRACE_EQ("first=- second=x");
    dbal_deferred_unref(first);
    dbal_deferred_unref(second);
}
END_TEST

START_TEST(outcome_goes_to_the_waiter_first)
{
    dbal_deferred *first = make(), *second = make();
    dbal_deferred_add_callback(second, wait_for, first);
    dbal_deferred_fire(second, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_add_callback(first, trace_pass, "first");
    dbal_deferred_add_callback(second, trace_pass, "second");
    dbal_deferred_fire(first, trace_text("x"));
    bare_loop_run(&bare);
    /* as in Twisted: the one that waited runs before the rest of the one it waited for */
    TRACE_EQ("second=x first=-");
}
END_TEST

START_TEST(second_waiter_gets_nothing)
{
    dbal_deferred *inner = make(), *a = make(), *b = make();
    dbal_deferred_add_callback(a, wait_for, inner);
    dbal_deferred_add_callback(b, wait_for, inner);
    dbal_deferred_add_both(a, trace_pass, "a");
    dbal_deferred_add_both(b, trace_pass, "b");
    dbal_deferred_fire(a, dbal_done());
    dbal_deferred_fire(b, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_fire(inner, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("a=x b=-");
}
END_TEST

START_TEST(error_goes_to_the_waiter_and_is_not_reported_twice)
{
    dbal_deferred *first = make(), *second = make();
    dbal_deferred_add_callback(second, wait_for, first);
    dbal_deferred_add_errback(second, trace_handle, "second");
    dbal_deferred_fire(second, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_add_both(first, trace_pass, "first");
    dbal_deferred_fire(first, broken());
    bare_loop_run(&bare);
    TRACE_EQ("second=!application first=-");
    ck_assert_uint_eq(bare.log.count, 0);
}
END_TEST

START_TEST(error_of_a_settled_one_is_taken)
{
    dbal_deferred *first = dbal_deferred_ref(fired(broken())), *second = make();
    bare_loop_run(&bare);
    dbal_deferred_add_callback(second, wait_for, first);
    dbal_deferred_add_errback(second, trace_handle, "second");
    dbal_deferred_fire(second, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_unref(first);
    TRACE_EQ("second=!application");
    ck_assert_uint_eq(bare.log.count, 0);
}
END_TEST

START_TEST(errback_that_waits_clears_the_error)
{
    dbal_deferred *bad = make(), *good = make();
    dbal_deferred_add_errback(bad, wait_for, good);
    dbal_deferred_fire(bad, broken());
    bare_loop_run(&bare);
    dbal_deferred_fire(good, dbal_done());
    bare_loop_run(&bare);
    ck_assert_uint_eq(bare.log.count, 0);
}
END_TEST

START_TEST(waiting_is_transitive)
{
    dbal_deferred *first = make(), *second = make(), *third = make();
    dbal_deferred_add_callback(second, wait_for, first);
    dbal_deferred_add_callback(third, wait_for, second);
    dbal_deferred_add_callback(third, trace_pass, "third");
    dbal_deferred_fire(second, dbal_done());
    dbal_deferred_fire(third, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_fire(first, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("third=x");
}
END_TEST

START_TEST(callbacks_of_the_middle_one_run_before_the_outer)
{
    dbal_deferred *inner = make(), *middle = make(), *outer = make();
    dbal_deferred_add_callback(middle, wait_for, inner);
    dbal_deferred_add_callback(middle, trace_pass, "middle");
    dbal_deferred_add_callback(outer, wait_for, middle);
    dbal_deferred_add_callback(outer, trace_pass, "outer");
    dbal_deferred_fire(middle, dbal_done());
    dbal_deferred_fire(outer, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_fire(inner, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("middle=x outer=x");
}
END_TEST

START_TEST(callback_added_to_the_middle_one_after_waiting_began)
{
    dbal_deferred *first = make(), *second = make(), *third = make();
    dbal_deferred_add_callback(first, wait_for, second);
    dbal_deferred_add_callback(second, wait_for, third);
    dbal_deferred_ref(second);
    dbal_deferred_fire(second, dbal_done());
    dbal_deferred_fire(first, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_fire(third, trace_text("x"));
    bare_loop_run(&bare);
    dbal_deferred_add_callback(second, trace_pass, "second");
    bare_loop_run(&bare);
    TRACE_EQ("second=-");
    dbal_deferred_unref(second);
}
END_TEST

START_TEST(paused_one_with_an_outcome_is_waited_for)
{
    dbal_deferred *paused = dbal_deferred_ref(fired(trace_text("x")));
    bare_loop_run(&bare);
    dbal_deferred_pause(paused);
    dbal_deferred *outer = make();
    dbal_deferred_add_callback(outer, wait_for, paused);
    dbal_deferred_add_callback(outer, trace_pass, "outer");
    dbal_deferred_fire(outer, dbal_done());
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_unpause(paused);
    bare_loop_run(&bare);
    TRACE_EQ("outer=x");
    dbal_deferred_unref(paused);
}
END_TEST

START_TEST(paused_waiter_does_not_hold_up_the_one_it_waits_for)
{
    dbal_deferred *first = dbal_deferred_ref(make()), *second = make();
    dbal_deferred_add_callback(first, wait_for, second);
    dbal_deferred_add_callback(first, trace_pass, "first");
    dbal_deferred_fire(first, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_pause(first);
    dbal_deferred_add_callback(second, trace_pass, "second");
    dbal_deferred_fire(second, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("second=-");
    dbal_deferred_unpause(first);
    bare_loop_run(&bare);
    TRACE_EQ("second=- first=x");
    dbal_deferred_unref(first);
}
END_TEST

START_TEST(pause_while_waiting_counts_apart)
{
    dbal_deferred *outer = dbal_deferred_ref(make()), *inner = make();
    dbal_deferred_add_callback(outer, wait_for, inner);
    dbal_deferred_add_callback(outer, trace_pass, "outer");
    dbal_deferred_fire(outer, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_pause(outer);
    dbal_deferred_unpause(outer);
    dbal_deferred_unpause(outer);
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_fire(inner, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("outer=x");
    dbal_deferred_unref(outer);
}
END_TEST

START_TEST(dropped_producer_of_the_inner_ends_the_outer)
{
    dbal_deferred *outer = make(), *inner = make();
    dbal_deferred_add_callback(outer, wait_for, inner);
    dbal_deferred_add_both(outer, trace_handle, "outer");
    dbal_deferred_fire(outer, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_unref(inner);
    bare_loop_run(&bare);
    TRACE_EQ("outer=!closed");
}
END_TEST

START_TEST(waiting_for_oneself_is_an_error)
{
    dbal_deferred *d = make();
    dbal_deferred_add_callback(d, wait_for, d);
    dbal_deferred_add_errback(d, trace_handle, "d");
    dbal_deferred_fire(d, dbal_done());
    bare_loop_run(&bare);
    TRACE_EQ("d=!interface");
}
END_TEST

START_TEST(waiting_for_one_of_another_loop_is_an_error)
{
    bare_loop other;
    bare_loop_init(&other);
    dbal_deferred *foreign = dbal_deferred_new(bare_loop_of(&other), NULL, NULL);
    dbal_deferred *d = make();
    dbal_deferred_add_callback(d, wait_for, foreign);
    dbal_deferred_add_errback(d, trace_handle, "d");
    dbal_deferred_fire(d, dbal_done());
    bare_loop_run(&bare);
    TRACE_EQ("d=!interface");
    dbal_deferred_fire(foreign, dbal_done());
    bare_loop_fini(&other);
}
END_TEST

START_TEST(waiting_for_null_is_out_of_memory)
{
    dbal_deferred *d = make();
    dbal_deferred_add_callback(d, wait_for, NULL);
    dbal_deferred_add_errback(d, trace_handle, "d");
    dbal_deferred_fire(d, dbal_done());
    bare_loop_run(&bare);
    char expected[64];
    snprintf(expected, sizeof expected, "d=!%s", dbal_error_class_name(DBAL_ERROR_NO_MEMORY));
    TRACE_EQ(expected);
}
END_TEST

static void
make_cycle(dbal_deferred **d, size_t count)
{
    for (size_t i = 0; i < count; i++)
        d[i] = make();
    for (size_t i = 0; i < count; i++) {
        dbal_deferred_add_callback(d[i], wait_for, d[(i + 1) % count]);
        dbal_deferred_add_errback(d[i], trace_handle, "end");
        dbal_deferred_fire(d[i], dbal_done());
    }
    bare_loop_run(&bare);
    TRACE_EQ("");
}

START_TEST(cycle_is_reported_when_the_loop_ends)
{
    dbal_deferred *d[3];
    make_cycle(d, 3);
    dbal__deferred_close_all(&bare.ready);
    TRACE_EQ("end=!interface");
    ck_assert_uint_eq(log_lines_count(&bare.log, "cycle"), 1);
    ck_assert_uint_eq(bare.ready.unsettled, 0);
}
END_TEST

START_TEST(cancelling_into_a_cycle_ends_it)
{
    dbal_deferred *d[20], *outside = make();
    make_cycle(d, 20);
    dbal_deferred_add_callback(outside, wait_for, d[0]);
    dbal_deferred_fire(outside, dbal_done());
    bare_loop_run(&bare);
    dbal_deferred_cancel(outside);
    bare_loop_run(&bare);
    TRACE_EQ("end=!interface");
    ck_assert_uint_eq(bare.ready.unsettled, 0);
}
END_TEST

/* depth */

enum { DEPTH = 100000, SMALL_STACK = 64 * 1024 };

/* Each waits for the one before it; gives back the innermost, to be fired. */
static dbal_deferred *
build(bool outermost_first, dbal_deferred **ret_end)
{
    dbal_deferred **all = malloc(DEPTH * sizeof *all);
    for (size_t i = 0; i < DEPTH; i++) {
        all[i] = make();
        if (i > 0)
            dbal_deferred_add_callback(all[i], wait_for, all[i - 1]);
    }
    dbal_deferred_add_both(all[DEPTH - 1], trace_handle, "end");
    for (size_t i = 1; i < DEPTH; i++)
        dbal_deferred_fire(all[outermost_first ? DEPTH - i : i], dbal_done());
    bare_loop_run(&bare);
    TRACE_EQ("");
    ck_assert_uint_eq(bare.ready.unsettled, DEPTH);
    dbal_deferred *start = all[0];
    *ret_end = all[DEPTH - 1];
    free(all);
    return start;
}

static void *
deep_thread(void *arg)
{
    dbal_deferred *end;
    setup();
    dbal_deferred_fire(build(true, &end), trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("end=x");
    ck_assert_uint_eq(bare.ready.unsettled, 0);

    trace_clear();
    dbal_deferred *start = build(false, &end);
    dbal_deferred_cancel(end);
    bare_loop_run(&bare);
    TRACE_EQ("end=!cancelled");
    dbal_deferred_unref(start);

    trace_clear();
    start = build(true, &end);
    teardown();
    TRACE_EQ("end=!closed");
    dbal_deferred_unref(start);
    return arg;
}

START_TEST(deep_chains_take_constant_stack)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *got = NULL;
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, deep_thread, &got), 0);
    pthread_attr_destroy(&attributes);
    pthread_join(thread, &got);
    ck_assert_ptr_nonnull(got);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("chain");
    const TTest *const tests[] = {
        next_callback_waits_for_the_deferred_returned,
        errback_may_return_a_deferred,
        fired_with_a_deferred_it_waits,
        outcome_of_a_settled_one_is_taken,
        outcome_goes_to_the_waiter_first,
        second_waiter_gets_nothing,
        error_goes_to_the_waiter_and_is_not_reported_twice,
        error_of_a_settled_one_is_taken,
        errback_that_waits_clears_the_error,
        waiting_is_transitive,
        callbacks_of_the_middle_one_run_before_the_outer,
        callback_added_to_the_middle_one_after_waiting_began,
        paused_one_with_an_outcome_is_waited_for,
        paused_waiter_does_not_hold_up_the_one_it_waits_for,
        pause_while_waiting_counts_apart,
        dropped_producer_of_the_inner_ends_the_outer,
        waiting_for_oneself_is_an_error,
        waiting_for_one_of_another_loop_is_an_error,
        waiting_for_null_is_out_of_memory,
        cycle_is_reported_when_the_loop_ends,
        cancelling_into_a_cycle_ends_it,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    suite_add(suite, deep_chains_take_constant_stack, NULL, NULL);
    return suite_run(suite);
}
