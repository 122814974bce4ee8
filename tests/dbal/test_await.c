/* A thread that waits for something on a loop. */
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/loop.h"
#include "dbal/result.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/chance.h"
#include "tests/lib/latch.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"
#include <dbal/gate.h>

static loop_fixture fixture;
static dbal_loop *loop;
static latch start = LATCH_INIT, done = LATCH_INIT;

static void
setup(void)
{
    loop_fixture_init(&fixture);
    loop = fixture.loop;
    trace_clear();
    latch_close(&start);
    latch_close(&done);
}

static void
teardown(void)
{
    ck_assert_uint_eq(fixture.log.count, 0);
    loop_fixture_fini(&fixture);
}

static pthread_t
spawn(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

typedef struct awaiting {
    dbal_outcome (*make)(void *arg);
    void *arg;
    dbal_outcome outcome;
} awaiting;

static void *
await(void *arg)
{
    awaiting *one = arg;
    one->outcome = dbal_loop_await(loop, one->make, one->arg);
    latch_open(&done);
    return NULL;
}

/* Runs the loop for another thread that waits for it. */
static dbal_outcome
await_elsewhere(dbal_outcome (*make)(void *arg), void *arg)
{
    awaiting one = {.make = make, .arg = arg};
    pthread_t thread = spawn(await, &one);
    loop_fixture_until(&fixture, latch_opened, &done);
    pthread_join(thread, NULL);
    return one.outcome;
}

static int freed;

static void
count_free(void *pointer)
{
    (void)pointer;
    freed++;
}

static dbal_outcome
make_value(void *arg)
{
    ck_assert_uint_gt(loop->depth, 0);
    return dbal_ok(arg, count_free);
}

START_TEST(value_crosses_to_the_thread_that_waits)
{
    int number;
    freed = 0;
    dbal_outcome outcome = await_elsewhere(make_value, &number);
    ck_assert_ptr_eq(dbal_outcome_value(outcome, count_free), &number);
    ck_assert_int_eq(freed, 0);
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(freed, 1);
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(freed, 1);
}
END_TEST

static dbal_outcome
make_error(void *arg)
{
    (void)arg;
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "broken"));
}

START_TEST(error_crosses_and_is_handled_then)
{
    dbal_outcome outcome = await_elsewhere(make_error, NULL);
    ck_assert_str_eq(dbal_error_message(dbal_outcome_error(outcome)), "broken");
    dbal_outcome_clear(&outcome);
    ck_assert_uint_eq(loop->ready.unhandled, 0);
}
END_TEST

static dbal_outcome
make_result(void *arg)
{
    dbal_result *result = dbal__result_new(100000);
    dbal__result_add_column(result, "n", DBAL_INT64);
    dbal__result_add_integer(result, DBAL_INT64, *(int *)arg);
    dbal__result_end_row(result);
    return dbal_ok_result(result);
}

START_TEST(result_crosses_to_the_thread_that_waits)
{
    int number = 42;
    dbal_outcome outcome = await_elsewhere(make_result, &number);
    ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), 42);
    dbal_outcome_clear(&outcome);
}
END_TEST

static void
fire_from_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev;
    (void)events;
    dbal_deferred_fire(timer->data, trace_text("late"));
}

/* What the program fires some time later. */
static dbal_outcome
make_wait(void *arg)
{
    ev_timer *timer = arg;
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    ev_timer_init(timer, fire_from_timer, 0.003, 0);
    timer->data = d;
    ev_timer_start(fixture.ev, timer);
    return dbal_wait(d);
}

START_TEST(thread_waits_until_the_deferred_has_settled)
{
    ev_timer timer;
    dbal_outcome outcome = await_elsewhere(make_wait, &timer);
    ck_assert_str_eq(trace_spell(outcome), "late");
}
END_TEST

static dbal_outcome
make_wait_without_memory(void *arg)
{
    (void)arg;
    return dbal_wait(NULL);
}

