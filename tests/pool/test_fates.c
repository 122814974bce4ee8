/* What the error of a session or transaction says of all that its work has done. */
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const schemes[] = {"fake", "native"};

/* How it comes to its end, while its work waits for something of the program's. */
typedef enum ending { LOST, CANCELLED, TIMED_OUT, CLOSED, ENDINGS } ending;

typedef struct expected {
    dbal_error_class error_class;
    dbal_execution session, transaction; /* when a statement of it has run */
    bool retryable;                      /* the transaction */
} expected;

static const expected all_expected[ENDINGS] = {
    [LOST] = {DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN, DBAL_EXECUTION_FAILED, true},
    [CANCELLED] = {DBAL_ERROR_CANCELLED, DBAL_EXECUTION_UNKNOWN, DBAL_EXECUTION_FAILED, false},
    [TIMED_OUT] = {DBAL_ERROR_TIMEOUT, DBAL_EXECUTION_UNKNOWN, DBAL_EXECUTION_FAILED, false},
    [CLOSED] = {DBAL_ERROR_CLOSED, DBAL_EXECUTION_UNKNOWN, DBAL_EXECUTION_FAILED, false},
};

/* A work that has run a statement, or none, and then waits for `own`. */
typedef struct waiting {
    bool adds, waits;
    dbal_connection *connection;
    dbal_deferred *own;
    dbal_deferred *end; /* of the session */
    seen lost;
} waiting;

static dbal_outcome
wait_for_own(dbal_outcome in, void *arg)
{
    waiting *self = arg;
    (void)in;
    self->waits = true;
    return dbal_wait(self->own);
}

static dbal_outcome
work(dbal_connection *connection, void *arg)
{
    waiting *self = arg;
    self->connection = connection;
    if (!self->adds)
        return wait_for_own(dbal_done(), self);
    dbal_deferred *added = dbal_connection_query(connection, "add 5", DBAL_NO_PARAMS);
    return dbal_wait(dbal_deferred_add_callback(added, wait_for_own, self));
}

static void
begin(waiting *self, int scheme, bool adds, bool transaction)
{
    open_driven(schemes[scheme], "pool_max_size=1&pool_close_timeout=1");
    *self = (waiting){.adds = adds};
    self->own = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL));
    dbal_deferred *end =
        transaction ? dbal_pool_transaction(pool, DBAL_TRANSACTION(.timeout = 10), work, self)
                    : dbal_pool_session(pool, DBAL_SESSION(.timeout = 10), work, self);
    self->end = dbal_deferred_ref(end);
    while (!self->waits)
        ev_run(fixture.ev, EVRUN_NOWAIT);
}

static void
bring_about(waiting *self, ending how)
{
    switch (how) {
    case LOST:
        watch(dbal_connection_query(self->connection, "lose", DBAL_NO_PARAMS), &self->lost);
        break;
    case CANCELLED:
        dbal_deferred_cancel(self->end);
        break;
    case TIMED_OUT:
        pass(11);
        break;
    default:
        dbal_deferred_unref(dbal_deferred_ref(dbal_pool_close(pool)));
        pass(2);
    }
}

static void
check(int scheme, ending how, bool adds, bool transaction)
{
    waiting self;
    begin(&self, scheme, adds, transaction);
    bring_about(&self, how);
    dbal_outcome outcome = loop_fixture_await(&fixture, self.end);
    const dbal_error *error = dbal_outcome_error(outcome);
    const expected *wanted = &all_expected[how];
    bool worked = adds || how == LOST; /* it asked for what has lost it */
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(dbal_error_kind(error), wanted->error_class);
    ck_assert_int_eq(dbal_error_execution(error), !worked       ? DBAL_EXECUTION_NOT_SENT
                                                  : transaction ? wanted->transaction
                                                                : wanted->session);
    if (worked)
        ck_assert_int_eq(dbal_error_retryable(error), transaction && wanted->retryable);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(self.end);
    dbal_deferred_unref(self.own);
    dbal_deferred_fire(self.own, dbal_done());
}

START_TEST(sessions_that_have_run_something)
{
    check(_i / ENDINGS, (ending)(_i % ENDINGS), true, false);
}
END_TEST

START_TEST(sessions_that_have_run_nothing)
{
    check(_i / ENDINGS, (ending)(_i % ENDINGS), false, false);
}
END_TEST

