/* The server is killed, hangs, and comes back. */
#include "session.h"

#include <stdio.h>

#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_max_size=2&pool_acquire_timeout=20");
    RUN("create table t(id int primary key, n int)");
}

static void
after(void)
{
    mariadb_thaw(&server);
    session_end();
}

static bool
at_server(void *arg)
{
    (void)arg;
    return mariadb_number(&server, NULL,
                          "select count(*) from information_schema.processlist where info like "
                          "'%sleep(100%' and info not like '%processlist%'") == 1;
}

START_TEST(killed_with_one_at_work_it_comes_back)
{
    dbal_deferred *victim =
        dbal_deferred_ref(dbal_pool_query(pool, "select sleep(100)", DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, at_server, NULL);
    mariadb_kill(&server);
    dbal_outcome outcome = loop_fixture_await(&fixture, victim);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert(dbal_error_connection_lost(error));
    ck_assert_str_eq(dbal_error_sqlstate(error), "08006");
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(victim);
    mariadb_restart(&server);
    /* the pool finds out by itself */
    while (dbal_outcome_error(outcome = run("select 1", DBAL_NO_PARAMS)) != NULL)
        dbal_outcome_clear(&outcome);
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
}
END_TEST

static bool
has_ended(void *arg)
{
    char sql[96];
    const int64_t *id = arg;
    snprintf(sql, sizeof sql, "select count(*) from information_schema.processlist where id = %lld",
             (long long)*id);
    return mariadb_number(&server, NULL, sql) == 0;
}

/* Every connection that is in the test's database. */
static void
end_all(void)
{
    char next[160], sql[64];
    int64_t id;
    snprintf(next, sizeof next,
             "select coalesce(min(id), 0) from information_schema.processlist where db = '%s'",
             place.name);
    while ((id = mariadb_number(&server, NULL, next)) != 0) {
        snprintf(sql, sizeof sql, "kill connection %lld", (long long)id);
        mariadb_run(&server, NULL, sql);
        loop_fixture_until(&fixture, has_ended, &id);
    }
}

/* The server has ended it in the meantime: nothing of it was run, and another connection takes it. */
START_TEST(one_that_was_ended_while_idle_is_not_missed)
{
    dbal_pool *one = session_open("pool_max_size=1");
    ends_well(dbal_pool_query(one, "insert into t values (1, 1)", DBAL_NO_PARAMS));
    end_all();
    ends_well(dbal_pool_query(one, "insert into t values (2, 1)", DBAL_NO_PARAMS));
    ck_assert_int_eq(run_number("select count(*) from t"), 2);
}
END_TEST

START_TEST(a_server_that_is_gone_is_told_apart)
{
    mariadb_kill(&server);
    dbal_pool *fresh = session_open("pool_connect_timeout=2&pool_fail_fast=on");
    ends_badly(dbal_pool_query(fresh, "select 1", DBAL_NO_PARAMS), DBAL_ERROR_OPERATIONAL, "08001");
    mariadb_restart(&server);
    fresh = session_open("");
    ends_well(dbal_pool_ready(fresh));
}
END_TEST

/* Nobody can tell it to stop: the connection is given up, and nothing waits for ever. */
START_TEST(a_server_that_hangs_is_given_up)
{
    dbal_deferred *victim =
        dbal_deferred_ref(dbal_pool_query(pool, "select sleep(100)", DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, at_server, NULL);
    mariadb_freeze(&server);
    dbal_deferred_cancel(victim);
    dbal_outcome outcome = loop_fixture_await(&fixture, victim);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(victim);
    mariadb_thaw(&server);
    ck_assert_int_eq(run_number("select 1"), 1);
}
END_TEST

void
add_loss(Suite *suite)
{
    suite_add(suite, killed_with_one_at_work_it_comes_back, before, after);
    suite_add(suite, one_that_was_ended_while_idle_is_not_missed, before, after);
    suite_add(suite, a_server_that_is_gone_is_told_apart, before, after);
    suite_add(suite, a_server_that_hangs_is_given_up, before, after);
}
