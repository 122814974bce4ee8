/* Timers: the heap against a plain table, and moments at their edges. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "dbal/clock.h"
#include "dbal/list.h"
#include "tests/lib/chance.h"
#include "tests/lib/suite.h"

static const int64_t SECOND = 1000000000;

/* seconds and moments */

START_TEST(seconds_become_nanoseconds_within_range)
{
    ck_assert_int_eq(dbal__nanoseconds(1.5), 1500000000);
    ck_assert_int_eq(dbal__nanoseconds(1e-9), 1);
    ck_assert_int_eq(dbal__nanoseconds(1e-10), 0);
    ck_assert_int_eq(dbal__nanoseconds(0), 0);
    ck_assert_int_eq(dbal__nanoseconds(-0.0), 0);
    ck_assert_int_eq(dbal__nanoseconds(-1), 0);
    ck_assert_int_eq(dbal__nanoseconds(-1e300), 0);
    ck_assert_int_eq(dbal__nanoseconds(-INFINITY), 0);
    ck_assert_int_eq(dbal__nanoseconds(INFINITY), DBAL__NEVER);
    ck_assert_int_eq(dbal__nanoseconds(1e300), DBAL__NEVER);
    ck_assert_int_eq(dbal__nanoseconds(9e9), DBAL__NEVER);
    ck_assert_int_eq(dbal__nanoseconds(NAN), DBAL__NEVER);
    ck_assert_int_eq(dbal__nanoseconds(8e9), 8 * SECOND * SECOND);
}
END_TEST

START_TEST(moment_after_another_does_not_overflow)
{
    ck_assert_int_eq(dbal__after(5, 1), SECOND + 5);
    ck_assert_int_eq(dbal__after(5, -3), 5);
    ck_assert_int_eq(dbal__after(5, NAN), DBAL__NEVER);
    ck_assert_int_eq(dbal__after(5, 1e18), DBAL__NEVER);
    ck_assert_int_eq(dbal__after(DBAL__NEVER - 5, 1e-9), DBAL__NEVER - 4);
    ck_assert_int_eq(dbal__after(DBAL__NEVER - 5, 1), DBAL__NEVER);
    ck_assert_int_eq(dbal__after(DBAL__NEVER, 0), DBAL__NEVER);
    ck_assert_int_eq(dbal__after(DBAL__NEVER, 1), DBAL__NEVER);
    ck_assert_int_eq(dbal__after(DBAL__NEVER / 2, 4e9), DBAL__NEVER / 2 + 4 * SECOND * SECOND);
    ck_assert_int_eq(dbal__after(DBAL__NEVER / 2, 8e9), DBAL__NEVER);
}
END_TEST

START_TEST(real_clock_goes_forward_and_a_driven_one_only_when_told)
{
    dbal__clock clock = {.first = NULL};
    int64_t before = dbal__monotonic();
    int64_t now = dbal__clock_now(&clock);
    ck_assert_int_ge(now, before);
    ck_assert_int_ge(dbal__monotonic(), now);
    dbal__clock_drive(&clock);
    now = dbal__clock_now(&clock);
    ck_assert_int_ge(now, before);
    while (dbal__monotonic() <= now) {
    }
    ck_assert_int_eq(dbal__clock_now(&clock), now);
    dbal__clock_advance(&clock, 2);
    ck_assert_int_eq(dbal__clock_now(&clock), now + 2 * SECOND);
    dbal__clock_advance(&clock, -2);
    ck_assert_int_eq(dbal__clock_now(&clock), now + 2 * SECOND);
    dbal__clock_advance(&clock, INFINITY);
    ck_assert_int_eq(dbal__clock_now(&clock), DBAL__NEVER);
}
END_TEST

/* A machine that does not get its processors may let the ticks that it counts come late. */
START_TEST(rough_time_is_near_and_exact_when_driven)
{
    dbal__clock clock = {.first = NULL};
    int good = 0, rounds = 1000;
    int64_t end = dbal__monotonic() + 30 * SECOND;
    for (int i = 0; i < rounds || (good == 0 && dbal__monotonic() < end); i++) {
        int64_t before = dbal__monotonic();
        int64_t roughly = dbal__clock_roughly(&clock);
        int64_t after = dbal__monotonic();
        good += roughly >= before && roughly <= after + SECOND / 100;
        ck_assert_int_ge(roughly, before - 10 * SECOND);
        ck_assert_int_le(roughly, after + SECOND / 100);
    }
    ck_assert_int_gt(good, 0);
    dbal__clock_drive(&clock);
    ck_assert_int_eq(dbal__clock_roughly(&clock), dbal__clock_now(&clock));
}
END_TEST

