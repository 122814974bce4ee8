/* Fewer threads than connections: who gets one, who keeps it, and what is refused. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/lib/thread_fault.h"
#include "tests/lib/witness.h"
#include "tests/pool/pool_fixture.h"

static dbal_pool_options options;

static void
setup(void)
{
    pool_fixture_init();
    options = (dbal_pool_options)DBAL_POOL_OPTIONS_INIT;
    witness_watch();
}

static void
teardown(void)
{
    thread_fault_fail(0);
    pool_fixture_fini();
}

static dbal_outcome
unheard(dbal_outcome in, void *arg)
{
    (void)arg;
    (void)in;
    return dbal_done();
}

/* Closes the pool; what was seen of it. */
static witness_report
closed(int level, bool parallel)
{
    good(dbal_pool_close(pool));
    witness_report report = witness_judge(level, parallel);
    ck_assert_msg(report.violations == 0, "%s", report.first);
    return report;
}

static dbal_deferred *
ask_and_forget(const char *sql)
{
    return dbal_deferred_add_both(ask(sql), unheard, NULL);
}

/* ---- the setting ---- */

START_TEST(threads_as_an_option)
{
    dbal_error *error = NULL;
    options.threads = 5;
    ck_assert_ptr_null(dbal_pool_open(fixture.loop, "fake:pool?level=2", &options, &error));
    ck_assert_ptr_nonnull(strstr(dbal_error_message(error), "threads 5 is above max_size 4"));
    dbal_error_unref(error);
    options.threads = 1;
    pool = dbal_pool_open(fixture.loop, "fake:pool?level=2", &options, NULL);
    ck_assert_ptr_nonnull(pool);
    ask_and_forget("wait g");
    ask_and_forget("wait g");
    until_count(&script->waiting, 1);
    settle();
    ck_assert_int_eq(fake_script_count(script, &script->inside), 1);
    fake_script_open_gate(script, "g");
    ck_assert_uint_eq(closed(2, false).threads, 1);
}
END_TEST

START_TEST(a_new_size_must_fit_the_threads)
{
    dbal_error *error = NULL;
    open_pool("fake", "level=1&pool_threads=3&pool_max_size=3");
    ck_assert(!dbal_pool_resize(pool, 0, 4, &error));
    ck_assert_ptr_nonnull(strstr(dbal_error_message(error), "threads 3 must not be below"));
    dbal_error_unref(error);
    ck_assert_int_eq(counts_now().max_size, 3);
    ck_assert(dbal_pool_resize(pool, 0, 2, NULL));
    good(dbal_pool_close(pool));

    open_pool("fake", "level=2&pool_threads=3&pool_max_size=3");
    ck_assert(dbal_pool_resize(pool, 0, 2, NULL));
    ck_assert(dbal_pool_resize(pool, 0, 8, NULL));
    for (int i = 0; i < 8; i++)
        ask_and_forget("wait g");
    until_count(&script->waiting, 3);
    settle();
    ck_assert_int_eq(fake_script_count(script, &script->most_inside), 3);
    fake_script_open_gate(script, "g");
    good(dbal_pool_close(pool));
}
END_TEST

/* ---- moving ---- */

START_TEST(connections_move_between_threads)
{
    for (int level = 2; level <= 3; level++) {
        char parameters[64];
        snprintf(parameters, sizeof parameters, "level=%d&pool_threads=2", level);
        witness_watch();
        open_pool("fake", parameters);
        seen first, second;
        watch(ask("wait a"), &first);
        watch(ask("wait b"), &second);
        until_count(&script->waiting, 2);
        /* the last to be free is the first to be used, and so is a connection */
        fake_script_open_gate(script, "b");
        until_settled(&second);
        fake_script_open_gate(script, "a");
        until_settled(&first);
        for (int i = 0; i < 4; i++)
            good(ask("get"));
        fake_script_close_gate(script, "a");
        fake_script_close_gate(script, "b");
        witness_report report = closed(level, false);
        ck_assert_uint_eq(report.threads, 2);
        ck_assert_uint_eq(report.most, 2);
        ck_assert_uint_eq(report.together, 1);
    }
}
END_TEST

