#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "drivers/sqlite/message.h"
#include "fixture.h"

static database db;

static void
setup(void)
{
    database_init(&db);
    database_open(&db, "busy_timeout=0.02");
    ASK(&db, "create table parent (id integer primary key)");
    ASK(&db, "create table t (id integer primary key, a text not null unique, b int check (b > 0), "
             "p int references parent (id))");
    ASK(&db, "create table strict (a int) strict");
    ASK(&db, "create trigger no before delete on t begin select raise(abort, 'not that'); end");
    ASK(&db, "insert into t (id, a, b) values (1, 'x', 1)");
}

static void
teardown(void)
{
    database_fini(&db);
}

static const struct {
    const char *sql;
    dbal_error_class error_class;
    const char *sqlstate;
    const char *constraint; /* NULL: none */
    int position;
} table[] = {
    {"insert into t (a) values ('x')", DBAL_ERROR_INTEGRITY, "23505", "t.a", 0},
    {"insert into t (id, a) values (1, 'y')", DBAL_ERROR_INTEGRITY, "23505", "t.id", 0},
    {"insert into t (a) values (null)", DBAL_ERROR_INTEGRITY, "23502", "t.a", 0},
    {"insert into t (a, b) values ('y', 0)", DBAL_ERROR_INTEGRITY, "23514", "b > 0", 0},
    {"insert into t (a, p) values ('y', 7)", DBAL_ERROR_INTEGRITY, "23503", NULL, 0},
    {"delete from t", DBAL_ERROR_INTEGRITY, "23000", NULL, 0},
    {"insert into strict values ('text')", DBAL_ERROR_INTEGRITY, "23514", NULL, 0},
    {"insert into t (id, a) values ('text', 'y')", DBAL_ERROR_DATA, "42804", NULL, 0},
    {"selec 1", DBAL_ERROR_PROGRAMMING, "42601", NULL, 1},
    {"select 1 frm t", DBAL_ERROR_PROGRAMMING, "42601", NULL, 14},
    {"select 'never ends", DBAL_ERROR_PROGRAMMING, "42601", NULL, 8},
    {"select (1", DBAL_ERROR_PROGRAMMING, "42601", NULL, 0},
    {"select * from nosuch", DBAL_ERROR_PROGRAMMING, "42P01", NULL, 0},
    {"select nosuch from t", DBAL_ERROR_PROGRAMMING, "42703", NULL, 8},
    {"insert into t (nosuch) values (1)", DBAL_ERROR_PROGRAMMING, "42703", NULL, 0},
    {"select nosuch(1)", DBAL_ERROR_PROGRAMMING, "42883", NULL, 8},
    {"select abs(1, 2)", DBAL_ERROR_PROGRAMMING, "42883", NULL, 8},
    {"select id from t, t as u", DBAL_ERROR_PROGRAMMING, "42702", NULL, 8},
    {"create table t (a)", DBAL_ERROR_PROGRAMMING, "42P07", NULL, 0},
    {"create table u (a, a)", DBAL_ERROR_PROGRAMMING, "42701", NULL, 0},
    {"select abs(-9223372036854775807 - 1)", DBAL_ERROR_DATA, "22003", NULL, 0},
    {"select json_extract('{', '$.a')", DBAL_ERROR_DATA, "22032", NULL, 0},
    {"select zeroblob(2000000000)", DBAL_ERROR_DATA, "54000", NULL, 0},
    {"select 'a' like 'a' escape 'bc'", DBAL_ERROR_DATA, "22019", NULL, 0},
    {"commit", DBAL_ERROR_PROGRAMMING, "25P01", NULL, 0},
    {"rollback to nosuch", DBAL_ERROR_PROGRAMMING, "3B001", NULL, 0},
    {"select 1; select 2", DBAL_ERROR_PROGRAMMING, "42601", NULL, 10},
    {"-- nothing", DBAL_ERROR_PROGRAMMING, "42601", NULL, 0},
    {"attach '/no/such/folder/x' as y", DBAL_ERROR_OPERATIONAL, "58030", NULL, 0},
    {"pragma journal_mode = delete", DBAL_ERROR_INTERFACE, "", NULL, 0},
    {"select ?1", DBAL_ERROR_PROGRAMMING, "07001", NULL, 0},
};

