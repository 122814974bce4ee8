#include "tests/drivers/odbc/fixture.h"

#include <stdio.h>
#include <string.h>

loop_fixture fixture;
dbal_pool *pool;
postgres server;

static char folder[SCRATCH_PATH];

void
before(void)
{
    scratch_make(folder, "odbc-test");
    loop_fixture_init(&fixture);
}

void
after(void)
{
    loop_fixture_fini(&fixture);
    scratch_remove(folder);
}

dbal_error *
open_pool(const char *url)
{
    dbal_error *error = NULL;
    pool = dbal_pool_open(fixture.loop, url, NULL, &error);
    if (pool == NULL)
        return error;
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_ready(pool));
    error = dbal_outcome_error(outcome);
    if (error != NULL)
        dbal_error_ref(error);
    dbal_outcome_clear(&outcome);
    return error;
}

static void
open_well(const char *url)
{
    dbal_error *error = open_pool(url);
    ck_assert_msg(error == NULL, "%s: %s", url, dbal_error_message(error));
}

void
open_sqlite(const char *parameters)
{
    char url[256];
    snprintf(url, sizeof url, "odbc:?driver=SQLite&database=%s/db&pool_max_size=1%s", folder,
             parameters);
    open_well(url);
}

void
open_postgres(const char *parameters)
{
    open_postgres_by("PostgreSQL", parameters);
}

void
open_postgres_by(const char *driver, const char *parameters)
{
    char url[512];
    odbc_url_of_postgres(driver, server.url, url, sizeof url);
    snprintf(url + strlen(url), sizeof url - strlen(url), "&pool_max_size=1%s", parameters);
    open_well(url);
}

void
open_bad(void)
{
    open_well("odbc:?driver=Bad&pool_max_size=1");
}

dbal_outcome
ask(const char *sql, dbal_params params)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_query(pool, sql, params));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s: %s", sql,
                  dbal_error_message(dbal_outcome_error(outcome)));
    return outcome;
}

void
run(const char *sql)
{
    dbal_outcome outcome = ask(sql, DBAL_NO_PARAMS);
    dbal_outcome_clear(&outcome);
}

void
expect(dbal_outcome outcome, dbal_error_class error_class, const char *sqlstate)
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
fails(const char *sql, dbal_error_class error_class, const char *sqlstate)
{
    expect(loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_NO_PARAMS)), error_class,
           sqlstate);
}
