/* A driver that hangs: given up after cancel_timeout, close_timeout, and nobody waits for it. */
#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", "pool_max_size=2&pool_cancel_timeout=2&pool_close_timeout=3"},
    {"native", "pool_max_size=2&pool_cancel_timeout=2&pool_close_timeout=3"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

static uint64_t
abandoned(void)
{
    dbal_loop_counts counts = {.size = sizeof counts};
    dbal_loop_stats(fixture.loop, &counts);
    return counts.abandoned;
}

/* What hung comes back, so that nothing is left of it. */
static void
let_come_back(void)
{
    fake_script_open_gate(script, "g");
    fake_script_open_gate(script, "close");
    while (fake_script_count(script, &script->closes) <
           fake_script_count(script, &script->opens) - counts_now().connections)
        ev_run(fixture.ev, EVRUN_NOWAIT);
}

static bool
looks_after_nothing(void *arg)
{
    (void)arg;
    return !pool->collect.timer.active;
}

START_TEST(a_cancelled_statement_that_does_not_end_costs_its_connection)
{
    seen one;
    open_driven(targets[_i][0], targets[_i][1]);
    dbal_deferred *deferred = dbal_deferred_ref(ask("add 1 hang g"));
    watch(deferred, &one);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(deferred);
    settle();
    loop_fixture_advance(&fixture, 1.9);
    ck_assert_int_eq(one.settled, 0);
    loop_fixture_advance(&fixture, 0.2);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(one.execution, DBAL_EXECUTION_UNKNOWN);
    dbal_deferred_unref(deferred);
    good(ask("get"));
    ck_assert_uint_eq(counts_now().lost, 1);
    ck_assert_uint_eq(abandoned(), 1);
    let_come_back();
    good(ask("get"));
}
END_TEST

/* It is sent again and again, and must not take all helpers, whom others need. */
START_TEST(an_interrupt_that_hangs_does_so_alone)
{
    seen one;
    script->hang_interrupt = true;
    open_driven("fake", "pool_max_size=2&pool_cancel_timeout=100");
    dbal_deferred *deferred = watch(ask("hang g"), &one);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(deferred);
    until_count(&script->waiting, 2);
    for (int i = 0; i < 20; i++) {
        loop_fixture_advance(&fixture, 0.06);
        settle();
    }
    open_pool("fake", "pool_max_size=1");
    good(dbal_pool_ready(pool)); /* with a thread that a helper starts */
    ck_assert_int_eq(one.settled, 0);
    fake_script_open_gate(script, "interrupt");
    fake_script_open_gate(script, "g");
    until_settled(&one);
}
END_TEST

START_TEST(a_deadline_gives_it_up_too)
{
    seen one;
    open_driven(targets[_i][0], targets[_i][1]);
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "hang g", .timeout = 1)), &one);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 1.1);
    settle();
    loop_fixture_advance(&fixture, 2.1);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_TIMEOUT);
    let_come_back();
}
END_TEST

static dbal_outcome
hang_in_work(dbal_connection *connection, void *arg)
{
    seen *behind = arg;
    dbal_deferred *hanging = dbal_connection_query(connection, "hang g", DBAL_NO_PARAMS);
    watch(dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS), behind);
    return dbal_wait(hanging);
}

START_TEST(a_transaction_that_hangs_is_given_up)
{
    seen one, behind;
    open_driven(targets[_i][0], targets[_i][1]);
    dbal_deferred *deferred =
        dbal_deferred_ref(dbal_pool_transaction(pool, NULL, hang_in_work, &behind));
    watch(deferred, &one);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(deferred);
    settle();
    loop_fixture_advance(&fixture, 2.1);
    until_settled(&one);
    until_settled(&behind);
    ck_assert_int_ne(one.error_class, 0);
    ck_assert_int_ne(behind.error_class, 0);
    dbal_deferred_unref(deferred);
    good(ask("get"));
    ck_assert_int_eq(counts_now().held, 0);
    let_come_back();
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

START_TEST(closing_gives_up_a_statement_that_hangs)
{
    seen one;
    open_driven(targets[_i][0], targets[_i][1]);
    watch(ask("hang g"), &one);
    until_count(&script->waiting, 1);
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(pool));
    loop_fixture_advance(&fixture, 3.1);
    settle();
    ck_assert_int_eq(one.settled, 0);
    loop_fixture_advance(&fixture, 2.1);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CLOSED);
    ck_assert_int_eq(one.execution, DBAL_EXECUTION_UNKNOWN);
    good(closed);
    dbal_deferred_unref(closed);
    let_come_back();
}
END_TEST

