/* How a loop ends: closed, freed, or left behind by its event loop. */
#include <math.h>
#include <poll.h>
#include <string.h>

#include "dbal/deferred.h"
#include "dbal/loop.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/latch.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"
#include <dbal/gate.h>
#include <dbal/pool.h>

static loop_fixture fixture;
static dbal_loop *loop;
static latch begun = LATCH_INIT, go = LATCH_INIT;

/* The producer's references, which outlive the loop. */
enum { MOST = 8 };
static dbal_deferred *made[MOST];
static unsigned made_count;

static void
drop_made(void)
{
    while (made_count > 0)
        dbal_deferred_unref(made[--made_count]);
}

static void
setup(void)
{
    loop_fixture_init(&fixture);
    loop = fixture.loop;
    trace_clear();
    latch_close(&begun);
    latch_close(&go);
}

/* Each test ends both loops in its own way. */
static void
teardown(void)
{
    drop_made();
    ck_assert_uint_eq(fixture.log.count, 0);
}

static void
free_both(void)
{
    dbal_loop_free(loop);
    ev_loop_destroy(fixture.ev);
}

static dbal_deferred *
make(void)
{
    ck_assert_uint_lt(made_count, MOST);
    return made[made_count++] = dbal_deferred_new(loop, NULL, NULL);
}

static void
fire(dbal_deferred *deferred)
{
    dbal_deferred_ref(deferred);
    ck_assert(dbal_deferred_fire(deferred, trace_text("x")));
}

static void
traced(dbal_deferred *deferred, const char *name)
{
    dbal_deferred_add_both(deferred, trace_handle, (void *)(size_t)name);
}

static dbal_outcome
hang(void *arg)
{
    (void)arg;
    latch_open(&begun);
    latch_wait(&go);
    return trace_text("returned");
}

static dbal_outcome
nothing(void *arg)
{
    (void)arg;
    return trace_text("ran");
}

/* Says how it goes with everything that makes something new. */
static void
try_new_work(void *name)
{
    dbal_error *error = NULL;
    ck_assert_ptr_null(dbal_gate_new(loop, 1, NULL, &error));
    ck_assert(dbal_error_is(error, DBAL_ERROR_CLOSED));
    error = dbal_error_unref(error);
    ck_assert_ptr_null(dbal_pool_open(loop, "sqlite::memory:", NULL, &error));
    ck_assert(dbal_error_is(error, DBAL_ERROR_CLOSED));
    dbal_error_unref(error);
    traced(dbal_deferred_add_timeout(make(), 1000), name);
}

/* close */

START_TEST(closing_a_loop_without_work_succeeds_each_time)
{
    traced(dbal_loop_close(loop, 1), "a");
    traced(dbal_loop_close(loop, 0), "b");
    ck_assert(!dbal_loop_call(loop, trace_name, "call"));
    TRACE_EQ("");
    ev_run(fixture.ev, 0);
    traced(dbal_loop_close(loop, NAN), "c");
    ev_run(fixture.ev, 0);
    TRACE_EQ("a=- b=- c=-");
    ck_assert(!dbal_loop_call(loop, trace_name, "call"));
    free_both();
}
END_TEST

static dbal_outcome
close_it(dbal_outcome in, void *arg)
{
    (void)arg;
    traced(dbal_loop_close(loop, DBAL_OFF), "closed");
    trace_add("close");
    return in;
}

START_TEST(closing_inside_a_callback_lets_what_was_accepted_run)
{
    dbal_deferred *d = dbal_deferred_add_both(make(), close_it, NULL);
    traced(d, "d");
    ck_assert(dbal_loop_call(loop, trace_name, "call"));
    fire(d);
    ev_run(fixture.ev, 0);
    TRACE_EQ("close d=x closed=- call");
    free_both();
}
END_TEST

START_TEST(closed_loop_refuses_new_work)
{
    traced(dbal_loop_close(loop, 0), "closed");
    try_new_work("open");
    dbal_loop_free(loop);
    TRACE_EQ("closed=- open=!closed");
    ev_loop_destroy(fixture.ev);
}
END_TEST

