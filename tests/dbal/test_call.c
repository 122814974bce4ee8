/* Calls into a loop from other threads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dbal/loop.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/chance.h"
#include "tests/lib/latch.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"

static loop_fixture fixture;
static dbal_loop *loop;
static latch start = LATCH_INIT;

static void
setup(void)
{
    loop_fixture_init(&fixture);
    loop = fixture.loop;
    trace_clear();
    latch_close(&start);
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

START_TEST(call_on_the_loops_own_thread_runs_later_and_once)
{
    ck_assert(dbal_loop_call(loop, trace_name, "a"));
    ck_assert(dbal_loop_call(loop, trace_name, "b"));
    TRACE_EQ("");
    /* a message alone does not keep ev_run going: that takes a hold */
    while (*trace == '\0')
        ev_run(fixture.ev, EVRUN_NOWAIT);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    TRACE_EQ("a b");
}
END_TEST

enum { CALLERS = 4, CALLS = 10000 };

typedef struct caller caller;

typedef struct item {
    caller *by;
    unsigned number;
} item;

struct caller {
    pthread_t thread;
    unsigned count, accepted; /* to be called, and what was not refused */
    unsigned next, wrong;     /* the loop's: what is due, and what came out of order */
    item *items;
};

static void
run_item(void *arg)
{
    item *one = arg;
    one->by->wrong += one->number != one->by->next || loop->depth == 0;
    one->by->next = one->number + 1;
}

/* Calls until it is refused. */
static void *
call_many(void *arg)
{
    caller *by = arg;
    latch_wait(&start);
    while (by->accepted < by->count && dbal_loop_call(loop, run_item, &by->items[by->accepted]))
        by->accepted++;
    return NULL;
}

static void
callers_start(caller *all, unsigned count)
{
    for (unsigned i = 0; i < CALLERS; i++) {
        all[i] = (caller){.count = count, .items = calloc(count, sizeof(item))};
        for (unsigned j = 0; j < count; j++)
            all[i].items[j] = (item){&all[i], j};
        all[i].thread = spawn(call_many, &all[i]);
    }
    latch_open(&start);
}

static void
callers_end(caller *all, const char *when)
{
    for (unsigned i = 0; i < CALLERS; i++) {
        pthread_join(all[i].thread, NULL);
        ck_assert_msg(all[i].next == all[i].accepted && all[i].wrong == 0,
                      "%s: %u accepted, %u run, %u out of order", when, all[i].accepted,
                      all[i].next, all[i].wrong);
        free(all[i].items);
    }
}

static bool
all_have_run(void *arg)
{
    const caller *all = arg;
    for (unsigned i = 0; i < CALLERS; i++) {
        if (all[i].next < all[i].count)
            return false;
    }
    return true;
}

START_TEST(calls_of_many_threads_all_run_in_the_order_of_each)
{
    caller all[CALLERS];
    callers_start(all, chance_rounds(CALLS));
    loop_fixture_until(&fixture, all_have_run, all);
    callers_end(all, "while it runs");
    ck_assert_uint_eq(loop->delivered, CALLERS * chance_rounds(CALLS));
}
END_TEST

/* The event loop is destroyed at a random moment; the dbal_loop stays until nobody calls. */
START_TEST(call_accepted_as_the_loop_ends_still_runs)
{
    chance luck;
    chance_init(&luck);
    for (unsigned round = chance_rounds(60); round > 0; round--) {
        caller all[CALLERS];
        struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
        char when[64];
        loop = dbal_loop_new(ev);
        latch_close(&start);
        snprintf(when, sizeof when, "seed %" PRIu64, luck.seed);
        callers_start(all, CALLS);
        for (unsigned i = chance_below(&luck, 10); i > 0; i--)
            ev_run(ev, EVRUN_NOWAIT);
        if (chance_below(&luck, 2))
            dbal_loop_close(loop, 0);
        ev_loop_destroy(ev);
        callers_end(all, when);
        dbal_loop_free(loop);
    }
}
END_TEST

START_TEST(call_without_memory_is_refused)
{
    alloc_fault_install();
    alloc_fault_fail(1);
    ck_assert(!dbal_loop_call(loop, trace_name, "never"));
    alloc_fault_remove();
    ev_run(fixture.ev, EVRUN_NOWAIT);
    TRACE_EQ("");
}
END_TEST

/* two loops, each in a thread of its own */

enum { HITS = 2000, BALLS = 4 };

/* Whoever has the ball is alone with it. */
typedef struct ball {
    dbal_loop **loops;
    pthread_t *threads;
    unsigned left, wrong;
} ball;

static void
hit(void *arg)
{
    ball *one = arg;
    unsigned side = one->left % 2;
    one->wrong += !pthread_equal(one->threads[side], pthread_self());
    if (one->left <= 1)
        dbal_loop_unhold(one->loops[side]);
    if (one->left > 0 && !dbal_loop_call(one->loops[--one->left % 2], hit, one))
        one->wrong++;
}

static void *
run_loop(void *arg)
{
    latch_wait(&start);
    ev_run(arg, 0);
    return NULL;
}

START_TEST(two_loops_in_two_threads_call_one_another)
{
    struct ev_loop *evs[2];
    dbal_loop *loops[2];
    pthread_t threads[2];
    ball balls[BALLS];
    for (int i = 0; i < 2; i++) {
        evs[i] = ev_loop_new(EVFLAG_AUTO);
        loops[i] = dbal_loop_new(evs[i]);
        for (int j = 0; j < BALLS; j++)
            dbal_loop_hold(loops[i]);
        threads[i] = spawn(run_loop, evs[i]);
    }
    for (unsigned i = 0; i < BALLS; i++) {
        balls[i] = (ball){loops, threads, chance_rounds(HITS) + i, 0};
        ck_assert(dbal_loop_call(loops[balls[i].left % 2], hit, &balls[i]));
    }
    latch_open(&start);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < BALLS; i++)
        ck_assert_msg(balls[i].left == 0 && balls[i].wrong == 0, "%u left, %u wrong", balls[i].left,
                      balls[i].wrong);
    for (int i = 0; i < 2; i++) {
        dbal_loop_free(loops[i]);
        ev_loop_destroy(evs[i]);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("call");
    const TTest *const tests[] = {
        call_on_the_loops_own_thread_runs_later_and_once,
        calls_of_many_threads_all_run_in_the_order_of_each,
        call_accepted_as_the_loop_ends_still_runs,
        call_without_memory_is_refused,
        two_loops_in_two_threads_call_one_another,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
