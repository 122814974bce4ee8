/*
 * Cancels and deadlines at each place of writes that share a commit: whoever is stopped has done
 * nothing or is told of its success, and the others do not notice.
 */
#include <time.h>

#include "tests/lib/suite.h"
#include "tests/sharing/crowd.h"
#include "tests/sharing/hold.h"
#include "tests/sharing/sharing.h"

enum { THREE = 3 };

static void
others_succeeded(int members, int at)
{
    for (int i = 0; i < members; i++)
        if (i != at)
            crowd_succeeded(i);
}

static bool
is_past(void *arg)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 > *(double *)arg;
}

/* Until a timeout that was given just now is over. */
static void
pass(double seconds)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double end = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + seconds;
    loop_fixture_until(&fixture, is_past, &end);
}

START_TEST(cancelled_before_it_began)
{
    for (int at = 1; at < 1 + THREE; at++) {
        crowd_open("");
        crowd_ask(0, CROWD_HELD, 0, 0);
        for (int i = 1; i < 1 + THREE; i++)
            crowd_ask(i, CROWD_PLAIN, i, 0);
        hold_await();
        dbal_deferred_cancel(crowd[at].deferred);
        hold_release();
        crowd_await();
        crowd_failed(at, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_NOT_SENT);
        others_succeeded(1 + THREE, at);
        crowd_close();
    }
}
END_TEST

START_TEST(cancelled_while_it_runs)
{
    for (int at = 0; at < THREE; at++) {
        crowd_open("");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, i == at ? CROWD_LONG : CROWD_PLAIN, i, 0);
        hold_await();
        dbal_deferred_cancel(crowd[at].deferred);
        hold_release();
        crowd_await();
        crowd_failed(at, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
        others_succeeded(THREE, at);
        ck_assert_int_eq(number(pool, "select count(*) from t where more = 1"), 0);
        crowd_close();
    }
}
END_TEST

START_TEST(a_deadline_while_it_runs)
{
    for (int at = 0; at < THREE; at++) {
        crowd_open("");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, i == at ? CROWD_LONG : CROWD_PLAIN, i, i == at ? 0.2 : 0);
        hold_await();
        pass(0.2);
        hold_release();
        crowd_await();
        crowd_failed(at, DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_FAILED);
        others_succeeded(THREE, at);
        crowd_close();
    }
}
END_TEST

/* It has run, and waits for the others. */
START_TEST(cancelled_before_the_commit)
{
    for (int at = 0; at < THREE; at++) {
        crowd_open("");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, CROWD_PLAIN, i, 0);
        crowd_ask(THREE, CROWD_HELD, THREE, 0);
        hold_await();
        dbal_deferred_cancel(crowd[at].deferred);
        hold_release();
        crowd_await();
        crowd_agrees(at);
        others_succeeded(1 + THREE, at);
        crowd_close();
    }
}
END_TEST

START_TEST(a_deadline_before_the_commit)
{
    for (int at = 0; at < THREE; at++) {
        crowd_open("");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, CROWD_PLAIN, i, i == at ? 0.2 : 0);
        crowd_ask(THREE, CROWD_HELD, THREE, 0);
        hold_await();
        pass(0.2);
        hold_release();
        crowd_await();
        crowd_agrees(at);
        others_succeeded(1 + THREE, at);
        crowd_close();
    }
}
END_TEST

static bool
have_settled(void *arg)
{
    int settled = 0;
    for (int i = 0; i < *(int *)arg; i++)
        settled += crowd[i].settled;
    return settled == *(int *)arg;
}

/*
 * One behind it would not end by itself, and that is not its fault: it is told, and no connection is
 * given up. The slow one runs again, until it is stopped itself.
 */
START_TEST(stopped_while_one_behind_it_runs)
{
    for (int at = 0; at < THREE; at++) {
        int three = THREE;
        bool by_deadline = at == 1;
        crowd_open("");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, CROWD_PLAIN, i, by_deadline && i == at ? 0.2 : 0);
        crowd_ask(THREE, CROWD_ENDLESS, THREE, 0);
        hold_await();
        if (!by_deadline)
            dbal_deferred_cancel(crowd[at].deferred);
        hold_release();
        loop_fixture_until(&fixture, have_settled, &three);
        ck_assert_int_eq(crowd[THREE].settled, 0);
        dbal_deferred_cancel(crowd[THREE].deferred);
        crowd_await();
        crowd_agrees(at);
        ck_assert_int_ne(crowd[at].execution, DBAL_EXECUTION_UNKNOWN);
        others_succeeded(THREE, at);
        crowd_failed(THREE, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
        ck_assert_uint_eq(sharing_counts(pool).lost, 0);
        crowd_close();
    }
}
END_TEST

