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
        loop_fixture_advance(&fixture, 30); /* nothing waits */
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

/* All that was open is lost, and the server is down until so many connects more have failed. */
static void
suffer(unsigned connects)
{
    uint64_t until = counts_now().connect_errors + connects;
    fake_timed_down(true);
    for (int i = 0; i < fake_timed_connections(); i++)
        if (fake_timed_is_there(i))
            fake_timed_kill(i);
    settle();
    while (counts_now().connect_errors < until) {
        loop_fixture_advance(&fixture, 0.01);
        until_quiet();
    }
}

static bool
is_connecting(void *arg)
{
    (void)arg;
    loop_fixture_advance(&fixture, 0.01);
    return counts_now().connecting > 0;
}

/* Each that opens lets one more be tried: nobody waits for a statement to end. */
static void
grow_back(const char *parameters)
{
    enum { MANY = 1000 };
    static const int begun[] = {1, 3, 7, 10};
    static seen all[MANY];
    open_driven("timed", parameters);
    good(ask("take 0"));
    suffer(1);
    for (int i = 0; i < MANY; i++)
        watch(ask("take 100000000"), &all[i]);
    suffer(4);
    fake_timed_shut(true);
    fake_timed_down(false);
    loop_fixture_until(&fixture, is_connecting, NULL);
    for (int i = 0; i < 4; i++) {
        dbal_pool_counts counts = counts_now();
        ck_assert_int_eq(counts.connections + counts.connecting, begun[i]);
        fake_timed_let_in(counts.connecting);
        until_connections(begun[i]);
        settle();
    }
    ck_assert_int_eq(counts_now().connecting, 0);
    for (int i = 0; i < fake_timed_connections(); i++)
        ck_assert_int_eq(fake_timed_ended(i), i == 0);
    fake_timed_shut(false);
}

START_TEST(it_is_as_large_as_before_in_few_rounds)
{
    grow_back("pool_min_size=1&pool_max_size=10&pool_acquire_timeout=off");
}
END_TEST

START_TEST(it_is_so_with_one_statement_in_each)
{
    grow_back("pool_min_size=1&pool_max_size=10&pool_acquire_timeout=off&pool_pipeline_depth=1");
}
END_TEST

START_TEST(it_is_so_where_nothing_waits)
{
    static const int begun[] = {1, 3, 7, 8};
    open_driven("timed", "pool_min_size=8&pool_max_size=10");
    good(ask("take 0"));
    suffer(5);
    fake_timed_shut(true);
    fake_timed_down(false);
    loop_fixture_until(&fixture, is_connecting, NULL);
    for (int i = 0; i < 4; i++) {
        dbal_pool_counts counts = counts_now();
        ck_assert_int_eq(counts.connections + counts.connecting, begun[i]);
        fake_timed_let_in(counts.connecting);
        until_connections(begun[i]);
        settle();
    }
    fake_timed_shut(false);
}
END_TEST

/* whatever was let in before it */
START_TEST(each_failure_makes_it_careful_again)
{
    open_driven("timed", "pool_min_size=8&pool_max_size=10");
    good(ask("take 0"));
    suffer(5);
    fake_timed_shut(true);
    fake_timed_down(false);
    loop_fixture_until(&fixture, is_connecting, NULL);
    fake_timed_let_in(1);
    until_connections(1);
    ck_assert_int_eq(counts_now().connecting, 2);
    fake_timed_down(true);
    fake_timed_let_in(2);
    until_quiet();
    for (int i = 0; i < 5; i++) {
        loop_fixture_until(&fixture, is_connecting, NULL);
        settle();
        ck_assert_int_eq(counts_now().connecting, 1);
        fake_timed_let_in(1);
        until_quiet();
    }
    fake_timed_shut(false);
}
END_TEST

/* So many connects were opened while so much time passed. */
static int
opened_in(double seconds)
{
    int before = fake_timed_connections();
    for (double passed = 0; passed < seconds; passed += 0.05) {
        until_quiet();
        loop_fixture_advance(&fixture, 0.05);
    }
    until_quiet();
    return fake_timed_connections() - before;
}

