/* on_connect: a session on each fresh connection, before anybody else has it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", ""},   {"fake", "&level=0"},        {"fake", "&level=2"},
    {"native", ""}, {"native", "&pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0], MOVING = 2, NATIVE = 3 };

/* What the hook does in the nth run, from 0; the last one in all that follow. */
typedef struct plan {
    const char *sql[4];
    dbal_work *also[4];
    int count, runs;
    seen inner;
    dbal_deferred *pending;
} plan;

static plan hook;

static dbal_outcome
prepare(dbal_connection *connection, void *arg)
{
    plan *self = arg;
    int nth = self->runs++;
    if (nth >= self->count)
        nth = self->count - 1;
    if (self->also[nth] != NULL)
        return self->also[nth](connection, arg);
    return dbal_wait(dbal_connection_query(connection, self->sql[nth], DBAL_NO_PARAMS));
}

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
    pool =
        dbal_pool_open(fixture.loop, url,
                       DBAL_POOL_OPTIONS(.on_connect = prepare, .on_connect_arg = &hook), &error);
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

/* ---- when it runs ---- */

START_TEST(it_runs_before_anybody_has_the_connection)
{
    seen all[3];
    hook = (plan){.sql = {"setting wait g"}, .count = 1};
    open_with(_i, 1, "");
    watch(ask("get"), &all[0]);
    watch(session("changed"), &all[1]);
    watch(dbal_pool_ready(pool), &all[2]);
    until_count(&script->waiting, 1);
    settle();
    ck_assert_int_eq(all[0].settled + all[1].settled + all[2].settled, 0);
    dbal_pool_counts counts = counts_now();
    ck_assert_int_eq(counts.connections, 0);
    ck_assert_int_eq(counts.connecting, 1);
    ck_assert_int_eq(counts.held, 0);
    fake_script_open_gate(script, "g");
    for (int i = 0; i < 3; i++) {
        until_settled(&all[i]);
        ck_assert_int_eq(all[i].error_class, 0);
    }
    ck_assert_int_eq(hook.runs, 1);
    ck_assert(fake_script_ran(script, "setting wait g|get|changed|"));
    counts = counts_now();
    ck_assert_int_eq(counts.connections, 1);
    ck_assert_int_eq(counts.held, 0);
    ck_assert_uint_eq(counts.opened, 1);
    ck_assert_uint_eq(counts.dirty_sessions, 0);
}
END_TEST

START_TEST(what_it_changes_stays)
{
    hook = (plan){.sql = {"setting"}, .count = 1};
    open_with(_i, 1, "");
    for (int round = 0; round < 3; round++) {
        dbal_outcome outcome = loop_fixture_await(&fixture, session("changed"));
        ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), 1);
        dbal_outcome_clear(&outcome);
    }
    ck_assert_int_eq(fake_script_count(script, &script->resets), 0);
    ck_assert_int_eq(hook.runs, 1);
}
END_TEST

START_TEST(it_runs_again_when_the_connection_is_as_new)
{
    hook = (plan){.sql = {"setting"}, .count = 1};
    open_with(_i, 1, "");
    good(session("setting"));
    good(session("changed"));
    ck_assert(fake_script_ran(script, _i < NATIVE ? "setting|setting|setting|changed|"
                                                  : "setting|setting|reset|setting|changed|"));
    ck_assert_int_eq(fake_script_count(script, &script->resets), 1);
    ck_assert_int_eq(hook.runs, 2);
    ck_assert_uint_eq(counts_now().opened, 1);
    ck_assert_int_eq(counts_now().held, 0);
}
END_TEST

START_TEST(one_that_fails_then_closes_it)
{
    hook = (plan){.sql = {"get", "fail '42000'", "get"}, .count = 3};
    open_with(_i, 1, "");
    good(session("setting"));
    until_count(&script->closes, 1);
    settle();
    good(session("get"));
    ck_assert_int_eq(hook.runs, 3);
    ck_assert_uint_eq(counts_now().opened, 2);
    ck_assert_uint_eq(counts_now().connect_errors, 1);
}
END_TEST

START_TEST(each_connection_has_its_own)
{
    holder all[3];
    hook = (plan){.sql = {"setting"}, .count = 1};
    open_with(_i, 3, "");
    for (int i = 0; i < 3; i++)
        hold(&all[i]);
    for (int i = 0; i < 3; i++)
        until_held(&all[i]);
    ck_assert_int_eq(hook.runs, 3);
    for (int i = 0; i < 3; i++) {
        let_go(&all[i]);
        until_settled(&all[i].end);
    }
}
END_TEST

