/*
 * A disk that fails in the midst of writes that share a commit, at each of its calls in turn: what
 * is reported of each is true, none has run twice, and the pool goes on.
 */
#include "tests/faults/fault_vfs.h"
#include "tests/lib/suite.h"
#include "tests/sharing/crowd.h"
#include "tests/sharing/sharing.h"

enum { FIVE = 5, MOST_CALLS = 60 };

/* The nth call fails, and so many after it. False when there were not as many. */
static bool
fail_once(const char *parameters, fault_call call, unsigned nth, unsigned times, int code)
{
    fault_vfs_register();
    fault_vfs_heal();
    crowd_open(parameters);
    fault_vfs_fail(call, FAULT_ANY, nth, times, code);
    for (int i = 0; i < FIVE; i++)
        crowd_ask(i, CROWD_PLAIN, i == 2 ? -1 : i, 0); /* one fails by itself */
    crowd_await();
    bool failed = fault_vfs_failed(call) > 0;
    fault_vfs_heal();
    for (int i = 0; i < FIVE; i++) {
        crowd_agrees(i);
        ck_assert(i == 2 || crowd[i].error_class != DBAL_ERROR_INTEGRITY);
        ck_assert(failed || i == 2 || crowd[i].error_class == 0);
    }
    good(dbal_pool_query(pool, "insert into t values (50, 0)", DBAL_NO_PARAMS));
    ck_assert_int_eq(number(pool, "select count(*) from t where id = 50"), 1);
    crowd_close();
    return failed;
}

static const struct {
    fault_call call;
    int code;
} faults[] = {
    {FAULT_WRITE, SQLITE_IOERR_WRITE}, {FAULT_WRITE, SQLITE_FULL},
    {FAULT_SYNC, SQLITE_IOERR_FSYNC},  {FAULT_READ, SQLITE_IOERR_READ},
    {FAULT_MAP, SQLITE_IOERR_SHMMAP},  {FAULT_LOCK, SQLITE_IOERR_LOCK},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static void
fail_each(const char *parameters, unsigned times)
{
    unsigned hits = 0;
    for (int i = 0; i < FAULTS; i++)
        for (unsigned nth = 1; nth < MOST_CALLS; nth++) {
            if (!fail_once(parameters, faults[i].call, nth, times, faults[i].code))
                break;
            hits++;
        }
    ck_assert_uint_ge(hits, 4);
}

START_TEST(one_call_fails)
{
    fail_each("vfs=faulty&pool_max_size=1", 1);
}
END_TEST

START_TEST(a_few_calls_fail)
{
    fail_each("vfs=faulty&pool_max_size=1", 3);
}
END_TEST

START_TEST(one_call_fails_with_a_rollback_journal)
{
    fail_each("vfs=faulty&journal_mode=delete", 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sharing, disk");
    sharing_add(suite, one_call_fails);
    sharing_add(suite, a_few_calls_fail);
    sharing_add(suite, one_call_fails_with_a_rollback_journal);
    return suite_run(suite);
}
