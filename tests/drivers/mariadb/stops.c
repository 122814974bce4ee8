/* Cancels and deadlines, and what a KILL of somebody else's does. */
#include "session.h"

#include <stdio.h>

#include "tests/lib/chance.h"
#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_max_size=1");
    RUN("create table t(id int primary key, n int)");
    RUN("insert into t values (1, 0)");
    RUN("create sequence told");
}

static bool
is_running(void *arg)
{
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    (void)arg;
    dbal_pool_stats(pool, &counts);
    return counts.running > 0;
}

static bool
at_server(void *arg)
{
    return mariadb_number(&server, NULL,
                          "select count(*) from information_schema.processlist where info like "
                          "'%sleep(100%' and info not like '%processlist%'") == (arg != NULL);
}

/* Cancelled, done, or never sent: nothing else. */
static void
check_victim(dbal_deferred *victim)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, victim);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(error == NULL || dbal_error_is(error, DBAL_ERROR_CANCELLED), "%s %s",
                  dbal_error_sqlstate(error), dbal_error_message(error));
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(victim);
}

/* What is asked so that the cancel comes at all times: before it is sent, in it, behind it. */
static dbal_deferred *
victim_of(chance *random)
{
    static const char *const sql[] = {"select 1", "select seq from seq_1_to_3000",
                                      "select benchmark(20000, md5('x'))", "update t set n = n + 1",
                                      "select sleep(100)"};
    unsigned which = chance_below(random, sizeof sql / sizeof sql[0]);
    dbal_deferred *victim = dbal_deferred_ref(dbal_pool_query(pool, sql[which], DBAL_NO_PARAMS));
    if (which == 4)
        loop_fixture_until(&fixture, is_running, NULL);
    for (unsigned turns = chance_below(random, 40); turns > 0; turns--)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    return victim;
}

START_TEST(a_thousand_cancels_never_hit_the_next)
{
    chance random;
    chance_init(&random);
    int64_t connection = run_number("select connection_id()");
    for (int i = 0; i < 1000; i++) {
        dbal_deferred *victim = victim_of(&random);
        dbal_deferred_cancel(victim);
        /* a sleep would show a KILL that came late, by a 1 or by its failure */
        dbal_outcome outcome = run("select sleep(0.001) + $1", DBAL_PARAMS(dbal_int64(i)));
        ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%d: %s", i,
                      dbal_error_message(dbal_outcome_error(outcome)));
        ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), i);
        dbal_outcome_clear(&outcome);
        check_victim(victim);
    }
    /* and all that on one connection */
    ck_assert_int_eq(run_number("select connection_id()"), connection);
}
END_TEST

