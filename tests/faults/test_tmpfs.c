/* A small file system of its own: really full, really read-only. Left out where mounting is not allowed. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/faults/faults.h"
#include "tests/lib/suite.h"

enum { SKIPPED = 77 };

static const char add[] = "insert into t(text) values (hex(zeroblob(1000)))";

/* ---- mounting ---------------------------------------------------------------------------------- */

static bool
write_text(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Mounts of this process's own, which end with it; as root, or as root of a namespace of its own. */
static bool
may_mount(void)
{
    char map[64];
    unsigned user = geteuid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        snprintf(map, sizeof map, "0 %u 1", user);
        if (!write_text("/proc/self/uid_map", map))
            return false;
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return false;
    if (mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m") != 0)
        return false;
    return umount("/tmp") == 0;
}

static void
before(void)
{
    faults_before();
    ck_assert_msg(mount("tmpfs", folder, "tmpfs", 0, "size=1m") == 0, "%s", strerror(errno));
}

static void
after(void)
{
    loop_fixture_fini(&fixture); /* before what it has open goes */
    ck_assert_msg(umount(folder) == 0, "%s", strerror(errno));
    loop_fixture_init(&fixture);
    faults_after();
}

static void
mount_again(unsigned long flags)
{
    ck_assert_msg(mount(NULL, folder, NULL, MS_REMOUNT | flags, "size=1m") == 0, "%s",
                  strerror(errno));
}

/* Takes room, as much as there is but for so many bytes. */
static void
take_room(const char *file, long but)
{
    static const char block[4096];
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    off_t size = 0;
    ssize_t written;
    while ((written = write(fd, block, sizeof block)) > 0)
        size += written;
    ck_assert_int_eq(errno, ENOSPC);
    ck_assert_int_eq(ftruncate(fd, size - but), 0);
    close(fd);
}

/* ---- full -------------------------------------------------------------------------------------- */

/* Adds rows until one fails; how many it added. */
static int
add_until_full(void)
{
    for (int rows = 0; rows < 1000; rows++) {
        dbal_outcome outcome = loop_fixture_await(&fixture, ask(add));
        if (outcome.kind != DBAL_OUTCOME_VALUE) {
            bad_outcome(outcome, "53100", "free space");
            return rows;
        }
        dbal_outcome_clear(&outcome);
    }
    ck_abort_msg("the disk is never full");
}

static void
fill_and_free(const char *parameters)
{
    char filler[128];
    dbal_pool_counts counts = {.size = sizeof counts};
    snprintf(filler, sizeof filler, "%s/filler", folder);
    open_plain_pool(parameters);
    good(ask("create table t(id integer primary key, text)"));
    take_room(filler, 200000);
    int rows = add_until_full();
    ck_assert_int_gt(rows, 0);
    ck_assert_int_eq(number("select count(*) from t"), rows);
    bad(ask(add), "53100", "free space");
    ck_assert_int_eq(unlink(filler), 0);
    good(ask(add));
    ck_assert_int_eq(number("select count(*) from t"), rows + 1);
    dbal_pool_stats(pool, &counts);
    ck_assert_uint_eq(counts.lost, 0);
    close_pool();
    sqlite3 *outsider = outsider_open(path);
    outsider_check(outsider, "after a full disk");
    ck_assert_int_eq(outsider_number(outsider, "select count(*) from t"), rows + 1);
    sqlite3_close(outsider);
}

START_TEST(a_full_disk)
{
    fill_and_free("");
}
END_TEST

START_TEST(a_full_disk_and_a_rollback_journal)
{
    fill_and_free("journal_mode=delete");
}
END_TEST

/* not even the shared memory has room */
START_TEST(a_full_disk_to_connect)
{
    char filler[128];
    snprintf(filler, sizeof filler, "%s/filler", folder);
    open_plain_pool("");
    good(ask("create table t(id integer primary key, text)"));
    close_pool();
    take_room(filler, 0);
    open_plain_pool("");
    bad(ask("select count(*) from t"), "53100", "space");
    ck_assert_int_eq(unlink(filler), 0);
    ck_assert_int_eq(number("select count(*) from t"), 0);
    good(ask(add));
}
END_TEST

/* ---- read-only --------------------------------------------------------------------------------- */

START_TEST(mounted_for_reading)
{
    open_plain_pool("journal_mode=delete");
    good(ask("create table t(id integer primary key, text)"));
    good(ask(add));
    close_pool();
    mount_again(MS_RDONLY);
    open_plain_pool("");
    ck_assert_int_eq(number("select count(*) from t"), 1);
    bad(ask(add), "25006", "cannot be written");
    close_pool();
    mount_again(0);
    open_plain_pool("");
    good(ask(add));
    close_pool();
    mount_again(MS_RDONLY);
    open_plain_pool("");
    bad(ask("select count(*) from t"), "08001", "read-only");
    mount_again(0);
    ck_assert_int_eq(number("select count(*) from t"), 2);
}
END_TEST

int
main(void)
{
    if (!may_mount()) {
        fprintf(stderr, "left out: mounting is not allowed here (%s)\n", strerror(errno));
        return SKIPPED;
    }
    Suite *suite = suite_create("tmpfs");
    suite_add(suite, a_full_disk, before, after);
    suite_add(suite, a_full_disk_and_a_rollback_journal, before, after);
    suite_add(suite, a_full_disk_to_connect, before, after);
    suite_add(suite, mounted_for_reading, before, after);
    return suite_run(suite);
}
