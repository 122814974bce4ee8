/* Building a result: many rows, many columns, too much, and its end. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/dbal/result_fixture.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/chance.h"
#include "tests/lib/suite.h"

START_TEST(columns_in_common)
{
    static const char *const names[] = {"id", "name"};
    static const dbal_type types[] = {DBAL_INT64, DBAL_TEXT};
    dbal_columns *columns = dbal_columns_new(2, names, types);
    dbal_result *one = dbal__result_new(SIZE_MAX), *two = dbal__result_new(SIZE_MAX);
    ck_assert(columns != NULL && one != NULL && two != NULL);
    ck_assert_int_eq(dbal__result_use_columns(one, columns), DBAL__FITS);
    ck_assert_int_eq(dbal__result_use_columns(one, columns), DBAL__MISMATCHED);
    ck_assert_int_eq(dbal__result_use_columns(two, columns), DBAL__FITS);
    /* one more is a copy, of which the other knows nothing */
    ck_assert_int_eq(dbal__result_add_column(two, "more", DBAL_BLOB), DBAL__FITS);
    ck_assert_uint_eq(dbal_result_column_count(two), 3);
    ck_assert_str_eq(dbal_result_column_name(two, 2), "more");
    ck_assert_uint_eq(dbal_result_column_count(one), 2);
    dbal_columns_unref(columns);
    dbal_result *like = dbal__result_like(one);
    dbal_result_unref(one);
    ck_assert_str_eq(dbal_result_column_name(like, 1), "name");
    ck_assert_int_eq(dbal_result_column_type(like, 0), DBAL_INT64);
    ck_assert_str_eq(dbal_result_column_name(two, 0), "id");
    dbal_result_unref(two);
    dbal_result_unref(like);
    dbal_columns_unref(NULL);
}
END_TEST

/* a driver's: kind 1 is its own for truth values, kind 2 for bytes, however long */
static size_t
spell(char *to, size_t room, uint32_t kind, dbal_value value)
{
    size_t size = 0;
    if (kind == 1 && value.type == DBAL_BOOL) {
        size = value.as.boolean ? 3 : 2;
        memcpy(to, value.as.boolean ? "yes" : "no", size + 1);
    } else if (kind == 2 && value.type == DBAL_BLOB) {
        size = 2 * value.as.bytes.size;
        if (size < room)
            memset(to, 'b', size);
        if (size < room)
            to[size] = '\0';
    }
    return size;
}

START_TEST(a_driver_spells_what_is_no_text)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    static const dbal_type types[] = {DBAL_BOOL, DBAL_BLOB, DBAL_BLOB, DBAL_BOOL};
    static const uint32_t kinds[] = {1, 2, 3, 0};
    static const char bytes[100] = "raw";
    const dbal_value cells[] = {
        dbal_bool(true),  dbal_blob(bytes, 100), dbal_blob(bytes, 3), dbal_bool(true),
        dbal_bool(false), dbal_blob(bytes, 31),  dbal_text("text"),   dbal_null(),
        dbal_int64(5),    dbal_blob(bytes, 32),  dbal_double(0.5),    dbal_date(0),
    };
    dbal_columns *shared = dbal_columns_new(4, names, types);
    ck_assert_ptr_nonnull(shared);
    dbal_columns_spell(shared, spell, kinds);
    ck_assert_int_eq(dbal__result_use_columns(result, shared), DBAL__FITS);
    dbal_columns_unref(shared);
    for (size_t i = 0; i < 12; i++) {
        add(cells[i]);
        if (i % 4 == 3)
            ck_assert_int_eq(dbal__result_end_row(result), DBAL__FITS);
    }
    size_t size;
    const char *text = dbal_result_textn(result, 0, 1, &size);
    ck_assert_uint_eq(size, 200);
    ck_assert_uint_eq(strspn(text, "b"), 200);
    ck_assert_uint_eq(strlen(text), 200);
    ck_assert_uint_eq(strlen(dbal_result_text(result, 1, 1)), 62);
    ck_assert_uint_eq(strlen(dbal_result_text(result, 2, 1)), 64);
    ck_assert_str_eq(dbal_result_text(result, 0, 0), "yes");
    ck_assert_str_eq(dbal_result_text(result, 1, 0), "no");
    ck_assert_str_eq(dbal_result_text(result, 2, 0), "5");
    ck_assert_str_eq(dbal_result_text(result, 0, 2), "raw");
    ck_assert_str_eq(dbal_result_text(result, 1, 2), "text");
    ck_assert_str_eq(dbal_result_text(result, 2, 2), "0.5");
    ck_assert_str_eq(dbal_result_text(result, 0, 3), "1");
    ck_assert_str_eq(dbal_result_text(result, 1, 3), "");
    ck_assert_str_eq(dbal_result_text(result, 2, 3), "1970-01-01");
    ck_assert_ptr_null(dbal_result_take_error(result));
}
END_TEST

