/* Deadlines that the server knows of, limits of its own, and what a session must not leave behind. */
#include "session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/mariadb/time_limit.h"
#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_max_size=1");
    RUN("create table t(id int primary key, n int)");
    RUN("insert into t values (1, 0)");
}

/* A pool of one connection of a user's who has that limit. */
static void
be(const char *limit)
{
    char sql[160], url[300];
    snprintf(sql, sizeof sql, "create or replace user limited@127.0.0.1 with %s", limit);
    mariadb_run(&server, NULL, sql);
    snprintf(sql, sizeof sql, "grant all on %s.* to limited@127.0.0.1", place.name);
    mariadb_run(&server, NULL, sql);
    snprintf(url, sizeof url, "mariadb://limited@%s?pool_max_size=1&pool_cancel_timeout=20",
             strstr(place.url, "127.0.0.1"));
    pool = session_open_url(url);
}

static void
after(void)
{
    session_end();
    mariadb_run(&server, NULL, "drop user if exists limited@127.0.0.1");
    mariadb_run(&server, NULL, "drop role if exists boss");
}

static double
seconds_of(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    double seconds = strtod(dbal_result_text(dbal_outcome_result(outcome), 0, 0), NULL);
    dbal_outcome_clear(&outcome);
    return seconds;
}

/* What is in force for one with that timeout; negative: without. */
static double
in_force(double timeout)
{
    return seconds_of(
        dbal_pool_run(pool, DBAL_QUERY(.sql = "select @@max_statement_time", .timeout = timeout)));
}

#define IS(value, expected)                                                                        \
    do {                                                                                           \
        double is = (value);                                                                       \
        ck_assert_msg(fabs(is - (expected)) < 1e-6, "%f", is);                                     \
    } while (0)

START_TEST(what_is_left_is_in_force)
{
    IS(in_force(-1), 0);
    IS(in_force(10), 16.384);
    IS(in_force(6), 16.384);
    IS(in_force(2), 2.048);
    IS(in_force(-1), 0);
    IS(in_force(0.45), 0.512);
    IS(in_force(-1), 0);
    IS(in_force(1e7), 0);
}
END_TEST

static int64_t
set_so_far(double timeout)
{
    return (int64_t)seconds_of(dbal_pool_run(
        pool, DBAL_QUERY(.sql = "select variable_value from information_schema.session_status "
                                "where variable_name = 'com_set_option'",
                         .timeout = timeout)));
}

START_TEST(timeouts_that_are_alike_cost_nothing)
{
    int64_t first = set_so_far(10);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(set_so_far(6 + i), first);
    ck_assert_int_eq(set_so_far(-1), first + 1);
    ck_assert_int_eq(set_so_far(-1), first + 1);
}
END_TEST

START_TEST(an_accounts_own_limit_is_never_exceeded)
{
    be("max_statement_time 3.5");
    for (int i = 0; i < 2; i++) {
        IS(in_force(-1), 3.5);
        IS(in_force(10), 3.5);
        IS(in_force(0.45), 0.512);
        IS(in_force(-1), 3.5);
    }
}
END_TEST

static dbal_outcome
leave_something(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_query(connection, arg, DBAL_NO_PARAMS));
}

/* The server forgets it when the session is made as new. */
START_TEST(an_accounts_own_limit_outlives_a_session)
{
    be("max_statement_time 1.5");
    int64_t connection = run_number("select connection_id()");
    ends_well(dbal_pool_session(pool, NULL, leave_something, (void *)"set time_zone = '+01:00'"));
    ck_assert_int_eq(run_number("select @@time_zone = '+00:00'"), 1);
    IS(in_force(-1), 1.5);
    IS(in_force(10), 1.5);
    ck_assert_int_eq(run_number("select connection_id()"), connection);
}
END_TEST

/* No KILL can come: he may have no second connection. */
START_TEST(the_server_ends_what_no_kill_reaches)
{
    be("max_user_connections 1");
    int64_t connection = run_number("select connection_id()");
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_run(pool, DBAL_QUERY(.sql = "select max(md5(seq)) from "
                                                        "seq_1_to_1000000000",
                                                 .timeout = 0.45)));
    ck_assert_int_eq(dbal_error_execution(dbal_outcome_error(outcome)), DBAL_EXECUTION_FAILED);
    ck_assert(!dbal_error_connection_lost(dbal_outcome_error(outcome)));
    outcome_is(outcome, DBAL_ERROR_TIMEOUT, "57014");
    ck_assert_int_eq(run_number("select connection_id()"), connection);
}
END_TEST

