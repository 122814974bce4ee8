/* Deferreds when memory runs out, at every allocation. */
#include <string.h>

#include "dbal/deferred.h"
#include "dbal/error.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"

static bare_loop bare;
static dbal_loop *loop;
static unsigned ended;

static void
count_end(void *arg)
{
    (void)arg;
    ended++;
}

static void
begin(bool starved)
{
    bare_loop_init(&bare);
    loop = bare_loop_of(&bare);
    trace_clear();
    ended = 0;
    if (starved)
        bare_loop_starve(&bare);
}

static void
finish(void)
{
    bare_loop_fini(&bare);
    ck_assert_uint_eq(bare.ready.unsettled, 0);
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

START_TEST(reserve_serves_when_memory_runs_out)
{
    alloc_fault_install();
    begin(false);
    alloc_fault_fail_from(1);
    dbal_deferred *d[17];
    for (int i = 0; i < 17; i++)
        d[i] = make();
    for (int i = 0; i < 16; i++)
        ck_assert_ptr_nonnull(d[i]);
    ck_assert_ptr_null(d[16]);
    for (int i = 0; i < 16; i++) {
        dbal_deferred_add_finally(d[i], count_end, NULL);
        dbal_deferred_fire(d[i], dbal_done());
    }
    bare_loop_run(&bare);
    ck_assert_uint_eq(ended, 16);
    ck_assert_ptr_nonnull(d[0] = make());
    dbal_deferred_fire(d[0], dbal_done());
    finish();
    ck_assert_int_eq(alloc_fault_live(), 0);
    alloc_fault_remove();
}
END_TEST

/* A chain whose fifth link finds no room. */
static dbal_deferred *
make_full(void)
{
    dbal_deferred *d = make();
    dbal_deferred_add_both(d, trace_pass, "1");
    dbal_deferred_add_both(d, trace_pass, "2");
    dbal_deferred_add_both(d, trace_pass, "3");
    dbal_deferred_add_both(d, trace_pass, "4");
    return d;
}

START_TEST(fifth_callback_without_memory_fails_the_chain_there)
{
    alloc_fault_install();
    begin(false);
    dbal_deferred *d = dbal_deferred_ref(make_full());
    alloc_fault_fail(1);
    dbal_deferred_add_both(d, trace_pass, "never");
    ck_assert_uint_eq(alloc_fault_failed(), 1);
    dbal_deferred_add_both(d, trace_handle, "6");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("1=x 2=x 3=x 4=x 6=!no memory");
    dbal_deferred_unref(d);
    finish();
    ck_assert_int_eq(alloc_fault_live(), 0);
    alloc_fault_remove();
}
END_TEST

START_TEST(chain_that_ends_starved_ends_with_an_error)
{
    alloc_fault_install();
    begin(false);
    dbal_deferred *d = dbal_deferred_ref(make_full());
    alloc_fault_fail(1);
    dbal_deferred_add_both(d, trace_pass, "never");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    dbal_deferred_add_errback(d, trace_handle, "end");
    bare_loop_run(&bare);
    TRACE_EQ("1=x 2=x 3=x 4=x end=!no memory");
    dbal_deferred_unref(d);
    finish();
    alloc_fault_remove();
}
END_TEST

START_TEST(error_of_a_starved_chain_stays_what_it_is)
{
    alloc_fault_install();
    begin(false);
    dbal_deferred *d = make_full();
    alloc_fault_fail(1);
    dbal_deferred_add_both(d, trace_pass, "never");
    dbal_deferred_add_both(d, trace_handle, "6");
    dbal_deferred_fire(d, dbal_fail(dbal_error_new(DBAL_ERROR_DATA, "first")));
    bare_loop_run(&bare);
    TRACE_EQ("1=!data 2=!data 3=!data 4=!data 6=!data");
    finish();
    alloc_fault_remove();
}
END_TEST

START_TEST(finally_takes_the_place_of_a_callback)
{
    alloc_fault_install();
    begin(false);
    dbal_deferred *d = make_full();
    alloc_fault_fail_from(1);
    dbal_deferred_add_finally(d, trace_name, "end");
    dbal_deferred_add_finally(d, trace_name, "end");
    dbal_deferred_fire(d, trace_text("x"));
    bare_loop_run(&bare);
    TRACE_EQ("1=x 2=x end end");
    ck_assert_uint_eq(log_lines_count(&bare.log, "finally"), 0);
    ck_assert_uint_eq(log_lines_count(&bare.log, "unhandled error: out of memory"), 1);
    finish();
    alloc_fault_remove();
}
END_TEST

START_TEST(finally_that_cannot_be_stored_is_logged)
{
    alloc_fault_install();
    begin(false);
    dbal_deferred *d = make();
    alloc_fault_fail_from(1);
    for (int i = 0; i < 5; i++)
        dbal_deferred_add_finally(d, count_end, NULL);
    ck_assert_uint_eq(log_lines_count(&bare.log, "finally"), 1);
    dbal_deferred_fire(d, dbal_done());
    bare_loop_run(&bare);
    ck_assert_uint_eq(ended, 4);
    finish();
    alloc_fault_remove();
}
END_TEST

/* Everything that allocates; each finally must run once, and what fails must say so. */
static void
everything(void *starved)
{
    begin(starved != NULL);
    dbal_deferred *inner = make(), *outer = make(), *timed = make(), *dropped = make();
    dbal_deferred_add_callback(outer, wait_for, inner);
    for (int i = 0; i < 9; i++)
        dbal_deferred_add_callback(outer, trace_pass, "o");
    dbal_deferred_add_finally(outer, count_end, NULL);
    dbal_deferred_fire(outer, dbal_done());
    bare_loop_run(&bare);
    for (int i = 0; i < 9; i++)
        dbal_deferred_add_callback(inner, trace_pass, "i");
    dbal_deferred_add_finally(inner, count_end, NULL);
    dbal_deferred_fire(inner, trace_text("x"));

    dbal_deferred_add_timeout(timed, 1);
    dbal_deferred_add_both(timed, trace_handle, "t");
    dbal_deferred_add_finally(timed, count_end, NULL);
    bare_loop_advance(&bare, 1);
    dbal_deferred_cancel(timed);
    dbal_deferred_fire(timed, dbal_fail(dbal_error_new(DBAL_ERROR_DATA, "late")));

    dbal_deferred_add_finally(dropped, count_end, NULL);
    dbal_deferred_unref(dropped);
    bare_loop_run(&bare);
    ck_assert_uint_eq(ended, 4);
    finish();
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
    Suite *suite = suite_create("memory");
    const TTest *const tests[] = {
        reserve_serves_when_memory_runs_out,
        fifth_callback_without_memory_fails_the_chain_there,
        chain_that_ends_starved_ends_with_an_error,
        error_of_a_starved_chain_stays_what_it_is,
        finally_takes_the_place_of_a_callback,
        finally_that_cannot_be_stored_is_logged,
        nothing_is_lost_without_memory,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], NULL, NULL);
    return suite_run(suite);
}
