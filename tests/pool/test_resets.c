/* A session that changed more than data does not show it to the next on its connection. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const parameters[] = {"pool_max_size=1", "pool_max_size=1&pipeline=off"};

static dbal_outcome
run_all(dbal_connection *connection, void *arg)
{
    dbal_deferred *last = NULL;
    for (const char *const *sql = arg; *sql != NULL; sql++)
        last = dbal_connection_query(connection, *sql, DBAL_NO_PARAMS);
    return last != NULL ? dbal_wait(last) : dbal_done();
}

static dbal_deferred *
session(const char *const *statements)
{
    return dbal_pool_session(pool, NULL, run_all, (void *)(uintptr_t)statements);
}

#define SESSION(...) session((const char *const[]){__VA_ARGS__, NULL})

/* What the next session finds. */
static int64_t
changed(void)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, SESSION("changed"));
    ck_assert_int_eq(outcome.kind, DBAL_OUTCOME_VALUE);
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

START_TEST(a_changed_session_is_made_as_new)
{
    open_pool("native", parameters[_i]);
    for (int round = 1; round <= 3; round++) {
        good(SESSION("setting", "get"));
        ck_assert_int_eq(fake_script_count(script, &script->resets), round);
        ck_assert_int_eq(changed(), 0);
    }
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

START_TEST(a_clean_one_costs_nothing)
{
    open_pool("native", parameters[_i]);
    good(SESSION("get", "add 1"));
    good(SESSION("begin", "add 1", "commit"));
    good(dbal_pool_transaction(pool, NULL, run_all, (void *)(const char *const[]){"get", NULL}));
    ck_assert(fake_script_ran(script, "get|add 1|begin|add 1|commit|begin|get|commit|"));
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

START_TEST(the_driver_knows_more_than_the_text)
{
    open_pool("native", parameters[_i]);
    good(SESSION("secret"));
    ck_assert_int_eq(fake_script_count(script, &script->resets), 1);
    good(SESSION("secret", "get", "get"));
    ck_assert_int_eq(fake_script_count(script, &script->resets), 2);
    ck_assert_int_eq(changed(), 0);
    /* what was cleaned needs no more cleaning, unless it was changed again since */
    good(SESSION("setting", "secret", "clean"));
    good(SESSION("clean", "get"));
    ck_assert_int_eq(fake_script_count(script, &script->resets), 2);
    good(SESSION("clean", "setting"));
    ck_assert_int_eq(fake_script_count(script, &script->resets), 3);
    good(SESSION("clean", "secret", "get"));
    ck_assert_int_eq(fake_script_count(script, &script->resets), 4);
    ck_assert_int_eq(changed(), 0);
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

START_TEST(what_was_never_run_changes_nothing)
{
    open_pool("native", parameters[_i]);
    bad(SESSION("fail '22000'", "forbidden setting"), DBAL_ERROR_PROGRAMMING, "0A000",
        DBAL_EXECUTION_NOT_SENT, NULL);
    ck_assert_int_eq(fake_script_count(script, &script->resets), 0);
}
END_TEST

START_TEST(a_transaction_left_open_is_rolled_back_first)
{
    open_pool("native", parameters[_i]);
    good(SESSION("begin", "add 5", "setting"));
    ck_assert(fake_script_ran(script, "begin|add 5|setting|rollback|reset|"));
    ck_assert_int_eq(changed(), 0);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

START_TEST(one_that_cannot_be_made_as_new_is_closed)
{
    script->fail_reset = true;
    open_pool("native", parameters[_i]);
    good(SESSION("setting"));
    ck_assert_int_eq(changed(), 0);
    ck_assert_uint_eq(counts_now().opened, 2);
    until_count(&script->closes, 1);
}
END_TEST

START_TEST(one_that_hangs_in_it_is_given_up)
{
    seen end;
    script->hang_reset = true;
    open_driven("native", parameters[_i]);
    watch(SESSION("setting"), &end);
    until_count(&script->resets, 1);
    settle();
    loop_fixture_advance(&fixture, 21); /* connect_timeout */
    settle();
    loop_fixture_advance(&fixture, 3); /* cancel_timeout */
    until_settled(&end);
    ck_assert_int_eq(end.error_class, 0);
    script->hang_reset = false;
    ck_assert_int_eq(changed(), 0);
    ck_assert_uint_eq(counts_now().lost, 1);
}
END_TEST

START_TEST(the_next_one_waits_for_it)
{
    seen end, next, statement;
    script->hang_reset = true;
    open_pool("native", parameters[_i]);
    watch(SESSION("setting"), &end);
    until_count(&script->resets, 1);
    watch(SESSION("changed"), &next);
    watch(ask("get"), &statement);
    settle();
    ck_assert_int_eq(next.settled + statement.settled, 0);
    fake_script_open_gate(script, "reset");
    until_settled(&statement);
    ck_assert_int_eq(next.settled, 1);
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

START_TEST(a_shared_connection_that_was_changed_is_closed)
{
    seen all[4];
    open_pool("native", parameters[_i]);
    watch(ask("add 1"), &all[0]);
    watch(ask("secret"), &all[1]);
    watch(ask("add 1"), &all[2]);
    watch(ask("changed"), &all[3]);
    for (int i = 0; i < 4; i++) {
        until_settled(&all[i]);
        ck_assert_int_eq(all[i].error_class, 0);
    }
    ck_assert_int_eq(changed(), 0);
    ck_assert_int_eq(number("get"), 2);
    ck_assert_uint_eq(counts_now().opened, 2);
    ck_assert_uint_eq(counts_now().lost, 0);
    ck_assert_int_eq(fake_script_count(script, &script->resets), 0);
}
END_TEST

START_TEST(full_is_behind_each)
{
    open_pool("native", _i == 0 ? "pool_max_size=1&pool_reset=full"
                                : "pool_max_size=1&pool_reset=full&pipeline=off");
    good(SESSION("get"));
    good(dbal_pool_transaction(pool, NULL, run_all, (void *)(const char *const[]){"get", NULL}));
    good(SESSION("setting"));
    good(ask("get"));
    ck_assert(fake_script_ran(script, "get|reset|begin|get|commit|reset|setting|reset|get|"));
    good(SESSION(NULL)); /* which ran nothing */
    ck_assert_int_eq(fake_script_count(script, &script->resets), 3);
    ck_assert_uint_eq(counts_now().resets, 3);
    ck_assert_uint_eq(counts_now().dirty_sessions, 1);
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

START_TEST(with_none_the_next_finds_it)
{
    open_pool("native", _i == 0 ? "pool_max_size=1&pool_reset=none"
                                : "pool_max_size=1&pool_reset=none&pipeline=off");
    good(SESSION("setting"));
    ck_assert_int_eq(changed(), 1);
    good(SESSION("begin", "add 5", "setting"));
    ck_assert_int_eq(number("get"), 0);
    good(ask("secret"));
    ck_assert_int_eq(changed(), 1);
    ck_assert_int_eq(fake_script_count(script, &script->resets), 0);
    ck_assert_uint_eq(counts_now().opened, 1);
    ck_assert_uint_eq(counts_now().dirty_sessions, 3);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "others have it so"), 2);
}
END_TEST

START_TEST(with_none_what_cannot_be_undone_is_closed)
{
    open_pool("native", _i == 0 ? "pool_max_size=1&pool_reset=none"
                                : "pool_max_size=1&pool_reset=none&pipeline=off");
    script->fail_run = 3;
    good(SESSION("begin", "add 5")); /* its rollback fails */
    ck_assert_int_eq(number("get"), 0);
    ck_assert_uint_eq(counts_now().opened, 2);
}
END_TEST

static dbal_outcome
fails(dbal_connection *connection, void *arg)
{
    (void)connection;
    (void)arg;
    return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "not so"));
}

static dbal_outcome
passes(dbal_outcome in, void *arg)
{
    (void)in;
    (void)arg;
    return dbal_done();
}

static dbal_outcome
tries(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_deferred *part = dbal_connection_savepoint(connection, fails, NULL);
    dbal_deferred_add_both(part, passes, NULL);
    return dbal_wait(part);
}

START_TEST(with_none_one_whose_savepoint_stays_is_closed)
{
    open_pool("native", _i == 0 ? "pool_max_size=1&pool_reset=none"
                                : "pool_max_size=1&pool_reset=none&pipeline=off");
    script->fail_run = 4; /* begin, savepoint, rollback to it, and its release */
    good(dbal_pool_transaction(pool, NULL, tries, NULL));
    ck_assert_int_eq(number("get"), 0);
    ck_assert_uint_eq(counts_now().opened, 2);
}
END_TEST

START_TEST(who_changed_it_is_told_once)
{
    open_pool("native", parameters[_i]);
    for (int round = 0; round < 3; round++) {
        good(SESSION("get", "setting", "get"));
        good(SESSION("secret\n"));
        good(dbal_pool_session(pool, DBAL_SESSION(.label = "importer"), run_all,
                               (void *)(const char *const[]){"setting", NULL}));
    }
    good(SESSION("setting", "clean"));
    ck_assert_uint_eq(counts_now().dirty_sessions, 9);
    ck_assert_uint_eq(counts_now().resets, 9);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "left its connection changed"), 3);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "importer left"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "secret  left"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "setting left"), 1);
    ck_assert_int_eq(fixture.log.levels[0], DBAL_LOG_INFO);
}
END_TEST

