/* What becomes of a session at each moment between its being asked for and its end. */
#include <sched.h>

#include "dbal/alloc.h"
#include "pool/pool.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static int worked;

static dbal_outcome
work(dbal_connection *connection, void *arg)
{
    (void)connection, (void)arg;
    worked++;
    return dbal_done();
}

static const char *const targets[][2] = {
    {"fake", "pool_max_size=1"},
    {"fake", "pool_max_size=1&level=0"},
    {"native", "pool_max_size=1"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

/* ---- a Deferred that is kept for longer than its loop ---- */

START_TEST(a_session_that_is_kept_past_its_loop)
{
    seen one;
    open_pool(targets[_i][0], targets[_i][1]);
    dbal_deferred *kept = dbal_deferred_ref(watch(dbal_pool_session(pool, NULL, work, NULL), &one));
    until_settled(&one);
    pool_fixture_fini();
    dbal_deferred_unref(kept);
    pool_fixture_init();
}
END_TEST

/* ---- a thread has taken it, and the loop does not know yet ---- */

static dbal__ticket *
last_ticket(void)
{
    return DBAL__OF(pool->tickets.prev, dbal__ticket, all);
}

static void
until_taken(void)
{
    dbal__crew_give(&pool->crew);
    dbal__crew_rouse(&pool->crew);
    fake_script_open_gate(script, "g");
    while (atomic_load(&last_ticket()->job.state) != DBAL__JOB_RUNNING)
        sched_yield();
    ck_assert_ptr_null(last_ticket()->connection);
}

/* Behind a statement, so that it goes over the line; the loop has not been run since. */
static seen get_seen;
static dbal_deferred *
take(double timeout, bool transaction, seen *one)
{
    worked = 0;
    watch(ask("wait g"), &get_seen);
    dbal__crew_give(&pool->crew);
    dbal__crew_rouse(&pool->crew);
    while (atomic_load(&last_ticket()->job.state) != DBAL__JOB_RUNNING)
        sched_yield();
    dbal_transaction_options options = DBAL_TRANSACTION_OPTIONS_INIT;
    dbal_session_options session = DBAL_SESSION_OPTIONS_INIT;
    options.timeout = session.timeout = timeout;
    dbal_deferred *deferred =
        dbal_deferred_ref(transaction ? dbal_pool_transaction(pool, &options, work, NULL)
                                      : dbal_pool_session(pool, &session, work, NULL));
    watch(deferred, one);
    until_taken();
    return deferred;
}

START_TEST(cancelled_while_it_is_taken)
{
    seen one;
    open_driven("fake", "pool_max_size=1");
    dbal_deferred *session = take(0, _i, &one);
    dbal_deferred_cancel(session);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(worked, 0);
    good(ask("get"));
    good(dbal_pool_session(pool, NULL, work, NULL));
    dbal_deferred_unref(session);
    good(dbal_pool_close(pool));
}
END_TEST

START_TEST(late_while_it_is_taken)
{
    seen one;
    open_driven("fake", "pool_max_size=1");
    dbal_deferred *session = take(1, _i, &one);
    dbal__clock_advance(&fixture.loop->ready.clock, 2);
    dbal__clock_run(&fixture.loop->ready.clock);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_TIMEOUT);
    ck_assert_int_eq(worked, 0);
    good(ask("get"));
    dbal_deferred_unref(session);
    good(dbal_pool_close(pool));
}
END_TEST

START_TEST(cancelled_when_what_it_gets_closes)
{
    seen one;
    open_driven("fake", "pool_max_size=1");
    dbal_deferred *session = take(0, _i, &one);
    dbal_deferred_cancel(session);
    dbal__slot_close(DBAL__OF(pool->slots.next, dbal__slot, link));
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(worked, 0);
    good(ask("get"));
    dbal_deferred_unref(session);
    good(dbal_pool_close(pool));
}
END_TEST

START_TEST(asks_again_when_what_it_gets_closes)
{
    seen one;
    open_driven("fake", "pool_max_size=1");
    dbal_deferred *session = take(0, _i, &one);
    dbal__slot_close(DBAL__OF(pool->slots.next, dbal__slot, link));
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0);
    ck_assert_int_eq(worked, 1);
    dbal_deferred_unref(session);
    good(dbal_pool_close(pool));
}
END_TEST

