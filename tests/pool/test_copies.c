/* Copies in bulk, both ways: held back, aborted, failed, cancelled, closed over, lost. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

/* A program that writes rows of eight bytes as long as it may, or all at once. */
typedef struct writer {
    dbal_copy *copy;
    int calls;       /* of room */
    int64_t written; /* rows */
    int64_t rows;    /* to be written; then it ends */
    bool stays;      /* it does not end */
    const char *why; /* or aborts */
    dbal_deferred *cancels;
} writer;

static void
write_on(writer *self)
{
    while (self->written < self->rows) {
        self->written++;
        if (!dbal_copy_write(self->copy, "1234567\n", 8))
            return;
    }
    if (self->why != NULL)
        dbal_copy_abort(self->copy, self->why);
    else if (!self->stays)
        dbal_copy_end(self->copy);
}

static void
room(dbal_copy *copy, void *arg)
{
    writer *self = arg;
    self->copy = copy;
    self->calls++;
    dbal_deferred_cancel(self->cancels);
    write_on(self);
}

static bool
has_room(void *arg)
{
    return ((writer *)arg)->calls > 0;
}

static void
forget(void *arg)
{
    ((writer *)arg)->copy = NULL;
}

static int64_t
affected_by(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t affected = dbal_result_affected(dbal_outcome_result(outcome));
    dbal_outcome_clear(&outcome);
    return affected;
}

static void
before(void)
{
    pool_fixture_init();
    open_pool("native", "pool_max_size=1");
    good(dbal_pool_ready(pool));
}

START_TEST(what_is_written_arrives)
{
    writer self = {.rows = 3};
    ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, "load", room, &self)), 3);
    ck_assert_int_eq(self.calls, 1);
    ck_assert_int_eq(number("get"), 3);
}
END_TEST

START_TEST(nothing_may_be_written_too)
{
    writer self = {.rows = 0};
    ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, "load", room, &self)), 0);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

START_TEST(a_lot_is_held_back_and_arrives)
{
    enum { ROWS = 2000000 };
    writer self = {.rows = ROWS};
    ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, "load", room, &self)), ROWS);
    ck_assert_int_gt(self.calls, 2);
    ck_assert_int_lt(self.calls, 100); /* half of what may wait is written each time */
}
END_TEST

START_TEST(a_server_that_takes_nothing_makes_writing_stop)
{
    enum { ROWS = 1000000 };
    writer self = {.rows = ROWS};
    seen end;
    watch(dbal_pool_copy_in(pool, "load after g", room, &self), &end);
    loop_fixture_until(&fixture, has_room, &self);
    settle();
    ck_assert_int_eq(self.calls, 1);
    ck_assert_int_ge(self.written, 1024 * 1024 / 8);
    ck_assert_int_le(self.written, 2 * 1024 * 1024 / 8);
    ck_assert_int_eq(end.settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&end);
    ck_assert_int_eq(end.error_class, 0);
    ck_assert_int_eq(number("get"), ROWS);
}
END_TEST

START_TEST(all_that_is_given_at_once_is_taken)
{
    enum { SIZE = 5000000 };
    char *data = malloc(SIZE);
    writer self = {.stays = true};
    ck_assert_ptr_nonnull(data);
    memset(data, 'x', SIZE);
    for (int i = 99; i < SIZE; i += 100)
        data[i] = '\n';
    dbal_deferred *copy = dbal_deferred_ref(dbal_pool_copy_in(pool, "load", room, &self));
    loop_fixture_until(&fixture, has_room, &self);
    ck_assert(!dbal_copy_write(self.copy, data, SIZE));
    memset(data, 'y', SIZE);
    dbal_copy_end(self.copy);
    free(data);
    ck_assert_int_eq(affected_by(copy), SIZE / 100);
    ck_assert_int_eq(self.calls, 1); /* after the end there is no room to be told of */
    dbal_deferred_unref(copy);
}
END_TEST

