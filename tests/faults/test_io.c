/* A disk that is full or fails: each a clear error, and the pool is of use again once it has passed. */
#include <stdio.h>
#include <string.h>

#include "tests/faults/faults.h"
#include "tests/lib/suite.h"

static const char add[] = "insert into t(text) values (hex(zeroblob(300)))";

static void
make_table(void)
{
    good(ask("create table t(id integer primary key, text)"));
}

static uint64_t
opened(void)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    return counts.opened;
}

static int
connections(void)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    return counts.connections;
}

/* ---- full -------------------------------------------------------------------------------------- */

START_TEST(a_full_disk)
{
    open_pool("pool_max_size=1");
    make_table();
    good(ask(add));
    fault_vfs_limit(0);
    bad(ask(add), "53100", "free space");
    ck_assert_int_eq(number("select count(*) from t"), 1);
    bad(ask(add), "53100", "full");
    fault_vfs_heal();
    good(ask(add));
    ck_assert_int_eq(number("select count(*) from t"), 2);
    ck_assert_uint_eq(opened(), 1);
}
END_TEST

static dbal_outcome
add_many(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, add, DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(
        connection,
        "insert into t(text) select hex(zeroblob(500)) from json_each('[1,2,3,4,5,6,7,8,9]')",
        DBAL_NO_PARAMS));
}

START_TEST(a_full_disk_within_a_transaction)
{
    open_pool("pool_max_size=1");
    make_table();
    fault_vfs_limit(6000);
    bad(dbal_pool_transaction(pool, NULL, add_many, NULL), "53100", "free space");
    ck_assert_int_eq(number("select count(*) from t"), 0);
    fault_vfs_heal();
    good(dbal_pool_transaction(pool, NULL, add_many, NULL));
    ck_assert_int_eq(number("select count(*) from t"), 10);
    ck_assert_uint_eq(opened(), 1);
}
END_TEST

static bool
has_tried_to_write(void *arg)
{
    (void)arg;
    return fault_vfs_failed(FAULT_WRITE) > 0;
}

/* what is in the log is safe, whether it can be copied back now or later */
START_TEST(no_room_to_copy_the_log_back)
{
    open_pool("pool_max_size=1");
    make_table();
    fault_vfs_fail(FAULT_WRITE, DISK_DB, 1, FAULT_FOR_EVER, SQLITE_FULL);
    for (int i = 0; i < 3; i++)
        good(ask("insert into t(text) with recursive n(i) as (select 1 union all select i + 1 from "
                 "n where i < 600) select hex(zeroblob(1500)) from n"));
    loop_fixture_until(&fixture, has_tried_to_write, NULL);
    good(ask(add));
    bad(ask("pragma wal_checkpoint(truncate)"), "53100", "free space");
    ck_assert_int_eq(number("select count(*) from t"), 1801);
    fault_vfs_heal();
    good(ask("pragma wal_checkpoint(truncate)"));
    ck_assert_int_eq(number("select count(*) from t"), 1801);
}
END_TEST

/* ---- failing ----------------------------------------------------------------------------------- */

/* one call fails, once; how the statement fails; whether what it did is known */
static const struct {
    const char *parameters;
    fault_call call;
    int name, code;
    const char *sqlstate, *words;
} failing[] = {
    {"", FAULT_WRITE, DISK_WAL, SQLITE_IOERR_WRITE, "58030", "while writing"},
    {"", FAULT_WRITE, DISK_WAL, SQLITE_FULL, "53100", "full"},
    {"", FAULT_SYNC, DISK_WAL, SQLITE_IOERR_FSYNC, "58030", "while syncing"},
    {"journal_mode=delete", FAULT_WRITE, DISK_JOURNAL, SQLITE_IOERR_WRITE, "58030", "writing"},
    {"journal_mode=delete", FAULT_WRITE, DISK_DB, SQLITE_IOERR_WRITE, "58030", "writing"},
    {"journal_mode=delete", FAULT_SYNC, DISK_DB, SQLITE_IOERR_FSYNC, "58030", "syncing"},
    {"journal_mode=delete", FAULT_SYNC, DISK_JOURNAL, SQLITE_IOERR_FSYNC, "58030", "syncing"},
    {"journal_mode=delete", FAULT_LOCK, DISK_DB, SQLITE_IOERR_LOCK, "58030", "network"},
    {"journal_mode=delete", FAULT_LOCK, DISK_DB, SQLITE_IOERR_RDLOCK, "58030", "locking"},
    {"journal_mode=delete", FAULT_OPEN, DISK_JOURNAL, SQLITE_CANTOPEN, "58030", "open files"},
    {"journal_mode=truncate", FAULT_TRUNCATE, DISK_JOURNAL, SQLITE_IOERR_TRUNCATE, "58030", "size"},
};

START_TEST(a_write_that_fails)
{
    open_pool(failing[_i].parameters);
    make_table();
    good(ask(add));
    fault_vfs_fail(failing[_i].call, failing[_i].name, 1, 1, failing[_i].code);
    bad(ask(add), failing[_i].sqlstate, failing[_i].words);
    ck_assert_uint_eq(fault_vfs_failed(failing[_i].call), 1);
    good(ask(add));
    ck_assert_int_eq(number("select count(*) from t"), 2);
    ck_assert_uint_eq(opened(), 1);
}
END_TEST

