/*
 * Power failures. Work is done over the VFS that logs what reaches the disk; then the disk is
 * rebuilt as of many moments of the run, with what no sync had followed dropped, torn or mixed, and
 * SQLite itself opens what is left. DBAL_TEST_FULL looks at every sync, DBAL_TEST_SEED plays again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/disk_image.h"
#include "tests/faults/faults.h"
#include "tests/faults/work.h"
#include "tests/lib/suite.h"

enum { UNDERWAY = 12 };

/* When the program was told of each key, as a position in the log; in the order of telling. */
typedef struct telling {
    int64_t key;
    size_t position;
} telling;

typedef struct power_run {
    chance luck;
    disk_image *image; /* from before the work */
    telling *told;
    size_t told_count, pieces;
    bool *there;  /* for look_at() */
    bool durable; /* whether what was told must be there */
    size_t lost;  /* what was told and was not there, over all looks */
    char rebuilt[128];
} power_run;

static void
acknowledged(int64_t key, void *arg)
{
    power_run *self = arg;
    self->told[self->told_count++] = (telling){key, disk_log_position()};
}

static void
failed(int64_t key, dbal_error *error, void *arg)
{
    power_run *self = arg;
    ck_abort_msg("%d (seed %llu): %s", (int)key, (unsigned long long)self->luck.seed,
                 dbal_error_message(error));
}

static void
do_work(power_run *self, const char *parameters)
{
    work todo = {.next = 1,
                 .last = (int64_t)self->pieces,
                 .acknowledged = acknowledged,
                 .failed = failed,
                 .arg = self};
    disk_log_start();
    open_pool(parameters);
    chance_split(&todo.luck, &self->luck, 1);
    todo.pool = pool;
    work_start(&todo, UNDERWAY);
    loop_fixture_until(&fixture, work_is_done, &todo);
    close_pool();
    disk_log_stop();
    ck_assert_uint_eq(self->told_count, self->pieces);
}

/* The power failed at this moment: opens what is left. */
static void
look_at(power_run *self, size_t position, disk_loss loss, chance *luck)
{
    char about[96];
    snprintf(about, sizeof about, "seed %llu, position %zu, loss %d",
             (unsigned long long)self->luck.seed, position, (int)loss);
    disk_image_fail(self->image, loss, luck, self->rebuilt);
    sqlite3 *outsider = outsider_open(self->rebuilt);
    work_check(outsider, about);
    work_find(outsider, self->there, (int64_t)self->pieces + 1);
    ck_assert_int_eq(sqlite3_close(outsider), SQLITE_OK);
    for (size_t i = 0; i < self->told_count && self->told[i].position <= position; i++) {
        bool lost = !self->there[self->told[i].key];
        ck_assert_msg(!lost || !self->durable, "%s: %d was lost", about, (int)self->told[i].key);
        self->lost += lost;
    }
}

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

/* SQLite's own code is not looked at by sanitizers; all that is ours happens in a few looks. */
static bool
is_slow(void)
{
    return IS_SANITIZED || getenv("DBAL_TEST_VALGRIND") != NULL;
}

static size_t
count_syncs(void)
{
    size_t count = 0;
    for (size_t i = 0; i < disk_log_position(); i++)
        count += disk_log_at(i)->act == DISK_SYNC;
    return count;
}

/* Just before a sync has happened, just behind it, and at times somewhere else. */
static bool
is_chosen(size_t position, unsigned one_in, chance *luck)
{
    bool sync = position < disk_log_position() && disk_log_at(position)->act == DISK_SYNC;
    bool synced = position > 0 && disk_log_at(position - 1)->act == DISK_SYNC;
    return chance_below(luck, sync || synced ? one_in : one_in * 40) == 0;
}

/* The power fails at about so many moments; under DBAL_TEST_FULL at each sync. */
static void
fail_at_many(power_run *self, unsigned looks)
{
    chance luck;
    unsigned moments = (unsigned)count_syncs() * 2, seen = 0;
    bool all = getenv("DBAL_TEST_FULL") != NULL && !is_slow();
    unsigned one_in = all || moments < looks ? 1 : moments / looks;
    chance_split(&luck, &self->luck, 2);
    for (size_t at = 0; at <= disk_log_position(); at++) {
        disk_image_play(self->image, at);
        if (!is_chosen(at, one_in, &luck))
            continue;
        look_at(self, at, (disk_loss)chance_below(&luck, DISK_LOSSES), &luck);
        seen++;
    }
    ck_assert_uint_gt(seen, 0);
}

static void
run_power(const char *parameters, bool wal, bool durable, unsigned pieces)
{
    power_run self = {.durable = durable, .pieces = is_slow() ? pieces / 4 : pieces};
    chance_init(&self.luck);
    self.told = calloc(self.pieces, sizeof *self.told);
    self.there = calloc(self.pieces + 1, sizeof *self.there);
    ck_assert(self.told != NULL && self.there != NULL);
    snprintf(self.rebuilt, sizeof self.rebuilt, "%s-rebuilt", path);
    work_make_tables(path, wal);
    self.image = disk_image_new(path);
    do_work(&self, parameters);
    /* with what may lose something it is looked so often that it does: these tests can see a loss */
    unsigned looks = durable ? 60 : 240;
    fail_at_many(&self, is_slow() ? looks / 3 : looks);
    ck_assert(durable || self.lost > 0);
    disk_image_free(self.image);
    faults_remove(self.rebuilt);
    free(self.told);
    free(self.there);
}

/* the default: what was reported is on the disk */
START_TEST(nothing_told_is_lost)
{
    run_power("", true, true, 1000);
}
END_TEST

/* what was reported last may be gone, but nothing is there in part */
START_TEST(normal_may_lose_the_last_but_stays_whole)
{
    run_power("synchronous=normal", true, false, 1000);
}
END_TEST

START_TEST(a_rollback_journal_loses_nothing_with_extra)
{
    run_power("journal_mode=delete&synchronous=extra", false, true, 400);
}
END_TEST

/* the journal's removal is not synced: a failure may bring it back, and it undoes the last commit */
START_TEST(a_rollback_journal_stays_whole_with_full)
{
    run_power("journal_mode=delete&synchronous=full", false, false, 400);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, 600); /* at each sync is often */
    tcase_add_checked_fixture(one, faults_before, faults_after);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("power");
    add(suite, nothing_told_is_lost);
    add(suite, normal_may_lose_the_last_but_stays_whole);
    add(suite, a_rollback_journal_loses_nothing_with_extra);
    add(suite, a_rollback_journal_stays_whole_with_full);
    return suite_run(suite);
}
