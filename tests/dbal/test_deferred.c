/* Firing, callbacks, errors, pausing and references, without an event loop. */
#include "dbal/deferred.h"

#include <stdlib.h>
#include <string.h>

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

static dbal_outcome
broken(void)
{
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "broken"));
}

/* callbacks */

static dbal_outcome
give_other(dbal_outcome in, void *text)
{
    (void)in;
    return trace_text(text);
}

static dbal_outcome
give_error(dbal_outcome in, void *name)
{
    trace_pass(in, name);
    return broken();
}

START_TEST(callbacks_run_from_the_loop_in_order)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callback(d, trace_pass, "a");
    ck_assert(dbal_deferred_fire(d, trace_text("x")));
    dbal_deferred_add_callback(d, trace_pass, "b");
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("a=x b=x");
}
END_TEST

START_TEST(callback_added_late_runs_from_the_loop)
{
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    dbal_deferred_add_callback(d, trace_pass, "late");
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("late=x");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(more_callbacks_than_have_room_inside)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    static char names[][2] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    for (size_t i = 0; i < 10; i++)
        dbal_deferred_add_callback(d, trace_pass, names[i]);
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("a=x b=x c=x d=x e=x f=x g=x h=x i=x j=x");
}
END_TEST

START_TEST(exactly_one_of_a_pair_runs)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callbacks(d, give_error, trace_pass, "a");
    dbal_deferred_add_callbacks(d, trace_pass, trace_handle, "b");
    dbal_deferred_add_callbacks(d, trace_pass, trace_handle, "c");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("a=x b=!application c=-");
}
END_TEST

START_TEST(missing_callbacks_pass_on)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_errback(d, trace_handle, "not");
    dbal_deferred_add_callbacks(d, NULL, NULL, NULL);
    dbal_deferred_add_both(d, trace_pass, "both");
    dbal_deferred_add_callback(d, give_error, "fail");
    dbal_deferred_add_callback(d, trace_pass, "not");
    dbal_deferred_add_both(d, trace_handle, "end");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("both=x fail=x end=!application");
}
END_TEST

static int freed;

static void
count_free(void *pointer)
{
    freed++;
    free(pointer);
}

START_TEST(values_are_freed_once_when_replaced)
{
    freed = 0;
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callback(d, give_other, "y");
    dbal_deferred_add_callback(d, trace_pass, "a");
    dbal_deferred_fire(d, dbal_ok(malloc(1), count_free));
    ck_assert_int_eq(freed, 0);
    bare_loop_run(&bare);
    ck_assert_int_eq(freed, 1);
    TRACE_EQ("a=y");
}
END_TEST

static dbal_outcome
same(dbal_outcome in, void *arg)
{
    (void)arg;
    return in;
}

START_TEST(value_passed_on_lives_to_the_end)
{
    freed = 0;
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_ref(d);
    dbal_deferred_add_callback(d, same, NULL);
    dbal_deferred_fire(d, dbal_ok(malloc(1), count_free));
    bare_loop_run(&bare);
    ck_assert_int_eq(freed, 0);
    ck_assert_ptr_null(dbal_deferred_unref(d));
    ck_assert_int_eq(freed, 1);
}
END_TEST

static dbal_outcome
same_error(dbal_outcome in, void *arg)
{
    (void)arg;
    return dbal_fail(dbal_outcome_error(in));
}

START_TEST(error_read_and_failed_with_again_is_passed_on)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_errback(d, same_error, NULL);
    dbal_deferred_add_errback(d, trace_handle, "e");
    dbal_deferred_fire(d, broken());
    bare_loop_run(&bare);
    TRACE_EQ("e=!application");
}
END_TEST

/* inside callbacks */

static dbal_outcome
add_two(dbal_outcome in, void *arg)
{
    dbal_deferred *d = *(dbal_deferred **)arg;
    trace_add("adds");
    dbal_deferred_add_callback(d, trace_pass, "third");
    dbal_deferred_add_callback(d, trace_pass, "fourth");
    trace_add("added");
    return in;
}

START_TEST(callbacks_added_inside_a_callback_run_last)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callback(d, add_two, &d);
    dbal_deferred_add_callback(d, trace_pass, "second");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("adds added second=x third=x fourth=x");
}
END_TEST

static dbal_outcome
add_failing(dbal_outcome in, void *arg)
{
    dbal_deferred *d = *(dbal_deferred **)arg;
    dbal_deferred_add_callback(d, give_error, "inner");
    return in;
}