START_TEST(closing_gives_up_a_close_that_hangs)
{
    script->hang_close = true;
    open_driven(targets[_i][0], targets[_i][1]);
    seen closed;
    watch(dbal_pool_close(pool), &closed);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 3.1);
    settle();
    loop_fixture_advance(&fixture, 3);
    until_settled(&closed);
    ck_assert_int_eq(closed.error_class, 0);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "given up"), 1);
    let_come_back();
}
END_TEST

START_TEST(a_commit_that_hangs_does_not_keep_the_pool_open)
{
    seen one;
    holder held;
    open_driven(targets[_i][0], targets[_i][1]);
    hold(&held);
    until_held(&held);
    watch(dbal_connection_query(held.connection, "hang g", DBAL_NO_PARAMS), &one);
    until_count(&script->waiting, 1);
    let_go(&held);
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(pool));
    loop_fixture_advance(&fixture, 3.1);
    settle();
    loop_fixture_advance(&fixture, 3);
    good(closed);
    dbal_deferred_unref(closed);
    ck_assert_int_eq(one.settled, 1);
    ck_assert_int_eq(held.end.settled, 1);
    let_come_back();
}
END_TEST

/*
 * The one thread of a level 0 driver hangs: nothing that was handed to it has anything to wait for.
 * It is given up for as long as the process lives, so this must be the last test.
 */
START_TEST(what_stands_behind_on_the_one_thread_settles)
{
    enum { MANY = 6 };
    seen hanging, behind[MANY], later;
    holder held;
    open_driven("fake", "level=0&pool_max_size=3&pool_cancel_timeout=2&pool_acquire_timeout=off");
    hold(&held);
    until_held(&held);
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "hang g", .timeout = 1)), &hanging);
    until_count(&script->waiting, 1);
    for (int i = 0; i < MANY; i++)
        watch(i % 2 == 0 ? ask("get")
                         : dbal_connection_query(held.connection, "get", DBAL_NO_PARAMS),
              &behind[i]);
    settle();
    loop_fixture_advance(&fixture, 1.1);
    settle();
    loop_fixture_advance(&fixture, 2.1);
    until_settled(&hanging);
    ck_assert_int_eq(hanging.error_class, DBAL_ERROR_TIMEOUT);
    watch(ask("get"), &later);
    for (int i = 0; i < MANY; i++)
        until_settled(&behind[i]);
    until_settled(&later);
    ck_assert_int_eq(later.error_class, DBAL_ERROR_CLOSED);
    let_go(&held);
    until_settled(&held.end);
    loop_fixture_advance(&fixture, 1);
    ck_assert(looks_after_nothing(NULL));
    let_come_back();
}
END_TEST

/* Nobody frees what a thread that hangs may come back to. */
START_TEST(the_loop_may_end_while_a_statement_hangs)
{
    seen one;
    open_driven("fake", "level=0&pool_cancel_timeout=2&pool_close_timeout=0.1");
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "hang g", .timeout = 1)), &one);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 1.1);
    settle();
    loop_fixture_advance(&fixture, 2.1);
    until_settled(&one);
    dbal_loop_free(fixture.loop);
    fixture.loop = NULL;
    fake_script_open_gate(script, "g");
    while (fake_script_count(script, &script->live) > 0)
        sched_yield();
}
END_TEST

static int
threads_now(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* Those that have nothing to do end at once, and what hung when it has come back. */
START_TEST(no_thread_outlives_a_loop_that_ended_while_statements_hang)
{
    static const char *const parameters[] = {
        "level=2&pool_threads=2&pool_max_size=2&pool_close_timeout=0.1",
        "level=3&parallel=on&interrupt=off&pool_threads=2&pool_max_size=1&pool_close_timeout=0.1",
    };
    seen hangs, other;
    int before = threads_now();
    open_pool("fake", parameters[_i]);
    watch(ask("hang g"), &hangs);
    watch(ask(_i == 0 ? "wait i" : "hang g"), &other);
    until_count(&script->waiting, 2);
    fake_script_open_gate(script, "i");
    if (_i == 0)
        until_settled(&other);
    dbal_loop_free(fixture.loop);
    fixture.loop = NULL;
    fake_script_open_gate(script, "g");
    while (threads_now() > before)
        sched_yield();
    if (_i == 1) /* the connection that two hung in was left to the loop */
        fake_script_add(script, &script->live, -1);
}
END_TEST

/* ---- the write token ---- */

static dbal_outcome
hang_for_ever(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_run(connection, DBAL_QUERY(.sql = "hang g", .timeout = 1)));
}

