/* Gates: which way calls go, how they begin, are cancelled, refused and settled. */
#include <stdlib.h>
#include <string.h>

#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/gate.h"
#include "dbal/loop.h"
#include "tests/lib/latch.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"

static loop_fixture fixture;
static dbal_loop *loop;
static latch begun = LATCH_INIT, go = LATCH_INIT, heard = LATCH_INIT;

static void
setup_latches(void)
{
    trace_clear();
    latch_close(&begun);
    latch_close(&go);
    latch_close(&heard);
}

static void
setup(void)
{
    loop_fixture_init(&fixture);
    loop = fixture.loop;
    setup_latches();
}

static void
teardown(void)
{
    ck_assert_uint_eq(fixture.log.count, 0);
    ck_assert_uint_eq(loop->abandoned, 0);
    loop_fixture_fini(&fixture);
}

/* the table */

enum { LEVEL_LEAST = -1, LEVELS = 6 };

#define NO_FACE "the driver has no native face"
#define TOO_LOW "a connection that moves between threads needs threadlevel 2"
#define ALONE "threads may not share a driver of threadlevel 0"

/* What comes of a wish at the levels -1 to 4: the gate, or why it is refused. */
typedef struct choice {
    bool native;
    dbal_gate_kind wanted;
    const char *outcomes[LEVELS];
} choice;

static const choice choices[] = {
    {false,
     DBAL_GATE_AUTO,
     {"driver-thread", "driver-thread", "thread", "thread", "thread", "thread"}},
    {true, DBAL_GATE_AUTO, {"driver-thread", "driver-thread", "thread", "loop", "loop", "loop"}},
    {false, DBAL_GATE_LOOP, {NO_FACE, NO_FACE, NO_FACE, NO_FACE, NO_FACE, NO_FACE}},
    {true, DBAL_GATE_LOOP, {TOO_LOW, TOO_LOW, TOO_LOW, "loop", "loop", "loop"}},
    {false, DBAL_GATE_THREAD, {ALONE, ALONE, "thread", "thread", "thread", "thread"}},
    {true, DBAL_GATE_THREAD, {ALONE, ALONE, "thread", "thread", "thread", "thread"}},
    {false,
     DBAL_GATE_DRIVER_THREAD,
     {"driver-thread", "driver-thread", "driver-thread", "driver-thread", "driver-thread",
      "driver-thread"}},
    {true,
     DBAL_GATE_DRIVER_THREAD,
     {"driver-thread", "driver-thread", "driver-thread", "driver-thread", "driver-thread",
      "driver-thread"}},
    {false, DBAL_GATE_PROCESS, {"process", "process", "process", "process", "process", "process"}},
    {true, DBAL_GATE_PROCESS, {"process", "process", "process", "process", "process", "process"}},
    {true,
     (dbal_gate_kind)99,
     {"there is no such gate", "there is no such gate", "there is no such gate",
      "there is no such gate", "there is no such gate", "there is no such gate"}},
};

START_TEST(gate_is_chosen_by_level_face_and_wish)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        for (int at = 0; at < LEVELS; at++) {
            const choice *one = &choices[i];
            const char *why = "nothing said";
            dbal_gate_kind got =
                dbal__gate_choose(LEVEL_LEAST + at, one->native, one->wanted, &why);
            const char *outcome = got == DBAL_GATE_AUTO ? why : dbal__gate_kind_name(got);
            ck_assert_msg(strcmp(outcome, one->outcomes[at]) == 0,
                          "level %d, %s native face, %s wanted: %s, not %s", LEVEL_LEAST + at,
                          one->native ? "with" : "without", dbal__gate_kind_name(one->wanted),
                          outcome, one->outcomes[at]);
        }
    }
    ck_assert_str_eq(dbal__gate_kind_name((dbal_gate_kind)99), "unknown");
}
END_TEST

/* options */

static void
expect_refused(dbal_gate *gate, dbal_error *error, dbal_error_class kind, const char *text)
{
    ck_assert_ptr_null(gate);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_is(error, kind) && strstr(dbal_error_message(error), text) != NULL,
                  "%s: %s", dbal_error_class_name(dbal_error_kind(error)),
                  dbal_error_message(error));
    dbal_error_unref(error);
}

#define REFUSES(level, kind, text, ...)                                                            \
    do {                                                                                           \
        dbal_error *error = NULL;                                                                  \
        dbal_gate *gate = dbal_gate_new(loop, level, DBAL_GATE(__VA_ARGS__), &error);              \
        expect_refused(gate, error, kind, text);                                                   \
    } while (0)