/* it may have reached the disk, and is told so */
START_TEST(a_commit_whose_sync_fails_is_unknown)
{
    open_pool("");
    make_table();
    fault_vfs_fail(FAULT_SYNC, DISK_WAL, 1, 1, SQLITE_IOERR_FSYNC);
    dbal_outcome outcome = loop_fixture_await(&fixture, ask(add));
    ck_assert_int_eq(dbal_error_execution(dbal_outcome_error(outcome)), DBAL_EXECUTION_UNKNOWN);
    ck_assert(!dbal_error_retryable(dbal_outcome_error(outcome)));
    bad_outcome(outcome, "58030", "look at");
}
END_TEST

static void
fill_and_reopen(void)
{
    open_pool("");
    make_table();
    for (int i = 0; i < 50; i++)
        good(ask(add));
    close_pool();
    open_pool("pool_max_size=1");
    good(dbal_pool_ready(pool));
}

START_TEST(a_read_that_fails)
{
    fill_and_reopen();
    fault_vfs_fail(FAULT_READ, DISK_DB, 1, 1, SQLITE_IOERR_READ);
    bad(ask("select sum(length(text)) from t"), "58030", "while reading");
    ck_assert_int_eq(number("select sum(length(text)) from t"), 50 * 600);
    ck_assert_uint_eq(opened(), 1);
}
END_TEST

/* a part of the file is missing: SQLite finds zeros there, and no table */
START_TEST(a_read_that_comes_short)
{
    fill_and_reopen();
    fault_vfs_fail(FAULT_READ, DISK_DB, 1, 1, SQLITE_IOERR_SHORT_READ);
    bad(ask("select sum(length(text)) from t"), "XX001", "integrity_check");
    ck_assert_int_eq(number("select sum(length(text)) from t"), 50 * 600);
    ck_assert_uint_eq(opened(), 1);
}
END_TEST

/* ---- opening ----------------------------------------------------------------------------------- */

static const struct {
    fault_call call;
    int name, code;
    const char *sqlstate, *words;
} opening[] = {
    {FAULT_OPEN, DISK_DB, SQLITE_CANTOPEN, "08001", "cannot open"},
    {FAULT_OPEN, DISK_WAL, SQLITE_CANTOPEN, "08001", "-wal"},
    {FAULT_READ, DISK_DB, SQLITE_IOERR_READ, "58030", "while reading"},
    {FAULT_LOCK, DISK_DB, SQLITE_IOERR_RDLOCK, "58030", "network"},
    {FAULT_MAP, FAULT_ANY, SQLITE_IOERR_SHMMAP, "58030", "-shm"},
    {FAULT_MAP, FAULT_ANY, SQLITE_IOERR_SHMSIZE, "58030", "journal_mode=delete"},
};

START_TEST(a_file_that_cannot_be_opened_for_a_while)
{
    open_pool("");
    make_table();
    close_pool();
    open_pool("");
    fault_vfs_fail(opening[_i].call, opening[_i].name, 1, FAULT_FOR_EVER, opening[_i].code);
    bad(ask("select count(*) from t"), opening[_i].sqlstate, opening[_i].words);
    fault_vfs_heal();
    good(ask(add));
    ck_assert_int_eq(number("select count(*) from t"), 1);
}
END_TEST

START_TEST(no_shared_memory_for_a_new_file)
{
    dbal_deferred *all[20];
    fault_vfs_without_shm(true);
    open_pool("pool_max_size=4");
    make_table();
    for (int i = 0; i < 20; i++)
        all[i] = ask(i % 2 == 0 ? add : "select count(*) from t");
    good(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, 20, all));
    ck_assert_int_eq(connections(), 1);
    dbal_outcome outcome = loop_fixture_await(&fixture, ask("pragma journal_mode"));
    ck_assert_str_eq(dbal_result_text(dbal_outcome_result(outcome), 0, 0), "delete");
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(no_shared_memory_for_one_in_wal_mode)
{
    open_pool("");
    make_table();
    close_pool();
    fault_vfs_without_shm(true);
    open_pool("");
    bad(ask("select count(*) from t"), "08001", "no shared memory");
    fault_vfs_without_shm(false);
    ck_assert_int_eq(number("select count(*) from t"), 0);
}
END_TEST

/* ---- anything anywhere ------------------------------------------------------------------------- */

static const struct {
    fault_call call;
    int code;
} sweeps[] = {
    {FAULT_OPEN, SQLITE_CANTOPEN},
    {FAULT_READ, SQLITE_IOERR_READ},
    {FAULT_READ, SQLITE_IOERR_SHORT_READ},
    {FAULT_WRITE, SQLITE_IOERR_WRITE},
    {FAULT_WRITE, SQLITE_FULL},
    {FAULT_TRUNCATE, SQLITE_IOERR_TRUNCATE},
    {FAULT_SYNC, SQLITE_IOERR_FSYNC},
    {FAULT_LOCK, SQLITE_IOERR_LOCK},
    {FAULT_MAP, SQLITE_IOERR_SHMMAP},
};