START_TEST(cells_and_columns_that_do_not_match_are_refused)
{
    ck_assert_int_eq(dbal__result_add_integer(result, DBAL_INT64, 1), DBAL__MISMATCHED);
    ck_assert_int_eq(dbal__result_end_row(result), DBAL__MISMATCHED);
    columns(2);
    ck_assert_int_eq(dbal__result_end_row(result), DBAL__MISMATCHED);
    add(dbal_int64(1));
    ck_assert_int_eq(dbal__result_end_row(result), DBAL__MISMATCHED);
    ck_assert_int_eq(dbal__result_add_column(result, "late", DBAL_INT64), DBAL__MISMATCHED);
    add(dbal_text("x"));
    ck_assert_int_eq(dbal__result_add_real(result, 1), DBAL__MISMATCHED);
    ck_assert_int_eq(dbal__result_add_bytes(result, DBAL_TEXT, "x", 1), DBAL__MISMATCHED);
    ck_assert_int_eq(dbal__result_end_row(result), DBAL__FITS);
    ck_assert_int_eq(dbal__result_add_column(result, "late", DBAL_INT64), DBAL__MISMATCHED);
    ck_assert_uint_eq(dbal_result_row_count(result), 1);
    ck_assert_uint_eq(dbal_result_column_count(result), 2);
}
END_TEST

/* Rows lie in chunks of 4, 8, 16 …: every cell on both sides of each boundary must be found. */
START_TEST(many_rows_keep_their_place)
{
    unsigned rows = chance_rounds(20000);
    columns(3);
    for (unsigned i = 0; i < rows; i++) {
        char text[32];
        snprintf(text, sizeof text, "row %u", i);
        add(dbal_int64(i));
        if (i % 3 == 0)
            add(dbal_null());
        else
            add(dbal_text(text));
        add(dbal_double(i / 2.0));
        ck_assert_int_eq(dbal__result_end_row(result), DBAL__FITS);
    }
    ck_assert_uint_eq(dbal_result_row_count(result), rows);
    for (unsigned i = 0; i < rows; i++) {
        char text[32];
        snprintf(text, sizeof text, "row %u", i);
        ck_assert_int_eq(dbal_result_int64(result, i, 0), i);
        ck_assert_str_eq(dbal_result_text(result, i, 1), i % 3 == 0 ? "" : text);
        ck_assert(dbal_result_is_null(result, i, 1) == (i % 3 == 0));
        ck_assert(dbal_result_double(result, i, 2) == i / 2.0);
    }
    expect_no_error();
    ck_assert(dbal__result_is_large(result) == (dbal__result_bytes(result) >= 256 * 1024));
}
END_TEST

START_TEST(many_columns_keep_their_place)
{
    enum { MANY = 700 };
    columns(MANY);
    for (unsigned row = 0; row < 10; row++) {
        for (unsigned i = 0; i < MANY; i++)
            add(dbal_int64(row * MANY + i));
        ck_assert_int_eq(dbal__result_end_row(result), DBAL__FITS);
    }
    for (unsigned i = 0; i < MANY; i++) {
        char name[16];
        size_t index = 0;
        snprintf(name, sizeof name, "c%u", i);
        ck_assert(dbal_result_column_index(result, name, &index) && index == i);
        for (unsigned row = 0; row < 10; row++)
            ck_assert_int_eq(dbal_result_int64(result, row, i), row * MANY + i);
    }
}
END_TEST

START_TEST(another_like_it_has_its_columns_and_no_rows)
{
    ROW(dbal_int64(1), dbal_text("x"));
    dbal_result *like = dbal__result_like(result);
    ck_assert_uint_eq(dbal_result_column_count(like), 2);
    ck_assert_str_eq(dbal_result_column_name(like, 1), "c1");
    ck_assert_uint_eq(dbal_result_row_count(like), 0);
    ck_assert_int_eq(dbal_result_affected(like), 0);
    dbal_result_unref(like);
}
END_TEST

START_TEST(result_that_grows_too_large_is_refused)
{
    enum { MOST = 20000 };
    dbal_result *small = dbal__result_new(MOST);
    static const char bytes[MOST];
    dbal__result_add_column(small, "c", DBAL_TEXT);
    ck_assert_int_eq(dbal__result_add_bytes(small, DBAL_TEXT, bytes, MOST), DBAL__TOO_LARGE);
    ck_assert_int_eq(dbal__result_add_bytes(small, DBAL_TEXT, bytes, SIZE_MAX), DBAL__TOO_LARGE);
    ck_assert_int_eq(dbal__result_add_bytes(small, DBAL_TEXT, bytes, 100), DBAL__FITS);
    dbal__result_end_row(small);
    dbal__refusal refusal;
    unsigned rows = 1;
    while ((refusal = dbal__result_add_bytes(small, DBAL_TEXT, bytes, 100)) == DBAL__FITS) {
        dbal__result_end_row(small);
        ck_assert_uint_lt(++rows, MOST / 100);
    }
    ck_assert_int_eq(refusal, DBAL__TOO_LARGE);
    ck_assert_uint_gt(rows, MOST / 400);
    /* what is there can be read */
    ck_assert_uint_eq(dbal_result_row_count(small), rows);
    ck_assert_uint_eq(dbal_result_blob(small, rows - 1, 0).size, 100);
    dbal_result_unref(small);
}
END_TEST

