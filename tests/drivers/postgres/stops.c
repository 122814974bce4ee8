/* DBAL_STOP: what is stopped is a success, and nothing but its rows is lost by that. */
#include "session.h"
#include "tests/lib/suite.h"

static const char *const gates[] = {"pool_max_size=1", "pool_max_size=1&pool_gate=thread"};

static void
begin(int gate)
{
    session_begin(gates[gate]);
    RUN("create table t (id integer)");
}

static dbal_flow
no_more(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream, (void)rows;
    ++*(int *)arg;
    return DBAL_STOP;
}

static dbal_flow
no_more_bytes(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    (void)stream, (void)data, (void)size;
    ++*(int *)arg;
    return DBAL_STOP;
}

static dbal_deferred *
stream(const char *sql, int *calls)
{
    *calls = 0;
    return dbal_pool_stream(pool, DBAL_QUERY(.sql = sql), no_more, calls);
}

START_TEST(what_reads_is_ended_by_the_server)
{
    int calls;
    begin(_i);
    ends_well(stream("select generate_series(1, 2000000000)", &calls));
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(run_number("select 1"), 1);
    session_end();
}
END_TEST

START_TEST(what_writes_is_done_all_the_same)
{
    int calls;
    begin(_i);
    ends_well(stream("insert into t select generate_series(1, 300000) returning id", &calls));
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(run_number("select count(*) from t"), 300000);
    ends_well(stream("with gone as (delete from t returning id) select id from gone", &calls));
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
    session_end();
}
END_TEST

/* The commit that comes behind its rows may fail. */
START_TEST(what_it_fails_with_later_is_told)
{
    int calls;
    begin(_i);
    RUN("create table child (id integer unique deferrable initially deferred)");
    ends_badly(stream("insert into child select g % 100000 from generate_series(1, 300000) g "
                      "returning id",
                      &calls),
               DBAL_ERROR_INTEGRITY, "23505");
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(run_number("select count(*) from child"), 0);
    session_end();
}
END_TEST

static dbal_outcome
in_transaction(dbal_connection *connection, void *arg)
{
    dbal_connection_query(connection, "insert into t values (1)", DBAL_NO_PARAMS);
    dbal_deferred_add_errback(
        dbal_connection_stream(connection, DBAL_QUERY(.sql = "select generate_series(1, 300000)"),
                               no_more, arg),
        NULL, NULL);
    return dbal_wait(dbal_connection_query(connection, "insert into t values (2)", DBAL_NO_PARAMS));
}

START_TEST(a_transaction_goes_on)
{
    int calls = 0;
    begin(_i);
    ends_well(dbal_pool_transaction(pool, NULL, in_transaction, &calls));
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(run_number("select count(*) from t"), 2);
    session_end();
}
END_TEST

static dbal_outcome
copy_in_transaction(dbal_connection *connection, void *arg)
{
    dbal_connection_query(connection, "insert into t values (1)", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_copy_out(
        connection, "copy (select generate_series(1, 300000)) to stdout", no_more_bytes, arg));
}

START_TEST(a_copy_too)
{
    int calls = 0;
    begin(0);
    ends_well(dbal_pool_copy_out(
        pool, "copy (insert into t select generate_series(1, 300000) returning id) to stdout",
        no_more_bytes, &calls));
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(run_number("select count(*) from t"), 300000);
    ends_well(dbal_pool_transaction(pool, NULL, copy_in_transaction, &calls));
    ck_assert_int_eq(calls, 2);
    ck_assert_int_eq(run_number("select count(*) from t"), 300001);
    session_end();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("stops");
    TCase *both = tcase_create("gates");
    tcase_set_timeout(both, 60);
    tcase_add_loop_test(both, what_reads_is_ended_by_the_server, 0, 2);
    tcase_add_loop_test(both, what_writes_is_done_all_the_same, 0, 2);
    tcase_add_loop_test(both, what_it_fails_with_later_is_told, 0, 2);
    tcase_add_loop_test(both, a_transaction_goes_on, 0, 2);
    tcase_add_test(both, a_copy_too);
    suite_add_tcase(suite, both);
    return session_main(suite);
}
