/* What a worker process is like, what comes back from it, and when it is replaced. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/lib/scratch.h"
#include "tests/lib/suite.h"
#include "tests/process/process_fixture.h"

static char *
text(const char *sql)
{
    static char copy[256];
    dbal_outcome outcome = loop_fixture_await(&fixture, ask(sql));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s: %s", sql,
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_result *rows = dbal_outcome_result(outcome);
    snprintf(copy, sizeof copy, "%s",
             dbal_result_is_null(rows, 0, 0) ? "null" : dbal_result_text(rows, 0, 0));
    dbal_outcome_clear(&outcome);
    return copy;
}

/* ---- its surroundings ---------------------------------------------------------------------------- */

START_TEST(it_has_no_descriptor_of_the_programs)
{
    int mine = fcntl(0, F_DUPFD, 40); /* one that is not closed by itself */
    ck_assert_int_ge(mine, 40);
    open_pool("");
    char sql[32];
    snprintf(sql, sizeof sql, "open %d", mine);
    ck_assert_int_eq(number(sql), 0);
    ck_assert_int_eq(number("open 3"), 1);
    ck_assert_int_eq(number("open 4"), 1);
    for (int fd = 10; fd < 40; fd++) {
        snprintf(sql, sizeof sql, "open %d", fd);
        ck_assert_int_eq(number(sql), 0);
    }
    close(mine);
}
END_TEST

START_TEST(it_knows_what_it_needs_of_the_environment)
{
    setenv("PGSOMETHING", "a name", 1);
    setenv("SOMETHING_SECRET", "a secret", 1);
    open_pool("");
    setenv("PGSOMETHING", "another name", 1);
    ck_assert_str_eq(text("env PGSOMETHING"), "a name");
    ck_assert_str_eq(text("env SOMETHING_SECRET"), "null");
    ck_assert_str_ne(text("env PATH"), "null");
    unsetenv("PGSOMETHING");
    unsetenv("SOMETHING_SECRET");
}
END_TEST

START_TEST(it_is_where_the_pool_was_opened)
{
    char before[256], folder[SCRATCH_PATH], there[PATH_MAX];
    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    scratch_make(folder, "process");
    ck_assert_ptr_nonnull(realpath(folder, there));
    ck_assert_int_eq(chdir(folder), 0);
    open_pool("");
    ck_assert_int_eq(chdir(before), 0);
    ck_assert_str_eq(text("cwd"), there);
    scratch_remove(folder);
}
END_TEST

START_TEST(it_starts_with_signals_and_limits_of_its_own)
{
    sigset_t all, before;
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limit), 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    open_pool("");
    int64_t blocked = number("blocked"), core = number("core");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ck_assert_int_eq(blocked, 0);
    ck_assert_int_eq(core, 0);
}
END_TEST

static void
refused(const char *url, const char *says)
{
    dbal_error *error = NULL;
    ck_assert_ptr_null(dbal_pool_open(fixture.loop, url, NULL, &error));
    ck_assert_msg(strstr(dbal_error_message(error), says) != NULL, "not \"%s\": %s", says,
                  dbal_error_message(error));
    ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
    dbal_error_unref(error);
}

/* The same with another program than the right one, for one call. */
static void
with_worker(const char *path, void (*call)(const char *says), const char *says)
{
    char right[512];
    snprintf(right, sizeof right, "%s", getenv("DBAL_WORKER"));
    setenv("DBAL_WORKER", path, 1);
    call(says);
    setenv("DBAL_WORKER", right, 1);
}

static void
is_refused(const char *says)
{
    refused("trouble:?pool_gate=process", says);
}

static bool
failed_to_connect(void *arg)
{
    (void)arg;
    return counts_now().connect_errors > 0;
}

static void
fails_to_connect(const char *says)
{
    open_pool("");
    dbal_deferred *waits = dbal_deferred_ref(ask("value 1"));
    loop_fixture_until(&fixture, failed_to_connect, NULL);
    ck_assert_uint_ge(log_lines_count(&fixture.log, says), 1);
    dbal_deferred_cancel(waits);
    dbal_outcome outcome = loop_fixture_await(&fixture, waits);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(waits);
}

START_TEST(a_program_that_is_not_there_is_refused)
{
    with_worker("/nowhere/dbal-worker", is_refused, "there is no worker program /nowhere");
    with_worker("dbal-worker", is_refused, "an absolute path");
    with_worker("/etc/passwd", is_refused, "there is no worker program /etc/passwd");
}
END_TEST