START_TEST(failures)
{
    ask_fails(&db, table[_i].sql, DBAL_NO_PARAMS, table[_i].error_class, table[_i].sqlstate);
    const char *constraint = dbal_error_constraint(db.error);
    ck_assert((constraint == NULL) == (table[_i].constraint == NULL));
    if (constraint != NULL)
        ck_assert_str_eq(constraint, table[_i].constraint);
    if (table[_i].position != 0)
        ck_assert_int_eq(dbal_error_position(db.error), table[_i].position);
    ck_assert(!dbal_error_retryable(db.error));
    ck_assert_int_eq(dbal_error_execution(db.error), DBAL_EXECUTION_FAILED);
    ask_int64(&db, "select count(*) from t", 1);
    ck_assert(!dbal_sqlite_driver.blocking->in_transaction(db.connection));
}
END_TEST

START_TEST(too_many_parameters)
{
    enum { MANY = 300000 };
    static dbal_value values[MANY];
    ask_fails(&db, "select 1", (dbal_params){MANY, values}, DBAL_ERROR_PROGRAMMING, "54023");
    ask_fails(&db, "select 1", DBAL_PARAMS(dbal_int64(1)), DBAL_ERROR_PROGRAMMING, "07001");
    /* a cached one too */
    ASK(&db, "select 2");
    ask_fails(&db, "select 2", DBAL_PARAMS(dbal_int64(1)), DBAL_ERROR_PROGRAMMING, "07001");
}
END_TEST

START_TEST(locked_by_another_program)
{
    sqlite3 *outsider = outsider_open(&db);
    outsider_run(outsider, "begin immediate");
    ask_fails(&db, "insert into t (a) values ('y')", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL,
              "55P03");
    ck_assert(dbal_error_retryable(db.error));
    ck_assert_int_eq(dbal_error_vendor_code(db.error), SQLITE_BUSY);
    ask_int64(&db, "select count(*) from t", 1);
    outsider_run(outsider, "commit");
    ASK(&db, "insert into t (a) values ('y')");
    sqlite3_close(outsider);
}
END_TEST

START_TEST(a_snapshot_that_is_too_old)
{
    sqlite3 *outsider = outsider_open(&db);
    ASK(&db, "begin");
    ask_int64(&db, "select count(*) from t", 1);
    outsider_run(outsider, "insert into parent values (5)");
    ask_fails(&db, "insert into parent values (6)", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL,
              "40001");
    ck_assert(dbal_error_retryable(db.error));
    ASK(&db, "rollback");
    sqlite3_close(outsider);
}
END_TEST

START_TEST(disk_full)
{
    ASK(&db, "pragma max_page_count = 20");
    ask_fails(&db, "insert into t (a) values (hex(zeroblob(200000)))", DBAL_NO_PARAMS,
              DBAL_ERROR_OPERATIONAL, "53100");
    ck_assert(!dbal_error_retryable(db.error));
    ck_assert_int_eq(dbal_error_execution(db.error), DBAL_EXECUTION_FAILED);
    ask_int64(&db, "select count(*) from t", 1);
}
END_TEST

/* nobody can tell whether the log's end reached the disk */
START_TEST(a_write_that_fails)
{
    struct rlimit limit, small;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    small = limit;
    small.rlim_cur = 100000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool ok = ask(&db, "insert into t (a) values (hex(zeroblob(200000)))", DBAL_NO_PARAMS);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, before);
    ck_assert(!ok);
    expect_error(db.error, DBAL_ERROR_OPERATIONAL, "58030");
    ck_assert_int_eq(dbal_error_execution(db.error), DBAL_EXECUTION_UNKNOWN);
    ck_assert(!dbal_error_retryable(db.error));
    ask_int64(&db, "select count(*) from t", 1);
}
END_TEST

START_TEST(a_damaged_file)
{
    ASK(&db, "create table big (a)");
    ASK(&db, "insert into big select hex(randomblob(500)) from (with recursive c(x) as (select 1 "
             "union all select x + 1 from c where x < 100) select x from c)");
    database_close(&db);
    FILE *file = fopen(db.path, "r+");
    ck_assert_ptr_nonnull(file);
    for (long page = 7; page < 20; page++) {
        fseek(file, page * 4096, SEEK_SET);
        for (int i = 0; i < 4096; i++)
            putc(0xee, file);
    }
    fclose(file);
    ck_assert(database_try_open(&db));
    ask_fails(&db, "select sum(length(a)) from big", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL,
              "XX001");
    ck_assert(!dbal_error_retryable(db.error));
}
END_TEST

