#include <stdio.h>
#include <string.h>

#include "fixture.h"

static const dbal_blocking *blocking;
static database db;

static void
setup(void)
{
    blocking = dbal_sqlite_driver.blocking;
    database_init(&db);
    database_open(&db, NULL);
    ASK(&db, "create table t (a unique)");
}

static void
teardown(void)
{
    database_fini(&db);
}

static void
lose_transaction(void)
{
    ASK(&db, "begin immediate");
    ASK(&db, "insert into t values (1)");
    ask_fails(&db, "insert or rollback into t values (1)", DBAL_NO_PARAMS, DBAL_ERROR_INTEGRITY,
              "23505");
    ck_assert(blocking->in_transaction(db.connection));
}

/* nothing commits by itself after the database has ended a transaction */
START_TEST(a_lost_transaction)
{
    lose_transaction();
    ask_fails(&db, "insert into t values (2)", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25P02");
    ask_fails(&db, "select 1", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25P02");
    ask_fails(&db, "rollback to x", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25P02");
    ask_fails(&db, "nonsense", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25P02");
    ASK(&db, "rollback");
    ck_assert(!blocking->in_transaction(db.connection));
    ask_int64(&db, "select count(*) from t", 0);
    ASK(&db, "insert into t values (3)");
}
END_TEST

START_TEST(commit_of_a_lost_transaction)
{
    lose_transaction();
    ask_fails(&db, "commit", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25P02");
    ck_assert(!blocking->in_transaction(db.connection));
    ask_int64(&db, "select count(*) from t", 0);
}
END_TEST

START_TEST(an_ordinary_failure_loses_nothing)
{
    ASK(&db, "begin immediate");
    ASK(&db, "insert into t values (1)");
    ask_fails(&db, "insert into t values (1)", DBAL_NO_PARAMS, DBAL_ERROR_INTEGRITY, "23505");
    ask_fails(&db, "nonsense", DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42601");
    ASK(&db, "insert into t values (2)");
    ASK(&db, "commit");
    ck_assert(!blocking->in_transaction(db.connection));
    ask_int64(&db, "select count(*) from t", 2);
}
END_TEST

START_TEST(a_full_disk_in_a_transaction)
{
    ASK(&db, "pragma max_page_count = 20");
    ASK(&db, "pragma cache_size = 5");
    ASK(&db, "begin immediate");
    ASK(&db, "insert into t values (1)");
    ask_fails(&db, "insert into t values (hex(zeroblob(200000)))", DBAL_NO_PARAMS,
              DBAL_ERROR_OPERATIONAL, "53100");
    /* whether SQLite undid the statement or all of it, what follows fits */
    ck_assert(blocking->in_transaction(db.connection));
    ASK(&db, "rollback");
    ask_int64(&db, "select count(*) from t", 0);
}
END_TEST

START_TEST(deferred_keys_fail_the_commit_only)
{
    ASK(&db, "create table p (id integer primary key)");
    ASK(&db, "create table c (p references p deferrable initially deferred)");
    ASK(&db, "begin immediate");
    ASK(&db, "insert into c values (1)");
    ask_fails(&db, "commit", DBAL_NO_PARAMS, DBAL_ERROR_INTEGRITY, "23503");
    ck_assert(blocking->in_transaction(db.connection));
    ASK(&db, "insert into p values (1)");
    ASK(&db, "commit");
    ck_assert(!blocking->in_transaction(db.connection));
}
END_TEST

START_TEST(savepoints)
{
    ASK(&db, "begin immediate");
    ASK(&db, "insert into t values (1)");
    ASK(&db, "savepoint s");
    ASK(&db, "insert into t values (2)");
    ASK(&db, "rollback to s");
    ASK(&db, "release s");
    ASK(&db, "commit");
    ask_int64(&db, "select count(*) from t", 1);
}
END_TEST

static void
expect_wants_token(const char *sql)
{
    ck_assert_msg(!ask(&db, sql, DBAL_NO_PARAMS), "%s", sql);
    ck_assert_msg(db.needs_token, "%s: %s", sql, dbal_error_message(db.error));
}

/* a write without the token has done nothing, and works when it is run again with it */
START_TEST(writes_want_the_token)
{
    static const char *const writes[] = {
        "insert into t values (1)", "with x as (select 2) insert into t select * from x",
        "create table u (a)",       "pragma user_version = 5",
        "begin immediate",          "vacuum",
        "pragma wal_checkpoint",    "delete from t returning a",
    };
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        db.has_token = false;
        expect_wants_token(writes[i]);
        ask_int64(&db, "select count(*) from t", 0);
        ask_int64(&db, "pragma user_version", 0);
        ck_assert(!blocking->in_transaction(db.connection));
    }
    db.has_token = true;
    ASK(&db, writes[0]);
    db.has_token = false;
    expect_wants_token(writes[0]); /* a cached one too */
}
END_TEST

START_TEST(reads_want_no_token)
{
    static const char *const reads[] = {
        "select * from t",
        "values (1)",
        "explain delete from t",
        "pragma table_info(t)",
        "begin",
        "savepoint s",
        "release s",
        "rollback",
        "pragma journal_mode",
        "pragma integrity_check",
        "pragma query_only = off",
    };
    db.has_token = false;
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
        ASK(&db, reads[i]);
    char sql[160];
    snprintf(sql, sizeof sql, "vacuum into '%s/copy.db'", db.folder);
    ASK(&db, sql);
}
END_TEST

START_TEST(a_broken_promise_to_read)
{
    db.read_only = true;
    for (int i = 0; i < 2; i++) {
        ask_fails(&db, "insert into t values (1)", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25006");
        ck_assert(!db.needs_token);
        db.has_token = false;
    }
    ask_int64(&db, "select count(*) from t", 0);
}
END_TEST

/* For SQLite it is a SELECT that reads, and makes a table all the same. */
START_TEST(a_pragma_that_acts_as_a_table)
{
    static const char act[] = "select * from pragma_optimize";
    static const char traces[] = "select count(*) from sqlite_schema where name = 'sqlite_stat1'";
    ASK(&db, "create table u (a)");
    ASK(&db, "create index ua on u (a)");
    ASK(&db, "with recursive n(x) as (select 1 union all select x + 1 from n where x < 2000) "
             "insert into u select x from n");
    ask_int64(&db, "select count(*) from u where a = 5", 1);
    db.has_token = false;
    expect_wants_token(act);
    ask_int64(&db, traces, 0);
    db.has_token = db.read_only = true;
    ask_fails(&db, act, DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25006");
    ask_int64(&db, traces, 0);
    db.read_only = false;
    ASK(&db, act);
    ask_int64(&db, traces, 1);
    /* the others are no tables */
    ask_fails(&db, "select * from pragma_wal_checkpoint", DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING,
              "42P01");
    ask_fails(&db, "select * from pragma_incremental_vacuum", DBAL_NO_PARAMS,
              DBAL_ERROR_PROGRAMMING, "42P01");
}
END_TEST

static bool
reset(void)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    bool ok = blocking->reset(db.connection, &fault);
    ck_assert(ok != dbal_fault_is_set(&fault));
    dbal_fault_clear(&fault);
    return ok;
}

START_TEST(reset_rolls_back)
{
    ASK(&db, "begin immediate");
    ASK(&db, "insert into t values (1)");
    ck_assert(reset());
    ck_assert(!blocking->in_transaction(db.connection));
    ask_int64(&db, "select count(*) from t", 0);
    lose_transaction();
    ck_assert(reset());
    ck_assert(!blocking->in_transaction(db.connection));
    ASK(&db, "insert into t values (1)");
}
END_TEST

/* what a session left behind: the next gets another connection */
START_TEST(reset_refuses_a_changed_session)
{
    static const char *const changes[] = {"create temp table x (a)", "create table temp.x (a)",
                                          "attach ':memory:' as x", "pragma foreign_keys = off"};
    ck_assert(reset());
    ASK(&db, changes[_i]);
    ck_assert(!reset());
}
END_TEST

/* preparing a PRAGMA runs it, also one that is refused then */
START_TEST(reset_knows_of_refused_settings)
{
    static const char *const refused[] = {"pragma foreign_keys = off; select 1",
                                          "explain pragma foreign_keys = off; select 1"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ask_fails(&db, refused[i], DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42601");
        ck_assert(!reset());
        database_close(&db);
        ck_assert(database_try_open(&db));
        ask_int64(&db, "pragma foreign_keys", 1);
    }
}
END_TEST

/* a database in memory is its connection: it is tidied instead */
START_TEST(reset_tidies_memory)
{
    database_close(&db);
    database_configure(&db, ":memory:", NULL);
    ck_assert(database_try_open(&db));
    ASK(&db, "create table t (a)");
    ASK(&db, "insert into t values (1)");
    ASK(&db, "create temp table t (a)");
    ASK(&db, "create temp view \"odd \"\"name\" as select * from temp.t");
    ASK(&db, "create temp trigger r after insert on main.t begin select 1; end");
    ASK(&db, "attach ':memory:' as \"y'z\"");
    ASK(&db, "pragma foreign_keys = off");
    ck_assert(reset());
    ask_int64(&db, "select count(*) from t", 1);
    ask_int64(&db, "select count(*) from temp.sqlite_schema", 0);
    ask_int64(&db, "select count(*) from pragma_database_list where name not in ('main', 'temp')",
              0);
    ask_int64(&db, "pragma foreign_keys", 1);
}
END_TEST

Suite *
transaction_suite(void)
{
    Suite *suite = suite_create("sqlite transactions");
    TCase *tests = tcase_create("transactions");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_lost_transaction);
    tcase_add_test(tests, commit_of_a_lost_transaction);
    tcase_add_test(tests, an_ordinary_failure_loses_nothing);
    tcase_add_test(tests, a_full_disk_in_a_transaction);
    tcase_add_test(tests, deferred_keys_fail_the_commit_only);
    tcase_add_test(tests, savepoints);
    tcase_add_test(tests, writes_want_the_token);
    tcase_add_test(tests, reads_want_no_token);
    tcase_add_test(tests, a_broken_promise_to_read);
    tcase_add_test(tests, a_pragma_that_acts_as_a_table);
    tcase_add_test(tests, reset_rolls_back);
    tcase_add_loop_test(tests, reset_refuses_a_changed_session, 0, 4);
    tcase_add_test(tests, reset_knows_of_refused_settings);
    tcase_add_test(tests, reset_tidies_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
