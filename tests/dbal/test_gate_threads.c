/* Gates and their threads: what each level promises, threads that hang, threads that cannot be had. */
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/deferred.h"
#include "dbal/driver.h"
#include "dbal/error.h"
#include "dbal/loop.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/chance.h"
#include "tests/lib/latch.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/thread_fault.h"
#include "tests/lib/trace.h"
#include <dbal/gate.h>

static loop_fixture fixture, other;
static dbal_loop *loop;
static latch begun = LATCH_INIT, go = LATCH_INIT;

static void
setup(void)
{
    loop_fixture_init(&fixture);
    loop_fixture_init(&other);
    loop = fixture.loop;
    thread_fault_fail(0);
    trace_clear();
    latch_close(&begun);
    latch_close(&go);
}

static void
teardown(void)
{
    thread_fault_fail(0);
    loop_fixture_fini(&fixture);
    loop_fixture_fini(&other);
}

static dbal_outcome
run(void *name)
{
    return trace_text(name);
}

static dbal_deferred *
traced(dbal_deferred *deferred, const char *name)
{
    return dbal_deferred_add_both(deferred, trace_handle, (void *)(size_t)name);
}

static bool
is_idle(void *arg)
{
    const loop_fixture *one = arg;
    return one->loop->ready.unsettled == 0;
}

static void
finish(loop_fixture *one)
{
    loop_fixture_until(one, is_idle, one);
}

/* what a level speaks of, and whether it was kept to */
typedef struct thing {
    atomic_int inside;
    atomic_uintptr_t home;
    unsigned calls; /* not atomic: that is what is promised */
    atomic_uint overlaps, strays;
} thing;

static dbal_outcome
touch(void *arg)
{
    thing *one = arg;
    uintptr_t self = (uintptr_t)pthread_self(), home = 0;
    atomic_fetch_add(&one->overlaps, atomic_fetch_add(&one->inside, 1) != 0);
    if (!atomic_compare_exchange_strong(&one->home, &home, self))
        atomic_fetch_add(&one->strays, home != self);
    one->calls++;
    for (unsigned i = one->calls % 64; i > 0; i--)
        atomic_load(&one->inside);
    atomic_fetch_sub(&one->inside, 1);
    return dbal_done();
}

/* level 0 */

START_TEST(library_of_level_0_has_one_thread_for_all_gates_and_loops)
{
    thing one = {.calls = 0};
    unsigned rounds = chance_rounds(500);
    dbal_gate *gates[] = {
        dbal_gate_new(loop, 0, DBAL_GATE(.library = "zero", .threads = 4), NULL),
        dbal_gate_new(loop, 0, DBAL_GATE(.library = "zero"), NULL),
        dbal_gate_new(other.loop, 0, DBAL_GATE(.library = "zero"), NULL),
    };
    for (unsigned i = 0; i < rounds * 3; i++)
        dbal_gate_call(gates[i % 3], i % 2 ? &one : NULL, touch, &one);
    finish(&fixture);
    finish(&other);
    ck_assert_uint_eq(one.calls, rounds * 3);
    ck_assert_uint_eq(atomic_load(&one.overlaps), 0);
    ck_assert_uint_eq(atomic_load(&one.strays), 0);
}
END_TEST

START_TEST(libraries_of_other_names_have_other_threads)
{
    thing one = {.calls = 0}, two = {.calls = 0};
    dbal_gate *a = dbal_gate_new(loop, 0, DBAL_GATE(.library = "zero"), NULL);
    dbal_gate *b = dbal_gate_new(loop, 0, DBAL_GATE(.library = "other"), NULL);
    dbal_gate_call(a, NULL, touch, &one);
    dbal_gate_call(b, NULL, touch, &two);
    finish(&fixture);
    ck_assert_uint_ne(atomic_load(&one.home), atomic_load(&two.home));
}
END_TEST

/* levels 1 and 2 */

enum { THINGS = 24 };

