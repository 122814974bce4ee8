/* A database file that is deleted, moved, replaced, shortened or damaged while a pool has it open. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/faults.h"
#include "tests/lib/suite.h"

static char other[128];

/* ---- another process at the file --------------------------------------------------------------- */

/*
 * This process must not open the file besides SQLite: closing it would drop SQLite's locks. Only
 * calls that are safe between fork() and the end.
 */
static void
in_child(void (*act)(void))
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        act();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

enum { PAGE = 4096, PAGES_MOST = 64 };

static unsigned char saved[PAGES_MOST][PAGE];
static int first_page, last_page; /* as SQLite counts, from 1 */

static void
damage(void)
{
    static const unsigned char bytes[PAGE] = {[0 ... PAGE - 1] = 0xee};
    int fd = open(path, O_WRONLY);
    for (int page = first_page; page <= last_page; page++)
        if (pwrite(fd, bytes, PAGE, (off_t)(page - 1) * PAGE) != PAGE)
            _exit(1);
}

static void
restore(void)
{
    int fd = open(path, O_WRONLY);
    for (int page = first_page; page <= last_page; page++)
        if (pwrite(fd, saved[page - 1], PAGE, (off_t)(page - 1) * PAGE) != PAGE)
            _exit(1);
}

static void
shorten(void)
{
    if (truncate(path, (off_t)(first_page - 1) * PAGE) != 0)
        _exit(1);
}

/* Reads all pages before anybody has the file open. */
static void
save_pages(void)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(saved, PAGE, PAGES_MOST, file), 10);
    fclose(file);
}

/* Two tables on pages of their own. */
static void
make_tables(void)
{
    sqlite3 *outsider = outsider_open(path);
    outsider_run(outsider,
                 "pragma page_size = 4096; pragma journal_mode = wal;"
                 "create table a(text); create table b(text);"
                 "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20) "
                 "insert into a select hex(zeroblob(1000)) from n;"
                 "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20) "
                 "insert into b select hex(zeroblob(1000)) from n");
    ck_assert_int_eq(sqlite3_close(outsider), SQLITE_OK);
}

static uint64_t
lost(void)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    return counts.lost;
}

/* ---- damaged ----------------------------------------------------------------------------------- */

static int64_t
page_of(const char *sql)
{
    sqlite3 *outsider = outsider_open(path);
    int64_t page = outsider_number(outsider, sql);
    sqlite3_close(outsider);
    return page;
}

/* what hits it says so; what does not goes on; once it is restored, the same connections read it */
START_TEST(damaged_in_the_middle)
{
    make_tables();
    int root = (int)page_of("select rootpage from sqlite_schema where name = 'a'");
    save_pages();
    open_plain_pool("pool_max_size=2");
    good(dbal_pool_ready(pool));
    first_page = last_page = root;
    in_child(damage);
    bad(ask("select sum(length(text)) from a"), "XX001", ".recover");
    bad(ask("insert into a values ('x')"), "XX001", "integrity_check");
    ck_assert_int_eq(number("select sum(length(text)) from b"), 40000);
    good(ask("insert into b values ('x')"));
    in_child(restore);
    ck_assert_int_eq(number("select sum(length(text)) from a"), 40000);
    good(ask("insert into a values ('x')"));
    ck_assert_uint_eq(lost(), 0);
}
END_TEST

START_TEST(shortened)
{
    make_tables();
    int last = (int)page_of("select rootpage from sqlite_schema where name = 'b'");
    save_pages();
    last_page = (int)page_of("pragma page_count");
    open_plain_pool("pool_max_size=2");
    good(dbal_pool_ready(pool));
    first_page = last + 1; /* both roots stay */
    in_child(shorten);
    bad(ask("select sum(length(text)) from b"), "XX001", ".recover");
    ck_assert_int_eq(number("select 1"), 1);
    in_child(restore);
    ck_assert_int_eq(number("select sum(length(text)) from b"), 40000);
    ck_assert_uint_eq(lost(), 0);
}
END_TEST