START_TEST(rows_of_nothing_but_numbers_may_grow_too_large_as_well)
{
    dbal_result *small = dbal__result_new(20000);
    dbal__result_add_column(small, "c", DBAL_INT64);
    unsigned rows = 0;
    while (dbal__result_add_integer(small, DBAL_INT64, rows) == DBAL__FITS) {
        dbal__result_end_row(small);
        ck_assert_uint_lt(++rows, 20000 / 8);
    }
    ck_assert_uint_gt(rows, 500);
    dbal_result_unref(small);
}
END_TEST

/* memory and threads */

static void
build(dbal_result *one)
{
    for (int i = 0; i < 9; i++) {
        if (dbal__result_add_column(one, "some longer name", DBAL_TEXT) != DBAL__FITS)
            return;
    }
    for (int i = 0; i < 600; i++) {
        bool fits = i % 9 != 0 ? dbal__result_add_integer(one, DBAL_INT64, i) == DBAL__FITS
                               : dbal__result_add_bytes(one, DBAL_TEXT, "text", 4) == DBAL__FITS;
        if (!fits || (i % 9 == 8 && dbal__result_end_row(one) != DBAL__FITS))
            return;
    }
}

static void
everything(void *arg)
{
    (void)arg;
    dbal_result *one = dbal__result_new(PLENTY);
    if (one == NULL)
        return;
    build(one);
    for (size_t i = 0; i < dbal_result_row_count(one); i++) {
        for (size_t j = 1; j < 9; j++) {
            const char *text = dbal_result_text(one, i, j);
            dbal_error *error = dbal_result_take_error(one);
            ck_assert((*text == '\0') == (error != NULL));
            ck_assert(error == NULL || dbal_error_is(error, DBAL_ERROR_NO_MEMORY));
            dbal_error_unref(error);
        }
    }
    dbal_result_unref(dbal__result_like(one));
    dbal_result_unref(one);
}

START_TEST(nothing_is_lost_without_memory)
{
    alloc_fault_sweep(everything, NULL);
}
END_TEST

typedef struct graveyard {
    dbal__reaper reaper;
    atomic_uint refs, taken;
} graveyard;

static void
bury(dbal__reaper *reaper, dbal_result *dead)
{
    atomic_fetch_add(&((graveyard *)(void *)reaper)->taken, 1);
    atomic_fetch_sub(&((graveyard *)(void *)reaper)->refs, 1);
    dbal__result_destroy(dead);
}

static void
reaper_ref(dbal__reaper *reaper)
{
    atomic_fetch_add(&((graveyard *)(void *)reaper)->refs, 1);
}

static void
reaper_unref(dbal__reaper *reaper)
{
    atomic_fetch_sub(&((graveyard *)(void *)reaper)->refs, 1);
}

static void *
use_and_drop(void *arg)
{
    dbal_result *shared = arg;
    for (unsigned i = chance_rounds(20000); i > 0; i--) {
        dbal_result *mine = dbal_result_ref(shared);
        /* the accessor without state */
        if (dbal_result_get(mine, 0, 0).as.integer != 42)
            abort();
        dbal_result_unref(mine);
    }
    dbal_result_unref(shared);
    return NULL;
}

START_TEST(last_of_many_threads_hands_it_to_the_reaper_once)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    graveyard first = {{bury, reaper_ref, reaper_unref}, 0, 0};
    graveyard last = {{bury, reaper_ref, reaper_unref}, 0, 0};
    ROW(dbal_int64(42));
    dbal__result_set_reaper(result, &first.reaper);
    dbal__result_set_reaper(result, &last.reaper);
    ck_assert_uint_eq(atomic_load(&first.refs), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use_and_drop, dbal_result_ref(result));
    dbal_result_unref(result);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&first.taken), 0);
    ck_assert_uint_eq(atomic_load(&last.taken), 1);
    ck_assert_uint_eq(atomic_load(&last.refs), 0);
    setup();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("result_build");
    const TTest *const tests[] = {
        cells_and_columns_that_do_not_match_are_refused,
        many_rows_keep_their_place,
        columns_in_common,
        a_driver_spells_what_is_no_text,
        many_columns_keep_their_place,
        another_like_it_has_its_columns_and_no_rows,
        result_that_grows_too_large_is_refused,
        rows_of_nothing_but_numbers_may_grow_too_large_as_well,
        last_of_many_threads_hands_it_to_the_reaper_once,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    suite_add(suite, nothing_is_lost_without_memory, NULL, NULL);
    return suite_run(suite);
}
