/*
 * What a process does to itself: a part of it drops SQLite's locks, it forks, it has no more files
 * or threads to give.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/faults.h"
#include "tests/lib/suite.h"
#include "tests/lib/thread_fault.h"

extern char **environ;

static const char *visitor; /* the program, see visitor.c */

static void
visit(const char *sql)
{
    char *words[] = {(char *)(uintptr_t)visitor, path, (char *)(uintptr_t)sql, NULL};
    int status;
    pid_t child;
    ck_assert_int_eq(posix_spawn(&child, visitor, NULL, NULL, words, environ), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool
is_there(const char *end)
{
    char file[128];
    snprintf(file, sizeof file, "%s%s", path, end);
    return access(file, F_OK) == 0;
}

static uint64_t
opened(void)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    return counts.opened;
}

static void
until_noticed(const char *words)
{
    while (log_lines_count(&fixture.log, words) == 0)
        number("select count(*) from t");
}

/* ---- locks ------------------------------------------------------------------------------------- */

/* The other program deletes the log only when it gets the file for itself. */
START_TEST(with_its_locks_a_visitor_leaves_the_log_alone)
{
    open_plain_pool("");
    good(ask("create table t(n)"));
    visit("insert into t values (1)");
    ck_assert(is_there("-wal") && is_there("-shm"));
    good(ask("insert into t values (2)"));
    ck_assert_int_eq(number("select count(*) from t"), 2);
}
END_TEST

static void
drop_locks(void)
{
    int fd = open(path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

/* as a part of the program does that copies the file, or uses another SQLite */
START_TEST(locks_that_a_part_of_the_process_dropped)
{
    open_plain_pool("pool_max_size=2");
    good(ask("create table t(n)"));
    good(ask("insert into t values (1)"));
    drop_locks();
    good(ask("insert into t values (2)")); /* alone with the file it does no harm */
    visit("insert into t values (3)");
    ck_assert(!is_there("-wal"));
    until_noticed("were removed");
    good(ask("insert into t values (4)"));
    visit("insert into t values (5)");
    ck_assert(is_there("-wal"));
    ck_assert_int_eq(number("select count(*) from t"), 5);
    close_pool();
    sqlite3 *outsider = outsider_open(path);
    outsider_check(outsider, "after all");
    ck_assert_int_eq(outsider_number(outsider, "select sum(n) from t"), 15);
    sqlite3_close(outsider);
}
END_TEST

/*
 * The time that passes between two looks of the driver at its files stands still, so that what
 * happens before it looks can be made to happen.
 */
static atomic_bool still;
static atomic_long seconds; /* where it stands */

int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    if (clock != CLOCK_MONOTONIC_COARSE || !atomic_load(&still))
        return __real_clock_gettime(clock, ret_time);
    *ret_time = (struct timespec){atomic_load(&seconds), 0};
    return 0;
}

/* Others look at this clock, too: it stands where it is. */
static void
stand_still(void)
{
    struct timespec now;
    __real_clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    atomic_store(&seconds, now.tv_sec);
    atomic_store(&still, true);
}

/*
 * What is written after the log was deleted, and before that is noticed, is lost; but closing does
 * not copy it back over what others have written since.
 */
START_TEST(closing_after_locks_were_dropped)
{
    stand_still();
    open_plain_pool("pool_max_size=1");
    good(ask("create table t(n)"));
    good(ask("insert into t values (1)"));
    drop_locks();
    visit("insert into t values (2)");
    ck_assert(!is_there("-wal"));
    good(ask("insert into t values (100)"));
    good(ask("create table lost(n)"));
    visit("update t set n = n + 10; create table u(n); insert into u select hex(zeroblob(5000))");
    close_pool();
    atomic_store(&still, false);
    sqlite3 *outsider = outsider_open(path);
    outsider_check(outsider, "after all");
    ck_assert_int_eq(outsider_number(outsider, "select sum(n) from t"), 23);
    ck_assert_int_eq(outsider_number(outsider, "select count(*) from u"), 1);
    sqlite3_close(outsider);
}
END_TEST

/* an SQL function that moves the database away in the midst of a statement, and lets time pass */
static void
lose(sqlite3_context *context, int count, sqlite3_value **values)
{
    char away[128];
    (void)count, (void)values;
    snprintf(away, sizeof away, "%s-away", path);
    rename(path, away);
    atomic_fetch_add(&seconds, 1);
    sqlite3_result_int(context, 7);
}

static int
add_lose(sqlite3 *db, const char **ret_message, const sqlite3_api_routines *routines)
{
    (void)ret_message, (void)routines;
    return sqlite3_create_function(db, "lose", 0, SQLITE_UTF8, NULL, lose, NULL, NULL);
}

/* those that share a commit are not told that they are done when their file has gone meanwhile */
START_TEST(a_shared_commit_into_a_file_that_has_gone)
{
    enum { MANY = 6 };
    dbal_deferred *all[MANY];
    char away[128];
    sqlite3_auto_extension((void (*)(void))add_lose);
    stand_still();
    open_plain_pool("pool_max_size=1");
    good(ask("create table t(n)"));
    for (int i = 0; i < 20; i++)
        good(ask("insert into t values (1)")); /* so that it is known to be quick */
    dbal_deferred *ahead = dbal_deferred_ref(ask("insert into t values (1)"));
    for (int i = 0; i < MANY; i++)
        all[i] = dbal_deferred_ref(
            ask(i == 0 ? "insert into t values (lose())" : "insert into t values (1)"));
    dbal_outcome outcome = loop_fixture_await(&fixture, ahead);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(ahead);
    for (int i = 0; i < MANY; i++) {
        bad(all[i], "08001", "no such file");
        dbal_deferred_unref(all[i]);
    }
    close_pool();
    atomic_store(&still, false);
    sqlite3_reset_auto_extension();
    snprintf(away, sizeof away, "%s-away", path);
    faults_remove(away);
}
END_TEST

START_TEST(a_log_that_was_deleted)
{
    char log[128];
    open_plain_pool("");
    good(ask("create table t(n)"));
    good(ask("pragma wal_checkpoint(truncate)"));
    snprintf(log, sizeof log, "%s-wal", path);
    ck_assert_int_eq(unlink(log), 0);
    until_noticed("were removed");
    good(ask("insert into t values (1)"));
    close_pool();
    sqlite3 *outsider = outsider_open(path);
    outsider_check(outsider, "after all");
    ck_assert_int_eq(outsider_number(outsider, "select sum(n) from t"), 1);
    sqlite3_close(outsider);
}
END_TEST

/* ---- fork -------------------------------------------------------------------------------------- */

/* 0: all of them were refused */
static int
use_in_child(void)
{
    dbal_deferred *deferred = ask("insert into t values (100)");
    if (deferred != NULL)
        return 1;
    if (dbal_pool_close(pool) != NULL)
        return 2;
    return dbal_pool_open(fixture.loop, "sqlite::memory:", NULL, NULL) == NULL ? 0 : 3;
}

START_TEST(a_fork)
{
    open_plain_pool("");
    good(ask("create table t(n)"));
    good(ask("insert into t values (1)"));
    for (int i = 0; i < 5; i++) {
        int status;
        dbal_deferred *underway = dbal_deferred_ref(ask("insert into t values (2)"));
        pid_t child = fork();
        if (child == 0)
            _exit(use_in_child());
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
        good(underway);
        dbal_deferred_unref(underway);
    }
    ck_assert_int_eq(number("select count(*) from t"), 6);
    visit("insert into t values (3)");
    ck_assert(is_there("-wal"));
    ck_assert_int_eq(number("select count(*) from t"), 7);
}
END_TEST

/* ---- no more files ----------------------------------------------------------------------------- */

static rlim_t
allow_files(rlim_t many)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = many;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

START_TEST(no_more_files_to_connect)
{
    open_plain_pool("");
    good(ask("create table t(n)"));
    close_pool();
    open_plain_pool("");
    rlim_t before = allow_files(3);
    dbal_outcome outcome = loop_fixture_await(&fixture, ask("select count(*) from t"));
    allow_files(before);
    bad_outcome(outcome, "08001", "too many files");
    ck_assert_int_eq(number("select count(*) from t"), 0);
}
END_TEST

/* those that are open go on; a journal cannot be made */
START_TEST(no_more_files_while_running)
{
    open_plain_pool("");
    good(ask("create table t(n)"));
    rlim_t before = allow_files(3);
    dbal_outcome written = loop_fixture_await(&fixture, ask("insert into t values (1)"));
    allow_files(before);
    ck_assert(written.kind == DBAL_OUTCOME_VALUE);
    dbal_outcome_clear(&written);
    close_pool();
    open_plain_pool("journal_mode=delete");
    ck_assert_int_eq(number("select count(*) from t"), 1);
    before = allow_files(3);
    written = loop_fixture_await(&fixture, ask("insert into t values (2)"));
    allow_files(before);
    bad_outcome(written, "58030", "Too many open files");
    good(ask("insert into t values (2)"));
    ck_assert_uint_eq(opened(), 1);
}
END_TEST

/* ---- no more threads --------------------------------------------------------------------------- */

START_TEST(no_thread_can_be_started)
{
    open_plain_pool("");
    thread_fault_fail_from(1);
    dbal_outcome outcome = loop_fixture_await(&fixture, ask("select 1"));
    ck_assert_uint_gt(thread_fault_count(), 0);
    thread_fault_fail(0);
    bad_outcome(outcome, "53000", "no thread");
    ck_assert_int_eq(number("select 1"), 1);
}
END_TEST

START_TEST(no_second_thread_can_be_started)
{
    enum { MANY = 50 };
    dbal_deferred *all[MANY];
    open_plain_pool("pool_max_size=4");
    good(ask("create table t(n)"));
    thread_fault_fail_from(1);
    for (int i = 0; i < MANY; i++)
        all[i] = ask(i % 2 == 0 ? "insert into t values (1)" : "select count(*) from t");
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, MANY, all));
    thread_fault_fail(0);
    ck_assert(outcome.kind == DBAL_OUTCOME_VALUE);
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(number("select count(*) from t"), MANY / 2);
}
END_TEST

