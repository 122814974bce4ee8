/* The log: when it is copied back, by whom, and how long it may get. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"
#include "tests/lib/loop_fixture.h"
#include <dbal.h>

static database db;
static sqlite3 *reader;
static int naps;

static const dbal_blocking *
face(void)
{
    return dbal_sqlite_driver.blocking;
}

static void
setup(void)
{
    database_init(&db);
    naps = 0;
}

static void
teardown(void)
{
    database_fini(&db);
}

/* pages of 4096 bytes, and a header for each */
static int64_t
log_pages(void)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s-wal", db.path);
    return stat(path, &status) == 0 ? status.st_size / 4120 : 0;
}

/* some two pages each: the table's, and what holds the blob */
static void
fill(int times)
{
    for (int i = 0; i < times; i++)
        ASK(&db, "insert into t values (zeroblob(4000))");
}

static dbal_upkeep
wanted(void)
{
    return face()->upkeep_wanted(db.connection);
}

static void
fill_until(dbal_upkeep what)
{
    while (wanted() != what)
        fill(1);
}

static bool
keep_up(dbal_fault *fault)
{
    return face()->upkeep(db.connection, fault);
}

static void
keep_up_well(void)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    bool ok = keep_up(&fault);
    ck_assert_msg(ok, "%s", ok ? "" : dbal_error_message(fault.error));
}

START_TEST(nothing_is_copied_back_by_a_commit)
{
    struct stat before, after;
    database_open(&db, "synchronous=off");
    ASK(&db, "create table t (a)");
    ck_assert_int_eq(stat(db.path, &before), 0);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_NONE);
    while (wanted() == DBAL_UPKEEP_NONE)
        fill(1);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_LATER);
    ck_assert(log_pages() >= 1000 && log_pages() < 1010);
    while (wanted() == DBAL_UPKEEP_LATER)
        fill(1);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_NOW);
    ck_assert(log_pages() >= 4000 && log_pages() < 4010);
    ck_assert_int_eq(stat(db.path, &after), 0);
    ck_assert_int_eq(before.st_size, after.st_size);
    keep_up_well();
    ck_assert_int_eq(stat(db.path, &after), 0);
    ck_assert_int_gt(after.st_size, before.st_size);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_NONE);
    /* and it begins anew with the next write */
    int64_t pages = log_pages();
    fill(100);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_NONE);
    ck_assert_int_eq(log_pages(), pages);
}
END_TEST

START_TEST(what_a_reader_needs_stays)
{
    database_open(&db, "synchronous=off&wal_limit=off");
    ASK(&db, "create table t (a)");
    reader = outsider_open(&db);
    outsider_run(reader, "begin; select * from t");
    while (log_pages() < 1010)
        fill(1);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_LATER);
    keep_up_well();
    /* asked again only when it has grown by as much */
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_NONE);
    while (log_pages() < 2020)
        fill(1);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_LATER);
    outsider_run(reader, "commit");
    keep_up_well();
    int64_t pages = log_pages();
    fill(100);
    ck_assert_int_eq(log_pages(), pages);
    sqlite3_close(reader);
}
END_TEST

static void
end_reader(void)
{
    if (++naps == 3)
        outsider_run(reader, "commit");
}

START_TEST(writers_wait_for_readers_beyond_the_limit)
{
    database_open(&db, "synchronous=off&wal_limit=4M");
    ASK(&db, "create table t (a)");
    reader = outsider_open(&db);
    outsider_run(reader, "begin; select * from t");
    while (log_pages() < 1030)
        fill(1);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_NOW);
    database_on_nap = end_reader;
    keep_up_well();
    ck_assert_int_ge(naps, 3);
    ck_assert_int_eq(log_pages(), 0);
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_NONE);
    sqlite3_close(reader);
}
END_TEST

/* Whenever one ends, the other is in the middle of reading. */
static sqlite3 *relay[2];

static void
end_one_and_begin_again(void)
{
    sqlite3 *one = relay[++naps % 2];
    outsider_run(one, "commit");
    outsider_run(one, "begin; select * from t limit 1");
}

START_TEST(readers_that_overlap_without_end_are_no_hindrance)
{
    database_open(&db, "synchronous=off&wal_limit=4M");
    ASK(&db, "create table t (a)");
    for (int i = 0; i < 2; i++) {
        relay[i] = outsider_open(&db);
        outsider_run(relay[i], "begin; select * from t");
        fill(1);
    }
    fill_until(DBAL_UPKEEP_NOW);
    database_on_nap = end_one_and_begin_again;
    keep_up_well();
    ck_assert_int_ge(naps, 2);
    ck_assert_int_eq(log_pages(), 0);
    for (int i = 0; i < 2; i++)
        sqlite3_close(relay[i]);
}
END_TEST