/* ---- what may go wrong ---- */

START_TEST(one_that_fails_is_a_connect_that_failed)
{
    hook = (plan){.sql = {"fail '42501'", "get"}, .count = 2};
    open_with(_i, 1, "");
    bad(ask("get"), DBAL_ERROR_OPERATIONAL, "42501", DBAL_EXECUTION_NOT_SENT, "on_connect: ");
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    ck_assert_uint_eq(counts_now().failures_in_a_row, 1);
    ck_assert_uint_eq(counts_now().opened, 0);
    good(ask("get"));
    ck_assert_int_eq(fake_script_count(script, &script->opens), 2);
}
END_TEST

START_TEST(failures_in_a_row_count)
{
    loop_fixture_drive(&fixture);
    hook = (plan){.sql = {"get lose"}, .count = 1};
    open_with(_i, 1, "&pool_acquire_timeout=6");
    seen one;
    watch(ask("get"), &one);
    for (int i = 1; i <= 4; i++) {
        until_count(&script->opens, i);
        until_count(&script->closes, i);
        settle();
        ck_assert_uint_eq(counts_now().connect_errors, i);
        ck_assert_uint_eq(counts_now().failures_in_a_row, i);
        ck_assert_int_eq(one.settled, 0); /* it may pass */
        loop_fixture_advance(&fixture, 1);
    }
    while (one.settled == 0) {
        loop_fixture_advance(&fixture, 1);
        settle();
    }
    ck_assert_int_eq(one.error_class, DBAL_ERROR_POOL_EXHAUSTED);
}
END_TEST

static dbal_outcome
never(dbal_connection *connection, void *arg)
{
    plan *self = arg;
    (void)connection;
    self->pending = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL));
    return dbal_wait(self->pending);
}

START_TEST(one_that_never_answers_is_out_of_time)
{
    seen one;
    loop_fixture_drive(&fixture);
    hook = (plan){.sql = {NULL, "get"}, .also = {never}, .count = 2};
    open_with(_i, 1, "");
    watch(ask("get"), &one);
    while (hook.runs == 0)
        settle();
    loop_fixture_advance(&fixture, 19);
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 0);
    loop_fixture_advance(&fixture, 2);
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    ck_assert_uint_eq(
        log_lines_count(&fixture.log, "on_connect did not end within connect_timeout (20 s)"), 1);
    loop_fixture_advance(&fixture, 1); /* back-off */
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0);
    dbal_deferred_unref(hook.pending);
    dbal_deferred_fire(hook.pending, dbal_done()); /* too late */
}
END_TEST

static dbal_outcome
another(dbal_connection *connection, void *arg)
{
    (void)connection;
    (void)arg;
    return dbal_wait(session("get"));
}

START_TEST(one_that_waits_for_its_pool_is_told)
{
    loop_fixture_drive(&fixture);
    hook = (plan){.sql = {NULL, "get"}, .also = {another}, .count = 2};
    open_with(_i, 1, "&pool_connect_timeout=2");
    seen one;
    watch(ask("get"), &one);
    while (hook.runs == 0)
        settle();
    loop_fixture_advance(&fixture, 2.1);
    settle();
    ck_assert_uint_eq(log_lines_count(&fixture.log, "must not wait for anything else of its pool"),
                      1);
    loop_fixture_advance(&fixture, 1);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0);
}
END_TEST

START_TEST(one_that_hangs_in_the_driver_is_given_up)
{
    seen one;
    loop_fixture_drive(&fixture);
    hook = (plan){.sql = {"hang g", "get"}, .count = 2};
    open_with(_i, 1, "&pool_cancel_timeout=2&pool_connect_timeout=3");
    watch(ask("get"), &one);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 3.1);
    settle();
    loop_fixture_advance(&fixture, 2.1);
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    fake_script_open_gate(script, "g");
    loop_fixture_advance(&fixture, 1);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0);
    until_count(&script->closes, 1);
}
END_TEST

static dbal_outcome
closes_the_pool(dbal_connection *connection, void *arg)
{
    plan *self = arg;
    watch(dbal_pool_close(pool), &self->inner);
    return dbal_wait(dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS));
}