START_TEST(overwritten_with_something_else)
{
    make_tables();
    save_pages();
    first_page = 1;
    last_page = (int)page_of("pragma page_count");
    in_child(damage);
    open_plain_pool("");
    bad(ask("select sum(length(text)) from a"), "XX001", "not a SQLite database");
    in_child(restore);
    ck_assert_int_eq(number("select sum(length(text)) from a"), 40000);
}
END_TEST

/* ---- gone -------------------------------------------------------------------------------------- */

/*
 * A connection looks every few milliseconds, when it is used: asks until the log tells that one has
 * been closed for it. A statement that has not begun goes to another connection.
 */
static void
until_noticed(const char *sql, const char *words)
{
    ck_assert_uint_eq(log_lines_count(&fixture.log, words), 0);
    while (log_lines_count(&fixture.log, words) == 0) {
        dbal_outcome outcome = loop_fixture_await(&fixture, ask(sql));
        dbal_outcome_clear(&outcome);
    }
    ck_assert_uint_ge(log_lines_count(&fixture.log, "a connection was lost"), 1);
}

static void
move(const char *from, const char *to)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char source[160], target[160];
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(source, sizeof source, "%s%s", from, ends[i]);
        snprintf(target, sizeof target, "%s%s", to, ends[i]);
        rename(source, target);
    }
}

static const struct {
    const char *sql, *parameters;
} uses[] = {
    {"select count(*) from t", "pool_max_size=1"},
    {"insert into t values (1)", "pool_max_size=1"},
    {"insert into t values (1)", "pool_max_size=1&journal_mode=delete"},
    {"select count(*) from t", "pool_max_size=1&mode=ro"},
};

static void
open_one(const char *parameters)
{
    open_plain_pool("");
    good(ask("create table t(n)"));
    close_pool();
    open_plain_pool(parameters);
    good(ask("select count(*) from t"));
}

/* it is not made anew, empty, behind everybody's back; and found when it is there again */
START_TEST(moved_away_and_back)
{
    snprintf(other, sizeof other, "%s-other", path);
    open_one(uses[_i].parameters);
    move(path, other);
    until_noticed(uses[_i].sql, "gone");
    bad(ask(uses[_i].sql), "08001", "no such file");
    bad(ask(uses[_i].sql), "08001", "no such file");
    ck_assert_int_ne(access(path, F_OK), 0);
    move(other, path);
    good(ask(uses[_i].sql));
    ck_assert_uint_eq(lost(), 1);
}
END_TEST

START_TEST(deleted)
{
    open_one("pool_max_size=2");
    faults_remove(path);
    until_noticed("select count(*) from t", "gone");
    bad(ask("select count(*) from t"), "08001", "no such file");
    close_pool();
    open_plain_pool("");
    good(ask("create table t(n)"));
}
END_TEST

/* a pool that nobody uses still has the deleted file open: it is in nobody's way */
START_TEST(deleted_and_opened_by_another_pool)
{
    open_one("pool_max_size=1");
    dbal_pool *idle = pool;
    faults_remove(path);
    open_plain_pool("");
    good(ask("create table t(n)"));
    good(ask("insert into t values (1)"));
    dbal_pool *busy = pool;
    pool = idle;
    until_noticed("select count(*) from t", "gone");
    ck_assert_int_eq(number("select count(*) from t"), 1);
    pool = busy;
    ck_assert_int_eq(number("select count(*) from t"), 1);
}
END_TEST

/* ---- replaced ---------------------------------------------------------------------------------- */

static void
make_other(int64_t number_in_it)
{
    char sql[128];
    snprintf(other, sizeof other, "%s-other", path);
    sqlite3 *outsider = outsider_open(other);
    snprintf(sql, sizeof sql, "create table t(n); insert into t values (%d)", (int)number_in_it);
    outsider_run(outsider, sql);
    ck_assert_int_eq(sqlite3_close(outsider), SQLITE_OK);
}