START_TEST(a_reader_that_does_not_end_is_reported_once)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    database_open(&db, "synchronous=off&wal_limit=4M&busy_timeout=0.02");
    ASK(&db, "create table t (a)");
    reader = outsider_open(&db);
    outsider_run(reader, "begin; select * from t");
    while (log_pages() < 1030)
        fill(1);
    /* twice may be a coincidence */
    keep_up_well();
    ck_assert_int_eq(wanted(), DBAL_UPKEEP_NONE);
    fill_until(DBAL_UPKEEP_NOW);
    ck_assert(log_pages() > 2000 && log_pages() < 2100);
    keep_up_well();
    fill_until(DBAL_UPKEEP_NOW);
    ck_assert(!keep_up(&fault));
    expect_error(fault.error, DBAL_ERROR_OPERATIONAL, "55P03");
    ck_assert_ptr_nonnull(strstr(dbal_error_message(fault.error), "wal_limit"));
    dbal_fault_clear(&fault);
    fill_until(DBAL_UPKEEP_NOW);
    keep_up_well(); /* said already */
    outsider_run(reader, "commit");
    fill_until(DBAL_UPKEEP_NOW);
    keep_up_well();
    ck_assert_int_eq(log_pages(), 0);
    sqlite3_close(reader);
}
END_TEST

START_TEST(it_is_copied_back_at_the_same_length_each_time)
{
    database_open(&db, "synchronous=off");
    ASK(&db, "create table t (a)");
    for (int i = 0; i < 4; i++) {
        fill_until(DBAL_UPKEEP_LATER);
        ck_assert(log_pages() >= 1000 && log_pages() < 1010);
        keep_up_well();
        fill(1);
    }
}
END_TEST

/* sessions may have all the connections, and upkeep gets none */
START_TEST(where_nobody_comes_a_commit_copies_it_back)
{
    database_open(&db, "synchronous=off&wal_limit=off");
    ASK(&db, "create table t (a)");
    for (int i = 0; i < 20000; i++)
        fill(1);
    ck_assert(log_pages() >= 13000 && log_pages() < 13100);
}
END_TEST

/* ---- in a pool --------------------------------------------------------------------------------------- */

enum { READERS = 3, WRITES = 3000 };

static loop_fixture fixture;
static dbal_pool *pool;
static int written, reading;

static dbal_outcome
read_again(dbal_outcome in, void *arg)
{
    (void)arg;
    ck_assert_int_eq(in.kind, DBAL_OUTCOME_VALUE);
    reading--;
    if (written < WRITES) {
        reading++;
        dbal_deferred_add_both(dbal_pool_query(pool,
                                               "with recursive n(i) as (select 1 union all select "
                                               "i + 1 from n where i < 2000) select count(*), "
                                               "(select count(*) from t) from n",
                                               DBAL_NO_PARAMS),
                               read_again, NULL);
    }
    return in;
}

static dbal_outcome
write_again(dbal_outcome in, void *arg)
{
    (void)arg;
    ck_assert_int_eq(in.kind, DBAL_OUTCOME_VALUE);
    if (++written < WRITES)
        dbal_deferred_add_both(
            dbal_pool_query(pool, "insert into t values (zeroblob(4000))", DBAL_NO_PARAMS),
            write_again, NULL);
    return in;
}

static bool
all_written(void *arg)
{
    (void)arg;
    return written >= WRITES && reading == 0;
}

/* Readers that overlap without end: whenever one ends, two others are in the middle. */
START_TEST(the_log_is_looked_after_beside_readers_that_never_stop)
{
    char url[256];
    dbal_pool_counts counts = {.size = sizeof counts};
    written = reading = 0;
    loop_fixture_init(&fixture);
    snprintf(url, sizeof url, "sqlite:%s?synchronous=off&wal_limit=4M&pool_max_size=4", db.path);
    pool = dbal_pool_open(fixture.loop, url, NULL, NULL);
    ck_assert_ptr_nonnull(pool);
    dbal_outcome made =
        loop_fixture_await(&fixture, dbal_pool_query(pool, "create table t (a)", DBAL_NO_PARAMS));
    dbal_outcome_clear(&made);
    for (int i = 0; i < READERS; i++) {
        reading++;
        dbal_outcome in = read_again(dbal_done(), NULL);
        dbal_outcome_clear(&in);
    }
    written = -1;
    dbal_outcome in = write_again(dbal_done(), NULL);
    dbal_outcome_clear(&in);
    loop_fixture_until(&fixture, all_written, NULL);
    dbal_pool_stats(pool, &counts);
    ck_assert_uint_ge(counts.upkeeps, 2);
    loop_fixture_fini(&fixture);
}
END_TEST

