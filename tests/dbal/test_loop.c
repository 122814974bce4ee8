/* dbal's side of an event loop: when things run, and what keeps it going. */
#include <unistd.h>

#include "dbal/deferred.h"
#include "dbal/loop.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"

static loop_fixture fixture;
static struct ev_loop *ev;
static dbal_loop *loop;

static void
setup(void)
{
    loop_fixture_init(&fixture);
    ev = fixture.ev;
    loop = fixture.loop;
    trace_clear();
}

static void
teardown(void)
{
    loop_fixture_fini(&fixture);
}

static dbal_deferred *
make(void)
{
    return dbal_deferred_new(loop, NULL, NULL);
}

static dbal_loop_counts
counts(void)
{
    dbal_loop_counts all = {.size = sizeof all};
    dbal_loop_stats(loop, &all);
    return all;
}

static void
fire(void *deferred)
{
    dbal_deferred_fire(deferred, trace_text("x"));
}

static void
fire_from_timer(struct ev_loop *the_ev, ev_timer *timer, int events)
{
    (void)the_ev;
    (void)events;
    fire(timer->data);
}

/* A timer that does not keep the event loop going by itself. */
static void
idle_timer_start(ev_timer *timer, void (*run)(struct ev_loop *, ev_timer *, int), double seconds)
{
    ev_timer_init(timer, run, seconds, 100);
    ev_timer_start(ev, timer);
    ev_unref(ev);
}

static void
idle_timer_stop(ev_timer *timer)
{
    ev_ref(ev);
    ev_timer_stop(ev, timer);
}

/* Something of the program's own that fires a Deferred, after some time. */
static void
fire_later(ev_timer *timer, dbal_deferred *deferred, double seconds)
{
    ev_timer_init(timer, fire_from_timer, seconds, 0);
    timer->data = deferred;
    ev_timer_start(ev, timer);
}

/* when callbacks run */

typedef struct moment {
    unsigned iteration;
    uint64_t entry;
    unsigned runs;
    dbal_deferred *next;
} moment;

static dbal_outcome
note(dbal_outcome in, void *arg)
{
    moment *one = arg;
    one->iteration = ev_iteration(ev);
    one->entry = counts().entries;
    one->runs++;
    if (one->next != NULL)
        fire(one->next);
    return in;
}

static unsigned iteration_fired;

static void
note_and_fire(struct ev_loop *the_ev, ev_timer *timer, int events)
{
    iteration_fired = ev_iteration(the_ev);
    fire_from_timer(the_ev, timer, events);
}

START_TEST(what_the_program_fires_runs_before_the_loop_sleeps)
{
    moment one = {.runs = 0};
    ev_timer timer;
    dbal_deferred *d = dbal_deferred_add_both(make(), note, &one);
    ev_timer_init(&timer, note_and_fire, 0, 0);
    timer.data = d;
    ev_timer_start(ev, &timer);
    uint64_t before = counts().entries;
    ev_run(ev, EVRUN_ONCE);
    ck_assert_uint_eq(one.runs, 0);
    ev_run(ev, EVRUN_NOWAIT);
    ck_assert_uint_eq(one.runs, 1);
    ck_assert_uint_eq(one.iteration, iteration_fired);
    /* one entry for each prepare, and none more */
    ck_assert_uint_eq(one.entry - before, 2);
}
END_TEST

static void
fire_first(void *arg)
{
    moment *all = arg;
    all[0].entry = counts().entries;
    fire(all[0].next);
}

START_TEST(what_a_message_fires_runs_in_the_same_entry_however_long_the_chain)
{
    enum { CHAIN = 10 };
    moment all[CHAIN + 1] = {{.runs = 0}};
    for (int i = 0; i < CHAIN; i++)
        all[i].next = dbal_deferred_add_both(make(), note, &all[i + 1]);
    ck_assert(dbal_loop_call(loop, fire_first, all));
    ev_run(ev, 0);
    for (int i = 1; i <= CHAIN; i++) {
        ck_assert_uint_eq(all[i].runs, 1);
        ck_assert_uint_eq(all[i].entry, all[0].entry);
        ck_assert_uint_eq(all[i].iteration, all[1].iteration);
    }
    ck_assert_uint_eq(counts().messages, 1);
}
END_TEST

