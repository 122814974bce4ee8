/* Cancelling and timeouts, without an event loop. */
#include <math.h>

#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/outcome.h"
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
    ck_assert_uint_eq(bare.ready.unhandled, 0);
}

static dbal_deferred *
make(void)
{
    return dbal_deferred_new(loop, NULL, NULL);
}

static dbal_outcome
wait_for(dbal_outcome in, void *other)
{
    (void)in;
    return dbal_wait(other);
}

/* Makes one wait for another. */
static dbal_deferred *
waiting_for(dbal_deferred *inner)
{
    dbal_deferred *outer = make();
    dbal_deferred_add_callback(outer, wait_for, inner);
    dbal_deferred_fire(outer, dbal_done());
    bare_loop_run(&bare);
    return outer;
}

/* cancellers */

static void
fire_text(dbal_deferred *deferred, void *text)
{
    ck_assert(dbal_deferred_fire(deferred, trace_text(text)));
}

static void
fire_error(dbal_deferred *deferred, void *text)
{
    ck_assert(dbal_deferred_fire(
        deferred, dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "%s", (char *)text))));
}

static void
cancel_again(dbal_deferred *deferred, void *name)
{
    trace_name(name);
    dbal_deferred_cancel(deferred);
}

static void
drop_producer(dbal_deferred *deferred, void *name)
{
    trace_name(name);
    dbal_deferred_unref(deferred);
}

