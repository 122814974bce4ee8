/* A pool on SQLite, behind every gate that it may pass: what is asked for and what comes back. */
#include <dbal.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbal/helper.h"
#include "dbal/loop.h"
#include "dbal/result_layout.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/scratch.h"
#include "tests/lib/suite.h"

enum { TARGETS = 4 };

static const char *const targets[TARGETS] = {"", "?pool_gate=driver-thread", "?mutex=full",
                                             "?journal_mode=delete"};

static loop_fixture fixture;
static char folder[SCRATCH_PATH], path[SCRATCH_PATH + 8];
static dbal_pool *pool;

static void
make_folder(void)
{
    scratch_make(folder, "pool");
    loop_fixture_init(&fixture);
}

static void
remove_folder(void)
{
    loop_fixture_fini(&fixture);
    scratch_remove(folder);
}

static void
open_pool(int target)
{
    char url[160];
    dbal_error *error = NULL;
    snprintf(path, sizeof path, "%s/db", folder);
    snprintf(url, sizeof url, "sqlite:%s%s", path, targets[target]);
    pool = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
}

static void
good(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
}

static void
bad(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate,
    dbal_execution execution)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_is(error, error_class), "%s", dbal_error_message(error));
    ck_assert_str_eq(dbal_error_sqlstate(error), sqlstate);
    ck_assert_int_eq(dbal_error_execution(error), execution);
    dbal_outcome_clear(&outcome);
}

static int64_t
number(const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_NO_PARAMS));
    ck_assert_int_eq(outcome.kind, DBAL_OUTCOME_VALUE);
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

static dbal_outcome
fill(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_script(
        connection, "create table account(id integer primary key, name text unique);"
                    "insert into account values (1, 'Ada'), (2, 'Bob')"));
}

static void
open_filled(int target)
{
    open_pool(target);
    good(dbal_pool_session(pool, NULL, fill, NULL));
}

static bool
is_freed_by_a_helper(const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_NO_PARAMS));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_ptr_nonnull(rows);
    bool is = rows->reaper == dbal__helpers_reaper(fixture.loop->helpers);
    dbal_outcome_clear(&outcome);
    return is;
}

START_TEST(a_large_result_is_not_freed_by_the_loop)
{
    open_pool(_i);
    for (int i = 0; i < 3; i++) {
        ck_assert(is_freed_by_a_helper("select zeroblob(300000)"));
        ck_assert(!is_freed_by_a_helper("select zeroblob(3000)"));
    }
}
END_TEST

