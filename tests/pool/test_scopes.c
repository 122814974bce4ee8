/* Work inside work: a transaction begins behind what was given before it, and waits for no more. */
#include <math.h>
#include <stdio.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", "pool_max_size=1"},
    {"fake", "pool_max_size=1&level=0"},
    {"native", "pool_max_size=1"},
    {"native", "pool_max_size=1&pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0], BEFORE = 40 };

/* what a session did, in the order in which it came back */
typedef struct session {
    seen before[BEFORE], inside, inner, end;
    int count; /* of those given before the transaction */
    bool script, writes;
} session;

static dbal_outcome
ask_inside(dbal_connection *connection, void *arg)
{
    session *self = arg;
    return dbal_wait(
        watch(dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS), &self->inside));
}

static dbal_outcome
ask_around(dbal_connection *connection, void *arg)
{
    session *self = arg;
    const char *sql = self->writes ? "add 1" : "get";
    for (int i = 0; i < self->count; i++) {
        dbal_deferred *one = self->script ? dbal_connection_script(connection, "get; get; get")
                                          : dbal_connection_query(connection, sql, DBAL_NO_PARAMS);
        watch(one, &self->before[i]);
    }
    dbal_deferred *inner =
        watch(dbal_connection_transaction(connection, NULL, ask_inside, self), &self->inner);
    return dbal_wait(inner);
}

static void
run_session(session *self)
{
    watch(dbal_pool_session(pool, NULL, ask_around, self), &self->end);
}

static void
check_session(session *self)
{
    until_settled(&self->end);
    ck_assert_int_eq(self->end.error_class, 0);
    ck_assert_int_eq(self->inner.error_class, 0);
    ck_assert_int_eq(self->inside.error_class, 0);
    for (int i = 0; i < self->count; i++) {
        ck_assert_int_eq(self->before[i].settled, 1);
        ck_assert_int_eq(self->before[i].error_class, 0);
    }
}

START_TEST(a_transaction_begins_behind_what_was_given_before)
{
    session one = {.count = BEFORE};
    open_driven(targets[_i][0], targets[_i][1]);
    run_session(&one);
    check_session(&one);
    for (int i = 0; i < one.count; i++)
        ck_assert_int_lt(one.before[i].order, one.inside.order);
    ck_assert_int_eq(number("get"), 1);
}
END_TEST

START_TEST(a_script_that_has_begun_waits_for_the_transaction)
{
    session one = {.count = 2, .script = true};
    open_driven(targets[_i][0], targets[_i][1]);
    run_session(&one);
    check_session(&one);
    ck_assert_int_eq(number("get"), 1);
}
END_TEST

static dbal_outcome
cancel_inside(dbal_connection *connection, void *arg)
{
    session *self = arg;
    watch(dbal_connection_query(connection, "get", DBAL_NO_PARAMS), &self->before[0]);
    dbal_deferred *inner = dbal_connection_transaction(connection, NULL, ask_inside, self);
    watch(inner, &self->inner);
    dbal_deferred_cancel(inner);
    return dbal_wait(inner);
}

START_TEST(a_transaction_that_is_cancelled_before_it_begins_does_nothing)
{
    session one = {.count = 0};
    open_driven(targets[_i][0], targets[_i][1]);
    watch(dbal_pool_session(pool, NULL, cancel_inside, &one), &one.end);
    until_settled(&one.end);
    ck_assert_int_eq(one.before[0].error_class, 0);
    ck_assert_int_eq(one.inner.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(one.inside.settled, 0);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

/* ---- with the write token ---- */

static dbal_outcome
write_first(dbal_connection *connection, void *arg)
{
    holder *self = arg;
    dbal_connection_query(connection, "add 100", DBAL_NO_PARAMS);
    self->connection = connection;
    return dbal_wait(self->release);
}

START_TEST(a_transaction_begins_behind_a_write_that_waits_for_the_token)
{
    static const char *const others[] = {"fake", "native"};
    session one = {.count = 1, .writes = true};
    holder writer = {.release = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL))};
    open_driven(others[_i], "token=on&pool_max_size=2");
    watch(dbal_pool_transaction(pool, NULL, write_first, &writer), &writer.end);
    until_held(&writer);
    run_session(&one);
    settle();
    ck_assert_int_eq(one.before[0].settled, 0);
    let_go(&writer);
    check_session(&one);
    until_settled(&writer.end);
    ck_assert_int_lt(one.before[0].order, one.inside.order);
    ck_assert_int_eq(number("get"), 102);
}
END_TEST

/* ---- stopping ---- */

static seen beside;

static dbal_outcome
wait_beside(dbal_connection *connection, void *arg)
{
    watch(dbal_connection_query(connection, "wait g", DBAL_NO_PARAMS), &beside);
    return dbal_wait((dbal_deferred *)arg);
}

static dbal_outcome
begin_behind(dbal_connection *connection, void *arg)
{
    session *self = arg;
    watch(dbal_connection_query(connection, "wait g", DBAL_NO_PARAMS), &self->before[0]);
    return dbal_wait(
        watch(dbal_connection_transaction(connection, NULL, ask_inside, self), &self->inner));
}

