/* What a session leaves behind to the next user of its connection. */
#include <stdlib.h>

#include "session.h"
#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("");
    RUN("create table t (n integer)");
}

static void
before_odd_environment(void)
{
    setenv("PGDATESTYLE", "German", 1);
    before();
}

static void
after(void)
{
    session_end();
    unsetenv("PGDATESTYLE");
}

/* ---- settings ---- */

static dbal_outcome
dirty(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "set work_mem = '1MB'", DBAL_NO_PARAMS));
}

static void
reads_as_ever(dbal_pool *one)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_query(one, "select date '2024-02-01', length('a\\b')", DBAL_NO_PARAMS));
    dbal_result *result = dbal_outcome_result(outcome);
    ck_assert_ptr_nonnull(result);
    ck_assert_int_eq(dbal_result_get(result, 0, 0).type, DBAL_DATE);
    ck_assert_int_eq(dbal_result_int64(result, 0, 1), 3);
    dbal_outcome_clear(&outcome);
}

static void
stays_as_the_login_has_set_it(const char *settings)
{
    dbal_pool *one = session_open(settings);
    reads_as_ever(one);
    for (int i = 0; i < 3; i++) {
        ends_well(dbal_pool_session(one, NULL, dirty, NULL));
        reads_as_ever(one);
    }
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    dbal_pool_stats(one, &counts);
    ck_assert_uint_eq(counts.opened, 1);
}

static const char *const gates[] = {"pool_max_size=1&pool_gate=loop",
                                    "pool_max_size=1&pool_gate=thread"};

START_TEST(a_role_whose_texts_have_escapes)
{
    RUN("alter role current_user set standard_conforming_strings = off");
    stays_as_the_login_has_set_it(gates[_i]);
}
END_TEST

static const char *const german[] = {
    "pool_max_size=1&pool_gate=loop&options=-c%20DateStyle%3DGerman",
    "pool_max_size=1&pool_gate=thread&options=-c%20DateStyle%3DGerman"};

START_TEST(a_url_with_other_dates)
{
    stays_as_the_login_has_set_it(german[_i]);
}
END_TEST

START_TEST(an_environment_with_other_dates)
{
    stays_as_the_login_has_set_it(gates[_i]);
}
END_TEST

/* ---- transactions ---- */

/* Statements of one turn; those that fail are not waited for. */
static dbal_outcome
run_each(dbal_connection *connection, void *arg)
{
    dbal_deferred *last = NULL;
    for (const char *const *sql = arg; *sql != NULL; sql++)
        last = dbal_connection_query(connection, *sql, DBAL_NO_PARAMS);
    return dbal_wait(last);
}

static const char *const chains[][6] = {
    {"begin", "insert into t values (1)", "commit and chain"},
    {"begin", "insert into t values (1)", "commit", "begin", "rollback work and chain"},
    {"begin", "insert into t values (1)", "end and chain", "insert into t values (2)",
     "abort and chain"},
};

START_TEST(a_chained_transaction_is_ended)
{
    dbal_pool *one = session_open(gates[_i]);
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        ends_well(dbal_pool_session(one, NULL, run_each, (void *)(uintptr_t)chains[i]));
        ends_well(dbal_pool_query(one, "insert into t values (10)", DBAL_NO_PARAMS));
        /* as others see it */
        ck_assert_int_eq(run_number("select sum(n) from t"), 11 * ((int64_t)i + 1));
    }
}
END_TEST

/* The commit fails, so that what stands behind it commits each for itself. */
START_TEST(those_behind_a_chain_that_fails)
{
    static const char *const texts[] = {"begin",
                                        "insert into u values (1)",
                                        "insert into u values (1)",
                                        "commit and chain",
                                        "insert into t values (1)",
                                        "insert into t values ('x')",
                                        "insert into t values (2)",
                                        "begin",
                                        "insert into t values (4)",
                                        "commit",
                                        NULL};
    dbal_pool *one = session_open(gates[_i]);
    RUN("create table u (n integer unique deferrable initially deferred)");
    ends_well(dbal_pool_session(one, NULL, run_each, (void *)(uintptr_t)texts));
    ck_assert_int_eq(run_number("select sum(n) from t"), 7);
    ck_assert_int_eq(run_number("select count(*) from u"), 0);
}
END_TEST

/* It cannot be sent once more: its transaction has failed with it. */
START_TEST(what_is_altered_behind_a_chain)
{
    static const char *const texts[] = {"begin", "commit and chain", "select n from t", NULL};
    dbal_pool *one = session_open(gates[_i]);
    for (int i = 0; i < 3; i++)
        ends_well(dbal_pool_query(one, "select n from t", DBAL_NO_PARAMS));
    RUN("alter table t alter n type numeric");
    ends_badly(dbal_pool_session(one, NULL, run_each, (void *)(uintptr_t)texts),
               DBAL_ERROR_NOT_SUPPORTED, "0A000");
}
END_TEST

static void
add(Suite *suite, const TTest *test, SFun set_up)
{
    TCase *tcase = tcase_create(test->name);
    tcase_add_checked_fixture(tcase, set_up, after);
    tcase_add_loop_test(tcase, test, 0, 2);
    suite_add_tcase(suite, tcase);
}

int
main(void)
{
    Suite *suite = suite_create("postgres handover");
    add(suite, a_role_whose_texts_have_escapes, before);
    add(suite, a_url_with_other_dates, before);
    add(suite, an_environment_with_other_dates, before_odd_environment);
    add(suite, a_chained_transaction_is_ended, before);
    add(suite, those_behind_a_chain_that_fails, before);
    add(suite, what_is_altered_behind_a_chain, before);
    return session_main(suite);
}
