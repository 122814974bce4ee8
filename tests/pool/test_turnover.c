/* Connections to real SQLite files are replaced under load, and nothing fails for it. */
#include <dbal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/load.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/scratch.h"
#include "tests/lib/suite.h"

static const char *const targets[] = {"", "&pool_gate=driver-thread", "&journal_mode=delete"};
enum { TARGETS = sizeof targets / sizeof targets[0], CALLERS = 16 };

static loop_fixture fixture;
static char folder[SCRATCH_PATH];
static dbal_pool *pool;
static load work;

static void
before(void)
{
    scratch_make(folder, "pool");
    loop_fixture_init(&fixture);
}

static void
after(void)
{
    loop_fixture_fini(&fixture);
    scratch_remove(folder);
}

static void
good(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
}

static dbal_pool_counts
counts_now(void)
{
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    dbal_pool_stats(pool, &counts);
    return counts;
}

static void
begin(int target, const char *settings)
{
    char url[200];
    snprintf(url, sizeof url, "sqlite:%s/db?pool_min_size=3&pool_max_size=3%s%s", folder, settings,
             targets[target]);
    pool = dbal_pool_open(fixture.loop, url, NULL, NULL);
    good(dbal_pool_query(pool, "create table t(a integer)", DBAL_NO_PARAMS));
    good(dbal_pool_ready(pool));
    load_begin(&work, pool, CALLERS, "select count(*) from t", "insert into t values (1)");
}

static bool
is_over(void *arg)
{
    (void)arg;
    return work.callers == 0;
}

static bool
has_worked(void *arg)
{
    (void)arg;
    return work.done > 100;
}

static void
end(void)
{
    loop_fixture_until(&fixture, has_worked, NULL);
    load_end(&work);
    loop_fixture_until(&fixture, is_over, NULL);
    ck_assert_msg(work.failed == 0, "%d of %d failed: %s", work.failed, work.done, work.why);
    ck_assert_uint_eq(counts_now().lost, 0);
    ck_assert_int_le(counts_now().connections, 3);
}

static bool
has_replaced_all(void *arg)
{
    (void)arg;
    return counts_now().closed_lifetime >= 2 * (uint64_t)counts_now().max_size;
}

START_TEST(by_max_lifetime)
{
    begin(_i, "&pool_max_lifetime=1");
    loop_fixture_until(&fixture, has_replaced_all, NULL);
    end();
}
END_TEST

START_TEST(by_draining)
{
    begin(_i, "");
    for (int i = 0; i < 10; i++)
        good(dbal_pool_drain(pool));
    end();
    /* with a rollback journal there is one */
    ck_assert_uint_eq(counts_now().drained, 10 * (uint64_t)counts_now().max_size);
}
END_TEST

/* nothing runs while it is paused, and all of it afterwards */
START_TEST(paused_and_resized)
{
    begin(_i, "");
    for (int i = 0; i < 20; i++) {
        good(dbal_pool_pause(pool));
        int done = work.done;
        for (int turns = 0; turns < 20; turns++)
            ev_run(fixture.ev, EVRUN_NOWAIT);
        ck_assert_int_eq(work.done, done);
        ck_assert_uint_eq(counts_now().running, 0);
        ck_assert(dbal_pool_resize(pool, 0, 1 + i % 3, NULL));
        dbal_pool_resume(pool);
        while (work.done < done + 50)
            ev_run(fixture.ev, EVRUN_ONCE);
    }
    end();
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, before, after);
    tcase_add_loop_test(one, test, 0, TARGETS);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("turnover");
    add(suite, by_max_lifetime);
    add(suite, by_draining);
    add(suite, paused_and_resized);
    return suite_run(suite);
}
