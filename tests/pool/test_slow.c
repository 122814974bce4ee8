/* What is slow is told to the log, once, and a flood of it in a few lines. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

/* On the thread gates a statement's times are the system's: that is late by as much as a test says. */
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

static void
after(void)
{
    pool_fixture_fini();
    atomic_store(&late, 0);
}

static const char *const targets[][2] = {
    {"fake", ""},
    {"fake", "level=0"},
    {"native", ""},
    {"native", "pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

/* The one thread of a driver at level 0 that hangs is given up for good, for later tests too. */
static bool
loses_its_thread(int target)
{
    return strcmp(targets[target][1], "level=0") == 0;
}

static void
open_target(int target, const char *parameters)
{
    char text[200];
    snprintf(text, sizeof text, "%s&%s", targets[target][1], parameters);
    open_pool(targets[target][0], text[0] == '&' ? text + 1 : text);
    good(dbal_pool_ready(pool));
}

static unsigned
lines(const char *text)
{
    return log_lines_count(&fixture.log, text);
}

/* A number behind a text, as it should be but for what a slow machine adds. */
static void
has_about(const char *text, double wanted)
{
    char *found = NULL;
    for (unsigned i = 0; found == NULL && i < fixture.log.count && i < LOG_LINES_MOST; i++)
        found = strstr(fixture.log.lines[i], text);
    ck_assert_msg(found != NULL, "no \"%s\" in: %s", text, fixture.log.lines[0]);
    double number = strtod(found + strlen(text), NULL);
    ck_assert_msg(number > wanted - 1 && number < wanted + 1, "%s", found);
}

static void
has_line(const char *text)
{
    ck_assert_msg(lines(text) == 1, "%u times \"%s\" in %u lines, the first: %s", lines(text), text,
                  fixture.log.count, fixture.log.lines[0]);
}

static void
run_slowly(const char *label, const char *sql, int seconds)
{
    seen one;
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = sql, .label = label)), &one);
    until_count(&script->waiting, 1);
    settle(); /* what came before that is read */
    atomic_fetch_add(&late, seconds);
    fake_script_open_gate(script, "g");
    until_settled(&one);
    fake_script_close_gate(script, "g");
}

START_TEST(a_slow_query)
{
    open_target(_i, "pool_max_size=1&pool_slow_query=3");
    run_slowly("cart", "wait g", 2);
    ck_assert_uint_eq(fixture.log.count, 0);
    run_slowly("cart", "wait\ng add 1", 5);
    has_about("slow query: waited ", 0);
    has_about("ran ", 5);
    has_line("s: cart: wait g add 1");
    ck_assert_uint_eq(fixture.log.count, 1);
    ck_assert_int_eq(fixture.log.levels[0], DBAL_LOG_WARNING);
    run_slowly(NULL, "wait g add 2", 5);
    has_line("s: wait g add 2");
    ck_assert_uint_eq(fixture.log.count, 2);
    ck_assert_uint_eq(counts_now().slow_queries, 2);
    ck_assert_uint_eq(counts_now().slow_acquires, 0);
}
END_TEST

START_TEST(fetching_is_told_apart_where_it_is_followed)
{
    open_target(_i, "pool_max_size=1&pool_histograms=on");
    run_slowly(NULL, "rows 1 wait g rows 1", 5);
    has_line("s: rows 1 wait g rows 1");
    has_about("executed ", 0);
    has_about("fetched ", 5);
}
END_TEST

START_TEST(without_parameters)
{
    seen one;
    open_target(_i, "pool_max_size=1");
    watch(dbal_pool_query(pool, "add $1 wait g", DBAL_PARAMS(dbal_int64(4711))), &one);
    until_count(&script->waiting, 1);
    atomic_fetch_add(&late, 2);
    fake_script_open_gate(script, "g");
    until_settled(&one);
    has_line("add $1 wait g");
    ck_assert_uint_eq(lines("4711"), 0);
}
END_TEST

static dbal_outcome
wait_inside(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "wait g", DBAL_NO_PARAMS));
}

START_TEST(the_label_of_its_session)
{
    seen one;
    open_target(_i, "pool_max_size=1");
    watch(dbal_pool_session(pool, DBAL_SESSION(.label = "import"), wait_inside, NULL), &one);
    until_count(&script->waiting, 1);
    atomic_fetch_add(&late, 2);
    fake_script_open_gate(script, "g");
    until_settled(&one);
    has_line("import: wait g");
    ck_assert_uint_eq(fixture.log.count, 1);
}
END_TEST