START_TEST(one_that_closes_the_pool)
{
    seen one;
    hook = (plan){.also = {closes_the_pool}, .count = 1};
    open_with(_i, 1, "");
    watch(ask("get"), &one);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0); /* it was accepted before */
    until_settled(&hook.inner);
    ck_assert_int_eq(hook.inner.error_class, 0);
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
}
END_TEST

static dbal_outcome
waits_for_the_end(dbal_connection *connection, void *arg)
{
    (void)connection;
    (void)arg;
    return dbal_wait(dbal_pool_close(pool));
}

START_TEST(one_that_waits_for_the_pools_end)
{
    seen one;
    loop_fixture_drive(&fixture);
    hook = (plan){.also = {waits_for_the_end}, .count = 1};
    open_with(_i, 1, "&pool_close_timeout=3");
    watch(ask("get"), &one);
    while (hook.runs == 0)
        settle();
    loop_fixture_advance(&fixture, 3.1);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CLOSED);
    while (fake_script_count(script, &script->live) > 0)
        settle();
    ck_assert_uint_eq(counts_now().connect_errors, 0);
}
END_TEST

static dbal_outcome
leaves_one_open(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "begin", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, "add 5", DBAL_NO_PARAMS));
}

START_TEST(a_transaction_it_leaves_open_is_rolled_back)
{
    hook = (plan){.also = {leaves_one_open}, .count = 1};
    open_with(_i, 1, "");
    ck_assert_int_eq(number("get"), 0);
    ck_assert_uint_eq(counts_now().connect_errors, 0);
}
END_TEST

START_TEST(one_whose_rollback_fails_is_a_connect_that_failed)
{
    hook = (plan){.sql = {NULL, "get"}, .also = {leaves_one_open}, .count = 2};
    script->fail_run = 3;
    open_with(_i, 1, "");
    bad(ask("get"), DBAL_ERROR_OPERATIONAL, "25000", DBAL_EXECUTION_NOT_SENT, "on_connect");
    good(ask("get"));
}
END_TEST

START_TEST(the_loops_end_ends_it)
{
    seen one;
    hook = (plan){.sql = {"wait g"}, .count = 1};
    open_with(_i, 1, "");
    watch(ask("get"), &one);
    until_count(&script->waiting, 1);
    dbal_loop_free(fixture.loop);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CLOSED);
    fixture.loop = dbal_loop_new(fixture.ev);
}
END_TEST

START_TEST(fewer_are_wanted_meanwhile)
{
    hook = (plan){.sql = {"get", "wait g"}, .count = 2};
    open_with(_i, 2, "");
    holder one;
    seen more;
    hold(&one);
    until_held(&one);
    dbal_deferred *deferred = dbal_deferred_ref(session("get"));
    watch(deferred, &more);
    until_count(&script->waiting, 1);
    ck_assert(dbal_pool_resize(pool, 0, 1, NULL));
    until_count(&script->closes, 1);
    let_go(&one);
    until_settled(&more);
    ck_assert_int_eq(more.error_class, 0);
    dbal_deferred_unref(deferred);
    ck_assert_uint_eq(counts_now().connect_errors, 0);
}
END_TEST

/* ---- every order of what may happen meanwhile ---- */

enum { ANSWERED, CANCELLED, LATE, CLOSED, DRAINED, EVENTS };

static void
happen(int event, dbal_deferred *asked, seen *closed)
{
    switch (event) {
    case ANSWERED:
        fake_script_open_gate(script, "g");
        break;
    case CANCELLED:
        dbal_deferred_cancel(asked);
        break;
    case LATE:
        loop_fixture_advance(&fixture, 21);
        break;
    case CLOSED:
        watch(dbal_pool_close(pool), closed);
        break;
    default:
        dbal_deferred_add_both(dbal_pool_drain(pool), NULL, NULL);
        break;
    }
    settle();
}

/* The nth order. */
static void
order_of(int nth, int *order)
{
    int left[EVENTS];
    for (int i = 0; i < EVENTS; i++)
        left[i] = i;
    for (int i = EVENTS; i > 0; i--) {
        int at = nth % i;
        nth /= i;
        order[EVENTS - i] = left[at];
        memmove(&left[at], &left[at + 1], (size_t)(i - 1 - at) * sizeof left[0]);
    }
}

/*
 * What was given up comes back by itself, be it that its thread has not even begun to open it: on a
 * driven clock connect_timeout may be over before that. Until then it counts in the next one's script.
 */
