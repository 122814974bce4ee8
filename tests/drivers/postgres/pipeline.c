/* What is sent, in which segments, and what a statement's end is. */
#include <stdio.h>
#include <string.h>

#include "session.h"
#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_max_size=1");
    RUN("create table t (id integer primary key deferrable initially deferred, n integer not "
        "null)");
}

static void
before_many(void)
{
    session_begin("");
    RUN("create table t (id integer primary key, n integer not null)");
}

static void
after(void)
{
    session_end();
}

/* what a list of Deferreds has come to */
typedef struct count {
    int ok, failed, aborted;
} count;

static dbal_outcome
counted(dbal_outcome in, void *arg)
{
    count *to = arg;
    dbal_error *error = dbal_outcome_error(in);
    to->ok += error == NULL;
    to->failed += error != NULL && strcmp(dbal_error_sqlstate(error), "25P02") != 0;
    to->aborted += error != NULL && strcmp(dbal_error_sqlstate(error), "25P02") == 0;
    return dbal_done();
}

/* INSERT 0 1, and then the commit that comes with its Sync fails */
START_TEST(an_insert_ends_at_its_sync)
{
    RUN("insert into t values (1, 1)");
    run_fails("insert into t values (1, 2)", DBAL_ERROR_INTEGRITY, "23505");
    ck_assert_int_eq(run_number("select count(*) from t"), 1);
    ck_assert_int_eq(run_number("select n from t"), 1);
}
END_TEST

START_TEST(independent_statements_stay_so)
{
    dbal_deferred *three[] = {
        dbal_pool_query(pool, "insert into t values (1, 1)", DBAL_NO_PARAMS),
        dbal_pool_query(pool, "insert into t values (2, null)", DBAL_NO_PARAMS),
        dbal_pool_query(pool, "insert into t values (3, 3)", DBAL_NO_PARAMS),
    };
    dbal_outcome all =
        loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_ALL, 3, three));
    ck_assert_int_eq(dbal_outcome_at(all, 0).kind, DBAL_OUTCOME_VALUE);
    ck_assert_int_eq(dbal_outcome_at(all, 1).kind, DBAL_OUTCOME_ERROR);
    ck_assert_str_eq(dbal_error_sqlstate(dbal_outcome_error(dbal_outcome_at(all, 1))), "23502");
    ck_assert_int_eq(dbal_outcome_at(all, 2).kind, DBAL_OUTCOME_VALUE);
    dbal_outcome_clear(&all);
    ck_assert_int_eq(run_number("select count(*) from t"), 2);
}
END_TEST

/* ---- prepared statements ---- */

START_TEST(prepared_at_the_second_use)
{
    const char *sql = "select n + $1 from t where id = 1";
    const char *prepared = "select count(*) from pg_prepared_statements where statement like "
                           "'select n + $1%'";
    RUN("insert into t values (1, 1)");
    run_ok(sql, DBAL_PARAMS(dbal_int64(1)));
    ck_assert_int_eq(run_number(prepared), 0);
    run_ok(sql, DBAL_PARAMS(dbal_int64(1)));
    ck_assert_int_eq(run_number(prepared), 1);
    for (int i = 0; i < 10; i++)
        run_ok(sql, DBAL_PARAMS(dbal_int64(i)));
    ck_assert_int_eq(run_number(prepared), 1);
    /* another type of parameter is another statement */
    run_ok(sql, DBAL_PARAMS(dbal_double(1)));
    run_ok(sql, DBAL_PARAMS(dbal_double(1)));
    ck_assert_int_eq(run_number(prepared), 2);
}
END_TEST

static void
prepare_after(int after, const char *gate)
{
    const char *prepared = "select count(*) from pg_prepared_statements where statement like "
                           "'select 40 + $1%'";
    char settings[80];
    snprintf(settings, sizeof settings, "pool_max_size=1&pool_prepare_after=%d&pool_gate=%s", after,
             gate);
    session_begin(settings);
    for (int use = 1; use <= 4; use++) {
        run_ok("select 40 + $1", DBAL_PARAMS(dbal_int64(2)));
        ck_assert_int_eq(run_number(prepared), use >= after);
    }
}

