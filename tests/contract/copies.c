/* Copies in bulk: whole, ended early, failed, refused where they cannot be. */
#include <string.h>

#include "tests/contract/contract.h"

static bool
can(void)
{
    return (target->quirks & CONTRACT_NO_COPY) == 0;
}

/* Writes this, and then ends, aborts or does nothing more. */
typedef struct writer {
    const char *data;
    const char *why; /* it aborts */
    bool stays;
    int calls;
} writer;

static void
room(dbal_copy *copy, void *arg)
{
    writer *self = arg;
    self->calls++;
    dbal_copy_write(copy, self->data, strlen(self->data));
    if (self->why != NULL)
        dbal_copy_abort(copy, self->why);
    else if (!self->stays)
        dbal_copy_end(copy);
}

static bool
has_written(void *arg)
{
    return ((writer *)arg)->calls > 0;
}

/* Takes all, up to a call. */
typedef struct reader {
    size_t bytes;
    int calls, stops;
    char first[8];
} reader;

static dbal_flow
read_on(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    reader *self = arg;
    (void)stream;
    if (self->bytes + size < sizeof self->first)
        memcpy(self->first + self->bytes, data, size);
    self->bytes += size;
    self->calls++;
    return self->calls == self->stops ? DBAL_STOP : DBAL_CONTINUE;
}

static int64_t
affected_by(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    int64_t affected = dbal_result_affected(dbal_outcome_result(outcome));
    good_outcome(outcome);
    return affected;
}

START_TEST(it_is_refused_where_it_cannot_be)
{
    writer in = {.data = "2\n"};
    reader out = {.calls = 0};
    if (can())
        return;
    bad(dbal_pool_copy_in(pool, SQL(get), room, &in), DBAL_ERROR_NOT_SUPPORTED, "0A000",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_copy_out(pool, SQL(get), read_on, &out), DBAL_ERROR_NOT_SUPPORTED, "0A000",
        DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(in.calls + out.calls, 0);
}
END_TEST

START_TEST(what_goes_in_is_there)
{
    writer self = {.data = "2\n3\n4\n"};
    if (!can())
        return;
    ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, SQL(copy_in), room, &self)), 3);
    ck_assert_int_eq(self.calls, 1);
    ck_assert_int_eq(number(SQL(copied)), 3);
}
END_TEST

START_TEST(what_comes_out_is_whole)
{
    reader self = {.calls = 0};
    if (!can())
        return;
    ck_assert_int_eq(affected_by(dbal_pool_copy_out(pool, SQL(copy_out), read_on, &self)), 3);
    ck_assert_str_eq(self.first, "1\n2\n3\n");
    self = (reader){.stops = 1};
    good(dbal_pool_copy_out(pool, SQL(copy_much), read_on, &self));
    ck_assert_int_eq(self.calls, 1);
}
END_TEST

START_TEST(an_aborted_one_leaves_nothing)
{
    writer self = {.data = "2\n3\n", .why = "for a reason"};
    if (!can())
        return;
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_copy_in(pool, SQL(copy_in), room, &self));
    ck_assert_ptr_nonnull(strstr(dbal_error_message(dbal_outcome_error(outcome)), "for a reason"));
    bad_outcome(outcome, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(number(SQL(copied)), 0);
}
END_TEST

START_TEST(an_error_comes_before_the_end)
{
    writer self = {.data = "2\n3\n4\nfour\n", .stays = true};
    if (!can())
        return;
    bad(dbal_pool_copy_in(pool, SQL(copy_bad), room, &self), DBAL_ERROR_DATA, "22P02",
        DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(number(SQL(copied)), 0);
}
END_TEST

START_TEST(cancelled_it_leaves_nothing)
{
    writer self = {.data = "2\n3\n", .stays = true};
    if (!can())
        return;
    dbal_deferred *copy = dbal_deferred_ref(dbal_pool_copy_in(pool, SQL(copy_in), room, &self));
    loop_fixture_until(&fixture, has_written, &self);
    dbal_deferred_cancel(copy);
    bad(copy, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
    dbal_deferred_unref(copy);
    ck_assert_int_eq(number(SQL(copied)), 0);
}
END_TEST

START_TEST(the_other_way_round_is_an_error)
{
    writer in = {.data = "2\n"};
    reader out = {.calls = 0};
    if (!can())
        return;
    bad(dbal_pool_copy_in(pool, SQL(copy_out), room, &in), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_copy_out(pool, SQL(copy_in), read_on, &out), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_query(pool, SQL(copy_in), DBAL_NO_PARAMS), DBAL_ERROR_PROGRAMMING, "0A000",
        DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(in.calls + out.calls, 0);
    good(add_to_value(1));
}
END_TEST

typedef struct worker {
    writer in;
    bool fails;
} worker;

static dbal_outcome
work(dbal_connection *connection, void *arg)
{
    worker *self = arg;
    dbal_deferred *copy = dbal_connection_copy_in(connection, SQL(copy_in), room, &self->in);
    if (!self->fails)
        return dbal_wait(copy);
    dbal_connection_query(connection, SQL(syntax), DBAL_NO_PARAMS);
    return dbal_done();
}

START_TEST(it_belongs_to_its_transaction)
{
    worker self = {.in = {.data = "2\n3\n"}, .fails = true};
    if (!can())
        return;
    bad(dbal_pool_transaction(pool, NULL, work, &self), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(number(SQL(copied)), 0);
    self.fails = false;
    good(dbal_pool_transaction(pool, NULL, work, &self));
    ck_assert_int_eq(number(SQL(copied)), 2);
}
END_TEST

void
add_copies(Suite *suite)
{
    contract_add(suite, it_is_refused_where_it_cannot_be);
    contract_add(suite, what_goes_in_is_there);
    contract_add(suite, what_comes_out_is_whole);
    contract_add(suite, an_aborted_one_leaves_nothing);
    contract_add(suite, an_error_comes_before_the_end);
    contract_add(suite, cancelled_it_leaves_nothing);
    contract_add(suite, the_other_way_round_is_an_error);
    contract_add(suite, it_belongs_to_its_transaction);
}
