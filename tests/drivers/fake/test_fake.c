/* The fake that is installed for tests of programs: what its script and its URL make it do. */
#include <dbal.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/loop_fixture.h"
#include "tests/lib/scratch.h"
#include "tests/lib/suite.h"
#include <dbal/driver.h>

extern const dbal_driver dbal_fake_driver;

static loop_fixture fixture;
static char folder[SCRATCH_PATH];
static unsigned number_of_names;

static void
setup(void)
{
    ck_assert(dbal_driver_register(&dbal_fake_driver, NULL));
    scratch_make(folder, "fake");
    loop_fixture_init(&fixture);
}

static void
teardown(void)
{
    loop_fixture_fini(&fixture);
    scratch_remove(folder);
}

/* A pool on a database of its own; a script is written to a file first. */
static dbal_pool *
open_pool(const char *parameters, const char *script, dbal_error **ret_error)
{
    char url[320], file[SCRATCH_PATH + 16];
    snprintf(file, sizeof file, "%s/script", folder);
    snprintf(url, sizeof url, "fake:test%u?%s%s%s", number_of_names++, parameters,
             script != NULL ? "&script=" : "", script != NULL ? file : "");
    if (script != NULL) {
        FILE *to = fopen(file, "w");
        ck_assert_ptr_nonnull(to);
        fputs(script, to);
        fclose(to);
    }
    return dbal_pool_open(fixture.loop, url, NULL, ret_error);
}

static dbal_pool *
with_script(const char *script)
{
    dbal_error *error = NULL;
    dbal_pool *pool = open_pool("pool_max_size=2", script, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
    return pool;
}

static dbal_outcome
ask(dbal_pool *pool, const char *sql)
{
    return loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_NO_PARAMS));
}

static dbal_result *
rows_of(dbal_outcome outcome)
{
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_msg(rows != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    return rows;
}

/* It fails so, with this in its message. */
static void
check_fails(dbal_outcome outcome, dbal_error_class error_class, const char *sqlstate,
            const char *text)
{
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_is(error, error_class), "%s", dbal_error_message(error));
    ck_assert_str_eq(dbal_error_sqlstate(error), sqlstate);
    ck_assert_msg(strstr(dbal_error_message(error), text) != NULL, "%s", dbal_error_message(error));
    dbal_outcome_clear(&outcome);
}

START_TEST(a_line_answers_with_rows)
{
    dbal_pool *pool = with_script("# accounts\n\n"
                                  "select id,  name FROM account* => columns id, name "
                                  "row 1, 'A|d''a' row -2, null row $1, 2.5\n");
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_query(pool, "  SELECT id, name\n from account where id > $1",
                                  DBAL_PARAMS(dbal_int64(7))));
    dbal_result *rows = rows_of(outcome);
    ck_assert_uint_eq(dbal_result_row_count(rows), 3);
    ck_assert_str_eq(dbal_result_column_name(rows, 1), "name");
    ck_assert_str_eq(dbal_result_text(rows, 0, 1), "A|d'a");
    ck_assert_int_eq(dbal_result_int64(rows, 1, 0), -2);
    ck_assert(dbal_result_is_null(rows, 1, 1));
    ck_assert_int_eq(dbal_result_int64(rows, 2, 0), 7);
    ck_assert(dbal_result_double(rows, 2, 1) == 2.5);
    dbal_outcome_clear(&outcome);
}
END_TEST

/* so many cells, or names, from 1 */
static void
append_many(char *to, size_t size, const char *before, int count)
{
    for (int i = 1; i <= count; i++) {
        size_t used = strlen(to);
        snprintf(to + used, size - used, i == 1 ? "1" : ", %s%d", before, i);
    }
}

