/* Workers that die, lie or hang: only the statement that they were at is lost. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/scratch.h"
#include "tests/lib/suite.h"
#include "tests/process/process_fixture.h"

/* ---- the worker dies ----------------------------------------------------------------------------- */

static const struct {
    const char *sql, *says;
} deaths[] = {
    {"segv", "was killed by signal 11"},  {"crash", "was killed by signal 6"},
    {"kill 9", "was killed by signal 9"}, {"kill 15", "was killed by signal 15"},
    {"exit 3", "exited with status 3"},   {"exit 0", "exited with status 0"},
};
enum { DEATHS = sizeof deaths / sizeof deaths[0] };

START_TEST(a_death_is_one_statements_error)
{
    open_pool("");
    int64_t pid = number("pid");
    bad(ask(deaths[_i].sql), DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN,
        deaths[_i].says);
    ck_assert_int_ne(number("pid"), pid);
    ck_assert_uint_eq(counts_now().lost, 1);
    ck_assert_uint_eq(counts_now().opened, 2);
}
END_TEST

/* With a clock that stands still no timer can have looked. */
START_TEST(the_death_itself_is_what_is_noticed)
{
    open_pool("");
    good(dbal_pool_ready(pool));
    loop_fixture_drive(&fixture);
    bad(ask(deaths[_i].sql), DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN,
        deaths[_i].says);
}
END_TEST

static bool
was_lost(void *arg)
{
    (void)arg;
    return counts_now().lost > 0;
}

START_TEST(an_idle_workers_death_is_noticed_and_hurts_nobody)
{
    open_pool("");
    pid_t pid = (pid_t)number("pid");
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    loop_fixture_until(&fixture, was_lost, NULL);
    ck_assert_int_eq(number("value 7"), 7);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "a connection was lost: worker process"), 1);
}
END_TEST

static dbal_outcome
count(dbal_outcome in, void *arg)
{
    ++*(int *)arg;
    return in;
}

START_TEST(those_behind_it_go_elsewhere)
{
    enum { TWENTY = 20 };
    dbal_deferred *all[TWENTY];
    int settled = 0;
    open_pool("");
    number("value 1"); /* what is known to be quick may stand in line */
    for (int i = 0; i < TWENTY; i++) {
        char sql[32];
        snprintf(sql, sizeof sql, "value %d", i);
        all[i] = dbal_deferred_ref(ask(i == 5 ? "crash" : sql));
        dbal_deferred_add_both(all[i], count, &settled);
    }
    for (int i = 0; i < TWENTY; i++) {
        if (i == 5)
            bad(all[i], DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, "signal 6");
        else
            good(all[i]);
        dbal_deferred_unref(all[i]);
    }
    ck_assert_int_eq(settled, TWENTY);
}
END_TEST

