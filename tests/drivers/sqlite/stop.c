#include <pthread.h>
#include <semaphore.h>

#include "fixture.h"

/* a row at once, then a step that would never end */
static const char endless[] =
    "select 1 union all select count(*) from (with recursive c(x) as (select 1 union all select x "
    "+ 1 from c) select x from c)";

static const int64_t far = INT64_C(60000000000);

static database db;
static sem_t running;

static void
setup(void)
{
    database_init(&db);
    database_open(&db, "busy_timeout=3600");
    ASK(&db, "create table t (a)");
    ck_assert_int_eq(sem_init(&running, 0, 0), 0);
}

static void
teardown(void)
{
    database_fini(&db);
    sem_destroy(&running);
}

static void
expect_healthy(void)
{
    ask_int64(&db, "select count(*) from t", 0);
    ASK(&db, "insert into t values (1)");
    ASK(&db, "delete from t");
}

static bool
tell_running(dbal_request *request, dbal_result *batch)
{
    (void)request;
    dbal_result_unref(batch);
    sem_post(&running);
    return true;
}

static void *
stop_when_running(void *arg)
{
    (void)arg;
    while (sem_wait(&running) != 0)
        ;
    atomic_store(&db.request.stopped, true);
    return NULL;
}

START_TEST(a_long_step_from_another_thread)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_when_running, NULL), 0);
    db.deliver = tell_running;
    db.batch_rows = 1;
    int64_t begun = now();
    bool ok = ask(&db, endless, DBAL_NO_PARAMS);
    pthread_join(thread, NULL);
    ck_assert(!ok);
    ck_assert_int_lt(now() - begun, far);
    expect_error(db.error, DBAL_ERROR_CANCELLED, "57014");
    db.deliver = NULL;
    expect_healthy();
}
END_TEST

START_TEST(a_deadline_in_a_long_step)
{
    int64_t begun = now();
    db.deadline = begun + 20000000;
    ask_fails(&db, endless, DBAL_NO_PARAMS, DBAL_ERROR_CANCELLED, "57014");
    ck_assert_int_ge(now(), db.deadline);
    ck_assert_int_lt(now() - begun, far);
    db.deadline = INT64_MAX;
    expect_healthy();
}
END_TEST

START_TEST(a_deadline_that_has_passed)
{
    db.deadline = now() - 1;
    ask_fails(&db, "insert into t values (1)", DBAL_NO_PARAMS, DBAL_ERROR_CANCELLED, "57014");
    db.deadline = INT64_MAX;
    expect_healthy();
}
END_TEST

static int naps;

static void
stop_at_third_nap(void)
{
    if (++naps == 3)
        atomic_store(&db.request.stopped, true);
}

START_TEST(while_waiting_for_a_lock)
{
    sqlite3 *outsider = outsider_open(&db);
    outsider_run(outsider, "begin immediate");
    naps = 0;
    database_on_nap = stop_at_third_nap;
    ask_fails(&db, "insert into t values (1)", DBAL_NO_PARAMS, DBAL_ERROR_CANCELLED, "57014");
    ck_assert_int_eq(naps, 3);
    database_on_nap = NULL;
    outsider_run(outsider, "commit");
    sqlite3_close(outsider);
    expect_healthy();
}
END_TEST

START_TEST(a_deadline_while_waiting_for_a_lock)
{
    sqlite3 *outsider = outsider_open(&db);
    outsider_run(outsider, "begin immediate");
    int64_t begun = now();
    db.deadline = begun + 20000000;
    ask_fails(&db, "insert into t values (1)", DBAL_NO_PARAMS, DBAL_ERROR_CANCELLED, "57014");
    ck_assert_int_ge(now(), db.deadline);
    ck_assert_int_lt(now() - begun, far);
    db.deadline = INT64_MAX;
    outsider_run(outsider, "commit");
    sqlite3_close(outsider);
    expect_healthy();
}
END_TEST

static sqlite3 *lock_holder;

static void
unlock_at_nap(void)
{
    outsider_run(lock_holder, "commit");
    database_on_nap = NULL;
}

START_TEST(a_lock_that_is_given_back)
{
    lock_holder = outsider_open(&db);
    outsider_run(lock_holder, "begin immediate");
    database_on_nap = unlock_at_nap;
    ASK(&db, "insert into t values (1)");
    ask_int64(&db, "select count(*) from t", 1);
    sqlite3_close(lock_holder);
}
END_TEST

/* a write that was stopped leaves nothing, and its transaction is known to be gone */
START_TEST(a_write_in_a_transaction)
{
    ASK(&db, "begin immediate");
    ASK(&db, "insert into t values (1)");
    db.deadline = now() + 20000000;
    ask_fails(&db,
              "insert into t with recursive c(x) as (select 1 union all select x + 1 from c) "
              "select x from c where x < 0",
              DBAL_NO_PARAMS, DBAL_ERROR_CANCELLED, "57014");
    db.deadline = INT64_MAX;
    ask_fails(&db, "insert into t values (2)", DBAL_NO_PARAMS, DBAL_ERROR_OPERATIONAL, "25P02");
    ASK(&db, "rollback");
    expect_healthy();
}
END_TEST

START_TEST(a_read_in_a_transaction)
{
    ASK(&db, "begin immediate");
    ASK(&db, "insert into t values (1)");
    db.deadline = now() + 20000000;
    ask_fails(&db, endless, DBAL_NO_PARAMS, DBAL_ERROR_CANCELLED, "57014");
    db.deadline = INT64_MAX;
    ask_int64(&db, "select count(*) from t", 1);
    ASK(&db, "rollback");
    expect_healthy();
}
END_TEST

Suite *
stop_suite(void)
{
    Suite *suite = suite_create("sqlite stop");
    TCase *tests = tcase_create("stop");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_long_step_from_another_thread);
    tcase_add_test(tests, a_deadline_in_a_long_step);
    tcase_add_test(tests, a_deadline_that_has_passed);
    tcase_add_test(tests, while_waiting_for_a_lock);
    tcase_add_test(tests, a_deadline_while_waiting_for_a_lock);
    tcase_add_test(tests, a_lock_that_is_given_back);
    tcase_add_test(tests, a_write_in_a_transaction);
    tcase_add_test(tests, a_read_in_a_transaction);
    suite_add_tcase(suite, tests);
    return suite;
}
