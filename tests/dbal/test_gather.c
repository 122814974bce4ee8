/* Waiting for several, without an event loop. */
#include <string.h>

#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/outcome.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"

static bare_loop bare;
static dbal_loop *loop;
static dbal_deferred *d[3];

static void
setup(void)
{
    bare_loop_init(&bare);
    loop = bare_loop_of(&bare);
    trace_clear();
    for (int i = 0; i < 3; i++)
        d[i] = dbal_deferred_new(loop, NULL, NULL);
}

static void
teardown(void)
{
    bare_loop_fini(&bare);
    ck_assert_uint_eq(bare.ready.unsettled, 0);
    ck_assert_uint_eq(bare.ready.unhandled, 0);
}

static dbal_outcome
broken(void)
{
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "broken"));
}

/* A callback that spells what a gather holds. */
static dbal_outcome
spell_all(dbal_outcome in, void *name)
{
    if (in.kind == DBAL_OUTCOME_ERROR)
        return trace_handle(in, name);
    trace_add("%s(%zu)", (char *)name, dbal_outcome_count(in));
    for (size_t i = 0; i < dbal_outcome_count(in); i++)
        trace_add("%s", trace_spell(dbal_outcome_at(in, i)));
    return dbal_done();
}

static void
drop_producer(dbal_deferred *deferred, void *name)
{
    trace_name(name);
    dbal_deferred_unref(deferred);
}

static void
fire_text(dbal_deferred *deferred, void *text)
{
    dbal_deferred_fire(deferred, trace_text(text));
}

/* What the producers of d still hold, when they were cancelled or closed. */
static void
drop_all(void)
{
    for (int i = 0; i < 3; i++)
        dbal_deferred_unref(d[i]);
}

START_TEST(all_keeps_order_and_errors)
{
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_ALL, 3, d);
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_fire(d[2], trace_text("c"));
    dbal_deferred_fire(d[0], trace_text("a"));
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_fire(d[1], broken());
    bare_loop_run(&bare);
    TRACE_EQ("g(3) a !application c");
}
END_TEST

START_TEST(none_succeeds_at_once)
{
    dbal_deferred_add_both(dbal_gather(loop, DBAL_GATHER_ALL, 0, NULL), spell_all, "all");
    dbal_deferred_add_both(dbal_gather(loop, DBAL_GATHER_OR_FAIL, 0, NULL), spell_all, "or_fail");
    TRACE_EQ("");
    bare_loop_run(&bare);
    TRACE_EQ("all(0) or_fail(0)");
    for (int i = 0; i < 3; i++)
        dbal_deferred_fire(d[i], dbal_done());
}
END_TEST

START_TEST(children_that_have_settled_before)
{
    dbal_deferred_ref(d[0]);
    dbal_deferred_fire(d[0], trace_text("a"));
    bare_loop_run(&bare);
    dbal_deferred_fire(d[1], trace_text("b"));
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_OR_FAIL, 3, d);
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_fire(d[2], trace_text("c"));
    bare_loop_run(&bare);
    TRACE_EQ("g(3) a b c");
    dbal_deferred_unref(d[0]);
}
END_TEST

START_TEST(later_callbacks_of_children_see_nothing)
{
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_ALL, 3, d);
    dbal_deferred_add_both(d[0], trace_pass, "child");
    for (int i = 0; i < 3; i++)
        dbal_deferred_fire(d[i], broken());
    dbal_deferred_add_both(g, spell_all, "g");
    bare_loop_run(&bare);
    TRACE_EQ("child=- g(3) !application !application !application");
}
END_TEST

START_TEST(or_fail_fails_at_once_with_the_first_error)
{
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_OR_FAIL, 3, d);
    dbal_error *error = dbal_error_new(DBAL_ERROR_INTEGRITY, "the child's own");
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_fire(d[0], trace_text("a"));
    dbal_deferred_fire(d[1], dbal_fail(error));
    bare_loop_run(&bare);
    TRACE_EQ("g=!integrity");
    dbal_deferred_add_both(d[2], trace_pass, "runs on");
    bare_loop_run(&bare);
    dbal_deferred_fire(d[2], broken());
    bare_loop_run(&bare);
    TRACE_EQ("g=!integrity runs on=-");
}
END_TEST