START_TEST(waiting_for_nothing_is_out_of_memory)
{
    dbal_outcome outcome = await_elsewhere(make_wait_without_memory, NULL);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_NO_MEMORY));
}
END_TEST

static void
await_here(void *arg)
{
    dbal_outcome *outcome = arg;
    *outcome = dbal_loop_await(loop, make_value, NULL);
}

START_TEST(own_thread_is_refused_since_it_would_wait_for_itself)
{
    dbal_outcome outcome = dbal_done();
    dbal_loop_call(loop, await_here, &outcome);
    ev_run(fixture.ev, EVRUN_ONCE);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_INTERFACE));
    dbal_outcome_clear(&outcome);
    /* also between two runs of the event loop */
    await_here(&outcome);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_INTERFACE));
    dbal_outcome_clear(&outcome);
}
END_TEST

static dbal_outcome
make_forever(void *arg)
{
    latch_open(&start);
    return dbal_wait(arg);
}

START_TEST(thread_that_waits_gets_closed_when_the_loop_ends)
{
    dbal_deferred *never = dbal_deferred_new(loop, NULL, NULL);
    awaiting one = {.make = make_forever, .arg = never};
    pthread_t thread = spawn(await, &one);
    loop_fixture_until(&fixture, latch_opened, &start);
    ev_loop_destroy(fixture.ev);
    pthread_join(thread, NULL);
    ck_assert(dbal_error_is(dbal_outcome_error(one.outcome), DBAL_ERROR_CLOSED));
    dbal_outcome_clear(&one.outcome);
    dbal_deferred_unref(never);
    dbal_loop_free(loop);
    loop_fixture_init(&fixture);
}
END_TEST

/* The loop, as it ends, waits for a thread that waits for the loop. */

static dbal_outcome
await_in_gate(void *never)
{
    dbal_outcome outcome = dbal_loop_await(loop, make_forever, never);
    dbal_error *error = dbal_outcome_error(outcome);
    bool closed = error != NULL && dbal_error_is(error, DBAL_ERROR_CLOSED);
    dbal_outcome_clear(&outcome);
    latch_open(&done);
    return trace_text(closed ? "was let go" : "was not");
}

/* Too late for the thread that waited for it. */
static dbal_outcome
fire_late(dbal_outcome in, void *never)
{
    dbal_deferred_fire(never, dbal_ok(&freed, count_free));
    return in;
}

static void
end_with_a_gate_that_waits(int level)
{
    dbal_gate *gate = dbal_gate_new(
        loop, level, DBAL_GATE(.close_timeout = DBAL_OFF, .library = level == 0 ? "waits" : NULL),
        NULL);
    dbal_deferred *never = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred *d = dbal_gate_call(gate, NULL, await_in_gate, never);
    dbal_deferred_add_both(d, fire_late, never);
    dbal_deferred_add_both(d, trace_handle, "call");
    freed = 0;
    loop_fixture_until(&fixture, latch_opened, &start);
    loop_fixture_fini(&fixture);
    TRACE_EQ("call=was let go");
    ck_assert_int_eq(freed, 1);
    loop_fixture_init(&fixture);
}

START_TEST(loop_that_ends_lets_a_gates_thread_go_that_waits_for_it)
{
    end_with_a_gate_that_waits(1);
}
END_TEST

START_TEST(loop_that_ends_lets_a_librarys_thread_go_that_waits_for_it)
{
    end_with_a_gate_that_waits(0);
}
END_TEST

/* Many at once, so that some come in at every stage of the loop's end. */

enum { WAITERS = 4 };

static atomic_uint refused, answered;

static void *
await_until_refused(void *arg)
{
    (void)arg;
    latch_wait(&start);
    for (;;) {
        dbal_outcome outcome = dbal_loop_await(loop, make_value, NULL);
        if (dbal_outcome_error(outcome) != NULL)
            break;
        atomic_fetch_add(&answered, 1);
        dbal_outcome_clear(&outcome);
    }
    atomic_fetch_add(&refused, 1);
    return NULL;
}