START_TEST(bad_option_is_refused_by_its_name)
{
    REFUSES(-1, DBAL_ERROR_INTERFACE, "threadlevel -1", .threads = 1);
    REFUSES(4, DBAL_ERROR_INTERFACE, "threadlevel 4", .threads = 1);
    REFUSES(1, DBAL_ERROR_INTERFACE, "threads", .threads = -1);
    REFUSES(1, DBAL_ERROR_INTERFACE, "threads", .threads = 100000);
    REFUSES(1, DBAL_ERROR_INTERFACE, "max_waiting", .max_waiting = -1);
    REFUSES(1, DBAL_ERROR_INTERFACE, "close_timeout", .close_timeout = 0.0 / 0.0);
    REFUSES(1, DBAL_ERROR_INTERFACE, "module", .module = "x");
    REFUSES(0, DBAL_ERROR_INTERFACE, "library", .threads = 1);
    ck_assert_ptr_null(dbal_gate_new(loop, 4, NULL, NULL));
}
END_TEST

START_TEST(options_may_be_missing_or_of_an_older_size)
{
    dbal_error *error = NULL;
    dbal_gate *gate = dbal_gate_new(loop, 1, NULL, &error);
    ck_assert_ptr_nonnull(gate);
    ck_assert_ptr_null(error);
    ck_assert_str_eq(dbal_gate_name(gate), "thread");
    /* what lies behind the size it says is not looked at */
    dbal_gate_options old = {offsetof(dbal_gate_options, library), 1, 1, "x", "x", -1};
    ck_assert_ptr_nonnull(dbal_gate_new(loop, 1, &old, NULL));
    gate = dbal_gate_new(loop, 0, DBAL_GATE(.library = "options", .threads = 8), &error);
    ck_assert_ptr_nonnull(gate);
    ck_assert_str_eq(dbal_gate_name(gate), "driver-thread");
}
END_TEST

/* outcomes */

static dbal_gate *
one_thread(void)
{
    dbal_gate *gate = dbal_gate_new(loop, 1, DBAL_GATE(.threads = 1), NULL);
    ck_assert_ptr_nonnull(gate);
    return gate;
}

static int freed;

static void
count_free(void *pointer)
{
    (void)pointer;
    freed++;
}

static dbal_outcome
give_value(void *arg)
{
    return dbal_ok(arg, count_free);
}

static dbal_outcome
give_error(void *arg)
{
    (void)arg;
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "broken in a thread"));
}

static dbal_outcome
give_deferred(void *deferred)
{
    dbal_outcome outcome = {DBAL_OUTCOME_DEFERRED, deferred, NULL};
    return outcome;
}

START_TEST(value_of_a_call_is_freed_by_its_function)
{
    dbal_gate *gate = one_thread();
    freed = 0;
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_gate_call(gate, NULL, give_value, &freed));
    ck_assert_ptr_eq(dbal_outcome_value(outcome, count_free), &freed);
    ck_assert_int_eq(freed, 0);
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(error_of_a_call_comes_as_it_is)
{
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_gate_call(one_thread(), NULL, give_error, NULL));
    ck_assert_str_eq(dbal_error_message(dbal_outcome_error(outcome)), "broken in a thread");
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(call_may_not_return_a_deferred)
{
    dbal_gate *gate = one_thread();
    dbal_deferred *d = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    /* what dbal_wait() gives, made here since a Deferred is not the thread's to touch */
    dbal_deferred_ref(d);
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_gate_call(gate, NULL, give_deferred, d));
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_INTERFACE));
    dbal_outcome_clear(&outcome);
    ck_assert_uint_eq(d->refs, 2);
    dbal_deferred_fire(d, dbal_done());
    dbal_deferred_unref(d);
}
END_TEST

static dbal_outcome
hang(void *arg)
{
    latch_open(&begun);
    latch_wait(&go);
    return arg != NULL ? dbal_ok(arg, count_free) : trace_text("returned");
}

static dbal_outcome
run(void *name)
{
    return trace_text(name);
}

static dbal_outcome
never(void *arg)
{
    (void)arg;
    freed = -1000;
    return dbal_done();
}

static dbal_deferred *
traced(dbal_deferred *deferred, const char *name)
{
    return dbal_deferred_add_both(deferred, trace_handle, (void *)(size_t)name);
}

static dbal_deferred *
hanging(dbal_gate *gate, void *arg)
{
    dbal_deferred *d = traced(dbal_gate_call(gate, NULL, hang, arg), "hangs");
    latch_wait(&begun);
    return d;
}