/* with the log away, work goes on with the new file */
START_TEST(replaced_with_its_log_out_of_the_way)
{
    char file[160];
    open_one("pool_max_size=3");
    make_other(42);
    rename(other, path);
    snprintf(file, sizeof file, "%s-wal", path);
    unlink(file);
    snprintf(file, sizeof file, "%s-shm", path);
    unlink(file);
    until_noticed("select n from t", "replaced");
    ck_assert_int_eq(number("select n from t"), 42);
    good(ask("insert into t values (43)"));
    close_pool();
    sqlite3 *outsider = outsider_open(path);
    outsider_check(outsider, "replaced");
    ck_assert_int_eq(outsider_number(outsider, "select sum(n) from t"), 85);
    sqlite3_close(outsider);
}
END_TEST

/* SQLite would copy the old file's log into the new one */
START_TEST(replaced_under_its_log)
{
    char log[160], away[160];
    open_one("pool_max_size=3");
    good(ask("insert into t values (7)"));
    make_other(42);
    rename(other, path);
    until_noticed("select n from t", "replaced");
    bad(ask("select n from t"), "58P01", "move the -wal");
    bad(ask("insert into t values (1)"), "58P01", "would be copied");
    snprintf(log, sizeof log, "%s-wal", path);
    snprintf(away, sizeof away, "%s-away", path);
    rename(log, away);
    ck_assert_int_eq(number("select n from t"), 42);
    good(ask("insert into t values (43)"));
    ck_assert_int_eq(unlink(away), 0);
    close_pool();
    sqlite3 *outsider = outsider_open(path);
    outsider_check(outsider, "replaced");
    ck_assert_int_eq(outsider_number(outsider, "select sum(n) from t"), 85);
    sqlite3_close(outsider);
}
END_TEST

static dbal_outcome
insert(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "insert into t values (3)", DBAL_NO_PARAMS));
}

/* a transaction cannot go to another connection by itself: it is told, and may be run again */
START_TEST(replaced_while_transactions_run)
{
    open_one("pool_max_size=1&journal_mode=delete");
    make_other(42);
    rename(other, path);
    for (;;) {
        dbal_outcome outcome =
            loop_fixture_await(&fixture, dbal_pool_transaction(pool, NULL, insert, NULL));
        if (outcome.kind != DBAL_OUTCOME_VALUE) {
            dbal_error *error = dbal_outcome_error(outcome);
            ck_assert(dbal_error_connection_lost(error));
            ck_assert(dbal_error_retryable(error));
            bad_outcome(outcome, "58P01", "replaced");
            break;
        }
        dbal_outcome_clear(&outcome);
    }
    good(dbal_pool_transaction(pool, NULL, insert, NULL));
    ck_assert_int_eq(number("select sum(n) from t"), 45);
}
END_TEST

/* many connections, all on the old file, while work goes on: each says so once and is closed */
START_TEST(replaced_under_many_connections)
{
    enum { MANY = 40 };
    dbal_deferred *all[MANY];
    open_one("pool_min_size=4&pool_max_size=4&journal_mode=wal");
    good(dbal_pool_ready(pool));
    make_other(42);
    rename(other, path);
    char log[160];
    snprintf(log, sizeof log, "%s-wal", path);
    unlink(log);
    until_noticed("select n from t", "replaced");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            all[i] = ask("select n from t");
        dbal_outcome outcome =
            loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_ALL, MANY, all));
        dbal_outcome_clear(&outcome);
    }
    ck_assert_int_eq(number("select n from t"), 42);
    ck_assert_uint_le(lost(), 4);
}
END_TEST

static void
add_loop(Suite *suite, const TTest *test, int times)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, 60);
    tcase_add_checked_fixture(one, faults_before, faults_after);
    tcase_add_loop_test(one, test, 0, times);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("file");
    faults_add(suite, damaged_in_the_middle);
    faults_add(suite, shortened);
    faults_add(suite, overwritten_with_something_else);
    add_loop(suite, moved_away_and_back, sizeof uses / sizeof uses[0]);
    faults_add(suite, deleted);
    faults_add(suite, deleted_and_opened_by_another_pool);
    faults_add(suite, replaced_with_its_log_out_of_the_way);
    faults_add(suite, replaced_under_its_log);
    faults_add(suite, replaced_while_transactions_run);
    faults_add(suite, replaced_under_many_connections);
    return suite_run(suite);
}