START_TEST(no_thread_is_left_waiting_when_the_loop_ends)
{
    for (unsigned round = chance_rounds(60); round > 0; round--) {
        pthread_t threads[WAITERS];
        struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
        loop = dbal_loop_new(ev);
        atomic_store(&refused, 0);
        latch_close(&start);
        for (int i = 0; i < WAITERS; i++)
            threads[i] = spawn(await_until_refused, NULL);
        latch_open(&start);
        dbal_loop_hold(loop);
        for (unsigned i = round % 20; i > 0; i--)
            ev_run(ev, EVRUN_NOWAIT);
        if (round % 2)
            dbal_loop_close(loop, 0);
        ev_loop_destroy(ev);
        for (int i = 0; i < WAITERS; i++)
            pthread_join(threads[i], NULL);
        ck_assert_uint_eq(atomic_load(&refused), WAITERS);
        dbal_loop_free(loop);
    }
}
END_TEST

/* from the callback of another loop */

static void *
run_loop(void *arg)
{
    latch_wait(&start);
    ev_run(arg, 0);
    return NULL;
}

static void
unhold(void *arg)
{
    dbal_loop_unhold(arg);
}

/* It blocks its own loop meanwhile, which is the program's choice. */
static void
await_other(void *arg)
{
    dbal_outcome *outcome = arg;
    *outcome = dbal_loop_await(loop, make_value, NULL);
    latch_open(&done);
}

START_TEST(callback_of_one_loop_may_wait_for_another)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *other = dbal_loop_new(ev);
    dbal_outcome outcome = dbal_fail(NULL);
    dbal_loop_hold(other);
    dbal_loop_call(other, await_other, &outcome);
    dbal_loop_call(other, unhold, other);
    pthread_t thread = spawn(run_loop, ev);
    latch_open(&start);
    loop_fixture_until(&fixture, latch_opened, &done);
    pthread_join(thread, NULL);
    ck_assert_ptr_null(dbal_outcome_error(outcome));
    dbal_loop_free(other);
    ev_loop_destroy(ev);
}
END_TEST

/* memory */

static void
await_everything(void *arg)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    (void)arg;
    loop = dbal_loop_new(ev);
    if (loop != NULL) {
        awaiting one = {.make = make_error};
        latch_close(&done);
        dbal_loop_hold(loop);
        pthread_t thread = spawn(await, &one);
        while (!latch_is_open(&done))
            ev_run(ev, EVRUN_ONCE | EVRUN_NOWAIT);
        pthread_join(thread, NULL);
        ck_assert_ptr_nonnull(dbal_outcome_error(one.outcome));
        dbal_outcome_clear(&one.outcome);
        dbal_loop_free(loop);
    }
    ev_loop_destroy(ev);
}

START_TEST(thread_that_waits_always_gets_an_outcome)
{
    alloc_fault_sweep(await_everything, NULL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("await");
    const TTest *const tests[] = {
        value_crosses_to_the_thread_that_waits,
        error_crosses_and_is_handled_then,
        result_crosses_to_the_thread_that_waits,
        thread_waits_until_the_deferred_has_settled,
        waiting_for_nothing_is_out_of_memory,
        own_thread_is_refused_since_it_would_wait_for_itself,
        thread_that_waits_gets_closed_when_the_loop_ends,
        loop_that_ends_lets_a_gates_thread_go_that_waits_for_it,
        loop_that_ends_lets_a_librarys_thread_go_that_waits_for_it,
        no_thread_is_left_waiting_when_the_loop_ends,
        callback_of_one_loop_may_wait_for_another,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    suite_add(suite, thread_that_waits_always_gets_an_outcome, NULL, NULL);
    return suite_run(suite);
}
