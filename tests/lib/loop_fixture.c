#include "tests/lib/loop_fixture.h"

#include <check.h>
#include <string.h>

#include "dbal/deferred.h"
#include "dbal/loop.h"

static const double GUARD = 120; /* seconds: for slow machines, it only ends what hangs */

void
loop_fixture_init(loop_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->ev = ev_loop_new(EVFLAG_AUTO);
    ck_assert_ptr_nonnull(fixture->ev);
    fixture->loop = dbal_loop_new(fixture->ev);
    ck_assert_ptr_nonnull(fixture->loop);
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
    (void)ev;
    (void)timer;
    (void)events;
}

void
loop_fixture_until(loop_fixture *fixture, bool (*done)(void *arg), void *arg)
{
    bool late = false;
    ev_timer guard, looking;
    ev_timer_init(&guard, time_is_up, GUARD, 0);
    guard.data = &late;
    ev_timer_start(fixture->ev, &guard);
    ev_timer_init(&looking, look_again, 0.001, 0.001);
    ev_timer_start(fixture->ev, &looking);
    while (!done(arg) && !late)
        ev_run(fixture->ev, EVRUN_ONCE);
    ev_timer_stop(fixture->ev, &guard);
    ev_timer_stop(fixture->ev, &looking);
    ck_assert_msg(!late, "nothing came of it in %g s", GUARD);
}

typedef struct awaited {
    dbal_outcome outcome;
    bool done;
} awaited;

static void
take(dbal_outcome outcome, void *arg)
{
    awaited *one = arg;
    one->outcome = outcome;
    one->done = true;
}

static bool
is_done(void *arg)
{
    const awaited *one = arg;
    return one->done;
}

dbal_outcome
loop_fixture_await(loop_fixture *fixture, dbal_deferred *deferred)
{
    awaited one = {.done = false};
    dbal__deferred_add_taker(deferred, take, &one);
    loop_fixture_until(fixture, is_done, &one);
    return one.outcome;
}

void
loop_fixture_drive(loop_fixture *fixture)
{
    dbal__clock_drive(&dbal__ready_of(fixture->loop)->clock);
}

void
loop_fixture_advance(loop_fixture *fixture, double seconds)
{
    dbal__clock_advance(&dbal__ready_of(fixture->loop)->clock, seconds);
    dbal__loop_enter(fixture->loop);
    dbal__loop_settle(fixture->loop);
    dbal__loop_leave(fixture->loop);
}

void
bare_loop_init(bare_loop *bare)
{
    memset(bare, 0, sizeof *bare);
    dbal__ready_init(&bare->ready);
    dbal__clock_drive(&bare->ready.clock);
    bare->ready.log = log_lines_add;
    bare->ready.log_arg = &bare->log;
    dbal__deferred_fill_reserve(&bare->ready);
}

void
bare_loop_fini(bare_loop *bare)
{
    dbal__deferred_close_all(&bare->ready);
    bare_loop_run(bare);
    dbal__deferred_free_spare(&bare->ready);
}

void
bare_loop_run(bare_loop *bare)
{
    while (dbal__ready_drain(&bare->ready)) {
    }
}

void
bare_loop_advance(bare_loop *bare, double seconds)
{
    dbal__clock_advance(&bare->ready.clock, seconds);
    dbal__clock_run(&bare->ready.clock);
    bare_loop_run(bare);
}

void
bare_loop_starve(bare_loop *bare)
{
    dbal__deferred_free_spare(&bare->ready);
}
