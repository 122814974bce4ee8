#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

enum { ROWS = 6000 };

static database db;
static char target[128];
static sqlite3 *outsider;
static int told;
static int64_t done, total;

static bool
listen(dbal_request *request, dbal_result *rows)
{
    (void)request;
    told++;
    ck_assert_int_ge(dbal_result_int64(rows, 0, 0), done);
    done = dbal_result_int64(rows, 0, 0);
    total = dbal_result_int64(rows, 0, 1);
    ck_assert_int_le(done, total);
    dbal_result_unref(rows);
    return true;
}

/* Some six megabytes, so that it takes several steps. */
static void
setup(void)
{
    database_init(&db);
    database_open(&db, NULL);
    ASK(&db, "create table t (id integer primary key, a, b)");
    ASK(&db, "create index i on t (a)");
    ask_ok(&db,
           "with recursive c(x) as (select 1 union all select x + 1 from c where x < ?1) "
           "insert into t (a, b) select x, zeroblob(1000) from c",
           DBAL_PARAMS(dbal_int64(ROWS)));
    snprintf(target, sizeof target, "%s/copy.db", db.folder);
    told = 0;
    done = total = 0;
    outsider = NULL;
    db.deliver = listen;
    db.batch_rows = 1;
}

static void
teardown(void)
{
    sqlite3_close(outsider);
    database_fini(&db);
}

