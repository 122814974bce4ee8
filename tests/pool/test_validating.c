/* validate_after: a connection of which nothing was heard for long is asked before it is used again. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"
#include "tests/pool/story.h"

/* Silence is measured by the system's clock, in threads: that is late by as much as a test says. */
static atomic_llong late;

int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int result = __real_clock_gettime(clock, ret_time);
    if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)
        ret_time->tv_sec += atomic_load(&late);
    return result;
}

static const char *const targets[][2] = {
    {"fake", ""}, {"fake", "&level=0"}, {"fake", "&level=2"}, {"native", ""}};
enum { TARGETS = sizeof targets / sizeof targets[0], MOVING = 2, NATIVE = 3 };

static story told;
static dbal_connection *sleeper;
static dbal_deferred *release;

/* Where connections move between threads, there is one more of them than of these. */
static void
open_with(int target, int size, const char *parameters)
{
    char url[256];
    dbal_error *error = NULL;
    bool moves = target == MOVING;
    int at = snprintf(url, sizeof url, "%s:pool?pool_max_size=%d%s%s", targets[target][0],
                      size + moves, targets[target][1], parameters);
    if (moves)
        snprintf(url + at, sizeof url - (size_t)at, "&pool_threads=%d", size);
    pool = dbal_pool_open(fixture.loop, url,
                          DBAL_POOL_OPTIONS(.trace = story_add, .trace_arg = &told), &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
}

static dbal_outcome
run_one(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_query(connection, arg, DBAL_NO_PARAMS));
}

static dbal_deferred *
session(const char *sql)
{
    return dbal_pool_session(pool, NULL, run_one, (void *)(uintptr_t)sql);
}

static int
pings(void)
{
    return fake_script_count(script, &script->pings);
}

static void
before(void)
{
    pool_fixture_init();
    story_clear(&told);
}

static void
after(void)
{
    pool_fixture_fini();
    story_check(&told);
    atomic_store(&late, 0);
}

START_TEST(one_that_was_used_just_now_is_not_asked)
{
    open_with(_i, 1, "&pool_validate_after=1000");
    for (int i = 0; i < 20; i++) {
        good(ask("get"));
        good(session("get"));
    }
    ck_assert_int_eq(pings(), 0);
    ck_assert_uint_eq(story_begun(&told, DBAL_PHASE_VALIDATE), 0);
}
END_TEST

START_TEST(one_that_was_silent_is_asked_once)
{
    open_with(_i, 1, "");
    good(ask("get"));
    ck_assert_int_eq(pings(), 0);
    atomic_fetch_add(&late, 2);
    good(ask("add 1"));
    ck_assert_int_eq(pings(), _i < NATIVE);
    good(session("get"));
    ck_assert_int_eq(pings(), _i < NATIVE);
    atomic_fetch_add(&late, 2);
    good(session("get"));
    good(ask("get"));
    ck_assert_int_eq(pings(), _i < NATIVE ? 2 : 0);
    ck_assert_uint_eq(counts_now().opened, 1);
    if (_i < NATIVE)
        ck_assert_str_eq(story_of(&told, "add 1"), "queue( queue) validate( validate) execute( "
                                                   "execute) ");
}
END_TEST

static dbal_outcome
be_silent(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "get", DBAL_NO_PARAMS);
    release = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL));
    sleeper = connection;
    return dbal_wait(release);
}

/* What a session does in its own time is its own: it may be in a transaction. */
START_TEST(a_session_may_be_silent)
{
    seen end;
    open_with(_i, 1, "");
    watch(dbal_pool_session(pool, NULL, be_silent, NULL), &end);
    while (release == NULL)
        settle();
    atomic_fetch_add(&late, 2);
    good(dbal_connection_query(sleeper, "get", DBAL_NO_PARAMS));
    dbal_deferred_unref(release);
    dbal_deferred_fire(release, dbal_done());
    until_settled(&end);
    release = NULL;
    ck_assert_int_eq(end.error_class, 0);
    ck_assert_int_eq(pings(), 0);
}
END_TEST

/* Where only one may write at a time, its connection is asked when that has it. */
START_TEST(one_for_writes_is_asked)
{
    open_with(0, 1, "&token=on");
    good(ask("add 1"));
    atomic_fetch_add(&late, 2);
    script->fail_ping = 1;
    good(ask("add 1"));
    ck_assert_int_eq(pings(), 1);
    ck_assert_int_eq(number("get"), 2);
}
END_TEST

START_TEST(off_is_off)
{
    open_with(_i, 1, "&pool_validate_after=off");
    good(ask("get"));
    atomic_fetch_add(&late, 1000);
    good(ask("get"));
    good(session("get"));
    ck_assert_int_eq(pings(), 0);
}
END_TEST

