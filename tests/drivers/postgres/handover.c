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
    return session_main(suite);
}
