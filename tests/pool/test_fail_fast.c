/* With fail_fast nothing waits for a server that cannot be reached, and nobody is refused for less. */
#include "tests/lib/fake_timed.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static void
before(void)
{
    pool_fixture_init();
    fake_timed_init();
}

static bool
is_quiet(void *arg)
{
    (void)arg;
    return counts_now().connecting == 0;
}

/* The one connection works, and another is not to be had for what waits behind that. */
static void
fail_to_grow(seen *works, seen *waits)
{
    good(ask("take 0"));
    fake_timed_down(true);
    watch(ask("take 1000"), works);
    watch(ask("take 1"), waits);
    loop_fixture_until(&fixture, is_quiet, NULL);
    settle();
    ck_assert_uint_ge(counts_now().connect_errors, 1);
}

START_TEST(with_fail_fast_nobody_waits_for_a_server_that_is_down)
{
    seen first, second;
    open_driven("timed", "pool_fail_fast=on&pool_acquire_timeout=off");
    good(ask("take 0"));
    fake_timed_down(true);
    fake_timed_kill(0);
    settle();
    watch(ask("take 0"), &first); /* nobody knows yet */
    ck_assert_int_eq(first.settled, 0);
    until_settled(&first);
    ck_assert_int_eq(first.error_class, DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(first.execution, DBAL_EXECUTION_NOT_SENT);
    uint64_t errors = counts_now().connect_errors;
    bad(ask("take 0"), DBAL_ERROR_OPERATIONAL, "08001", DBAL_EXECUTION_NOT_SENT, "is down");
    ck_assert_uint_eq(counts_now().connect_errors, errors); /* it was not even tried */
    /* what is asked for after the wait tries it again, and waits for that */
    loop_fixture_advance(&fixture, 1);
    watch(ask("take 0"), &second);
    until_settled(&second);
    ck_assert_uint_eq(counts_now().connect_errors, errors + 1);
    fake_timed_down(false);
    loop_fixture_advance(&fixture, 1);
    good(ask("take 0"));
    good(ask("take 0"));
}
END_TEST

/* One request waits for the connect that looks for the server, which may hang; others do not. */
START_TEST(with_fail_fast_nobody_waits_behind_a_connect_that_hangs)
{
    seen first, second;
    open_driven("timed", "pool_fail_fast=on&pool_acquire_timeout=off&pool_connect_timeout=20");
    good(ask("take 0"));
    fake_timed_down(true);
    fake_timed_kill(0);
    settle();
    watch(ask("take 0"), &first);
    until_settled(&first);
    fake_timed_shut(true); /* now nothing answers any more */
    loop_fixture_advance(&fixture, 1);
    watch(ask("take 0"), &second);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(counts_now().connecting, 1);
        bad(ask("take 0"), DBAL_ERROR_OPERATIONAL, "08001", DBAL_EXECUTION_NOT_SENT, "is down");
        ck_assert_int_eq(second.settled, 0);
        loop_fixture_advance(&fixture, 1.9);
    }
    loop_fixture_advance(&fixture, 5);
    until_settled(&second);
    ck_assert_int_eq(second.error_class, DBAL_ERROR_TIMEOUT);
    bad(ask("take 0"), DBAL_ERROR_TIMEOUT, "08001", DBAL_EXECUTION_NOT_SENT, "connect_timeout");
    fake_timed_down(false);
    fake_timed_shut(false);
    loop_fixture_advance(&fixture, 1);
    good(ask("take 0"));
    good(ask("take 0"));
}
END_TEST

/* While one was open a connect failed, of which nobody heard again; what was open is closed since. */
START_TEST(with_fail_fast_an_old_error_refuses_nobody)
{
    seen one, other;
    open_driven("timed", "pool_fail_fast=on&pool_max_size=2&pool_pipeline_depth=1"
                         "&pool_idle_timeout=1");
    fail_to_grow(&one, &other);
    for (int i = 0; i < 5; i++)
        loop_fixture_advance(&fixture, 0.002), settle();
    ck_assert_int_eq(other.settled, 1);
    fake_timed_down(false);
    for (int i = 0; i < 40 && counts_now().connections > 0; i++)
        loop_fixture_advance(&fixture, 0.1);
    until_connections(0);
    uint64_t opened = counts_now().opened;
    watch(ask("take 0"), &one);
    watch(ask("take 0"), &other);
    until_settled(&one);
    until_settled(&other);
    ck_assert_int_eq(one.error_class, 0);
    ck_assert_int_eq(other.error_class, 0);
    ck_assert_uint_ge(counts_now().opened, opened + 1);
}
END_TEST

/* connecting fails first, and then what was open is lost too */
START_TEST(with_fail_fast_the_last_one_that_is_lost_is_noticed)
{
    seen one, other;
    open_driven("timed", "pool_fail_fast=on&pool_max_size=2&pool_pipeline_depth=1");
    fail_to_grow(&one, &other);
    fake_timed_kill(0);
    settle();
    bad(ask("take 0"), DBAL_ERROR_OPERATIONAL, "08001", DBAL_EXECUTION_NOT_SENT, "is down");
    loop_fixture_advance(&fixture, 1);
    until_settled(&other);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(other.error_class, DBAL_ERROR_OPERATIONAL);
}
END_TEST

/* as long as one connection works, what waits waits for that */
START_TEST(fail_fast_is_for_servers_that_are_down)
{
    seen one, other;
    open_driven("timed", "pool_fail_fast=on&pool_min_size=1&pool_max_size=2&pool_pipeline_depth=1");
    fail_to_grow(&one, &other);
    ck_assert_int_eq(other.settled, 0);
    loop_fixture_advance(&fixture, 0.01);
    settle();
    loop_fixture_advance(&fixture, 0.01);
    until_settled(&other);
    ck_assert_int_eq(one.error_class + other.error_class, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fail_fast");
    suite_add(suite, with_fail_fast_nobody_waits_for_a_server_that_is_down, before,
              pool_fixture_fini);
    suite_add(suite, with_fail_fast_nobody_waits_behind_a_connect_that_hangs, before,
              pool_fixture_fini);
    suite_add(suite, with_fail_fast_an_old_error_refuses_nobody, before, pool_fixture_fini);
    suite_add(suite, with_fail_fast_the_last_one_that_is_lost_is_noticed, before,
              pool_fixture_fini);
    suite_add(suite, fail_fast_is_for_servers_that_are_down, before, pool_fixture_fini);
    return suite_run(suite);
}
