/* Connections to a real server are replaced under load, and nothing fails for it. */
#include "session.h"
#include "tests/lib/load.h"
#include "tests/lib/postgres.h"
#include "tests/lib/suite.h"

enum { CALLERS = 32, SIZE = 3 };

static load work;

static void
begin(const char *settings)
{
    session_begin(settings);
    RUN("create table t(a integer)");
    ends_well(dbal_pool_ready(pool));
    load_begin(&work, pool, CALLERS, "select count(*) from t", "insert into t values (1)");
}

static void
before_lifetime(void)
{
    begin("pool_min_size=3&pool_max_size=3&pool_max_lifetime=1");
}

static void
before_lifetime_thread(void)
{
    begin("pool_min_size=3&pool_max_size=3&pool_max_lifetime=1&pool_gate=thread");
}

static void
before(void)
{
    begin("pool_min_size=3&pool_max_size=3");
}

static void
before_thread(void)
{
    begin("pool_min_size=3&pool_max_size=3&pool_gate=thread");
}

static dbal_pool_counts
counts_now(void)
{
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    dbal_pool_stats(pool, &counts);
    return counts;
}

static bool
is_over(void *arg)
{
    (void)arg;
    return work.callers == 0;
}

static void
end(void)
{
    load_end(&work);
    loop_fixture_until(&fixture, is_over, NULL);
    ck_assert_msg(work.failed == 0, "%d of %d failed: %s", work.failed, work.done, work.why);
    ck_assert_int_gt(work.done, 100);
    ck_assert_uint_eq(counts_now().lost, 0);
    ck_assert_int_le(counts_now().connections, SIZE);
}

static bool
has_replaced_all(void *arg)
{
    (void)arg;
    return counts_now().closed_lifetime >= 2 * SIZE;
}

START_TEST(by_max_lifetime)
{
    loop_fixture_until(&fixture, has_replaced_all, NULL);
    end();
}
END_TEST

static int64_t
processes(void)
{
    return postgres_number(session_url(),
                           "select count(*) from pg_stat_activity where usename = current_user");
}

/* no process of the server's is left of those that served before, when the last has gone */
START_TEST(by_draining)
{
    for (int i = 0; i < 10; i++)
        ends_well(dbal_pool_drain(pool));
    end();
    ck_assert_uint_eq(counts_now().drained, 10 * SIZE);
    int64_t there = processes();
    for (int i = 0; i < 2000 && there > SIZE + 2; i++)
        there = processes();
    ck_assert_int_le(there, SIZE + 2);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres turnover");
    suite_add(suite, by_max_lifetime, before_lifetime, session_end);
    suite_add(suite, by_draining, before, session_end);
    suite_add(suite, by_max_lifetime, before_lifetime_thread, session_end);
    suite_add(suite, by_draining, before_thread, session_end);
    return session_main(suite);
}
