/* A host from which nothing comes back costs its own pool alone: not the others of the loop. */
#include <stdio.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

enum { POOLS = 24, AT_ONCE = 12, THERE = 8 };

static fake_script *dark;

static void
before(void)
{
    pool_fixture_init();
    dark = fake_script_get("dark");
    fake_script_clear(dark);
    fake_script_watch(dark, fixture.ev);
}

static void
after(void)
{
    fake_script_open_gate(dark, "errand");
    fake_script_watch(dark, NULL);
    pool_fixture_fini();
    ck_assert_int_eq(fake_script_count(dark, &dark->live), 0);
}

static dbal_pool *
open_dark(const char *parameters)
{
    char url[128];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "native:dark?%s", parameters);
    dbal_pool *one = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(one != NULL, "%s", dbal_error_message(error));
    return one;
}

typedef struct wanted {
    const int *count;
    int least;
} wanted;

static bool
is_there(void *arg)
{
    const wanted *one = arg;
    return fake_script_count(dark, one->count) >= one->least;
}

static void
until_dark(const int *count, int least)
{
    wanted one = {count, least};
    loop_fixture_until(&fixture, is_there, &one);
}

START_TEST(connects_that_hang_keep_no_other_pool_from_connecting)
{
    static seen one[POOLS]; /* they settle when the loop ends */
    dark->hang_open = dark->stop_ends_open = true;
    for (int i = 0; i < POOLS; i++)
        watch(dbal_pool_query(open_dark("pool_acquire_timeout=off"), "get", DBAL_NO_PARAMS),
              &one[i]);
    until_dark(&dark->waiting, POOLS);
    open_pool("native", "");
    good(ask("add 1"));
    for (int i = 0; i < POOLS; i++)
        ck_assert_int_eq(one[i].settled, 0);
}
END_TEST

/* They are refused at a bound of their own, and closing waits for none of them. */
START_TEST(cancels_that_hang_keep_no_other_pool_from_cancelling)
{
    static seen one[AT_ONCE];
    seen other;
    dark->hang_errand = true;
    dbal_pool *there = open_dark("pool_max_size=12&pool_min_size=12&pool_pipeline_depth=1");
    open_pool("native", "");
    good(ask("add 1"));
    for (int i = 0; i < AT_ONCE; i++)
        watch(dbal_pool_query(there, "errand add 1", DBAL_NO_PARAMS), &one[i]);
    until_dark(&dark->waiting, THERE);
    until_dark(&dark->errands_refused, AT_ONCE - THERE);
    watch(ask("errand add 1"), &other);
    until_settled(&other);
    ck_assert_int_eq(fake_script_count(script, &script->errands), 1);
    ck_assert_int_eq(fake_script_count(script, &script->errands_refused), 0);
    good(dbal_pool_close(pool));
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("dark");
    suite_add(suite, connects_that_hang_keep_no_other_pool_from_connecting, before, after);
    suite_add(suite, cancels_that_hang_keep_no_other_pool_from_cancelling, before, after);
    return suite_run(suite);
}