static dbal_deferred *go_on;

static dbal_outcome
then_wait(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_wait(go_on);
}

static dbal_outcome
look_for_long(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_deferred *rows = dbal_connection_query(connection, "select * from t", DBAL_NO_PARAMS);
    return dbal_wait(dbal_deferred_add_callback(rows, then_wait, NULL));
}

static bool
was_told(void *arg)
{
    (void)arg;
    return log_lines_count(&fixture.log, "wal_limit") > 0;
}

static bool
last_is_written(void *arg)
{
    (void)arg;
    return written > WRITES;
}

START_TEST(whose_session_keeps_the_log_is_logged)
{
    char url[256];
    loop_fixture_init(&fixture);
    snprintf(url, sizeof url, "sqlite:%s?synchronous=off&wal_limit=4M&busy_timeout=0.01", db.path);
    pool = dbal_pool_open(fixture.loop, url, NULL, NULL);
    dbal_outcome made =
        loop_fixture_await(&fixture, dbal_pool_query(pool, "create table t (a)", DBAL_NO_PARAMS));
    dbal_outcome_clear(&made);
    go_on = dbal_deferred_new(fixture.loop, NULL, NULL);
    dbal_deferred *session = dbal_deferred_ref(dbal_pool_transaction(
        pool, DBAL_TRANSACTION(.read_only = true, .label = "the report"), look_for_long, NULL));
    written = -1;
    dbal_outcome in = write_again(dbal_done(), NULL);
    dbal_outcome_clear(&in);
    loop_fixture_until(&fixture, was_told, NULL);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "at work for longest: the report"), 1);
    written = WRITES;
    dbal_deferred_fire(go_on, dbal_done());
    dbal_outcome out = loop_fixture_await(&fixture, session);
    dbal_outcome_clear(&out);
    dbal_deferred_unref(session);
    /* the write that is under way is the last */
    loop_fixture_until(&fixture, last_is_written, NULL);
    loop_fixture_fini(&fixture);
}
END_TEST

/* more than is copied back later, so that it is due now */
static dbal_outcome
close_at_once(dbal_outcome in, void *arg)
{
    dbal_deferred **closed = arg;
    ck_assert_int_eq(in.kind, DBAL_OUTCOME_VALUE);
    *closed = dbal_deferred_ref(dbal_pool_close(pool));
    return in;
}

START_TEST(a_pool_that_closes_does_not_wait_for_it)
{
    char url[256];
    loop_fixture_init(&fixture);
    snprintf(url, sizeof url, "sqlite:%s?synchronous=off", db.path);
    for (int i = 0; i < 6; i++) {
        dbal_deferred *closed = NULL;
        pool = dbal_pool_open(fixture.loop, url, NULL, NULL);
        dbal_outcome made = loop_fixture_await(
            &fixture, dbal_pool_query(pool, "create table if not exists t (a)", DBAL_NO_PARAMS));
        dbal_outcome_clear(&made);
        dbal_deferred *written_much = dbal_pool_query(
            pool,
            "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i "
            "< 2500) select zeroblob(4000) from n",
            DBAL_NO_PARAMS);
        dbal_outcome out = loop_fixture_await(
            &fixture, dbal_deferred_add_callback(written_much, close_at_once, &closed));
        dbal_outcome_clear(&out);
        out = loop_fixture_await(&fixture, closed);
        dbal_outcome_clear(&out);
        dbal_deferred_unref(closed);
    }
    loop_fixture_fini(&fixture);
}
END_TEST

Suite *
log_suite(void)
{
    Suite *suite = suite_create("sqlite log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, nothing_is_copied_back_by_a_commit);
    tcase_add_test(tests, what_a_reader_needs_stays);
    tcase_add_test(tests, writers_wait_for_readers_beyond_the_limit);
    tcase_add_test(tests, readers_that_overlap_without_end_are_no_hindrance);
    tcase_add_test(tests, a_reader_that_does_not_end_is_reported_once);
    tcase_add_test(tests, it_is_copied_back_at_the_same_length_each_time);
    tcase_add_test(tests, where_nobody_comes_a_commit_copies_it_back);
    tcase_add_test(tests, the_log_is_looked_after_beside_readers_that_never_stop);
    tcase_add_test(tests, a_pool_that_closes_does_not_wait_for_it);
    tcase_add_test(tests, whose_session_keeps_the_log_is_logged);
    suite_add_tcase(suite, tests);
    return suite;
}