START_TEST(more_connections_than_threads)
{
    open_pool("fake", "level=2&pool_threads=2&pool_max_size=6&pool_min_size=6");
    good(dbal_pool_ready(pool));
    ck_assert_int_eq(counts_now().connections, 6);
    ck_assert_str_eq(counts_now().gate, "thread");
    seen all[100];
    for (int i = 0; i < 100; i++)
        watch(ask("add 1"), &all[i]);
    for (int i = 0; i < 100; i++)
        until_settled(&all[i]);
    ck_assert_int_eq(number("get"), 100);
    ck_assert_uint_le(closed(2, false).threads, 2);
}
END_TEST

START_TEST(a_hung_thread_is_replaced)
{
    open_pool("fake", "level=2&pool_threads=1&pool_max_size=2&pool_cancel_timeout=0.01");
    seen hung;
    dbal_deferred *deferred = watch(ask("hang h"), &hung);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(deferred);
    until_settled(&hung);
    ck_assert_int_eq(hung.execution, DBAL_EXECUTION_UNKNOWN);
    ck_assert_int_eq(number("get"), 0);
    ck_assert_uint_eq(counts_now().lost, 1);
    fake_script_open_gate(script, "h");
    until_count(&script->closes, 1);
    ck_assert_uint_eq(closed(2, false).threads, 2);
}
END_TEST

/* They had asked when there could be no other thread yet. */
START_TEST(a_hung_thread_is_replaced_for_those_that_wait)
{
    open_pool("fake", "level=2&pool_threads=1&pool_max_size=2&pool_cancel_timeout=0.01");
    seen hung, waits;
    dbal_deferred *deferred = watch(ask("hang h"), &hung);
    until_count(&script->waiting, 1);
    watch(ask("get"), &waits);
    settle();
    ck_assert_int_eq(waits.settled, 0);
    dbal_deferred_cancel(deferred);
    until_settled(&hung);
    until_settled(&waits);
    ck_assert_int_eq(waits.error_class, 0);
    fake_script_open_gate(script, "h");
    until_count(&script->closes, 1);
    ck_assert_uint_eq(closed(2, false).threads, 2);
}
END_TEST

START_TEST(a_hung_thread_is_replaced_for_one_that_is_to_be_closed)
{
    open_pool("fake", "level=2&pool_threads=1&pool_max_size=2&pool_min_size=2&"
                      "pool_cancel_timeout=0.01");
    seen hung;
    good(dbal_pool_ready(pool));
    dbal_deferred *deferred = watch(ask("hang h"), &hung);
    until_count(&script->waiting, 1);
    ck_assert(dbal_pool_resize(pool, 0, 1, NULL));
    settle();
    ck_assert_int_eq(fake_script_count(script, &script->closes), 0);
    dbal_deferred_cancel(deferred);
    until_count(&script->closes, 1);
    until_settled(&hung);
    fake_script_open_gate(script, "h");
    until_count(&script->closes, 2);
    closed(2, false);
}
END_TEST

/* Its time begins when it has a thread. */
START_TEST(a_close_that_hangs_does_not_keep_the_thread)
{
    seen busy, waits;
    script->hang_close = true;
    open_driven("fake", "level=2&pool_threads=1&pool_max_size=2&pool_min_size=2&"
                        "pool_close_timeout=3&pool_acquire_timeout=off");
    good(dbal_pool_ready(pool));
    until_connections(2);
    watch(ask("wait g"), &busy);
    until_count(&script->waiting, 1);
    ck_assert(dbal_pool_resize(pool, 0, 1, NULL));
    settle();
    loop_fixture_advance(&fixture, 3.1);
    settle();
    ck_assert_uint_eq(log_lines_count(&fixture.log, "did not close within close_timeout"), 0);
    fake_script_open_gate(script, "g");
    until_settled(&busy);
    until_count(&script->waiting, 1);
    watch(ask("get"), &waits);
    settle();
    ck_assert_int_eq(waits.settled, 0);
    loop_fixture_advance(&fixture, 3.1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "did not close within close_timeout"), 1);
    until_settled(&waits);
    ck_assert_int_eq(waits.error_class, 0);
    fake_script_open_gate(script, "close");
    until_count(&script->closes, 1);
    closed(2, false);
}
END_TEST

