/* Streams: batches in order, held back by a slow consumer, stopped early, cancelled, failing. */
#include <string.h>

#include "tests/contract/contract.h"

typedef struct reader {
    dbal_stream *stream;
    size_t rows, batches;
    size_t stop_at; /* rows; 0: takes all */
    bool pauses, waits;
    int64_t last;
} reader;

static void
resume(void *arg)
{
    dbal_stream_resume(((reader *)arg)->stream);
}

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    reader *self = arg;
    self->stream = stream;
    self->batches++;
    for (size_t i = 0; i < dbal_result_row_count(rows); i++) {
        int64_t n = dbal_result_int64(rows, i, 0);
        ck_assert_int_eq(n, self->last + 1);
        self->last = n;
    }
    self->rows += dbal_result_row_count(rows);
    if (self->stop_at != 0 && self->rows >= self->stop_at)
        return DBAL_STOP;
    if (self->waits)
        return DBAL_PAUSE;
    if (!self->pauses)
        return DBAL_CONTINUE;
    ck_assert(dbal_loop_call(fixture.loop, resume, self));
    return DBAL_PAUSE;
}

static dbal_deferred *
stream(int64_t rows, reader *self)
{
    return dbal_pool_stream(
        pool, DBAL_QUERY(.sql = SQL(rows), .params = DBAL_PARAMS(dbal_int64(rows))), take, self);
}

START_TEST(all_rows_come_once_and_in_order)
{
    static const int64_t counts[] = {0, 1, 511, 512, 513, 20000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        reader self = {.last = 0};
        dbal_outcome outcome = loop_fixture_await(&fixture, stream(counts[i], &self));
        ck_assert_int_eq(dbal_result_affected(dbal_outcome_result(outcome)), counts[i]);
        ck_assert_uint_eq(self.rows, (size_t)counts[i]);
        good_outcome(outcome);
    }
}
END_TEST

START_TEST(a_consumer_that_pauses_gets_all_too)
{
    reader self = {.pauses = true};
    good(stream(20000, &self));
    ck_assert_uint_eq(self.rows, 20000);
    ck_assert_uint_gt(self.batches, 10);
}
END_TEST

static bool
has_batches(void *arg)
{
    return ((reader *)arg)->batches > 0;
}

START_TEST(a_slow_consumer_holds_the_database_back)
{
    reader self = {.waits = true};
    dbal_deferred *deferred = dbal_deferred_ref(stream(1000000, &self));
    loop_fixture_until(&fixture, has_batches, &self);
    /* what is on its way comes no further than the window */
    for (int i = 0; i < 200; i++)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    ck_assert_uint_eq(self.batches, 1);
    dbal_deferred_cancel(deferred);
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_CANCELLED));
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(deferred);
    ck_assert_uint_eq(self.batches, 1);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

START_TEST(a_consumer_that_has_enough_stops_it)
{
    if ((target->quirks & CONTRACT_GATHERS) != 0)
        return; /* there would be no end of it */
    reader self = {.stop_at = 1000};
    good(stream(INT64_C(1000000000000), &self));
    ck_assert_uint_ge(self.rows, 1000);
    ck_assert_uint_le(self.rows, 1512);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

START_TEST(a_stream_that_is_cancelled_while_it_runs)
{
    if ((target->quirks & CONTRACT_GATHERS) != 0)
        return;
    for (int i = 0; i < 20; i++) {
        reader self = {.pauses = i % 2 == 0};
        dbal_deferred *deferred = dbal_deferred_ref(stream(INT64_C(1000000000000), &self));
        loop_fixture_until(&fixture, has_batches, &self);
        dbal_deferred_cancel(deferred);
        dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
        ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_CANCELLED));
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(deferred);
    }
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

static dbal_deferred *
stream_until(double timeout, void *arg)
{
    return dbal_pool_stream(
        pool,
        DBAL_QUERY(.sql = SQL(rows), .timeout = timeout, .params = DBAL_PARAMS(dbal_int64(100000))),
        take, arg);
}

START_TEST(a_stream_has_a_deadline_pauses_included)
{
    reader self = {.waits = true};
    contract_time_out(stream_until, &self);
    ck_assert_uint_le(self.batches, 1);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

static int64_t
checkpoint(dbal_pool *impatient)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_query(impatient, target->sql->checkpoint, DBAL_NO_PARAMS));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t busy = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return busy;
}

/* a paused one keeps the state of the database that it reads, but not for longer than its time */
START_TEST(what_a_stream_sees_is_let_go_when_its_time_is_up)
{
    reader self = {.waits = true};
    /* on the driver's one thread nothing else runs while it is paused */
    if (target->sql->reads == NULL || strcmp(target->gate, "driver-thread") == 0 ||
        (target->quirks & (CONTRACT_ONE | CONTRACT_PRIVATE)) != 0)
        return;
    dbal_pool *impatient = contract_open(fixture.loop, "busy_timeout=0");
    good(dbal_pool_ready(impatient));
    loop_fixture_drive(&fixture);
    dbal_deferred *stream = dbal_deferred_ref(
        dbal_pool_stream(pool,
                         DBAL_QUERY(.sql = target->sql->reads,
                                    .params = DBAL_PARAMS(dbal_int64(100000)), .timeout = 60),
                         take, &self));
    loop_fixture_until(&fixture, has_batches, &self);
    good(add_to_value(1));
    ck_assert_int_eq(checkpoint(impatient), 1);
    loop_fixture_advance(&fixture, 61);
    bad(stream, DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_FAILED);
    dbal_deferred_unref(stream);
    ck_assert_int_eq(checkpoint(impatient), 0);
    ck_assert_uint_eq(self.batches, 1);
}
END_TEST