/* ---- read-only --------------------------------------------------------------------------------- */

static bool read_only;
static int (*real_open)(const char *name, int flags, int mode);

/* as on a file system that is mounted for reading; root too cannot write there */
static int
open_read_only(const char *name, int flags, int mode)
{
    if (!read_only || strncmp(name, folder, strlen(folder)) != 0 ||
        (flags & (O_WRONLY | O_RDWR | O_CREAT)) == 0)
        return real_open(name, flags, mode);
    errno = EROFS;
    return -1;
}

static void
replace_open(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    real_open = (int (*)(const char *, int, int))vfs->xGetSystemCall(vfs, "open");
    ck_assert_int_eq(vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)open_read_only),
                     SQLITE_OK);
}

static void
put_open_back(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    read_only = false;
    vfs->xSetSystemCall(vfs, "open", NULL);
}

START_TEST(a_read_only_file_system)
{
    replace_open();
    open_plain_pool("journal_mode=delete");
    good(ask("create table t(n)"));
    good(ask("insert into t values (1)"));
    close_pool();
    read_only = true;
    open_plain_pool("");
    ck_assert_int_eq(number("select count(*) from t"), 1);
    bad(ask("insert into t values (2)"), "25006", "cannot be written");
    ck_assert_int_eq(number("select count(*) from t"), 1);
    close_pool();
    read_only = false;
    open_plain_pool("");
    good(ask("insert into t values (2)"));
    close_pool();
    put_open_back();
}
END_TEST