START_TEST(error_of_callback_added_inside_goes_on)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_ref(d);
    dbal_deferred_add_callback(d, add_failing, &d);
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    dbal_deferred_add_errback(d, trace_handle, "e");
    dbal_deferred_unref(d);
    bare_loop_run(&bare);
    TRACE_EQ("inner=x e=!application");
}
END_TEST

static dbal_outcome
fire_other(dbal_outcome in, void *arg)
{
    trace_add("fires");
    dbal_deferred_fire(arg, trace_text("y"));
    trace_add("fired");
    return in;
}

START_TEST(firing_inside_a_callback_does_not_nest)
{
    dbal_deferred *a = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred *b = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callback(b, trace_pass, "b");
    dbal_deferred_add_callback(a, fire_other, b);
    dbal_deferred_add_callback(a, trace_pass, "a");
    dbal_deferred_fire(a, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("fires fired a=x b=y");
}
END_TEST

/* finally */

START_TEST(finally_runs_on_every_path_and_changes_nothing)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_finally(d, trace_name, "one");
    dbal_deferred_add_callback(d, give_error, "a");
    dbal_deferred_add_finally(d, trace_name, "two");
    dbal_deferred_add_both(d, trace_handle, "b");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("one a=x two b=!application");
}
END_TEST

START_TEST(finally_on_null_runs_at_once_and_nothing_else_does)
{
    ck_assert_ptr_null(dbal_deferred_add_callbacks(NULL, trace_pass, trace_pass, "a"));
    ck_assert_ptr_null(dbal_deferred_add_callback(NULL, trace_pass, "a"));
    ck_assert_ptr_null(dbal_deferred_add_errback(NULL, trace_pass, "a"));
    ck_assert_ptr_null(dbal_deferred_add_both(NULL, trace_pass, "a"));
    ck_assert_ptr_null(dbal_deferred_add_timeout(NULL, 1));
    dbal_deferred_cancel(NULL);
    dbal_deferred_pause(NULL);
    dbal_deferred_unpause(NULL);
    ck_assert_ptr_null(dbal_deferred_ref(NULL));
    ck_assert_ptr_null(dbal_deferred_unref(NULL));
    ck_assert_ptr_null(dbal_deferred_add_finally(NULL, trace_name, "end"));
    TRACE_EQ("end");
}
END_TEST

START_TEST(firing_null_frees_the_outcome)
{
    freed = 0;
    ck_assert(!dbal_deferred_fire(NULL, dbal_ok(malloc(1), count_free)));
    ck_assert_int_eq(freed, 1);
}
END_TEST

/* firing twice */

START_TEST(firing_twice_changes_nothing)
{
    freed = 0;
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callback(d, trace_pass, "a");
    ck_assert(dbal_deferred_fire(d, trace_text("x")));
    ck_assert(!dbal_deferred_fire(d, dbal_ok(malloc(1), count_free)));
    ck_assert(!dbal_deferred_fire(d, broken()));
    ck_assert_int_eq(freed, 1);
    bare_loop_run(&bare);
    TRACE_EQ("a=x");
    ck_assert_uint_eq(log_lines_count(&bare.log, "fired before"), 2);
    ck_assert_uint_eq(bare.ready.unhandled, 0);
}
END_TEST

START_TEST(firing_twice_after_it_has_settled)
{
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_deferred_fire(d, broken());
    bare_loop_run(&bare);
    ck_assert(!dbal_deferred_fire(d, trace_text("y")));
    dbal_deferred_add_both(d, trace_handle, "a");
    dbal_deferred_unref(d);
    bare_loop_run(&bare);
    TRACE_EQ("a=!application");
}
END_TEST

/* references */

START_TEST(unfired_without_references_fails_with_closed)
{
    dbal_deferred *d = dbal_deferred_new(loop, trace_canceller, "canceller");
    dbal_deferred_add_both(d, trace_handle, "a");
    dbal_deferred_unref(d);
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("a=!closed");
}
END_TEST

START_TEST(application_reference_alone_keeps_it_unfired)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred *kept = dbal_deferred_ref(d);
    dbal_deferred_add_both(d, trace_handle, "a");
    dbal_deferred_unref(d);
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_unref(kept);
    bare_loop_run(&bare);
    TRACE_EQ("a=!closed");
}
END_TEST