START_TEST(a_stream_that_fails_says_why)
{
    reader self = {.last = 0};
    bad(dbal_pool_stream(pool, DBAL_QUERY(.sql = SQL(duplicate)), take, &self),
        DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED);
    bad(dbal_pool_stream(pool, DBAL_QUERY(.sql = SQL(begin)), take, &self), DBAL_ERROR_PROGRAMMING,
        "25001", DBAL_EXECUTION_NOT_SENT);
    ck_assert_uint_eq(self.batches, 0);
}
END_TEST

typedef struct canceller {
    dbal_deferred *deferred;
    int calls;
} canceller;

static dbal_flow
cancel_it(dbal_stream *stream, dbal_result *rows, void *arg)
{
    canceller *self = arg;
    (void)stream, (void)rows;
    self->calls++;
    dbal_deferred_cancel(self->deferred);
    return DBAL_CONTINUE;
}

START_TEST(a_stream_that_is_cancelled_inside_its_own_function)
{
    static const int64_t counts[] = {1, 600, 3000, 100000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        canceller self = {.calls = 0};
        self.deferred = dbal_deferred_ref(dbal_pool_stream(
            pool, DBAL_QUERY(.sql = SQL(rows), .params = DBAL_PARAMS(dbal_int64(counts[i]))),
            cancel_it, &self));
        dbal_outcome outcome = loop_fixture_await(&fixture, self.deferred);
        ck_assert_ptr_nonnull(dbal_outcome_error(outcome));
        ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_CANCELLED));
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(self.deferred);
        ck_assert_int_eq(self.calls, 1);
    }
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

START_TEST(what_a_stream_gave_is_counted)
{
    reader self = {.stop_at = 1};
    dbal_outcome outcome = loop_fixture_await(&fixture, stream(20000, &self));
    ck_assert_int_eq(dbal_result_affected(dbal_outcome_result(outcome)), (int64_t)self.rows);
    good_outcome(outcome);
}
END_TEST

static dbal_outcome
stream_and_wait(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_stream(
        connection, DBAL_QUERY(.sql = SQL(rows), .params = DBAL_PARAMS(dbal_int64(10))), take,
        arg));
}

START_TEST(a_stream_that_waits_in_a_session_ends_with_the_pool)
{
    reader self = {.waits = true};
    dbal_pool *other = contract_open(fixture.loop, "pool_close_timeout=0.05");
    dbal_deferred *session =
        dbal_deferred_ref(dbal_pool_session(other, NULL, stream_and_wait, &self));
    loop_fixture_until(&fixture, has_batches, &self);
    good(dbal_pool_close(other));
    dbal_outcome outcome = loop_fixture_await(&fixture, session);
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_CLOSED));
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(session);
}
END_TEST

START_TEST(a_stream_that_waits_in_a_session_hears_its_deadline)
{
    reader self = {.waits = true};
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_session(pool, DBAL_SESSION(.timeout = 0.05), stream_and_wait, &self));
    ck_assert(dbal_error_is(dbal_outcome_error(outcome), DBAL_ERROR_TIMEOUT));
    dbal_outcome_clear(&outcome);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

static dbal_outcome
stream_on_connection(dbal_connection *connection, void *arg)
{
    dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(1)));
    dbal_deferred *rows = dbal_connection_stream(
        connection, DBAL_QUERY(.sql = SQL(rows), .params = DBAL_PARAMS(dbal_int64(3000))), take,
        arg);
    dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(1)));
    return dbal_wait(rows);
}

START_TEST(a_stream_in_a_transaction)
{
    reader self = {.pauses = true};
    good(transaction(NULL, stream_on_connection, &self));
    ck_assert_uint_eq(self.rows, 3000);
    ck_assert_int_eq(value_now(), 2);
}
END_TEST

void
add_streams(Suite *suite)
{
    contract_add(suite, all_rows_come_once_and_in_order);
    contract_add(suite, a_consumer_that_pauses_gets_all_too);
    contract_add(suite, a_slow_consumer_holds_the_database_back);
    contract_add(suite, a_consumer_that_has_enough_stops_it);
    contract_add(suite, a_stream_that_is_cancelled_while_it_runs);
    contract_add(suite, a_stream_has_a_deadline_pauses_included);
    contract_add(suite, what_a_stream_sees_is_let_go_when_its_time_is_up);
    contract_add(suite, a_stream_that_fails_says_why);
    contract_add(suite, a_stream_in_a_transaction);
    contract_add(suite, a_stream_that_is_cancelled_inside_its_own_function);
    contract_add(suite, what_a_stream_gave_is_counted);
    contract_add(suite, a_stream_that_waits_in_a_session_ends_with_the_pool);
    contract_add(suite, a_stream_that_waits_in_a_session_hears_its_deadline);
}