/* Grace stops no thread: a call in a gate has begun or never begins. */
START_TEST(closing_waits_for_a_call_that_runs)
{
    dbal_gate *gate = dbal_gate_new(loop, 1, DBAL_GATE(.threads = 1), NULL);
    traced(dbal_gate_call(gate, NULL, hang, NULL), "runs");
    loop_fixture_until(&fixture, latch_opened, &begun);
    traced(dbal_gate_call(gate, NULL, nothing, NULL), "waits");
    traced(dbal_loop_close(loop, 0), "closed");
    traced(dbal_loop_close(loop, DBAL_OFF), "again");
    ck_assert(dbal_loop_call(loop, trace_name, "call"));
    traced(dbal_gate_call(gate, NULL, nothing, NULL), "late");
    ev_run(fixture.ev, EVRUN_NOWAIT);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    TRACE_EQ("waits=!closed late=!closed call");
    latch_open(&go);
    ev_run(fixture.ev, 0);
    TRACE_EQ("waits=!closed late=!closed call runs=returned closed=- again=-");
    free_both();
}
END_TEST

static void
note_cancelled(dbal_deferred *deferred, void *arg)
{
    (void)deferred;
    trace_add("%s", (const char *)arg);
}

/* What a program makes and nobody fires must not keep a loop from ending. */
START_TEST(what_is_left_is_cancelled_when_the_grace_is_over)
{
    dbal_deferred *own = dbal_deferred_new(loop, note_cancelled, (void *)(uintptr_t) "stopped");
    dbal_deferred *bare = dbal_deferred_new(loop, NULL, NULL);
    loop_fixture_drive(&fixture);
    traced(own, "own");
    traced(bare, "bare");
    traced(dbal_loop_close(loop, 2), "closed");
    loop_fixture_advance(&fixture, 1.9);
    TRACE_EQ("closed=-");
    loop_fixture_advance(&fixture, 0.2);
    TRACE_EQ("closed=- stopped own=!cancelled bare=!cancelled");
    ev_run(fixture.ev, 0); /* ends by itself */
    dbal_deferred_fire(own, dbal_done());
    dbal_deferred_fire(bare, dbal_done());
    free_both();
}
END_TEST

START_TEST(cancellers_run_when_the_loop_is_freed)
{
    dbal_deferred *own = dbal_deferred_new(loop, note_cancelled, (void *)(uintptr_t) "stopped");
    dbal_deferred *bare = dbal_deferred_new(loop, NULL, NULL);
    traced(own, "own");
    traced(bare, "bare");
    free_both();
    TRACE_EQ("stopped own=!cancelled bare=!closed");
    dbal_deferred_unref(own);
    dbal_deferred_unref(bare);
}
END_TEST

START_TEST(loop_freed_while_it_closes)
{
    dbal_gate *gate = dbal_gate_new(loop, 1, NULL, NULL);
    traced(dbal_gate_call(gate, NULL, hang, NULL), "runs");
    traced(dbal_loop_close(loop, 5), "closed");
    latch_open(&go);
    dbal_loop_free(loop);
    ck_assert_msg(strstr(trace, "closed=-") != NULL, "%s", trace);
    ck_assert_msg(strstr(trace, "runs=") != NULL, "%s", trace);
    ev_loop_destroy(fixture.ev);
}
END_TEST

/* helpers */

static atomic_uint errands;

static void
run_slowly(dbal__errand *errand)
{
    (void)errand;
    latch_open(&begun);
    /* as long as the loop may need until it waits for this thread */
    poll(NULL, 0, 10);
}

static void
count_errand(dbal__errand *errand)
{
    (void)errand;
    atomic_fetch_add(&errands, 1);
}

