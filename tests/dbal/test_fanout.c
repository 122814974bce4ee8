/* Semaphore and queue, without an event loop. */
#include <string.h>

#include "dbal/deferred.h"
#include "dbal/error.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"
#include <dbal/fanout.h>

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

static void
acquire(dbal_semaphore *semaphore, const char *name)
{
    dbal_deferred_add_both(dbal_semaphore_acquire(semaphore), trace_handle, (void *)(size_t)name);
}

/* semaphore */

START_TEST(semaphore_needs_a_permit)
{
    ck_assert_ptr_null(dbal_semaphore_new(loop, 0));
    ck_assert_ptr_null(dbal_semaphore_new(loop, -1));
    dbal_semaphore_free(NULL);
}
END_TEST

START_TEST(permits_are_given_in_order)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 2);
    acquire(s, "a");
    acquire(s, "b");
    acquire(s, "c");
    acquire(s, "d");
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=-");
    dbal_semaphore_release(s);
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=- c=-");
    dbal_semaphore_release(s);
    dbal_semaphore_release(s);
    acquire(s, "e");
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=- c=- d=- e=-");
    dbal_semaphore_release(s);
    dbal_semaphore_release(s);
    ck_assert_uint_eq(bare.log.count, 0);
    dbal_semaphore_free(s);
}
END_TEST

START_TEST(newcomer_does_not_overtake_the_line)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    acquire(s, "a");
    acquire(s, "b");
    dbal_semaphore_release(s);
    acquire(s, "c");
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=-");
    dbal_semaphore_free(s);
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=- c=!closed");
}
END_TEST

START_TEST(release_without_acquire_is_logged_and_ignored)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_semaphore_release(s);
    ck_assert_uint_eq(log_lines_count(&bare.log, "dbal_semaphore_release"), 1);
    acquire(s, "a");
    acquire(s, "b");
    bare_loop_run(&bare);
    TRACE_EQ("a=-");
    dbal_semaphore_free(s);
    bare_loop_run(&bare);
}
END_TEST

START_TEST(cancelled_waiter_leaves_the_line)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    acquire(s, "a");
    dbal_deferred *waiting = dbal_semaphore_acquire(s);
    dbal_deferred_add_both(waiting, trace_handle, "b");
    acquire(s, "c");
    dbal_deferred_cancel(waiting);
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=!cancelled");
    dbal_semaphore_release(s);
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=!cancelled c=-");
    dbal_semaphore_free(s);
}
END_TEST

START_TEST(cancelling_a_permit_that_was_given_does_nothing)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_deferred *d = dbal_semaphore_acquire(s);
    dbal_deferred_add_both(d, trace_handle, "a");
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("a=-");
    dbal_semaphore_free(s);
}
END_TEST

START_TEST(waiter_whose_time_is_up)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    acquire(s, "a");
    dbal_deferred *d = dbal_semaphore_acquire(s);
    dbal_deferred_add_timeout(d, 1);
    dbal_deferred_add_both(d, trace_handle, "b");
    bare_loop_advance(&bare, 1);
    TRACE_EQ("a=- b=!timeout");
    dbal_semaphore_release(s);
    acquire(s, "c");
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=!timeout c=-");
    dbal_semaphore_free(s);
}
END_TEST

/* work under a permit */

static dbal_outcome
work_text(void *text)
{
    trace_add("works");
    return trace_text(text);
}

static dbal_outcome
work_wait(void *deferred)
{
    trace_add("waits");
    return dbal_wait(deferred);
}

static dbal_outcome
work_fail(void *arg)
{
    (void)arg;
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "broken"));
}

START_TEST(run_holds_a_permit_until_its_work_has_settled)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_deferred *inner = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_both(dbal_semaphore_run(s, work_wait, inner), trace_handle, "a");
    dbal_deferred_add_both(dbal_semaphore_run(s, work_text, "y"), trace_handle, "b");
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("waits");
    dbal_deferred_fire(inner, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("waits a=x works b=y");
    acquire(s, "c");
    bare_loop_run(&bare);
    TRACE_EQ("waits a=x works b=y c=-");
    dbal_semaphore_free(s);
}
END_TEST

START_TEST(run_gives_its_permit_back_when_work_fails)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_deferred_add_both(dbal_semaphore_run(s, work_fail, NULL), trace_handle, "a");
    dbal_deferred_add_both(dbal_semaphore_run(s, work_text, "y"), trace_handle, "b");
    bare_loop_run(&bare);
    TRACE_EQ("a=!application works b=y");
    dbal_semaphore_free(s);
}
END_TEST

START_TEST(run_cancelled_in_the_line_never_works)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    acquire(s, "a");
    dbal_deferred *d = dbal_semaphore_run(s, work_text, "y");
    dbal_deferred_add_both(d, trace_handle, "b");
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("a=- b=!cancelled");
    dbal_semaphore_free(s);
}
END_TEST