static int64_t
value_of(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_int_eq(outcome.kind, DBAL_OUTCOME_VALUE);
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

/* What comes behind one that leaves a transaction open is not done in there, but by another worker. */
START_TEST(those_behind_a_stray_transaction_go_elsewhere)
{
    enum { TWENTY = 20, STRAY = 5 };
    dbal_deferred *all[TWENTY];
    open_pool("");
    int64_t pid = number("pid");
    number("value 1"); /* what is known to be quick may stand in line */
    for (int i = 0; i < TWENTY; i++)
        all[i] = dbal_deferred_ref(ask(i == STRAY ? "stray" : i > STRAY ? "pid" : "value 1"));
    for (int i = 0; i < TWENTY; i++) {
        if (i == STRAY)
            bad(all[i], DBAL_ERROR_PROGRAMMING, "25001", DBAL_EXECUTION_FAILED, "rolled back");
        else if (i < STRAY)
            good(all[i]);
        else
            ck_assert_int_ne(value_of(all[i]), pid);
        dbal_deferred_unref(all[i]);
    }
    ck_assert_uint_eq(counts_now().lost, 0);
}
END_TEST

/* ---- answers that wait for the next -------------------------------------------------------------- */

/* `until` or `pause` and a number: known to be quick, also the one that the worker dies of, or hangs in. */
static dbal_deferred *
read_now(const char *word, int last, bool read_only)
{
    char sql[32];
    snprintf(sql, sizeof sql, "read %s %d", word, last);
    dbal_query query = {.size = sizeof query, .sql = sql, .read_only = read_only};
    return dbal_deferred_ref(dbal_pool_run(pool, &query));
}

enum { MANY = 24, LEARNT = 80 };

/* How long such statements take is known to the worker, and to the pool, which hands down many. */
static void
learn(const char *word, int last)
{
    for (int i = 0; i < LEARNT / 4; i++) {
        dbal_deferred *some[4];
        for (int j = 0; j < 4; j++)
            some[j] = read_now(word, last, true);
        for (int j = 0; j < 4; j++) {
            good(some[j]);
            dbal_deferred_unref(some[j]);
        }
    }
}

/*
 * Reads are answered together. The one that the worker dies of is the one that fails, wherever it
 * stands; those before it whose answers were not sent yet run once more.
 */
START_TEST(the_guilty_one_alone_fails)
{
    dbal_deferred *all[MANY];
    int last = LEARNT + _i + 1;
    open_pool("");
    learn("until", last);
    for (int i = 0; i < MANY; i++)
        all[i] = read_now("until", last, true);
    for (int i = 0; i < MANY; i++) {
        if (i == _i)
            bad(all[i], DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, "signal 9");
        else
            good(all[i]);
        dbal_deferred_unref(all[i]);
    }
    ck_assert_uint_eq(counts_now().lost, 1);
}
END_TEST

/* What was not promised to change nothing is not run twice: its answer never waits. */
START_TEST(what_may_have_changed_something_is_answered_at_once)
{
    dbal_deferred *all[MANY];
    int last = LEARNT + MANY;
    open_pool("");
    learn("until", last);
    for (int i = 0; i < MANY; i++)
        all[i] = read_now("until", last, false);
    for (int i = 0; i < MANY - 1; i++) {
        dbal_outcome outcome = loop_fixture_await(&fixture, all[i]);
        ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), LEARNT + i + 1);
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(all[i]);
    }
    bad(all[MANY - 1], DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, "signal 9");
    dbal_deferred_unref(all[MANY - 1]);
}
END_TEST

/* A file that a worker makes. */
static void
until_there(const char *path)
{
    while (access(path, F_OK) != 0) {
        ev_run(fixture.ev, EVRUN_NOWAIT);
        sched_yield();
    }
}

/* What was quick so often hangs: the others have their answers, and are not held responsible. */
START_TEST(what_is_held_back_for_one_that_hangs_is_sent)
{
    dbal_deferred *all[MANY];
    char folder[SCRATCH_PATH], begun[SCRATCH_PATH + 10];
    int last = LEARNT + _i + 1;
    scratch_make(folder, "process");
    snprintf(begun, sizeof begun, "%s/begun", folder);
    setenv("PGBEGUN", begun, 1); /* a name that workers know */
    open_pool("pool_cancel_timeout=1000&pool_pipeline_wait=10");
    unsetenv("PGBEGUN");
    learn("pause", last);
    for (int i = 0; i < MANY; i++)
        all[i] = read_now("pause", last, true);
    for (int i = 0; i < _i; i++)
        good(all[i]);
    until_there(begun);
    dbal_deferred_cancel(all[_i]);
    bad(all[_i], DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_FAILED, "");
    for (int i = _i + 1; i < MANY; i++)
        good(all[i]);
    for (int i = 0; i < MANY; i++)
        dbal_deferred_unref(all[i]);
    ck_assert_uint_eq(counts_now().lost, 0);
    scratch_remove(folder);
}
END_TEST

/* Nor do answers wait for one that is not known to be quick. */
START_TEST(nothing_waits_for_one_that_hangs)
{
    dbal_deferred *all[4];
    open_pool("pool_pipeline_wait=10&stops=no");
    learn("until", 0);
    for (int i = 0; i < 3; i++)
        all[i] = read_now("until", 0, true);
    all[3] =
        dbal_deferred_ref(dbal_pool_run(pool, DBAL_QUERY(.sql = "read hang", .read_only = true)));
    for (int i = 0; i < 3; i++) {
        good(all[i]);
        dbal_deferred_unref(all[i]);
    }
    dbal_deferred_cancel(all[3]);
    bad(all[3], DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_UNKNOWN, "");
    dbal_deferred_unref(all[3]);
}
END_TEST

