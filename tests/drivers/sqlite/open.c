#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

static database db;

static void
setup(void)
{
    database_init(&db);
}

static void
teardown(void)
{
    database_fini(&db);
}

static void
expect_refusal(dbal_error_class error_class, const char *sqlstate, const char *says)
{
    ck_assert(!database_try_open(&db));
    expect_error(db.error, error_class, sqlstate);
    ck_assert_msg(strstr(dbal_error_message(db.error), says) != NULL, "%s",
                  dbal_error_message(db.error));
    ck_assert_int_ne(dbal_error_vendor_code(db.error), 0);
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(what_open_tells)
{
    database_open(&db, NULL);
    struct stat status;
    ck_assert_int_eq(stat(db.path, &status), 0);
    ck_assert_int_eq(db.opening.max_connections, 0);
    ck_assert_uint_eq(db.opening.token_size, 16);
    ck_assert(db.opening.token_timeout == 5.0);
    uint8_t token[32];
    memcpy(token, db.opening.token, sizeof token);
    database_close(&db);
    database_open(&db, "busy_timeout=1.5");
    ck_assert_mem_eq(token, db.opening.token, 16);
    ck_assert(db.opening.token_timeout == 1.5);
}
END_TEST

START_TEST(safe_settings)
{
    static const struct {
        const char *sql;
        int64_t value;
    } settings[] = {
        {"pragma foreign_keys", 1},       {"pragma trusted_schema", 0},
        {"pragma cell_size_check", 1},    {"pragma mmap_size", 0},
        {"pragma synchronous", 2},        {"pragma cache_size", -65536},
        {"pragma recursive_triggers", 0},
    };
    database_open(&db, "cache_size=64M");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        ask_int64(&db, settings[i].sql, settings[i].value);
    ASK(&db, "pragma journal_mode");
    ck_assert_str_eq(dbal_result_text(db.result, 0, 0), "wal");
    ASK(&db, "create table t (a)");
    /* a quoted word is a name, never a string */
    ask_fails(&db, "select \"nosuch\" from t", DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42703");
    /* defensive: the schema cannot be written by hand, whatever the PRAGMA says */
    ASK(&db, "pragma writable_schema = on");
    ask_fails(&db, "delete from sqlite_schema", DBAL_NO_PARAMS, DBAL_ERROR_PROGRAMMING, "42501");
    ck_assert(!ask(&db, "select load_extension('x')", DBAL_NO_PARAMS));
}
END_TEST

START_TEST(memory_is_one_connection)
{
    database_configure(&db, ":memory:", NULL);
    ck_assert(database_try_open(&db));
    ck_assert_int_eq(db.opening.max_connections, 1);
    ck_assert_uint_eq(db.opening.token_size, 0);
    db.has_token = false;
    ASK(&db, "create table t (a)");
    ASK(&db, "insert into t values (1)");
    ask_int64(&db, "select count(*) from t", 1);
}
END_TEST

START_TEST(without_wal_there_is_one_connection)
{
    static const char *const modes[] = {"delete", "truncate", "persist", "memory", "off"};
    char parameter[64];
    snprintf(parameter, sizeof parameter, "journal_mode=%s", modes[_i]);
    database_open(&db, parameter);
    ck_assert_int_eq(db.opening.max_connections, 1);
    ck_assert_uint_eq(db.opening.token_size, 16);
    ASK(&db, "pragma journal_mode");
    ck_assert_str_eq(dbal_result_text(db.result, 0, 0), modes[_i]);
}
END_TEST

START_TEST(reading_only)
{
    database_open(&db, NULL);
    ASK(&db, "create table t (a)");
    database_close(&db);
    database_open(&db, "mode=ro");
    ck_assert_int_eq(db.opening.max_connections, 0);
    ck_assert_uint_eq(db.opening.token_size, 0);
    ask_int64(&db, "select count(*) from t", 0);
    ask_fails(&db, "insert into t values (1)", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25006");
    ck_assert(!dbal_error_retryable(db.error));
}
END_TEST

START_TEST(missing_files)
{
    database_configure(&db, db.path, "mode=ro");
    expect_refusal(DBAL_ERROR_OPERATIONAL, "08001", "mode=ro");
    ck_assert(!dbal_error_retryable(db.error));
    database_configure(&db, db.path, "mode=rw");
    expect_refusal(DBAL_ERROR_OPERATIONAL, "08001", "mode=rw");
    ck_assert_int_ne(access(db.path, F_OK), 0);
}
END_TEST

START_TEST(a_missing_folder)
{
    char path[160];
    snprintf(path, sizeof path, "%s/no/test.db", db.folder);
    database_configure(&db, path, NULL);
    expect_refusal(DBAL_ERROR_OPERATIONAL, "08001", "directory does not exist");
}
END_TEST

START_TEST(a_folder_instead_of_a_file)
{
    database_configure(&db, db.folder, NULL);
    expect_refusal(DBAL_ERROR_OPERATIONAL, "08001", "is a directory");
}
END_TEST

START_TEST(a_pipe_instead_of_a_file)
{
    ck_assert_int_eq(mkfifo(db.path, 0600), 0);
    database_configure(&db, db.path, "mode=ro");
    expect_refusal(DBAL_ERROR_OPERATIONAL, "08001", "not a regular file");
}
END_TEST

START_TEST(not_a_database)
{
    char text[2048];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    write_file(db.path, text);
    database_configure(&db, db.path, NULL);
    expect_refusal(DBAL_ERROR_OPERATIONAL, "XX001", "not a SQLite database");
    ck_assert(!dbal_error_retryable(db.error));
}
END_TEST

/* a locked one is waited for, then given up; another time it may work */
START_TEST(locked_by_another_program)
{
    sqlite3 *outsider = outsider_open(&db);
    outsider_run(outsider, "create table t (a); begin exclusive");
    database_configure(&db, db.path, "busy_timeout=0.02");
    expect_refusal(DBAL_ERROR_OPERATIONAL, "55P03", "locked");
    ck_assert(dbal_error_retryable(db.error));
    outsider_run(outsider, "commit");
    ck_assert(database_try_open(&db));
    database_close(&db);
    sqlite3_close(outsider);
}
END_TEST

START_TEST(a_deadline_ends_the_wait)
{
    sqlite3 *outsider = outsider_open(&db);
    outsider_run(outsider, "create table t (a); begin exclusive");
    database_configure(&db, db.path, "busy_timeout=3600");
    int64_t begun = now();
    db.deadline = begun + 20000000;
    expect_refusal(DBAL_ERROR_OPERATIONAL, "55P03", "locked");
    ck_assert_int_lt(now() - begun, INT64_C(60000000000));
    sqlite3_close(outsider);
}
END_TEST

/* file permissions bind root too, once it is somebody else for the file system */
static void
become(unsigned user)
{
    if (geteuid() == 0) {
        setfsuid(user);
        setfsgid(user);
    }
}

START_TEST(a_file_that_may_not_be_read)
{
    write_file(db.path, "");
    ck_assert_int_eq(chmod(db.path, 0), 0);
    ck_assert_int_eq(chmod(db.folder, 0755), 0);
    database_configure(&db, db.path, NULL);
    become(65534);
    bool opened = database_try_open(&db);
    become(0);
    ck_assert(!opened);
    expect_error(db.error, DBAL_ERROR_OPERATIONAL, "08001");
    ck_assert_ptr_nonnull(strstr(dbal_error_message(db.error), "permissions"));
}
END_TEST

/* as on a read-only file system: it can be read, and each write says why it cannot be done */
START_TEST(a_file_that_may_only_be_read)
{
    database_open(&db, "journal_mode=delete");
    ASK(&db, "create table t (a)");
    database_close(&db);
    ck_assert_int_eq(chmod(db.path, 0444), 0);
    ck_assert_int_eq(chmod(db.folder, 0555), 0);
    database_configure(&db, db.path, NULL);
    become(65534);
    bool opened = database_try_open(&db);
    bool read = opened && ask(&db, "select count(*) from t", DBAL_NO_PARAMS);
    bool written = read && ask(&db, "insert into t values (1)", DBAL_NO_PARAMS);
    become(0);
    ck_assert_int_eq(chmod(db.folder, 0755), 0);
    ck_assert(opened && read && !written);
    ck_assert_int_eq(db.opening.max_connections, 1);
    expect_error(db.error, DBAL_ERROR_OPERATIONAL, "25006");
}
END_TEST

/* the log is copied back when nobody uses the database any more */
START_TEST(the_last_close_leaves_one_file)
{
    char log[128];
    snprintf(log, sizeof log, "%s-wal", db.path);
    database_open(&db, NULL);
    ASK(&db, "create table t (a)");
    ck_assert_int_eq(access(log, F_OK), 0);
    database_close(&db);
    ck_assert_int_ne(access(log, F_OK), 0);
}
END_TEST

Suite *
open_suite(void)
{
    Suite *suite = suite_create("sqlite open");
    TCase *tests = tcase_create("open");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_open_tells);
    tcase_add_test(tests, safe_settings);
    tcase_add_test(tests, memory_is_one_connection);
    tcase_add_loop_test(tests, without_wal_there_is_one_connection, 0, 5);
    tcase_add_test(tests, reading_only);
    tcase_add_test(tests, missing_files);
    tcase_add_test(tests, a_missing_folder);
    tcase_add_test(tests, a_folder_instead_of_a_file);
    tcase_add_test(tests, a_pipe_instead_of_a_file);
    tcase_add_test(tests, not_a_database);
    tcase_add_test(tests, locked_by_another_program);
    tcase_add_test(tests, a_deadline_ends_the_wait);
    tcase_add_test(tests, a_file_that_may_not_be_read);
    tcase_add_test(tests, a_file_that_may_only_be_read);
    tcase_add_test(tests, the_last_close_leaves_one_file);
    suite_add_tcase(suite, tests);
    return suite;
}