START_TEST(a_program_that_is_another_is_a_failed_connect)
{
    with_worker("/bin/true", fails_to_connect, "exited with status 0 before its connection");
}
END_TEST

START_TEST(a_program_of_another_version_says_which)
{
    setenv("DBAL_STRANGER", "1", 1);
    fails_to_connect("of another version (99.9) than this program");
    unsetenv("DBAL_STRANGER");
}
END_TEST

START_TEST(a_database_in_memory_is_refused)
{
    refused("sqlite::memory:?pool_gate=process", "in the memory of whoever opens it");
}
END_TEST

START_TEST(what_it_notes_is_logged)
{
    open_pool("open=note");
    number("value 1");
    ck_assert_uint_eq(log_lines_count(&fixture.log, "a note of the driver's"), 1);
    fixture.log.count = 0;
}
END_TEST

/* ---- what comes back ----------------------------------------------------------------------------- */

static const int64_t sizes[] = {0, 1, 65000, 65536, 70000, 3 << 20, 40 << 20};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

START_TEST(bytes_come_back_as_they_were)
{
    char sql[32];
    open_pool("");
    snprintf(sql, sizeof sql, "bytes %lld", (long long)sizes[_i]);
    dbal_outcome outcome = loop_fixture_await(&fixture, ask(sql));
    dbal_bytes bytes = dbal_result_blob(dbal_outcome_result(outcome), 0, 0);
    ck_assert_uint_eq(bytes.size, (size_t)sizes[_i]);
    for (size_t i = 0; i < bytes.size; i++)
        if (((const char *)bytes.data)[i] != (char)(i * 7))
            ck_abort_msg("byte %zu is another", i);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(many_rows_come_back_in_order)
{
    enum { MANY = 200000 };
    open_pool("");
    dbal_outcome outcome = loop_fixture_await(&fixture, ask("rows 200000"));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_uint_eq(dbal_result_row_count(rows), MANY);
    for (size_t i = 0; i < MANY; i++)
        if (dbal_result_int64(rows, i, 0) != (int64_t)i + 1)
            ck_abort_msg("row %zu is another", i);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(much_may_be_asked_at_once)
{
    enum { MANY = 40, LARGE = 1 << 20 };
    static char bytes[LARGE + MANY];
    dbal_deferred *all[MANY];
    open_pool("");
    number("value 1");
    dbal_deferred *first = ask_now("wait");
    for (size_t i = 0; i < MANY; i++)
        all[i] = dbal_deferred_ref(
            dbal_pool_query(pool, "size $1", DBAL_PARAMS(dbal_blob(bytes, LARGE + i))));
    dbal_deferred_cancel(all[MANY - 1]);
    dbal_deferred_cancel(first);
    bad(first, DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_FAILED, "");
    dbal_deferred_unref(first);
    for (size_t i = 0; i < MANY; i++) {
        dbal_outcome outcome = loop_fixture_await(&fixture, all[i]);
        if (i < MANY - 1)
            ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), LARGE + i);
        else
            ck_assert_msg(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_CANCELLED), "%s",
                          dbal_error_message(dbal_outcome_error(outcome)));
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(all[i]);
    }
}
END_TEST

START_TEST(a_result_that_is_too_large_is_an_error)
{
    open_pool("pool_max_result_bytes=100k");
    int64_t pid = number("pid");
    bad(ask("bytes 200000"), DBAL_ERROR_DATA, "54000", DBAL_EXECUTION_UNKNOWN,
        "larger than max_result_bytes");
    ck_assert_int_eq(number("pid"), pid);
}
END_TEST

START_TEST(an_error_comes_back_whole)
{
    open_pool("");
    dbal_outcome outcome = loop_fixture_await(&fixture, ask("fail 42"));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert(dbal_error_is(error, DBAL_ERROR_DATA));
    ck_assert_ptr_nonnull(strstr(dbal_error_message(error), "the number 42"));
    ck_assert_str_eq(dbal_error_sqlstate(error), "22003");
    ck_assert_str_eq(dbal_error_detail(error), "a detail");
    ck_assert_str_eq(dbal_error_hint(error), "a hint");
    ck_assert_str_eq(dbal_error_constraint(error), "a constraint");
    ck_assert_int_eq(dbal_error_vendor_code(error), 42);
    ck_assert_int_eq(dbal_error_position(error), 6);
    ck_assert(dbal_error_retryable(error));
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_FAILED);
    dbal_outcome_clear(&outcome);
}
END_TEST

/* ---- level 0 in parallel ------------------------------------------------------------------------- */

