/* What the driver sends once more by itself, and what it never does. */
#include <stdio.h>
#include <string.h>

#include "tests/faults/postgres/fixture.h"

static postgres_place place;

static void
place_made(void)
{
    fixture_init();
    postgres_place_init(&place, &server);
    pool = open_at(place.url, "pool_max_size=1");
}

static void
place_gone(void)
{
    fixture_fini();
    postgres_place_fini(&place, &server);
}

/* Somebody else has altered the table: all that were on their way find that out. */
START_TEST(all_that_were_on_their_way_are_sent_again)
{
    enum { MANY = 5 };
    seen all[MANY];
    postgres_run(place.url, "create table t (n integer); insert into t values (7)");
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(number("select * from t"), 7);
    postgres_run(place.url, "alter table t alter n type text");
    for (int i = 0; i < MANY; i++)
        watch(ask("select * from t"), &all[i]);
    until_all(all, MANY);
    for (int i = 0; i < MANY; i++) {
        is_good(&all[i]);
        ck_assert_str_eq(all[i].text, "7");
    }
}
END_TEST

/* The rows of a statement that was sent again: its caller has had enough of them. */
static dbal_deferred *reading;

static dbal_flow
stop_reading(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream, (void)rows, (void)arg;
    dbal_deferred_cancel(reading);
    return DBAL_CONTINUE;
}

static dbal_flow
read_all(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream, (void)rows, (void)arg;
    return DBAL_CONTINUE;
}

START_TEST(what_it_said_the_first_time_is_forgotten)
{
    const char *sql = "select t.* from t, generate_series(1, 200000)";
    seen one;
    postgres_run(place.url, "create table t (n integer); insert into t values (7)");
    for (int i = 0; i < 3; i++) {
        watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = sql), read_all, NULL), &one);
        until_settled(&one);
        is_good(&one);
    }
    postgres_run(place.url, "alter table t alter n type text");
    reading = dbal_deferred_ref(dbal_pool_stream(pool, DBAL_QUERY(.sql = sql), stop_reading, NULL));
    watch(reading, &one);
    until_settled(&one);
    dbal_deferred_unref(reading);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CANCELLED);
}
END_TEST

/* A function that fails in the same words has run, and what it has taken is gone. */
START_TEST(a_failure_of_its_own_is_not_sent_again)
{
    seen one;
    postgres_run(place.url,
                 "create sequence s;"
                 "create function f(int) returns int language plpgsql as $$begin "
                 "perform nextval('s'); if $1 > 2 then "
                 "raise exception 'no' using errcode = '0A000'; end if; return 1; end$$");
    for (int i = 0; i < 3; i++) {
        watch(dbal_pool_query(pool, "select f($1::int)", DBAL_PARAMS(dbal_int64(i))), &one);
        until_settled(&one);
        is_good(&one);
    }
    watch(dbal_pool_query(pool, "select f($1::int)", DBAL_PARAMS(dbal_int64(3))), &one);
    until_settled(&one);
    ck_assert_str_eq(one.sqlstate, "0A000");
    ck_assert_int_eq(postgres_number(place.url, "select last_value from s"), 4);
}
END_TEST

/* One that commits on its way must not begin anew, whoever has stopped it. */
START_TEST(a_procedure_is_never_run_twice)
{
    seen victim, called;
    char sql[64];
    postgres_run(place.url, "create table t (n integer);"
                            "create procedure p() language plpgsql as $$begin "
                            "insert into t values (1); commit; perform pg_sleep(1000); end$$");
    ck_assert_int_eq(number("select 1"), 1);
    int64_t backend = number("select pg_backend_pid()");
    dbal_deferred *target = dbal_deferred_ref(ask("select pg_sleep(1000)"));
    watch(target, &victim);
    watch(ask("call p()"), &called);
    until_at_work("select pg_sleep(1000)");
    dbal_deferred_cancel(target);
    dbal_deferred_unref(target);
    until_settled(&victim);
    until_at_work("call p()");
    /* as a cancel that was meant for the one before, and comes late */
    while (postgres_number(place.url, "select count(*) from t") == 0)
        pass_time(0.01);
    snprintf(sql, sizeof sql, "select pg_cancel_backend(%d)", (int)backend);
    postgres_run(place.url, sql);
    double end = seconds() + 5;
    while (!called.settled && seconds() < end)
        pass_time(0.02);
    ck_assert_int_eq(postgres_number(place.url, "select count(*) from t"), 1);
    ck_assert_int_eq(called.settled, 1);
    ck_assert_str_eq(called.sqlstate, "57014");
}
END_TEST

