/* Servers that do not know all that they are asked at the login: what they know counts. */
#include "session.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/suite.h"

/* While this is not NULL, what it says is a name that the server does not know. */
static _Atomic(const char *) stranger;

int __real_mysql_real_query(MYSQL *mysql, const char *sql, unsigned long size);
int __wrap_mysql_real_query(MYSQL *mysql, const char *sql, unsigned long size);

int
__wrap_mysql_real_query(MYSQL *mysql, const char *sql, unsigned long size)
{
    const char *name = atomic_load(&stranger);
    const char *at = name != NULL ? memmem(sql, size, name, strlen(name)) : NULL;
    if (at == NULL)
        return __real_mysql_real_query(mysql, sql, size);
    char *changed = malloc(size);
    ck_assert_ptr_nonnull(changed);
    memcpy(changed, sql, size);
    changed[at - sql + (long)strlen(name) - 1] = '_';
    int status = __real_mysql_real_query(mysql, changed, size);
    free(changed);
    return status;
}

static void
before(void)
{
    mariadb_place_init(&place, &server);
    loop_fixture_init(&fixture);
}

static void
after(void)
{
    atomic_store(&stranger, NULL);
    session_end();
}

/* A pool of one connection, made while that name is not known. */
static void
open_without(const char *name)
{
    atomic_store(&stranger, name);
    pool = session_open("pool_max_size=1&pool_cancel_timeout=20");
    ends_well(dbal_pool_ready(pool));
    atomic_store(&stranger, NULL);
}

static bool
has_time_limit(void)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture,
        dbal_pool_run(pool, DBAL_QUERY(.sql = "select @@max_statement_time > 0", .timeout = 10)));
    ck_assert_ptr_nonnull(dbal_outcome_result(outcome));
    bool has = dbal_result_int64(dbal_outcome_result(outcome), 0, 0) != 0;
    dbal_outcome_clear(&outcome);
    return has;
}

static bool
sleeps(void *arg)
{
    (void)arg;
    return mariadb_number(&server, NULL,
                          "select count(*) from information_schema.processlist where info like "
                          "'%sleep(100%' and info not like '%processlist%'") == 1;
}

/* Whether what is cancelled leaves its connection as it was; where nobody knows the server it cannot. */
static bool
can_kill(void)
{
    int64_t connection = run_number("select connection_id()");
    dbal_deferred *victim =
        dbal_deferred_ref(dbal_pool_query(pool, "select sleep(100)", DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, sleeps, NULL);
    dbal_deferred_cancel(victim);
    ends_badly(victim, DBAL_ERROR_CANCELLED, "57014");
    dbal_deferred_unref(victim);
    return run_number("select connection_id()") == connection;
}

/* Whether it is known how much the server takes at once. */
static bool
knows_packet(void)
{
    size_t size = (size_t)24 << 20;
    char *much = calloc(1, size);
    ck_assert_ptr_nonnull(much);
    dbal_outcome outcome = run("select length($1)", DBAL_PARAMS(dbal_blob(much, size)));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    bool knows = !dbal_error_connection_lost(error);
    dbal_outcome_clear(&outcome);
    free(much);
    return knows;
}

START_TEST(no_time_limit)
{
    open_without("@@max_statement_time");
    ck_assert(!has_time_limit());
    ck_assert(knows_packet());
    ck_assert(can_kill());
}
END_TEST

START_TEST(no_packet)
{
    open_without("@@max_allowed_packet");
    ck_assert(has_time_limit());
    ck_assert(can_kill());
    ck_assert(!knows_packet());
}
END_TEST

START_TEST(no_identity)
{
    open_without("@@server_id");
    ck_assert(has_time_limit());
    ck_assert(knows_packet());
}
END_TEST

void
add_older(Suite *suite)
{
    suite_add(suite, no_time_limit, before, after);
    suite_add(suite, no_packet, before, after);
    suite_add(suite, no_identity, before, after);
}