START_TEST(without_canceller_one_late_firing_passes)
{
    dbal_deferred *d = make();
    dbal_deferred_ref(d);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_cancel(d);
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("d=!cancelled");
    dbal_deferred_cancel(d);
    ck_assert(!dbal_deferred_fire(d, trace_text("late")));
    ck_assert_uint_eq(bare.log.count, 0);
    ck_assert(!dbal_deferred_fire(d, trace_text("twice")));
    ck_assert_uint_eq(log_lines_count(&bare.log, "fired before"), 1);
    bare_loop_run(&bare);
    TRACE_EQ("d=!cancelled");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(producer_may_drop_what_was_cancelled)
{
    dbal_deferred *d = make();
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_cancel(d);
    dbal_deferred_unref(d);
    bare_loop_run(&bare);
    TRACE_EQ("d=!cancelled");
}
END_TEST

START_TEST(canceller_is_called_once_and_at_once)
{
    dbal_deferred *d = dbal_deferred_new(loop, drop_producer, "canceller");
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_cancel(d);
    TRACE_EQ("canceller");
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("canceller d=!cancelled");
}
END_TEST

START_TEST(canceller_that_fires_a_value)
{
    dbal_deferred *d = dbal_deferred_new(loop, fire_text, "hello");
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_cancel(d);
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("d=hello");
}
END_TEST

START_TEST(canceller_that_fires_an_error)
{
    dbal_deferred *d = dbal_deferred_new(loop, fire_error, "gone");
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("d=!application");
}
END_TEST

START_TEST(canceller_that_cancels)
{
    dbal_deferred *d = dbal_deferred_new(loop, cancel_again, "canceller");
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("canceller d=!cancelled");
    ck_assert(!dbal_deferred_fire(d, trace_text("late")));
}
END_TEST

START_TEST(fired_one_is_not_cancelled)
{
    dbal_deferred *d = dbal_deferred_new(loop, trace_canceller, "canceller");
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_fire(d, trace_text("x"));
    dbal_deferred_cancel(d);
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("d=x");
}
END_TEST

START_TEST(producer_that_is_waited_for)
{
    dbal_deferred *d = dbal__deferred_new(loop, trace_canceller, "canceller");
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_cancel(d);
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("canceller");
    ck_assert(dbal_deferred_fire(d, trace_text("in the end")));
    bare_loop_run(&bare);
    TRACE_EQ("canceller d=in the end");
}
END_TEST

START_TEST(cancelling_goes_to_the_one_waited_for)
{
    dbal_deferred *inner = dbal_deferred_new(loop, drop_producer, "inner");
    dbal_deferred *outer = waiting_for(waiting_for(inner));
    dbal_deferred_add_both(outer, trace_handle, "outer");
    dbal_deferred_cancel(outer);
    TRACE_EQ("inner");
    bare_loop_run(&bare);
    TRACE_EQ("inner outer=!cancelled");
}
END_TEST

static dbal_outcome
cancel_self(dbal_outcome in, void *arg)
{
    trace_add("cancels");
    dbal_deferred_cancel(*(dbal_deferred **)arg);
    return in;
}

START_TEST(cancelled_inside_its_own_callback_goes_on)
{
    dbal_deferred *d = make();
    dbal_deferred_add_callback(d, cancel_self, &d);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("cancels d=x");
}
END_TEST

START_TEST(cancelled_between_firing_and_callbacks)
{
    /* the callback has yet to run, and what it will wait for is what is cancelled */
    dbal_deferred *inner = dbal_deferred_new(loop, drop_producer, "inner");
    dbal_deferred *outer = make();
    dbal_deferred_add_callback(outer, wait_for, inner);
    dbal_deferred_add_both(outer, trace_handle, "outer");
    dbal_deferred_fire(outer, dbal_done());
    dbal_deferred_cancel(outer);
    dbal_deferred_cancel(outer);
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("inner outer=!cancelled");
}
END_TEST

START_TEST(cancelled_while_the_one_waited_for_is_about_to_run)
{
    dbal_deferred *first = make();
    dbal_deferred *second = dbal_deferred_new(loop, drop_producer, "second");
    dbal_deferred *outer = waiting_for(first);
    dbal_deferred_add_callback(outer, trace_handle, "first");
    dbal_deferred_add_callback(outer, wait_for, second);
    dbal_deferred_add_both(outer, trace_handle, "outer");
    dbal_deferred_fire(first, trace_text("x"));
    dbal_deferred_cancel(outer);
    bare_loop_run(&bare);
    TRACE_EQ("first=x second outer=!cancelled");
}
END_TEST

START_TEST(cancelling_a_settled_one_leaves_later_callbacks_alone)
{
    dbal_deferred *d = dbal_deferred_ref(make());
    dbal_deferred *later = make();
    dbal_deferred_fire(d, trace_text("x"));
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    dbal_deferred_cancel(d);
    dbal_deferred_add_callback(d, wait_for, later);
    dbal_deferred_add_both(d, trace_handle, "d");
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_fire(later, trace_text("y"));
    bare_loop_run(&bare);
    TRACE_EQ("d=y");
    dbal_deferred_unref(d);
}
END_TEST

/* timeouts */

START_TEST(timeout_cancels_and_becomes_timeout)
{
    dbal_deferred *d = make();
    ck_assert_ptr_eq(dbal_deferred_add_timeout(d, 10), d);
    dbal_deferred_add_both(d, trace_handle, "d");
    bare_loop_advance(&bare, 9.9);
    TRACE_EQ("");
    bare_loop_advance(&bare, 0.2);
    TRACE_EQ("d=!timeout");
    ck_assert(!dbal_deferred_fire(d, trace_text("late")));
}
END_TEST

static dbal_outcome
look_at_timeout(dbal_outcome in, void *arg)
{
    (void)arg;
    dbal_error *error = dbal_outcome_error(in);
    ck_assert(dbal_error_is(error, DBAL_ERROR_TIMEOUT));
    ck_assert_str_eq(dbal_error_message(error), "not finished within 1.5 s");
    ck_assert(dbal_error_is(dbal_error_cause(error), DBAL_ERROR_CANCELLED));
    trace_add("looked");
    return dbal_done();
}

START_TEST(timeout_says_how_long_and_keeps_the_cause)
{
    dbal_deferred *d = make();
    dbal_deferred_add_timeout(d, 1.5);
    dbal_deferred_add_errback(d, look_at_timeout, NULL);
    bare_loop_advance(&bare, 2);
    TRACE_EQ("looked");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(timeout_ends_with_what_was_added_before_it)
{
    dbal_deferred *inner = make(), *d = make();
    dbal_deferred_add_timeout(d, 10);
    dbal_deferred_add_callback(d, wait_for, inner);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    bare_loop_advance(&bare, 15);
    TRACE_EQ("");
    dbal_deferred_fire(inner, trace_text("y"));
    bare_loop_run(&bare);
    TRACE_EQ("d=y");
}
END_TEST

START_TEST(timeout_covers_what_its_callbacks_wait_for)
{
    dbal_deferred *inner = dbal_deferred_new(loop, drop_producer, "inner"), *d = make();
    dbal_deferred_add_callback(d, wait_for, inner);
    dbal_deferred_add_timeout(d, 10);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    bare_loop_advance(&bare, 15);
    TRACE_EQ("inner d=!timeout");
}
END_TEST

START_TEST(errback_before_the_timeout_sees_the_cancellation)
{
    dbal_deferred *d = make();
    dbal_deferred_add_errback(d, trace_pass, "before");
    dbal_deferred_add_timeout(d, 10);
    dbal_deferred_add_errback(d, trace_handle, "after");
    bare_loop_advance(&bare, 10);
    TRACE_EQ("before=!cancelled after=!timeout");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(errback_before_the_timeout_may_handle_it)
{
    dbal_deferred *d = make();
    dbal_deferred_add_errback(d, trace_handle, "before");
    dbal_deferred_add_timeout(d, 10);
    dbal_deferred_add_both(d, trace_handle, "after");
    bare_loop_advance(&bare, 10);
    TRACE_EQ("before=!cancelled after=-");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(canceller_decides_what_a_timeout_gives)
{
    dbal_deferred *a = dbal_deferred_new(loop, fire_text, "rescued");
    dbal_deferred *b = dbal_deferred_new(loop, fire_error, "gone");
    dbal_deferred_add_both(dbal_deferred_add_timeout(a, 1), trace_handle, "a");
    dbal_deferred_add_both(dbal_deferred_add_timeout(b, 2), trace_handle, "b");
    bare_loop_advance(&bare, 1);
    bare_loop_advance(&bare, 1);
    TRACE_EQ("a=rescued b=!application");
}
END_TEST

START_TEST(cancelled_before_the_timeout_stays_cancelled)
{
    dbal_deferred *inner = make(), *d = make();
    dbal_deferred_add_timeout(d, 10);
    dbal_deferred_add_errback(d, trace_pass, "d");
    dbal_deferred_add_errback(d, wait_for, inner);
    dbal_deferred_add_both(d, trace_handle, "end");
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    bare_loop_advance(&bare, 15);
    TRACE_EQ("d=!cancelled");
    dbal_deferred_fire(inner, trace_text("y"));
    bare_loop_run(&bare);
    TRACE_EQ("d=!cancelled end=y");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(only_its_own_cancellation_becomes_timeout)
{
    /* cancelled by the application; the producer takes its time, and the timeout comes meanwhile */
    dbal_deferred *d = dbal__deferred_new(loop, trace_canceller, "canceller");
    dbal_deferred_add_timeout(d, 1);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_cancel(d);
    bare_loop_advance(&bare, 2);
    dbal_deferred_fire(d, dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_FAILED));
    bare_loop_run(&bare);
    TRACE_EQ("canceller d=!cancelled");
}
END_TEST

START_TEST(of_two_timeouts_the_one_that_struck_is_named)
{
    dbal_deferred *d = dbal__deferred_new(loop, trace_canceller, "canceller");
    dbal_deferred_add_timeout(d, 5);
    dbal_deferred_add_both(d, trace_pass, "between");
    dbal_deferred_add_timeout(d, 1);
    dbal_deferred_add_both(d, trace_handle, "end");
    bare_loop_advance(&bare, 1);
    bare_loop_advance(&bare, 5);
    dbal_deferred_fire(d, dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_FAILED));
    bare_loop_run(&bare);
    TRACE_EQ("canceller between=!cancelled end=!timeout");
}
END_TEST

START_TEST(timeout_between_firing_and_callbacks_is_not_lost)
{
    dbal_deferred *inner = dbal_deferred_new(loop, drop_producer, "inner"), *d = make();
    dbal_deferred_add_callback(d, wait_for, inner);
    dbal_deferred_add_timeout(d, 1);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_fire(d, dbal_done());
    bare_loop_advance(&bare, 1);
    TRACE_EQ("inner d=!timeout");
}
END_TEST

START_TEST(timeout_between_firing_and_its_end_does_nothing)
{
    dbal_deferred *inner = make(), *d = make();
    dbal_deferred_add_timeout(d, 1);
    dbal_deferred_add_callback(d, wait_for, inner);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_fire(d, dbal_done());
    bare_loop_advance(&bare, 1);
    TRACE_EQ("");
    dbal_deferred_fire(inner, trace_text("y"));
    bare_loop_run(&bare);
    TRACE_EQ("d=y");
}
END_TEST

START_TEST(seconds_out_of_range)
{
    dbal_deferred *now = make(), *past = make(), *never = make(), *nan = make();
    dbal_deferred_add_both(dbal_deferred_add_timeout(now, 0), trace_handle, "now");
    dbal_deferred_add_both(dbal_deferred_add_timeout(past, -1), trace_handle, "past");
    dbal_deferred_add_both(dbal_deferred_add_timeout(never, INFINITY), trace_handle, "never");
    dbal_deferred_add_both(dbal_deferred_add_timeout(nan, NAN), trace_handle, "nan");
    TRACE_EQ("");
    bare_loop_advance(&bare, 0);
    ck_assert_uint_eq(bare.ready.unsettled, 2);
    bare_loop_advance(&bare, 1e9);
    ck_assert_uint_eq(bare.ready.unsettled, 2);
    dbal_deferred_unref(now);
    dbal_deferred_unref(past);
    dbal_deferred_unref(never);
    dbal_deferred_unref(nan);
}
END_TEST

START_TEST(timeout_added_to_a_settled_one)
{
    dbal_deferred *d = dbal_deferred_ref(make());
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    dbal_deferred_add_timeout(d, 1);
    dbal_deferred_add_both(d, trace_handle, "d");
    bare_loop_run(&bare);
    bare_loop_advance(&bare, 2);
    TRACE_EQ("d=x");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(loop_that_ends_stops_timeouts)
{
    dbal_deferred *d = make();
    dbal_deferred_add_timeout(d, 1);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal__deferred_close_all(&bare.ready);
    TRACE_EQ("d=!closed");
    ck_assert_int_eq(dbal__clock_next(&bare.ready.clock), DBAL__NEVER);
    ck_assert(!dbal_deferred_fire(d, trace_text("late")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cancel");
    const TTest *const tests[] = {
        without_canceller_one_late_firing_passes,
        producer_may_drop_what_was_cancelled,
        canceller_is_called_once_and_at_once,
        canceller_that_fires_a_value,
        canceller_that_fires_an_error,
        canceller_that_cancels,
        fired_one_is_not_cancelled,
        producer_that_is_waited_for,
        cancelling_goes_to_the_one_waited_for,
        cancelled_inside_its_own_callback_goes_on,
        cancelled_between_firing_and_callbacks,
        cancelled_while_the_one_waited_for_is_about_to_run,
        cancelling_a_settled_one_leaves_later_callbacks_alone,
        timeout_cancels_and_becomes_timeout,
        timeout_says_how_long_and_keeps_the_cause,
        timeout_ends_with_what_was_added_before_it,
        timeout_covers_what_its_callbacks_wait_for,
        errback_before_the_timeout_sees_the_cancellation,
        errback_before_the_timeout_may_handle_it,
        canceller_decides_what_a_timeout_gives,
        cancelled_before_the_timeout_stays_cancelled,
        only_its_own_cancellation_becomes_timeout,
        of_two_timeouts_the_one_that_struck_is_named,
        timeout_between_firing_and_callbacks_is_not_lost,
        timeout_between_firing_and_its_end_does_nothing,
        seconds_out_of_range,
        timeout_added_to_a_settled_one,
        loop_that_ends_stops_timeouts,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