START_TEST(or_fail_gives_all_when_none_fails)
{
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_OR_FAIL, 3, d);
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_fire(d[1], trace_text("b"));
    dbal_deferred_fire(d[0], trace_text("a"));
    dbal_deferred_fire(d[2], trace_text("c"));
    bare_loop_run(&bare);
    TRACE_EQ("g(3) a b c");
}
END_TEST

START_TEST(null_children_are_out_of_memory)
{
    dbal_deferred *none[2] = {NULL, NULL};
    dbal_deferred_add_both(dbal_gather(loop, DBAL_GATHER_ALL, 2, none), spell_all, "all");
    dbal_deferred_add_both(dbal_gather(loop, DBAL_GATHER_OR_FAIL, 2, none), spell_all, "or_fail");
    dbal_deferred_add_both(dbal_race(loop, 2, none), spell_all, "race");
    bare_loop_run(&bare);
    TRACE_EQ("all(2) !no memory !no memory or_fail=!no memory race=!no memory");
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_ALL, 3, d);
    dbal_deferred_add_both(g, spell_all, "g");
    for (int i = 0; i < 3; i++)
        dbal_deferred_fire(d[i], dbal_done());
}
END_TEST

START_TEST(same_child_twice_counts_once)
{
    dbal_deferred *twice[] = {d[0], d[0]};
    dbal_deferred_add_both(dbal_gather(loop, DBAL_GATHER_ALL, 2, twice), spell_all, "g");
    dbal_deferred_fire(d[0], trace_text("a"));
    bare_loop_run(&bare);
    TRACE_EQ("g(2) a -");
    dbal_deferred_fire(d[1], dbal_done());
    dbal_deferred_fire(d[2], dbal_done());
}
END_TEST

START_TEST(child_of_another_loop_is_an_error)
{
    bare_loop other;
    bare_loop_init(&other);
    dbal_deferred *foreign = d[1], *ours = d[1];
    foreign = dbal_deferred_new(bare_loop_of(&other), NULL, NULL);
    d[1] = foreign;
    dbal_deferred_add_both(dbal_gather(loop, DBAL_GATHER_ALL, 3, d), spell_all, "g");
    dbal_deferred_fire(d[0], trace_text("a"));
    dbal_deferred_fire(d[2], trace_text("c"));
    bare_loop_run(&bare);
    TRACE_EQ("g(3) a !interface c");
    dbal_deferred_fire(foreign, dbal_done());
    bare_loop_fini(&other);
    dbal_deferred_fire(ours, dbal_done());
}
END_TEST

START_TEST(cancelling_cancels_every_child_that_is_unsettled)
{
    dbal_deferred *children[3];
    children[0] = dbal_deferred_new(loop, drop_producer, "first");
    children[1] = dbal_deferred_new(loop, fire_text, "rescued");
    children[2] = d[2];
    dbal_deferred_fire(d[2], trace_text("c"));
    bare_loop_run(&bare);
    children[2] = d[1];
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_ALL, 3, children);
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_fire(d[1], trace_text("done"));
    bare_loop_run(&bare);
    dbal_deferred_cancel(g);
    dbal_deferred_cancel(g);
    TRACE_EQ("first");
    bare_loop_run(&bare);
    TRACE_EQ("first g(3) !cancelled rescued done");
    dbal_deferred_fire(d[0], dbal_done());
}
END_TEST

START_TEST(cancelled_or_fail_fails_with_the_first_cancellation)
{
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_OR_FAIL, 3, d);
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_cancel(g);
    bare_loop_run(&bare);
    TRACE_EQ("g=!cancelled");
    drop_all();
}
END_TEST

START_TEST(cancelled_or_fail_whose_children_all_succeed)
{
    dbal_deferred *children[2];
    children[0] = dbal_deferred_new(loop, fire_text, "a");
    children[1] = dbal_deferred_new(loop, fire_text, "b");
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_OR_FAIL, 2, children);
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_cancel(g);
    bare_loop_run(&bare);
    TRACE_EQ("g(2) a b");
    for (int i = 0; i < 3; i++)
        dbal_deferred_fire(d[i], dbal_done());
}
END_TEST

