/* Where a thread's results come from and go back to. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "dbal/alloc.h"
#include "dbal/home.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/suite.h"

enum { LARGE = 300 * 1024 };

static dbal__home *home;

static void
setup(void)
{
    home = dbal__home_new();
    ck_assert_ptr_nonnull(home);
}

static dbal_columns *
columns_of(const char *name)
{
    static const dbal_type type = DBAL_INT64;
    dbal_columns *columns = dbal_columns_new(1, &name, &type);
    ck_assert_ptr_nonnull(columns);
    return columns;
}

static dbal_result *
result_of(dbal_columns *columns, int64_t cell)
{
    dbal_result *result = dbal__home_result(home, SIZE_MAX);
    ck_assert_ptr_nonnull(result);
    ck_assert_int_eq(dbal__result_use_columns(result, columns), DBAL__FITS);
    ck_assert_int_eq(dbal__result_add_integer(result, DBAL_INT64, cell), DBAL__FITS);
    ck_assert_int_eq(dbal__result_end_row(result), DBAL__FITS);
    return result;
}

static void
check_empty(const dbal_result *result)
{
    ck_assert_uint_eq(dbal_result_row_count(result), 0);
    ck_assert_uint_eq(dbal_result_column_count(result), 0);
    ck_assert(!dbal__result_has_affected(result));
    ck_assert_int_eq(dbal_result_last_insert_id(result), 0);
}

START_TEST(what_comes_back_is_empty_again)
{
    dbal_columns *one = columns_of("one"), *other = columns_of("other");
    for (int i = 0; i < 3; i++) {
        dbal_result *result = result_of(i == 2 ? other : one, i);
        ck_assert_int_eq(dbal_result_int64(result, 0, 0), i);
        ck_assert_str_eq(dbal_result_column_name(result, 0), i == 2 ? "other" : "one");
        dbal__result_set_affected(result, 7);
        dbal__result_set_last_insert_id(result, 9);
        dbal_result_unref(result);
        dbal_result *next = dbal__home_result(home, SIZE_MAX);
        if (dbal__alloc_may_reuse())
            ck_assert_ptr_eq(next, result);
        check_empty(next);
        dbal_result_unref(next);
    }
    dbal_columns_unref(one);
    dbal_columns_unref(other);
    dbal__home_close(home);
}
END_TEST

/* the columns that it had before are none of its own */
START_TEST(columns_of_its_own_come_after_common_ones)
{
    dbal_columns *common = columns_of("common");
    dbal_result_unref(result_of(common, 1));
    dbal_result *result = dbal__home_result(home, SIZE_MAX);
    ck_assert_int_eq(dbal__result_add_column(result, "own", DBAL_TEXT), DBAL__FITS);
    dbal_result *like = dbal__result_like(result);
    ck_assert_uint_eq(dbal_result_column_count(like), 1);
    ck_assert_str_eq(dbal_result_column_name(like, 0), "own");
    dbal_result_unref(like);
    dbal_result_unref(result);
    dbal_columns_unref(common);
    dbal__home_close(home);
}
END_TEST

START_TEST(what_has_grown_or_failed_is_not_used_again)
{
    dbal_columns *columns = columns_of("n");
    dbal_result *result = result_of(columns, 1);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(dbal__result_add_integer(result, DBAL_INT64, i), DBAL__FITS);
        ck_assert_int_eq(dbal__result_end_row(result), DBAL__FITS);
    }
    ck_assert(!dbal__result_can_renew(result));
    dbal_result_unref(result);
    result = result_of(columns, 1);
    ck_assert_str_eq(dbal_result_text(result, 5, 5), "");
    ck_assert(!dbal__result_can_renew(result));
    dbal_result_unref(result);
    result = dbal__home_result(home, SIZE_MAX);
    check_empty(result);
    dbal_result_unref(result);
    dbal_columns_unref(columns);
    dbal__home_close(home);
}
END_TEST

/* more than it keeps is freed at once */
START_TEST(too_much_does_not_wait_for_the_thread)
{
    enum { RESULTS = 8 };
    static char bytes[LARGE];
    dbal_result *all[RESULTS];
    for (int i = 0; i < RESULTS; i++) {
        all[i] = dbal__home_result(home, SIZE_MAX);
        ck_assert_int_eq(dbal__result_add_column(all[i], "n", DBAL_BLOB), DBAL__FITS);
        ck_assert_int_eq(dbal__result_add_bytes(all[i], DBAL_BLOB, bytes, LARGE), DBAL__FITS);
    }
    for (int i = 0; i < RESULTS; i++)
        dbal_result_unref(all[i]);
    /* ASan and valgrind see what would be used or lost */
    dbal_result_unref(dbal__home_result(home, SIZE_MAX));
    dbal__home_close(home);
}
END_TEST

START_TEST(what_is_held_outlives_it)
{
    dbal_columns *columns = columns_of("n");
    dbal_result *held = result_of(columns, 42), *back = result_of(columns, 1);
    dbal_columns_unref(columns);
    dbal_result_unref(back);
    dbal__home_close(home);
    ck_assert_int_eq(dbal_result_int64(held, 0, 0), 42);
    dbal_result_unref(held);
}
END_TEST

enum { ROUNDS = 20000, FLIGHT = 16 };

static _Atomic(dbal_result *) places[FLIGHT];

static void *
drop_all(void *arg)
{
    for (int dropped = 0; dropped < ROUNDS;) {
        for (int i = 0; i < FLIGHT; i++) {
            dbal_result *result = atomic_exchange(&places[i], NULL);
            if (result == NULL)
                continue;
            if (dbal_result_int64(result, 0, 0) != 42)
                abort();
            dbal_result_unref(result);
            dropped++;
        }
    }
    return arg;
}

START_TEST(others_drop_what_one_makes)
{
    pthread_t thread;
    dbal_columns *columns = columns_of("n");
    ck_assert_int_eq(pthread_create(&thread, NULL, drop_all, NULL), 0);
    for (int made = 0; made < ROUNDS; made++) {
        dbal_result *nothing = NULL, *result = result_of(columns, 42);
        while (!atomic_compare_exchange_strong(&places[made % FLIGHT], &nothing, result))
            nothing = NULL;
    }
    pthread_join(thread, NULL);
    dbal_columns_unref(columns);
    dbal__home_close(home);
}
END_TEST

static void
make_and_drop(void *arg)
{
    (void)arg;
    dbal__home *mine = dbal__home_new();
    if (mine == NULL)
        return;
    for (int i = 0; i < 2; i++)
        dbal_result_unref(dbal__home_result(mine, SIZE_MAX));
    dbal__home_close(mine);
}

START_TEST(nothing_is_lost_without_memory)
{
    alloc_fault_sweep(make_and_drop, NULL);
    dbal__home_close(NULL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("home");
    const TTest *const tests[] = {
        what_comes_back_is_empty_again,
        columns_of_its_own_come_after_common_ones,
        what_has_grown_or_failed_is_not_used_again,
        too_much_does_not_wait_for_the_thread,
        what_is_held_outlives_it,
        others_drop_what_one_makes,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, NULL);
    suite_add(suite, nothing_is_lost_without_memory, NULL, NULL);
    return suite_run(suite);
}
