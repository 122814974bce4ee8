/* Sets of a batch: packed into groups, walked through once more, and what became of them. */
#include <stdlib.h>
#include <string.h>

#include "dbal/result.h"
#include "dbal/sets.h"
#include "dbal/value.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/suite.h"

enum { COUNT = 1000, LARGE = 100000 };

static char large[LARGE + 1];

/* A number, and a text of a length that goes with it. */
static size_t
length(size_t index)
{
    return index % 97 == 5 ? LARGE : index % 40;
}

static bool
add(dbal__sets *sets, size_t index)
{
    const dbal_value values[] = {dbal_textn(large, length(index)), dbal_int64((int64_t)index)};
    const uint32_t order[] = {1, 0};
    return dbal__sets_add(sets, values, order, 2);
}

START_TEST(sets_come_out_as_they_went_in)
{
    dbal__sets sets = {NULL, NULL};
    size_t index = 0;
    memset(large, 'x', LARGE);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert(add(&sets, i));
    for (dbal__group *group; (group = dbal__sets_take(&sets)) != NULL;) {
        ck_assert_uint_ge(group->count, 1);
        ck_assert_uint_le(group->count, DBAL__GROUP);
        for (size_t i = 0; i < group->count; i++, index++) {
            size_t size;
            const void *block = dbal__group_walk(group, &size);
            ck_assert_int_eq(dbal__unpack(block, 0).as.integer, (int64_t)index);
            ck_assert_uint_eq(dbal__unpack(block, 1).as.bytes.size, length(index));
            ck_assert_uint_ge(size, length(index));
        }
        dbal__group_unref(group);
    }
    ck_assert_uint_eq(index, COUNT);
    dbal__sets_fini(&sets);
}
END_TEST

static void
keep(dbal__group *group, int64_t affected, bool rows)
{
    dbal_result *result = dbal__result_new(SIZE_MAX);
    ck_assert_ptr_nonnull(result);
    dbal__result_set_affected(result, affected);
    dbal__result_set_last_insert_id(result, affected * 10);
    if (rows)
        ck_assert_int_eq(dbal__result_add_column(result, "n", DBAL_INT64), DBAL__FITS);
    dbal__group_keep(group, result);
    dbal_result_unref(result);
}

START_TEST(what_each_did_is_kept_until_one_gives_rows)
{
    dbal__sets sets = {NULL, NULL};
    for (size_t i = 0; i < 4; i++)
        ck_assert(add(&sets, i));
    dbal__group *group = dbal__sets_take(&sets);
    keep(group, 1, false);
    keep(group, 7, false);
    ck_assert_uint_eq(group->done, 2);
    ck_assert_int_eq(group->each[1].affected, 7);
    ck_assert_int_eq(group->each[1].id, 70);
    keep(group, 1, true);
    ck_assert_uint_eq(group->done, 2);
    ck_assert(group->gave_rows);
    dbal__group_rewind(group);
    ck_assert_uint_eq(group->done, 0);
    ck_assert(!group->gave_rows);
    dbal__group_unref(group);
}
END_TEST

static void
starve(void *arg)
{
    dbal__sets sets = {NULL, NULL};
    size_t added = 0;
    (void)arg;
    for (size_t i = 0; i < 200; i++)
        added += add(&sets, i);
    for (dbal__group *group; (group = dbal__sets_take(&sets)) != NULL; dbal__group_unref(group))
        added -= group->count;
    ck_assert_uint_eq(added, 0);
    dbal__group_unref(dbal__group_of_one());
}

START_TEST(without_memory_the_others_stay)
{
    alloc_fault_sweep(starve, NULL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sets");
    const TTest *const tests[] = {
        sets_come_out_as_they_went_in,
        what_each_did_is_kept_until_one_gives_rows,
        without_memory_the_others_stay,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], NULL, NULL);
    return suite_run(suite);
}
