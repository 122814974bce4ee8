/* Transactions: what spoils one, and what was asked of them. */
#include "tests/drivers/odbc/fixture.h"
#include "tests/lib/suite.h"

static dbal_outcome
drop(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static dbal_outcome
fail_and_go_on(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "begin", DBAL_NO_PARAMS);
    dbal_connection_query(connection, "insert into n values (2)", DBAL_NO_PARAMS);
    dbal_deferred_add_errback(
        dbal_connection_query(connection, "insert into n values (1)", DBAL_NO_PARAMS), drop, NULL);
    return dbal_wait(dbal_connection_query(connection, "insert into n values (3)", DBAL_NO_PARAMS));
}

static dbal_outcome
fail_in_a_savepoint(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "insert into n values (1)", DBAL_NO_PARAMS));
}

static dbal_outcome
insert_four(dbal_outcome in, void *connection)
{
    (void)in;
    return dbal_wait(dbal_connection_query(connection, "insert into n values (4)", DBAL_NO_PARAMS));
}

static dbal_outcome
recover(dbal_connection *connection, void *arg)
{
    dbal_deferred *inner = dbal_connection_savepoint(connection, fail_in_a_savepoint, arg);
    dbal_deferred_add_errback(inner, drop, NULL);
    return dbal_wait(dbal_deferred_add_callback(inner, insert_four, connection));
}

static int64_t
count(void)
{
    dbal_outcome outcome = ask("select count(*) from n", DBAL_NO_PARAMS);
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

static void
check_spoiling(void)
{
    run("insert into n values (1)");
    expect(loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, fail_and_go_on, NULL)),
           DBAL_ERROR_INTERNAL, "25P02");
    ck_assert_int_eq(count(), 1);
}

START_TEST(an_error_spoils_a_transaction_of_sqlite)
{
    open_sqlite("");
    run("create table n(n integer primary key)");
    check_spoiling();
}
END_TEST

/* Protocol=7.4-1 lets the ODBC driver roll back by itself, and begin another one with the next. */
START_TEST(an_error_spoils_a_transaction_whatever_the_driver_does)
{
    static const char *const protocols[] = {"&Protocol=7.4-0", "&Protocol=7.4-1",
                                            "&Protocol=7.4-2"};
    for (size_t i = 0; i < 3; i++) {
        open_postgres(protocols[i]);
        run("create table n(n integer primary key)");
        check_spoiling();
        run("drop table n");
    }
}
END_TEST

START_TEST(a_savepoint_cures_it)
{
    open_postgres("");
    run("create table n(n integer primary key)");
    run("insert into n values (1)");
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_transaction(pool, NULL, recover, NULL));
    ck_assert_msg(dbal_outcome_error(outcome) == NULL, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(count(), 2);
    run("drop table n");
}
END_TEST

static dbal_outcome
ask_isolation(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(
        dbal_connection_query(connection, "show transaction_isolation", DBAL_NO_PARAMS));
}

static void
isolation_is(dbal_isolation isolation, const char *expected)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture,
        dbal_pool_transaction(pool, DBAL_TRANSACTION(.isolation = isolation), ask_isolation, NULL));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_str_eq(dbal_result_text(dbal_outcome_result(outcome), 0, 0), expected);
    dbal_outcome_clear(&outcome);
}

START_TEST(an_isolation_level_lasts_for_its_transaction)
{
    open_postgres("");
    isolation_is(DBAL_SERIALIZABLE, "serializable");
    isolation_is(DBAL_ISOLATION_DEFAULT, "read committed");
    isolation_is(DBAL_REPEATABLE_READ, "repeatable read");
    dbal_outcome outcome = ask("show transaction_isolation", DBAL_NO_PARAMS);
    ck_assert_str_eq(dbal_result_text(dbal_outcome_result(outcome), 0, 0), "read committed");
    dbal_outcome_clear(&outcome);
}
END_TEST

static dbal_outcome
write_one(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "insert into n values (9)", DBAL_NO_PARAMS));
}

static dbal_outcome
undo_within(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "insert into n values (1)", DBAL_NO_PARAMS);
    return dbal_wait(
        dbal_connection_query(connection, "insert or rollback into n values (1)", DBAL_NO_PARAMS));
}

/* SQLite's ODBC driver does not notice: it says so, and the connection serves on. */
START_TEST(what_sqlite_undoes_by_itself_is_over)
{
    open_sqlite("");
    run("create table n(n integer primary key)");
    for (int i = 0; i < 2; i++) {
        expect(loop_fixture_await(&fixture, dbal_pool_transaction(pool, NULL, undo_within, NULL)),
               DBAL_ERROR_INTEGRITY, "23505");
        ck_assert_int_eq(count(), 0);
    }
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    dbal_pool_stats(pool, &counts);
    ck_assert_uint_eq(counts.lost, 0);
    ck_assert_uint_eq(counts.opened, 1);
}
END_TEST

START_TEST(one_that_only_reads_writes_nothing)
{
    open_sqlite("");
    run("create table n(n integer primary key)");
    expect(loop_fixture_await(
               &fixture,
               dbal_pool_transaction(pool, DBAL_TRANSACTION(.read_only = true), write_one, NULL)),
           DBAL_ERROR_OPERATIONAL, "25006");
    ck_assert_int_eq(count(), 0);
}
END_TEST

void
add_transaction(Suite *suite)
{
    suite_add(suite, an_error_spoils_a_transaction_of_sqlite, before, after);
    suite_add(suite, an_error_spoils_a_transaction_whatever_the_driver_does, before, after);
    suite_add(suite, a_savepoint_cures_it, before, after);
    suite_add(suite, an_isolation_level_lasts_for_its_transaction, before, after);
    suite_add(suite, what_sqlite_undoes_by_itself_is_over, before, after);
    suite_add(suite, one_that_only_reads_writes_nothing, before, after);
}