START_TEST(fired_one_runs_without_any_reference)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callback(d, trace_pass, "a");
    dbal_deferred_ref(d);
    dbal_deferred_fire(d, trace_text("x"));
    dbal_deferred_unref(d);
    bare_loop_run(&bare);
    TRACE_EQ("a=x");
}
END_TEST

START_TEST(paused_one_without_references_ends_by_itself)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callback(d, trace_pass, "a");
    dbal_deferred_pause(d);
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("a=x");
}
END_TEST

static dbal_outcome
drop(dbal_outcome in, void *arg)
{
    dbal_deferred_unref(arg);
    trace_add("dropped");
    return in;
}

START_TEST(last_reference_dropped_inside_its_own_callback)
{
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_deferred_add_callback(d, drop, d);
    dbal_deferred_add_callback(d, trace_pass, "a");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("dropped a=x");
}
END_TEST

START_TEST(reference_outlives_the_loop)
{
    bare_loop short_lived;
    bare_loop_init(&short_lived);
    dbal_deferred *d = dbal_deferred_new(bare_loop_of(&short_lived), NULL, NULL);
    dbal_deferred *kept = dbal_deferred_ref(d);
    dbal_deferred_add_both(kept, trace_pass, "a");
    bare_loop_fini(&short_lived);
    TRACE_EQ("a=!closed");
    ck_assert_uint_eq(log_lines_count(&short_lived.log, "unhandled"), 1);
    memset(&short_lived, 0xff, sizeof short_lived);

    dbal_deferred_add_callback(kept, trace_pass, "b");
    dbal_deferred_add_timeout(kept, 1);
    dbal_deferred_pause(kept);
    dbal_deferred_unpause(kept);
    dbal_deferred_cancel(kept);
    dbal_deferred_add_finally(kept, trace_name, "end");
    TRACE_EQ("a=!closed end");
    ck_assert(!dbal_deferred_fire(d, trace_text("late")));
    dbal_deferred_unref(kept);
}
END_TEST

/* pausing */

START_TEST(pause_holds_callbacks_back_until_as_many_unpauses)
{
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_deferred_pause(d);
    dbal_deferred_pause(d);
    dbal_deferred_add_callback(d, trace_pass, "a");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    dbal_deferred_unpause(d);
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_unpause(d);
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("a=x");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(unpause_before_firing_and_too_often)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_unpause(d);
    dbal_deferred_pause(d);
    dbal_deferred_add_callback(d, trace_pass, "a");
    dbal_deferred_unpause(d);
    dbal_deferred_unpause(d);
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("a=x");
}
END_TEST

static dbal_outcome
pause_it(dbal_outcome in, void *arg)
{
    dbal_deferred_pause(arg);
    trace_add("pauses");
    return in;
}