/* It lets everybody in, and drops them. Each time, one connect and at most two that it made believe. */
START_TEST(a_pooler_without_a_server_is_not_stormed)
{
    open_driven("timed", "pool_min_size=8&pool_max_size=10");
    good(ask("take 0"));
    suffer(3);
    fake_timed_drops(true);
    fake_timed_down(false);
    opened_in(100);                        /* until the waits are as long as they get */
    ck_assert_int_le(opened_in(300), 100); /* about 20 times */
    ck_assert_int_eq(counts_now().connections, 0);
    fake_timed_drops(false);
    opened_in(30);
    ck_assert_int_eq(counts_now().connections, 8);
}
END_TEST

/* ---- what is told of it ---- */

/* also where nothing has run on what was open */
START_TEST(each_outage_is_told_once)
{
    open_driven("timed", "pool_min_size=2&pool_acquire_timeout=off");
    until_connections(2);
    for (unsigned outage = 1; outage <= 3; outage++) {
        seen one;
        suffer(5);
        dbal_deferred *asked = watch(ask("take 0"), &one);
        suffer(20);
        ck_assert_uint_eq(log_lines_count(&fixture.log, "no connection: the fake is down"), outage);
        ck_assert_uint_eq(log_lines_count(&fixture.log, "no connection"), outage);
        ck_assert_int_eq(one.settled, 0);
        dbal_deferred_cancel(asked);
        fake_timed_down(false);
        opened_in(40);
        ck_assert_int_eq(counts_now().connections, 2);
        ck_assert_uint_eq(counts_now().failures_in_a_row, 0);
    }
}
END_TEST

START_TEST(what_was_open_before_it_does_not_end_it)
{
    open_driven("timed", "pool_min_size=2");
    until_connections(2);
    fake_timed_down(true);
    fake_timed_kill(0);
    settle();
    while (counts_now().connect_errors < 3) {
        loop_fixture_advance(&fixture, 0.05);
        until_quiet();
    }
    uint64_t failures = counts_now().failures_in_a_row;
    ck_assert_uint_ge(failures, 4); /* the one that died was as one that failed */
    good(ask("take 0"));
    ck_assert_uint_eq(counts_now().failures_in_a_row, failures);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "no connection more: the fake is down"), 1);
}
END_TEST

/* ---- the wait after a connect that failed ---- */

/* Connects that failed while so much time passed. */
static uint64_t
failures_in(double seconds)
{
    uint64_t before = counts_now().connect_errors;
    for (double passed = 0; passed < seconds; passed += 0.05) {
        until_quiet();
        loop_fixture_advance(&fixture, 0.05);
    }
    until_quiet();
    return counts_now().connect_errors - before;
}

START_TEST(while_nothing_waits_it_looks_seldom)
{
    seen one;
    open_driven("timed", "pool_min_size=1&pool_acquire_timeout=off");
    good(ask("take 0"));
    fake_timed_down(true);
    fake_timed_kill(0);
    settle();
    failures_in(200); /* until the waits are as long as they get */
    uint64_t seldom = failures_in(600);
    ck_assert_uint_ge(seldom, 20); /* each waits for up to 30 s */
    ck_assert_uint_le(seldom, 90);
    watch(ask("take 0"), &one);
    uint64_t often = failures_in(60);
    ck_assert_uint_ge(often, 60); /* for up to 1 s */
    /* one connect at a time, however many wait */
    seen more[20];
    loop_fixture_advance(&fixture, 1);
    for (int i = 0; i < 20; i++)
        watch(ask("take 0"), &more[i]);
    ck_assert_int_eq(counts_now().connecting, 1);
    ck_assert_uint_gt(counts_now().failures_in_a_row, 100);
    fake_timed_down(false);
    failures_in(1.1);
    ck_assert_int_eq(one.settled, 1);
    ck_assert_uint_eq(counts_now().failures_in_a_row, 0);
}
END_TEST