START_TEST(errand_that_runs_as_the_loop_ends_comes_back)
{
    dbal__errand one = {.run = run_slowly, .done = count_errand};
    atomic_store(&errands, 0);
    ck_assert(dbal__helpers_send(loop->helpers, &one));
    latch_wait(&begun);
    free_both();
    ck_assert_uint_eq(atomic_load(&errands), 1);
}
END_TEST

/* free */

static dbal_outcome
wait_for(dbal_outcome in, void *other)
{
    (void)in;
    return dbal_wait(other);
}

static void
make_everything_pending(void)
{
    dbal_deferred *inner = make();
    dbal_deferred *outer = dbal_deferred_add_callback(make(), wait_for, inner);
    dbal_deferred *paused = make();
    traced(outer, "outer");
    traced(dbal_deferred_add_timeout(make(), 1000), "timed");
    traced(paused, "paused");
    dbal_deferred_pause(paused);
    dbal_deferred_add_finally(make(), trace_name, "finally");
    fire(outer);
    fire(paused);
    dbal_loop_hold(loop);
    ck_assert(dbal_loop_call(loop, trace_name, "call"));
}

static void
expect_everything_settled(void)
{
    static const char *const all[] = {"outer=!closed", "timed=!closed", "paused=x", "finally",
                                      "call"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ck_assert_msg(strstr(trace, all[i]) != NULL, "%s is not among %s", all[i], trace);
}

/* A finally handles no error. */
static void
forget_unhandled(void)
{
    ck_assert_uint_eq(log_lines_count(&fixture.log, "unhandled error"), fixture.log.count);
    fixture.log.count = 0;
}

START_TEST(everything_pending_settles_when_the_loop_is_freed)
{
    make_everything_pending();
    dbal_loop_free(loop);
    expect_everything_settled();
    ev_loop_destroy(fixture.ev);
    forget_unhandled();
}
END_TEST

static void *
free_elsewhere(void *arg)
{
    dbal_loop_free(arg);
    return NULL;
}

START_TEST(loop_may_be_freed_by_another_thread)
{
    pthread_t thread;
    make_everything_pending();
    ev_run(fixture.ev, EVRUN_NOWAIT);
    pthread_create(&thread, NULL, free_elsewhere, loop);
    pthread_join(thread, NULL);
    expect_everything_settled();
    ev_loop_destroy(fixture.ev);
    forget_unhandled();
}
END_TEST

static dbal_outcome
use_the_dying_loop(dbal_outcome in, void *arg)
{
    (void)in;
    (void)arg;
    try_new_work("late");
    traced(dbal_loop_close(loop, 1), "closed");
    ck_assert(!dbal_loop_call(loop, trace_name, "call"));
    dbal_loop_hold(loop);
    dbal_loop_free(loop);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "dbal_loop_free refused"), 1);
    fixture.log.count = 0;
    return dbal_done();
}

START_TEST(callbacks_of_the_last_drain_find_a_closed_loop)
{
    dbal_deferred_add_both(make(), use_the_dying_loop, NULL);
    dbal_loop_free(loop);
    ck_assert_msg(strstr(trace, "closed=-") && strstr(trace, "late=!closed"), "%s", trace);
    ev_loop_destroy(fixture.ev);
}
END_TEST

/* the event loop goes first */

START_TEST(everything_pending_settles_when_the_event_loop_is_destroyed)
{
    make_everything_pending();
    ev_loop_destroy(fixture.ev);
    expect_everything_settled();
    forget_unhandled();
    dbal_loop_counts counts = {.size = sizeof counts};
    dbal_loop_stats(loop, &counts);
    /* what is left is the hold */
    ck_assert_uint_eq(counts.unsettled, 0);
    dbal_loop_unhold(loop);
    dbal_loop_free(loop);
}
END_TEST

