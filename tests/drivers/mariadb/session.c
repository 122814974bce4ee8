#include "session.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"

loop_fixture fixture;
dbal_pool *pool;
mariadb server;
mariadb_place place;

int
session_main(Suite *suite)
{
    static const char *const settings[] = {"--tcp", NULL};
    mariadb_start(&server, settings);
    int status = suite_run(suite);
    mariadb_remove(&server);
    return status;
}

dbal_pool *
session_open_url(const char *url)
{
    dbal_error *error = NULL;
    dbal_pool *made = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(made != NULL, "%s: %s", url, dbal_error_message(error));
    return made;
}

dbal_pool *
session_open(const char *settings)
{
    char url[512];
    snprintf(url, sizeof url, "%s%s%s", place.url, settings[0] != '\0' ? "?" : "", settings);
    return session_open_url(url);
}

void
session_begin(const char *settings)
{
    mariadb_place_init(&place, &server);
    loop_fixture_init(&fixture);
    pool = session_open(settings);
}

void
session_end(void)
{
    loop_fixture_fini(&fixture);
    mariadb_place_fini(&place, &server);
}

dbal_outcome
run(const char *sql, dbal_params params)
{
    return loop_fixture_await(&fixture, dbal_pool_query(pool, sql, params));
}

void
outcome_is(dbal_outcome outcome, dbal_error_class error_class, const char *sqlstate)
{
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_is(error, error_class) &&
                      strcmp(dbal_error_sqlstate(error), sqlstate) == 0,
                  "%s %s: %s", dbal_error_class_name(dbal_error_kind(error)),
                  dbal_error_sqlstate(error), dbal_error_message(error));
    dbal_outcome_clear(&outcome);
}

void
ends_well(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s: %s",
                  dbal_error_sqlstate(dbal_outcome_error(outcome)),
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
}

void
ends_badly(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate)
{
    outcome_is(loop_fixture_await(&fixture, deferred), error_class, sqlstate);
}

void
run_ok(const char *sql, dbal_params params)
{
    ends_well(dbal_pool_query(pool, sql, params));
}

void
run_fails(const char *sql, dbal_error_class error_class, const char *sqlstate)
{
    ends_badly(dbal_pool_query(pool, sql, DBAL_NO_PARAMS), error_class, sqlstate);
}

int64_t
run_number(const char *sql)
{
    dbal_outcome outcome = run(sql, DBAL_NO_PARAMS);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}