START_TEST(statements_of_level_0_run_side_by_side)
{
    enum { MANY = 4 };
    char folder[SCRATCH_PATH], sql[SCRATCH_PATH + 16];
    dbal_deferred *all[MANY];
    scratch_make(folder, "process");
    open_pool("level=0&pool_max_size=4&pool_pipeline_depth=1");
    ck_assert_int_eq(counts_now().threadlevel, 0);
    ck_assert_str_eq(counts_now().gate, "process");
    snprintf(sql, sizeof sql, "meet %d %s", MANY, folder);
    for (int i = 0; i < MANY; i++)
        all[i] = dbal_deferred_ref(ask(sql));
    for (int i = 0; i < MANY; i++) {
        good(all[i]);
        dbal_deferred_unref(all[i]);
    }
    scratch_remove(folder);
}
END_TEST

/* ---- SQLite in a worker -------------------------------------------------------------------------- */

static char folder[SCRATCH_PATH], path[SCRATCH_PATH + 8];

static void
open_sqlite(const char *parameters)
{
    char url[256];
    dbal_error *error = NULL;
    scratch_make(folder, "process");
    snprintf(path, sizeof path, "%s/db", folder);
    snprintf(url, sizeof url, "sqlite:%s?pool_gate=process&pool_max_size=1%s", path, parameters);
    pool = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
    good(ask("create table t(n)"));
}

static void
close_sqlite(void)
{
    loop_fixture_await(&fixture, dbal_pool_close(pool));
    scratch_remove(folder);
}

static bool
was_kept_in_order(void *arg)
{
    (void)arg;
    return counts_now().upkeeps > 0;
}

START_TEST(the_log_is_copied_back_when_nobody_waits)
{
    open_sqlite("");
    good(ask("with recursive many(n) as (select 1 union all select n + 1 from many where n < 3000) "
             "insert into t select zeroblob(4000) from many"));
    loop_fixture_until(&fixture, was_kept_in_order, NULL);
    close_sqlite();
}
END_TEST

static dbal_outcome
elsewhere(const char *url, void *arg)
{
    (void)url;
    return dbal_ok(arg, NULL);
}

/* A worker is told the URL that before_connect says, and the driver's config for it is good here. */
START_TEST(a_worker_goes_where_the_program_says)
{
    char other[256], url[256];
    open_sqlite("");
    snprintf(other, sizeof other, "sqlite:%s-other", path);
    dbal_pool *second = dbal_pool_open(fixture.loop, other, NULL, NULL);
    dbal_pool *first = pool;
    pool = second;
    good(ask("create table t(n)"));
    good(ask("insert into t values (1)"));
    good(dbal_pool_close(second));
    snprintf(url, sizeof url, "sqlite:%s?pool_gate=process&pool_max_statements=1", path);
    pool = dbal_pool_open(
        fixture.loop, url,
        DBAL_POOL_OPTIONS(.before_connect = elsewhere, .before_connect_arg = other), NULL);
    for (int i = 0; i < 3; i++) {
        dbal_outcome outcome = loop_fixture_await(&fixture, ask("select count(*) from t"));
        ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), 1);
        dbal_outcome_clear(&outcome);
    }
    good(dbal_pool_close(pool));
    pool = first;
    close_sqlite();
}
END_TEST

/* A new worker knows what the one before it knew. */
START_TEST(a_database_that_is_gone_is_not_made_anew)
{
    open_sqlite("&pool_max_statements=1");
    ck_assert_int_eq(unlink(path), 0);
    dbal_query query = {.size = sizeof query, .sql = "select 1", .timeout = 0.5};
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_run(pool, &query));
    ck_assert_int_eq(outcome.kind, DBAL_OUTCOME_ERROR);
    dbal_outcome_clear(&outcome);
    ck_assert_int_ne(access(path, F_OK), 0);
    close_sqlite();
}
END_TEST

/* Both go down together; only the first is at work when the second's time is up. */
START_TEST(one_whose_time_is_up_leaves_the_write_before_it_alone)
{
    open_sqlite("&pool_cancel_timeout=0.1");
    dbal_deferred *slow = dbal_deferred_ref(
        ask("insert into t with recursive many(n) as (select 1 union all select n + 1 from many "
            "where n < 4000000) select max(n) from many"));
    dbal_query query = {.size = sizeof query, .sql = "insert into t values (0)", .timeout = 0.05};
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_run(pool, &query));
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_TIMEOUT));
    dbal_outcome_clear(&outcome);
    good(slow);
    dbal_deferred_unref(slow);
    ck_assert_int_eq(number("select count(*) from t"), 1);
    ck_assert_uint_eq(counts_now().lost, 0);
    close_sqlite();
}
END_TEST