START_TEST(so_many_are_told)
{
    char label[32];
    open_pool("native", parameters[_i]);
    for (int i = 0; i < 40; i++) {
        snprintf(label, sizeof label, "job %d", i);
        good(dbal_pool_session(pool, DBAL_SESSION(.label = label), run_all,
                               (void *)(const char *const[]){"setting", NULL}));
    }
    ck_assert_uint_eq(counts_now().dirty_sessions, 40);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "left its connection changed"), 32);
}
END_TEST

/* ---- a statement of no session that begins a transaction, which its text does not tell ---- */

static const char *const strays[][2] = {
    {"fake", "pool_max_size=1"},
    {"fake", "pool_max_size=1&token=on"},
    {"fake", "level=2&pool_threads=1&pool_max_size=2"},
    {"fake", "level=0&pool_max_size=1"},
    {"native", "pool_max_size=1"},
    {"native", "pool_max_size=1&pipeline=off"},
};

/*
 * What comes behind it is not done in there, where it would be undone, or kept by somebody else; what
 * was sent already is told that it is undone.
 */
START_TEST(nobody_follows_one_that_leaves_a_transaction_open)
{
    seen first, all[8];
    open_pool(strays[_i][0], strays[_i][1]);
    good(ask("get"));
    watch(ask("get begin"), &first);
    for (int i = 0; i < 8; i++)
        watch(ask(i % 2 == 0 ? "add 1" : "get"), &all[i]);
    until_settled(&first);
    ck_assert_int_eq(first.error_class, DBAL_ERROR_PROGRAMMING);
    int kept = 0;
    for (int i = 0; i < 8; i++) {
        until_settled(&all[i]);
        bool good_one = all[i].error_class == 0;
        kept += good_one && i % 2 == 0;
        ck_assert(good_one || strcmp(strays[_i][1], "pool_max_size=1") == 0);
        ck_assert(good_one || all[i].error_class == DBAL_ERROR_PROGRAMMING);
    }
    ck_assert_int_eq(number("get"), kept);
    good(dbal_pool_close(pool));
    ck_assert_int_eq(script->value, kept); /* by the database */
    ck_assert_uint_eq(counts_now().opened, 2);
    ck_assert_uint_eq(counts_now().lost, 0);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "left a transaction open"), 1);
}
END_TEST

