/* What statements that wait together share, on a fake that goes wrong at each place. */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char setting[] = "token=on&sharing=on&interrupt=off&pool_max_size=1";

static const char moving[] =
    "token=on&sharing=on&interrupt=off&pool_max_size=1&level=2&pool_threads=1";

static const char plain[] = "add $1";
static const char gains[] = "gain $1";
static const char breaks[] = "add $1 break $2";
static const char waits[] = "add $1 wait g";
static const char loses[] = "add $1 lose $2";

/*
 * How much shares depends on how long it takes. Here each look at the clock takes a microsecond, and
 * nothing else does, however slow the machine is.
 */
static atomic_bool stepping;
static atomic_llong steps;

int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    if (clock != CLOCK_MONOTONIC || !atomic_load(&stepping))
        return __real_clock_gettime(clock, ret_time);
    long long now = atomic_fetch_add(&steps, 1000) + 1000;
    *ret_time = (struct timespec){now / 1000000000, now % 1000000000};
    return 0;
}

static void
step_clock(void)
{
    struct timespec now;
    __real_clock_gettime(CLOCK_MONOTONIC, &now);
    atomic_store(&steps, now.tv_sec * 1000000000LL + now.tv_nsec);
    atomic_store(&stepping, true);
}

static void
end_test(void)
{
    atomic_store(&stepping, false);
    pool_fixture_fini();
}

enum { MOST = 8 };
static seen seen_of[MOST];
static dbal_deferred *asked[MOST];
static int count;

static dbal_deferred *
ask_with(const char *sql, int64_t first, int64_t second)
{
    dbal_value values[] = {dbal_int64(first), dbal_int64(second)};
    size_t number = strstr(sql, "$2") != NULL ? 2 : strstr(sql, "$1") != NULL ? 1 : 0;
    return dbal_pool_query(pool, sql, (dbal_params){number, values});
}

/* One more of what is asked for at once. */
static void
add(const char *sql, int64_t first, int64_t second)
{
    asked[count] = dbal_deferred_ref(ask_with(sql, first, second));
    watch(asked[count], &seen_of[count]);
    count++;
}

static void
add_plain(int many)
{
    for (int i = 0; i < many; i++)
        add(plain, 1, 0);
}

static void
until_all(void)
{
    for (int i = 0; i < count; i++) {
        until_settled(&seen_of[i]);
        asked[i] = dbal_deferred_unref(asked[i]);
    }
}

/* Only what is known to be quick joins others: asks until all of a burst have shared. */
static void
learn(const char *sql)
{
    enum { BURST = 4 };
    uint64_t before;
    do {
        dbal_deferred *all[BURST];
        before = counts_now().shared_writes + counts_now().shared_reads;
        for (int i = 0; i < BURST; i++)
            all[i] = ask_with(sql, 0, 0);
        good(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, BURST, all));
    } while (counts_now().shared_writes + counts_now().shared_reads < before + BURST);
}

static dbal_pool_counts before;

static void
open_sharing_with(const char *parameters)
{
    static const char *const all[] = {plain, gains, breaks, waits, loses, "get"};
    open_pool("fake", parameters);
    good(dbal_pool_ready(pool));
    step_clock();
    fake_script_open_gate(script, "g");
    /* which thread runs a read is decided before others can join it where they move */
    size_t known = sizeof all / sizeof all[0] - (parameters == moving);
    for (size_t i = 0; i < known; i++)
        learn(all[i]);
    fake_script_close_gate(script, "g");
    fake_script_forget(script);
    before = counts_now();
    count = 0;
}

static void
open_sharing(void)
{
    open_sharing_with(setting);
}

static void
expect_counts(uint64_t commits, uint64_t writes, uint64_t undone)
{
    dbal_pool_counts now = counts_now();
    ck_assert_uint_eq(now.shared_commits - before.shared_commits, commits);
    ck_assert_uint_eq(now.shared_writes - before.shared_writes, writes);
    ck_assert_uint_eq(now.undone_writes - before.undone_writes, undone);
}