START_TEST(aborted_nothing_is_kept_and_the_reason_is_told)
{
    writer self = {.rows = 1000, .why = "the client went away"};
    bad(dbal_pool_copy_in(pool, "load", room, &self), DBAL_ERROR_CANCELLED, "57014",
        DBAL_EXECUTION_FAILED, "the client went away");
    ck_assert_int_eq(number("get"), 0);
    self = (writer){.rows = 0, .why = ""};
    bad(dbal_pool_copy_in(pool, "load", room, &self), DBAL_ERROR_CANCELLED, "57014",
        DBAL_EXECUTION_FAILED, NULL);
    ck_assert_uint_eq(counts_now().lost, 0);
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

START_TEST(the_databases_error_comes_at_once)
{
    writer self = {.rows = 5, .stays = true};
    bad(dbal_pool_copy_in(pool, "load 3", room, &self), DBAL_ERROR_DATA, "22P02",
        DBAL_EXECUTION_FAILED, NULL);
    ck_assert_int_eq(number("get"), 0);
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

/* the handle is good until the last callback has run */
static dbal_outcome
write_late(dbal_outcome in, void *arg)
{
    writer *self = arg;
    ck_assert(!dbal_copy_write(self->copy, "1\n", 2));
    dbal_copy_end(self->copy);
    dbal_copy_abort(self->copy, "late");
    self->calls = 100;
    return in;
}

START_TEST(what_is_written_too_late_is_dropped)
{
    writer self = {.rows = 5, .stays = true};
    dbal_deferred *copy = dbal_pool_copy_in(pool, "load 3", room, &self);
    dbal_deferred_add_both(copy, write_late, &self);
    bad(copy, DBAL_ERROR_DATA, "22P02", DBAL_EXECUTION_FAILED, NULL);
    ck_assert_int_eq(self.calls, 100);
    self = (writer){.rows = 2};
    copy = dbal_pool_copy_in(pool, "load", room, &self);
    dbal_deferred_add_both(copy, write_late, &self);
    ck_assert_int_eq(affected_by(copy), 2);
    ck_assert_int_eq(self.calls, 100);
}
END_TEST

START_TEST(cancelled_nothing_is_kept)
{
    writer self = {.rows = 10, .stays = true};
    seen end;
    dbal_deferred *copy = dbal_pool_copy_in(pool, "load", room, &self);
    dbal_deferred_ref(copy);
    watch(copy, &end);
    loop_fixture_until(&fixture, has_room, &self);
    dbal_deferred_cancel(copy);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(end.execution, DBAL_EXECUTION_FAILED);
    dbal_deferred_unref(copy);
    ck_assert_int_eq(number("get"), 0);
    ck_assert_uint_eq(counts_now().lost, 0);
}
END_TEST

START_TEST(cancelled_inside_its_own_function)
{
    writer self = {.rows = 10};
    self.cancels = dbal_deferred_ref(dbal_pool_copy_in(pool, "load", room, &self));
    bad(self.cancels, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED, NULL);
    dbal_deferred_unref(self.cancels);
    ck_assert_int_eq(self.calls, 1);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

START_TEST(cancelled_before_it_begins)
{
    writer self = {.rows = 10};
    holder one;
    seen end;
    hold(&one);
    until_held(&one);
    dbal_deferred *copy = dbal_deferred_ref(dbal_pool_copy_in(pool, "load", room, &self));
    watch(copy, &end);
    settle();
    dbal_deferred_cancel(copy);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(end.execution, DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(copy);
    let_go(&one);
    until_settled(&one.end);
    ck_assert_int_eq(self.calls, 0);
}
END_TEST

START_TEST(the_programs_own_time_limit_ends_it)
{
    writer self = {.rows = 10, .stays = true};
    open_pool("native", "pool_query_timeout=0.01");
    dbal_deferred *copy = dbal_pool_copy_in(pool, "load", room, &self);
    dbal_deferred_add_timeout(copy, 0.1);
    bad(copy, DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_FAILED, NULL);
}
END_TEST

START_TEST(the_pool_closed_while_it_runs)
{
    writer self = {.rows = 10, .stays = true};
    seen end, closed;
    open_driven("native", "pool_close_timeout=5");
    watch(dbal_pool_copy_in(pool, "load", room, &self), &end);
    loop_fixture_until(&fixture, has_room, &self);
    watch(dbal_pool_close(pool), &closed);
    settle();
    ck_assert(dbal_copy_write(self.copy, "1\n", 2)); /* what was accepted goes on */
    loop_fixture_advance(&fixture, 6);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CLOSED);
    until_settled(&closed);
}
END_TEST

START_TEST(a_server_that_hangs_is_given_up)
{
    writer self = {.rows = 1000000};
    seen end;
    open_driven("native", "pool_cancel_timeout=2");
    dbal_deferred *copy = dbal_deferred_ref(dbal_pool_copy_in(pool, "hang g load", room, &self));
    bad(copy, DBAL_ERROR_PROGRAMMING, "42601", DBAL_EXECUTION_NOT_SENT, "no copy");
    dbal_deferred_unref(copy);
    copy = dbal_deferred_ref(dbal_pool_copy_in(pool, "load hang g", room, &self));
    watch(copy, &end);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(copy);
    loop_fixture_advance(&fixture, 3);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(end.execution, DBAL_EXECUTION_UNKNOWN);
    dbal_deferred_unref(copy);
    fake_script_open_gate(script, "g");
}
END_TEST

START_TEST(the_loop_freed_while_it_runs)
{
    writer self = {.rows = 10, .stays = true};
    seen end;
    dbal_deferred *copy = dbal_pool_copy_in(pool, "load", room, &self);
    dbal_deferred_add_finally(copy, forget, &self);
    watch(copy, &end);
    loop_fixture_until(&fixture, has_room, &self);
    dbal_loop_free(fixture.loop);
    fixture.loop = NULL;
    ck_assert_int_eq(end.settled, 1);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CLOSED);
    ck_assert_ptr_null(self.copy);
}
END_TEST

START_TEST(the_connection_lost_in_the_middle)
{
    writer self = {.rows = 10, .stays = true};
    bad(dbal_pool_copy_in(pool, "load lost", room, &self), DBAL_ERROR_OPERATIONAL, "08006",
        DBAL_EXECUTION_UNKNOWN, NULL);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

/* ---- out ---- */

typedef struct reader {
    dbal_stream *stream;
    int64_t rows, bytes;
    int calls;
    int pauses, stops; /* at this call, from 1 */
    bool broken;       /* a chunk did not end with a row */
} reader;

static dbal_flow
read_on(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    reader *self = arg;
    const char *bytes = data;
    ck_assert_uint_gt(size, 0);
    self->stream = stream;
    self->calls++;
    self->bytes += (int64_t)size;
    for (size_t i = 0; i < size; i++)
        self->rows += bytes[i] == '\n';
    self->broken = self->broken || bytes[size - 1] != '\n';
    if (self->calls == self->stops)
        return DBAL_STOP;
    return self->calls == self->pauses ? DBAL_PAUSE : DBAL_CONTINUE;
}

static bool
has_read(void *arg)
{
    return ((reader *)arg)->calls > 0;
}

START_TEST(what_comes_out_is_whole)
{
    reader self = {.calls = 0};
    ck_assert_int_eq(affected_by(dbal_pool_copy_out(pool, "unload 10", read_on, &self)), 10);
    ck_assert_int_eq(self.rows, 10);
    ck_assert_int_eq(self.bytes, 21);
    self = (reader){.calls = 0};
    ck_assert_int_eq(affected_by(dbal_pool_copy_out(pool, "unload 300000", read_on, &self)),
                     300000);
    ck_assert_int_eq(self.rows, 300000);
    ck_assert(!self.broken);
    self = (reader){.calls = 0};
    ck_assert_int_eq(affected_by(dbal_pool_copy_out(pool, "unload 0", read_on, &self)), 0);
    ck_assert_int_eq(self.calls, 0);
}
END_TEST

START_TEST(a_consumer_that_pauses_holds_the_database_back)
{
    reader self = {.pauses = 1};
    seen end;
    watch(dbal_pool_copy_out(pool, "unload 400000", read_on, &self), &end);
    loop_fixture_until(&fixture, has_read, &self);
    for (int i = 0; i < 100; i++)
        settle();
    ck_assert_int_eq(self.calls, 1);
    ck_assert_int_eq(end.settled, 0);
    dbal_stream_resume(self.stream);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, 0);
    ck_assert_int_eq(self.rows, 400000);
}
END_TEST

START_TEST(a_consumer_that_has_enough_stops_it)
{
    reader self = {.stops = 2};
    good(dbal_pool_copy_out(pool, "unload 400000", read_on, &self));
    ck_assert_int_eq(self.calls, 2);
    ck_assert_int_lt(self.rows, 400000);
    ck_assert_int_eq(number("get"), 0);
    ck_assert_uint_eq(counts_now().opened, 1);
}
END_TEST

START_TEST(an_error_after_some_data)
{
    reader self = {.calls = 0};
    bad(dbal_pool_copy_out(pool, "unload 5 fail '22012'", read_on, &self), DBAL_ERROR_DATA, "22012",
        DBAL_EXECUTION_FAILED, NULL);
    bad(dbal_pool_copy_out(pool, "unload 5 lose", read_on, &self), DBAL_ERROR_OPERATIONAL, "08006",
        DBAL_EXECUTION_UNKNOWN, NULL);
}
END_TEST

START_TEST(cancelled_while_it_comes_out)
{
    reader self = {.pauses = 1};
    seen end;
    dbal_deferred *copy =
        dbal_deferred_ref(dbal_pool_copy_out(pool, "unload 400000", read_on, &self));
    watch(copy, &end);
    loop_fixture_until(&fixture, has_read, &self);
    dbal_deferred_cancel(copy);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(self.calls, 1);
    dbal_stream_resume(self.stream); /* its Deferred is still referred to, so it is still valid */
    dbal_deferred_unref(copy);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

/* ---- on a connection ---- */

typedef struct worker {
    writer in;
    reader out;
    seen before, loaded, between, unloaded, after;
} worker;

static dbal_outcome
work(dbal_connection *connection, void *arg)
{
    worker *self = arg;
    watch(dbal_connection_query(connection, "add 100", DBAL_NO_PARAMS), &self->before);
    watch(dbal_connection_copy_in(connection, "load", room, &self->in), &self->loaded);
    watch(dbal_connection_query(connection, "get", DBAL_NO_PARAMS), &self->between);
    watch(dbal_connection_copy_out(connection, "unload 3", read_on, &self->out), &self->unloaded);
    return dbal_wait(watch(dbal_connection_query(connection, "get", DBAL_NO_PARAMS), &self->after));
}

START_TEST(on_a_connection_they_keep_their_order)
{
    worker self = {.in = {.rows = 5}};
    good(dbal_pool_transaction(pool, NULL, work, &self));
    ck_assert_int_eq(self.out.rows, 3);
    ck_assert_int_eq(self.before.order, 1);
    ck_assert_int_eq(self.loaded.order, 2);
    ck_assert_int_eq(self.between.order, 3);
    ck_assert_int_eq(self.unloaded.order, 4);
    ck_assert_int_eq(self.after.order, 5);
    /* each had the connection to itself */
    ck_assert(fake_script_ran(script, "begin|add 100|load|get|unload 3|get|commit|"));
    ck_assert_int_eq(number("get"), 105);
}
END_TEST

static dbal_outcome
abort_work(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_copy_in(connection, "load", room, arg));
}

START_TEST(an_aborted_one_rolls_its_transaction_back)
{
    writer self = {.rows = 5, .why = "no"};
    bad(dbal_pool_transaction(pool, NULL, abort_work, &self), DBAL_ERROR_CANCELLED, "57014",
        DBAL_EXECUTION_FAILED, "no");
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(what_is_no_such_copy_is_refused)
{
    writer in = {.rows = 1};
    reader out = {.calls = 0};
    bad(dbal_pool_copy_in(pool, "unload 1", room, &in), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT, "dbal_pool_copy_out()");
    bad(dbal_pool_copy_out(pool, "load", read_on, &out), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT, "dbal_pool_copy_in()");
    bad(dbal_pool_copy_in(pool, "rows 1", room, &in), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT, "FROM STDIN");
    bad(dbal_pool_copy_out(pool, "rows 1", read_on, &out), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT, "TO STDOUT");
    bad(dbal_pool_copy_out(pool, "unload $1", read_on, &out), DBAL_ERROR_PROGRAMMING, "42601",
        DBAL_EXECUTION_NOT_SENT, "parameters");
    bad(ask("load"), DBAL_ERROR_PROGRAMMING, "0A000", DBAL_EXECUTION_NOT_SENT,
        "dbal_pool_copy_in()");
    bad(ask("unload 1"), DBAL_ERROR_PROGRAMMING, "0A000", DBAL_EXECUTION_NOT_SENT,
        "dbal_pool_copy_out()");
    bad(dbal_pool_copy_in(pool, NULL, room, &in), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT,
        NULL);
    bad(dbal_pool_copy_in(pool, "load", NULL, &in), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT, NULL);
    bad(dbal_pool_copy_out(pool, "unload 1", NULL, &out), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT, NULL);
    ck_assert_int_eq(in.calls + out.calls, 0);
    dbal_copy_end(NULL);
    dbal_copy_abort(NULL, "nothing");
    ck_assert(!dbal_copy_write(NULL, "x", 1));
}
END_TEST

START_TEST(not_behind_threads_nor_with_every_driver)
{
    writer in = {.rows = 1};
    reader out = {.calls = 0};
    open_pool("native", "pool_gate=thread");
    bad(dbal_pool_copy_in(pool, "load", room, &in), DBAL_ERROR_NOT_SUPPORTED, "0A000",
        DBAL_EXECUTION_NOT_SENT, "gate thread");
    open_pool("fake", "");
    bad(dbal_pool_copy_in(pool, "load", room, &in), DBAL_ERROR_NOT_SUPPORTED, "0A000",
        DBAL_EXECUTION_NOT_SENT, "driver fake");
    bad(dbal_pool_copy_out(pool, "unload 1", read_on, &out), DBAL_ERROR_NOT_SUPPORTED, "0A000",
        DBAL_EXECUTION_NOT_SENT, "driver fake");
}
END_TEST

/* ---- without memory ---- */

typedef struct tally {
    int asked, settled;
    dbal_loop *loop;
    dbal_pool *pool;
    writer in[3];
    reader out[2];
} tally;

static void
settled(void *arg)
{
    ((tally *)arg)->settled++;
}

static dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static void
count(tally *self, dbal_deferred *deferred)
{
    self->asked++;
    dbal_deferred_add_errback(deferred, swallow, NULL);
    dbal_deferred_add_finally(deferred, settled, self);
}

static dbal_outcome
copies(dbal_connection *connection, void *arg)
{
    tally *self = arg;
    count(self, dbal_connection_copy_in(connection, "load", room, &self->in[2]));
    count(self, dbal_connection_copy_out(connection, "unload 3", read_on, &self->out[1]));
    return dbal_done();
}

static void
scenario(void *arg)
{
    tally self = {.in = {{.rows = 40000}, {.rows = 3, .why = "why"}, {.rows = 3}}};
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    log_lines log = {.count = 0};
    (void)arg;
    self.loop = dbal_loop_new(ev);
    if (self.loop != NULL) {
        dbal_loop_set_log(self.loop, log_lines_add, &log);
        self.pool = dbal_pool_open(self.loop, "native:memory", NULL, NULL);
    }
    if (self.pool != NULL) {
        count(&self, dbal_pool_copy_in(self.pool, "load", room, &self.in[0]));
        count(&self, dbal_pool_copy_in(self.pool, "load", room, &self.in[1]));
        count(&self, dbal_pool_copy_out(self.pool, "unload 20000", read_on, &self.out[0]));
        count(&self, dbal_pool_transaction(self.pool, NULL, copies, &self));
        ev_run(ev, 0);
        count(&self, dbal_pool_close(self.pool));
        ev_run(ev, 0);
        ck_assert_int_eq(self.settled, self.asked);
    }
    dbal_loop_free(self.loop);
    ck_assert_int_eq(self.settled, self.asked);
    ev_loop_destroy(ev);
}

START_TEST(nothing_is_lost_without_memory)
{
    alloc_fault_sweep(scenario, NULL);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    suite_add(suite, test, before, pool_fixture_fini);
}

int
main(void)
{
    Suite *suite = suite_create("copies");
    add(suite, what_is_written_arrives);
    add(suite, nothing_may_be_written_too);
    add(suite, a_lot_is_held_back_and_arrives);
    add(suite, a_server_that_takes_nothing_makes_writing_stop);
    add(suite, all_that_is_given_at_once_is_taken);
    add(suite, aborted_nothing_is_kept_and_the_reason_is_told);
    add(suite, the_databases_error_comes_at_once);
    add(suite, what_is_written_too_late_is_dropped);
    add(suite, cancelled_nothing_is_kept);
    add(suite, cancelled_inside_its_own_function);
    add(suite, cancelled_before_it_begins);
    add(suite, the_programs_own_time_limit_ends_it);
    add(suite, the_pool_closed_while_it_runs);
    add(suite, a_server_that_hangs_is_given_up);
    add(suite, the_loop_freed_while_it_runs);
    add(suite, the_connection_lost_in_the_middle);
    add(suite, what_comes_out_is_whole);
    add(suite, a_consumer_that_pauses_holds_the_database_back);
    add(suite, a_consumer_that_has_enough_stops_it);
    add(suite, an_error_after_some_data);
    add(suite, cancelled_while_it_comes_out);
    add(suite, on_a_connection_they_keep_their_order);
    add(suite, an_aborted_one_rolls_its_transaction_back);
    add(suite, what_is_no_such_copy_is_refused);
    add(suite, not_behind_threads_nor_with_every_driver);
    add(suite, nothing_is_lost_without_memory);
    return suite_run(suite);
}