START_TEST(all_are_replaced_by_one_thread)
{
    open_pool("fake", "level=2&pool_threads=1&pool_max_size=3&pool_min_size=3");
    good(dbal_pool_ready(pool));
    good(dbal_pool_drain(pool));
    until_connections(3);
    ck_assert_uint_eq(counts_now().drained, 3);
    ck_assert_uint_eq(closed(2, false).threads, 1);
}
END_TEST

/* ---- keeping ---- */

typedef struct work {
    dbal_connection *connection; /* once it has begun */
    dbal_deferred *until;
    seen end;
} work;

static dbal_outcome
begin_work(dbal_connection *connection, void *arg)
{
    work *self = arg;
    self->connection = connection;
    return dbal_wait(self->until);
}

static void
transact(work *self)
{
    *self = (work){.until = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL))};
    watch(dbal_pool_transaction(pool, NULL, begin_work, self), &self->end);
}

static void
finish_work(work *self)
{
    dbal_deferred_fire(self->until, dbal_done());
    dbal_deferred_unref(self->until);
    until_settled(&self->end);
    ck_assert_int_eq(self->end.error_class, 0);
}

static bool
has_begun(void *arg)
{
    return ((work *)arg)->connection != NULL;
}

/*
 * One transaction waits for what another is to do next; all that could take that one's thread waits
 * too, and for the same. It has kept its thread, and goes on.
 */
START_TEST(transactions_that_wait_for_one_another)
{
    work first, second;
    seen waits, others[8], goes_on;
    open_pool("fake", "level=2&pool_threads=2&pool_max_size=6");
    transact(&first);
    loop_fixture_until(&fixture, has_begun, &first);
    transact(&second);
    loop_fixture_until(&fixture, has_begun, &second);
    for (int i = 0; i < 8; i++)
        watch(ask("wait g"), &others[i]);
    watch(dbal_connection_query(second.connection, "wait g", DBAL_NO_PARAMS), &waits);
    until_count(&script->waiting, 1);
    watch(dbal_connection_query(first.connection, "add 1", DBAL_NO_PARAMS), &goes_on);
    until_settled(&goes_on);
    fake_script_open_gate(script, "g");
    finish_work(&first);
    until_settled(&waits);
    finish_work(&second);
    for (int i = 0; i < 8; i++)
        until_settled(&others[i]);
    ck_assert_int_eq(number("get"), 1);
    ck_assert_uint_eq(closed(2, false).threads, 2);
}
END_TEST

START_TEST(a_session_keeps_its_thread)
{
    work kept;
    seen statement;
    open_pool("fake", "level=2&pool_threads=3");
    transact(&kept);
    loop_fixture_until(&fixture, has_begun, &kept);
    for (int i = 0; i < 20; i++) {
        seen other;
        watch(ask("get"), &other);
        watch(dbal_connection_query(kept.connection, "add 1", DBAL_NO_PARAMS), &statement);
        until_settled(&statement);
        until_settled(&other);
    }
    finish_work(&kept);
    ck_assert_int_eq(number("get"), 20);
    closed(2, false);
}
END_TEST