START_TEST(a_limit_of_its_own_stays_what_it_is)
{
    pool = session_open("max_statement_time=1&pool_max_size=1");
    ends_badly(dbal_pool_run(pool, DBAL_QUERY(.sql = "select max(md5(seq)) from "
                                                     "seq_1_to_1000000000",
                                              .timeout = 60)),
               DBAL_ERROR_OPERATIONAL, "57014");
    IS(in_force(60), 1);
}
END_TEST

static dbal_outcome
ask_count(dbal_outcome in, void *connection)
{
    ck_assert_int_eq(in.kind, DBAL_OUTCOME_VALUE);
    return dbal_wait(
        dbal_connection_run(connection, DBAL_QUERY(.sql = "select row_count()", .timeout = 60)));
}

static dbal_outcome
insert_and_ask_count(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_deferred_add_callback(
        dbal_connection_run(
            connection,
            DBAL_QUERY(.sql = "insert into t values (11, 1), (12, 2), (13, 3)", .timeout = 600)),
        ask_count, connection));
}

/* A limit that was set in between would make it 0. */
START_TEST(a_count_of_rows_outlives_a_limit)
{
    IS(seconds_of(dbal_pool_session(pool, NULL, insert_and_ask_count, NULL)), 3);
}
END_TEST

static dbal_outcome
ask_again(dbal_outcome in, void *connection)
{
    (void)in;
    return dbal_wait(dbal_connection_run(
        connection, DBAL_QUERY(.sql = "select @@max_statement_time", .timeout = 5)));
}

static dbal_outcome
set_its_own(dbal_connection *connection, void *arg)
{
    dbal_connection_run(connection, DBAL_QUERY(.sql = "select 1", .timeout = 5));
    return dbal_wait(dbal_deferred_add_callback(
        dbal_connection_query(connection, arg, DBAL_NO_PARAMS), ask_again, connection));
}

START_TEST(what_a_session_has_set_is_left_alone)
{
    IS(seconds_of(dbal_pool_session(pool, NULL, set_its_own, (void *)"set max_statement_time = 7")),
       7);
    IS(in_force(-1), 0);
    /* and what it finds is the session's own */
    IS(seconds_of(dbal_pool_session(
           pool, NULL, set_its_own,
           (void *)"set @@session.max_statement_time = @@max_statement_time + 3")),
       3);
    IS(in_force(6), 8.192);
}
END_TEST

/* ---- COMMIT --------------------------------------------------------------------------------------- */

typedef struct held {
    MYSQL *other;
    const char *then;
} held;

static dbal_outcome
hold_commits(dbal_outcome in, void *arg)
{
    held *self = arg;
    (void)in;
    ck_assert_int_eq(mysql_query(self->other, "backup stage start"), 0);
    ck_assert_int_eq(mysql_query(self->other, "backup stage block_commit"), 0);
    return dbal_done();
}

static dbal_outcome
update_in_time(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_deferred_add_callback(
        dbal_connection_run(connection, DBAL_QUERY(.sql = "update t set n = 1", .timeout = 0.45)),
        hold_commits, arg));
}

/* For longer than the limit that the transaction's statements had. */
static bool
has_waited(void *arg)
{
    (void)arg;
    return mariadb_number(&server, NULL,
                          "select count(*) from information_schema.processlist where info like "
                          "'%commit' and info not like '%processlist%' and time_ms > 900") == 1;
}

START_TEST(a_commit_is_not_ended)
{
    held self = {.other = mariadb_log_in(&server, NULL)};
    dbal_deferred *work =
        dbal_deferred_ref(dbal_pool_transaction(pool, NULL, update_in_time, &self));
    loop_fixture_until(&fixture, has_waited, NULL);
    mysql_close(self.other);
    ends_well(work);
    dbal_deferred_unref(work);
    ck_assert_int_eq(run_number("select n from t"), 1);
    IS(in_force(-1), 0);
}
END_TEST

/* ---- its steps, by themselves ---- */

static int
wanted(const dbal__mariadb_time_limit *limit, int64_t milliseconds)
{
    int value = -1;
    int64_t deadline = milliseconds < 0 ? INT64_MAX : milliseconds * 1000000;
    return dbal__mariadb_time_limit_wants(limit, 0, deadline, &value) ? value : -1;
}