START_TEST(new_work_without_an_event_loop_is_refused_and_still_settles)
{
    dbal_gate *gate = dbal_gate_new(loop, 1, NULL, NULL);
    ev_loop_destroy(fixture.ev);
    try_new_work("open");
    ck_assert(!dbal_loop_call(loop, trace_name, "call"));
    traced(dbal_gate_call(gate, NULL, nothing, NULL), "gate");
    traced(dbal_gate_close(gate), "gate closed");
    traced(dbal_loop_close(loop, 1), "loop closed");
    dbal_deferred *fired = make();
    traced(fired, "fired");
    fire(fired);
    TRACE_EQ("");
    dbal_loop_free(loop);
    TRACE_EQ("gate=!closed gate closed=- loop closed=- fired=x open=!closed");
}
END_TEST

START_TEST(call_that_runs_is_waited_for_when_the_event_loop_is_destroyed)
{
    dbal_gate *gate = dbal_gate_new(loop, 1, DBAL_GATE(.threads = 1), NULL);
    traced(dbal_gate_call(gate, NULL, hang, NULL), "runs");
    traced(dbal_gate_call(gate, NULL, nothing, NULL), "waits");
    latch_wait(&begun);
    latch_open(&go);
    ev_loop_destroy(fixture.ev);
    ck_assert_msg(strstr(trace, "runs=returned") != NULL, "%s", trace);
    dbal_loop_free(loop);
}
END_TEST

static dbal_outcome
make_nothing(void *arg)
{
    (void)arg;
    return dbal_done();
}

static void *
await_elsewhere(void *arg)
{
    dbal_outcome *outcome = arg;
    *outcome = dbal_loop_await(loop, make_nothing, NULL);
    return NULL;
}

START_TEST(await_without_an_event_loop_fails_with_closed)
{
    pthread_t thread;
    dbal_outcome outcome;
    ev_loop_destroy(fixture.ev);
    pthread_create(&thread, NULL, await_elsewhere, &outcome);
    pthread_join(thread, NULL);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_CLOSED));
    dbal_outcome_clear(&outcome);
    dbal_loop_free(loop);
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

static void
everything(void *destroy_first)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    ended = 0;
    loop = dbal_loop_new(ev);
    if (loop != NULL) {
        dbal_loop_set_log(loop, log_lines_add, &fixture.log);
        dbal_deferred_add_finally(make(), count_end, NULL);
        bool accepted = dbal_loop_call(loop, count_end, NULL);
        dbal_deferred_add_finally(dbal_loop_close(loop, 0), count_end, NULL);
        dbal_deferred_add_finally(dbal_loop_close(loop, 0), count_end, NULL);
        ev_run(ev, EVRUN_NOWAIT);
        if (destroy_first != NULL)
            ev_loop_destroy(ev);
        dbal_deferred_add_finally(dbal_loop_close(loop, 0), count_end, NULL);
        dbal_loop_free(loop);
        ck_assert_uint_eq(ended, 4u + accepted);
        drop_made();
    }
    if (loop == NULL || destroy_first == NULL)
        ev_loop_destroy(ev);
}

START_TEST(nothing_is_lost_without_memory)
{
    memset(&fixture.log, 0, sizeof fixture.log);
    alloc_fault_sweep(everything, NULL);
    alloc_fault_sweep(everything, &fixture);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("loop_end");
    const TTest *const tests[] = {
        closing_a_loop_without_work_succeeds_each_time,
        closing_inside_a_callback_lets_what_was_accepted_run,
        closed_loop_refuses_new_work,
        closing_waits_for_a_call_that_runs,
        what_is_left_is_cancelled_when_the_grace_is_over,
        cancellers_run_when_the_loop_is_freed,
        loop_freed_while_it_closes,
        errand_that_runs_as_the_loop_ends_comes_back,
        everything_pending_settles_when_the_loop_is_freed,
        loop_may_be_freed_by_another_thread,
        callbacks_of_the_last_drain_find_a_closed_loop,
        everything_pending_settles_when_the_event_loop_is_destroyed,
        new_work_without_an_event_loop_is_refused_and_still_settles,
        call_that_runs_is_waited_for_when_the_event_loop_is_destroyed,
        await_without_an_event_loop_fails_with_closed,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    suite_add(suite, nothing_is_lost_without_memory, NULL, NULL);
    return suite_run(suite);
}