/* It has run, is cancelled, and then all is undone: it does not run again. */
START_TEST(cancelled_and_then_undone)
{
    for (int at = 0; at < THREE; at++) {
        crowd_open("");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, CROWD_PLAIN, i, 0);
        crowd_ask(THREE, CROWD_ROLLBACK, -1, 0);
        crowd_ask(THREE + 1, CROWD_PLAIN, THREE + 1, 0);
        hold_await();
        dbal_deferred_cancel(crowd[at].deferred);
        hold_release();
        crowd_await();
        crowd_failed(at, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
        crowd_failed(THREE, DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED);
        for (int i = 0; i < THREE; i++)
            if (i != at)
                crowd_succeeded(i);
        crowd_succeeded(THREE + 1);
        crowd_close();
    }
}
END_TEST

/* The COMMIT itself waits for a reader: it is too late to stop anything. */
START_TEST(cancelled_during_the_commit)
{
    for (int at = 0; at < THREE; at++) {
        crowd_open("journal_mode=delete&busy_timeout=600");
        sqlite3 *reader = outsider_open("one");
        outsider_run(reader, "begin");
        outsider_number(reader, "select count(*) from t");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, CROWD_PLAIN, i, 0);
        hold_await_naps(2);
        dbal_deferred_cancel(crowd[at].deferred);
        hold_await_naps(4);
        outsider_run(reader, "commit");
        sqlite3_close(reader);
        crowd_await();
        for (int i = 0; i < THREE; i++)
            crowd_succeeded(i);
        crowd_close();
    }
}
END_TEST

/* The first waits for the database's lock on behalf of all. */
START_TEST(cancelled_while_they_wait_for_the_lock)
{
    for (int at = 0; at < THREE; at++) {
        crowd_open("busy_timeout=600");
        sqlite3 *writer = outsider_open("one");
        outsider_run(writer, "begin immediate");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, CROWD_PLAIN, i, 0);
        hold_await_naps(2);
        dbal_deferred_cancel(crowd[at].deferred);
        hold_await_naps(4);
        outsider_run(writer, "commit");
        sqlite3_close(writer);
        crowd_await();
        crowd_failed(at, DBAL_ERROR_CANCELLED, "57014",
                     at == 0 ? DBAL_EXECUTION_FAILED : DBAL_EXECUTION_NOT_SENT);
        others_succeeded(THREE, at);
        crowd_close();
    }
}
END_TEST

START_TEST(a_deadline_while_they_wait_for_the_lock)
{
    for (int at = 0; at < THREE; at++) {
        crowd_open("busy_timeout=600");
        sqlite3 *writer = outsider_open("one");
        outsider_run(writer, "begin immediate");
        for (int i = 0; i < THREE; i++)
            crowd_ask(i, CROWD_PLAIN, i, i == at ? 0.2 : 0);
        pass(0.25);
        outsider_run(writer, "commit");
        sqlite3_close(writer);
        crowd_await();
        crowd_failed(at, DBAL_ERROR_TIMEOUT, "57014",
                     at == 0 ? DBAL_EXECUTION_FAILED : DBAL_EXECUTION_NOT_SENT);
        others_succeeded(THREE, at);
        crowd_close();
    }
}
END_TEST

/* Reads that wait together: one that is stopped is stopped alone. */
START_TEST(a_read_that_is_cancelled)
{
    for (int at = 1; at < 1 + THREE; at++) {
        crowd_open("pool_max_size=1");
        crowd_ask(0, CROWD_READ_HELD, 0, 0);
        for (int i = 1; i < 1 + THREE; i++)
            crowd_ask(i, CROWD_READ, i, 0);
        hold_await();
        dbal_deferred_cancel(crowd[at].deferred);
        hold_release();
        crowd_await();
        for (int i = 0; i < 1 + THREE; i++)
            ck_assert_int_eq(crowd[i].error_class, i == at ? DBAL_ERROR_CANCELLED : 0);
        ck_assert_int_eq(crowd[at].execution, DBAL_EXECUTION_NOT_SENT);
        crowd_close();
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sharing, stops");
    sharing_add(suite, cancelled_before_it_began);
    sharing_add(suite, cancelled_while_it_runs);
    sharing_add(suite, a_deadline_while_it_runs);
    sharing_add(suite, cancelled_before_the_commit);
    sharing_add(suite, a_deadline_before_the_commit);
    sharing_add(suite, stopped_while_one_behind_it_runs);
    sharing_add(suite, cancelled_and_then_undone);
    sharing_add(suite, cancelled_during_the_commit);
    sharing_add(suite, cancelled_while_they_wait_for_the_lock);
    sharing_add(suite, a_deadline_while_they_wait_for_the_lock);
    sharing_add(suite, a_read_that_is_cancelled);
    return suite_run(suite);
}