START_TEST(cancelling_one_that_has_failed_leaves_the_others)
{
    dbal_deferred *g = dbal_deferred_ref(dbal_gather(loop, DBAL_GATHER_OR_FAIL, 3, d));
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_fire(d[0], broken());
    bare_loop_run(&bare);
    dbal_deferred_cancel(g);
    bare_loop_run(&bare);
    ck_assert_uint_eq(bare.ready.unsettled, 2);
    ck_assert(dbal_deferred_fire(d[1], dbal_done()));
    ck_assert(dbal_deferred_fire(d[2], dbal_done()));
    bare_loop_run(&bare);
    TRACE_EQ("g=!application");
    dbal_deferred_unref(g);
}
END_TEST

START_TEST(cancel_waits_for_children_that_take_their_time)
{
    dbal_deferred *slow = dbal__deferred_new(loop, trace_canceller, "slow");
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_ALL, 1, &slow);
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_cancel(g);
    bare_loop_run(&bare);
    TRACE_EQ("slow");
    dbal_deferred_fire(slow, trace_text("finished first"));
    bare_loop_run(&bare);
    TRACE_EQ("slow g(1) finished first");
    for (int i = 0; i < 3; i++)
        dbal_deferred_fire(d[i], dbal_done());
}
END_TEST

static dbal_outcome
cancel_arg(dbal_outcome in, void *arg)
{
    dbal_deferred_cancel(*(dbal_deferred **)arg);
    return in;
}

START_TEST(cancelled_inside_a_childs_callback)
{
    dbal_deferred *g = NULL;
    dbal_deferred_add_callback(d[0], cancel_arg, &g);
    g = dbal_gather(loop, DBAL_GATHER_ALL, 3, d);
    dbal_deferred_add_both(g, spell_all, "g");
    dbal_deferred_fire(d[0], trace_text("a"));
    bare_loop_run(&bare);
    TRACE_EQ("g(3) a !cancelled !cancelled");
    dbal_deferred_unref(d[1]);
    dbal_deferred_unref(d[2]);
}
END_TEST

START_TEST(timeout_of_a_gather)
{
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_OR_FAIL, 3, d);
    dbal_deferred_add_timeout(g, 1);
    dbal_deferred_add_both(g, spell_all, "g");
    bare_loop_advance(&bare, 1);
    TRACE_EQ("g=!timeout");
    drop_all();
}
END_TEST

START_TEST(loop_ends_under_a_gather)
{
    dbal_deferred *g = dbal_gather(loop, DBAL_GATHER_ALL, 3, d);
    dbal_deferred *r = dbal_race(loop, 3, d);
    dbal_deferred_add_both(g, trace_handle, "g");
    dbal_deferred_add_both(r, trace_handle, "r");
    dbal__deferred_close_all(&bare.ready);
    ck_assert_ptr_nonnull(strstr(trace, "g="));
    ck_assert_ptr_nonnull(strstr(trace, "r="));
    drop_all();
}
END_TEST

/* race */

START_TEST(race_first_success_wins_and_losers_are_cancelled)
{
    dbal_deferred *r = dbal_race(loop, 3, d);
    dbal_deferred_add_both(r, trace_handle, "r");
    dbal_deferred_fire(d[0], broken());
    bare_loop_run(&bare);
    TRACE_EQ("");
    dbal_deferred_fire(d[1], trace_text("b"));
    bare_loop_run(&bare);
    TRACE_EQ("r=b");
    ck_assert_uint_eq(bare.ready.unsettled, 0);
    ck_assert(!dbal_deferred_fire(d[2], trace_text("late")));
}
END_TEST

START_TEST(race_that_all_lose_has_the_last_error)
{
    dbal_deferred_add_both(dbal_race(loop, 3, d), trace_handle, "r");
    dbal_deferred_fire(d[2], broken());
    dbal_deferred_fire(d[0], broken());
    bare_loop_run(&bare);
    dbal_deferred_fire(d[1], dbal_fail(dbal_error_new(DBAL_ERROR_DATA, "the last")));
    bare_loop_run(&bare);
    TRACE_EQ("r=!data");
}
END_TEST