START_TEST(columns_are_named_once_and_before_the_rows)
{
    char wide[1024] = "row ", many[1024] = "columns c";
    dbal_pool *pool = with_script(NULL);
    append_many(wide, sizeof wide, "", 64);
    append_many(many, sizeof many, "c", 65);
    dbal_outcome outcome = ask(pool, wide);
    ck_assert_uint_eq(dbal_result_column_count(rows_of(outcome)), 64);
    dbal_outcome_clear(&outcome);
    strcat(wide, ", 65 columns x");
    check_fails(ask(pool, wide), DBAL_ERROR_PROGRAMMING, "54011", "more than 64 columns");
    check_fails(ask(pool, many), DBAL_ERROR_PROGRAMMING, "54011", "more than 64 columns");
    check_fails(ask(pool, "row 1 columns x"), DBAL_ERROR_PROGRAMMING, "42601",
                "columns are named before the rows");
    check_fails(ask(pool, "row 1, 2 rows 2"), DBAL_ERROR_PROGRAMMING, "42601",
                "rows of different lengths");
    outcome = ask(pool, "rows 2 rows 1 get row 7");
    ck_assert_uint_eq(dbal_result_row_count(rows_of(outcome)), 5);
    ck_assert_uint_eq(dbal_result_column_count(rows_of(outcome)), 1);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_text_is_whole_or_refused)
{
    char sql[1100], text[1025];
    dbal_pool *pool = with_script(NULL);
    memset(text, 'x', 1024);
    text[1024] = '\0';
    snprintf(sql, sizeof sql, "row '%s'", text);
    check_fails(ask(pool, sql), DBAL_ERROR_PROGRAMMING, "54000", "up to 1023 bytes");
    snprintf(sql, sizeof sql, "row '%s'", text + 1);
    dbal_outcome outcome = ask(pool, sql);
    ck_assert_str_eq(dbal_result_text(rows_of(outcome), 0, 0), text + 1);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(answers_come_in_turn_and_the_last_one_stays)
{
    dbal_pool *pool = with_script("select a => row 1 | row 2\nselect b => row 3\n");
    static const int64_t expected[] = {1, 2, 2};
    for (size_t i = 0; i < 3; i++) {
        dbal_outcome outcome = ask(pool, "select a");
        ck_assert_int_eq(dbal_result_int64(rows_of(outcome), 0, 0), expected[i]);
        dbal_outcome_clear(&outcome);
    }
    dbal_outcome outcome = ask(pool, "select b");
    ck_assert_int_eq(dbal_result_int64(rows_of(outcome), 0, 0), 3);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(what_no_line_is_for_fails)
{
    dbal_pool *pool = with_script("select a => ok\n");
    check_fails(ask(pool, "select c"), DBAL_ERROR_PROGRAMMING, "42601",
                "no line of the script is for: select c");
}
END_TEST

START_TEST(a_statement_fails_as_it_is_told)
{
    dbal_pool *pool = with_script("insert * => fail '23505' 'Ada is there'\n"
                                  "select * => fail '53200'\n"
                                  "odd => fail 'nonsense'\n");
    check_fails(ask(pool, "insert into a values (1)"), DBAL_ERROR_INTEGRITY, "23505",
                "Ada is there");
    check_fails(ask(pool, "select 1"), DBAL_ERROR_OPERATIONAL, "53200", "as it was to");
    check_fails(ask(pool, "odd"), DBAL_ERROR_PROGRAMMING, "42601", "is no SQLSTATE");
}
END_TEST

static dbal_outcome
update(dbal_connection *connection, void *arg)
{
    *(unsigned *)arg = dbal_connection_attempt(connection);
    return dbal_wait(dbal_connection_query(connection, "update a set b = 1", DBAL_NO_PARAMS));
}

START_TEST(a_transaction_is_tried_again)
{
    unsigned attempts = 0;
    dbal_pool *pool = with_script("update * => fail '40001' | fail '40001' | affected 4\n");
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_transaction(pool, DBAL_TRANSACTION(.retries = 5), update, &attempts));
    ck_assert_int_eq(dbal_result_affected(rows_of(outcome)), 4);
    ck_assert_uint_eq(attempts, 3);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_connection_is_lost)
{
    dbal_pool *pool = with_script("select a => lose | row 1\n");
    dbal_outcome outcome = ask(pool, "select a");
    ck_assert(dbal_error_connection_lost(dbal_outcome_error(outcome)));
    check_fails(outcome, DBAL_ERROR_OPERATIONAL, "08006", "lost");
    outcome = ask(pool, "select a");
    ck_assert_int_eq(dbal_result_int64(rows_of(outcome), 0, 0), 1);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(each_connection_is_lost_after_so_many_statements)
{
    dbal_pool *pool = open_pool("pool_max_size=1&lose_after=2", NULL, NULL);
    for (int i = 0; i < 6; i++) {
        dbal_outcome outcome = ask(pool, "get");
        bool lost = dbal_outcome_error(outcome) != NULL;
        ck_assert_int_eq(lost, i % 3 == 2);
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

START_TEST(connects_are_refused)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool *pool = open_pool("refuse=2", NULL, NULL);
    ck_assert_ptr_nonnull(pool);
    do {
        dbal_outcome outcome = ask(pool, "get");
        dbal_outcome_clear(&outcome);
        dbal_pool_stats(pool, &counts);
    } while (counts.opened == 0);
    ck_assert_uint_eq(counts.connect_errors, 2);
}
END_TEST

START_TEST(a_slow_connect_takes_too_long)
{
    dbal_pool *pool = open_pool(
        "connect_delay=3600000&pool_connect_timeout=0.05&pool_acquire_timeout=0.2", NULL, NULL);
    dbal_outcome outcome = ask(pool, "get");
    ck_assert_ptr_nonnull(dbal_outcome_error(outcome));
    dbal_outcome_clear(&outcome);
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    ck_assert_uint_eq(counts.opened, 0);
    ck_assert_uint_ge(counts.connect_errors, 1);
}
END_TEST

START_TEST(a_statement_hangs_until_it_is_stopped)
{
    dbal_pool *pool = with_script("select a* => hang\nselect b => delay 3600000 row 1\n"
                                  "select c => delay 5 row 1\n");
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_run(pool, DBAL_QUERY(.sql = "select a", .timeout = 0.03)));
    check_fails(outcome, DBAL_ERROR_TIMEOUT, "57014", "");
    outcome = loop_fixture_await(
        &fixture, dbal_pool_run(pool, DBAL_QUERY(.sql = "select b", .timeout = 0.03)));
    check_fails(outcome, DBAL_ERROR_TIMEOUT, "57014", "");
    outcome = ask(pool, "select c");
    ck_assert_uint_eq(dbal_result_row_count(rows_of(outcome)), 1);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_delay_is_neither_negative_nor_endless)
{
    dbal_pool *pool = with_script("select a => delay -1 deaf -1 row 1\n"
                                  "select b => delay 9223372036854775807 row 1\n");
    dbal_outcome outcome = ask(pool, "select a");
    ck_assert_uint_eq(dbal_result_row_count(rows_of(outcome)), 1);
    dbal_outcome_clear(&outcome);
    outcome = loop_fixture_await(
        &fixture, dbal_pool_run(pool, DBAL_QUERY(.sql = "select b", .timeout = 0.03)));
    check_fails(outcome, DBAL_ERROR_TIMEOUT, "57014", "");
}
END_TEST

START_TEST(what_is_wrong_in_a_url_or_a_script_is_told)
{
    static const struct {
        const char *parameters, *script, *said;
    } wrong[] = {{"delay=soon", NULL, "delay=soon"},
                 {"dealy=5", NULL,
                  "no URL parameter \"dealy\": it knows connect_delay, connections, "
                  "delay, level, lose_after, refuse, script"},
                 {"level=4", NULL, "from 0 to 3"},
                 {"refuse=-1", NULL, "refuse=-1"},
                 {"script=/nowhere/at/all", NULL, "/nowhere/at/all"},
                 {"level=1", "select a => ok\nselect b\n", "line 2"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        dbal_error *error = NULL;
        ck_assert_ptr_null(open_pool(wrong[i].parameters, wrong[i].script, &error));
        ck_assert_msg(strstr(dbal_error_message(error), wrong[i].said) != NULL, "%s",
                      dbal_error_message(error));
        dbal_error_unref(error);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fake");
    const TTest *const tests[] = {
        a_line_answers_with_rows,
        columns_are_named_once_and_before_the_rows,
        a_text_is_whole_or_refused,
        answers_come_in_turn_and_the_last_one_stays,
        what_no_line_is_for_fails,
        a_statement_fails_as_it_is_told,
        a_transaction_is_tried_again,
        a_connection_is_lost,
        each_connection_is_lost_after_so_many_statements,
        connects_are_refused,
        a_slow_connect_takes_too_long,
        a_statement_hangs_until_it_is_stopped,
        a_delay_is_neither_negative_nor_endless,
        what_is_wrong_in_a_url_or_a_script_is_told,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