static dbal_outcome
die_inside(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "value 1", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, "crash", DBAL_NO_PARAMS));
}

START_TEST(a_transaction_dies_with_it)
{
    open_pool("");
    bad(dbal_pool_transaction(pool, NULL, die_inside, NULL), DBAL_ERROR_OPERATIONAL, "08006",
        DBAL_EXECUTION_FAILED, "signal 6");
    ck_assert_int_eq(number("value 3"), 3);
}
END_TEST

START_TEST(another_worker_does_not_notice)
{
    open_pool("pool_max_size=2");
    dbal_deferred *waits = ask_now("wait");
    dbal_deferred *dies = dbal_deferred_ref(dbal_pool_session(pool, NULL, die_inside, NULL));
    bad(dies, DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, "signal 6");
    ck_assert_uint_eq(counts_now().lost, 1);
    dbal_deferred_cancel(waits);
    bad(waits, DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_FAILED, "interrupted");
    dbal_deferred_unref(waits);
    dbal_deferred_unref(dies);
}
END_TEST

/* ---- the worker lies ----------------------------------------------------------------------------- */

static const struct {
    const char *name, *says;
} lies[] = {
    {"garbage", "no frame"},
    {"oversized", "no frame"},
    {"flags", "no frame"},
    {"another", "what nobody asked"},
    {"request", "what nobody asked"},
    {"batch", "what nobody asked"},
    {"empty", "an answer that is none"},
    {"error", "an error that is none"},
    {"columns", "rows that are none"},
    {"many-columns", "rows that are none"},
    {"many-rows", "rows that are none"},
    {"no-columns", "rows that are none"},
    {"cell", "rows that are none"},
    {"nothing-shared", "shared memory that is not"},
    {"unsealed", "shared memory that is not"},
    {"truncated", "shared memory that is not"},
    {"no-file", "shared memory that is not"},
    {"two-shared", "descriptors that nobody"},
    {"descriptor", "descriptors that nobody"},
    {"closed", "was killed by signal 9"},
    {"half", "exited with status 0"},
};
enum { LIES = sizeof lies / sizeof lies[0] };

START_TEST(a_lie_is_the_end_of_the_one_who_tells_it)
{
    char sql[40];
    open_pool("");
    good(dbal_pool_ready(pool));
    loop_fixture_drive(&fixture);
    snprintf(sql, sizeof sql, "lie %s", lies[_i].name);
    bad(ask(sql), DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, lies[_i].says);
    ck_assert_int_eq(number("value 5"), 5);
}
END_TEST

/* ---- the worker hangs ---------------------------------------------------------------------------- */

START_TEST(one_that_sees_a_stop_lives_on)
{
    open_pool("");
    int64_t pid = number("pid");
    dbal_query query = {.size = sizeof query, .sql = "wait", .timeout = 0.05};
    bad(dbal_pool_run(pool, &query), DBAL_ERROR_TIMEOUT, NULL, DBAL_EXECUTION_FAILED,
        "interrupted");
    ck_assert_int_eq(number("pid"), pid);
}
END_TEST

START_TEST(one_that_does_not_is_killed)
{
    open_pool("pool_cancel_timeout=0.05");
    int64_t pid = number("pid");
    dbal_query query = {.size = sizeof query, .sql = "hang", .timeout = 0.05};
    bad(dbal_pool_run(pool, &query), DBAL_ERROR_TIMEOUT, NULL, DBAL_EXECUTION_UNKNOWN, "given up");
    ck_assert_int_ne(number("pid"), pid);
    await_end_of((pid_t)pid);
}
END_TEST