START_TEST(parameters_by_number_and_name)
{
    open_filled(_i);
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_query(pool, "select $2, $1, $2",
                                                     DBAL_PARAMS(dbal_int64(1), dbal_text("two"))));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_str_eq(dbal_result_text(rows, 0, 0), "two");
    ck_assert_int_eq(dbal_result_int64(rows, 0, 1), 1);
    ck_assert_str_eq(dbal_result_text(rows, 0, 2), "two");
    dbal_outcome_clear(&outcome);
    good(dbal_pool_query(pool, "select :b, :a",
                         DBAL_PARAMS(dbal_named("a", dbal_null()), dbal_named("b", dbal_null()))));
    bad(dbal_pool_query(pool, "select $1", DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING, "07001",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_query(pool, "select 1; select 2", DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING,
        "42601", DBAL_EXECUTION_NOT_SENT);
}
END_TEST

START_TEST(a_statement_of_a_session_is_refused)
{
    open_filled(_i);
    bad(dbal_pool_query(pool, "begin", DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING, "25001",
        DBAL_EXECUTION_NOT_SENT);
    ck_assert(dbal_sql_needs_session(pool, "attach 'x' as y"));
    ck_assert(!dbal_sql_needs_session(pool, "select 1"));
    ck_assert_int_eq(number("select count(*) from account"), 2);
}
END_TEST

START_TEST(an_error_says_what_it_is)
{
    open_filled(_i);
    bad(dbal_pool_query(pool, "insert into account values (1, 'again')", DBAL_NO_PARAMS),
        DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED);
    bad(dbal_pool_query(pool, "select missing from account", DBAL_NO_PARAMS),
        DBAL_ERROR_PROGRAMMING, "42703", DBAL_EXECUTION_FAILED);
    bad(dbal_pool_run(pool, DBAL_QUERY(.sql = "delete from account", .read_only = true)),
        DBAL_ERROR_OPERATIONAL, "25006", DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(number("select count(*) from account"), 2);
}
END_TEST

static const char endless[] =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";

static bool
is_running(void *arg)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    (void)arg;
    dbal_pool_stats(pool, &counts);
    return counts.running > 0;
}

START_TEST(cancel_and_deadline_of_what_runs)
{
    open_filled(_i);
    dbal_deferred *deferred = dbal_deferred_ref(dbal_pool_query(pool, endless, DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, is_running, NULL);
    dbal_deferred_cancel(deferred);
    bad(deferred, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
    dbal_deferred_unref(deferred);
    bad(dbal_pool_run(pool, DBAL_QUERY(.sql = endless, .timeout = 0.2)), DBAL_ERROR_TIMEOUT,
        "57014", DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(number("select count(*) from account"), 2);
}
END_TEST

START_TEST(cancel_of_what_waits)
{
    open_filled(_i);
    dbal_deferred *deferred =
        dbal_deferred_ref(dbal_pool_query(pool, "delete from account", DBAL_NO_PARAMS));
    dbal_deferred_cancel(deferred);
    bad(deferred, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(deferred);
    ck_assert_int_eq(number("select count(*) from account"), 2);
}
END_TEST

static dbal_outcome
insert_third(dbal_connection *connection, void *arg)
{
    dbal_deferred *insert =
        dbal_connection_query(connection, "insert into account values (3, 'Cyd')", DBAL_NO_PARAMS);
    return arg == NULL ? dbal_wait(insert)
                       : dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "changed my mind"));
}

static dbal_outcome
leave_an_error(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "insert into account values (4, 'Dan')", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "insert into account values (1, 'Eve')", DBAL_NO_PARAMS);
    return dbal_done();
}

START_TEST(a_transaction_commits_or_not)
{
    open_filled(_i);
    bad(dbal_pool_transaction(pool, NULL, insert_third, &fixture), DBAL_ERROR_APPLICATION, "",
        DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(number("select count(*) from account"), 2);
    bad(dbal_pool_transaction(pool, NULL, leave_an_error, NULL), DBAL_ERROR_INTEGRITY, "23505",
        DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(number("select count(*) from account"), 2);
    good(dbal_pool_transaction(pool, NULL, insert_third, NULL));
    ck_assert_int_eq(number("select count(*) from account"), 3);
}
END_TEST

static dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    (void)in;
    (void)arg;
    return dbal_done();
}

static dbal_outcome
with_savepoint(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "insert into account values (5, 'Fay')", DBAL_NO_PARAMS);
    return dbal_wait(dbal_deferred_add_errback(
        dbal_connection_savepoint(connection, leave_an_error, NULL), swallow, NULL));
}

static dbal_outcome
savepoint_outside(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_savepoint(connection, with_savepoint, arg));
}

START_TEST(a_savepoint_is_undone_alone)
{
    open_filled(_i);
    good(dbal_pool_transaction(pool, NULL, with_savepoint, NULL));
    ck_assert_int_eq(number("select count(*) from account"), 3);
    ck_assert_int_eq(number("select count(*) from account where id = 4"), 0);
    bad(dbal_pool_session(pool, NULL, savepoint_outside, NULL), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
}
END_TEST

typedef struct reader {
    dbal_stream *stream;
    size_t rows;
    int pauses;
    size_t stop_at;
} reader;

static void
resume(void *arg)
{
    dbal_stream_resume(((reader *)arg)->stream);
}

static dbal_flow
take_rows(dbal_stream *stream, dbal_result *rows, void *arg)
{
    reader *self = arg;
    self->stream = stream;
    self->rows += dbal_result_row_count(rows);
    if (self->stop_at != 0 && self->rows >= self->stop_at)
        return DBAL_STOP;
    self->pauses++;
    ck_assert(dbal_loop_call(fixture.loop, resume, self));
    return DBAL_PAUSE;
}

START_TEST(a_stream_is_held_back_and_stopped)
{
    static const char sql[] = "with recursive n(i) as (select 1 union all select i + 1 from n "
                              "where i < 20000) select i from n";
    reader all = {.rows = 0}, some = {.stop_at = 1000};
    open_filled(_i);
    good(dbal_pool_stream(pool, DBAL_QUERY(.sql = sql), take_rows, &all));
    ck_assert_uint_eq(all.rows, 20000);
    ck_assert_int_gt(all.pauses, 10);
    good(dbal_pool_stream(pool, DBAL_QUERY(.sql = sql), take_rows, &some));
    ck_assert_uint_lt(some.rows, 20000);
    ck_assert_int_eq(number("select count(*) from account"), 2);
}
END_TEST

START_TEST(a_closed_pool_refuses)
{
    open_filled(_i);
    dbal_deferred *last =
        dbal_deferred_ref(dbal_pool_query(pool, "select count(*) from account", DBAL_NO_PARAMS));
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(pool));
    good(dbal_pool_close(pool));
    good(closed);
    good(last);
    bad(dbal_pool_query(pool, "select 1", DBAL_NO_PARAMS), DBAL_ERROR_CLOSED, "",
        DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(last);
    dbal_deferred_unref(closed);
}
END_TEST

static dbal_outcome
count_one(dbal_outcome in, void *arg)
{
    (void)in;
    ++*(int *)arg;
    return dbal_done();
}

START_TEST(freeing_the_loop_settles_everything)
{
    int settled = 0;
    open_filled(_i);
    for (int i = 0; i < 50; i++)
        dbal_deferred_add_both(
            dbal_pool_query(pool, i % 7 == 0 ? endless : "update account set name = name",
                            DBAL_NO_PARAMS),
            count_one, &settled);
    dbal_loop_free(fixture.loop);
    ck_assert_int_eq(settled, 50);
    fixture.loop = dbal_loop_new(fixture.ev);
}
END_TEST

typedef struct setting {
    const char *url, *needle;
} setting;

static const setting wrong[] = {
    {"nothing:x", "no driver"},
    {"sqlite:x?pool_max_size=0", "pool_max_size: 0 is out of range"},
    {"sqlite:x?pool_connect_timeout=0",
     "connect_timeout: 0 is out of range (0.001 to 1e+09, or off)"},
    {"sqlite:x?pool_query_timeout=0", "query_timeout: 0 is out of range (0.001 to 1e+09, or off)"},
    {"sqlite:x?pool_max_size=many", "not a value"},
    {"sqlite:x?pool_max_sizes=1", "known are: pool_acquire_timeout, pool_backoff,"},
    {"sqlite:x?pool_min_size=5&pool_max_size=2", "above"},
    {"sqlite:x?pool_idle_timeout=0.5", "idle_timeout: 0.5 is out of range (1 to 1e+09, or off)"},
    {"sqlite:x?pool_idle_timeout=soon", "not a value"},
    {"sqlite:x?pool_max_lifetime=0", "max_lifetime: 0 is out of range"},
    {"sqlite:x?pool_max_lifetime=1e99", "max_lifetime: 1e+99"},
    {"sqlite:x?pool_backoff=0.01", "backoff: 0.01 is out of range (0.1 to 1e+09)"},
    {"sqlite:x?pool_backoff=off", "not a value"},
    {"sqlite:x?pool_fail_fast=yes", "not a value for it: off, on are"},
    {"sqlite:x?pool_leak_after=0", "leak_after: 0 is out of range"},
    {"sqlite:x?pool_reset=always", "not a value for it: auto, full, none are"},
    {"sqlite:x?pool_reset=off", "not a value for it"},
    {"sqlite:x?pool_slow_query=0", "slow_query: 0 is out of range (0.001 to 1e+09, or off)"},
    {"sqlite:x?pool_slow_query=soon", "not a value"},
    {"sqlite:x?pool_slow_acquire=1e99", "slow_acquire: 1e+99"},
    {"sqlite:x?pool_histograms=yes", "not a value for it: off, on are"},
    {"sqlite:x?pool_name=", "pool_name: 1 to 63 bytes"},
    {"sqlite:x?pool_name=a%0Ab", "name: 1 to 63 bytes"},
    {"sqlite:x?pool_name=0123456789012345678901234567890123456789012345678901234567890123",
     "name: 1 to 63 bytes"},
    {"sqlite:x?pool_trace=on", ", pool_validate_after"},
    {"sqlite:x?pool_gate=loop", "native face"},
    {"sqlite::memory:?pool_gate=process", "gone with its process"},
    {"sqlite:x?nonsense=1", "nonsense"},
};

START_TEST(a_wrong_setting_is_named)
{
    dbal_error *error = NULL;
    ck_assert_ptr_null(dbal_pool_open(fixture.loop, wrong[_i].url, NULL, &error));
    ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
    ck_assert_msg(strstr(dbal_error_message(error), wrong[_i].needle) != NULL, "%s",
                  dbal_error_message(error));
    dbal_error_unref(error);
}
END_TEST

START_TEST(a_wrong_option_is_named)
{
    static const struct {
        dbal_pool_options options;
        const char *needle;
    } all[] = {
        {{.idle_timeout = 0.5}, "idle_timeout: 0.5"},
        {{.idle_timeout = -3}, "idle_timeout: -3"},
        {{.max_lifetime = NAN}, "max_lifetime: nan"},
        {{.max_lifetime = 0.9}, "max_lifetime: 0.9"},
        {{.backoff = DBAL_OFF}, "backoff: -1"},
        {{.backoff = INFINITY}, "backoff: inf"},
        {{.leak_after = 0.01}, "leak_after: 0.01"},
        {{.reset = (dbal_reset)3}, "reset: 3 is out of range"},
        {{.slow_query = NAN}, "slow_query: nan"},
        {{.slow_query = 0.0001}, "slow_query: 0.0001"},
        {{.slow_acquire = -2}, "slow_acquire: -2"},
        {{.slow_acquire = INFINITY}, "slow_acquire: inf"},
        {{.name = "\xff"}, "name: 1 to 63 bytes"},
        {{.min_size = -1}, "min_size: -1"},
        {{.min_size = 3, .max_size = 2}, "min_size 3"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        dbal_error *error = NULL;
        dbal_pool_options options = all[i].options;
        options.size = sizeof options;
        ck_assert_ptr_null(dbal_pool_open(fixture.loop, "sqlite:x", &options, &error));
        ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
        ck_assert_msg(strstr(dbal_error_message(error), all[i].needle) != NULL, "%s",
                      dbal_error_message(error));
        dbal_error_unref(error);
    }
}
END_TEST

START_TEST(a_setting_without_its_prefix_is_explained)
{
    static const char *const all[][2] = {
        {"sqlite:x?max_size=5", "max_size is a setting of the pool: in a URL it is pool_max_size"},
        {"sqlite:x?mode=ro&query_timeout=5",
         "query_timeout is a setting of the pool: in a URL it is pool_query_timeout"},
        {"postgresql://127.0.0.1/x?reset=none",
         "reset is a setting of the pool: in a URL it is pool_reset"},
        {"sqlite:x?max_sise=5", NULL},
        {"sqlite:x?mode=max_size", NULL},
        {"sqlite:x?max_size=5&pool_size=3", NULL}, /* that comes first */
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        dbal_error *error = NULL;
        ck_assert_ptr_null(dbal_pool_open(fixture.loop, all[i][0], NULL, &error));
        ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
        const char *hint = dbal_error_hint(error);
        ck_assert_msg((hint == NULL) == (all[i][1] == NULL), "%s", all[i][0]);
        if (hint != NULL)
            ck_assert_str_eq(hint, all[i][1]);
        dbal_error_unref(error);
    }
}
END_TEST

/* an application that was built with an older header gives and gets less */
START_TEST(options_and_counts_of_before)
{
    dbal_pool_options options = {
        .size = offsetof(dbal_pool_options, idle_timeout), .idle_timeout = 0.5, .fail_fast = true};
    dbal_pool_counts counts = {.size = offsetof(dbal_pool_counts, closed_idle), .closed_idle = 77};
    pool = dbal_pool_open(fixture.loop, "sqlite::memory:", &options, NULL);
    ck_assert_ptr_nonnull(pool);
    dbal_pool_stats(pool, &counts);
    ck_assert_uint_eq(counts.closed_idle, 77);
}
END_TEST

START_TEST(too_much_waiting_is_refused)
{
    char url[160];
    snprintf(url, sizeof url, "sqlite:%s/db?pool_max_waiting=3&pool_max_size=1", folder);
    pool = dbal_pool_open(fixture.loop, url, NULL, NULL);
    good(dbal_pool_ready(pool));
    dbal_deferred *running[5];
    int refused = 0;
    for (int i = 0; i < 5; i++)
        running[i] = dbal_deferred_ref(dbal_pool_query(pool, endless, DBAL_NO_PARAMS));
    for (int i = 0; i < 5; i++)
        dbal_deferred_cancel(running[i]);
    for (int i = 0; i < 5; i++) {
        dbal_outcome outcome = loop_fixture_await(&fixture, running[i]);
        refused += dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_QUEUE_FULL);
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(running[i]);
    }
    ck_assert_int_ge(refused, 1);
}
END_TEST

START_TEST(a_missing_file_is_an_outcome)
{
    char url[160];
    snprintf(url, sizeof url, "sqlite:%s/none?mode=ro", folder);
    pool = dbal_pool_open(fixture.loop, url, NULL, NULL);
    ck_assert_ptr_nonnull(pool);
    bad(dbal_pool_query(pool, "select 1", DBAL_NO_PARAMS), DBAL_ERROR_OPERATIONAL, "08001",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_ready(pool), DBAL_ERROR_OPERATIONAL, "08001", DBAL_EXECUTION_NOT_SENT);
}
END_TEST

static void
add(Suite *suite, const TTest *test, int count)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, make_folder, remove_folder);
    tcase_add_loop_test(one, test, 0, count);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("pool");
    add(suite, a_large_result_is_not_freed_by_the_loop, TARGETS);
    add(suite, parameters_by_number_and_name, TARGETS);
    add(suite, a_statement_of_a_session_is_refused, TARGETS);
    add(suite, an_error_says_what_it_is, TARGETS);
    add(suite, cancel_and_deadline_of_what_runs, TARGETS);
    add(suite, cancel_of_what_waits, TARGETS);
    add(suite, a_transaction_commits_or_not, TARGETS);
    add(suite, a_savepoint_is_undone_alone, TARGETS);
    add(suite, a_stream_is_held_back_and_stopped, TARGETS);
    add(suite, a_closed_pool_refuses, TARGETS);
    add(suite, freeing_the_loop_settles_everything, TARGETS);
    add(suite, a_wrong_setting_is_named, (int)(sizeof wrong / sizeof wrong[0]));
    add(suite, a_wrong_option_is_named, 1);
    add(suite, a_setting_without_its_prefix_is_explained, 1);
    add(suite, options_and_counts_of_before, 1);
    add(suite, too_much_waiting_is_refused, 1);
    add(suite, a_missing_file_is_an_outcome, 1);
    return suite_run(suite);
}
