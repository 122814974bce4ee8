/* A program that links the static library has its drivers built in, and loads nothing. */
#include <dbal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/suite.h"

START_TEST(test_built_in)
{
    dbal_error *error = NULL;
    ck_assert(dbal_driver_load("sqlite", NULL) && dbal_driver_load("postgres", NULL));
    ck_assert(!dbal_driver_load("nobody", &error));
    /* others too, where they were built */
    const char *message = dbal_error_message(error);
    ck_assert_ptr_eq(
        strstr(message, "no driver for URLs that begin with nobody:; there are drivers for: "),
        message);
    ck_assert_ptr_nonnull(strstr(message, "sqlite, postgresql, postgres"));
    ck_assert_ptr_nonnull(strstr(message, "; this program has all of its drivers built in"));
    dbal_error_unref(error);
}
END_TEST

START_TEST(test_path_ignored)
{
    char *path = getenv("DBAL_DRIVER_PATH");
    path = path != NULL ? strdup(path) : NULL;
    setenv("DBAL_DRIVER_PATH", "not/absolute", 1);
    const dbal_driver_info *const *drivers = dbal_drivers(DBAL_DRIVERS_ALL, NULL);
    ck_assert_ptr_nonnull(drivers);
    size_t count = 0;
    for (; drivers[count] != NULL; count++)
        ck_assert_ptr_null(drivers[count]->file);
    ck_assert_uint_ge(count, 2); /* sorted, and others may have been built */
    ck_assert_str_eq(drivers[count - 2]->name, "postgres");
    ck_assert_str_eq(drivers[count - 1]->name, "sqlite");
    dbal_drivers_free(drivers);
    if (path != NULL)
        setenv("DBAL_DRIVER_PATH", path, 1);
    free(path);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("static");
    suite_add(suite, test_built_in, NULL, NULL);
    suite_add(suite, test_path_ignored, NULL, NULL);
    return suite_run(suite);
}