START_TEST(a_slow_acquire)
{
    holder first, second;
    seen one;
    open_target(_i, "pool_max_size=1");
    hold(&first);
    until_held(&first);
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "get", .label = "cart")), &one);
    hold(&second);
    settle();
    atomic_fetch_add(&late, 5);
    ck_assert_uint_eq(fixture.log.count, 0);
    let_go(&first);
    until_settled(&one);
    until_held(&second);
    has_line("waiting): cart: get");
    has_line("waiting): holder");
    ck_assert_uint_eq(lines("s for a connection (now 1 open of at most 1,"), 2);
    ck_assert_uint_eq(lines("slow acquire: waited "), 2);
    has_about("slow acquire: waited ", 5);
    ck_assert_uint_eq(fixture.log.count, 2);
    ck_assert_uint_eq(counts_now().slow_acquires, 2);
    let_go(&second);
    until_settled(&second.end);
    ck_assert_uint_eq(fixture.log.count, 2);
}
END_TEST

START_TEST(in_vain)
{
    holder first;
    seen one;
    open_target(_i, "pool_max_size=1&pool_acquire_timeout=3");
    hold(&first);
    until_held(&first);
    watch(ask("get"), &one);
    settle();
    atomic_fetch_add(&late, 4);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_POOL_EXHAUSTED);
    has_line("for a connection in vain");
    ck_assert_uint_eq(fixture.log.count, 1);
    let_go(&first);
    until_settled(&first.end);
}
END_TEST

START_TEST(given_up)
{
    seen one;
    if (loses_its_thread(_i))
        return;
    open_target(_i, "pool_max_size=1&pool_cancel_timeout=0.01");
    dbal_deferred *running = watch(ask("hang g"), &one);
    until_count(&script->waiting, 1);
    atomic_fetch_add(&late, 5);
    dbal_deferred_cancel(running);
    until_settled(&one);
    has_line("s after it was asked for: hang g");
    ck_assert_uint_eq(lines("slow"), 1);
    fake_script_open_gate(script, "g");
    until_count(&script->closes, 1);
    settle();
    ck_assert_uint_eq(lines("slow"), 1);
}
END_TEST

START_TEST(off)
{
    open_target(_i, "pool_max_size=1&pool_slow_query=off&pool_slow_acquire=off");
    run_slowly(NULL, "wait g", 100);
    ck_assert_uint_eq(fixture.log.count, 0);
    ck_assert_uint_eq(counts_now().slow_queries, 0);
}
END_TEST

enum { FLOOD = 10000 };

static dbal_outcome
count_one(dbal_outcome in, void *arg)
{
    (void)in;
    ++*(int *)arg;
    return dbal_done();
}

static bool
flood_has_settled(void *arg)
{
    return *(int *)arg == FLOOD;
}

START_TEST(a_flood)
{
    seen quiet;
    int settled = 0;
    /* nothing else makes the pool look at the time */
    open_target(_i, "pool_max_size=1&pool_max_waiting=20000&pool_idle_timeout=off"
                    "&pool_max_lifetime=off");
    watch(dbal_pool_pause(pool), &quiet);
    until_settled(&quiet); /* which the pool looks for now and then */
    loop_fixture_drive(&fixture);
    for (int i = 0; i < FLOOD; i++)
        dbal_deferred_add_both(ask("get"), count_one, &settled);
    settle();
    loop_fixture_advance(&fixture, 5);
    atomic_fetch_add(&late, 5); /* what threads do is at the system's time */
    dbal_pool_resume(pool);
    loop_fixture_until(&fixture, flood_has_settled, &settled);
    ck_assert_uint_eq(lines("slow acquire: waited"), 10);
    ck_assert_uint_eq(counts_now().slow_acquires, FLOOD);
    ck_assert_uint_eq(fixture.log.count, 10);
    loop_fixture_advance(&fixture, 0.9);
    ck_assert_uint_eq(fixture.log.count, 10);
    loop_fixture_advance(&fixture, 0.2);
    has_line("slow acquire: 9990 more in that second are not shown");
    loop_fixture_advance(&fixture, 10);
    ck_assert_uint_eq(fixture.log.count, 11);
}
END_TEST

/* What was not shown is told when there is no later. */
START_TEST(a_flood_before_the_end)
{
    holder first;
    int settled = 0;
    seen closed;
    open_target(_i, "pool_max_size=1&pool_max_waiting=20000");
    hold(&first);
    until_held(&first);
    for (int i = 0; i < FLOOD; i++)
        dbal_deferred_add_both(ask("get"), count_one, &settled);
    settle();
    atomic_fetch_add(&late, 5);
    loop_fixture_drive(&fixture);
    let_go(&first);
    watch(dbal_pool_close(pool), &closed);
    until_settled(&closed);
    ck_assert_int_eq(settled, FLOOD);
    ck_assert_uint_eq(lines("slow acquire: waited"), 10);
    has_line("slow acquire: 9990 more in that second are not shown");
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, after);
    tcase_add_loop_test(one, test, 0, TARGETS);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("pool-slow");
    add(suite, a_slow_query);
    add(suite, fetching_is_told_apart_where_it_is_followed);
    add(suite, without_parameters);
    add(suite, the_label_of_its_session);
    add(suite, a_slow_acquire);
    add(suite, in_vain);
    add(suite, given_up);
    add(suite, off);
    add(suite, a_flood);
    add(suite, a_flood_before_the_end);
    return suite_run(suite);
}