/* Time by the wall: a sanitizer makes it no longer. */
static void
burn(double seconds)
{
    int64_t until = dbal__after(dbal__monotonic(), seconds);
    while (dbal__monotonic() < until) {
    }
}

enum { BURSTS = 400 };

typedef struct crowd {
    unsigned done, since, most, turns;
} crowd;

static void
burn_one(void *arg)
{
    crowd *all = arg;
    burn(50e-6);
    all->done++;
    if (++all->since > all->most)
        all->most = all->since;
}

static dbal_outcome
burn_callback(dbal_outcome in, void *arg)
{
    burn_one(arg);
    return in;
}

static void
unhold(void *arg)
{
    (void)arg;
    dbal_loop_unhold(loop);
}

static void
take_turn(struct ev_loop *the_ev, ev_io *watcher, int events)
{
    crowd *all = watcher->data;
    (void)events;
    all->since = 0;
    all->turns += all->done > 0;
    if (all->done == BURSTS)
        ev_io_stop(the_ev, watcher);
}

/* With a descriptor that always has something to say. */
static void
run_crowd(crowd *all)
{
    int ends[2];
    ev_io watcher;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ev_io_init(&watcher, take_turn, ends[0], EV_READ);
    watcher.data = all;
    ev_io_start(ev, &watcher);
    ev_run(ev, 0);
    close(ends[0]);
    close(ends[1]);
    ck_assert_uint_eq(all->done, BURSTS);
    ck_assert_msg(all->turns > 3 && all->most < BURSTS / 2, "%u turns, %u in one of them",
                  all->turns, all->most);
}

START_TEST(callbacks_that_exceed_a_slice_let_others_have_their_turn)
{
    crowd all = {.done = 0};
    for (int i = 0; i < BURSTS; i++)
        fire(dbal_deferred_add_both(make(), burn_callback, &all));
    run_crowd(&all);
}
END_TEST

START_TEST(one_long_chain_lets_others_have_their_turn)
{
    crowd all = {.done = 0};
    dbal_deferred *d = make();
    for (int i = 0; i < BURSTS; i++)
        dbal_deferred_add_both(d, burn_callback, &all);
    fire(d);
    run_crowd(&all);
}
END_TEST

START_TEST(messages_that_exceed_a_slice_let_others_have_their_turn)
{
    crowd all = {.done = 0};
    for (int i = 0; i < BURSTS; i++)
        ck_assert(dbal_loop_call(loop, burn_one, &all));
    run_crowd(&all);
}
END_TEST

static void
give_up(struct ev_loop *the_ev, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(the_ev, EVBREAK_ALL);
}

/* Nothing else would wake the loop for the rest. */
START_TEST(what_exceeds_a_slice_goes_on_by_itself)
{
    crowd all = {.done = 0};
    ev_timer guard;
    idle_timer_start(&guard, give_up, 20);
    for (int i = 0; i < BURSTS; i++)
        fire(dbal_deferred_add_both(make(), burn_callback, &all));
    ev_run(ev, 0);
    ck_assert_uint_eq(all.done, BURSTS);
    dbal_loop_hold(loop);
    for (int i = 0; i < BURSTS; i++)
        dbal_loop_call(loop, burn_one, &all);
    dbal_loop_call(loop, unhold, NULL);
    ev_run(ev, 0);
    ck_assert_uint_eq(all.done, 2 * BURSTS);
    idle_timer_stop(&guard);
}
END_TEST

/* what keeps ev_run going */