/* Nothing would be won by waiting. */
START_TEST(one_that_cannot_see_a_stop_is_killed_at_once)
{
    char folder[SCRATCH_PATH], path[SCRATCH_PATH + 10], sql[SCRATCH_PATH + 16];
    scratch_make(folder, "process");
    snprintf(path, sizeof path, "%s/begun", folder);
    snprintf(sql, sizeof sql, "hang %s", path);
    open_pool("stops=no&pool_cancel_timeout=1000");
    int64_t pid = number("pid");
    loop_fixture_drive(&fixture);
    dbal_deferred *hangs = ask_now(sql);
    until_there(path);
    dbal_deferred_cancel(hangs);
    bad(hangs, DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_UNKNOWN, "");
    dbal_deferred_unref(hangs);
    ck_assert_int_ne(number("pid"), pid);
    scratch_remove(folder);
}
END_TEST

START_TEST(one_that_hangs_when_it_is_closed_is_killed)
{
    open_pool("open=stay&pool_close_timeout=0.05");
    number("value 1");
    loop_fixture_await(&fixture, dbal_pool_close(pool));
}
END_TEST

/* ---- it does not even open ----------------------------------------------------------------------- */

static const struct {
    const char *how;
    dbal_error_class error_class;
    const char *sqlstate, *says;
} beginnings[] = {
    {"crash", DBAL_ERROR_OPERATIONAL, "08001", "killed by signal 6"},
    {"lie", DBAL_ERROR_OPERATIONAL, "08001", "no frame"},
    {"refuse", DBAL_ERROR_OPERATIONAL, "28P01", "the password is wrong"},
    {"sole", DBAL_ERROR_NOT_SUPPORTED, "0A000", "gone with its worker process"},
    {"hang", DBAL_ERROR_OPERATIONAL, "08001", "within connect_timeout"},
};
enum { BEGINNINGS = sizeof beginnings / sizeof beginnings[0] };

static bool
failed_to_connect(void *arg)
{
    (void)arg;
    return counts_now().connect_errors > 0;
}

START_TEST(a_bad_beginning_is_a_failed_connect)
{
    char parameters[80];
    snprintf(parameters, sizeof parameters, "open=%s&pool_connect_timeout=%s", beginnings[_i].how,
             strcmp(beginnings[_i].how, "hang") == 0 ? "0.1" : "20");
    open_pool(parameters);
    dbal_deferred *waits = dbal_deferred_ref(ask("value 1"));
    loop_fixture_until(&fixture, failed_to_connect, NULL);
    ck_assert_uint_ge(log_lines_count(&fixture.log, beginnings[_i].says), 1);
    dbal_deferred_cancel(waits);
    dbal_outcome outcome = loop_fixture_await(&fixture, waits);
    ck_assert_ptr_nonnull(dbal_outcome_error(outcome));
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(waits);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("deaths");
    const TTest *plain[] = {an_idle_workers_death_is_noticed_and_hurts_nobody,
                            those_behind_it_go_elsewhere,
                            those_behind_a_stray_transaction_go_elsewhere,
                            what_may_have_changed_something_is_answered_at_once,
                            nothing_waits_for_one_that_hangs,
                            a_transaction_dies_with_it,
                            another_worker_does_not_notice,
                            one_that_sees_a_stop_lives_on,
                            one_that_does_not_is_killed,
                            one_that_cannot_see_a_stop_is_killed_at_once,
                            one_that_hangs_when_it_is_closed_is_killed};
    const struct {
        const TTest *test;
        int times;
    } looped[] = {{a_death_is_one_statements_error, DEATHS},
                  {the_death_itself_is_what_is_noticed, DEATHS},
                  {the_guilty_one_alone_fails, MANY},
                  {what_is_held_back_for_one_that_hangs_is_sent, MANY},
                  {a_lie_is_the_end_of_the_one_who_tells_it, LIES},
                  {a_bad_beginning_is_a_failed_connect, BEGINNINGS}};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        suite_add(suite, plain[i], process_fixture_init, process_fixture_fini);
    for (size_t i = 0; i < sizeof looped / sizeof looped[0]; i++) {
        TCase *tcase = tcase_create(looped[i].test->name);
        tcase_add_checked_fixture(tcase, process_fixture_init, process_fixture_fini);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, looped[i].test, 0, looped[i].times);
        suite_add_tcase(suite, tcase);
    }
    return suite_run(suite);
}