static bool
all_are_back(void *arg)
{
    (void)arg;
    return dbal__list_empty(&pool->slots);
}

static void
run_order(int target, int nth, bool lost)
{
    int order[EVENTS];
    seen asked, closed = {.settled = 0};
    order_of(nth, order);
    fake_script_clear(script);
    hook = (plan){.sql = {lost ? "wait g lose" : "wait g", "get"}, .count = 2};
    open_with(target, 1, "&pool_connect_timeout=20&pool_close_timeout=30");
    dbal_deferred *deferred = dbal_deferred_ref(ask("get"));
    watch(deferred, &asked);
    until_count(&script->waiting, 1);
    for (int i = 0; i < EVENTS; i++)
        happen(order[i], deferred, &closed);
    for (int i = 0; i < 20 && !(asked.settled && closed.settled); i++) {
        loop_fixture_advance(&fixture, 5);
        settle();
    }
    until_settled(&asked);
    until_settled(&closed);
    dbal_deferred_unref(deferred);
    ck_assert_int_eq(closed.error_class, 0);
    loop_fixture_until(&fixture, all_are_back, NULL);
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
    ck_assert_int_eq(counts_now().held, 0);
    ck_assert_int_eq(counts_now().connecting, 0);
}

START_TEST(in_every_order)
{
    loop_fixture_drive(&fixture);
    for (int nth = 0; nth < 120; nth++) {
        run_order(_i, nth, false);
        run_order(_i, nth, true);
    }
}
END_TEST

/* ---- memory ---- */

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
    hook = (plan){.sql = {"setting"}, .count = 1};
    pool = NULL;
    if (loop != NULL) {
        dbal_loop_set_log(loop, log_lines_add, &log);
        pool = dbal_pool_open(
            loop, arg, DBAL_POOL_OPTIONS(.on_connect = prepare, .on_connect_arg = &hook), NULL);
    }
    for (int i = 0; pool != NULL && i < 3; i++) {
        dbal_deferred *one = i == 0 ? ask("get") : session("setting");
        asked += one != NULL;
        dbal_deferred_add_both(one, count, &settled);
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
                                       "fake:pool?pool_max_size=2&level=2&pool_threads=1",
                                       "native:pool?pool_max_size=1"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        alloc_fault_install();
        alloc_fault_sweep(scenario, (void *)(uintptr_t)urls[i]);
        alloc_fault_remove();
    }
}
END_TEST

static void
add(Suite *suite, const TTest *test, int first, int end)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_set_timeout(one, 60);
    tcase_add_loop_test(one, test, first, end);
    suite_add_tcase(suite, one);
}

static void
register_fakes(void)
{
    fake_drivers_register();
    script = fake_script_get("pool");
    fake_script_clear(script);
}

int
main(void)
{
    Suite *suite = suite_create("hooks");
    add(suite, it_runs_before_anybody_has_the_connection, 0, TARGETS);
    add(suite, what_it_changes_stays, 0, TARGETS);
    add(suite, it_runs_again_when_the_connection_is_as_new, 0, TARGETS);
    add(suite, one_that_fails_then_closes_it, 0, TARGETS);
    add(suite, each_connection_has_its_own, 0, TARGETS);
    add(suite, one_that_fails_is_a_connect_that_failed, 0, TARGETS);
    add(suite, failures_in_a_row_count, 0, TARGETS);
    add(suite, one_that_never_answers_is_out_of_time, 0, TARGETS);
    add(suite, one_that_waits_for_its_pool_is_told, 0, TARGETS);
    add(suite, one_that_hangs_in_the_driver_is_given_up, NATIVE, TARGETS);
    add(suite, one_that_closes_the_pool, 0, TARGETS);
    add(suite, one_that_waits_for_the_pools_end, 0, TARGETS);
    add(suite, a_transaction_it_leaves_open_is_rolled_back, 0, TARGETS);
    add(suite, one_whose_rollback_fails_is_a_connect_that_failed, 0, TARGETS);
    add(suite, the_loops_end_ends_it, 0, TARGETS);
    add(suite, fewer_are_wanted_meanwhile, 0, TARGETS);
    /* where one thread serves all it does not come back */
    add(suite, in_every_order, 0, 1);
    add(suite, in_every_order, NATIVE, TARGETS);
    suite_add(suite, without_memory, register_fakes, NULL);
    return suite_run(suite);
}
