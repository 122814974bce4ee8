/* Statements as the driver runs them: prepared and kept, by their text, and what they tell. */
#include "session.h"

#include <stdio.h>

#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_max_size=1&pool_statement_cache=3");
    RUN("create table t(id bigint unsigned primary key auto_increment, n int)");
}

static void
before_none(void)
{
    session_begin("pool_max_size=1&pool_statement_cache=0");
}

static int64_t
prepared(void)
{
    return mariadb_number(&server, NULL,
                          "select variable_value from information_schema.global_status where "
                          "variable_name = 'prepared_stmt_count'");
}

/* The server gives no answer when one is closed, nor when a connection is: it may be behind. */
static void
until_prepared(int64_t count)
{
    int64_t now = prepared();
    for (int i = 0; i < 2000 && now != count; i++)
        now = prepared();
    ck_assert_int_eq(now, count);
}

START_TEST(so_many_are_kept)
{
    char sql[40];
    for (int i = 0; i < 20; i++) {
        snprintf(sql, sizeof sql, "select %d", i);
        ck_assert_int_eq(run_number(sql), i);
    }
    until_prepared(3);
    ck_assert_int_eq(run_number("select 19"), 19);
    until_prepared(3);
}
END_TEST

START_TEST(none_are_kept)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(run_number("select 7"), 7);
    until_prepared(0);
}
END_TEST

START_TEST(a_kept_one_sees_its_table_change)
{
    RUN("insert into t(n) values (5)");
    ck_assert_int_eq(run_number("select * from t"), 1);
    RUN("alter table t add first varchar(10) default 'x' first");
    dbal_outcome outcome = run("select * from t", DBAL_NO_PARAMS);
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_msg(rows != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_uint_eq(dbal_result_column_count(rows), 3);
    ck_assert_str_eq(dbal_result_text(rows, 0, 0), "x");
    ck_assert_int_eq(dbal_result_int64(rows, 0, 2), 5);
    dbal_outcome_clear(&outcome);
    RUN("alter table t drop column n, drop column first");
    ck_assert_int_eq(run_number("select * from t"), 1);
}
END_TEST

static void
check_told(const char *sql, int64_t affected, int64_t id)
{
    dbal_outcome outcome = run(sql, DBAL_NO_PARAMS);
    dbal_result *result = dbal_outcome_result(outcome);
    ck_assert_msg(result != NULL, "%s: %s", sql, dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_msg(dbal_result_affected(result) == affected, "%s: %lld", sql,
                  (long long)dbal_result_affected(result));
    ck_assert_msg(dbal_result_last_insert_id(result) == id, "%s: %lld", sql,
                  (long long)dbal_result_last_insert_id(result));
    dbal_outcome_clear(&outcome);
}

START_TEST(affected_rows_and_ids)
{
    check_told("insert into t(n) values (1), (2)", 2, 1);
    check_told("insert into t(id, n) values (10, 3)", 1, 10);
    check_told("insert into t(n) values (4) returning id", 1, 0);
    /* found is what counts, not changed */
    check_told("update t set n = n", 4, 0);
    check_told("update t set n = 3 where n > 3", 1, 0);
    check_told("delete from t where n = 3 returning id", 2, 0);
    check_told("insert into t(id, n) values (1, 7) on duplicate key update n = 7", 2, 1);
    check_told("replace into t(id, n) values (1, 8)", 2, 1);
    check_told("delete from t where 0", 0, 0);
}
END_TEST

START_TEST(what_is_not_prepared_runs_by_its_text)
{
    /* by the server's documentation none of its rows are of any use, but it must not fail */
    RUN("help 'nothing'");
    RUN("create function twice(a int) returns int deterministic return 2 * a");
    ck_assert_int_eq(run_number("select twice(4)"), 8);
}
END_TEST

START_TEST(of_a_procedure_the_first_rows_are_told)
{
    RUN("create procedure pair() begin select 1 as a union select 2; select 'more' as b; end");
    for (int i = 0; i < 3; i++) {
        dbal_outcome outcome = run("call pair()", DBAL_NO_PARAMS);
        dbal_result *rows = dbal_outcome_result(outcome);
        ck_assert_msg(rows != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
        ck_assert_uint_eq(dbal_result_row_count(rows), 2);
        dbal_outcome_clear(&outcome);
        ck_assert_int_eq(run_number("select 3"), 3);
    }
}
END_TEST

START_TEST(a_recursion_goes_to_its_end)
{
    ck_assert_int_eq(run_number("with recursive r(i) as (select 1 union all select i + 1 from r "
                                "where i < 5000) select count(*) from r"),
                     5000);
}
END_TEST

START_TEST(the_session_is_strict_and_in_utc)
{
    ck_assert_int_eq(run_number("select @@autocommit = 1 and @@time_zone = '+00:00' and "
                                "@@character_set_client = 'utf8mb4' and "
                                "@@character_set_results = 'utf8mb4' and @@sql_mode like "
                                "'%STRICT_ALL_TABLES%'"),
                     1);
    run_fails("load data local infile '/etc/hostname' into table t", DBAL_ERROR_OPERATIONAL,
              "HY000");
}
END_TEST

void
add_statements(Suite *suite)
{
    suite_add(suite, so_many_are_kept, before, session_end);
    suite_add(suite, none_are_kept, before_none, session_end);
    suite_add(suite, a_kept_one_sees_its_table_change, before, session_end);
    suite_add(suite, affected_rows_and_ids, before, session_end);
    suite_add(suite, what_is_not_prepared_runs_by_its_text, before, session_end);
    suite_add(suite, of_a_procedure_the_first_rows_are_told, before, session_end);
    suite_add(suite, a_recursion_goes_to_its_end, before, session_end);
    suite_add(suite, the_session_is_strict_and_in_utc, before, session_end);
}
