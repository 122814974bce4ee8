/* The database goes away and comes back: idle connections that die, and when the pool serves again. */
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
is_attached(void *arg)
{
    return fake_timed_connections() >= *(int *)arg;
}

static void
until_attached(int count)
{
    loop_fixture_until(&fixture, is_attached, &count);
}

static bool
is_quiet(void *arg)
{
    (void)arg;
    return counts_now().connecting == 0;
}

/* Opening takes real time in a helper thread: none of it passes for the pool. */
static void
until_quiet(void)
{
    loop_fixture_until(&fixture, is_quiet, NULL);
    settle();
}

START_TEST(an_idle_one_that_dies_is_noticed_at_once)
{
    open_driven("timed", "");
    good(ask("take 0"));
    fake_timed_kill(0);
    settle();
    ck_assert_int_eq(counts_now().connections, 0);
    ck_assert_uint_eq(counts_now().lost, 1);
    loop_fixture_advance(&fixture, 5);
    until_quiet();
    ck_assert_int_eq(fake_timed_connections(), 1); /* nobody wants another */
    good(ask("take 0"));
    ck_assert_int_eq(fake_timed_connections(), 2);
}
END_TEST

START_TEST(it_is_replaced_where_so_many_are_kept)
{
    open_driven("timed", "pool_min_size=2");
    until_connections(2);
    good(ask("take 0"));
    int used = fake_timed_ended(0) > 0 ? 0 : 1;
    fake_timed_kill(used);
    until_attached(3);
    until_connections(2);
    ck_assert_uint_eq(counts_now().lost, 1);
}
END_TEST

START_TEST(ones_that_die_at_once_are_not_opened_without_pause)
{
    open_driven("timed", "pool_min_size=1");
    for (int number = 0; number < 12; number++) {
        int before = fake_timed_connections();
        fake_timed_kill(number);
        settle();
        ck_assert_int_eq(counts_now().connections, 0);
        ck_assert_int_eq(counts_now().connecting, 0);
        ck_assert_int_eq(fake_timed_connections(), before);
        loop_fixture_advance(&fixture, 1);
        until_attached(number + 2);
    }
}
END_TEST

/* So long did it take until something that waits was served, once the server was back. */
static double
seconds_to_serve(double outage)
{
    seen one;
    double took = 0;
    int first = fake_timed_connections();
    fake_timed_down(true);
    for (int i = 0; i < first; i++)
        if (fake_timed_is_there(i))
            fake_timed_kill(i);
    settle();
    watch(ask("take 0"), &one);
    for (double gone = 0; gone < outage; gone += 0.01) {
        until_quiet();
        loop_fixture_advance(&fixture, 0.01);
    }
    until_quiet();
    ck_assert_int_eq(one.settled, 0);
    fake_timed_down(false);
    while (one.settled == 0 && took < 60) {
        loop_fixture_advance(&fixture, 0.01);
        until_quiet();
        took += 0.01;
    }
    ck_assert_int_eq(one.error_class, 0);
    return took;
}

START_TEST(it_serves_again_soon_after_the_servers_return)
{
    static const double outages[] = {0.05, 0.3, 1, 5, 30, 120};
    open_driven("timed", "pool_acquire_timeout=off");
    good(ask("take 0"));
    for (int i = 0; i < 6; i++) {
        double took = seconds_to_serve(outages[i]);
        double most = 1.05; /* a step of the back-off is a second at most */
        ck_assert_msg(took <= most, "%g s after an outage of %g s", took, outages[i]);
    }
}
END_TEST

START_TEST(all_of_many_that_wait_are_served_then)
{
    enum { MANY = 1000 };
    static seen all[MANY];
    open_driven("timed", "pool_acquire_timeout=off&pool_min_size=4");
    until_connections(4);
    good(ask("take 0"));
    fake_timed_down(true);
    for (int i = 0; i < 4; i++)
        fake_timed_kill(i);
    settle();
    for (int i = 0; i < MANY; i++)
        watch(ask("take 1"), &all[i]);
    for (int i = 0; i < 100; i++) {
        until_quiet();
        loop_fixture_advance(&fixture, 0.1);
    }
    fake_timed_down(false);
    for (int i = 0; i < 110; i++) {
        loop_fixture_advance(&fixture, 0.01);
        until_quiet();
    }
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(all[i].settled, 1);
    ck_assert_int_ge(counts_now().connections, 4);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("recovery");
    suite_add(suite, an_idle_one_that_dies_is_noticed_at_once, before, pool_fixture_fini);
    suite_add(suite, it_is_replaced_where_so_many_are_kept, before, pool_fixture_fini);
    suite_add(suite, ones_that_die_at_once_are_not_opened_without_pause, before, pool_fixture_fini);
    suite_add(suite, it_serves_again_soon_after_the_servers_return, before, pool_fixture_fini);
    suite_add(suite, all_of_many_that_wait_are_served_then, before, pool_fixture_fini);
    return suite_run(suite);
}