START_TEST(what_was_cancelled_has_ended_at_the_server)
{
    dbal_deferred *victim =
        dbal_deferred_ref(dbal_pool_query(pool, "select sleep(100)", DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, at_server, &fixture);
    dbal_deferred_cancel(victim);
    check_victim(victim);
    ck_assert(at_server(NULL));
}
END_TEST

/* Its number might be somebody else's there: it is not killed, but left to itself, by its thread too. */
START_TEST(no_kill_reaches_another_server)
{
    pool = session_open("pool_max_size=1&pool_cancel_timeout=60");
    dbal_deferred *victim =
        dbal_deferred_ref(dbal_pool_query(pool, "select sleep(100)", DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, at_server, &fixture);
    /* as if the second connection came to another one */
    mariadb_run(&server, NULL, "set global server_id = 77");
    dbal_deferred_cancel(victim);
    dbal_outcome outcome = loop_fixture_await(&fixture, victim);
    mariadb_run(&server, NULL, "set global server_id = 1");
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(victim);
    ck_assert_int_eq(run_number("select 1"), 1);
}
END_TEST

START_TEST(a_stream_that_is_given_up_ends_at_the_server)
{
    dbal_pool *small = session_open("pool_max_size=1&pool_max_result_bytes=64k");
    ends_badly(dbal_pool_query(small, "select seq from seq_1_to_1000000000", DBAL_NO_PARAMS),
               DBAL_ERROR_DATA, "54000");
    ends_well(dbal_pool_query(small, "select 1", DBAL_NO_PARAMS));
    ck_assert_int_eq(mariadb_number(&server, NULL,
                                    "select count(*) from information_schema.processlist where "
                                    "info like '%seq_1_to_1000000000%' and info not like "
                                    "'%processlist%'"),
                     0);
}
END_TEST

/* The row that is too much has cells that had to be given more memory. */
START_TEST(long_cells_that_are_given_up_are_read_over)
{
    dbal_pool *small = session_open("pool_max_size=1&pool_max_result_bytes=64k");
    for (int i = 0; i < 2; i++)
        ends_badly(dbal_pool_query(small,
                                   "select repeat('x', 100000 + seq), repeat('y', 1000 + seq) from "
                                   "seq_1_to_100",
                                   DBAL_NO_PARAMS),
                   DBAL_ERROR_DATA, "54000");
    ends_well(dbal_pool_query(small, "select 1", DBAL_NO_PARAMS));
}
END_TEST

static dbal_flow
want_no_more(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream, (void)rows, (void)arg;
    return DBAL_STOP;
}

START_TEST(what_fails_behind_the_rows_that_were_wanted_has_failed)
{
    static const char sql[] = "insert into t select if(seq = 100000, 1, seq + 1), 0 from "
                              "seq_1_to_100000 returning id";
    ends_badly(dbal_pool_stream(pool, DBAL_QUERY(.sql = sql), want_no_more, NULL),
               DBAL_ERROR_INTEGRITY, "23505");
    ck_assert_int_eq(run_number("select count(*) from t"), 1);
}
END_TEST

START_TEST(a_deadline_ends_a_wait_for_a_lock)
{
    MYSQL *other = mariadb_log_in(&server, place.name);
    mysql_query(other, "begin");
    mysql_query(other, "update t set n = 7");
    ends_badly(dbal_pool_run(pool, DBAL_QUERY(.sql = "update t set n = 8", .timeout = 0.1)),
               DBAL_ERROR_TIMEOUT, "57014");
    mysql_query(other, "rollback");
    ck_assert_int_eq(run_number("select n from t"), 0);
    mysql_close(other);
}
END_TEST

START_TEST(a_wait_for_a_lock_ends_by_itself)
{
    MYSQL *other = mariadb_log_in(&server, place.name);
    pool = session_open("innodb_lock_wait_timeout=1");
    mysql_query(other, "begin");
    mysql_query(other, "update t set n = 7");
    dbal_outcome outcome = run("update t set n = 8", DBAL_NO_PARAMS);
    ck_assert(dbal_error_retryable(dbal_outcome_error(outcome)));
    outcome_is(outcome, DBAL_ERROR_OPERATIONAL, "55P03");
    mysql_close(other);
}
END_TEST

START_TEST(the_servers_own_limit)
{
    pool = session_open("max_statement_time=1");
    /* a sleep it would just cut short */
    run_fails("select max(md5(seq)) from seq_1_to_1000000000", DBAL_ERROR_OPERATIONAL, "57014");
}
END_TEST

/* By somebody else. */
/* A kill that comes before it has begun, as while it is prepared, is forgotten. */
static bool
sleeps(void *arg)
{
    (void)arg;
    return mariadb_number(&server, NULL,
                          "select count(*) from information_schema.processlist where info like "
                          "'%sleep(100%' and state = 'User sleep'") == 1;
}

static void
kill_with(const char *how)
{
    char sql[64];
    snprintf(sql, sizeof sql, "kill %s %lld", how,
             (long long)mariadb_number(&server, NULL,
                                       "select id from information_schema.processlist where info "
                                       "like '%sleep(100%' and info not like '%processlist%'"));
    mariadb_run(&server, NULL, sql);
}

START_TEST(killed_by_an_administrator)
{
    dbal_deferred *victim =
        dbal_deferred_ref(dbal_pool_query(pool, "select sleep(100)", DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, sleeps, NULL);
    kill_with("query");
    ends_badly(victim, DBAL_ERROR_OPERATIONAL, "57014");
    dbal_deferred_unref(victim);
    ck_assert_int_eq(run_number("select 1"), 1);
}
END_TEST

START_TEST(a_connection_killed_by_an_administrator)
{
    dbal_deferred *victim =
        dbal_deferred_ref(dbal_pool_query(pool, "select sleep(100)", DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, sleeps, NULL);
    kill_with("connection");
    dbal_outcome outcome = loop_fixture_await(&fixture, victim);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert(dbal_error_connection_lost(error));
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(victim);
    ck_assert_int_eq(run_number("select 1"), 1);
}
END_TEST

void
add_stops(Suite *suite)
{
    suite_add(suite, a_thousand_cancels_never_hit_the_next, before, session_end);
    suite_add(suite, what_was_cancelled_has_ended_at_the_server, before, session_end);
    suite_add(suite, no_kill_reaches_another_server, before, session_end);
    suite_add(suite, a_stream_that_is_given_up_ends_at_the_server, before, session_end);
    suite_add(suite, long_cells_that_are_given_up_are_read_over, before, session_end);
    suite_add(suite, what_fails_behind_the_rows_that_were_wanted_has_failed, before, session_end);
    suite_add(suite, a_deadline_ends_a_wait_for_a_lock, before, session_end);
    suite_add(suite, a_wait_for_a_lock_ends_by_itself, before, session_end);
    suite_add(suite, the_servers_own_limit, before, session_end);
    suite_add(suite, killed_by_an_administrator, before, session_end);
    suite_add(suite, a_connection_killed_by_an_administrator, before, session_end);
}