START_TEST(loop_without_work_does_not_keep_ev_run_going)
{
    ev_run(ev, 0);
    ck_assert_uint_eq(counts().unsettled, 0);
    dbal_deferred *d = dbal_deferred_ref(make());
    fire(d);
    ev_run(ev, 0);
    /* settled, whoever still refers to it */
    ck_assert_uint_eq(counts().unsettled, 0);
    dbal_deferred_unref(d);
}
END_TEST

START_TEST(unsettled_deferred_keeps_ev_run_going)
{
    ev_timer timer;
    dbal_deferred *d = dbal_deferred_add_both(make(), trace_handle, "d");
    timer.data = d;
    idle_timer_start(&timer, fire_from_timer, 0.002);
    ck_assert_uint_eq(counts().unsettled, 1);
    ev_run(ev, 0);
    TRACE_EQ("d=x");
    idle_timer_stop(&timer);
}
END_TEST

START_TEST(timeout_ends_what_nothing_else_would)
{
    dbal_deferred *late = make(), *soon = make(), *fired = make();
    dbal_deferred_add_timeout(fired, 0.001);
    dbal_deferred_add_both(dbal_deferred_add_timeout(late, 0.02), trace_handle, "late");
    dbal_deferred_add_both(dbal_deferred_add_timeout(soon, 0.004), trace_handle, "soon");
    fire(fired);
    ev_run(ev, 0);
    TRACE_EQ("soon=!timeout late=!timeout");
    dbal_deferred_unref(late);
    dbal_deferred_unref(soon);
}
END_TEST

static void
unhold_from_timer(struct ev_loop *the_ev, ev_timer *timer, int events)
{
    (void)the_ev;
    (void)timer;
    (void)events;
    trace_add("unhold");
    unhold(NULL);
}

START_TEST(holds_are_counted_and_keep_ev_run_going)
{
    ev_timer timers[2];
    dbal_loop_hold(loop);
    dbal_loop_hold(loop);
    ck_assert_uint_eq(counts().unsettled, 0);
    for (int i = 0; i < 2; i++)
        idle_timer_start(&timers[i], unhold_from_timer, 0.001 * (i + 1));
    ev_run(ev, 0);
    TRACE_EQ("unhold unhold");
    for (int i = 0; i < 2; i++)
        idle_timer_stop(&timers[i]);
    ck_assert_uint_eq(fixture.log.count, 0);
}
END_TEST

START_TEST(unhold_without_hold_is_logged_and_ignored)
{
    dbal_deferred *d = make();
    dbal_loop_unhold(loop);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "dbal_loop_unhold"), 1);
    ck_assert_int_eq(fixture.log.levels[0], DBAL_LOG_ERROR);
    ck_assert_uint_eq(counts().unsettled, 1);
    fire(d);
    ev_run(ev, 0);
}
END_TEST

static void
count_up(struct ev_loop *the_ev, ev_timer *timer, int events)
{
    (void)the_ev;
    (void)events;
    ++*(int *)timer->data;
}

/* Whatever held the loop when it was freed, the event loop's own count is right again. */
START_TEST(freed_loop_leaves_the_event_loop_as_it_was)
{
    int ran = 0;
    ev_timer timer;
    dbal_loop *second = dbal_loop_new(ev);
    dbal_loop_set_log(second, log_lines_add, &fixture.log);
    dbal_loop_hold(second);
    dbal_deferred *d = dbal_deferred_new(second, NULL, NULL);
    dbal_deferred_add_both(d, trace_handle, "d");
    dbal_loop_free(second);
    TRACE_EQ("d=!closed");
    dbal_deferred_fire(d, dbal_done());
    ev_run(ev, 0);
    ev_timer_init(&timer, count_up, 0.001, 0);
    timer.data = &ran;
    ev_timer_start(ev, &timer);
    ev_run(ev, 0);
    ck_assert_int_eq(ran, 1);
}
END_TEST