/* All threads are kept: what comes next waits as for a connection, and as long. */
START_TEST(sessions_wait_for_a_thread)
{
    work first, second, third;
    open_driven("fake", "level=2&pool_threads=2&pool_max_size=5&pool_acquire_timeout=10");
    transact(&first);
    loop_fixture_until(&fixture, has_begun, &first);
    transact(&second);
    loop_fixture_until(&fixture, has_begun, &second);
    dbal_deferred *late = ask("get");
    seen early;
    watch(late, &early);
    transact(&third);
    settle();
    ck_assert_int_eq(early.settled, 0);
    ck_assert_ptr_null(third.connection);
    ck_assert_uint_eq(counts_now().waiting, 2);
    loop_fixture_advance(&fixture, 10.1);
    settle();
    ck_assert_int_eq(early.error_class, DBAL_ERROR_POOL_EXHAUSTED);
    ck_assert_int_eq(third.end.error_class, DBAL_ERROR_POOL_EXHAUSTED);
    ck_assert_int_eq(third.end.execution, DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_fire(third.until, dbal_done());
    dbal_deferred_unref(third.until);
    transact(&third);
    settle();
    ck_assert_ptr_null(third.connection);
    finish_work(&first);
    loop_fixture_until(&fixture, has_begun, &third);
    finish_work(&second);
    finish_work(&third);
    ck_assert_int_eq(number("get"), 0);
    closed(2, false);
}
END_TEST

static char message[512];

static dbal_outcome
keep_message(dbal_outcome in, void *arg)
{
    (void)arg;
    snprintf(message, sizeof message, "%s", dbal_error_message(dbal_outcome_error(in)));
    return dbal_done();
}

START_TEST(threads_that_are_all_kept_are_told)
{
    work kept;
    open_driven("fake", "level=2&pool_threads=1&pool_max_size=3&pool_acquire_timeout=20");
    transact(&kept);
    loop_fixture_until(&fixture, has_begun, &kept);
    dbal_deferred_add_both(ask("get"), keep_message, NULL);
    for (int i = 0; i < 30; i++) {
        loop_fixture_advance(&fixture, 1);
        settle();
    }
    ck_assert_uint_eq(log_lines_count(&fixture.log, "1 wait, and all threads (1) are in sessions"),
                      1);
    ck_assert_msg(strstr(message, "1 open of at most 3 on 1 thread, 1 in sessions") != NULL, "%s",
                  message);
    finish_work(&kept);
    closed(2, false);
}
END_TEST

START_TEST(writes_wait_for_a_thread)
{
    work first;
    seen write;
    open_pool("fake", "level=2&token=on&pool_threads=1&pool_max_size=3");
    transact(&first);
    loop_fixture_until(&fixture, has_begun, &first);
    watch(ask("add 1"), &write);
    settle();
    seen inside;
    watch(dbal_connection_query(first.connection, "add 2", DBAL_NO_PARAMS), &inside);
    until_settled(&inside);
    ck_assert_int_eq(inside.error_class, 0);
    ck_assert_int_eq(write.settled, 0);
    finish_work(&first);
    until_settled(&write);
    ck_assert_int_eq(number("get"), 3);
    closed(2, false);
}
END_TEST

/* ---- level 3 ---- */

START_TEST(statements_of_one_connection_in_parallel)
{
    seen all[5];
    open_pool("fake", "level=3&parallel=on&interrupt=off&pool_threads=3&pool_max_size=1");
    for (int i = 0; i < 5; i++)
        watch(ask("wait g"), &all[i]);
    until_count(&script->waiting, 3);
    settle();
    ck_assert_int_eq(fake_script_count(script, &script->waiting), 3);
    ck_assert_int_eq(fake_script_count(script, &script->live), 1);
    fake_script_open_gate(script, "g");
    for (int i = 0; i < 5; i++) {
        until_settled(&all[i]);
        ck_assert_int_eq(all[i].error_class, 0);
    }
    witness_report report = closed(3, true);
    ck_assert_uint_eq(report.together, 3);
    ck_assert_uint_eq(report.most, 3);
}
END_TEST

START_TEST(a_session_is_alone_in_a_parallel_connection)
{
    work session;
    seen before[3], inside, after;
    open_pool("fake", "level=3&parallel=on&interrupt=off&pool_threads=3&pool_max_size=1");
    for (int i = 0; i < 3; i++)
        watch(ask("wait g"), &before[i]);
    until_count(&script->waiting, 3);
    transact(&session);
    watch(ask("get"), &after);
    settle();
    ck_assert_ptr_null(session.connection);
    fake_script_open_gate(script, "g");
    loop_fixture_until(&fixture, has_begun, &session);
    watch(dbal_connection_query(session.connection, "add 1", DBAL_NO_PARAMS), &inside);
    until_settled(&inside);
    ck_assert_int_eq(after.settled, 0);
    finish_work(&session);
    until_settled(&after);
    closed(3, true);
}
END_TEST

START_TEST(one_of_several_is_cancelled)
{
    seen stays, goes;
    open_pool("fake", "level=3&parallel=on&interrupt=off&pool_threads=2&pool_max_size=1");
    watch(ask("wait g"), &stays);
    dbal_deferred *cancelled = watch(ask("wait g"), &goes);
    until_count(&script->waiting, 2);
    dbal_deferred_cancel(cancelled);
    until_settled(&goes);
    ck_assert_int_eq(goes.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(stays.settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&stays);
    ck_assert_int_eq(stays.error_class, 0);
    closed(3, true);
}
END_TEST

START_TEST(a_parallel_connection_closes_behind_all)
{
    static const char *const statements[] = {"wait a", "wait a", "wait b", "wait b"};
    seen all[4];
    open_pool("fake", "level=3&parallel=on&interrupt=off&pool_threads=4&pool_max_size=2&"
                      "pool_min_size=2");
    good(dbal_pool_ready(pool));
    for (int i = 0; i < 4; i++)
        watch(ask(statements[i]), &all[i]); /* one of each in each connection */
    until_count(&script->waiting, 4);
    ck_assert(dbal_pool_resize(pool, 0, 1, NULL));
    fake_script_open_gate(script, "a");
    until_settled(&all[0]);
    until_settled(&all[1]);
    settle();
    ck_assert_int_eq(fake_script_count(script, &script->live), 2);
    fake_script_open_gate(script, "b");
    until_count(&script->closes, 1);
    until_settled(&all[2]);
    until_settled(&all[3]);
    ck_assert_uint_eq(closed(3, true).together, 2);
}
END_TEST

/* Of several that hang in a connection, the last to come back closes it. */
START_TEST(several_hang_in_one_connection)
{
    seen all[2];
    dbal_deferred *deferreds[2];
    open_pool("fake", "level=3&parallel=on&interrupt=off&pool_threads=2&pool_max_size=1&"
                      "pool_cancel_timeout=0.01");
    for (int i = 0; i < 2; i++)
        deferreds[i] = watch(ask(i == 0 ? "hang a" : "hang b"), &all[i]);
    until_count(&script->waiting, 2);
    for (int i = 0; i < 2; i++)
        dbal_deferred_cancel(deferreds[i]);
    for (int i = 0; i < 2; i++)
        until_settled(&all[i]);
    ck_assert_int_eq(number("get"), 0); /* by another connection, and another thread */
    fake_script_open_gate(script, "a");
    fake_script_open_gate(script, "b");
    until_count(&script->closes, 1);
    closed(3, true);
}
END_TEST

/* ---- threads that cannot be had ---- */

START_TEST(no_thread_at_all)
{
    seen waits;
    open_pool("fake", "level=2&pool_threads=2");
    thread_fault_fail_from(1);
    watch(ask("get"), &waits);
    bad(dbal_pool_ready(pool), DBAL_ERROR_OPERATIONAL, "53000", DBAL_EXECUTION_NOT_SENT,
        "no thread could be started for a connection");
    thread_fault_fail(0);
    until_settled(&waits);
    closed(2, false);
}
END_TEST

START_TEST(no_second_thread)
{
    seen first, second;
    open_pool("fake", "level=2&pool_threads=2");
    good(dbal_pool_ready(pool));
    thread_fault_fail_from(1);
    watch(ask("wait g"), &first);
    watch(ask("get"), &second);
    until_count(&script->waiting, 1);
    fake_script_open_gate(script, "g");
    until_settled(&first);
    until_settled(&second);
    ck_assert_int_eq(second.error_class, 0);
    ck_assert_uint_eq(closed(2, false).threads, 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("moving");
    const TTest *const tests[] = {
        threads_as_an_option,
        a_new_size_must_fit_the_threads,
        connections_move_between_threads,
        more_connections_than_threads,
        a_hung_thread_is_replaced,
        a_hung_thread_is_replaced_for_those_that_wait,
        a_hung_thread_is_replaced_for_one_that_is_to_be_closed,
        a_close_that_hangs_does_not_keep_the_thread,
        all_are_replaced_by_one_thread,
        transactions_that_wait_for_one_another,
        a_session_keeps_its_thread,
        sessions_wait_for_a_thread,
        threads_that_are_all_kept_are_told,
        writes_wait_for_a_thread,
        statements_of_one_connection_in_parallel,
        a_session_is_alone_in_a_parallel_connection,
        one_of_several_is_cancelled,
        a_parallel_connection_closes_behind_all,
        several_hang_in_one_connection,
        no_thread_at_all,
        no_second_thread,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
