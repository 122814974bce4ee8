#include "tests/pool/limit_fixture.h"

#include <sched.h>
#include <stdio.h>

static const char *const targets[TARGETS][2] = {
    {"fake", "level=1"},
    {"fake", "level=0"},
    {"native", "pipeline=on"},
    {"native", "pipeline=off"},
};

dbal_limit *limit;
dbal_pool *pools[MOST];

dbal_pool *
open_on(dbal_loop *loop, int target, const char *parameters)
{
    char url[256];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "%s:pool?%s%s%s", targets[target][0], targets[target][1],
             parameters[0] != '\0' ? "&" : "", parameters);
    dbal_pool *opened =
        dbal_pool_open(loop, url, DBAL_POOL_OPTIONS(.limit = limit, .max_size = 8), &error);
    dbal_error_unref(error);
    return opened;
}

/* The first so many of the pools. */
void
open_pools(int target, int count, int places, const char *parameters)
{
    limit = dbal_limit_new(places, NULL);
    for (int i = 0; i < count; i++) {
        pools[i] = open_on(fixture.loop, target % TARGETS, parameters);
        ck_assert_ptr_nonnull(pools[i]);
    }
    pool = pools[0];
}

void
close_pools(int count)
{
    for (int i = 0; i < count; i++)
        good(dbal_pool_close(pools[i]));
    ck_assert_int_eq(dbal_limit_used(limit), 0);
    dbal_limit_unref(limit);
}

dbal_deferred *
ask_of(int index, const char *sql)
{
    return dbal_pool_query(pools[index], sql, DBAL_NO_PARAMS);
}

dbal_pool_counts
counts_of(int index)
{
    pool = pools[index];
    return counts_now();
}

void
hold_of(int index, holder *one)
{
    pool = pools[index];
    hold(one);
}

static bool
is_held(void *arg)
{
    loop_fixture_advance(&fixture,
                         0.0005); /* the crew of threads grows with the time that passes */
    return ((holder *)arg)->connection != NULL;
}

void
until_got(holder *one)
{
    loop_fixture_until(&fixture, is_held, one);
}

void
end(holder *one)
{
    let_go(one);
    until_settled(&one->end);
}

static bool
are_used(void *arg)
{
    loop_fixture_advance(&fixture, 0.0005);
    return dbal_limit_used(limit) == *(int *)arg;
}

void
until_used(int count)
{
    loop_fixture_until(&fixture, are_used, &count);
}

void
let_pass(double seconds)
{
    for (double passed = 0; passed < seconds; passed += 0.01) {
        settle();
        loop_fixture_advance(&fixture, 0.01);
        sched_yield();
    }
}

static bool
has_settled_in_time(void *arg)
{
    let_pass(0.01);
    return ((seen *)arg)->settled;
}

void
until_settled_in_time(seen *one)
{
    loop_fixture_until(&fixture, has_settled_in_time, one);
}

void
no_log(void *arg, dbal_log_level level, const char *message)
{
    (void)arg, (void)level, (void)message;
}

void
add(Suite *suite, const TTest *test, int count)
{
    TCase *tcase = tcase_create(test->name);
    tcase_add_checked_fixture(tcase, pool_fixture_init, pool_fixture_fini);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test, 0, count);
    suite_add_tcase(suite, tcase);
}