START_TEST(its_loop_ends_while_it_is_taken)
{
    seen one;
    open_pool("fake", "pool_max_size=1");
    good(dbal_pool_ready(pool));
    dbal_deferred *session = take(0, _i, &one);
    pool_fixture_fini();
    ck_assert_int_eq(one.settled, 1);
    ck_assert_int_eq(worked, 0);
    dbal_deferred_unref(session);
    pool_fixture_init();
}
END_TEST

START_TEST(cancelled_from_its_callers_callback_when_just_granted)
{
    seen one;
    open_driven(targets[_i][0], targets[_i][1]);
    dbal_deferred *session =
        dbal_deferred_ref(watch(dbal_pool_session(pool, NULL, work, NULL), &one));
    worked = 0;
    dbal_deferred_cancel(session);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(worked, 0);
    dbal_deferred_unref(session);
    good(dbal_pool_close(pool));
}
END_TEST

/* ---- memory that is not there ---- */

static dbal_outcome
count(dbal_outcome in, void *arg)
{
    (void)in;
    (*(int *)arg)++;
    return dbal_done();
}

static dbal_outcome
work_a_little(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "get", DBAL_NO_PARAMS));
}

static void
scenario(void *arg)
{
    int asked = 0, settled = 0;
    dbal_pool_options options = DBAL_POOL_OPTIONS_INIT;
    options.on_connect = work_a_little;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_pool *one = loop != NULL ? dbal_pool_open(loop, arg, &options, NULL) : NULL;
    for (int i = 0; one != NULL && i < 3; i++) {
        dbal_session_options named = DBAL_SESSION_OPTIONS_INIT;
        named.label = "named";
        dbal_deferred *get = dbal_pool_query(one, "get", DBAL_NO_PARAMS);
        asked += get != NULL;
        dbal_deferred_add_both(get, count, &settled);
        dbal_deferred *session = dbal_pool_session(one, &named, work_a_little, NULL);
        asked += session != NULL;
        dbal_deferred_add_both(session, count, &settled);
        dbal_deferred *transaction = dbal_pool_transaction(one, NULL, work_a_little, NULL);
        asked += transaction != NULL;
        dbal_deferred_add_both(transaction, count, &settled);
        if (i == 1)
            ev_run(ev, 0);
    }
    if (one != NULL) {
        ev_run(ev, 0);
        dbal_deferred *end = dbal_pool_close(one);
        asked += end != NULL;
        dbal_deferred_add_both(end, count, &settled);
        ev_run(ev, 0);
    }
    dbal_loop_free(loop);
    ck_assert_int_eq(settled, asked);
    ev_loop_destroy(ev);
}

static const char *const urls[] = {
    "fake:memory?pool_max_size=1&pool_reset=full",
    "fake:memory?pool_max_size=1&level=0",
    "fake:memory?pool_max_size=2&level=2&pool_threads=1",
    "native:memory?pool_max_size=1&pool_reset=full",
};
enum { URLS = sizeof urls / sizeof urls[0] };

static void
before_memory(void)
{
    fake_drivers_register();
    fake_script_clear(fake_script_get("memory"));
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    ck_assert_ptr_nonnull(dbal_pool_open(loop, urls[1], NULL, NULL));
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    alloc_fault_install();
}

static void
after_memory(void)
{
    alloc_fault_remove();
}

START_TEST(hooks_and_transactions_without_memory)
{
    alloc_fault_sweep(scenario, (void *)(uintptr_t)urls[_i]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("handles");
    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, before_memory, after_memory);
    tcase_add_loop_test(memory, hooks_and_transactions_without_memory, 0, URLS);
    tcase_set_timeout(memory, 200);
    TCase *moments = tcase_create("moments");
    tcase_add_checked_fixture(moments, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(moments, cancelled_while_it_is_taken, 0, 2);
    tcase_add_loop_test(moments, late_while_it_is_taken, 0, 2);
    tcase_add_loop_test(moments, cancelled_when_what_it_gets_closes, 0, 2);
    tcase_add_loop_test(moments, asks_again_when_what_it_gets_closes, 0, 2);
    tcase_add_loop_test(moments, its_loop_ends_while_it_is_taken, 0, 2);
    tcase_add_loop_test(moments, cancelled_from_its_callers_callback_when_just_granted, 0, TARGETS);
    tcase_add_loop_test(moments, a_session_that_is_kept_past_its_loop, 0, TARGETS);
    suite_add_tcase(suite, moments);
    suite_add_tcase(suite, memory);
    return suite_run(suite);
}