static void
keep_objects_apart(int level)
{
    static thing things[THINGS];
    chance luck;
    uintptr_t first = 0;
    bool spread = false;
    chance_init(&luck);
    memset(things, 0, sizeof things);
    dbal_gate *gate = dbal_gate_new(loop, level, DBAL_GATE(.threads = 4), NULL);
    for (unsigned i = chance_rounds(2000); i > 0; i--) {
        thing *one = &things[chance_below(&luck, THINGS)];
        dbal_gate_call(gate, one, touch, one);
        if (chance_below(&luck, 50) == 0)
            ev_run(fixture.ev, EVRUN_NOWAIT);
    }
    finish(&fixture);
    for (int i = 0; i < THINGS; i++) {
        ck_assert_msg(atomic_load(&things[i].overlaps) == 0 && atomic_load(&things[i].strays) == 0,
                      "seed %" PRIu64 ", level %d: %u overlaps, %u strays", luck.seed, level,
                      atomic_load(&things[i].overlaps), atomic_load(&things[i].strays));
        uintptr_t home = atomic_load(&things[i].home);
        first = first == 0 ? home : first;
        spread |= home != 0 && home != first;
    }
    ck_assert_msg(spread, "all objects share one thread");
}

START_TEST(object_of_level_1_keeps_its_thread)
{
    keep_objects_apart(1);
}
END_TEST

START_TEST(object_of_level_2_is_never_in_two_threads_at_once)
{
    keep_objects_apart(2);
}
END_TEST

/* two calls that wait for each other end only side by side */

static latch here[3] = {LATCH_INIT, LATCH_INIT, LATCH_INIT};
static atomic_uintptr_t threads[3];

static dbal_outcome
meet(void *arg)
{
    size_t mine = (size_t)((latch *)arg - here);
    atomic_store(&threads[mine], (uintptr_t)pthread_self());
    latch_open(&here[mine]);
    for (int i = 0; i < 3; i++)
        latch_wait(&here[i]);
    return dbal_done();
}

static void
meet_at(int level, const void *object)
{
    dbal_gate *gate = dbal_gate_new(loop, level, DBAL_GATE(.threads = 3), NULL);
    for (int i = 0; i < 3; i++)
        latch_close(&here[i]);
    for (int i = 0; i < 3; i++)
        traced(dbal_gate_call(gate, object, meet, &here[i]), "met");
    finish(&fixture);
    TRACE_EQ("met=- met=- met=-");
    ck_assert_uint_ne(atomic_load(&threads[0]), atomic_load(&threads[1]));
    trace_clear();
}

START_TEST(anything_goes_side_by_side_at_level_3_and_without_an_object)
{
    meet_at(3, &fixture);
    meet_at(3, NULL);
    meet_at(2, NULL);
    meet_at(1, NULL);
}
END_TEST

/* threads that hang */

static dbal_outcome
hang(void *arg)
{
    (void)arg;
    latch_open(&begun);
    latch_wait(&go);
    latch_open(&here[0]);
    return trace_text("too late");
}

/* What is left to a thread that was given up stays reachable, for those who look for leaks. */
static void *volatile left_gates[4], *volatile left_calls[4];
static int left_count;

static dbal_deferred *
hang_and_remember(dbal_gate *gate)
{
    dbal_deferred *d = dbal_gate_call(gate, NULL, hang, NULL);
    left_gates[left_count] = gate;
    left_calls[left_count++] = d->canceller_arg;
    return d;
}

static dbal_outcome
check_unknown(dbal_outcome in, void *arg)
{
    (void)arg;
    if (dbal_error_execution(dbal_outcome_error(in)) == DBAL_EXECUTION_UNKNOWN)
        trace_add("unknown");
    return in;
}

static uint64_t
abandoned(void)
{
    dbal_loop_counts counts = {.size = sizeof counts};
    dbal_loop_stats(loop, &counts);
    return counts.abandoned;
}

/* The loop's end with a call that does not return in time. */
static void
end_with_a_call_that_hangs(int level)
{
    dbal_gate *gate = dbal_gate_new(
        loop, level,
        DBAL_GATE(.threads = 1, .close_timeout = 0.02, .library = level == 0 ? "hangs" : NULL),
        NULL);
    latch_close(&here[0]);
    dbal_deferred *d = hang_and_remember(gate);
    dbal_deferred_add_errback(d, check_unknown, NULL);
    traced(d, "hangs");
    latch_wait(&begun);
    traced(dbal_gate_close(gate), "gate");
    traced(dbal_loop_close(loop, 0), "loop");
    ev_loop_destroy(fixture.ev);
    TRACE_EQ("unknown hangs=!closed gate=- loop=-");
    ck_assert_uint_eq(abandoned(), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "given up"), 1);
    dbal_loop_free(loop);
    loop_fixture_init(&fixture);
}