START_TEST(prepared_at_the_use_that_is_set)
{
    for (int after = 1; after <= 3; after++) {
        session_end();
        prepare_after(after, "loop");
        session_end();
        prepare_after(after, "thread");
    }
}
END_TEST

START_TEST(many_texts_stay_within_the_cache)
{
    char sql[64];
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 40; i++) {
            snprintf(sql, sizeof sql, "select %d + $1", i % 20);
            dbal_outcome outcome = run(sql, DBAL_PARAMS(dbal_int64(round)));
            ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), i % 20 + round);
            dbal_outcome_clear(&outcome);
            outcome = run(sql, DBAL_PARAMS(dbal_int64(round)));
            ck_assert_ptr_nonnull(dbal_outcome_result(outcome));
            dbal_outcome_clear(&outcome);
        }
    }
    ck_assert_int_le(run_number("select count(*) from pg_prepared_statements"), 10);
    ck_assert_int_gt(run_number("select count(*) from pg_prepared_statements"), 0);
}
END_TEST

static void
before_small_cache(void)
{
    session_begin("pool_max_size=1&pool_statement_cache=10");
}

static void
before_no_cache(void)
{
    session_begin("pool_max_size=1&pool_statement_cache=0");
    RUN("create table t (id integer primary key, n integer not null)");
}

START_TEST(no_cache_no_prepared_statements)
{
    for (int i = 0; i < 5; i++)
        run_ok("insert into t values ($1, 1)", DBAL_PARAMS(dbal_int64(i)));
    ck_assert_int_eq(run_number("select count(*) from pg_prepared_statements"), 0);
}
END_TEST

/* somebody changes a table that a prepared statement gives rows of */
START_TEST(ddl_by_somebody_else_is_not_seen)
{
    dbal_pool *other = session_open("pool_max_size=1");
    RUN("insert into t values (1, 1)");
    for (int i = 0; i < 4; i++)
        RUN("select * from t");
    ends_well(dbal_pool_query(other, "alter table t add m text default 'new'", DBAL_NO_PARAMS));
    dbal_outcome outcome = run("select * from t", DBAL_NO_PARAMS);
    ck_assert_int_eq(outcome.kind, DBAL_OUTCOME_VALUE);
    ck_assert_uint_eq(dbal_result_column_count(dbal_outcome_result(outcome)), 3);
    ck_assert_str_eq(dbal_result_text(dbal_outcome_result(outcome), 0, 2), "new");
    dbal_outcome_clear(&outcome);
    ends_well(dbal_pool_query(other, "alter table t alter n type text", DBAL_NO_PARAMS));
    outcome = run("select * from t", DBAL_NO_PARAMS);
    ck_assert_int_eq(outcome.kind, DBAL_OUTCOME_VALUE);
    ck_assert_int_eq(dbal_result_column_type(dbal_outcome_result(outcome), 1), DBAL_TEXT);
    dbal_outcome_clear(&outcome);
}
END_TEST

static dbal_outcome
discard(dbal_connection *connection, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        dbal_connection_query(connection, "select n from t", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "deallocate all", DBAL_NO_PARAMS);
    for (int i = 0; i < 3; i++)
        dbal_connection_query(connection, "select n from t", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "discard all", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, "select 1", DBAL_NO_PARAMS));
}

START_TEST(statements_that_a_session_discards)
{
    ends_well(dbal_pool_session(pool, NULL, discard, NULL));
    RUN("select 1");
}
END_TEST

static dbal_outcome
alter_and_read(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "alter table t add m text default 'new'", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "insert into t values (2, 2)", DBAL_NO_PARAMS);
    dbal_deferred *rows = dbal_connection_query(connection, "select * from t", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "delete from t", DBAL_NO_PARAMS);
    return dbal_wait(rows);
}