static bool
trace_has(void *text)
{
    return strstr(trace, text) != NULL;
}

static bool
is_idle(void *arg)
{
    (void)arg;
    return loop->ready.unsettled == 0;
}

static dbal_outcome
wait_until_heard(void *arg)
{
    (void)arg;
    latch_wait(&heard);
    return trace_text("heard");
}

static dbal_outcome
open_latch(dbal_outcome in, void *which)
{
    latch_open(which);
    return in;
}

/* Results are told of together, but none may wait for what another call still does. */
static void
wait_for_one_before(dbal_gate *gate, const void *object)
{
    setup_latches();
    /* all three are on the line before the first ends: the thread does not sleep in between */
    traced(dbal_gate_call(gate, object, hang, NULL), "hangs");
    latch_wait(&begun);
    dbal_deferred_add_callback(dbal_gate_call(gate, object, run, "x"), open_latch, &heard);
    traced(dbal_gate_call(gate, object, wait_until_heard, NULL), "waits for it");
    latch_open(&go);
    loop_fixture_until(&fixture, is_idle, NULL);
    TRACE_EQ("hangs=returned waits for it=heard");
}

START_TEST(outcome_comes_before_the_next_call_has_ended)
{
    dbal_gate *gate = one_thread();
    /* again and again: the first time, starting the thread makes the loop look by itself */
    for (int i = 0; i < 3; i++) {
        wait_for_one_before(gate, NULL);
        wait_for_one_before(gate, &fixture);
    }
}
END_TEST

/* cancelling */

START_TEST(call_cancelled_before_it_begins_never_runs)
{
    dbal_gate *gate = one_thread();
    freed = 0;
    hanging(gate, NULL);
    dbal_deferred *d = traced(dbal_gate_call(gate, NULL, never, NULL), "waits");
    dbal_deferred_cancel(d);
    TRACE_EQ("");
    loop_fixture_until(&fixture, trace_has, "waits");
    TRACE_EQ("waits=!cancelled");
    latch_open(&go);
    traced(dbal_gate_call(gate, NULL, run, "x"), "next");
    loop_fixture_until(&fixture, is_idle, NULL);
    TRACE_EQ("waits=!cancelled hangs=returned next=x");
    ck_assert_int_eq(freed, 0);
}
END_TEST

static dbal_outcome
check_not_sent(dbal_outcome in, void *arg)
{
    (void)arg;
    trace_add("%s", dbal_error_execution(dbal_outcome_error(in)) == DBAL_EXECUTION_NOT_SENT
                        ? "not sent"
                        : "unknown");
    return in;
}