/* Behind a slow statement on the one connection left; no other statement comes to ask for more. */
START_TEST(what_stands_behind_others_waits_too)
{
    static seen slow, behind[3], next; /* they end with the pool */
    open_driven("timed", "pool_acquire_timeout=off&pool_max_size=3");
    good(ask("take 0"));
    fake_timed_down(true);
    watch(ask("take 1000000000"), &slow);
    settle();
    loop_fixture_advance(&fixture, 1);
    for (int i = 0; i < 3; i++)
        watch(ask("take 1000000"), &behind[i]);
    ck_assert_int_eq(fake_timed_flying(0), 4);
    ck_assert_uint_eq(counts_now().waiting, 0);
    failures_in(200);
    ck_assert_uint_ge(failures_in(60), 60); /* one each second at least */
    fake_timed_down(false);
    failures_in(1.1);
    ck_assert_int_eq(counts_now().connections, 2); /* one, as was wished for */
    watch(ask("take 1"), &next);
    loop_fixture_advance(&fixture, 0.01);
    until_settled(&next);
    ck_assert_int_eq(behind[0].settled, 0);
}
END_TEST

START_TEST(nothing_is_wished_for_when_nothing_stands_there_any_more)
{
    seen slow, behind;
    open_driven("timed", "pool_acquire_timeout=off");
    good(ask("take 0"));
    fake_timed_down(true);
    watch(ask("take 100000000"), &slow);
    settle();
    loop_fixture_advance(&fixture, 1);
    watch(ask("take 1000000"), &behind);
    ck_assert_uint_ge(failures_in(60), 60);
    failures_in(60);
    until_settled(&behind);
    ck_assert_uint_eq(failures_in(60), 0);
}
END_TEST

/* one that comes in the middle of a long wait */
START_TEST(who_waits_hurries_it)
{
    for (int i = 0; i < 20; i++) {
        seen one;
        if (i > 0)
            before();
        open_driven("timed", "pool_min_size=1&pool_acquire_timeout=off&pool_backoff=1000");
        good(ask("take 0"));
        fake_timed_down(true);
        fake_timed_kill(0);
        settle();
        failures_in(100);
        fake_timed_down(false);
        watch(ask("take 0"), &one);
        loop_fixture_advance(&fixture, 1);
        until_settled(&one);
        ck_assert_int_eq(one.error_class, 0);
        if (i < 19)
            pool_fixture_fini();
    }
}
END_TEST

START_TEST(its_length_is_a_setting)
{
    open_driven("timed", "pool_min_size=1&pool_backoff=0.2");
    good(ask("take 0"));
    fake_timed_down(true);
    fake_timed_kill(0);
    settle();
    ck_assert_uint_ge(failures_in(20), 90);
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
    suite_add(suite, it_is_as_large_as_before_in_few_rounds, before, pool_fixture_fini);
    suite_add(suite, it_is_so_with_one_statement_in_each, before, pool_fixture_fini);
    suite_add(suite, it_is_so_where_nothing_waits, before, pool_fixture_fini);
    suite_add(suite, each_failure_makes_it_careful_again, before, pool_fixture_fini);
    suite_add(suite, a_pooler_without_a_server_is_not_stormed, before, pool_fixture_fini);
    suite_add(suite, each_outage_is_told_once, before, pool_fixture_fini);
    suite_add(suite, what_was_open_before_it_does_not_end_it, before, pool_fixture_fini);
    suite_add(suite, while_nothing_waits_it_looks_seldom, before, pool_fixture_fini);
    suite_add(suite, what_stands_behind_others_waits_too, before, pool_fixture_fini);
    suite_add(suite, nothing_is_wished_for_when_nothing_stands_there_any_more, before,
              pool_fixture_fini);
    suite_add(suite, who_waits_hurries_it, before, pool_fixture_fini);
    suite_add(suite, its_length_is_a_setting, before, pool_fixture_fini);
    return suite_run(suite);
}