/* a few timers by hand */

typedef struct probe {
    dbal__timer timer;
    unsigned fired, more; /* more: how often it starts itself again when it fires */
    dbal__timer *to_stop;
} probe;

static dbal__clock hand;

static void
count(dbal__timer *timer)
{
    probe *one = DBAL__OF(timer, probe, timer);
    if (timer->active)
        ck_abort_msg("a timer is still active when it fires");
    one->fired++;
    if (one->to_stop != NULL)
        dbal__clock_stop(&hand, one->to_stop);
    if (one->more > 0) {
        one->more--;
        dbal__clock_start(&hand, timer, dbal__clock_now(&hand), count);
    }
}

static void
setup(void)
{
    hand = (dbal__clock){.driven = true, .driven_now = 1000};
}

START_TEST(timer_fires_once_when_due_and_not_before)
{
    probe one = {.fired = 0};
    dbal__clock_start(&hand, &one.timer, 1001, count);
    ck_assert(one.timer.active);
    ck_assert_int_eq(dbal__clock_next(&hand), 1001);
    dbal__clock_run(&hand);
    ck_assert_uint_eq(one.fired, 0);
    dbal__clock_advance(&hand, 1e-9);
    ck_assert_uint_eq(one.fired, 0);
    dbal__clock_run(&hand);
    ck_assert_uint_eq(one.fired, 1);
    dbal__clock_run(&hand);
    ck_assert_uint_eq(one.fired, 1);
    ck_assert_int_eq(dbal__clock_next(&hand), DBAL__NEVER);
}
END_TEST

START_TEST(timer_may_be_moved_both_ways_and_stopped_twice)
{
    probe one = {.fired = 0}, other = {.fired = 0};
    dbal__clock_stop(&hand, &one.timer);
    dbal__clock_start(&hand, &other.timer, 1500, count);
    dbal__clock_start(&hand, &one.timer, 2000, count);
    dbal__clock_start(&hand, &one.timer, 1200, count);
    ck_assert_int_eq(dbal__clock_next(&hand), 1200);
    dbal__clock_start(&hand, &one.timer, 1700, count);
    ck_assert_int_eq(dbal__clock_next(&hand), 1500);
    hand.driven_now = 1600;
    dbal__clock_run(&hand);
    ck_assert_uint_eq(one.fired, 0);
    ck_assert_uint_eq(other.fired, 1);
    dbal__clock_stop(&hand, &one.timer);
    dbal__clock_stop(&hand, &one.timer);
    dbal__clock_stop(&hand, &other.timer);
    hand.driven_now = 3000;
    dbal__clock_run(&hand);
    ck_assert_uint_eq(one.fired, 0);
}
END_TEST

START_TEST(timer_set_to_never_is_a_stopped_one)
{
    probe one = {.fired = 0};
    dbal__clock_start(&hand, &one.timer, DBAL__NEVER, count);
    ck_assert(!one.timer.active);
    dbal__clock_start(&hand, &one.timer, 1001, count);
    dbal__clock_start(&hand, &one.timer, DBAL__NEVER, count);
    ck_assert(!one.timer.active);
    ck_assert_int_eq(dbal__clock_next(&hand), DBAL__NEVER);
    hand.driven_now = 2000;
    dbal__clock_run(&hand);
    ck_assert_uint_eq(one.fired, 0);
}
END_TEST

START_TEST(timer_started_as_it_fires_for_now_fires_in_the_same_run)
{
    probe one = {.more = 4};
    dbal__clock_start(&hand, &one.timer, 1000, count);
    dbal__clock_run(&hand);
    ck_assert_uint_eq(one.fired, 5);
}
END_TEST

START_TEST(timer_stopped_by_another_that_is_due_too_does_not_fire)
{
    probe one = {.fired = 0}, other = {.fired = 0};
    one.to_stop = &other.timer;
    other.to_stop = &one.timer;
    dbal__clock_start(&hand, &one.timer, 1000, count);
    dbal__clock_start(&hand, &other.timer, 1000, count);
    dbal__clock_run(&hand);
    ck_assert_uint_eq(one.fired + other.fired, 1);
    ck_assert_ptr_null(hand.first);
}
END_TEST