/* what stands behind a statement that hangs */
typedef struct later_two {
    seen read, write;
} later_two;

static dbal_outcome
hang_before_a_write(dbal_connection *connection, void *arg)
{
    later_two *self = arg;
    dbal_deferred *hanging =
        dbal_connection_run(connection, DBAL_QUERY(.sql = "hang g", .timeout = 1));
    watch(dbal_connection_query(connection, "get", DBAL_NO_PARAMS), &self->read);
    watch(dbal_connection_query(connection, "add 5", DBAL_NO_PARAMS), &self->write);
    return dbal_wait(hanging);
}

/* The token is granted to one that is lost before the word of it has arrived. */
START_TEST(a_session_that_is_lost_does_not_keep_the_token)
{
    char parameters[160] = "token=on&";
    seen first, second, later;
    later_two two;
    strcat(parameters, targets[_i][1]);
    open_driven(targets[_i][0], parameters);
    watch(dbal_pool_transaction(pool, NULL, hang_for_ever, NULL), &first);
    until_count(&script->waiting, 1);
    dbal_pool *holding = pool;
    open_pool(targets[_i][0], parameters);
    watch(dbal_pool_session(pool, NULL, hang_before_a_write, &two), &second);
    until_count(&script->waiting, 2);
    settle();
    loop_fixture_advance(&fixture, 1.1);
    settle();
    loop_fixture_advance(&fixture, 2.1);
    until_settled(&first);
    until_settled(&second);
    until_settled(&two.write);
    watch(ask("add 10"), &later);
    until_settled(&later);
    ck_assert_int_eq(later.error_class, 0);
    fake_script_open_gate(script, "g");
    good(dbal_pool_close(pool));
    good(dbal_pool_close(holding));
    /* what hung comes back, so that nothing is left of it */
    while (fake_script_count(script, &script->live) > 0)
        ev_run(fixture.ev, EVRUN_NOWAIT);
}
END_TEST

START_TEST(a_writer_that_hangs_loses_the_token)
{
    char parameters[160] = "token=on&";
    seen first, second, later[8];
    strcat(parameters, targets[_i][1]);
    open_driven(targets[_i][0], parameters);
    dbal_deferred *hanging = dbal_deferred_ref(ask("add 1 hang g"));
    dbal_deferred *behind = dbal_deferred_ref(ask("add 2"));
    watch(hanging, &first);
    watch(behind, &second);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(behind);
    dbal_deferred_cancel(hanging);
    settle();
    loop_fixture_advance(&fixture, 2.1);
    settle();
    loop_fixture_advance(&fixture, 2.1);
    until_settled(&first);
    until_settled(&second);
    for (int i = 0; i < 4; i++)
        watch(ask("add 10"), &later[i]);
    until_settled(&later[3]);
    fake_script_open_gate(script, "g");
    for (int i = 4; i < 8; i++)
        watch(ask("add 10"), &later[i]);
    for (int i = 0; i < 8; i++) {
        until_settled(&later[i]);
        ck_assert_int_eq(later[i].error_class, 0);
    }
    let_come_back();
    for (int i = 0; i < 4; i++)
        good(ask("add 10"));
    dbal_deferred_unref(hanging);
    dbal_deferred_unref(behind);
    good(dbal_pool_close(pool));
}
END_TEST

/*
 * The one thread keeps back the answer of a quick statement for the next, which is quick as far as
 * anybody knows; when it is not, the loop fetches what is there.
 */