/* several on one event loop */

static dbal_outcome
wait_for(dbal_outcome in, void *other)
{
    (void)in;
    return dbal_wait(other);
}

START_TEST(two_share_an_event_loop)
{
    dbal_loop *second = dbal_loop_new(ev);
    ev_timer timers[2];
    dbal_loop_set_log(second, log_lines_add, &fixture.log);
    dbal_deferred *a = dbal_deferred_add_both(make(), trace_handle, "a");
    dbal_deferred *b = dbal_deferred_new(second, NULL, NULL);
    dbal_deferred_add_both(b, trace_handle, "b");
    fire_later(&timers[0], a, 0.002);
    fire_later(&timers[1], b, 0.001);
    ev_run(ev, 0);
    TRACE_EQ("b=x a=x");
    dbal_loop_free(second);
    ck_assert_uint_eq(fixture.log.count, 0);
}
END_TEST

START_TEST(deferred_cannot_wait_for_one_of_another_loop)
{
    dbal_loop *second = dbal_loop_new(ev);
    dbal_deferred *other = dbal_deferred_ref(dbal_deferred_new(second, NULL, NULL));
    dbal_deferred *d = dbal_deferred_add_both(make(), wait_for, other);
    dbal_deferred_add_both(d, trace_handle, "d");
    fire(d);
    fire(other);
    ev_run(ev, 0);
    TRACE_EQ("d=!interface");
    dbal_deferred_unref(other);
    dbal_loop_free(second);
}
END_TEST

static dbal_outcome
free_loop(dbal_outcome in, void *which)
{
    trace_add("free");
    dbal_loop_free(which);
    return in;
}

START_TEST(one_may_be_freed_in_a_callback_of_the_other)
{
    dbal_loop *second = dbal_loop_new(ev);
    dbal_deferred *open = dbal_deferred_new(second, NULL, NULL);
    dbal_deferred_add_both(open, trace_handle, "second");
    fire(dbal_deferred_add_both(make(), free_loop, second));
    ev_run(ev, 0);
    TRACE_EQ("free second=!closed");
    dbal_deferred_unref(open);
    dbal_deferred *d = dbal_deferred_add_both(make(), trace_handle, "first");
    fire(d);
    ev_run(ev, 0);
    TRACE_EQ("free second=!closed first=x");
}
END_TEST

START_TEST(free_inside_a_callback_is_refused_and_logged)
{
    fire(dbal_deferred_add_both(make(), free_loop, loop));
    dbal_deferred *d = dbal_deferred_add_both(make(), trace_handle, "d");
    fire(d);
    ev_run(ev, 0);
    TRACE_EQ("free d=x");
    ck_assert_uint_eq(log_lines_count(&fixture.log, "dbal_loop_free refused"), 1);
    dbal_loop_free(NULL);
    ck_assert_ptr_null(dbal_loop_new(NULL));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("loop");
    const TTest *const tests[] = {
        what_the_program_fires_runs_before_the_loop_sleeps,
        what_a_message_fires_runs_in_the_same_entry_however_long_the_chain,
        callbacks_that_exceed_a_slice_let_others_have_their_turn,
        one_long_chain_lets_others_have_their_turn,
        messages_that_exceed_a_slice_let_others_have_their_turn,
        what_exceeds_a_slice_goes_on_by_itself,
        loop_without_work_does_not_keep_ev_run_going,
        unsettled_deferred_keeps_ev_run_going,
        timeout_ends_what_nothing_else_would,
        holds_are_counted_and_keep_ev_run_going,
        unhold_without_hold_is_logged_and_ignored,
        freed_loop_leaves_the_event_loop_as_it_was,
        two_share_an_event_loop,
        deferred_cannot_wait_for_one_of_another_loop,
        one_may_be_freed_in_a_callback_of_the_other,
        free_inside_a_callback_is_refused_and_logged,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