typedef struct three {
    const char *sql[3];
    seen all[3];
} three;

static dbal_outcome
all_at_once(dbal_connection *connection, void *arg)
{
    three *self = arg;
    for (int i = 0; i < 3; i++)
        watch(dbal_connection_query(connection, self->sql[i], DBAL_NO_PARAMS), &self->all[i]);
    return dbal_done();
}

/* What was to begin a transaction has not: those behind it stand each by itself. */
START_TEST(a_begin_that_fails_makes_no_transaction)
{
    seen end;
    three self = {.sql = {"begin isolation level nonsense", "insert into t values (1)",
                          "insert into t values (1)"}};
    postgres_run(place.url, "create table t (n integer primary key)");
    watch(dbal_pool_session(pool, NULL, all_at_once, &self), &end);
    until_settled(&end);
    until_all(self.all, 3);
    ck_assert_str_eq(self.all[0].sqlstate, "42601");
    int64_t there = postgres_number(place.url, "select count(*) from t");
    ck_assert_int_eq(there, self.all[1].error_class == 0 ? 1 : 0);
}
END_TEST

/* A transaction that has failed cannot be prepared: the server rolls it back, and calls that a success. */
START_TEST(what_was_not_prepared_is_no_success)
{
    seen end;
    three self = {.sql = {"begin", "select 1 / 0", "prepare transaction 'it'"}};
    watch(dbal_pool_session(pool, NULL, all_at_once, &self), &end);
    until_settled(&end);
    until_all(self.all, 3);
    is_good(&self.all[0]);
    ck_assert_str_eq(self.all[1].sqlstate, "22012");
    ck_assert_str_eq(self.all[2].sqlstate, "25P02");
}
END_TEST

/* A pooler of sessions gives up a connection whose server goes on with all that it was sent. */
START_TEST(what_a_pooler_gives_up_may_have_been_done)
{
    static const char *const settings[] = {"pool_mode=session", "query_timeout=1",
                                           "ignore_startup_parameters=options", NULL};
    postgres door;
    char url[300];
    seen slow, behind;
    postgres_run(place.url, "create table t (n integer)");
    postgres_bouncer_start(&door, &server, settings);
    postgres_place_url(&place, &door, url, sizeof url);
    pool = open_at(url, "pool_max_size=1");
    ck_assert_int_eq(number("select 1"), 1);
    watch(ask("insert into t select 1 from pg_sleep(2)"), &slow);
    watch(ask("insert into t values (2)"), &behind);
    until_settled(&slow);
    until_settled(&behind);
    ck_assert_str_eq(slow.sqlstate, "08P01");
    ck_assert_int_eq(slow.execution, DBAL_EXECUTION_UNKNOWN);
    ck_assert(slow.connection_lost);
    ck_assert_int_eq(behind.execution, DBAL_EXECUTION_UNKNOWN);
    /* it was */
    while (postgres_number(place.url, "select count(*) from t where n = 1") == 0)
        pass_time(0.05);
    ck_assert_int_le(postgres_number(place.url, "select count(*) from t where n = 2"), 1);
    postgres_remove(&door);
}
END_TEST

/* One that can never be prepared is asked for many times: each has the error that says why. */
START_TEST(what_cannot_be_prepared_says_why)
{
    seen all[40];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40; i++)
            watch(ask("select n from nowhere"), &all[i]);
        until_all(all, 40);
        for (int i = 0; i < 40; i++)
            ck_assert_msg(strcmp(all[i].sqlstate, "42P01") == 0, "%s", all[i].message);
    }
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, 60);
    tcase_add_checked_fixture(one, place_made, place_gone);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("postgres-again");
    postgres_start(&server, NULL);
    add(suite, all_that_were_on_their_way_are_sent_again);
    add(suite, what_it_said_the_first_time_is_forgotten);
    add(suite, a_failure_of_its_own_is_not_sent_again);
    add(suite, a_procedure_is_never_run_twice);
    add(suite, a_begin_that_fails_makes_no_transaction);
    add(suite, what_was_not_prepared_is_no_success);
    add(suite, what_a_pooler_gives_up_may_have_been_done);
    add(suite, what_cannot_be_prepared_says_why);
    return suite_run(suite);
}
