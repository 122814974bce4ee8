/* The list of drivers: those that are here, and those that could be. */
#include <dbal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/drivers/load/place.h"
#include "tests/lib/suite.h"
#include <dbal/driver.h>

static const dbal_driver_info *const *drivers;

static const dbal_driver_info *
listed(const char *name)
{
    const dbal_driver_info *found = NULL;
    for (const dbal_driver_info *const *one = drivers; *one != NULL; one++) {
        ck_assert_uint_eq((*one)->size, sizeof **one);
        if (strcmp((*one)->name, name) != 0)
            continue;
        ck_assert_ptr_null(found);
        found = *one;
    }
    return found;
}

static void
list(dbal_drivers_which which)
{
    dbal_error *error = NULL;
    dbal_drivers_free(drivers);
    drivers = dbal_drivers(which, &error);
    ck_assert_msg(drivers != NULL, "%s", dbal_error_message(error));
    for (size_t i = 1; drivers[0] != NULL && drivers[i] != NULL; i++)
        ck_assert_int_le(strcmp(drivers[i - 1]->name, drivers[i]->name), 0);
}

static void
forget_list(void)
{
    dbal_drivers_free(drivers);
    drivers = NULL;
    place_remove();
}

START_TEST(test_here)
{
    place_copy(place, "here", "good");
    place_copy(place, "there", "good");
    list(DBAL_DRIVERS_HERE);
    ck_assert_ptr_null(listed("here"));
    ck_assert(dbal_driver_load("here", NULL));
    list(DBAL_DRIVERS_HERE);
    ck_assert_ptr_nonnull(listed("here"));
    ck_assert_ptr_null(listed("there"));
    ck_assert(!place_is_mapped("dbal-there.so"));
    /* nor is the path looked at */
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", "nowhere", 1), 0);
    list(DBAL_DRIVERS_HERE);
    ck_assert_ptr_nonnull(listed("here"));
}
END_TEST

START_TEST(test_told)
{
    place_copy(place, "told", "good");
    ck_assert(dbal_driver_load("told", NULL));
    list(DBAL_DRIVERS_HERE);
    const dbal_driver_info *info = listed("told");
    ck_assert_str_eq(info->version, "9.8.7");
    ck_assert_str_eq(info->schemes[0], "told");
    ck_assert_ptr_null(info->schemes[1]);
    ck_assert_str_eq(info->file, place_file(place, "told"));
    ck_assert_ptr_null(info->problem);
    ck_assert_int_eq(info->threadlevel, 1);
    ck_assert_int_eq(info->gate, DBAL_GATE_THREAD);
    ck_assert_uint_ne(info->gates & 1u << DBAL_GATE_THREAD, 0);
    ck_assert_uint_ne(info->gates & 1u << DBAL_GATE_DRIVER_THREAD, 0);
    ck_assert_uint_eq(info->gates & (1u << DBAL_GATE_LOOP | 1u << DBAL_GATE_AUTO), 0);
    ck_assert_uint_eq(info->capabilities, DBAL_CAN_RETURNING);
}
END_TEST

START_TEST(test_levels)
{
    place_copy(place, "level0", "level0");
    place_copy(place, "level7", "level7");
    list(DBAL_DRIVERS_ALL);
    const dbal_driver_info *info = listed("level0");
    ck_assert_int_eq(info->threadlevel, 0);
    ck_assert_int_eq(info->gate, DBAL_GATE_DRIVER_THREAD);
    ck_assert_uint_eq(info->gates & (1u << DBAL_GATE_THREAD | 1u << DBAL_GATE_LOOP), 0);
    ck_assert_uint_ne(info->gates & 1u << DBAL_GATE_DRIVER_THREAD, 0);
    info = listed("level7");
    ck_assert_int_eq(info->threadlevel, 7);
    ck_assert_int_eq(info->gate, DBAL_GATE_AUTO);
    ck_assert_uint_eq(info->gates, 0);
    ck_assert_str_eq(info->problem, "it declares a threadlevel beyond 0 to 3");
}
END_TEST

START_TEST(test_all)
{
    char path[256], text[256];
    place_copy(place, "full", "good");
    place_write(place, "shade", "hides the other one");
    place_copy(other_place, "shade", "good");
    place_copy(other_place, "far", "good");
    place_write(other_place, "no scheme", "not looked at");
    snprintf(path, sizeof path, "%s:%s", place, other_place);
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", path, 1), 0);
    list(DBAL_DRIVERS_ALL);
    ck_assert_ptr_null(listed("full")->problem);
    ck_assert_str_eq(listed("far")->file, place_file(other_place, "far"));
    const dbal_driver_info *info = listed("shade");
    ck_assert_str_eq(info->file, place_file(place, "shade"));
    snprintf(text, sizeof text, "driver file %s: ", info->file);
    ck_assert_msg(strncmp(info->problem, text, strlen(text)) == 0, "%s", info->problem);
    ck_assert_ptr_null(info->version);
    ck_assert_ptr_null(info->schemes[0]);
    ck_assert_uint_eq(info->gates, 0);
    ck_assert_ptr_null(listed("no scheme"));
    /* what was loaded for the list is what a pool has */
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", "", 1), 0);
    ck_assert(dbal_driver_load("far", NULL));
}
END_TEST

/* One file with two names is one driver. */
START_TEST(test_two_names)
{
    char link[128];
    place_copy(place, "pair", "pair");
    strcpy(link, place_file(place, "couple"));
    ck_assert_int_eq(symlink("dbal-pair.so", link), 0);
    list(DBAL_DRIVERS_ALL);
    ck_assert_ptr_null(listed("pair")->problem);
    ck_assert_str_eq(listed("pair")->schemes[1], "couple");
    ck_assert_ptr_null(listed("couple"));
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_here, test_told, test_levels, test_all, test_two_names};
    Suite *suite = suite_create("list");
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], place_make, forget_list);
    return suite_run(suite);
}
