/*
 * A pool that is changed twice, in every way after every other, at each step of what its connections
 * do; and the same without memory.
 */
#include <stdio.h>

#include "pool/pool.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", ""},
    {"fake", "level=0"},
    {"native", ""},
    {"native", "pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

/* Time passes meanwhile: a crew of threads grows with it, and a pause looks whether they sleep. */
static bool
has_settled(void *arg)
{
    loop_fixture_advance(&fixture, 0.0005);
    return ((seen *)arg)->settled != 0;
}

static void
until_ended(seen *one)
{
    loop_fixture_until(&fixture, has_settled, one);
}

/* How far the pool is when it is changed. */
typedef enum step {
    NOTHING_OPEN,
    OPENING,
    REST,
    STATEMENT,
    SESSION,
    SESSION_STATEMENT,
    REPLACING,
    STEPS
} step;

typedef enum change {
    NONE,
    DRAIN,
    DRAIN_CANCELLED,
    PAUSE,
    PAUSE_CANCELLED,
    RESUME,
    SHRINK,
    GROW,
    LOSE,
    TIME,
    CLOSE,
    FREE,
    CHANGES
} change;

enum { PENDING = 12 };

typedef struct upheaval {
    int target;
    step step;
    holder held;
    bool holds, freed, closed;
    seen pending[PENDING];
    int count;
} upheaval;

static void
expect(upheaval *self, dbal_deferred *deferred)
{
    watch(deferred, &self->pending[self->count++]);
}

static void
bring_to(upheaval *self)
{
    char text[160];
    snprintf(text, sizeof text,
             "%s&pool_max_size=2&pool_max_lifetime=100&pool_acquire_timeout=off&pool_connect_"
             "timeout=off",
             targets[self->target][1]);
    script->hang_open = self->step == OPENING;
    open_pool(targets[self->target][0], text[0] == '&' ? text + 1 : text);
    if (self->step > OPENING)
        good(dbal_pool_ready(pool));
    loop_fixture_drive(&fixture);
    if (self->step == OPENING || self->step == STATEMENT)
        expect(self, ask("add 1 wait g"));
    if (self->step == SESSION || self->step == SESSION_STATEMENT) {
        self->holds = true;
        hold(&self->held);
        until_held(&self->held);
    }
    if (self->step == SESSION_STATEMENT)
        expect(self, dbal_connection_query(self->held.connection, "wait g", DBAL_NO_PARAMS));
    if (self->step == REPLACING) {
        script->hang_open = true;
        loop_fixture_advance(&fixture, 101);
    }
    if (self->step != NOTHING_OPEN && self->step != REST && self->step != SESSION)
        until_count(&script->waiting, 1);
}

static void
apply(upheaval *self, change what)
{
    dbal_deferred *deferred = NULL;
    switch (what) {
    case DRAIN:
    case DRAIN_CANCELLED:
        expect(self, deferred = dbal_pool_drain(pool));
        break;
    case PAUSE:
    case PAUSE_CANCELLED:
        expect(self, deferred = dbal_pool_pause(pool));
        break;
    case RESUME:
        dbal_pool_resume(pool);
        break;
    case SHRINK:
    case GROW:
        dbal_pool_resize(pool, what == GROW ? 1 : 0, what == GROW ? 3 : 1, NULL);
        break;
    case LOSE:
        expect(self, self->holds && self->held.end.settled == 0
                         ? dbal_connection_query(self->held.connection, "lose", DBAL_NO_PARAMS)
                         : ask("lose"));
        break;
    case TIME:
        loop_fixture_advance(&fixture, 101);
        break;
    case CLOSE:
        expect(self, dbal_pool_close(pool));
        self->closed = true;
        break;
    default:
        break;
    }
    if (what == DRAIN_CANCELLED || what == PAUSE_CANCELLED)
        dbal_deferred_cancel(deferred);
    if (what != RESUME) /* two in one turn, too */
        settle();
}

/* Nothing is being replaced, and there is nothing too much. */
static bool
is_settled(void *arg)
{
    (void)arg;
    loop_fixture_advance(&fixture, 0.0005);
    return pool->life.leaving == NULL && pool->life.replacement == NULL &&
           dbal__resize_surplus(pool) <= 0;
}

static void
finish(upheaval *self)
{
    fake_script_open_gate(script, "g");
    fake_script_open_gate(script, "open");
    if (self->holds)
        let_go(&self->held);
    if (!self->closed) {
        dbal_pool_resume(pool);
        expect(self, ask("add 1"));
        expect(self, dbal_pool_drain(pool));
    }
    for (int i = 0; i < self->count; i++)
        until_ended(&self->pending[i]);
    if (self->holds)
        until_ended(&self->held.end);
    if (!self->closed) {
        loop_fixture_until(&fixture, is_settled, NULL);
        good(ask("get"));
    }
    good(dbal_pool_close(pool));
}

static void
run_upheaval(int target, step at, change first, change second)
{
    upheaval self = {.target = target, .step = at};
    pool_fixture_init();
    bring_to(&self);
    apply(&self, first);
    if (first != CLOSE || second == FREE || second == CLOSE)
        apply(&self, second);
    if (second == FREE) {
        fake_script_open_gate(script, "g");
        fake_script_open_gate(script, "open");
        if (self.holds)
            let_go(&self.held);
        fake_script_watch(script, NULL);
        dbal_loop_free(fixture.loop);
        for (int i = 0; i < self.count; i++)
            ck_assert_msg(self.pending[i].settled == 1, "%d: at %d, %d then %d", i, at, first,
                          second);
        fixture.loop = dbal_loop_new(fixture.ev);
    } else {
        finish(&self);
    }
    pool_fixture_fini();
}

START_TEST(whatever_comes_together)
{
    int target = _i / STEPS;
    step at = (step)(_i % STEPS);
    for (change first = DRAIN; first < FREE; first++)
        for (change second = NONE; second < CHANGES; second++)
            run_upheaval(target, at, first, second);
}
END_TEST

/* ---- without memory ---- */

typedef struct tally {
    int asked, settled;
} tally;

static dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static void
settled(void *arg)
{
    ((tally *)arg)->settled++;
}

static void
count(tally *self, dbal_deferred *deferred)
{
    self->asked++;
    dbal_deferred_add_errback(deferred, swallow, NULL);
    dbal_deferred_add_finally(deferred, settled, self);
}

static dbal_outcome
one_statement(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "get", DBAL_NO_PARAMS));
}