/* Files whose names begin so. */
static int
files(const char *name)
{
    DIR *directory = opendir(db.folder);
    int count = 0;
    ck_assert_ptr_nonnull(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += strncmp(entry->d_name, name, strlen(name)) == 0;
    closedir(directory);
    return count;
}

static int64_t
number_in(sqlite3 *handle, const char *sql)
{
    sqlite3_stmt *stmt;
    ck_assert_int_eq(sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

/* The copy is whole and has so many rows. */
static void
expect_copy(int64_t rows)
{
    sqlite3 *copy;
    ck_assert_int_eq(sqlite3_open_v2(target, &copy, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(number_in(copy, "select count(*) from pragma_integrity_check "
                                     "where integrity_check = 'ok'"),
                     1);
    ck_assert_int_eq(number_in(copy, "select count(*) from t"), rows);
    ck_assert_int_eq(sqlite3_close(copy), SQLITE_OK);
    ck_assert_int_eq(files("copy.db"), 1);
}

static void
expect_nothing(void)
{
    ck_assert_int_eq(files("copy.db"), 0);
    /* and the connection is as good as before */
    ck_assert(!dbal_sqlite_driver.blocking->in_transaction(db.connection));
    db.deliver = NULL;
    ASK(&db, "update t set a = 0 where id = 1");
    ask_int64(&db, "select count(*) from t", ROWS);
}

static void
fails(const char *where, const char *sqlstate, const char *says)
{
    ck_assert(!back_up(&db, where));
    expect_error(db.error, DBAL_ERROR_OPERATIONAL, sqlstate);
    ck_assert_msg(strstr(dbal_error_message(db.error), says) != NULL, "%s",
                  dbal_error_message(db.error));
}

START_TEST(a_copy_is_the_database)
{
    ck_assert_int_eq(chmod(db.path, 0600), 0);
    ck_assert_msg(back_up(&db, target), "%s", dbal_error_message(db.error));
    struct stat status;
    ck_assert_int_eq(stat(target, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_ge(told, 5);
    ck_assert_int_eq(done, status.st_size);
    ck_assert_int_eq(total, status.st_size);
    ck_assert(!dbal_sqlite_driver.blocking->in_transaction(db.connection));
    expect_copy(ROWS);
}
END_TEST

/* the copy would be of a file that nobody else has any more */
START_TEST(not_of_a_file_that_is_gone)
{
    char aside[128];
    snprintf(aside, sizeof aside, "%s.aside", db.path);
    ck_assert_int_eq(rename(db.path, aside), 0);
    ck_assert(!back_up(&db, target));
    expect_error(db.error, DBAL_ERROR_OPERATIONAL, "58P01");
    ck_assert(dbal_error_connection_lost(db.error));
    ck_assert_int_eq(files("copy.db"), 0);
}
END_TEST

START_TEST(of_a_database_in_memory)
{
    database_close(&db);
    database_configure(&db, ":memory:", "page_size=1024");
    ck_assert(database_try_open(&db));
    db.has_token = false;
    ASK(&db, "create table t (a)");
    ASK(&db, "insert into t values (1), (2)");
    ck_assert_msg(back_up(&db, target), "%s", dbal_error_message(db.error));
    expect_copy(2);
}
END_TEST

/* Another connection writes between every two steps, and never has to wait. */
static bool
write_meanwhile(dbal_request *request, dbal_result *rows)
{
    outsider_run(outsider, "insert into t (a, b) values (1, zeroblob(5000))");
    outsider_run(outsider, "update t set a = a + 1 where id % 50 = 0");
    return listen(request, rows);
}

START_TEST(it_is_one_moment_while_others_write)
{
    outsider = outsider_open(&db);
    db.deliver = write_meanwhile;
    ck_assert_msg(back_up(&db, target), "%s", dbal_error_message(db.error));
    ck_assert_int_ge(told, 5);
    /* it has not begun anew */
    ck_assert_int_le(told, 20);
    ck_assert_int_eq(number_in(outsider, "select count(*) from t"), ROWS + told);
    expect_copy(ROWS);
    sqlite3 *copy;
    ck_assert_int_eq(sqlite3_open(target, &copy), SQLITE_OK);
    ck_assert_int_eq(number_in(copy, "select sum(a) from t"), (int64_t)ROWS * (ROWS + 1) / 2);
    sqlite3_close(copy);
}
END_TEST

static bool
stop_it(dbal_request *request, dbal_result *rows)
{
    bool more = listen(request, rows);
    if (told == 3)
        atomic_store(&request->stopped, true);
    return more;
}

START_TEST(stopped_in_the_middle_it_leaves_nothing)
{
    db.deliver = stop_it;
    ck_assert(!back_up(&db, target));
    expect_error(db.error, DBAL_ERROR_CANCELLED, "57014");
    ck_assert_int_eq(told, 3);
    expect_nothing();
}
END_TEST

START_TEST(it_has_a_deadline)
{
    db.deadline = now();
    ck_assert(!back_up(&db, target));
    expect_error(db.error, DBAL_ERROR_CANCELLED, "57014");
    db.deadline = INT64_MAX;
    expect_nothing();
}
END_TEST

static void
touch(const char *end)
{
    char name[160];
    snprintf(name, sizeof name, "%s%s", target, end);
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    fputs("mine", file);
    fclose(file);
}

static void
expect_mine(void)
{
    char text[8] = "";
    FILE *file = fopen(target, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    fclose(file);
    ck_assert_str_eq(text, "mine");
    ck_assert_int_eq(files("copy.db"), 1);
}

START_TEST(nothing_is_overwritten)
{
    touch("");
    fails(target, "58P02", "it exists already");
    expect_mine();
    fails(db.path, "58P02", "it is the database itself");
    ck_assert_int_eq(unlink(target), 0);
    ck_assert_int_eq(symlink(db.path, target), 0);
    fails(target, "58P02", "it is the database itself");
    ck_assert_int_eq(unlink(target), 0);
    ck_assert_int_eq(symlink("/nowhere/at/all", target), 0);
    fails(target, "58P02", "it exists already");
    ck_assert_int_eq(unlink(target), 0);
    touch("-wal");
    fails(target, "58P02", "a log of another database");
    ck_assert_int_eq(told, 0);
}
END_TEST

static bool
take_its_name(dbal_request *request, dbal_result *rows)
{
    if (told == 1)
        touch("");
    return listen(request, rows);
}

START_TEST(nor_what_came_meanwhile)
{
    db.deliver = take_its_name;
    fails(target, "58P02", "it exists already");
    ck_assert_int_ge(told, 5);
    expect_mine();
}
END_TEST

START_TEST(places_that_cannot_be)
{
    char place[256];
    snprintf(place, sizeof place, "%s/no/such/copy.db", db.folder);
    fails(place, "58030", "No such file or directory");
    snprintf(place, sizeof place, "%s/copy.db", db.path);
    fails(place, "58030", "Not a directory");
    ck_assert(!back_up(&db, ""));
    expect_error(db.error, DBAL_ERROR_INTERFACE, "");
    ck_assert_int_eq(told, 0);
    expect_nothing();
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

START_TEST(a_folder_that_may_not_be_written_to)
{
    ck_assert_int_eq(chmod(db.folder, 0555), 0);
    become(65534);
    bool ok = back_up(&db, target);
    become(0);
    ck_assert_int_eq(chmod(db.folder, 0755), 0);
    ck_assert(!ok);
    expect_error(db.error, DBAL_ERROR_OPERATIONAL, "58030");
    ck_assert_ptr_nonnull(strstr(dbal_error_message(db.error), "Permission denied"));
    expect_nothing();
}
END_TEST

START_TEST(a_path_may_be_relative)
{
    char *before = getcwd(NULL, 0);
    ck_assert_int_eq(chdir(db.folder), 0);
    ck_assert_msg(back_up(&db, "copy.db"), "%s", dbal_error_message(db.error));
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    expect_copy(ROWS);
}
END_TEST

/* like a full disk */
START_TEST(without_room_it_leaves_nothing)
{
    struct rlimit limit = {2 << 20, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(!back_up(&db, target));
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(dbal_error_is(db.error, DBAL_ERROR_OPERATIONAL));
    ck_assert_ptr_nonnull(strstr(dbal_error_message(db.error), target));
    expect_nothing();
}
END_TEST

Suite *
backup_suite(void)
{
    Suite *suite = suite_create("sqlite backup");
    TCase *tests = tcase_create("backup");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_copy_is_the_database);
    tcase_add_test(tests, not_of_a_file_that_is_gone);
    tcase_add_test(tests, of_a_database_in_memory);
    tcase_add_test(tests, it_is_one_moment_while_others_write);
    tcase_add_test(tests, stopped_in_the_middle_it_leaves_nothing);
    tcase_add_test(tests, it_has_a_deadline);
    tcase_add_test(tests, nothing_is_overwritten);
    tcase_add_test(tests, nor_what_came_meanwhile);
    tcase_add_test(tests, places_that_cannot_be);
    tcase_add_test(tests, a_folder_that_may_not_be_written_to);
    tcase_add_test(tests, a_path_may_be_relative);
    tcase_add_test(tests, without_room_it_leaves_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
