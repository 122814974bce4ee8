/* A connection that is lost: what runs is unknown, what waits goes elsewhere, the pool lives on. */
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", "pool_max_size=1"},
    {"fake", "pool_max_size=1&level=0"},
    {"native", "pool_max_size=1"},
    {"native", "pool_max_size=1&pipeline=off"},
    {"native", "pool_max_size=1&pool_gate=thread"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

static void
open_target(int target)
{
    open_driven(targets[target][0], targets[target][1]);
}

START_TEST(the_running_statement_is_unknown)
{
    open_target(_i);
    bad(ask("rows 3 lose"), DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, NULL);
    good(ask("get"));
    ck_assert_uint_eq(counts_now().lost, 1);
    ck_assert_uint_eq(counts_now().opened, 2);
}
END_TEST

START_TEST(the_error_says_that_the_connection_is_gone)
{
    open_target(_i);
    dbal_outcome outcome = loop_fixture_await(&fixture, ask("add 1 lose"));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert(dbal_error_connection_lost(error));
    ck_assert(!dbal_error_retryable(error));
    dbal_outcome_clear(&outcome);
    good(ask("get"));
}
END_TEST

START_TEST(those_behind_it_settle_too)
{
    enum { MANY = 30 };
    seen all[MANY];
    open_target(_i);
    for (int i = 0; i < MANY; i++)
        watch(ask(i == 10 ? "rows 2 lose" : "add 1"), &all[i]);
    for (int i = 0; i < MANY; i++)
        until_settled(&all[i]);
    int64_t sure = 0, maybe = 0;
    for (int i = 0; i < MANY; i++) {
        sure += all[i].error_class == 0;
        maybe += all[i].error_class != 0 && all[i].execution == DBAL_EXECUTION_UNKNOWN;
    }
    ck_assert_int_ne(all[10].error_class, 0);
    int64_t value = number("get");
    ck_assert_int_ge(value, sure);
    ck_assert_int_le(value, sure + maybe);
}
END_TEST

static dbal_outcome
lose_in_transaction(dbal_connection *connection, void *arg)
{
    seen *all = arg;
    watch(dbal_connection_query(connection, "add 5", DBAL_NO_PARAMS), &all[0]);
    watch(dbal_connection_query(connection, "lose", DBAL_NO_PARAMS), &all[1]);
    watch(dbal_connection_query(connection, "add 5", DBAL_NO_PARAMS), &all[2]);
    return dbal_done();
}

START_TEST(a_transaction_fails_with_it)
{
    seen all[3];
    open_target(_i);
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_transaction(pool, NULL, lose_in_transaction, all));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert(dbal_error_connection_lost(error));
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(all[0].error_class, 0);
    ck_assert_int_eq(all[1].error_class, DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(all[2].error_class, DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

typedef struct losing {
    dbal_deferred *never;
    seen work, after;
    dbal_connection *connection;
} losing;

static dbal_outcome
ask_again(dbal_outcome in, void *arg)
{
    losing *self = arg;
    watch(dbal_connection_query(self->connection, "get", DBAL_NO_PARAMS), &self->after);
    return in;
}

static dbal_outcome
lose_and_wait(dbal_connection *connection, void *arg)
{
    losing *self = arg;
    self->connection = connection;
    dbal_deferred_add_both(dbal_connection_query(connection, "lose", DBAL_NO_PARAMS), ask_again,
                           self);
    return dbal_wait(self->never);
}

START_TEST(the_work_of_a_session_is_cancelled)
{
    losing self = {.never = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL))};
    open_target(_i);
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_session(pool, NULL, lose_and_wait, &self));
    ck_assert(dbal_error_connection_lost(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(self.after.settled, 1);
    ck_assert_int_eq(self.after.error_class, DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(self.after.execution, DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(self.never);
    dbal_deferred_fire(self.never, dbal_done());
    good(ask("get"));
    ck_assert_int_eq(counts_now().held, 0);
}
END_TEST

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream;
    *(size_t *)arg += dbal_result_row_count(rows);
    return DBAL_CONTINUE;
}

static dbal_flow
pause_first(dbal_stream *stream, dbal_result *rows, void *arg)
{
    dbal_stream **paused = arg;
    (void)rows;
    if (*paused != NULL)
        return DBAL_CONTINUE;
    *paused = stream;
    return DBAL_PAUSE;
}

/* All of the stream has come when its connection is lost: the consumer takes the rest later. */
START_TEST(a_stream_outlives_its_connection)
{
    dbal_stream *paused = NULL;
    seen end;
    open_target(_i);
    watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = "rows 1000"), pause_first, &paused), &end);
    good(ask("get"));
    ck_assert_ptr_nonnull(paused);
    bad(ask("rows 3 lose"), DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, NULL);
    good(ask("get"));
    ck_assert_int_eq(end.settled, 0);
    dbal_stream_resume(paused);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, 0);
}
END_TEST

START_TEST(a_stream_fails_after_its_rows)
{
    size_t rows = 0;
    open_target(_i);
    bad(dbal_pool_stream(pool, DBAL_QUERY(.sql = "rows 1200 lose"), take, &rows),
        DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, NULL);
    ck_assert_uint_eq(rows % 512, 0);
    good(ask("get"));
}
END_TEST

START_TEST(lost_again_and_again)
{
    open_target(_i);
    for (int i = 0; i < 20; i++) {
        dbal_outcome outcome = loop_fixture_await(&fixture, ask("lose"));
        ck_assert(dbal_error_connection_lost(dbal_outcome_error(outcome)));
        dbal_outcome_clear(&outcome);
    }
    good(ask("get"));
    ck_assert_int_eq(counts_now().connections, 1);
    good(dbal_pool_close(pool));
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
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
    Suite *suite = suite_create("lost");
    add(suite, the_running_statement_is_unknown);
    add(suite, the_error_says_that_the_connection_is_gone);
    add(suite, those_behind_it_settle_too);
    add(suite, a_transaction_fails_with_it);
    add(suite, the_work_of_a_session_is_cancelled);
    add(suite, a_stream_outlives_its_connection);
    add(suite, a_stream_fails_after_its_rows);
    add(suite, lost_again_and_again);
    return suite_run(suite);
}
