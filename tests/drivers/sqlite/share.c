/* What statements share, at the driver's face. */
#include <string.h>

#include "fixture.h"

static database db;
static sqlite3 *outsider;
static dbal_fault fault;
static dbal_request first;

static const dbal_blocking *
face(void)
{
    return dbal_sqlite_driver.blocking;
}

static void
setup(void)
{
    database_init(&db);
    fault = (dbal_fault)DBAL__FAULT_INIT;
    first = (dbal_request){.deadline = INT64_MAX, .has_token = true};
}

static void
teardown(void)
{
    sqlite3_close(outsider);
    outsider = NULL;
    dbal_fault_clear(&fault);
    database_fini(&db);
}

static void
open_with(const char *parameters)
{
    database_open(&db, parameters);
    ASK(&db, "create table t (a)");
    outsider = outsider_open(&db);
}

static bool
begin(dbal_share what)
{
    return face()->share_begin(db.connection, what, &first, &fault);
}

static bool
end(bool keep)
{
    return face()->share_end(db.connection, keep, &fault);
}

START_TEST(a_lock_that_was_not_to_be_had_is_forgotten)
{
    open_with("busy_timeout=0.01");
    outsider_run(outsider, "begin immediate");
    ck_assert(!begin(DBAL_SHARE_COMMIT));
    expect_error(fault.error, DBAL_ERROR_OPERATIONAL, "55P03");
    ck_assert(dbal_error_retryable(fault.error));
    outsider_run(outsider, "rollback");
    /* what runs by itself may take its time: a hundred times what others would wait for it */
    ask_int64(&db,
              "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000000) "
              "select count(*) from n",
              5000000);
}
END_TEST

START_TEST(what_keeps_others_waiting_is_stopped)
{
    open_with("synchronous=off");
    ck_assert(begin(DBAL_SHARE_COMMIT));
    ASK(&db, "insert into t values (1)");
    ask_fails(
        &db,
        "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i "
        "< 5000000) select count(*) from n",
        DBAL_NO_PARAMS, DBAL_ERROR_CANCELLED, "57014");
    ck_assert(!face()->share_holds(db.connection));
    ck_assert(end(false));
    ask_int64(&db, "select count(*) from t", 0);
}
END_TEST

START_TEST(a_snapshot_that_a_read_has_ended)
{
    open_with(NULL);
    ck_assert(begin(DBAL_SHARE_SNAPSHOT));
    ask_int64(&db, "select count(*) from t", 0);
    ASK(&db, "rollback"); /* as SQLite does without memory or with a full disk */
    ck_assert(end(true));
    ck_assert(!dbal_fault_is_set(&fault));
    ck_assert(!face()->in_transaction(db.connection));
    ASK(&db, "insert into t values (1)");
}
END_TEST

START_TEST(a_commit_does_not_wait_for_long)
{
    open_with("journal_mode=delete&busy_timeout=3600");
    ASK(&db, "insert into t values (0)");
    outsider_run(outsider, "begin; select * from t");
    ck_assert(begin(DBAL_SHARE_COMMIT));
    ASK(&db, "insert into t values (1)");
    ck_assert(face()->share_holds(db.connection));
    ck_assert(!end(true));
    /* not the answer to all: each runs by itself, with its own deadline */
    ck_assert(!dbal_error_retryable(fault.error));
    ck_assert(!dbal_error_connection_lost(fault.error));
    ck_assert_int_eq(dbal_error_execution(fault.error), DBAL_EXECUTION_FAILED);
    ck_assert(!face()->in_transaction(db.connection));
    ask_int64(&db, "select count(*) from t", 1);
    outsider_run(outsider, "commit");
    ASK(&db, "insert into t values (2)");
}
END_TEST

START_TEST(a_mistake_keeps_its_words_while_the_file_is_locked)
{
    open_with("journal_mode=delete&busy_timeout=0.01");
    outsider_run(outsider, "begin exclusive");
    ask_fails(&db, "selec 1", DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42601");
    ck_assert_ptr_nonnull(strstr(dbal_error_message(db.error), "syntax error"));
    ask_fails(&db, "select b from t", DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42703");
    ck_assert_ptr_nonnull(strstr(dbal_error_message(db.error), "no such column"));
    outsider_run(outsider, "rollback");
}
END_TEST

Suite *
share_suite(void)
{
    Suite *suite = suite_create("sqlite share");
    TCase *tests = tcase_create("share");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_lock_that_was_not_to_be_had_is_forgotten);
    tcase_add_test(tests, what_keeps_others_waiting_is_stopped);
    tcase_add_test(tests, a_snapshot_that_a_read_has_ended);
    tcase_add_test(tests, a_commit_does_not_wait_for_long);
    tcase_add_test(tests, a_mistake_keeps_its_words_while_the_file_is_locked);
    suite_add_tcase(suite, tests);
    return suite;
}
