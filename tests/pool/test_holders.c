/* Who holds what: told to the program, in errors, and in the log. */
#include <stdio.h>
#include <string.h>

#include "pool/connection.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", ""},
    {"fake", "level=0"},
    {"native", ""},
    {"native", "pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

static void
open_target(int target, const char *parameters)
{
    char text[200];
    snprintf(text, sizeof text, "%s&%s", targets[target][1], parameters);
    open_driven(targets[target][0], text[0] == '&' ? text + 1 : text);
}

static dbal_outcome
keep(dbal_connection *connection, void *arg)
{
    holder *one = arg;
    one->connection = connection;
    return dbal_wait(one->release);
}

static void
begin_holding(holder *one, const char *label)
{
    *one = (holder){.release = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL))};
    watch(dbal_pool_session(pool, DBAL_SESSION(.label = label), keep, one), &one->end);
}

static bool
is_held(void *arg)
{
    loop_fixture_advance(&fixture, 0.0001);
    return ((holder *)arg)->connection != NULL;
}

static void
hold_as(holder *one, const char *label)
{
    begin_holding(one, label);
    loop_fixture_until(&fixture, is_held, one);
}

static void
end_holding(holder *one)
{
    let_go(one);
    until_settled(&one->end);
}

static void
run(const holder *one, const char *sql)
{
    good(dbal_connection_query(one->connection, sql, DBAL_NO_PARAMS));
}

/* ---- dbal_pool_holders() ---- */

typedef struct list {
    char text[200];
    double ages[4];
    uint64_t ids[4];
    int count;
} list;

static void
write_down(const dbal_holder *told, void *arg)
{
    list *self = arg;
    size_t at = strlen(self->text);
    ck_assert_uint_eq(told->size, sizeof *told);
    self->ids[self->count] = told->id;
    self->ages[self->count++] = told->age;
    snprintf(self->text + at, sizeof self->text - at, "%s: %s%s|",
             told->label != NULL ? told->label : "-", told->sql != NULL ? told->sql : "-",
             told->executing ? " now" : "");
}

START_TEST(sessions_are_listed)
{
    holder first, second, waits;
    seen slow;
    list all = {.count = 0};
    open_target(_i, "pool_max_size=2&pool_acquire_timeout=off");
    ck_assert_uint_eq(dbal_pool_holders(pool, write_down, &all), 0);
    hold_as(&first, "cart");
    loop_fixture_advance(&fixture, 10);
    hold_as(&second, NULL);
    begin_holding(&waits, "waits"); /* it holds nothing */
    settle();
    loop_fixture_advance(&fixture, 5);
    ck_assert_uint_eq(dbal_pool_holders(pool, write_down, &all), 2);
    ck_assert_str_eq(all.text, "cart: -|-: -|");
    ck_assert_double_eq_tol(all.ages[0], 15, 0.5);
    ck_assert_double_eq_tol(all.ages[1], 5, 0.5);
    ck_assert_uint_eq(all.ids[0], first.connection->number);
    ck_assert_uint_eq(all.ids[1], second.connection->number);
    ck_assert_uint_ne(all.ids[0], all.ids[1]);
    run(&first, "get");
    watch(dbal_connection_query(second.connection, "wait g", DBAL_NO_PARAMS), &slow);
    until_count(&script->waiting, 1);
    all = (list){.count = 0};
    dbal_pool_holders(pool, write_down, &all);
    ck_assert_str_eq(all.text, "cart: get|-: wait g now|");
    ck_assert_uint_eq(dbal_pool_holders(pool, NULL, NULL), 2);
    fake_script_open_gate(script, "g");
    until_settled(&slow);
    end_holding(&first);
    loop_fixture_until(&fixture, is_held, &waits);
    end_holding(&second);
    end_holding(&waits);
    ck_assert_uint_eq(dbal_pool_holders(pool, write_down, &all), 0);
}
END_TEST

static void
close_it(const dbal_holder *told, void *arg)
{
    (void)told;
    watch(dbal_pool_close(pool), arg);
}

START_TEST(who_is_told_may_close_the_pool)
{
    holder first;
    seen closed;
    open_target(_i, "pool_max_size=2");
    hold_as(&first, NULL);
    ck_assert_uint_eq(dbal_pool_holders(pool, close_it, &closed), 1);
    end_holding(&first);
    until_settled(&closed);
}
END_TEST

