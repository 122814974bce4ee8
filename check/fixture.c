/* The loop of a trial, by what the library declares in public. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check/trial.h"
#include "tests/lib/loop_await.h"

void
loop_fixture_init(loop_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->ev = ev_loop_new(EVFLAG_AUTO);
    fixture->loop = fixture->ev != NULL ? dbal_loop_new(fixture->ev) : NULL;
    if (fixture->loop == NULL)
        trial_fail("there is no loop to be had");
    dbal_loop_set_log(fixture->loop, log_lines_add, &fixture->log);
}

void
loop_fixture_fini(loop_fixture *fixture)
{
    dbal_loop_free(fixture->loop);
    ev_loop_destroy(fixture->ev);
}

static void
time_is_up(struct ev_loop *ev, ev_timer *timer, int events)
{
    bool *late = timer->data;
    (void)events;
    *late = true;
    ev_break(ev, EVBREAK_ALL);
}

/* Only wakes the loop: what is waited for may have happened just before it would sleep. */
static void
look_again(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev, (void)timer, (void)events;
}

void
loop_fixture_until(loop_fixture *fixture, bool (*done)(void *arg), void *arg)
{
    bool late = false;
    ev_timer guard, looking;
    ev_timer_init(&guard, time_is_up, trial_patience, 0);
    guard.data = &late;
    ev_timer_start(fixture->ev, &guard);
    ev_timer_init(&looking, look_again, 0.001, 0.001);
    ev_timer_start(fixture->ev, &looking);
    while (!done(arg) && !late)
        ev_run(fixture->ev, EVRUN_ONCE);
    ev_timer_stop(fixture->ev, &guard);
    ev_timer_stop(fixture->ev, &looking);
    if (late)
        trial_fail("nothing came of it in %g s", trial_patience);
}

/* A thread waits for it meanwhile, so that the outcome is the caller's own. */
typedef struct awaited {
    dbal_loop *loop;
    dbal_deferred *deferred;
    dbal_outcome outcome;
    atomic_bool done;
    struct ev_loop *ev;
    ev_async wake;
} awaited;

static dbal_outcome
wait_for(void *arg)
{
    awaited *one = arg;
    dbal_outcome outcome = dbal_wait(one->deferred);
    one->deferred = dbal_deferred_unref(one->deferred);
    return outcome;
}

static void *
await(void *arg)
{
    awaited *one = arg;
    one->outcome = dbal_loop_await(one->loop, wait_for, one);
    atomic_store(&one->done, true);
    ev_async_send(one->ev, &one->wake);
    return NULL;
}

static bool
is_done(void *arg)
{
    return atomic_load(&((awaited *)arg)->done);
}

static void
woken(struct ev_loop *ev, ev_async *wake, int events)
{
    (void)ev, (void)wake, (void)events;
}

dbal_outcome
loop_fixture_await(loop_fixture *fixture, dbal_deferred *deferred)
{
    awaited one = {
        .loop = fixture->loop, .deferred = dbal_deferred_ref(deferred), .ev = fixture->ev};
    pthread_t thread;
    ev_async_init(&one.wake, woken);
    ev_async_start(fixture->ev, &one.wake);
    if (pthread_create(&thread, NULL, await, &one) != 0)
        trial_fail("there is no thread to be had");
    loop_fixture_until(fixture, is_done, &one);
    pthread_join(thread, NULL);
    ev_async_stop(fixture->ev, &one.wake);
    return one.outcome;
}

void
loop_fixture_drive(loop_fixture *fixture)
{
    (void)fixture;
    trial_end(VERDICT_UNASKED, "it needs a clock that is driven by hand");
}

void
loop_fixture_advance(loop_fixture *fixture, double seconds)
{
    (void)fixture, (void)seconds;
}