/* in a session nothing can be sent once more: it would come behind what was given after it */
START_TEST(ddl_of_a_session_is_seen_by_what_follows)
{
    RUN("insert into t values (1, 1)");
    for (int i = 0; i < 4; i++)
        RUN("select * from t");
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, alter_and_read, NULL));
    dbal_result *result = dbal_outcome_result(outcome);
    ck_assert_msg(result != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_uint_eq(dbal_result_row_count(result), 2);
    ck_assert_uint_eq(dbal_result_column_count(result), 3);
    dbal_outcome_clear(&outcome);
    for (int i = 0; i < 4; i++)
        RUN("select 1");
    /* what was kept before is closed */
    ck_assert_int_le(run_number("select count(*) from pg_prepared_statements"), 1);
}
END_TEST

/* ---- transactions ---- */

static dbal_outcome
hundred_inserts(dbal_connection *connection, void *arg)
{
    count *to = arg;
    for (int i = 0; i < 100; i++)
        dbal_deferred_add_both(dbal_connection_query(connection, "insert into t values ($1, $1)",
                                                     DBAL_PARAMS(dbal_int64(i))),
                               counted, to);
    return dbal_done();
}

START_TEST(statements_of_one_turn_share_a_sync)
{
    count to = {0};
    ends_well(dbal_pool_transaction(pool, NULL, hundred_inserts, &to));
    ck_assert_int_eq(to.ok, 100);
    ck_assert_int_eq(run_number("select count(*) from t"), 100);
}
END_TEST

static dbal_outcome
one_fails(dbal_connection *connection, void *arg)
{
    count *to = arg;
    for (int i = 0; i < 50; i++)
        dbal_deferred_add_both(
            dbal_connection_query(
                connection, "insert into t values ($1, $2)",
                DBAL_PARAMS(dbal_int64(i), i == 20 ? dbal_null() : dbal_int64(1))),
            counted, to);
    return dbal_done();
}

START_TEST(those_behind_a_failure_are_not_executed)
{
    count to = {0};
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_transaction(pool, NULL, one_fails, &to));
    /* its errors were handled, so it is the COMMIT that cannot be had */
    ck_assert_ptr_nonnull(dbal_outcome_error(outcome));
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(to.ok, 20);
    ck_assert_int_eq(to.failed, 1);
    ck_assert_int_eq(to.aborted, 29);
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
    RUN("insert into t values (1, 1)");
}
END_TEST

/* one savepoint after the other */
typedef struct savepoints {
    dbal_connection *connection;
    int count, failed;
} savepoints;

static dbal_outcome
fails_inside(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(
        dbal_connection_query(connection, "insert into t values (7, null)", DBAL_NO_PARAMS));
}

static dbal_outcome
next_savepoint(dbal_outcome in, void *arg)
{
    savepoints *left = arg;
    dbal_error *error = dbal_outcome_error(in);
    left->failed += error != NULL && strcmp(dbal_error_sqlstate(error), "23502") == 0;
    if (left->count-- == 0)
        return dbal_done();
    dbal_connection_query(left->connection, "insert into t values ($1, 1)",
                          DBAL_PARAMS(dbal_int64(left->count)));
    return dbal_wait(dbal_deferred_add_both(
        dbal_connection_savepoint(left->connection, fails_inside, NULL), next_savepoint, left));
}

static dbal_outcome
with_savepoints(dbal_connection *connection, void *arg)
{
    savepoints *left = arg;
    left->connection = connection;
    return next_savepoint(dbal_done(), left);
}

START_TEST(savepoints_undo_their_own)
{
    savepoints left = {.count = 6};
    ends_well(dbal_pool_transaction(pool, NULL, with_savepoints, &left));
    ck_assert_int_eq(left.failed, 6);
    ck_assert_int_eq(run_number("select count(*) from t"), 6);
}
END_TEST

static dbal_outcome
commit_what_failed(dbal_connection *connection, void *arg)
{
    static count ignored; /* for longer than this call */
    (void)arg;
    dbal_connection_query(connection, "begin", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "insert into t values (1, 1)", DBAL_NO_PARAMS);
    dbal_deferred_add_both(
        dbal_connection_query(connection, "insert into t values (2, null)", DBAL_NO_PARAMS),
        counted, &ignored);
    return dbal_wait(dbal_connection_query(connection, "commit", DBAL_NO_PARAMS));
}