START_TEST(what_is_kept_back_behind_one_that_hangs_is_fetched)
{
    seen hangs;
    open_pool("fake", "level=0&pool_max_size=1");
    fake_script_open_gate(script, "g");
    for (int i = 0; i < 200; i++) {
        dbal_deferred *first = dbal_deferred_ref(ask("get"));
        good(ask("wait g get"));
        good(first);
        dbal_deferred_unref(first);
    }
    fake_script_close_gate(script, "g");
    dbal_deferred *quick = dbal_deferred_ref(ask("get"));
    dbal_deferred *slow = watch(dbal_deferred_ref(ask("wait g get")), &hangs);
    good(quick);
    ck_assert_int_eq(hangs.settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&hangs);
    dbal_deferred_unref(quick);
    dbal_deferred_unref(slow);
}
END_TEST

/* Both become known to be quick. */
static void
learn_on_the_one_thread(const char *one, const char *other)
{
    fake_script_open_gate(script, "g");
    for (int i = 0; i < 200; i++) {
        dbal_deferred *first = dbal_deferred_ref(ask(one));
        good(ask(other));
        good(first);
        dbal_deferred_unref(first);
    }
    fake_script_close_gate(script, "g");
}

/* Writes go down in another way: those that waited for the one before come together. */
START_TEST(what_is_kept_back_of_writes_is_fetched)
{
    seen before, quick, hangs;
    open_pool("fake", "level=0&token=on&pool_max_size=1");
    learn_on_the_one_thread("add 1", "add 1 wait g");
    loop_fixture_until(&fixture, looks_after_nothing, NULL);
    watch(ask("add 1 wait i"), &before);
    until_count(&script->waiting, 1);
    watch(ask("add 1"), &quick);
    watch(ask("add 1 wait g"), &hangs);
    fake_script_open_gate(script, "i");
    until_settled(&before);
    until_count(&script->waiting, 1);
    until_settled(&quick);
    ck_assert_int_eq(hangs.settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&hangs);
}
END_TEST

/* No time passes: nobody but the thread itself makes it known. */
START_TEST(nothing_is_kept_back_behind_a_connect)
{
    seen first, quick;
    script->hang_open = true;
    fake_script_open_gate(script, "open");
    open_driven("fake", "level=0&pool_min_size=2&pool_max_size=2");
    good(dbal_pool_ready(pool));
    learn_on_the_one_thread("get", "wait g get");
    loop_fixture_advance(&fixture, 1);
    settle();
    fake_script_close_gate(script, "open");
    watch(ask("wait g get"), &first);
    until_count(&script->waiting, 1);
    watch(ask("get"), &quick);
    settle();
    dbal_pool *here = pool;
    open_pool("fake", "level=0&pool_min_size=1");
    pool = here;
    settle();
    fake_script_open_gate(script, "g");
    until_settled(&quick);
    until_count(&script->waiting, 1);
    fake_script_open_gate(script, "open");
    until_settled(&first);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, TARGETS);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("hangs");
    add(suite, a_cancelled_statement_that_does_not_end_costs_its_connection);
    add(suite, a_deadline_gives_it_up_too);
    add(suite, a_transaction_that_hangs_is_given_up);
    add(suite, closing_gives_up_a_statement_that_hangs);
    add(suite, closing_gives_up_a_close_that_hangs);
    add(suite, a_commit_that_hangs_does_not_keep_the_pool_open);
    add(suite, a_writer_that_hangs_loses_the_token);
    add(suite, a_session_that_is_lost_does_not_keep_the_token);
    suite_add(suite, an_interrupt_that_hangs_does_so_alone, pool_fixture_init, pool_fixture_fini);
    suite_add(suite, what_is_kept_back_behind_one_that_hangs_is_fetched, pool_fixture_init,
              pool_fixture_fini);
    suite_add(suite, what_is_kept_back_of_writes_is_fetched, pool_fixture_init, pool_fixture_fini);
    suite_add(suite, nothing_is_kept_back_behind_a_connect, pool_fixture_init, pool_fixture_fini);
    suite_add(suite, what_stands_behind_on_the_one_thread_settles, pool_fixture_init,
              pool_fixture_fini);
    /* it leaves memory behind, which must go with a process of its own */
    if (getenv("CK_FORK") == NULL) {
        add(suite, no_thread_outlives_a_loop_that_ended_while_statements_hang);
        suite_add(suite, the_loop_may_end_while_a_statement_hangs, pool_fixture_init,
                  pool_fixture_fini);
    }
    return suite_run(suite);
}