static dbal_outcome
many(dbal_connection *connection, void *arg)
{
    seen *all = arg;
    watch(dbal_connection_query(connection, "wait g", DBAL_NO_PARAMS), &all[0]);
    for (int i = 1; i < 100; i++)
        watch(dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS), &all[i]);
    return dbal_done();
}

START_TEST(so_many_of_a_session_are_in_flight)
{
    static seen all[100];
    seen end;
    open_pool("native", parameters[_i]);
    watch(dbal_pool_session(pool, NULL, many, all), &end);
    until_count(&script->waiting, 1);
    ck_assert_int_eq(fake_script_count(script, &script->flying), _i == 0 ? 64 : 1);
    fake_script_open_gate(script, "g");
    until_settled(&end);
    ck_assert_int_eq(number("get"), 99);
    ck_assert_int_eq(fake_script_count(script, &script->most_flying), _i == 0 ? 64 : 1);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, 2);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("resets");
    add(suite, a_changed_session_is_made_as_new);
    add(suite, a_clean_one_costs_nothing);
    add(suite, the_driver_knows_more_than_the_text);
    add(suite, what_was_never_run_changes_nothing);
    add(suite, a_transaction_left_open_is_rolled_back_first);
    add(suite, one_that_cannot_be_made_as_new_is_closed);
    add(suite, one_that_hangs_in_it_is_given_up);
    add(suite, the_next_one_waits_for_it);
    add(suite, a_shared_connection_that_was_changed_is_closed);
    add(suite, full_is_behind_each);
    add(suite, with_none_the_next_finds_it);
    add(suite, with_none_what_cannot_be_undone_is_closed);
    add(suite, with_none_one_whose_savepoint_stays_is_closed);
    add(suite, who_changed_it_is_told_once);
    add(suite, so_many_are_told);
    add(suite, so_many_of_a_session_are_in_flight);
    TCase *one = tcase_create("nobody_follows_one_that_leaves_a_transaction_open");
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, nobody_follows_one_that_leaves_a_transaction_open, 0,
                        sizeof strays / sizeof strays[0]);
    suite_add_tcase(suite, one);
    return suite_run(suite);
}