/* The thread comes back to a loop that is gone, and must touch nothing of it. */
static void
let_it_come_back(void)
{
    latch_open(&go);
    latch_wait(&here[0]);
}

START_TEST(call_that_hangs_is_given_up_when_its_loop_ends)
{
    end_with_a_call_that_hangs(1);
    let_it_come_back();
}
END_TEST

START_TEST(library_that_hangs_is_given_up_for_good)
{
    dbal_gate *before =
        dbal_gate_new(other.loop, 0, DBAL_GATE(.library = "hangs", .close_timeout = 0.02), NULL);
    dbal_error *error = NULL;
    end_with_a_call_that_hangs(0);
    trace_clear();
    traced(dbal_gate_call(before, NULL, run, "x"), "call");
    finish(&other);
    TRACE_EQ("call=!closed");
    ck_assert_ptr_null(dbal_gate_new(other.loop, 0, DBAL_GATE(.library = "hangs"), &error));
    ck_assert(dbal_error_is(error, DBAL_ERROR_CLOSED));
    ck_assert_msg(strstr(dbal_error_message(error), "hangs") != NULL, "%s",
                  dbal_error_message(error));
    dbal_error_unref(error);
    let_it_come_back();
}
END_TEST

/* threads that cannot be had */

static void
expect_no_thread(loop_fixture *one, dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(one, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert(dbal_error_is(error, DBAL_ERROR_OPERATIONAL));
    ck_assert_str_eq(dbal_error_sqlstate(error), "53000");
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_NOT_SENT);
    dbal_outcome_clear(&outcome);
    ck_assert_uint_eq(log_lines_count(&one->log, "could not be started"), 1);
}

START_TEST(call_for_which_no_thread_can_be_started_fails_and_the_next_does_not)
{
    for (int level = 1; level <= 3; level++) {
        dbal_gate *gate = dbal_gate_new(loop, level, DBAL_GATE(.threads = 1), NULL);
        memset(&fixture.log, 0, sizeof fixture.log);
        thread_fault_fail_from(1); /* helpers, which start it, may be wanted too */
        expect_no_thread(&fixture, dbal_gate_call(gate, &fixture, run, "x"));
        thread_fault_fail(0);
        traced(dbal_gate_call(gate, &fixture, run, "x"), "next");
        finish(&fixture);
        TRACE_EQ("next=x");
        trace_clear();
    }
}
END_TEST

/* One thread is there, and does what a second would have done. */
START_TEST(second_thread_that_cannot_be_started_is_done_without)
{
    dbal_gate *gate = dbal_gate_new(loop, 3, DBAL_GATE(.threads = 4), NULL);
    latch_close(&here[0]);
    traced(dbal_gate_call(gate, NULL, hang, NULL), "a");
    latch_wait(&begun);
    thread_fault_fail_from(1);
    for (int i = 0; i < 3; i++)
        traced(dbal_gate_call(gate, NULL, run, "x"), "b");
    while (log_lines_count(&fixture.log, "could not be started") == 0)
        ev_run(fixture.ev, EVRUN_ONCE);
    ck_assert_int_eq(fixture.log.levels[0], DBAL_LOG_WARNING);
    latch_open(&go);
    finish(&fixture);
    TRACE_EQ("a=too late b=x b=x b=x");
}
END_TEST

START_TEST(library_for_which_no_thread_can_be_started_is_refused)
{
    dbal_error *error = NULL;
    thread_fault_fail(1);
    ck_assert_ptr_null(dbal_gate_new(loop, 0, DBAL_GATE(.library = "unborn"), &error));
    ck_assert(dbal_error_is(error, DBAL_ERROR_OPERATIONAL));
    ck_assert(strstr(dbal_error_message(error), "unborn") != NULL);
    dbal_error_unref(error);
    dbal_gate *gate = dbal_gate_new(loop, 0, DBAL_GATE(.library = "unborn"), NULL);
    ck_assert_ptr_nonnull(gate);
    traced(dbal_gate_call(gate, NULL, run, "x"), "call");
    finish(&fixture);
    TRACE_EQ("call=x");
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

static dbal_outcome
give_error(void *arg)
{
    (void)arg;
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "broken"));
}