START_TEST(race_of_none_is_an_error)
{
    dbal_deferred_add_both(dbal_race(loop, 0, NULL), trace_handle, "r");
    bare_loop_run(&bare);
    TRACE_EQ("r=!interface");
    for (int i = 0; i < 3; i++)
        dbal_deferred_fire(d[i], dbal_done());
}
END_TEST

START_TEST(race_loser_whose_canceller_succeeds)
{
    dbal_deferred *runners[2] = {d[0], dbal_deferred_new(loop, fire_text, "too late")};
    dbal_deferred_add_both(dbal_race(loop, 2, runners), trace_handle, "r");
    dbal_deferred_fire(d[0], trace_text("won"));
    bare_loop_run(&bare);
    TRACE_EQ("r=won");
    dbal_deferred_fire(d[1], dbal_done());
    dbal_deferred_fire(d[2], dbal_done());
}
END_TEST

START_TEST(race_cancelled_cancels_all)
{
    dbal_deferred *r = dbal_race(loop, 3, d);
    dbal_deferred_add_both(r, trace_handle, "r");
    dbal_deferred_cancel(r);
    bare_loop_run(&bare);
    TRACE_EQ("r=!cancelled");
    drop_all();
}
END_TEST

/* memory */

static int freed;

static void
count_free(void *pointer)
{
    (void)pointer;
    freed++;
}

/* Whatever fails, each value given is freed once and each finally runs once. */
static void
gather_and_race(void *arg)
{
    bool starved = *(bool *)arg;
    bare_loop_init(&bare);
    loop = bare_loop_of(&bare);
    trace_clear();
    freed = 0;
    if (starved)
        bare_loop_starve(&bare);
    for (int what = 0; what < 3; what++) {
        dbal_deferred *got;
        for (int i = 0; i < 3; i++)
            d[i] = dbal_deferred_new(loop, NULL, NULL);
        if (what == 2)
            got = dbal_race(loop, 3, d);
        else
            got = dbal_gather(loop, what == 0 ? DBAL_GATHER_ALL : DBAL_GATHER_OR_FAIL, 3, d);
        dbal_deferred_add_both(got, spell_all, "got");
        dbal_deferred_add_finally(got, trace_name, "end");
        for (int i = 0; i < 3; i++) {
            dbal_deferred_add_errback(d[i], spell_all, "child");
            dbal_deferred_fire(d[i], i == 1 ? broken() : dbal_ok(&freed, count_free));
        }
        bare_loop_run(&bare);
    }
    bare_loop_fini(&bare);
    ck_assert_int_eq(freed, 6);
    unsigned ends = 0;
    for (const char *at = trace; (at = strstr(at, "end")) != NULL; at++)
        ends++;
    ck_assert_uint_eq(ends, 3);
    ck_assert_uint_eq(bare.ready.unsettled, 0);
    ck_assert_uint_eq(bare.ready.unhandled, 0);
}

START_TEST(nothing_is_lost_without_memory)
{
    bool starved = false;
    alloc_fault_sweep(gather_and_race, &starved);
    starved = true;
    alloc_fault_sweep(gather_and_race, &starved);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("gather");
    const TTest *const tests[] = {
        all_keeps_order_and_errors,
        none_succeeds_at_once,
        children_that_have_settled_before,
        later_callbacks_of_children_see_nothing,
        or_fail_fails_at_once_with_the_first_error,
        or_fail_gives_all_when_none_fails,
        null_children_are_out_of_memory,
        same_child_twice_counts_once,
        child_of_another_loop_is_an_error,
        cancelling_cancels_every_child_that_is_unsettled,
        cancelled_or_fail_fails_with_the_first_cancellation,
        cancelled_or_fail_whose_children_all_succeed,
        cancelling_one_that_has_failed_leaves_the_others,
        cancel_waits_for_children_that_take_their_time,
        cancelled_inside_a_childs_callback,
        timeout_of_a_gather,
        loop_ends_under_a_gather,
        race_first_success_wins_and_losers_are_cancelled,
        race_that_all_lose_has_the_last_error,
        race_of_none_is_an_error,
        race_loser_whose_canceller_succeeds,
        race_cancelled_cancels_all,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    suite_add(suite, nothing_is_lost_without_memory, NULL, NULL);
    return suite_run(suite);
}
