#include <stdio.h>
#include <string.h>

#include "drivers/sqlite/connection.h"
#include "fixture.h"

static database db;

static void
setup(void)
{
    database_init(&db);
    database_open(&db, NULL);
    ASK(&db, "create table t (id integer primary key, a)");
}

static void
teardown(void)
{
    database_fini(&db);
}

static int
cached(void)
{
    return ((dbal__sqlite_connection *)db.connection)->cache.count;
}

START_TEST(affected_rows_and_ids)
{
    ASK(&db, "insert into t (a) values ('x'), ('y')");
    ck_assert_int_eq(dbal_result_affected(db.result), 2);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 2);
    ASK(&db, "update t set a = 1");
    ck_assert_int_eq(dbal_result_affected(db.result), 2);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 0);
    ASK(&db, "create table u (a primary key) without rowid");
    ck_assert_int_eq(dbal_result_affected(db.result), 0);
    /* a table without row ids makes none, and an upsert that updates neither */
    ASK(&db, "insert into u values (7)");
    ck_assert_int_eq(dbal_result_affected(db.result), 1);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 0);
    ASK(&db, "insert into t (id) values (1) on conflict (id) do update set a = 5");
    ck_assert_int_eq(dbal_result_affected(db.result), 1);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 0);
    ASK(&db, "insert or ignore into t (id) values (1)");
    ck_assert_int_eq(dbal_result_affected(db.result), 0);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 0);
    ASK(&db, "replace into t (id, a) values (2, 'z')");
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 2);
    ASK(&db, "delete from t where id = 99");
    ck_assert_int_eq(dbal_result_affected(db.result), 0);
    ASK(&db, "explain delete from t");
    ask_int64(&db, "select count(*) from t", 2);
    ck_assert_int_eq(dbal_result_affected(db.result), 1);
}
END_TEST

/* a row that a trigger made is not the statement's own, whose id would be that of one before */
START_TEST(ids_of_triggers)
{
    ASK(&db, "create table log (id integer primary key, a)");
    ASK(&db,
        "create trigger tell before insert on t begin insert into log values (99, new.a); end");
    ASK(&db, "insert into t (id) values (7)");
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 7);
    ASK(&db, "delete from log");
    ASK(&db, "insert or ignore into t (id) values (7)");
    ck_assert_int_eq(dbal_result_affected(db.result), 0);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 0);
}
END_TEST

/* the same, where the statement changed a row, but made none that has an id */
START_TEST(ids_of_triggers_behind_changes)
{
    ASK(&db, "create table log (id integer primary key, a)");
    ASK(&db, "create table u (a primary key, n) without rowid");
    ASK(&db, "create trigger told after update on t begin insert into log (a) values (new.a); end");
    ASK(&db, "create trigger made after insert on u begin insert into log (a) values (new.a); end");
    ASK(&db, "insert into t (id, a) values (7, 'x'), (41, 'y')");
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 41);
    ASK(&db, "insert into t (id) values (7) on conflict (id) do update set a = 5");
    ck_assert_int_eq(dbal_result_affected(db.result), 1);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 0);
    ASK(&db, "insert into u values (1, 2)");
    ck_assert_int_eq(dbal_result_affected(db.result), 1);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 0);
    ask_int64(&db, "select count(*) from log", 2);
    /* one that is the same as before is an id all the same */
    ASK(&db, "create table v (id integer primary key)");
    ASK(&db, "insert into v values (41)");
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 41);
}
END_TEST

/* SQLite itself does not look again at the file for these */
START_TEST(a_schema_that_another_has_changed)
{
    sqlite3 *outsider = outsider_open(&db);
    ASK(&db, "create table later (a)");
    outsider_run(outsider, "drop table later");
    ASK(&db, "create table later (a)");
    outsider_run(outsider, "alter table t add column more");
    ASK(&db, "alter table t drop column more");
    sqlite3_close(outsider);
}
END_TEST