static unsigned
call_all(dbal_gate *gate)
{
    if (gate == NULL)
        return 0;
    dbal_deferred *cancelled = dbal_gate_call(gate, &ended, run, "x");
    dbal_deferred_add_finally(traced(dbal_gate_call(gate, NULL, run, "x"), "a"), count_end, NULL);
    dbal_deferred_add_finally(traced(dbal_gate_call(gate, &ended, give_error, NULL), "b"),
                              count_end, NULL);
    dbal_deferred_add_finally(traced(cancelled, "c"), count_end, NULL);
    dbal_deferred_cancel(cancelled);
    return 3;
}

static void
everything(void *with_close)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    unsigned expected = 0;
    ended = 0;
    trace_clear();
    loop = dbal_loop_new(ev);
    if (loop != NULL) {
        dbal_error *error = NULL;
        dbal_loop_set_log(loop, log_lines_add, &fixture.log);
        dbal_gate *gate = dbal_gate_new(loop, 2, DBAL_GATE(.threads = 2), &error);
        ck_assert((gate == NULL) == (error != NULL));
        dbal_error_unref(error);
        expected += call_all(gate);
        expected += call_all(dbal_gate_new(loop, 0, DBAL_GATE(.library = "zero"), NULL));
        if (with_close != NULL && gate != NULL) {
            dbal_deferred_add_finally(dbal_gate_close(gate), count_end, NULL);
            dbal_deferred_add_finally(dbal_loop_close(loop, 1), count_end, NULL);
            expected += 2;
        } else {
            ev_run(ev, 0);
        }
        dbal_loop_free(loop);
        ck_assert_uint_eq(ended, expected);
    }
    ev_loop_destroy(ev);
}

START_TEST(nothing_is_lost_without_memory)
{
    bool hung;
    memset(&fixture.log, 0, sizeof fixture.log);
    /* its thread lives as long as the process, and so is made before allocations are counted */
    ck_assert_ptr_nonnull(dbal__driver_thread("zero", &hung));
    alloc_fault_sweep(everything, NULL);
    alloc_fault_sweep(everything, &fixture);
}
END_TEST

static void
everything_without_threads(unsigned long nth, void (*set_fault)(unsigned long nth))
{
    thread_fault_fail(0);
    set_fault(nth);
    alloc_fault_install();
    everything(NULL);
    /* a library's thread drops the inbox when it has told it for the last time */
    int64_t deadline = dbal__after(dbal__monotonic(), 10);
    while (alloc_fault_live() != 0 && dbal__monotonic() < deadline)
        sched_yield();
    ck_assert_int_eq(alloc_fault_live(), 0);
    alloc_fault_remove();
}

START_TEST(nothing_is_lost_without_threads)
{
    bool hung;
    ck_assert_ptr_nonnull(dbal__driver_thread("zero", &hung));
    for (unsigned long nth = 1; nth <= 4; nth++) {
        everything_without_threads(nth, thread_fault_fail);
        everything_without_threads(nth, thread_fault_fail_from);
    }
    thread_fault_fail(0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("gate_threads");
    const TTest *const tests[] = {
        library_of_level_0_has_one_thread_for_all_gates_and_loops,
        libraries_of_other_names_have_other_threads,
        object_of_level_1_keeps_its_thread,
        object_of_level_2_is_never_in_two_threads_at_once,
        anything_goes_side_by_side_at_level_3_and_without_an_object,
        call_that_hangs_is_given_up_when_its_loop_ends,
        library_that_hangs_is_given_up_for_good,
        call_for_which_no_thread_can_be_started_fails_and_the_next_does_not,
        second_thread_that_cannot_be_started_is_done_without,
        library_for_which_no_thread_can_be_started_is_refused,
    };
    /* these count what lives, so that no thread of another test may come back meanwhile */
    suite_add(suite, nothing_is_lost_without_memory, NULL, NULL);
    suite_add(suite, nothing_is_lost_without_threads, NULL, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