START_TEST(a_commit_that_rolls_back_is_an_error)
{
    ends_badly(dbal_pool_session(pool, NULL, commit_what_failed, NULL), DBAL_ERROR_INTERNAL,
               "25P02");
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
}
END_TEST

static dbal_outcome
deferred_violation(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "insert into t values (1, 1)", DBAL_NO_PARAMS);
    return dbal_wait(
        dbal_connection_query(connection, "insert into t values (1, 2)", DBAL_NO_PARAMS));
}

START_TEST(a_deferred_constraint_fails_the_commit)
{
    ends_badly(dbal_pool_transaction(pool, NULL, deferred_violation, NULL), DBAL_ERROR_INTEGRITY,
               "23505");
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
}
END_TEST

static dbal_outcome
autocommit_in_order(dbal_connection *connection, void *arg)
{
    count *to = arg;
    for (int i = 0; i < 30; i++)
        dbal_deferred_add_both(
            dbal_connection_query(
                connection, "insert into t values ($1, $2)",
                DBAL_PARAMS(dbal_int64(i), i % 3 == 0 ? dbal_null() : dbal_int64(1))),
            counted, to);
    return dbal_wait(dbal_connection_query(connection, "select 1", DBAL_NO_PARAMS));
}

START_TEST(a_session_without_a_transaction_commits_each)
{
    count to = {0};
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, autocommit_in_order, &to));
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(to.ok, 20);
    ck_assert_int_eq(to.failed, 10);
    ck_assert_int_eq(run_number("select count(*) from t"), 20);
}
END_TEST

/* ---- sessions that come back ---- */

static dbal_outcome
change_session(dbal_connection *connection, void *arg)
{
    dbal_connection_query(connection, "set work_mem = '1MB'", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "create temp table mine (n int)", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "select pg_advisory_lock(7)", DBAL_NO_PARAMS);
    if (arg != NULL)
        dbal_connection_query(connection, "begin", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, "select 1", DBAL_NO_PARAMS));
}

static uint64_t
opened(void)
{
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    dbal_pool_stats(pool, &counts);
    return counts.opened;
}

static const char nothing_left[] =
    "select (current_setting('work_mem') = '1MB')::int + "
    "(select count(*) from pg_class where relname = 'mine')::int + "
    "(select count(*) from pg_locks where locktype = 'advisory')::int";

START_TEST(a_changed_session_is_made_as_new)
{
    for (int i = 0; i < 3; i++)
        RUN("select 1");
    ends_well(dbal_pool_session(pool, NULL, change_session, NULL));
    ck_assert_int_eq(run_number(nothing_left), 0);
    ends_well(dbal_pool_session(pool, NULL, change_session, ""));
    ck_assert_int_eq(run_number(nothing_left), 0);
    ck_assert_int_eq(run_number("select 1"), 1);
    ck_assert_uint_eq(opened(), 1);
}
END_TEST

static dbal_outcome
change_for_a_while(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "set local work_mem = '1MB'", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "lock table t", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "declare c cursor for select 1", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, "fetch c", DBAL_NO_PARAMS));
}

/* what is gone with its transaction costs nothing: what was prepared is still there */
START_TEST(what_ends_with_its_transaction_needs_no_reset)
{
    for (int i = 0; i < 3; i++)
        RUN("select 1");
    ends_well(dbal_pool_transaction(pool, NULL, change_for_a_while, NULL));
    ck_assert_int_eq(
        run_number("select count(*) from pg_prepared_statements where statement = 'select 1'"), 1);
    ck_assert_uint_eq(opened(), 1);
}
END_TEST

/* ---- rows ---- */

static dbal_flow
add_rows(dbal_stream *stream, dbal_result *batch, void *arg)
{
    (void)stream;
    *(size_t *)arg += dbal_result_row_count(batch);
    return DBAL_CONTINUE;
}

START_TEST(rows_and_then_an_error)
{
    size_t rows = 0;
    ends_badly(dbal_pool_stream(pool,
                                DBAL_QUERY(.sql = "select 1 / (100000 - n) from "
                                                  "generate_series(1, 100001) n"),
                                add_rows, &rows),
               DBAL_ERROR_DATA, "22012");
    ck_assert_uint_gt(rows, 0);
    RUN("select 1");
}
END_TEST

