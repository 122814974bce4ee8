/* A program that links the static library has its drivers built in, and loads nothing. */
#include <dbal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/suite.h"

#ifdef TESTS_MARIADB
#define MARIADB_TOO ", mariadb, mysql"
enum { FIRST = 1 }; /* behind mariadb */
#else
#define MARIADB_TOO ""
enum { FIRST };
#endif

START_TEST(test_built_in)
{
    dbal_error *error = NULL;
    ck_assert(dbal_driver_load("sqlite", NULL) && dbal_driver_load("postgres", NULL));
    ck_assert(!dbal_driver_load("nobody", &error));
    ck_assert_str_eq(dbal_error_message(error),
                     "no driver for URLs that begin with nobody:; there are drivers for: sqlite, "
                     "postgresql, postgres" MARIADB_TOO
                     "; this program has all of its drivers built in");
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
    ck_assert_str_eq(drivers[FIRST]->name, "postgres");
    ck_assert_str_eq(drivers[FIRST + 1]->name, "sqlite");
    ck_assert_ptr_null(drivers[0]->file);
    ck_assert_ptr_null(drivers[FIRST + 2]);
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
