/*
 * A program has the client libraries of the databases that it uses, and no others. One test: what is
 * loaded stays.
 */
#include <dbal.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "tests/drivers/load/place.h"
#include "tests/lib/suite.h"

static dbal_outcome
count(dbal_outcome in, void *arg)
{
    *(int64_t *)arg += in.kind == DBAL_OUTCOME_VALUE;
    return dbal_done();
}

static void
query_sqlite(void)
{
    dbal_error *error = NULL;
    int64_t answers = 0;
    struct ev_loop *ev = ev_loop_new(0);
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_pool *pool = dbal_pool_open(loop, "sqlite::memory:", NULL, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
    dbal_deferred_add_both(dbal_pool_query(pool, "select 1", DBAL_NO_PARAMS), count, &answers);
    ev_run(ev, 0);
    ck_assert_int_eq(answers, 1);
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
}

static void
needs(const char *name, const char *library)
{
    dbal_drivers_free(dbal_drivers(DBAL_DRIVERS_HERE, NULL));
    ck_assert_msg(!place_is_mapped(library), "%s was there before", library);
    ck_assert(dbal_driver_load(name, NULL));
    ck_assert_msg(place_is_mapped(library), "%s is not there", library);
}

START_TEST(test_lean)
{
    ck_assert_ptr_nonnull(getenv("DBAL_DRIVER_PATH"));
    ck_assert(place_is_mapped("libdbal.so"));
    ck_assert(!place_is_mapped("dbal-sqlite.so"));
    ck_assert(!place_is_mapped("libsqlite3.so"));
    query_sqlite();
    ck_assert(place_is_mapped("dbal-sqlite.so"));
    ck_assert(place_is_mapped("libsqlite3.so"));
    ck_assert(!place_is_mapped("dbal-postgres.so"));
    needs("postgresql", "libpq.so");
    query_sqlite();
}
END_TEST

START_TEST(test_installed)
{
    const dbal_driver_info *const *drivers = dbal_drivers(DBAL_DRIVERS_ALL, NULL);
    int found = 0;
    ck_assert_ptr_nonnull(drivers);
    for (const dbal_driver_info *const *one = drivers; *one != NULL; one++) {
        bool postgres = strcmp((*one)->name, "postgres") == 0;
        if (!postgres && strcmp((*one)->name, "sqlite") != 0)
            continue;
        found++;
        ck_assert_ptr_null((*one)->problem);
        ck_assert_ptr_nonnull((*one)->file);
        ck_assert_int_eq((*one)->threadlevel, postgres ? 2 : 1);
        ck_assert_int_eq((*one)->gate, postgres ? DBAL_GATE_LOOP : DBAL_GATE_THREAD);
        ck_assert((((*one)->gates & 1u << DBAL_GATE_LOOP) != 0) == postgres);
    }
    dbal_drivers_free(drivers);
    ck_assert_int_eq(found, 2);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("lean");
    suite_add(suite, test_lean, NULL, NULL);
    suite_add(suite, test_installed, NULL, NULL);
    return suite_run(suite);
}