START_TEST(run_cancelled_before_it_starts_never_works)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_deferred *d = dbal_semaphore_run(s, work_text, "y");
    dbal_deferred_add_both(d, trace_handle, "a");
    dbal_deferred_cancel(d);
    acquire(s, "b");
    bare_loop_run(&bare);
    TRACE_EQ("a=!cancelled b=-");
    dbal_semaphore_free(s);
}
END_TEST

START_TEST(run_cancelled_at_work_cancels_what_it_waits_for)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_deferred *inner = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred *d = dbal_semaphore_run(s, work_wait, inner);
    dbal_deferred_add_both(d, trace_handle, "a");
    bare_loop_run(&bare);
    dbal_deferred_cancel(d);
    acquire(s, "b");
    bare_loop_run(&bare);
    TRACE_EQ("waits a=!cancelled b=-");
    dbal_deferred_unref(inner);
    dbal_semaphore_free(s);
}
END_TEST

START_TEST(semaphore_freed_while_work_runs)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_deferred *inner = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_both(dbal_semaphore_run(s, work_wait, inner), trace_handle, "a");
    dbal_deferred_add_both(dbal_semaphore_run(s, work_text, "y"), trace_handle, "b");
    bare_loop_run(&bare);
    dbal_semaphore_free(s);
    bare_loop_run(&bare);
    TRACE_EQ("waits b=!closed");
    dbal_deferred_fire(inner, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("waits b=!closed a=x");
}
END_TEST

START_TEST(loop_ends_before_semaphore_and_queue_are_freed)
{
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_queue *q = dbal_queue_new(loop, 0, 0);
    acquire(s, "a");
    acquire(s, "b");
    dbal_deferred_add_both(dbal_queue_get(q), trace_handle, "get");
    bare_loop_fini(&bare);
    TRACE_EQ("a=- b=!closed get=!closed");
    dbal_semaphore_free(s);
    dbal_queue_free(q);
    bare_loop_init(&bare);
}
END_TEST

/* queue */

static void
get(dbal_queue *queue, const char *name)
{
    dbal_deferred_add_both(dbal_queue_get(queue), trace_handle, (void *)(size_t)name);
}

START_TEST(queue_keeps_order_both_ways)
{
    dbal_queue *q = dbal_queue_new(loop, 0, 0);
    get(q, "a");
    get(q, "b");
    ck_assert(dbal_queue_put(q, trace_text("1")));
    ck_assert(dbal_queue_put(q, trace_text("2")));
    ck_assert_uint_eq(dbal_queue_count(q), 0);
    ck_assert(dbal_queue_put(q, trace_text("3")));
    ck_assert(dbal_queue_put(q, trace_text("4")));
    ck_assert_uint_eq(dbal_queue_count(q), 2);
    get(q, "c");
    get(q, "d");
    ck_assert_uint_eq(dbal_queue_count(q), 0);
    bare_loop_run(&bare);
    TRACE_EQ("a=1 b=2 c=3 d=4");
    dbal_queue_free(q);
    dbal_queue_free(NULL);
}
END_TEST

static int freed;

static void
count_free(void *pointer)
{
    (void)pointer;
    freed++;
}

START_TEST(queue_that_is_full_refuses_and_frees)
{
    freed = 0;
    dbal_queue *q = dbal_queue_new(loop, 2, 0);
    ck_assert(dbal_queue_put(q, dbal_ok(&freed, count_free)));
    ck_assert(dbal_queue_put(q, trace_text("2")));
    ck_assert(!dbal_queue_put(q, dbal_ok(&freed, count_free)));
    ck_assert_int_eq(freed, 1);
    ck_assert_uint_eq(dbal_queue_count(q), 2);
    dbal_queue_free(q);
    ck_assert_int_eq(freed, 2);
}
END_TEST

START_TEST(queue_with_too_many_getters)
{
    dbal_queue *q = dbal_queue_new(loop, 0, 2);
    get(q, "a");
    get(q, "b");
    get(q, "c");
    bare_loop_run(&bare);
    TRACE_EQ("c=!queue full");
    dbal_queue_put(q, trace_text("1"));
    get(q, "d");
    dbal_queue_put(q, trace_text("2"));
    dbal_queue_put(q, trace_text("3"));
    bare_loop_run(&bare);
    TRACE_EQ("c=!queue full a=1 b=2 d=3");
    dbal_queue_free(q);
}
END_TEST

