/* Through a PgBouncer that pools transactions: each may get another connection of the server's. */
#include <stdio.h>
#include <string.h>

#include "session.h"
#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_pooler=transaction&pool_max_size=4");
    RUN("create table t (id integer primary key, n integer not null)");
}

static void
before_reading(void)
{
    session_begin("pool_pooler=transaction&pool_max_size=4&pool_pipeline_wait=1");
    RUN("create table t (id integer primary key, n integer not null)");
}

static void
after(void)
{
    session_end();
}

static dbal_outcome
add_one(dbal_outcome in, void *arg)
{
    if (dbal_outcome_error(in) == NULL)
        ++*(int *)arg;
    return in;
}

START_TEST(statements_in_flight_by_the_hundred)
{
    dbal_deferred *some[500];
    int ok = 0;
    for (int i = 0; i < 500; i++) {
        some[i] =
            dbal_pool_query(pool, "insert into t values ($1, $2)",
                            DBAL_PARAMS(dbal_int64(i), i % 50 == 0 ? dbal_null() : dbal_int64(i)));
        dbal_deferred_add_callback(some[i], add_one, &ok);
    }
    dbal_outcome all =
        loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_ALL, 500, some));
    for (size_t i = 0; i < 500; i++) {
        dbal_error *error = dbal_outcome_error(dbal_outcome_at(all, i));
        ck_assert_str_eq(error != NULL ? dbal_error_sqlstate(error) : "",
                         i % 50 == 0 ? "23502" : "");
    }
    dbal_outcome_clear(&all);
    ck_assert_int_eq(ok, 490);
    ck_assert_int_eq(run_number("select count(*) from t"), 490);
    ck_assert_int_eq(run_number("select count(*) from pg_prepared_statements"), 0);
}
END_TEST

/* Those that only read share transactions, each on any connection of the server's. */
START_TEST(statements_that_only_read)
{
    RUN("create function add_one() returns int language sql as 'insert into t values (9, 9) "
        "returning 1'");
    for (int round = 0; round < 5; round++) {
        dbal_deferred *some[100];
        int ok = 0;
        for (int i = 0; i < 100; i++) {
            some[i] =
                i % 50 == 20
                    ? dbal_pool_run(pool, DBAL_QUERY(.sql = "select add_one()", .read_only = true))
                    : dbal_pool_run(pool, DBAL_QUERY(.sql = "select $1::bigint",
                                                     .params = DBAL_PARAMS(dbal_int64(i)),
                                                     .read_only = true));
            dbal_deferred_add_callback(some[i], add_one, &ok);
        }
        dbal_outcome all =
            loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_ALL, 100, some));
        for (size_t i = 0; i < 100; i++) {
            dbal_error *error = dbal_outcome_error(dbal_outcome_at(all, i));
            ck_assert_str_eq(error != NULL ? dbal_error_sqlstate(error) : "",
                             i % 50 == 20 ? "25006" : "");
        }
        dbal_outcome_clear(&all);
        ck_assert_int_eq(ok, 98);
        ck_assert_int_eq(run_number("select count(*) from t"), 0);
    }
    RUN("insert into t values (1, 1)");
}
END_TEST

static dbal_outcome
in_transaction(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "set local work_mem = '1MB'", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "create temp table mine (n int) on commit drop",
                          DBAL_NO_PARAMS);
    dbal_connection_query(connection, "insert into mine values (7)", DBAL_NO_PARAMS);
    return dbal_wait(
        dbal_connection_query(connection, "insert into t select 1, n from mine", DBAL_NO_PARAMS));
}

START_TEST(what_ends_with_its_transaction_works)
{
    ends_well(dbal_pool_transaction(pool, NULL, in_transaction, NULL));
    ck_assert_int_eq(run_number("select n from t"), 7);
}
END_TEST

static const char *const lasting[] = {
    "set work_mem = '1MB'",
    "listen jobs",
    "prepare one as select 1",
    "deallocate all",
    "discard all",
    "create temp table mine (n int)",
    "select pg_advisory_lock(1)",
    "reset all",
};

static dbal_outcome
run_one(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_query(connection, arg, DBAL_NO_PARAMS));
}

START_TEST(what_outlives_it_is_refused)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_session(pool, NULL, run_one, (void *)(uintptr_t)lasting[_i]));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(strstr(dbal_error_message(error), "pool_pooler=transaction") != NULL, "%s: %s",
                  lasting[_i], dbal_error_message(error));
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_NOT_SENT);
    dbal_outcome_clear(&outcome);
    RUN("select 1");
}
END_TEST

static dbal_flow
add_rows(dbal_stream *stream, dbal_result *batch, void *arg)
{
    (void)stream;
    *(size_t *)arg += dbal_result_row_count(batch);
    return DBAL_CONTINUE;
}

START_TEST(streams_and_cancels)
{
    size_t rows = 0;
    ends_well(dbal_pool_stream(pool, DBAL_QUERY(.sql = "select generate_series(1, 20000)"),
                               add_rows, &rows));
    ck_assert_uint_eq(rows, 20000);
    dbal_deferred *slow = dbal_pool_query(pool, "select pg_sleep(60)", DBAL_NO_PARAMS);
    dbal_deferred_add_timeout(slow, 0.1);
    ends_badly(slow, DBAL_ERROR_TIMEOUT, "57014");
    RUN("select 1");
}
END_TEST

static void
hear(const dbal_notification *notification, void *arg)
{
    (void)notification, (void)arg;
}

START_TEST(nobody_listens_there)
{
    ends_badly(dbal_pool_listen(pool, "jobs", hear, NULL), DBAL_ERROR_NOT_SUPPORTED, "0A000");
    RUN("notify jobs");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres bouncer");
    suite_add(suite, statements_in_flight_by_the_hundred, before, after);
    suite_add(suite, statements_that_only_read, before_reading, after);
    suite_add(suite, what_ends_with_its_transaction_works, before, after);
    TCase *refused = tcase_create("refused");
    tcase_add_checked_fixture(refused, before, after);
    tcase_add_loop_test(refused, what_outlives_it_is_refused, 0,
                        (int)(sizeof lasting / sizeof lasting[0]));
    suite_add_tcase(suite, refused);
    suite_add(suite, streams_and_cancels, before, after);
    suite_add(suite, nobody_listens_there, before, after);
    return session_main_pooled(suite);
}