/* Each order makes a heap of another shape; none may cost stack. */
START_TEST(many_timers_fire_in_order_whatever_order_they_came_in)
{
    enum { MANY = 100000 };
    static probe all[MANY];
    for (int way = 0; way < 2; way++) {
        setup();
        for (int i = 0; i < MANY; i++) {
            all[i].fired = 0;
            dbal__clock_start(&hand, &all[i].timer, way == 0 ? 1000 + i : 1000 + MANY - i, count);
        }
        for (int i = 0; i < MANY; i += 2)
            dbal__clock_stop(&hand, &all[i].timer);
        hand.driven_now = 1000 + MANY;
        dbal__clock_run(&hand);
        for (int i = 0; i < MANY; i++) {
            if (all[i].fired != (unsigned)i % 2)
                ck_abort_msg("timer %d fired %u times", i, all[i].fired);
        }
    }
}
END_TEST

/* against a table */

enum { TIMERS = 48, SPREAD = 60 };

typedef struct item {
    dbal__timer timer;
    int64_t at; /* what it should be; DBAL__NEVER when it is stopped */
} item;

static item items[TIMERS];
static chance luck;
static unsigned meddling; /* how often a firing one may still start or stop another */
static bool running;

static int64_t
soonest(void)
{
    int64_t at = DBAL__NEVER;
    for (int i = 0; i < TIMERS; i++)
        at = items[i].at < at ? items[i].at : at;
    return at;
}

static void fired(dbal__timer *timer);

static void
start_or_stop_one(void)
{
    item *one = &items[chance_below(&luck, TIMERS)];
    if (chance_below(&luck, 3) == 0) {
        one->at = DBAL__NEVER;
        dbal__clock_stop(&hand, &one->timer);
    } else {
        /* some in the past, many at the same moment */
        one->at = hand.driven_now + (int64_t)chance_below(&luck, SPREAD) - SPREAD / 6;
        dbal__clock_start(&hand, &one->timer, one->at, fired);
    }
}

static void
fired(dbal__timer *timer)
{
    item *one = DBAL__OF(timer, item, timer);
    ck_assert_msg(running && one->at <= hand.driven_now && one->at == soonest(),
                  "seed %" PRIu64 ": fired at %" PRId64 " what is due at %" PRId64
                  " while another is at %" PRId64,
                  luck.seed, hand.driven_now, one->at, soonest());
    one->at = DBAL__NEVER;
    for (unsigned i = chance_below(&luck, 3); i > 0 && meddling > 0; i--) {
        meddling--;
        start_or_stop_one();
    }
}

static void
check_table(void)
{
    ck_assert_msg(dbal__clock_next(&hand) == soonest(),
                  "seed %" PRIu64 ": next is %" PRId64 ", not %" PRId64, luck.seed,
                  dbal__clock_next(&hand), soonest());
    /* each assertion of Check's costs a system call */
    for (int i = 0; i < TIMERS; i++) {
        if (items[i].timer.active != (items[i].at != DBAL__NEVER))
            ck_abort_msg("seed %" PRIu64 ": timer %d", luck.seed, i);
    }
}

START_TEST(heap_does_what_a_table_would)
{
    chance_init(&luck);
    for (int i = 0; i < TIMERS; i++)
        items[i] = (item){.at = DBAL__NEVER};
    for (unsigned round = chance_rounds(20000); round > 0; round--) {
        start_or_stop_one();
        check_table();
        if (chance_below(&luck, 8) != 0)
            continue;
        hand.driven_now += chance_below(&luck, SPREAD / 2);
        meddling = 20;
        running = true;
        dbal__clock_run(&hand);
        running = false;
        check_table();
        ck_assert_msg(soonest() > hand.driven_now, "seed %" PRIu64 ": one was left", luck.seed);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("clock");
    const TTest *const tests[] = {
        seconds_become_nanoseconds_within_range,
        moment_after_another_does_not_overflow,
        real_clock_goes_forward_and_a_driven_one_only_when_told,
        rough_time_is_near_and_exact_when_driven,
        timer_fires_once_when_due_and_not_before,
        timer_may_be_moved_both_ways_and_stopped_twice,
        timer_set_to_never_is_a_stopped_one,
        timer_started_as_it_fires_for_now_fires_in_the_same_run,
        timer_stopped_by_another_that_is_due_too_does_not_fire,
        many_timers_fire_in_order_whatever_order_they_came_in,
        heap_does_what_a_table_would,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, NULL);
    return suite_run(suite);
}