static void
expect_success(int from, int to)
{
    for (int i = from; i < to; i++)
        ck_assert_msg(seen_of[i].error_class == 0, "%d: %s", i,
                      dbal_error_class_name(seen_of[i].error_class));
}

static void
expect_failure(int from, int to, dbal_error_class error_class, dbal_execution execution)
{
    for (int i = from; i < to; i++) {
        ck_assert_msg(seen_of[i].error_class == error_class, "%d: %s", i,
                      dbal_error_class_name(seen_of[i].error_class));
        ck_assert_int_eq(seen_of[i].execution, execution);
    }
}

/* The connection that went wrong does no harm to what comes after it. */
static void
expect_health(int64_t value)
{
    ck_assert_int_eq(number("get"), value);
    good(ask_with(plain, 1, 0));
    ck_assert_int_eq(number("get"), value + 1);
}

/* ---- writes ------------------------------------------------------------------------------------------ */

START_TEST(writes_share_a_commit)
{
    open_sharing();
    add_plain(3);
    until_all();
    expect_success(0, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(seen_of[i].order, i + 1);
    ck_assert(fake_script_ran(script, "share begin|add $1|add $1|add $1|share commit|"));
    expect_counts(1, 3, 0);
    expect_health(3);
}
END_TEST

START_TEST(one_alone_needs_no_transaction)
{
    open_sharing();
    add_plain(1);
    until_all();
    ck_assert(fake_script_ran(script, "add $1|"));
    expect_counts(0, 0, 0);
}
END_TEST

static const int *
waiting(void)
{
    return &script->waiting;
}

START_TEST(nobody_is_told_before_the_commit)
{
    open_sharing();
    add_plain(2);
    add(waits, 1, 0);
    until_count(waiting(), 1);
    settle();
    ck_assert_int_eq(seen_of[0].settled + seen_of[1].settled, 0);
    ck_assert_int_eq(fake_script_value(script), 0);
    fake_script_open_gate(script, "g");
    until_all();
    expect_success(0, 3);
    ck_assert_int_eq(fake_script_value(script), 3);
}
END_TEST

START_TEST(one_that_fails_by_itself_fails_alone)
{
    for (int at = 0; at < 3; at++) {
        open_sharing();
        for (int i = 0; i < 3; i++)
            add(gains, i == at ? -1 : 1, 0);
        until_all();
        ck_assert(fake_script_ran(script, "share begin|gain $1|gain $1|gain $1|share commit|"));
        expect_failure(at, at + 1, DBAL_ERROR_INTEGRITY, DBAL_EXECUTION_FAILED);
        expect_success(0, at);
        expect_success(at + 1, 3);
        expect_counts(1, 3, 0);
        ck_assert_int_eq(fake_script_value(script), 2);
        good(dbal_pool_close(pool));
        fake_script_clear(script);
    }
}
END_TEST

static const char *const broken[] = {
    "share begin|add $1 break $2|share undo|add $1 break $2|"
    "share begin|add $1|add $1|add $1|add $1|share commit|",
    "share begin|add $1|add $1|add $1 break $2|share undo|share begin|add $1|add $1|share commit|"
    "add $1 break $2|share begin|add $1|add $1|share commit|",
    "share begin|add $1|add $1|add $1|add $1|add $1 break $2|share undo|"
    "share begin|add $1|add $1|add $1|add $1|share commit|add $1 break $2|",
};

START_TEST(one_that_breaks_it_runs_alone)
{
    int at = 2 * _i;
    open_sharing();
    add_plain(at);
    add(breaks, 1, 1);
    add_plain(4 - at);
    until_all();
    ck_assert(fake_script_ran(script, broken[_i]));
    expect_success(0, 5);
    expect_counts(_i == 1 ? 2 : 1, 4, (uint64_t)at + 1);
    /* and is not asked to share again */
    fake_script_forget(script);
    count = 0;
    add_plain(2);
    add(breaks, 1, 1);
    until_all();
    ck_assert(fake_script_ran(script, "share begin|add $1|add $1|share commit|add $1 break $2|"));
    expect_health(8);
}
END_TEST

/* ---- stops ------------------------------------------------------------------------------------------- */

/* Runs three of which the one in this place is cancelled while it runs. */
static void
stop_one(int at)
{
    for (int i = 0; i < 3; i++)
        add(i == at ? waits : plain, 1, 0);
    until_count(waiting(), 1);
    dbal_deferred_cancel(asked[at]);
    until_all();
}

static const char *const stopped[] = {
    "share begin|add $1 wait g|share undo|share begin|add $1|add $1|share commit|",
    "share begin|add $1|add $1 wait g|share undo|share begin|add $1|add $1|share commit|",
    "share begin|add $1|add $1|add $1 wait g|share undo|share begin|add $1|add $1|share commit|",
};

START_TEST(one_that_is_stopped_and_breaks_it)
{
    open_sharing();
    script->stop_breaks = true;
    stop_one(_i);
    ck_assert(fake_script_ran(script, stopped[_i]));
    expect_failure(_i, _i + 1, DBAL_ERROR_CANCELLED, DBAL_EXECUTION_FAILED);
    expect_success(0, _i);
    expect_success(_i + 1, 3);
    expect_health(2);
}
END_TEST

START_TEST(one_that_is_stopped_before_it_began)
{
    open_sharing();
    add(waits, 1, 0);
    add_plain(3);
    until_count(waiting(), 1);
    dbal_deferred_cancel(asked[1 + _i]);
    fake_script_open_gate(script, "g");
    until_all();
    expect_failure(1 + _i, 2 + _i, DBAL_ERROR_CANCELLED, DBAL_EXECUTION_NOT_SENT);
    expect_success(0, 1 + _i);
    expect_success(2 + _i, 4);
    expect_health(3);
}
END_TEST

/* It has done its part and waits for another: too late. */
START_TEST(one_that_is_stopped_when_it_has_run)
{
    open_sharing();
    add_plain(2);
    add(waits, 1, 0);
    until_count(waiting(), 1);
    dbal_deferred_cancel(asked[_i]);
    settle();
    fake_script_open_gate(script, "g");
    until_all();
    expect_success(0, 3);
    expect_counts(1, 3, 0);
    expect_health(3);
}
END_TEST

/* ---- what cannot begin ------------------------------------------------------------------------------- */

static void
begin_fails(fake_trouble trouble)
{
    open_sharing();
    script->fail_share_begin = 1;
    script->trouble = trouble;
    add_plain(3);
    until_all();
}

START_TEST(a_lock_that_nobody_gets)
{
    begin_fails(FAKE_BUSY);
    ck_assert(fake_script_ran(script, "share begin|"));
    expect_failure(0, 3, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_FAILED);
    expect_counts(0, 0, 0);
    expect_health(0);
}
END_TEST

START_TEST(what_cannot_begin_runs_by_itself)
{
    begin_fails(FAKE_PLAIN);
    ck_assert(
        fake_script_ran(script, "share begin|add $1|share begin|add $1|add $1|share commit|"));
    expect_success(0, 3);
    expect_health(3);
}
END_TEST

START_TEST(a_connection_that_is_lost_at_its_begin)
{
    begin_fails(FAKE_GONE);
    expect_failure(0, 3, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN);
    expect_health(0);
    ck_assert_uint_eq(counts_now().lost, 1);
}
END_TEST

START_TEST(the_first_is_stopped_while_it_waits_to_begin)
{
    open_sharing();
    script->hang_share = true;
    add_plain(3);
    until_count(waiting(), 1);
    dbal_deferred_cancel(asked[0]);
    until_settled(&seen_of[0]);
    fake_script_open_gate(script, "share");
    until_all();
    expect_failure(0, 1, DBAL_ERROR_CANCELLED, DBAL_EXECUTION_FAILED);
    expect_success(1, 3);
    ck_assert(fake_script_ran(script, "share begin|share begin|add $1|add $1|share commit|"));
    expect_health(2);
}
END_TEST

/* ---- what cannot end --------------------------------------------------------------------------------- */

static void
end_fails(fake_trouble trouble)
{
    open_sharing();
    script->fail_share_end = 1;
    script->trouble = trouble;
    add(gains, 1, 0);
    add(gains, -1, 0);
    add(gains, 1, 0);
    until_all();
    /* what failed by itself keeps its own error */
    expect_failure(1, 2, DBAL_ERROR_INTEGRITY, DBAL_EXECUTION_FAILED);
}

static void
expect_outer(dbal_execution execution)
{
    expect_failure(0, 1, DBAL_ERROR_OPERATIONAL, execution);
    expect_failure(2, 3, DBAL_ERROR_OPERATIONAL, execution);
}

START_TEST(a_commit_that_may_be_tried_again)
{
    end_fails(FAKE_BUSY);
    expect_outer(DBAL_EXECUTION_FAILED);
    expect_counts(0, 0, 0);
    expect_health(0);
}
END_TEST

START_TEST(a_commit_that_is_not_to_be)
{
    end_fails(FAKE_PLAIN);
    ck_assert(fake_script_ran(
        script, "share begin|gain $1|gain $1|gain $1|share commit|gain $1|gain $1|gain $1|"));
    expect_success(0, 1);
    expect_success(2, 3);
    expect_counts(0, 0, 3);
    expect_health(2);
}
END_TEST

START_TEST(a_commit_of_which_nobody_knows)
{
    end_fails(FAKE_UNSURE);
    expect_outer(DBAL_EXECUTION_UNKNOWN);
    ck_assert(fake_script_ran(script, "share begin|gain $1|gain $1|gain $1|share commit|"));
    expect_health(2); /* nothing ran twice */
}
END_TEST

START_TEST(a_commit_that_takes_the_connection_along)
{
    end_fails(FAKE_GONE);
    expect_outer(DBAL_EXECUTION_UNKNOWN);
    ck_assert_uint_eq(counts_now().lost, 1);
    expect_health(0);
}
END_TEST

/* What cannot be undone is told to all of them, and those behind go on elsewhere. */
START_TEST(what_cannot_be_undone)
{
    bool gone = _i % 2 == 0;
    int behind = _i % 4 < 2 ? 2 : 0;
    open_sharing_with(_i < 4 ? setting : moving);
    script->fail_share_end = 1;
    script->trouble = gone ? FAKE_GONE : FAKE_PLAIN;
    add_plain(2);
    add(breaks, 1, 1);
    add_plain(behind);
    until_all();
    expect_failure(0, 2, DBAL_ERROR_OPERATIONAL,
                   gone ? DBAL_EXECUTION_UNKNOWN : DBAL_EXECUTION_FAILED);
    expect_success(3, 3 + behind);
    expect_health(behind);
    ck_assert_uint_eq(counts_now().lost, 1);
}
END_TEST

START_TEST(one_that_loses_the_connection)
{
    open_sharing();
    for (int i = 0; i < 3; i++)
        add(loses, 1, i == _i);
    until_all();
    /* without a COMMIT nothing of the others was kept */
    expect_failure(0, _i, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_FAILED);
    expect_failure(_i, _i + 1, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN);
    expect_success(_i + 1, 3);
    expect_health(2 - _i);
}
END_TEST

/* ---- reads ------------------------------------------------------------------------------------------- */

/* Three reads that wait behind one that holds their only connection. */
static void
read_three(void)
{
    add("wait g", 0, 0);
    until_count(waiting(), 1);
    for (int i = 0; i < 3; i++)
        add("get", 0, 0);
    settle();
    fake_script_open_gate(script, "g");
    until_all();
    expect_success(0, 4);
}

/* The one that ran before it waits for a commit that never comes. */
START_TEST(one_that_hangs_takes_the_others_along)
{
    static const char hangs[] = "add $1 hang h";
    open_pool("fake", "token=on&sharing=on&interrupt=off&pool_max_size=1&pool_cancel_timeout=0.02");
    good(dbal_pool_ready(pool));
    fake_script_open_gate(script, "h");
    learn(plain);
    learn(hangs);
    fake_script_close_gate(script, "h");
    count = 0;
    add_plain(1);
    add(hangs, 1, 0);
    add_plain(1);
    until_count(waiting(), 1);
    dbal_deferred_cancel(asked[1]);
    until_all();
    expect_failure(0, 1, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN);
    expect_failure(1, 2, DBAL_ERROR_CANCELLED, DBAL_EXECUTION_UNKNOWN);
    expect_failure(2, 3, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_NOT_SENT);
    fake_script_open_gate(script, "h");
}
END_TEST

START_TEST(reads_share_a_snapshot)
{
    open_sharing();
    read_three();
    ck_assert(fake_script_ran(script, "wait g|share look|get|get|get|share leave|"));
    dbal_pool_counts now = counts_now();
    ck_assert_uint_eq(now.shared_snapshots - before.shared_snapshots, 1);
    ck_assert_uint_eq(now.shared_reads - before.shared_reads, 3);
    expect_health(0);
}
END_TEST

START_TEST(a_snapshot_that_is_not_to_be_had)
{
    open_sharing();
    script->fail_share_begin = 1;
    script->trouble = (fake_trouble)_i;
    read_three();
    ck_assert(fake_script_ran(script, "wait g|share look|get|share look|get|get|share leave|"));
    expect_health(0);
}
END_TEST

START_TEST(a_snapshot_that_cannot_be_left)
{
    open_sharing();
    script->fail_share_end = 1;
    script->trouble = (fake_trouble)_i;
    read_three();
    expect_health(0);
}
END_TEST

static void
add_test(Suite *suite, const TTest *test, int from, int to)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, end_test);
    tcase_add_loop_test(one, test, from, to);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("sharing");
    add_test(suite, writes_share_a_commit, 0, 1);
    add_test(suite, one_alone_needs_no_transaction, 0, 1);
    add_test(suite, nobody_is_told_before_the_commit, 0, 1);
    add_test(suite, one_that_fails_by_itself_fails_alone, 0, 1);
    add_test(suite, one_that_breaks_it_runs_alone, 0, 3);
    add_test(suite, one_that_is_stopped_and_breaks_it, 0, 3);
    add_test(suite, one_that_is_stopped_before_it_began, 0, 3);
    add_test(suite, one_that_is_stopped_when_it_has_run, 0, 2);
    add_test(suite, a_lock_that_nobody_gets, 0, 1);
    add_test(suite, what_cannot_begin_runs_by_itself, 0, 1);
    add_test(suite, a_connection_that_is_lost_at_its_begin, 0, 1);
    add_test(suite, the_first_is_stopped_while_it_waits_to_begin, 0, 1);
    add_test(suite, a_commit_that_may_be_tried_again, 0, 1);
    add_test(suite, a_commit_that_is_not_to_be, 0, 1);
    add_test(suite, a_commit_of_which_nobody_knows, 0, 1);
    add_test(suite, a_commit_that_takes_the_connection_along, 0, 1);
    add_test(suite, what_cannot_be_undone, 0, 8);
    add_test(suite, one_that_loses_the_connection, 0, 3);
    add_test(suite, one_that_hangs_takes_the_others_along, 0, 1);
    add_test(suite, reads_share_a_snapshot, 0, 1);
    add_test(suite, a_snapshot_that_is_not_to_be_had, 0, 2);
    add_test(suite, a_snapshot_that_cannot_be_left, 0, 2);
    return suite_run(suite);
}