START_TEST(it_is_never_below_the_rest_and_never_above_the_sessions_own)
{
    static const char *const bases[] = {"0.000000", "1.500000", "0.000200", "86400.000000"};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        dbal__mariadb_time_limit limit = {.known = false};
        dbal__mariadb_time_limit_learn(&limit, bases[i]);
        ck_assert(limit.known);
        for (int64_t rest = 1; rest < 100000000; rest = rest * 3 / 2 + 1) {
            int value = wanted(&limit, rest);
            if (value >= 0)
                dbal__mariadb_time_limit_set(&limit, value, true);
            int64_t is = limit.present != 0 ? limit.present : limit.base;
            ck_assert(is == 0 || is == limit.base || is >= rest);
            ck_assert(limit.base == 0 || is <= limit.base);
            ck_assert(limit.base != 0 || (is != 0 && is <= 512 + 5 * rest));
        }
    }
}
END_TEST

START_TEST(what_nobody_knows_is_set_again)
{
    dbal__mariadb_time_limit limit = {.known = false};
    char text[DBAL__MARIADB_TIME_TEXT];
    ck_assert_int_eq(wanted(&limit, 100), -1);
    dbal__mariadb_time_limit_learn(&limit, "unlimited");
    ck_assert_int_eq(wanted(&limit, 100), -1);
    dbal__mariadb_time_limit_learn(&limit, "2.500000");
    dbal__mariadb_time_limit_set(&limit, wanted(&limit, 100), true);
    ck_assert_int_eq(wanted(&limit, 100), -1);
    dbal__mariadb_time_limit_set(&limit, 0, false);
    ck_assert_int_eq(wanted(&limit, 100), 512);
    ck_assert_int_eq(wanted(&limit, -1), 0);
    ck_assert(
        dbal__mariadb_time_limit_exempt(&limit, DBAL__MARIADB_COMMITS, "commit and chain", text));
    ck_assert_str_eq(text, "set statement max_statement_time = 2.500000 for commit and chain");
    ck_assert(!dbal__mariadb_time_limit_exempt(&limit, DBAL__MARIADB_PLAIN, "select 1", text));
    dbal__mariadb_time_limit_renew(&limit);
    ck_assert_int_eq(wanted(&limit, -1), -1);
}
END_TEST

/* ---- what a session must not leave behind, and what must not get lost --------------------------- */

START_TEST(a_role_ends_with_its_session)
{
    mariadb_run(&server, NULL, "create or replace role boss");
    mariadb_run(&server, NULL, "grant boss to root@127.0.0.1");
    static const char *const ways[] = {"set role boss", "set @mine = 1, role boss"};
    for (size_t i = 0; i < 2; i++) {
        dbal_outcome outcome = loop_fixture_await(
            &fixture, dbal_pool_session(pool, NULL, leave_something, (void *)(uintptr_t)ways[i]));
        dbal_outcome_clear(&outcome); /* the second may be no syntax */
        ck_assert_int_eq(run_number("select current_role() is null"), 1);
    }
}
END_TEST

START_TEST(what_is_too_much_at_once_costs_no_connection)
{
    size_t size = (size_t)24 << 20;
    char *much = calloc(1, size);
    ck_assert_ptr_nonnull(much);
    int64_t connection = run_number("select connection_id()");
    dbal_outcome outcome = run("select length($1)", DBAL_PARAMS(dbal_blob(much, size)));
    ck_assert_ptr_nonnull(dbal_outcome_error(outcome));
    ck_assert(!dbal_error_connection_lost(dbal_outcome_error(outcome)));
    outcome_is(outcome, DBAL_ERROR_DATA, "54000");
    ck_assert_int_eq(run_number("select connection_id()"), connection);
    outcome = run("select length($1)", DBAL_PARAMS(dbal_blob(much, size / 2)));
    ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), (int64_t)size / 2);
    dbal_outcome_clear(&outcome);
    free(much);
}
END_TEST

void
add_limits(Suite *suite)
{
    suite_add(suite, what_is_left_is_in_force, before, after);
    suite_add(suite, timeouts_that_are_alike_cost_nothing, before, after);
    suite_add(suite, an_accounts_own_limit_is_never_exceeded, before, after);
    suite_add(suite, an_accounts_own_limit_outlives_a_session, before, after);
    suite_add(suite, the_server_ends_what_no_kill_reaches, before, after);
    suite_add(suite, a_limit_of_its_own_stays_what_it_is, before, after);
    suite_add(suite, what_a_session_has_set_is_left_alone, before, after);
    suite_add(suite, a_commit_is_not_ended, before, after);
    suite_add(suite, a_count_of_rows_outlives_a_limit, before, after);
    suite_add(suite, it_is_never_below_the_rest_and_never_above_the_sessions_own, NULL, NULL);
    suite_add(suite, what_nobody_knows_is_set_again, NULL, NULL);
    suite_add(suite, a_role_ends_with_its_session, before, after);
    suite_add(suite, what_is_too_much_at_once_costs_no_connection, before, after);
}