START_TEST(call_cancelled_while_it_runs_settles_when_it_has_returned)
{
    dbal_gate *gate = one_thread();
    freed = 0;
    dbal_deferred *d = dbal_gate_call(gate, NULL, hang, &freed);
    dbal_deferred_add_errback(d, check_not_sent, NULL);
    traced(d, "hangs");
    latch_wait(&begun);
    dbal_deferred_cancel(d);
    dbal_deferred_cancel(d);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    TRACE_EQ("");
    latch_open(&go);
    loop_fixture_until(&fixture, is_idle, NULL);
    TRACE_EQ("unknown hangs=!cancelled");
    ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(call_whose_time_is_up_while_it_runs)
{
    dbal_gate *gate = one_thread();
    loop_fixture_drive(&fixture);
    dbal_deferred *d = dbal_gate_call(gate, NULL, hang, NULL);
    traced(dbal_deferred_add_timeout(d, 1), "hangs");
    latch_wait(&begun);
    loop_fixture_advance(&fixture, 1);
    TRACE_EQ("");
    latch_open(&go);
    loop_fixture_until(&fixture, is_idle, NULL);
    TRACE_EQ("hangs=!timeout");
}
END_TEST

/* the limit of those that wait */

START_TEST(gate_with_too_many_waiting_refuses_at_once)
{
    dbal_gate *gate = dbal_gate_new(loop, 1, DBAL_GATE(.threads = 1, .max_waiting = 2), NULL);
    hanging(gate, NULL);
    /* the one that runs waits no more */
    traced(dbal_gate_call(gate, NULL, run, "x"), "a");
    traced(dbal_gate_call(gate, NULL, run, "x"), "b");
    traced(dbal_gate_call(gate, NULL, run, "x"), "c");
    ev_run(fixture.ev, EVRUN_NOWAIT);
    TRACE_EQ("c=!queue full");
    latch_open(&go);
    loop_fixture_until(&fixture, is_idle, NULL);
    TRACE_EQ("c=!queue full hangs=returned a=x b=x");
    traced(dbal_gate_call(gate, NULL, run, "x"), "d");
    loop_fixture_until(&fixture, is_idle, NULL);
    TRACE_EQ("c=!queue full hangs=returned a=x b=x d=x");
}
END_TEST

/* A cancelled one is skipped when a thread reaches it, and counts until then. */
START_TEST(cancelled_call_counts_as_waiting_until_it_is_reached)
{
    dbal_gate *gate = dbal_gate_new(loop, 1, DBAL_GATE(.threads = 1, .max_waiting = 1), NULL);
    hanging(gate, NULL);
    dbal_deferred_cancel(traced(dbal_gate_call(gate, NULL, never, NULL), "a"));
    traced(dbal_gate_call(gate, NULL, never, NULL), "b");
    loop_fixture_until(&fixture, trace_has, "b=");
    TRACE_EQ("a=!cancelled b=!queue full");
    latch_open(&go);
    dbal_outcome outcome;
    do {
        trace_clear();
        outcome = loop_fixture_await(&fixture, traced(dbal_gate_call(gate, NULL, run, "x"), "c"));
        ck_assert(trace_has("c=x") || trace_has("c=!queue full"));
    } while (!trace_has("c=x"));
    dbal_outcome_clear(&outcome);
}
END_TEST

/* closing */

START_TEST(closing_gate_drops_what_waits_and_waits_for_what_runs)
{
    dbal_gate *gate = one_thread();
    freed = 0;
    hanging(gate, NULL);
    dbal_deferred *d = dbal_gate_call(gate, NULL, never, NULL);
    dbal_deferred_add_errback(d, check_not_sent, NULL);
    traced(d, "waits");
    traced(dbal_gate_close(gate), "closed");
    traced(dbal_gate_close(gate), "again");
    traced(dbal_gate_call(gate, NULL, never, NULL), "late");
    ev_run(fixture.ev, EVRUN_NOWAIT);
    TRACE_EQ("not sent waits=!closed late=!closed");
    latch_open(&go);
    loop_fixture_until(&fixture, is_idle, NULL);
    TRACE_EQ("not sent waits=!closed late=!closed hangs=returned closed=- again=-");
    traced(dbal_gate_close(gate), "later");
    loop_fixture_until(&fixture, is_idle, NULL);
    ck_assert(trace_has("later=-"));
    ck_assert_int_eq(freed, 0);
}
END_TEST

START_TEST(closed_gate_leaves_others_alone)
{
    dbal_gate *gate = one_thread(), *other = one_thread();
    traced(dbal_gate_close(gate), "closed");
    traced(dbal_gate_call(other, NULL, run, "x"), "other");
    loop_fixture_until(&fixture, is_idle, NULL);
    ck_assert(trace_has("closed=-") && trace_has("other=x"));
}
END_TEST

/* What waits is dropped first, and only then the running one let go. */
START_TEST(loop_freed_with_calls_that_run_and_wait)
{
    dbal_gate *gate = one_thread();
    freed = 0;
    dbal_gate_call(gate, NULL, hang, &freed);
    latch_wait(&begun);
    dbal_deferred *d = traced(dbal_gate_call(gate, NULL, never, NULL), "waits");
    dbal_deferred_add_both(d, open_latch, &go);
    dbal_gate_call(gate, NULL, never, NULL);
    loop_fixture_fini(&fixture);
    TRACE_EQ("waits=!closed");
    ck_assert_int_eq(freed, 1);
    loop_fixture_init(&fixture);
    loop = fixture.loop;
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("gate");
    const TTest *const tests[] = {
        gate_is_chosen_by_level_face_and_wish,
        bad_option_is_refused_by_its_name,
        options_may_be_missing_or_of_an_older_size,
        value_of_a_call_is_freed_by_its_function,
        error_of_a_call_comes_as_it_is,
        call_may_not_return_a_deferred,
        outcome_comes_before_the_next_call_has_ended,
        call_cancelled_before_it_begins_never_runs,
        call_cancelled_while_it_runs_settles_when_it_has_returned,
        call_whose_time_is_up_while_it_runs,
        gate_with_too_many_waiting_refuses_at_once,
        cancelled_call_counts_as_waiting_until_it_is_reached,
        closing_gate_drops_what_waits_and_waits_for_what_runs,
        closed_gate_leaves_others_alone,
        loop_freed_with_calls_that_run_and_wait,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