static void
free_it(const dbal_holder *told, void *arg)
{
    (void)told, (void)arg;
    dbal_loop_free(fixture.loop);
}

/* it is within a callback of the loop, also where the program is not */
START_TEST(who_is_told_may_not_free_the_loop)
{
    holder first;
    open_target(_i, "pool_max_size=2");
    hold_as(&first, NULL);
    ck_assert_uint_eq(dbal_pool_holders(pool, free_it, NULL), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "dbal_loop_free refused"), 1);
    run(&first, "get");
    end_holding(&first);
}
END_TEST

/* ---- the error of who waited in vain ---- */

START_TEST(the_error_names_the_oldest_session)
{
    holder first, second;
    char name[200], text[200];
    open_target(_i, "pool_max_size=2&pool_acquire_timeout=20");
    hold_as(&first, "cart");
    loop_fixture_advance(&fixture, 7);
    hold_as(&second, "report");
    run(&first, "add 1");
    run(&second, "get");
    dbal_deferred *session =
        dbal_deferred_ref(dbal_pool_session(pool, DBAL_SESSION(.label = "late"), keep, &second));
    dbal_deferred *statement = dbal_deferred_ref(ask("get"));
    settle();
    loop_fixture_advance(&fixture, 20.1);
    snprintf(name, sizeof name, "oldest session: cart, 27");
    snprintf(text, sizeof text, "2 open of at most 2, 2 in sessions, 2 in use, 0 connecting");
    for (int i = 0; i < 2; i++) {
        dbal_deferred *one = i == 0 ? session : statement;
        dbal_outcome outcome = loop_fixture_await(&fixture, one);
        const char *message = dbal_error_message(dbal_outcome_error(outcome));
        ck_assert_msg(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_POOL_EXHAUSTED), "%s",
                      message);
        ck_assert_msg(strstr(message, name) != NULL, "%s", message);
        ck_assert_msg(strstr(message, "s, idle, last: add 1") != NULL, "%s", message);
        ck_assert_msg(strstr(message, text) != NULL, "%s", message);
        ck_assert_msg(strstr(message, "connect error") == NULL, "%s", message);
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(one);
    }
    end_holding(&first);
    end_holding(&second);
}
END_TEST

static bool
has_failed(void *arg)
{
    (void)arg;
    return counts_now().connect_errors > 0;
}

START_TEST(the_error_tells_of_the_server_and_when)
{
    script->fail_open_from = 1;
    script->fail_open_to = 1000;
    open_pool(targets[_i][0], "pool_acquire_timeout=3");
    loop_fixture_drive(&fixture);
    dbal_deferred *deferred = dbal_deferred_ref(ask("get"));
    loop_fixture_until(&fixture, has_failed, NULL);
    loop_fixture_advance(&fixture, 3.5);
    bad(deferred, DBAL_ERROR_POOL_EXHAUSTED, "53300", DBAL_EXECUTION_NOT_SENT,
        "last connect error, 3.5 s ago: the fake does not open");
    dbal_deferred_unref(deferred);
}
END_TEST

START_TEST(long_sql_is_cut_at_a_character)
{
    holder first;
    char sql[300] = "echo 'zürich", expected[300];
    while (strlen(sql) < 200)
        strcat(sql, "ü");
    strcat(sql, "'");
    open_target(_i, "pool_max_size=1&pool_acquire_timeout=3");
    hold_as(&first, "cart");
    dbal_deferred *any = dbal_connection_query(first.connection, sql, DBAL_NO_PARAMS);
    seen one;
    watch(any, &one);
    until_settled(&one);
    dbal_deferred *deferred = dbal_deferred_ref(ask("get"));
    loop_fixture_advance(&fixture, 3.1);
    snprintf(expected, sizeof expected, "%.79s…", sql);
    bad(deferred, DBAL_ERROR_POOL_EXHAUSTED, "53300", DBAL_EXECUTION_NOT_SENT, expected);
    dbal_deferred_unref(deferred);
    end_holding(&first);
}
END_TEST

/* ---- leak_after ---- */