START_TEST(large_results_come_whole)
{
    for (int i = 0; i < 4; i++) {
        dbal_outcome outcome =
            run("select n, n::text from generate_series(1, 20000) n", DBAL_NO_PARAMS);
        dbal_result *result = dbal_outcome_result(outcome);
        ck_assert_uint_eq(dbal_result_row_count(result), 20000);
        for (size_t row = 0; row < 20000; row++) {
            ck_assert_int_eq(dbal_result_int64(result, row, 0), (int64_t)row + 1);
            ck_assert_int_eq(dbal_result_int64(result, row, 1), (int64_t)row + 1);
        }
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

/* one that gave a row may give many the next time */
START_TEST(a_small_result_that_grows)
{
    for (int i = 0; i < 4; i++)
        run_ok("select generate_series(1, $1::int)", DBAL_PARAMS(dbal_int64(1)));
    dbal_outcome outcome = run("select generate_series(1, $1::int)", DBAL_PARAMS(dbal_int64(5000)));
    ck_assert_uint_eq(dbal_result_row_count(dbal_outcome_result(outcome)), 5000);
    ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 4999, 0), 5000);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_copy_is_refused_and_harms_nothing)
{
    run_fails("copy t from stdin", DBAL_ERROR_PROGRAMMING, "0A000");
    run_fails("/* x */ copy t to stdout", DBAL_ERROR_PROGRAMMING, "0A000");
    RUN("select 1");
}
END_TEST

/* ---- many connections ---- */

START_TEST(thousands_over_several_connections)
{
    count to = {0};
    dbal_deferred *last = NULL;
    for (int i = 0; i < 5000; i++) {
        last = dbal_deferred_add_both(
            dbal_pool_query(pool, "insert into t values ($1, $2)",
                            DBAL_PARAMS(dbal_int64(i), i % 10 == 0 ? dbal_null() : dbal_int64(i))),
            counted, &to);
    }
    dbal_outcome outcome = loop_fixture_await(&fixture, last);
    dbal_outcome_clear(&outcome);
    while (to.ok + to.failed < 5000)
        RUN("select 1");
    ck_assert_int_eq(to.ok, 4500);
    ck_assert_int_eq(to.failed, 500);
    ck_assert_int_eq(run_number("select count(*) from t"), 4500);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres pipeline");
    suite_add(suite, an_insert_ends_at_its_sync, before, after);
    suite_add(suite, independent_statements_stay_so, before, after);
    suite_add(suite, prepared_at_the_second_use, before, after);
    suite_add(suite, prepared_at_the_use_that_is_set, before, after);
    suite_add(suite, many_texts_stay_within_the_cache, before_small_cache, after);
    suite_add(suite, no_cache_no_prepared_statements, before_no_cache, after);
    suite_add(suite, ddl_by_somebody_else_is_not_seen, before, after);
    suite_add(suite, ddl_of_a_session_is_seen_by_what_follows, before, after);
    suite_add(suite, statements_that_a_session_discards, before, after);
    suite_add(suite, statements_of_one_turn_share_a_sync, before, after);
    suite_add(suite, those_behind_a_failure_are_not_executed, before, after);
    suite_add(suite, savepoints_undo_their_own, before, after);
    suite_add(suite, a_commit_that_rolls_back_is_an_error, before, after);
    suite_add(suite, a_deferred_constraint_fails_the_commit, before, after);
    suite_add(suite, a_session_without_a_transaction_commits_each, before, after);
    suite_add(suite, a_changed_session_is_made_as_new, before, after);
    suite_add(suite, what_ends_with_its_transaction_needs_no_reset, before, after);
    suite_add(suite, rows_and_then_an_error, before, after);
    suite_add(suite, large_results_come_whole, before, after);
    suite_add(suite, a_small_result_that_grows, before, after);
    suite_add(suite, a_copy_is_refused_and_harms_nothing, before, after);
    suite_add(suite, thousands_over_several_connections, before_many, after);
    return session_main(suite);
}
