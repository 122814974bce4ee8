#include "tests/faults/postgres/reads.h"

const int places[PLACES] = {FIRST, MIDDLE, LAST};
const char reads_settings[] = "pool_max_size=1&pool_pipeline_wait=1";
postgres_place place;

static void
place_made(void)
{
    fixture_init();
    postgres_place_init(&place, &server);
    postgres_run(place.url, "create table t (n integer); insert into t values (7)");
    pool = open_at(place.url, reads_settings);
}

static void
place_gone(void)
{
    fixture_fini();
    postgres_place_fini(&place, &server);
}

void
reads_add(Suite *suite, const TTest *test, int times)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, 120);
    tcase_add_checked_fixture(one, place_made, place_gone);
    tcase_add_loop_test(one, test, 0, times);
    suite_add_tcase(suite, one);
}

dbal_deferred *
read_two(const char *sql, int64_t first, double second, double timeout)
{
    return dbal_pool_run(pool,
                         DBAL_QUERY(.sql = sql, .read_only = true, .timeout = timeout,
                                    .params = DBAL_PARAMS(dbal_int64(first), dbal_double(second))));
}

dbal_deferred *
read_one(const char *sql, int64_t value)
{
    return dbal_pool_run(
        pool, DBAL_QUERY(.sql = sql, .read_only = true, .params = DBAL_PARAMS(dbal_int64(value))));
}

dbal_deferred *
read_plain(const char *sql)
{
    return dbal_pool_run(pool, DBAL_QUERY(.sql = sql, .read_only = true));
}

void
get_known(dbal_deferred *(*asked)(const char *sql), const char *sql)
{
    seen one;
    for (int i = 0; i < 4; i++) {
        watch(asked(sql), &one);
        until_settled(&one);
    }
}

dbal_deferred *
read_as_one(const char *sql)
{
    return read_one(sql, 1);
}

dbal_deferred *
read_at_once(const char *sql)
{
    return read_two(sql, 1, 0, 0);
}