START_TEST(one_that_is_held_for_too_long_is_told_once)
{
    holder first, second;
    open_target(_i, "pool_max_size=2&pool_leak_after=60&pool_min_size=2");
    hold_as(&first, "cart");
    run(&first, "add 1");
    loop_fixture_advance(&fixture, 30);
    hold_as(&second, "report");
    loop_fixture_advance(&fixture, 29);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "leak_after"), 0);
    loop_fixture_advance(&fixture, 2);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "leak_after"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "leak_after (60 s): cart, 6"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "s, idle, last: add 1"), 1);
    loop_fixture_advance(&fixture, 30);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "leak_after (60 s): report, 6"), 1);
    loop_fixture_advance(&fixture, 1000);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "leak_after"), 2);
    end_holding(&first);
    end_holding(&second);
    /* the next session on the same connections */
    hold_as(&first, "again");
    loop_fixture_advance(&fixture, 61);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "again"), 1);
    end_holding(&first);
}
END_TEST

START_TEST(one_that_ends_in_time_is_not)
{
    holder one;
    open_target(_i, "pool_max_size=1&pool_leak_after=60");
    for (int i = 0; i < 20; i++) {
        hold_as(&one, NULL);
        loop_fixture_advance(&fixture, 50);
        end_holding(&one);
    }
    ck_assert_uint_eq(log_lines_count(&fixture.log, "leak_after"), 0);
}
END_TEST

START_TEST(it_is_off_unless_asked_for)
{
    holder one;
    open_target(_i, "pool_max_size=1");
    hold_as(&one, NULL);
    loop_fixture_advance(&fixture, 100000);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "held"), 0);
    end_holding(&one);
}
END_TEST

/* ---- a pool that stands still ---- */

static void
wait_a_bit(double seconds)
{
    for (double passed = 0; passed < seconds; passed += 0.5) {
        loop_fixture_advance(&fixture, 0.5);
        settle();
    }
}

START_TEST(sessions_that_wait_for_one_another_are_told)
{
    holder first, second;
    seen waits, more;
    open_target(_i, "pool_max_size=2&pool_acquire_timeout=off");
    hold_as(&first, "cart");
    hold_as(&second, "report");
    run(&first, "add 1");
    wait_a_bit(5);
    ck_assert_uint_eq(fixture.log.count, 0); /* nobody waits */
    watch(ask("get"), &waits);
    wait_a_bit(0.5);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "run nothing"), 0);
    wait_a_bit(2.5);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "1 wait, and all connections (2)"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "cart"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "last: add 1"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "report"), 1);
    watch(ask("get"), &more);
    wait_a_bit(60);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "run nothing"), 1); /* once */
    run(&first, "get"); /* something happens, and then it stands again */
    wait_a_bit(4);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "run nothing"), 2);
    end_holding(&first);
    until_settled(&more);
    end_holding(&second);
}
END_TEST

START_TEST(a_pool_that_is_only_busy_is_not)
{
    holder first, second;
    seen waits, slow;
    open_target(_i, "pool_max_size=2&pool_acquire_timeout=off");
    hold_as(&first, NULL);
    hold_as(&second, NULL);
    watch(dbal_connection_query(second.connection, "wait g", DBAL_NO_PARAMS), &slow);
    until_count(&script->waiting, 1);
    watch(ask("get"), &waits);
    wait_a_bit(10); /* one executes */
    fake_script_open_gate(script, "g");
    until_settled(&slow);
    for (int i = 0; i < 20; i++) { /* something happens all the time */
        wait_a_bit(0.5);
        run(&first, "get");
    }
    ck_assert_uint_eq(log_lines_count(&fixture.log, "run nothing"), 0);
    end_holding(&first);
    until_settled(&waits);
    end_holding(&second);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, TARGETS);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("holders");
    add(suite, sessions_are_listed);
    add(suite, who_is_told_may_close_the_pool);
    add(suite, who_is_told_may_not_free_the_loop);
    add(suite, the_error_names_the_oldest_session);
    add(suite, the_error_tells_of_the_server_and_when);
    add(suite, long_sql_is_cut_at_a_character);
    add(suite, one_that_is_held_for_too_long_is_told_once);
    add(suite, one_that_ends_in_time_is_not);
    add(suite, it_is_off_unless_asked_for);
    add(suite, sessions_that_wait_for_one_another_are_told);
    add(suite, a_pool_that_is_only_busy_is_not);
    return suite_run(suite);
}
