/* Results that wait for a loop that is held up: threads make only so many of them. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "pool/pool.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

enum { THREADS = 3, SIZE = 100000, BUDGET = 1000000, ASKED = 200 };
static const char large[] = "bytes 100000";
static const char *sql = large;

static const char *const targets[] = {"", "sharing=on"};
enum { TARGETS = sizeof targets / sizeof targets[0] };

static void
open_with(int target, const char *budget)
{
    char text[200];
    snprintf(text, sizeof text, "%s&pool_max_size=%d&pool_min_size=%d&pool_memory_budget=%s",
             targets[target], THREADS, THREADS, budget);
    open_pool("fake", text[0] == '&' ? text + 1 : text);
    good(dbal_pool_ready(pool));
    until_connections(THREADS);
}

static bool
all_sleep(void)
{
    dbal__list *workers = &pool->crew.workers;
    for (dbal__list *link = workers->next; link != workers; link = link->next) {
        if (!dbal__worker_is_parked(DBAL__OF(link, dbal__worker, crew)))
            return false;
    }
    return true;
}

/* The loop stands still meanwhile. */
static void
until_all_sleep(void)
{
    dbal__line *line = &pool->crew.line;
    while ((dbal__line_count(line) != 0 && !dbal__budget_is_spent(line->budget)) || !all_sleep())
        sched_yield();
}

static int
runs(void)
{
    return fake_script_count(script, &script->runs);
}

static seen all[ASKED];

static int
ask_all(void)
{
    int before = runs();
    for (int i = 0; i < ASKED; i++)
        watch(ask(sql), &all[i]);
    dbal__crew_rouse(&pool->crew); /* what else the end of the loop's turn would give them */
    until_all_sleep();
    return runs() - before;
}

static void
all_settle(void)
{
    for (int i = 0; i < ASKED; i++) {
        until_settled(&all[i]);
        ck_assert_int_eq(all[i].error_class, 0);
    }
}

START_TEST(no_more_are_made_than_it_allows)
{
    open_with(_i, "1000000");
    for (int i = 0; i < 3; i++) {
        int made = ask_all();
        ck_assert_int_ge(made, BUDGET / (SIZE + 4096));
        ck_assert_int_le(made, BUDGET / SIZE + THREADS);
        all_settle();
        ck_assert(!dbal__budget_is_spent(pool->crew.line.budget));
        ck_assert_int_eq((int)atomic_load(&pool->crew.line.budget->spent), 0);
    }
}
END_TEST

/* Small ones are counted together. */
START_TEST(many_small_ones_count_too)
{
    open_with(_i, "100000");
    sql = "bytes 1000";
    int made = ask_all();
    ck_assert_int_ge(made, 20);
    ck_assert_int_le(made, 100 + THREADS * 5);
    all_settle();
    ck_assert_int_eq((int)atomic_load(&pool->crew.line.budget->spent), 0);
    sql = large;
}
END_TEST

START_TEST(off_all_are)
{
    open_with(_i, "off");
    ck_assert_int_eq(ask_all(), ASKED);
    all_settle();
}
END_TEST

/* A session has its thread for itself. */
START_TEST(a_session_goes_on)
{
    holder one;
    open_with(_i, "1000000");
    hold(&one);
    until_held(&one);
    ask_all();
    int before = runs();
    seen of_session;
    watch(dbal_connection_query(one.connection, "get", DBAL_NO_PARAMS), &of_session);
    while (runs() == before)
        sched_yield();
    until_settled(&of_session);
    let_go(&one);
    all_settle();
}
END_TEST

START_TEST(cancelled_and_closed_nothing_is_lost)
{
    seen closed;
    dbal_deferred *last;
    open_with(_i, "1000000");
    ask_all();
    last = dbal_deferred_ref(ask(sql));
    seen cancelled;
    watch(last, &cancelled);
    dbal_deferred_cancel(last);
    watch(dbal_pool_close(pool), &closed);
    until_settled(&closed);
    ck_assert_int_eq(cancelled.error_class, DBAL_ERROR_CANCELLED);
    all_settle();
    dbal_deferred_unref(last);
}
END_TEST

START_TEST(the_loop_freed_meanwhile)
{
    open_with(_i, "1000000");
    ask_all();
    dbal_loop_free(fixture.loop);
    fixture.loop = NULL;
    for (int i = 0; i < ASKED; i++)
        ck_assert_int_eq(all[i].settled, 1);
}
END_TEST

START_TEST(a_budget_too_small_is_an_error)
{
    dbal_error *error = NULL;
    ck_assert_ptr_null(
        dbal_pool_open(fixture.loop, "fake:pool?pool_memory_budget=1k", NULL, &error));
    ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
    ck_assert_ptr_nonnull(strstr(dbal_error_message(error), "memory_budget"));
    dbal_error_unref(error);
}
END_TEST

static void
add(Suite *suite, const TTest *test, int targets_count)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, targets_count);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("pool-budget");
    add(suite, no_more_are_made_than_it_allows, TARGETS);
    add(suite, many_small_ones_count_too, TARGETS);
    add(suite, off_all_are, TARGETS);
    add(suite, a_session_goes_on, TARGETS);
    add(suite, cancelled_and_closed_nothing_is_lost, TARGETS);
    add(suite, the_loop_freed_meanwhile, TARGETS);
    add(suite, a_budget_too_small_is_an_error, 1);
    return suite_run(suite);
}