/* What begins behind them does not, but the statements before it go on. */
START_TEST(a_session_that_is_cancelled_stops_only_what_has_not_begun)
{
    session one = {.count = 1};
    open_driven(targets[_i][0], targets[_i][1]);
    dbal_deferred *deferred = dbal_deferred_ref(dbal_pool_session(pool, NULL, begin_behind, &one));
    watch(deferred, &one.end);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(deferred);
    settle();
    ck_assert_int_eq(one.before[0].settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&one.end);
    ck_assert_int_eq(one.before[0].error_class, 0);
    /* BEGIN's own at most, where that was handed down already */
    ck_assert_int_le(fake_script_count(script, &script->interrupts), 1);
    ck_assert_int_eq(one.inner.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(one.inside.settled, 0);
    dbal_deferred_unref(deferred);
}
END_TEST

/* Cancelling lets a session's statements go on; closing the pool afterwards does not. */
START_TEST(a_session_that_was_cancelled_is_still_stopped_by_closing)
{
    static const char *const others[] = {"fake", "native"};
    seen end, closed;
    dbal_deferred *event = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL));
    open_driven(others[_i], "pool_max_size=1&pool_close_timeout=3&pool_cancel_timeout=2");
    dbal_deferred *deferred = dbal_deferred_ref(dbal_pool_session(pool, NULL, wait_beside, event));
    watch(deferred, &end);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(deferred);
    settle();
    ck_assert_int_eq(beside.settled, 0);
    watch(dbal_pool_close(pool), &closed);
    loop_fixture_advance(&fixture, 3.1);
    until_settled(&closed);
    ck_assert_int_eq(closed.error_class, 0);
    ck_assert_int_eq(beside.error_class, DBAL_ERROR_CLOSED);
    ck_assert_int_ne(end.error_class, 0);
    dbal_deferred_unref(deferred);
    dbal_deferred_unref(event);
    dbal_deferred_fire(event, dbal_done());
}
END_TEST

static dbal_outcome
wait_for_the_end(dbal_connection *connection, void *arg)
{
    (void)connection;
    (void)arg;
    return dbal_wait(dbal_pool_close(pool));
}

/* Each waits for the other: the one that can be let go of is. */
START_TEST(a_session_that_waits_for_its_pools_end_is_ended_by_it)
{
    seen end, closed;
    char parameters[100];
    dbal_loop_counts counts = {.size = sizeof counts};
    snprintf(parameters, sizeof parameters, "%s&pool_close_timeout=3&pool_cancel_timeout=2",
             targets[_i][1]);
    open_driven(targets[_i][0], parameters);
    watch(dbal_pool_session(pool, NULL, wait_for_the_end, NULL), &end);
    settle();
    watch(dbal_pool_close(pool), &closed);
    loop_fixture_advance(&fixture, 3.1);
    until_settled(&closed);
    ck_assert_int_eq(closed.error_class, 0);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CLOSED);
    dbal_loop_stats(fixture.loop, &counts);
    ck_assert_uint_eq(counts.abandoned, 0);
}
END_TEST

/* ---- what is wrong with its options ---- */

static void
is_refused(dbal_deferred *deferred, const char *text)
{
    bad(deferred, DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT, text);
}

static dbal_outcome
nothing(dbal_connection *connection, void *arg)
{
    (void)connection, (void)arg;
    return dbal_done();
}

/* Retries are refused, and so is nothing else. */
static dbal_outcome
begin_wrongly(dbal_connection *connection, void *arg)
{
    watch(dbal_connection_transaction(connection, DBAL_TRANSACTION(.retries = -1), nothing, NULL),
          arg);
    return dbal_wait(dbal_connection_transaction(connection, DBAL_TRANSACTION(.timeout = DBAL_OFF),
                                                 nothing, NULL));
}

/* What is left of a time that is up is not for ever. */
START_TEST(a_time_below_0_is_not_for_ever)
{
    seen inner = {.settled = 0};
    open_pool(targets[_i][0], targets[_i][1]);
    is_refused(dbal_pool_run(pool, DBAL_QUERY(.sql = "get", .timeout = -0.004)),
               "a timeout of -0.004 s");
    is_refused(dbal_pool_run(pool, DBAL_QUERY(.sql = "get", .timeout = NAN)), "NaN");
    is_refused(dbal_pool_session(pool, DBAL_SESSION(.timeout = -2), nothing, NULL),
               "a timeout of -2 s");
    is_refused(dbal_pool_session(pool, DBAL_SESSION(.timeout = NAN), nothing, NULL), "NaN");
    is_refused(dbal_pool_transaction(pool, DBAL_TRANSACTION(.timeout = -INFINITY), nothing, NULL),
               "a timeout of -inf s");
    is_refused(dbal_pool_transaction(pool, DBAL_TRANSACTION(.retries = -1), nothing, NULL),
               "retries: -1");
    good(dbal_pool_session(pool, NULL, begin_wrongly, &inner));
    ck_assert_int_eq(inner.error_class, DBAL_ERROR_INTERFACE);
    good(dbal_pool_run(pool, DBAL_QUERY(.sql = "get", .timeout = DBAL_OFF)));
    good(dbal_pool_session(pool, DBAL_SESSION(.timeout = DBAL_OFF), nothing, NULL));
}
END_TEST

static void
add(Suite *suite, const TTest *test, int count)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, count);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("scopes");
    add(suite, a_transaction_begins_behind_what_was_given_before, TARGETS);
    add(suite, a_script_that_has_begun_waits_for_the_transaction, TARGETS);
    add(suite, a_transaction_that_is_cancelled_before_it_begins_does_nothing, TARGETS);
    add(suite, a_transaction_begins_behind_a_write_that_waits_for_the_token, 2);
    add(suite, a_session_that_is_cancelled_stops_only_what_has_not_begun, TARGETS);
    add(suite, a_session_that_was_cancelled_is_still_stopped_by_closing, 2);
    add(suite, a_session_that_waits_for_its_pools_end_is_ended_by_it, TARGETS);
    add(suite, a_time_below_0_is_not_for_ever, TARGETS);
    return suite_run(suite);
}