START_TEST(transactions_that_have_run_something)
{
    check(_i / ENDINGS, (ending)(_i % ENDINGS), true, true);
}
END_TEST

START_TEST(transactions_that_have_run_nothing)
{
    check(_i / ENDINGS, (ending)(_i % ENDINGS), false, true);
}
END_TEST

/* ---- while a statement of it runs ---- */

static dbal_outcome
wait_at_the_gate(dbal_outcome in, void *arg)
{
    (void)in;
    return dbal_wait(dbal_connection_query(arg, "wait g", DBAL_NO_PARAMS));
}

static dbal_outcome
add_and_wait(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_deferred *added = dbal_connection_query(connection, "add 5", DBAL_NO_PARAMS);
    return dbal_wait(dbal_deferred_add_callback(added, wait_at_the_gate, connection));
}

static void
check_at_work(int scheme, ending how, bool transaction)
{
    waiting self = {.adds = true};
    open_driven(schemes[scheme], "pool_max_size=1&pool_close_timeout=1");
    self.end = dbal_deferred_ref(
        transaction
            ? dbal_pool_transaction(pool, DBAL_TRANSACTION(.timeout = 10), add_and_wait, NULL)
            : dbal_pool_session(pool, DBAL_SESSION(.timeout = 10), add_and_wait, NULL));
    until_count(&script->waiting, 1);
    bring_about(&self, how);
    dbal_outcome outcome = loop_fixture_await(&fixture, self.end);
    const dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(dbal_error_kind(error), all_expected[how].error_class);
    ck_assert_int_eq(dbal_error_execution(error),
                     transaction ? all_expected[how].transaction : all_expected[how].session);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(self.end);
}

START_TEST(stopped_while_a_statement_runs)
{
    static const ending endings[] = {TIMED_OUT, CLOSED};
    check_at_work(_i / 4, endings[_i % 2], _i / 2 % 2 != 0);
}
END_TEST

/* ---- what a work passes on ---- */

static dbal_outcome
go_on(dbal_outcome in, void *arg)
{
    (void)in;
    return dbal_wait(dbal_connection_query(arg, "get", DBAL_NO_PARAMS));
}

static dbal_outcome
lose_and_go_on(dbal_outcome in, void *arg)
{
    (void)in;
    dbal_deferred *lost = dbal_connection_query(arg, "lose", DBAL_NO_PARAMS);
    return dbal_wait(dbal_deferred_add_both(lost, go_on, arg));
}

static dbal_outcome
lose_inside(dbal_connection *connection, void *arg)
{
    (void)arg;
    watch(dbal_connection_query(connection, "lose", DBAL_NO_PARAMS), arg);
    return dbal_done();
}

static seen lost_inside;

static dbal_outcome
lose_in_a_transaction(dbal_outcome in, void *arg)
{
    (void)in;
    return dbal_wait(dbal_connection_transaction(arg, NULL, lose_inside, &lost_inside));
}

static dbal_outcome
add_first(dbal_connection *connection, void *arg)
{
    dbal_callback *const *then = arg;
    dbal_deferred *added = dbal_connection_query(connection, "add 5", DBAL_NO_PARAMS);
    return dbal_wait(dbal_deferred_add_callback(added, *then, connection));
}

/* The session's statement that came before is kept, whatever the error was said of. */
START_TEST(a_session_is_not_what_its_last_statement_was)
{
    static dbal_callback *const ways[] = {lose_and_go_on, lose_in_a_transaction};
    open_driven(schemes[_i / 2], "pool_max_size=1");
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_session(pool, NULL, add_first, (void *)&ways[_i % 2]));
    const dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(dbal_error_kind(error), DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    ck_assert(!dbal_error_retryable(error));
    dbal_outcome_clear(&outcome);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, (int)(sizeof schemes / sizeof schemes[0]) * ENDINGS);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("fates");
    add(suite, sessions_that_have_run_something);
    add(suite, sessions_that_have_run_nothing);
    add(suite, transactions_that_have_run_something);
    add(suite, transactions_that_have_run_nothing);
    add(suite, stopped_while_a_statement_runs);
    TCase *passed_on = tcase_create("passed_on");
    tcase_add_checked_fixture(passed_on, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(passed_on, a_session_is_not_what_its_last_statement_was, 0, 4);
    suite_add_tcase(suite, passed_on);
    return suite_run(suite);
}