START_TEST(a_read_only_file_system_with_a_database_in_wal_mode)
{
    replace_open();
    open_plain_pool("");
    good(ask("create table t(n)"));
    close_pool();
    read_only = true;
    open_plain_pool("");
    bad(ask("select count(*) from t"), "08001", "read-only");
    read_only = false;
    ck_assert_int_eq(number("select count(*) from t"), 0);
    close_pool();
    put_open_back();
}
END_TEST

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "which program visits?\n");
        return EXIT_FAILURE;
    }
    visitor = argv[1];
    Suite *suite = suite_create("process");
    faults_add(suite, with_its_locks_a_visitor_leaves_the_log_alone);
    faults_add(suite, locks_that_a_part_of_the_process_dropped);
    faults_add(suite, closing_after_locks_were_dropped);
    faults_add(suite, a_shared_commit_into_a_file_that_has_gone);
    faults_add(suite, a_log_that_was_deleted);
    faults_add(suite, a_fork);
    faults_add(suite, no_more_files_to_connect);
    faults_add(suite, no_more_files_while_running);
    faults_add(suite, no_thread_can_be_started);
    faults_add(suite, no_second_thread_can_be_started);
    faults_add(suite, a_read_only_file_system);
    faults_add(suite, a_read_only_file_system_with_a_database_in_wal_mode);
    return suite_run(suite);
}