/* SQLite's memory runs out at one place after the other */
START_TEST(no_memory_while_running)
{
    static const char sql[] =
        "replace into t (id, a) values (50, hex(zeroblob(20000))) returning a, length(a), id";
    int refused = 0, accepted = 0;
    for (int extra = 0; extra < 400000; extra += 1000) {
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + extra);
        bool ok = ask(&db, sql, DBAL_NO_PARAMS);
        sqlite3_hard_heap_limit64(0);
        if (ok) {
            accepted++;
            continue;
        }
        refused++;
        expect_error(db.error, DBAL_ERROR_NO_MEMORY, "53200");
        ask_int64(&db, "select 1", 1);
        ck_assert(!dbal_sqlite_driver.blocking->in_transaction(db.connection));
    }
    ck_assert_int_gt(refused, 10);
    ck_assert_int_gt(accepted, 10);
    ck_assert_int_eq(sqlite3_hard_heap_limit64(-1), 0);
}
END_TEST

START_TEST(no_memory_while_opening)
{
    int refused = 0, accepted = 0;
    database_close(&db);
    for (int extra = 0; extra < 200000; extra += 1000) {
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + extra);
        bool ok = database_try_open(&db);
        sqlite3_hard_heap_limit64(0);
        accepted += ok;
        if (!ok) {
            refused++;
            expect_error(db.error, DBAL_ERROR_NO_MEMORY, "53200");
        }
        database_close(&db);
    }
    ck_assert_int_gt(refused, 10);
    ck_assert_int_gt(accepted, 10);
    ck_assert(database_try_open(&db));
    ask_int64(&db, "select count(*) from t", 1);
}
END_TEST

/* messages never show a parameter's value */
START_TEST(values_stay_hidden)
{
    ASK(&db, "create virtual table f using fts5 (a)");
    ask_fails(&db, "select * from f where f match ?1", DBAL_PARAMS(dbal_text("secret AND AND")),
              DBAL_ERROR_DATA, "22000");
    ask_fails(&db, "select * from f where f match ?1", DBAL_PARAMS(dbal_text("secret:x")),
              DBAL_ERROR_PROGRAMMING, "42703");
    ck_assert_ptr_null(strstr(dbal_error_message(db.error), "secret"));
    ask_fails(&db, "attach ?1 as y", DBAL_PARAMS(dbal_text("/no/secret/x")), DBAL_ERROR_OPERATIONAL,
              "58030");
    ck_assert_ptr_null(strstr(dbal_error_message(db.error), "secret"));
    ask_fails(&db, "select json_extract('{}', ?1)", DBAL_PARAMS(dbal_text("secret")),
              DBAL_ERROR_DATA, "22033");
    ck_assert_ptr_null(strstr(dbal_error_message(db.error), "secret"));
    ask_fails(&db, "vacuum into ?1", DBAL_PARAMS(dbal_text("/no/secret/x")), DBAL_ERROR_OPERATIONAL,
              "58030");
    ck_assert_ptr_null(strstr(dbal_error_message(db.error), "secret"));
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(ask(&db, "attach ':memory:' as ?1", DBAL_PARAMS(dbal_text("secret"))),
                         i == 0);
    ck_assert_ptr_null(strstr(dbal_error_message(db.error), "secret"));
    ask_fails(&db, "vacuum into ?1", DBAL_PARAMS(dbal_text(db.path)), DBAL_ERROR_PROGRAMMING,
              "42P07");
    ask_fails(&db, "select json_extract('{}', ?1)", DBAL_PARAMS(dbal_int64(-4711)), DBAL_ERROR_DATA,
              "22033");
    ck_assert_ptr_null(strstr(dbal_error_message(db.error), "4711"));
}
END_TEST

START_TEST(constraint_names)
{
    char name[32];
    ck_assert(dbal__sqlite_message_constraint("UNIQUE constraint failed: index 'i'", name, 32));
    ck_assert_str_eq(name, "i");
    ck_assert(dbal__sqlite_message_constraint("UNIQUE constraint failed: t.a, t.b", name, 32));
    ck_assert_str_eq(name, "t.a, t.b");
    ck_assert(!dbal__sqlite_message_constraint("FOREIGN KEY constraint failed", name, 32));
}
END_TEST

Suite *
failure_suite(void)
{
    Suite *suite = suite_create("sqlite failures");
    TCase *tests = tcase_create("failures");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, failures, 0, sizeof table / sizeof table[0]);
    tcase_add_test(tests, too_many_parameters);
    tcase_add_test(tests, locked_by_another_program);
    tcase_add_test(tests, a_snapshot_that_is_too_old);
    tcase_add_test(tests, disk_full);
    tcase_add_test(tests, a_write_that_fails);
    tcase_add_test(tests, a_damaged_file);
    tcase_add_test(tests, no_memory_while_running);
    tcase_add_test(tests, no_memory_while_opening);
    tcase_add_test(tests, values_stay_hidden);
    tcase_add_test(tests, constraint_names);
    suite_add_tcase(suite, tests);
    return suite;
}
