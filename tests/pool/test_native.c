/*
 * What only a driver on the loop can meet: several statements in flight, replies in pieces, sockets
 * replaced under their number, data that no descriptor announces, death in the middle.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static void
before(void)
{
    pool_fixture_init();
    open_pool("native", "pool_max_size=1");
    good(dbal_pool_ready(pool));
}

static size_t
rows_of(const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, ask(sql));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    size_t rows = dbal_result_row_count(dbal_outcome_result(outcome));
    dbal_outcome_clear(&outcome);
    return rows;
}

START_TEST(several_statements_are_in_flight_at_once)
{
    seen all[40];
    watch(ask("wait g"), &all[0]);
    for (int i = 1; i < 40; i++)
        watch(ask("add 1"), &all[i]);
    until_count(&script->waiting, 1);
    ck_assert_int_eq(fake_script_count(script, &script->flying), 40);
    ck_assert_int_eq(all[1].settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&all[39]);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(all[i].order, i + 1);
    ck_assert_int_eq(number("get"), 39);
}
END_TEST

START_TEST(no_more_than_the_pipelines_depth)
{
    seen all[100];
    pool = NULL;
    open_pool("native", "pool_max_size=1&pool_pipeline_depth=7");
    good(dbal_pool_ready(pool));
    for (int i = 0; i < 100; i++)
        watch(ask("rows 3"), &all[i]);
    until_settled(&all[99]);
    ck_assert_int_eq(fake_script_count(script, &script->most_flying), 7);
}
END_TEST

START_TEST(replies_come_in_pieces)
{
    ck_assert_uint_eq(rows_of("rows 1"), 1);
    ck_assert_uint_eq(rows_of("rows 1000"), 1000);
    ck_assert_uint_eq(rows_of("bytes 3000000"), 1);
}
END_TEST

START_TEST(the_socket_is_replaced_under_its_number)
{
    ck_assert_uint_eq(rows_of("swap rows 5"), 5);
    ck_assert_uint_eq(rows_of("swap swap rows 5"), 5);
    seen all[30];
    for (int i = 0; i < 30; i++)
        watch(ask(i % 3 == 0 ? "swap add 1" : "add 1"), &all[i]);
    until_settled(&all[29]);
    ck_assert_int_eq(number("get"), 30);
}
END_TEST

START_TEST(data_is_read_already_and_nothing_announces_it)
{
    ck_assert_uint_eq(rows_of("early rows 5"), 5);
    seen all[30];
    for (int i = 0; i < 30; i++)
        watch(ask("early add 1 early"), &all[i]);
    until_settled(&all[29]);
    ck_assert_int_eq(number("get"), 30);
}
END_TEST

START_TEST(the_driver_has_a_timer)
{
    seen one, behind;
    loop_fixture_drive(&fixture);
    watch(ask("tick add 1"), &one);
    watch(ask("get"), &behind);
    until_count(&script->runs, 2);
    settle();
    ck_assert_int_eq(one.settled + behind.settled, 0);
    loop_fixture_advance(&fixture, 0.02);
    until_settled(&behind);
    ck_assert_int_eq(one.order, 1);
}
END_TEST

START_TEST(the_driver_has_helpers)
{
    ck_assert_uint_eq(rows_of("errand rows 5"), 5);
    bad(ask("errand lose"), DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, NULL);
    good(ask("get"));
}
END_TEST

START_TEST(death_in_the_middle_of_an_answer)
{
    seen all[20];
    for (int i = 0; i < 20; i++)
        watch(ask(i == 5 ? "rows 3000 lose" : "add 1"), &all[i]);
    for (int i = 0; i < 20; i++)
        until_settled(&all[i]);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(all[i].error_class, 0);
    ck_assert_int_eq(all[5].error_class, DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(all[5].execution, DBAL_EXECUTION_UNKNOWN);
    for (int i = 6; i < 20; i++) {
        /* they had been sent; nobody knows, though the test does: the server never read them */
        ck_assert_int_eq(all[i].error_class, DBAL_ERROR_OPERATIONAL);
        ck_assert_int_eq(all[i].execution, DBAL_EXECUTION_UNKNOWN);
    }
    ck_assert_int_eq(number("get"), 5);
}
END_TEST

START_TEST(what_never_left_was_not_sent)
{
    enum { SIZE = 4 << 20 };
    seen first, large, behind;
    char *text = malloc(SIZE + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    /* the server waits, so the large one fills the socket, and the last one stays here */
    watch(ask("wait g lose"), &first);
    watch(dbal_pool_query(pool, "echo $1", DBAL_PARAMS(dbal_text(text))), &large);
    watch(ask("add 1"), &behind);
    until_count(&script->waiting, 1);
    fake_script_open_gate(script, "g");
    until_settled(&behind);
    ck_assert_int_eq(first.execution, DBAL_EXECUTION_UNKNOWN);
    ck_assert_int_eq(large.execution, DBAL_EXECUTION_UNKNOWN);
    /* so it went to another connection by itself */
    ck_assert_int_eq(behind.error_class, 0);
    ck_assert_int_eq(number("get"), 1);
    free(text);
}
END_TEST

START_TEST(large_statements_both_ways_do_not_lock_up)
{
    enum { MANY = 60, SIZE = 300000 };
    seen all[MANY];
    char *text = malloc(SIZE + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    for (int i = 0; i < MANY; i++)
        watch(dbal_pool_query(pool, "echo $1", DBAL_PARAMS(dbal_text(text))), &all[i]);
    until_settled(&all[MANY - 1]);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(all[i].error_class, 0);
    free(text);
}
END_TEST

START_TEST(an_idle_connection_that_dies_is_noticed)
{
    /* the answer is whole, then the server goes */
    seen one;
    watch(ask("rows 1"), &one);
    until_settled(&one);
    watch(ask("lose"), &one);
    until_settled(&one);
    until_count(&script->closes, 1);
    ck_assert_int_eq(counts_now().connections, 0);
    good(ask("get"));
}
END_TEST

START_TEST(a_level_below_2_runs_through_the_blocking_face)
{
    open_pool("native", "level=1");
    ck_assert_str_eq(counts_now().gate, "thread");
    ck_assert_uint_eq(rows_of("rows 5"), 5);
    open_pool("native", "level=0");
    ck_assert_str_eq(counts_now().gate, "driver-thread");
    ck_assert_uint_eq(rows_of("rows 5"), 5);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("native");
    suite_add(suite, several_statements_are_in_flight_at_once, before, pool_fixture_fini);
    suite_add(suite, no_more_than_the_pipelines_depth, before, pool_fixture_fini);
    suite_add(suite, replies_come_in_pieces, before, pool_fixture_fini);
    suite_add(suite, the_socket_is_replaced_under_its_number, before, pool_fixture_fini);
    suite_add(suite, data_is_read_already_and_nothing_announces_it, before, pool_fixture_fini);
    suite_add(suite, the_driver_has_a_timer, before, pool_fixture_fini);
    suite_add(suite, the_driver_has_helpers, before, pool_fixture_fini);
    suite_add(suite, death_in_the_middle_of_an_answer, before, pool_fixture_fini);
    suite_add(suite, what_never_left_was_not_sent, before, pool_fixture_fini);
    suite_add(suite, large_statements_both_ways_do_not_lock_up, before, pool_fixture_fini);
    suite_add(suite, an_idle_connection_that_dies_is_noticed, before, pool_fixture_fini);
    suite_add(suite, a_level_below_2_runs_through_the_blocking_face, before, pool_fixture_fini);
    return suite_run(suite);
}