typedef struct tally {
    int settled, known, unknown; /* of the inserts: done, perhaps done */
} tally;

static void
expect_clear(const dbal_error *error)
{
    static const char *const clear[] = {"58030", "53100", "08001", "XX001", "25P02", "55P03"};
    for (size_t i = 0; i < sizeof clear / sizeof clear[0]; i++)
        if (strcmp(dbal_error_sqlstate(error), clear[i]) == 0)
            return;
    ck_abort_msg("%s: %s", dbal_error_sqlstate(error), dbal_error_message(error));
}

static dbal_outcome
count(dbal_outcome in, void *arg)
{
    tally *self = arg;
    dbal_error *error = dbal_outcome_error(in);
    self->settled++;
    if (in.kind != DBAL_OUTCOME_VALUE)
        expect_clear(error);
    else
        self->known++;
    self->unknown += error != NULL && dbal_error_execution(error) == DBAL_EXECUTION_UNKNOWN;
    return dbal_done();
}

static dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    if (in.kind != DBAL_OUTCOME_VALUE)
        expect_clear(dbal_outcome_error(in));
    ((tally *)arg)->settled++;
    return dbal_done();
}

static dbal_outcome
add_one(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, add, DBAL_NO_PARAMS));
}

enum { ASKED = 9 };

static bool
all_settled(void *arg)
{
    return ((tally *)arg)->settled == ASKED;
}

/* Work of every kind, five inserts among it, while one call fails. */
static tally
work_of_every_kind(void)
{
    tally self = {.settled = 0};
    for (int i = 0; i < 3; i++) {
        dbal_deferred_add_both(ask(add), count, &self);
        dbal_deferred_add_both(ask("select sum(length(text)) from t"), swallow, &self);
    }
    for (int i = 0; i < 2; i++)
        dbal_deferred_add_both(dbal_pool_transaction(pool, NULL, add_one, NULL), count, &self);
    dbal_deferred_add_both(ask("pragma wal_checkpoint(truncate)"), swallow, &self);
    loop_fixture_until(&fixture, all_settled, &self);
    return self;
}

/* The nth call fails once. False when there were fewer. */
static bool
fail_nth(int sweep, const char *parameters, unsigned nth)
{
    char about[64];
    snprintf(about, sizeof about, "call %u of sweep %d, %s", nth, sweep, parameters);
    open_pool(parameters);
    make_table();
    close_pool();
    fault_vfs_fail(sweeps[sweep].call, FAULT_ANY, nth, 1, sweeps[sweep].code);
    open_pool(parameters);
    tally done = work_of_every_kind();
    bool failed = fault_vfs_failed(sweeps[sweep].call) != 0;
    fault_vfs_heal();
    good(ask(add));
    int64_t rows = number("select count(*) from t") - 1;
    ck_assert_msg(rows >= done.known && rows <= done.known + done.unknown,
                  "%s: %d rows; %d were reported, %d may be", about, (int)rows, done.known,
                  done.unknown);
    close_pool();
    sqlite3 *outsider = outsider_open(path);
    outsider_check(outsider, about);
    sqlite3_close(outsider);
    faults_remove(path);
    return failed;
}

START_TEST(the_nth_call_fails)
{
    unsigned nth = 1;
    while (fail_nth(_i, "", nth))
        nth++;
    ck_assert_uint_gt(nth, 1);
}
END_TEST

START_TEST(the_nth_call_fails_with_a_rollback_journal)
{
    unsigned nth = 1;
    if (sweeps[_i].call == FAULT_MAP)
        return; /* there is none */
    while (fail_nth(_i, "journal_mode=truncate", nth))
        nth++;
    ck_assert_uint_gt(nth, 1);
}
END_TEST

static void
add_loop(Suite *suite, const TTest *test, int times)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, 120);
    tcase_add_checked_fixture(one, faults_before, faults_after);
    tcase_add_loop_test(one, test, 0, times);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("io");
    faults_add(suite, a_full_disk);
    faults_add(suite, a_full_disk_within_a_transaction);
    faults_add(suite, no_room_to_copy_the_log_back);
    add_loop(suite, a_write_that_fails, sizeof failing / sizeof failing[0]);
    faults_add(suite, a_commit_whose_sync_fails_is_unknown);
    faults_add(suite, a_read_that_fails);
    faults_add(suite, a_read_that_comes_short);
    add_loop(suite, a_file_that_cannot_be_opened_for_a_while, sizeof opening / sizeof opening[0]);
    faults_add(suite, no_shared_memory_for_a_new_file);
    faults_add(suite, no_shared_memory_for_one_in_wal_mode);
    add_loop(suite, the_nth_call_fails, sizeof sweeps / sizeof sweeps[0]);
    add_loop(suite, the_nth_call_fails_with_a_rollback_journal, sizeof sweeps / sizeof sweeps[0]);
    return suite_run(suite);
}