/* Of however many nobody sees an error. */
START_TEST(those_that_are_dead_are_replaced)
{
    enum { MANY = 6 };
    bool by_session = _i % 2 != 0;
    holder all[MANY];
    uint64_t opened = 0, lost = 0;
    open_with(_i / 2, MANY, "");
    for (int i = 0; i < MANY; i++)
        hold(&all[i]);
    for (int i = 0; i < MANY; i++)
        until_held(&all[i]);
    for (int i = 0; i < MANY; i++) {
        let_go(&all[i]);
        until_settled(&all[i].end);
    }
    settle();
    opened = counts_now().opened;
    script->fail_ping = MANY;
    atomic_fetch_add(&late, 2);
    good(by_session ? session("get") : ask("get"));
    lost = counts_now().lost;
    ck_assert_uint_ge(lost, 1);
    ck_assert_uint_le(lost, (uint64_t)pings()); /* one more may be asked just now */
    ck_assert_uint_eq(counts_now().moved > 0, !by_session);
    ck_assert_uint_le(counts_now().opened, opened + lost + 1);
    ck_assert_uint_ge(log_lines_count(&fixture.log, "the fake's server has gone"), 1);
    good(dbal_pool_close(pool));
}
END_TEST

/* What was asked for is not taken twice, and no connection stays behind. */
START_TEST(one_that_is_cancelled_meanwhile)
{
    bool by_session = _i % 2 != 0;
    seen one;
    open_with(_i / 2, 1, "");
    good(ask("get"));
    atomic_fetch_add(&late, 2);
    dbal_deferred *asked = dbal_deferred_ref(by_session ? session("get") : ask("get"));
    watch(asked, &one);
    dbal_deferred_cancel(asked);
    until_settled(&one);
    dbal_deferred_unref(asked);
    good(ask("get"));
    good(dbal_pool_close(pool));
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
}
END_TEST

START_TEST(the_setting_has_limits)
{
    dbal_error *error = NULL;
    ck_assert_ptr_null(
        dbal_pool_open(fixture.loop, "fake:pool?pool_validate_after=0.0001", NULL, &error));
    ck_assert_ptr_nonnull(strstr(dbal_error_message(error), "validate_after"));
    dbal_error_unref(error);
}
END_TEST

static dbal_outcome
count(dbal_outcome in, void *arg)
{
    (void)in;
    (*(int *)arg)++;
    return dbal_done();
}

static void
scenario(void *arg)
{
    int asked = 0, settled = 0;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    log_lines log = {.count = 0};
    dbal_loop *loop = dbal_loop_new(ev);
    script->fail_ping = 1;
    pool = NULL;
    if (loop != NULL) {
        dbal_loop_set_log(loop, log_lines_add, &log);
        pool = dbal_pool_open(loop, arg, NULL, NULL);
    }
    for (int i = 0; pool != NULL && i < 4; i++) {
        int now = settled;
        dbal_deferred *one = i % 2 == 0 ? ask("get") : session("get");
        asked += one != NULL;
        dbal_deferred_add_both(one, count, &settled);
        while (one != NULL && settled == now)
            ev_run(ev, EVRUN_ONCE);
        atomic_fetch_add(&late, 2);
    }
    if (pool != NULL) {
        dbal_deferred *end = dbal_pool_close(pool);
        asked += end != NULL;
        dbal_deferred_add_both(end, count, &settled);
        ev_run(ev, 0);
    }
    dbal_loop_free(loop);
    ck_assert_int_eq(settled, asked);
    ev_loop_destroy(ev);
}

START_TEST(without_memory)
{
    static const char *const urls[] = {"fake:pool?pool_max_size=1",
                                       "fake:pool?pool_max_size=2&level=2&pool_threads=1"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        alloc_fault_install();
        alloc_fault_sweep(scenario, (void *)(uintptr_t)urls[i]);
        alloc_fault_remove();
    }
}
END_TEST

static void
register_fakes(void)
{
    fake_drivers_register();
    script = fake_script_get("pool");
    fake_script_clear(script);
}

static void
add(Suite *suite, const TTest *test, int end)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, before, after);
    tcase_set_timeout(one, 60);
    tcase_add_loop_test(one, test, 0, end);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("validating");
    add(suite, one_that_was_used_just_now_is_not_asked, TARGETS);
    add(suite, one_that_was_silent_is_asked_once, TARGETS);
    add(suite, a_session_may_be_silent, TARGETS);
    add(suite, one_for_writes_is_asked, 1);
    add(suite, off_is_off, TARGETS);
    add(suite, those_that_are_dead_are_replaced, 2 * NATIVE);
    add(suite, one_that_is_cancelled_meanwhile, 2 * NATIVE);
    add(suite, the_setting_has_limits, 1);
    suite_add(suite, without_memory, register_fakes, NULL);
    return suite_run(suite);
}