START_TEST(paused_inside_a_callback)
{
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_deferred_add_callback(d, pause_it, d);
    dbal_deferred_add_callback(d, trace_pass, "a");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("pauses");
    dbal_deferred_unpause(d);
    bare_loop_run(&bare);
    TRACE_EQ("pauses a=x");
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(settled_one_can_be_paused_again)
{
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_deferred_fire(d, broken());
    bare_loop_run(&bare);
    dbal_deferred_pause(d);
    dbal_deferred_add_errback(d, trace_handle, "e");
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_unpause(d);
    bare_loop_run(&bare);
    TRACE_EQ("e=!application");
    dbal_deferred_unref(d);
}
END_TEST

/* unhandled errors */

START_TEST(unhandled_error_is_reported_once_when_the_last_reference_goes)
{
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_error *error = dbal_error_new(DBAL_ERROR_APPLICATION, "it went wrong");
    dbal__error_set_where(error, "SELECT 1");
    dbal_deferred_fire(d, dbal_fail(error));
    bare_loop_run(&bare);
    ck_assert_uint_eq(bare.log.count, 0);
    dbal_deferred_unref(d);
    ck_assert_uint_eq(bare.log.count, 1);
    ck_assert_int_eq(bare.log.levels[0], DBAL_LOG_ERROR);
    ck_assert_uint_eq(log_lines_count(&bare.log, "it went wrong"), 1);
    ck_assert_uint_eq(log_lines_count(&bare.log, "SELECT 1"), 1);
    ck_assert_uint_eq(bare.ready.unhandled, 1);
}
END_TEST

START_TEST(wrapped_error_tells_where_it_came_from)
{
    dbal_error *cause = dbal_error_new(DBAL_ERROR_DATA, "cause");
    dbal__error_set_where(cause, "SELECT 2");
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_fire(d, dbal_fail(dbal_error_wrap(cause, "wrapped")));
    dbal_error_unref(cause);
    bare_loop_run(&bare);
    ck_assert_uint_eq(log_lines_count(&bare.log, "SELECT 2"), 1);
}
END_TEST

START_TEST(handled_error_is_not_reported)
{
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_errback(d, trace_handle, "e");
    dbal_deferred_fire(d, broken());
    bare_loop_run(&bare);
    ck_assert_uint_eq(bare.log.count, 0);
}
END_TEST

START_TEST(errback_added_late_still_handles)
{
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_deferred_fire(d, broken());
    bare_loop_run(&bare);
    dbal_deferred_add_errback(d, trace_handle, "e");
    dbal_deferred_unref(d);
    bare_loop_run(&bare);
    TRACE_EQ("e=!application");
    ck_assert_uint_eq(bare.log.count, 0);
}
END_TEST

START_TEST(what_is_unsettled_is_counted)
{
    dbal_deferred *a = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_deferred *b = dbal_deferred_new(loop, NULL, NULL);
    ck_assert_uint_eq(bare.ready.unsettled, 2);
    dbal_deferred_fire(a, dbal_done());
    bare_loop_run(&bare);
    ck_assert_uint_eq(bare.ready.unsettled, 1);
    dbal_deferred_add_callback(a, trace_pass, "a");
    ck_assert_uint_eq(bare.ready.unsettled, 2);
    bare_loop_run(&bare);
    ck_assert_uint_eq(bare.ready.unsettled, 1);
    dbal_deferred_unref(a);
    dbal_deferred_fire(b, dbal_done());
}
END_TEST

static dbal_outcome
end_slice(dbal_outcome in, void *name)
{
    bare.ready.slice_end = 0;
    return trace_pass(in, name);
}

START_TEST(slices_keep_the_order)
{
    dbal_deferred *d[3];
    for (int i = 0; i < 3; i++)
        d[i] = dbal_deferred_new(loop, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 7; k++)
            dbal_deferred_add_callback(d[i], end_slice, i == 0 ? "a" : i == 1 ? "b" : "c");
        dbal_deferred_fire(d[i], dbal_done());
    }
    ck_assert_msg(dbal__ready_drain(&bare.ready), "the slice must be over before all have run");
    ck_assert_uint_lt(strlen(trace), 21 * 4 - 1);
    bare_loop_run(&bare);
    TRACE_EQ("a=- a=- a=- a=- a=- a=- a=- b=- b=- b=- b=- b=- b=- b=- c=- c=- c=- c=- c=- c=- c=-");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("deferred");
    const TTest *const tests[] = {
        callbacks_run_from_the_loop_in_order,
        callback_added_late_runs_from_the_loop,
        more_callbacks_than_have_room_inside,
        exactly_one_of_a_pair_runs,
        missing_callbacks_pass_on,
        values_are_freed_once_when_replaced,
        value_passed_on_lives_to_the_end,
        error_read_and_failed_with_again_is_passed_on,
        callbacks_added_inside_a_callback_run_last,
        error_of_callback_added_inside_goes_on,
        firing_inside_a_callback_does_not_nest,
        finally_runs_on_every_path_and_changes_nothing,
        finally_on_null_runs_at_once_and_nothing_else_does,
        firing_null_frees_the_outcome,
        firing_twice_changes_nothing,
        firing_twice_after_it_has_settled,
        unfired_without_references_fails_with_closed,
        application_reference_alone_keeps_it_unfired,
        fired_one_runs_without_any_reference,
        paused_one_without_references_ends_by_itself,
        last_reference_dropped_inside_its_own_callback,
        reference_outlives_the_loop,
        pause_holds_callbacks_back_until_as_many_unpauses,
        unpause_before_firing_and_too_often,
        paused_inside_a_callback,
        settled_one_can_be_paused_again,
        unhandled_error_is_reported_once_when_the_last_reference_goes,
        wrapped_error_tells_where_it_came_from,
        handled_error_is_not_reported,
        errback_added_late_still_handles,
        what_is_unsettled_is_counted,
        slices_keep_the_order,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
