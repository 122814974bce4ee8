/* An error that an accessor left and nobody took, when the callback that had the result returns. */
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/outcome.h"
#include "dbal/result.h"
#include "tests/lib/alloc_fault.h"
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
    ck_assert_uint_eq(bare.ready.unhandled, 0);
}

static dbal_deferred *
make(void)
{
    return dbal_deferred_new(loop, NULL, NULL);
}

/* One row with one text that is no number. */
static dbal_outcome
rows(void)
{
    dbal_result *result = dbal__result_new(100000);
    dbal__result_add_column(result, "c", DBAL_TEXT);
    dbal__result_add_bytes(result, DBAL_TEXT, "x", 1);
    dbal__result_end_row(result);
    return dbal_ok_result(result);
}

static void
misread(dbal_outcome in)
{
    ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(in), 0, 0), 0);
}

static dbal_outcome
misread_and_pass(dbal_outcome in, void *arg)
{
    (void)arg;
    misread(in);
    return in;
}

static dbal_outcome
misread_and_replace(dbal_outcome in, void *text)
{
    misread(in);
    return trace_text(text);
}

static dbal_outcome
misread_and_fail(dbal_outcome in, void *arg)
{
    (void)arg;
    misread(in);
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "its own"));
}

static dbal_outcome
misread_and_wait(dbal_outcome in, void *deferred)
{
    misread(in);
    return dbal_wait(deferred);
}

static dbal_outcome
misread_and_take(dbal_outcome in, void *arg)
{
    (void)arg;
    misread(in);
    dbal_error_unref(dbal_result_take_error(dbal_outcome_result(in)));
    return dbal_done();
}

static dbal_outcome
out_of_range(dbal_outcome in, void *arg)
{
    (void)arg;
    dbal_result_int64(dbal_outcome_result(in), 5, 0);
    return in;
}

static void
run(dbal_callback *callback, void *arg)
{
    dbal_deferred *d = dbal_deferred_add_callback(make(), callback, arg);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_fire(d, rows());
    bare_loop_run(&bare);
}

START_TEST(unread_error_replaces_what_was_passed_on)
{
    run(misread_and_pass, NULL);
    TRACE_EQ("d=!data");
}
END_TEST

START_TEST(unread_error_replaces_another_value)
{
    run(misread_and_replace, "a value");
    TRACE_EQ("d=!data");
}
END_TEST

START_TEST(unread_error_gives_way_to_the_callbacks_own)
{
    run(misread_and_fail, NULL);
    TRACE_EQ("d=!application");
}
END_TEST

START_TEST(unread_error_is_not_waited_for)
{
    dbal_deferred *inner = make();
    run(misread_and_wait, inner);
    TRACE_EQ("d=!data");
    ck_assert_uint_eq(inner->refs, 1);
    dbal_deferred_fire(inner, dbal_done());
}
END_TEST

START_TEST(error_that_was_taken_is_gone)
{
    run(misread_and_take, NULL);
    TRACE_EQ("d=-");
}
END_TEST

START_TEST(cell_out_of_range_is_an_interface_error)
{
    run(out_of_range, NULL);
    TRACE_EQ("d=!interface");
}
END_TEST

/* The next callback sees the error; the result it was in is no more. */
START_TEST(errback_that_follows_handles_it)
{
    dbal_deferred *d = dbal_deferred_add_callback(make(), misread_and_pass, NULL);
    dbal_deferred_add_callback(d, trace_pass, "never");
    dbal_deferred_add_errback(d, trace_handle, "errback");
    dbal_deferred_add_both(d, trace_pass, "after");
    dbal_deferred_fire(d, rows());
    bare_loop_run(&bare);
    TRACE_EQ("errback=!data after=-");
}
END_TEST

static dbal_outcome
misread_second(dbal_outcome in, void *arg)
{
    (void)arg;
    ck_assert_uint_eq(dbal_outcome_count(in), 2);
    misread(dbal_outcome_at(in, 1));
    return in;
}

START_TEST(unread_error_in_one_of_several_counts)
{
    dbal_deferred *children[] = {make(), make()};
    dbal_deferred *all = dbal_gather(loop, DBAL_GATHER_ALL, 2, children);
    dbal_deferred_add_callback(all, misread_second, NULL);
    dbal_deferred_add_both(all, trace_handle, "all");
    dbal_deferred_fire(children[0], rows());
    dbal_deferred_fire(children[1], rows());
    bare_loop_run(&bare);
    TRACE_EQ("all=!data");
}
END_TEST

static dbal_result *kept;

static dbal_outcome
keep(dbal_outcome in, void *arg)
{
    (void)arg;
    kept = dbal_result_ref(dbal_outcome_result(in));
    misread(in);
    return dbal_done();
}

/* It has been told, and does not come up again where the result is used later. */
START_TEST(result_that_is_kept_longer_keeps_no_old_error)
{
    run(keep, NULL);
    TRACE_EQ("d=!data");
    ck_assert_ptr_null(dbal_result_take_error(kept));
    ck_assert_str_eq(dbal_result_text(kept, 0, 0), "x");
    kept = dbal_result_unref(kept);
}
END_TEST

static void
everything(void *arg)
{
    (void)arg;
    setup();
    dbal_result *result = dbal__result_new(100000);
    dbal_deferred *d = dbal_deferred_add_callback(make(), out_of_range, NULL);
    bool made = d != NULL;
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_deferred_fire(d, dbal_ok_result(result));
    bare_loop_run(&bare);
    ck_assert_str_eq(trace, !made ? "" : result != NULL ? "d=!interface" : "d=!no memory");
    teardown();
}

START_TEST(nothing_is_lost_without_memory)
{
    alloc_fault_sweep(everything, NULL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("unread");
    const TTest *const tests[] = {
        unread_error_replaces_what_was_passed_on,
        unread_error_replaces_another_value,
        unread_error_gives_way_to_the_callbacks_own,
        unread_error_is_not_waited_for,
        error_that_was_taken_is_gone,
        cell_out_of_range_is_an_interface_error,
        errback_that_follows_handles_it,
        unread_error_in_one_of_several_counts,
        result_that_is_kept_longer_keeps_no_old_error,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    suite_add(suite, nothing_is_lost_without_memory, NULL, NULL);
    return suite_run(suite);
}