/* ---- replacing ----------------------------------------------------------------------------------- */

START_TEST(one_that_has_run_enough_statements_is_replaced)
{
    open_pool("pool_max_statements=3");
    int64_t pid = number("pid");
    ck_assert_int_eq(number("pid"), pid);
    ck_assert_int_eq(number("statements"), 3);
    ck_assert_int_ne(number("pid"), pid);
    ck_assert_int_eq(number("statements"), 2);
    ck_assert_uint_eq(counts_now().opened, 2);
    ck_assert_uint_eq(counts_now().lost, 0);
    await_end_of((pid_t)pid);
}
END_TEST

static dbal_outcome
work_on(dbal_connection *connection, void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        dbal_connection_query(connection, "value 1", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, "statements", DBAL_NO_PARAMS));
}

START_TEST(nobody_loses_a_session_by_that)
{
    open_pool("pool_max_statements=3");
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, work_on, NULL));
    ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), 6);
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(number("statements"), 1);
}
END_TEST

START_TEST(one_that_has_become_too_large_is_replaced)
{
    open_pool("pool_max_memory=400M");
    int64_t pid = number("pid");
    for (int i = 0; i < 40; i++)
        number("leak 1");
    ck_assert_int_eq(number("pid"), pid);
    number("leak 500");
    for (int i = 0; i < 20; i++)
        number("value 1");
    ck_assert_int_ne(number("pid"), pid);
    ck_assert_uint_eq(counts_now().opened, 2);
}
END_TEST

static dbal_outcome
burst(dbal_connection *connection, void *arg)
{
    dbal_deferred *all[8];
    int count = *(int *)arg % 6 + 3;
    for (int i = 0; i < count; i++)
        all[i] = dbal_connection_query(connection, "value 1", DBAL_NO_PARAMS);
    return dbal_wait(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, (size_t)count, all));
}

/*
 * Answers that come one by one while others are read: however many have been read at once, the last
 * of them is taken though nothing follows that would announce it.
 */
START_TEST(the_last_answer_is_taken_whenever_it_comes)
{
    open_pool("pool_query_timeout=20");
    for (int i = 0; i < 3000; i++)
        good(dbal_pool_session(pool, NULL, burst, &i));
}
END_TEST

/* ---- the application's end ----------------------------------------------------------------------- */

/* A program that has a worker at work, and a child of its own that has inherited all. */
START_TEST(it_ends_with_its_application)
{
    char command[512], line[64];
    snprintf(command, sizeof command, "%s", getenv("DBAL_ORPHAN"));
    FILE *orphan = popen(command, "r");
    ck_assert_ptr_nonnull(orphan);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, orphan));
    int application = 0, worker = 0, child = 0;
    ck_assert_int_eq(sscanf(line, "%d %d %d", &application, &worker, &child), 3);
    ck_assert_int_eq(kill(worker, 0), 0);
    ck_assert_int_eq(kill(application, SIGKILL), 0);
    await_end_of(worker);
    kill(child, SIGKILL);
    pclose(orphan);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("workers");
    const TTest *plain[] = {it_has_no_descriptor_of_the_programs,
                            it_knows_what_it_needs_of_the_environment,
                            it_is_where_the_pool_was_opened,
                            it_starts_with_signals_and_limits_of_its_own,
                            a_program_that_is_not_there_is_refused,
                            a_program_that_is_another_is_a_failed_connect,
                            a_program_of_another_version_says_which,
                            a_database_in_memory_is_refused,
                            what_it_notes_is_logged,
                            many_rows_come_back_in_order,
                            much_may_be_asked_at_once,
                            the_log_is_copied_back_when_nobody_waits,
                            a_worker_goes_where_the_program_says,
                            a_database_that_is_gone_is_not_made_anew,
                            one_whose_time_is_up_leaves_the_write_before_it_alone,
                            a_result_that_is_too_large_is_an_error,
                            an_error_comes_back_whole,
                            statements_of_level_0_run_side_by_side,
                            one_that_has_run_enough_statements_is_replaced,
                            nobody_loses_a_session_by_that,
                            one_that_has_become_too_large_is_replaced,
                            the_last_answer_is_taken_whenever_it_comes,
                            it_ends_with_its_application};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        suite_add(suite, plain[i], process_fixture_init, process_fixture_fini);
    TCase *tcase = tcase_create("bytes");
    tcase_add_checked_fixture(tcase, process_fixture_init, process_fixture_fini);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, bytes_come_back_as_they_were, 0, SIZES);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
