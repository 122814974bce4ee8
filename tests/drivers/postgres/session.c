#include "session.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/postgres.h"
#include "tests/lib/suite.h"

loop_fixture fixture;
dbal_pool *pool;

static postgres server, bouncer;
static postgres_place place;
static char place_url[192]; /* by the door that is taken */

int
session_main(Suite *suite)
{
    postgres_start(&server, NULL);
    int status = suite_run(suite);
    postgres_remove(&server);
    return status;
}

int
session_main_pooled(Suite *suite)
{
    /* two server connections, so that transactions change between them all the time */
    static const char *const settings[] = {"default_pool_size=2", NULL};
    postgres_start(&server, NULL);
    postgres_bouncer_start(&bouncer, &server, settings);
    int status = suite_run(suite);
    postgres_remove(&bouncer);
    postgres_remove(&server);
    return status;
}

const char *
session_url(void)
{
    return place_url;
}

dbal_pool *
session_open(const char *settings)
{
    char url[512];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "%s%s%s", place_url, settings[0] != '\0' ? "&" : "", settings);
    dbal_pool *made = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(made != NULL, "%s: %s", url, dbal_error_message(error));
    return made;
}

void
session_begin(const char *settings)
{
    postgres_place_init(&place, &server);
    postgres_place_url(&place, bouncer.folder[0] != '\0' ? &bouncer : &server, place_url,
                       sizeof place_url);
    loop_fixture_init(&fixture);
    pool = session_open(settings);
}

void
session_end(void)
{
    loop_fixture_fini(&fixture);
    postgres_place_fini(&place, &server);
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
    outcome_is(run(sql, DBAL_NO_PARAMS), error_class, sqlstate);
}

int64_t
run_number(const char *sql)
{
    dbal_outcome outcome = run(sql, DBAL_NO_PARAMS);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t number = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return number;
}