START_TEST(queue_hands_on_errors_and_deferreds)
{
    dbal_queue *q = dbal_queue_new(loop, 0, 0);
    dbal_deferred *inner = dbal_deferred_new(loop, NULL, NULL);
    dbal_queue_put(q, work_fail(NULL));
    dbal_queue_put(q, dbal_wait(inner));
    get(q, "a");
    get(q, "b");
    bare_loop_run(&bare);
    TRACE_EQ("a=!application");
    dbal_deferred_fire(inner, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("a=!application b=x");
    dbal_queue_free(q);
}
END_TEST

START_TEST(cancelled_getter_gets_nothing)
{
    dbal_queue *q = dbal_queue_new(loop, 0, 0);
    dbal_deferred *d = dbal_queue_get(q);
    dbal_deferred_add_both(d, trace_handle, "a");
    get(q, "b");
    dbal_deferred_cancel(d);
    ck_assert(dbal_queue_put(q, trace_text("1")));
    bare_loop_run(&bare);
    TRACE_EQ("a=!cancelled b=1");
    dbal_queue_free(q);
}
END_TEST

START_TEST(cancelled_after_it_got_has_it_still)
{
    dbal_queue *q = dbal_queue_new(loop, 0, 0);
    dbal_deferred *d = dbal_queue_get(q);
    dbal_deferred_add_both(d, trace_handle, "a");
    dbal_queue_put(q, trace_text("1"));
    dbal_deferred_cancel(d);
    bare_loop_run(&bare);
    TRACE_EQ("a=1");
    dbal_queue_free(q);
}
END_TEST

START_TEST(queue_freed_closes_its_getters)
{
    dbal_queue *q = dbal_queue_new(loop, 0, 0);
    get(q, "a");
    dbal_queue_free(q);
    bare_loop_run(&bare);
    TRACE_EQ("a=!closed");
}
END_TEST

/* memory */

static unsigned ended;

static void
count_end(void *arg)
{
    (void)arg;
    ended++;
}

static dbal_deferred *
count(dbal_deferred *d)
{
    return dbal_deferred_add_finally(dbal_deferred_add_both(d, trace_handle, "d"), count_end, NULL);
}

static void
everything(void *starved)
{
    bare_loop_init(&bare);
    loop = bare_loop_of(&bare);
    trace_clear();
    freed = 0;
    ended = 0;
    if (starved != NULL)
        bare_loop_starve(&bare);
    dbal_semaphore *s = dbal_semaphore_new(loop, 1);
    dbal_queue *q = dbal_queue_new(loop, 1, 1);
    if (s != NULL) {
        count(dbal_semaphore_run(s, work_text, "x"));
        count(dbal_semaphore_run(s, work_fail, NULL));
        dbal_deferred *d = count(dbal_semaphore_run(s, work_text, "y"));
        dbal_deferred_cancel(d);
        bare_loop_run(&bare);
        ck_assert_uint_eq(ended, 3);
    }
    if (q != NULL) {
        ended = 0;
        count(dbal_queue_get(q));
        count(dbal_queue_get(q));
        dbal_queue_put(q, dbal_ok(&freed, count_free));
        dbal_queue_put(q, dbal_ok(&freed, count_free));
        dbal_queue_put(q, dbal_ok(&freed, count_free));
        count(dbal_queue_get(q));
        bare_loop_run(&bare);
        dbal_queue_free(q);
        bare_loop_run(&bare);
        ck_assert_uint_eq(ended, 3);
        ck_assert_int_eq(freed, 3);
    }
    dbal_semaphore_free(s);
    bare_loop_fini(&bare);
    ck_assert_uint_eq(bare.ready.unsettled, 0);
}

START_TEST(nothing_is_lost_without_memory)
{
    alloc_fault_sweep(everything, NULL);
    alloc_fault_sweep(everything, &bare);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fanout");
    const TTest *const tests[] = {
        semaphore_needs_a_permit,
        permits_are_given_in_order,
        newcomer_does_not_overtake_the_line,
        release_without_acquire_is_logged_and_ignored,
        cancelled_waiter_leaves_the_line,
        cancelling_a_permit_that_was_given_does_nothing,
        waiter_whose_time_is_up,
        run_holds_a_permit_until_its_work_has_settled,
        run_gives_its_permit_back_when_work_fails,
        run_cancelled_in_the_line_never_works,
        run_cancelled_before_it_starts_never_works,
        run_cancelled_at_work_cancels_what_it_waits_for,
        semaphore_freed_while_work_runs,
        loop_ends_before_semaphore_and_queue_are_freed,
        queue_keeps_order_both_ways,
        queue_that_is_full_refuses_and_frees,
        queue_with_too_many_getters,
        queue_hands_on_errors_and_deferreds,
        cancelled_getter_gets_nothing,
        cancelled_after_it_got_has_it_still,
        queue_freed_closes_its_getters,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    suite_add(suite, nothing_is_lost_without_memory, NULL, NULL);
    return suite_run(suite);
}