static void
tell(const dbal_holder *one, void *arg)
{
    (void)arg;
    ck_assert_double_ge(one->age, 0);
}

static void
change_all(tally *self, dbal_pool *one)
{
    dbal_error *error = NULL;
    count(self, dbal_pool_query(one, "get", DBAL_NO_PARAMS));
    count(self, dbal_pool_session(one, DBAL_SESSION(.label = "s"), one_statement, NULL));
    count(self, dbal_pool_drain(one));
    dbal_pool_resize(one, 1, 2, NULL);
    count(self, dbal_pool_pause(one));
    count(self, dbal_pool_query(one, "get", DBAL_NO_PARAMS));
    dbal_pool_holders(one, tell, NULL);
    if (!dbal_pool_resize(one, 2, 1, &error))
        dbal_error_unref(error);
    dbal_pool_resume(one);
    count(self, dbal_pool_drain(one));
}

static void
time_is_up(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)events;
    *(bool *)timer->data = true;
    ev_break(ev, EVBREAK_ALL);
}

/* Until all has settled; a drain goes on for as long as there is no memory for a connect. */
static void
run_for_a_while(struct ev_loop *ev, const tally *self)
{
    bool late = false;
    ev_timer timer;
    ev_timer_init(&timer, time_is_up, 0.02, 0);
    timer.data = &late;
    ev_timer_start(ev, &timer);
    while (!late && self->settled < self->asked)
        ev_run(ev, EVRUN_ONCE);
    ev_timer_stop(ev, &timer);
}

static void
scenario(void *arg)
{
    tally self = {.asked = 0};
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    log_lines log = {.count = 0};
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_pool *one = NULL;
    if (loop != NULL) {
        dbal_loop_set_log(loop, log_lines_add, &log);
        one = dbal_pool_open(loop, arg, NULL, NULL);
    }
    if (one != NULL) {
        change_all(&self, one);
        run_for_a_while(ev, &self);
        change_all(&self, one);
        count(&self, dbal_pool_pause(one));
        count(&self, dbal_pool_close(one));
        ev_run(ev, 0);
    }
    dbal_loop_free(loop);
    ck_assert_int_eq(self.settled, self.asked);
    ev_loop_destroy(ev);
}

/* A driver that has one thread keeps it for the life of the process. */
static void
before_memory(void)
{
    fake_drivers_register();
    fake_script_clear(fake_script_get("memory"));
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    ck_assert_ptr_nonnull(dbal_pool_open(loop, "fake:memory?level=0", NULL, NULL));
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    alloc_fault_install();
}

static void
after_memory(void)
{
    alloc_fault_remove();
}

START_TEST(nothing_is_lost_without_memory)
{
    static const char *const urls[] = {"fake:memory?pool_idle_timeout=1", "fake:memory?level=0",
                                       "native:memory", "native:memory?pipeline=off"};
    alloc_fault_sweep(scenario, (void *)urls[_i]);
}
END_TEST

static void
add(Suite *suite, const TTest *test, void (*before)(void), void (*after)(void), int count)
{
    TCase *one = tcase_create(test->name);
    if (before != NULL)
        tcase_add_checked_fixture(one, before, after);
    tcase_add_loop_test(one, test, 0, count);
    tcase_set_timeout(one, 200);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("upheaval");
    add(suite, whatever_comes_together, NULL, NULL, TARGETS * STEPS);
    add(suite, nothing_is_lost_without_memory, before_memory, after_memory, TARGETS);
    return suite_run(suite);
}