/* What is wrong with the text stays that, whatever the connection knows of the schema. */
START_TEST(a_text_that_is_wrong_while_another_changes_the_schema)
{
    sqlite3 *outsider = outsider_open(&db);
    for (int i = 0; i < 2; i++) {
        outsider_run(outsider, i == 0 ? "create table later (a)" : "drop table later");
        for (int j = 0; j < 2; j++) {
            ask_fails(&db, "select a fron t", DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42601");
            ck_assert_int_eq(dbal_error_position(db.error), 15);
            ck_assert(!dbal_error_retryable(db.error));
        }
        ask_int64(&db, "select count(*) from t", 0);
    }
    sqlite3_close(outsider);
}
END_TEST

/* inside a session the function still tells the row before */
START_TEST(the_rowid_function_works)
{
    ASK(&db, "insert into t (id, a) values (41, 'x')");
    ASK(&db, "insert into t (a) values (last_insert_rowid())");
    ask_int64(&db, "select a from t where id = 42", 41);
}
END_TEST

START_TEST(returning)
{
    ASK(&db, "insert into t (a) values ('x'), ('y'), ('z') returning id, a");
    ck_assert_uint_eq(dbal_result_row_count(db.result), 3);
    ck_assert_int_eq(dbal_result_affected(db.result), 3);
    ck_assert_int_eq(dbal_result_last_insert_id(db.result), 3);
    ck_assert_str_eq(dbal_result_text(db.result, 2, 1), "z");
}
END_TEST

/* what could not be delivered was not done */
START_TEST(a_result_too_large_undoes_the_write)
{
    ASK(&db, "insert into t (a) values (hex(zeroblob(2000000)))");
    db.max_result_bytes = 100000;
    ask_fails(&db, "update t set id = 2 returning a", DBAL_NO_PARAMS, DBAL_ERROR_DATA, "54000");
    ask_fails(&db, "select a from t", DBAL_NO_PARAMS, DBAL_ERROR_DATA, "54000");
    ask_int64(&db, "select id from t", 1);
}
END_TEST

static int batches;

static bool
take_one(dbal_request *request, dbal_result *batch)
{
    (void)request;
    batches++;
    ck_assert_uint_eq(dbal_result_row_count(batch), 1);
    dbal_result_unref(batch);
    return false;
}

START_TEST(a_satisfied_stream_is_a_success)
{
    batches = 0;
    db.deliver = take_one;
    db.batch_rows = 1;
    ASK(&db, "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c");
    ck_assert_int_eq(batches, 1);
    ASK(&db, "insert into t (a) values (1), (2), (3) returning id");
    ck_assert_int_eq(batches, 2);
    db.deliver = NULL;
    ask_int64(&db, "select count(*) from t", 3);
}
END_TEST

START_TEST(the_cache_is_bounded)
{
    char sql[64];
    db.statement_cache = 3;
    for (int i = 0; i < 10; i++) {
        snprintf(sql, sizeof sql, "select %d", i);
        ask_int64(&db, sql, i);
        ask_int64(&db, "select 100", 100);
    }
    ck_assert_int_eq(cached(), 3);
    ck_assert_ptr_nonnull(sqlite3_next_stmt(((dbal__sqlite_connection *)db.connection)->db, NULL));
    db.statement_cache = 1;
    ask_int64(&db, "select 101", 101);
    ck_assert_int_eq(cached(), 1);
    db.statement_cache = 0;
    ask_int64(&db, "select 102", 102);
    ck_assert_int_eq(cached(), 1);
}
END_TEST

START_TEST(schema_changes_under_cached_statements)
{
    sqlite3 *outsider = outsider_open(&db);
    ASK(&db, "insert into t (a) values ('x')");
    ASK(&db, "select * from t");
    ck_assert_uint_eq(dbal_result_column_count(db.result), 2);
    ASK(&db, "alter table t add column b real default 1.5");
    ASK(&db, "select * from t");
    ck_assert_uint_eq(dbal_result_column_count(db.result), 3);
    ck_assert_int_eq(dbal_result_column_type(db.result, 2), DBAL_DOUBLE);
    ck_assert(dbal_result_double(db.result, 0, 2) == 1.5);
    outsider_run(outsider, "alter table t rename column b to c");
    ASK(&db, "select * from t");
    ck_assert_str_eq(dbal_result_column_name(db.result, 2), "c");
    outsider_run(outsider, "drop table t");
    ask_fails(&db, "select * from t", DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42P01");
    ASK(&db, "create table t (z)");
    ASK(&db, "select * from t");
    ck_assert_str_eq(dbal_result_column_name(db.result, 0), "z");
    sqlite3_close(outsider);
}
END_TEST

/* it is preparing that runs a PRAGMA: a cached one would do nothing */
START_TEST(pragmas_work_every_time)
{
    for (int i = 0; i < 3; i++) {
        ASK(&db, "pragma query_only = on");
        ask_int64(&db, "pragma query_only", 1);
        ASK(&db, "pragma query_only = off");
        ask_int64(&db, "pragma query_only", 0);
    }
}
END_TEST

START_TEST(busy_timeout_is_our_own)
{
    ask_int64(&db, "pragma busy_timeout", 5000);
    ask_int64(&db, "pragma busy_timeout = 20", 20);
    ask_int64(&db, "pragma busy_timeout", 20);
    sqlite3 *outsider = outsider_open(&db);
    outsider_run(outsider, "begin immediate");
    ask_fails(&db, "delete from t", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "55P03");
    sqlite3_close(outsider);
    ask_int64(&db, "pragma busy_timeout(-5)", 0);
    ck_assert(dbal_sqlite_driver.blocking->reset(db.connection, NULL));
    ask_int64(&db, "pragma busy_timeout", 5000);
}
END_TEST

/* what stands behind it is not left out without a word */
START_TEST(busy_timeout_is_one_statement)
{
    const char *const two[] = {"pragma busy_timeout = 20; delete from t",
                               "pragma busy_timeout(20); delete from t",
                               "pragma busy_timeout; delete from t", "pragma busy_timeout = 20 30"};
    for (size_t i = 0; i < sizeof two / sizeof two[0]; i++) {
        ask_fails(&db, two[i], DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42601");
        ask_int64(&db, "pragma busy_timeout", 5000);
    }
    ask_int64(&db, "pragma busy_timeout = +20 ; -- that is all", 20);
    ask_int64(&db, "pragma busy_timeout=-5", 0);
    ask_int64(&db, "pragma main.busy_timeout(20);;", 20);
    ask_fails(&db, "pragma busy_timeout", DBAL_PARAMS(dbal_int64(1)), DBAL_ERROR_PROGRAMMING,
              "07001");
}
END_TEST

/* parameters go by their number, whatever the order in the text */
START_TEST(parameters_by_number)
{
    ask_ok(&db, "select ?2, ?1, ?2", DBAL_PARAMS(dbal_int64(1), dbal_int64(2)));
    ck_assert_int_eq(dbal_result_int64(db.result, 0, 0), 2);
    ck_assert_int_eq(dbal_result_int64(db.result, 0, 1), 1);
    ck_assert_int_eq(dbal_result_int64(db.result, 0, 2), 2);
}
END_TEST

/* a virtual table has statements of its own, which closing must leave to it */
START_TEST(closing_with_virtual_tables)
{
    ASK(&db, "create virtual table f using fts5 (a)");
    ASK(&db, "insert into f values ('one two')");
    ask_int64(&db, "select count(*) from f where f match 'two'", 1);
    ck_assert(!ask(&db, "select * from f where f match 'AND'", DBAL_NO_PARAMS));
    dbal__sqlite_connection *c = db.connection;
    int foreign = 0;
    for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(c->db, s)) != NULL;)
        foreign++;
    ck_assert_int_gt(foreign, cached());
    database_close(&db);
    ck_assert(database_try_open(&db));
    ask_int64(&db, "select count(*) from f where f match 'two'", 1);
}
END_TEST

Suite *
statement_suite(void)
{
    Suite *suite = suite_create("sqlite statements");
    TCase *tests = tcase_create("statements");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, affected_rows_and_ids);
    tcase_add_test(tests, ids_of_triggers);
    tcase_add_test(tests, ids_of_triggers_behind_changes);
    tcase_add_test(tests, a_schema_that_another_has_changed);
    tcase_add_test(tests, a_text_that_is_wrong_while_another_changes_the_schema);
    tcase_add_test(tests, the_rowid_function_works);
    tcase_add_test(tests, returning);
    tcase_add_test(tests, a_result_too_large_undoes_the_write);
    tcase_add_test(tests, a_satisfied_stream_is_a_success);
    tcase_add_test(tests, the_cache_is_bounded);
    tcase_add_test(tests, schema_changes_under_cached_statements);
    tcase_add_test(tests, pragmas_work_every_time);
    tcase_add_test(tests, busy_timeout_is_our_own);
    tcase_add_test(tests, busy_timeout_is_one_statement);
    tcase_add_test(tests, parameters_by_number);
    tcase_add_test(tests, closing_with_virtual_tables);
    suite_add_tcase(suite, tests);
    return suite;
}
