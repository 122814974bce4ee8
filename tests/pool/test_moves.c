/* What was never sent when its connection is lost goes to another by itself, in its old order. */
#include "tests/lib/fake_timed.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

enum { MANY = 64, SENT = 10 };

static void
before(void)
{
    pool_fixture_init();
    fake_timed_init();
}

/* One connection that all share, of whose statements so many are sent. */
static void
open_one(const char *parameters, int window)
{
    fake_timed_window(window);
    open_driven("timed", parameters);
}

static bool
is_attached(void *arg)
{
    return fake_timed_connections() >= *(int *)arg;
}

/* Runs the loop until there have been so many connections. */
static void
until_attached(int count)
{
    loop_fixture_until(&fixture, is_attached, &count);
}

static void
all_settled(const seen *all, int first, int end, dbal_error_class error_class,
            dbal_execution execution)
{
    for (int i = first; i < end; i++) {
        ck_assert_msg(all[i].settled == 1, "%d has not settled", i);
        ck_assert_int_eq(all[i].error_class, error_class);
        if (error_class != 0)
            ck_assert_int_eq(all[i].execution, execution);
    }
}

static void
in_order(const seen *all, int first, int end)
{
    for (int i = first + 1; i < end; i++)
        ck_assert_int_gt(all[i].order, all[i - 1].order);
}

START_TEST(what_was_not_sent_goes_to_another_connection)
{
    seen all[MANY], later[3];
    open_one("pool_max_size=1&pool_pipeline_wait=1", SENT);
    for (int i = 0; i < MANY; i++)
        watch(ask("take 1000"), &all[i]);
    ck_assert_int_eq(fake_timed_flying(0), MANY);
    for (int i = 0; i < 3; i++)
        watch(ask("take 1000"), &later[i]); /* these wait: the connection is full */
    ck_assert_uint_eq(counts_now().waiting, 3);
    fake_timed_kill(0);
    until_attached(2);
    pass(0.1);
    all_settled(all, 0, SENT, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN);
    all_settled(all, SENT, MANY, 0, 0);
    all_settled(later, 0, 3, 0, 0);
    in_order(all, 0, MANY);
    in_order(later, 0, 3);
    ck_assert_int_gt(later[0].order, all[MANY - 1].order);
    ck_assert_int_eq(fake_timed_ended(1), MANY - SENT + 3);
    ck_assert_uint_eq(counts_now().lost, 1);
    ck_assert_uint_eq(counts_now().moved, MANY - SENT); /* the last three were nowhere before */
    ck_assert_uint_eq(counts_now().queries, MANY + 3);
}
END_TEST

START_TEST(they_go_before_those_asked_for_later)
{
    seen all[5], behind, later;
    holder one;
    open_one("pool_max_size=1&pool_pipeline_wait=1", 2);
    for (int i = 0; i < 5; i++)
        watch(ask("take 1000"), &all[i]);
    hold(&one); /* waits until they are gone */
    watch(ask("take 1000"), &behind);
    settle();
    fake_timed_kill(0);
    settle();
    watch(ask("take 1000"), &later);
    until_attached(2);
    pass(0.02);
    all_settled(all, 2, 5, 0, 0);
    ck_assert_ptr_nonnull(one.connection);
    ck_assert_int_eq(behind.settled + later.settled, 0);
    let_go(&one);
    pass(0.02);
    all_settled(&behind, 0, 1, 0, 0);
    all_settled(&later, 0, 1, 0, 0);
    ck_assert_int_gt(later.order, behind.order);
}
END_TEST

START_TEST(a_few_times)
{
    seen all[6];
    open_one("pool_max_size=1&pool_pipeline_wait=1", 0);
    /* the first kills every connection that it comes to, and none of them is ever sent */
    for (int i = 0; i < 6; i++)
        watch(ask(i == 0 ? "lose" : "take 1000"), &all[i]);
    for (int connections = 2; connections <= 5; connections++) {
        loop_fixture_advance(&fixture, 0.0001);
        while (fake_timed_connections() < connections && all[5].settled == 0)
            ev_run(fixture.ev, EVRUN_ONCE);
    }
    all_settled(all, 0, 6, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_NOT_SENT);
    in_order(all, 0, 6);
    ck_assert_int_eq(fake_timed_connections(), 4);
    ck_assert_uint_eq(counts_now().moved, 6 * 3);
    watch(ask("take 1"), &all[0]);
    until_attached(5);
    pass(0.001);
    all_settled(all, 0, 1, 0, 0);
}
END_TEST

START_TEST(not_what_was_cancelled_or_is_late)
{
    seen first, cancelled, late, fine;
    open_one("pool_max_size=1&pool_pipeline_wait=1&pool_cancel_timeout=off", 1);
    watch(ask("take 100000"), &first);
    dbal_deferred *deferred = dbal_deferred_ref(ask("take 10"));
    watch(deferred, &cancelled);
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "take 10", .timeout = 0.01)), &late);
    watch(ask("take 10"), &fine);
    dbal_deferred_cancel(deferred);
    dbal_deferred_unref(deferred);
    pass(0.02);
    fake_timed_kill(0);
    until_attached(2);
    pass(0.01);
    all_settled(&first, 0, 1, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN);
    ck_assert_int_eq(cancelled.settled + late.settled, 2);
    ck_assert_int_ne(cancelled.error_class, 0);
    ck_assert_int_ne(late.error_class, 0);
    ck_assert_int_eq(cancelled.execution, DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(late.execution, DBAL_EXECUTION_NOT_SENT);
    all_settled(&fine, 0, 1, 0, 0);
    ck_assert_int_eq(fake_timed_ended(1), 1);
}
END_TEST

/* Runs the loop until a connect has failed once more than so often. */
static void
until_refused(uint64_t times)
{
    while (counts_now().connect_errors <= times)
        ev_run(fixture.ev, EVRUN_ONCE);
}

START_TEST(one_that_moved_waits_as_any_other)
{
    seen all[4];
    dbal_deferred *moved[4];
    open_one("pool_max_size=1&pool_pipeline_wait=1&pool_acquire_timeout=5", 0);
    for (int i = 0; i < 4; i++) {
        moved[i] = dbal_deferred_ref(
            dbal_pool_run(pool, DBAL_QUERY(.sql = "take 20e6", .timeout = i == 1 ? 12 : DBAL_OFF)));
        watch(moved[i], &all[i]);
    }
    loop_fixture_advance(&fixture, 10); /* they run, so that nobody waits for a connection */
    fake_timed_down(true);
    fake_timed_kill(0);
    until_refused(0);
    ck_assert_uint_eq(counts_now().waiting, 4);
    dbal_deferred_cancel(moved[0]);
    settle();
    all_settled(all, 0, 1, DBAL_ERROR_CANCELLED, DBAL_EXECUTION_NOT_SENT);
    loop_fixture_advance(&fixture, 2.5);
    settle();
    all_settled(all, 1, 2, DBAL_ERROR_TIMEOUT, DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(all[2].settled + all[3].settled, 0);
    loop_fixture_advance(&fixture, 3);
    settle();
    all_settled(all, 2, 4, DBAL_ERROR_POOL_EXHAUSTED, DBAL_EXECUTION_NOT_SENT);
    for (int i = 0; i < 4; i++)
        dbal_deferred_unref(moved[i]);
}
END_TEST

typedef struct work {
    seen all[5];
} work;

static dbal_outcome
ask_five(dbal_connection *connection, void *arg)
{
    work *self = arg;
    for (int i = 0; i < 5; i++)
        watch(dbal_connection_query(connection, "take 1000", DBAL_NO_PARAMS), &self->all[i]);
    return dbal_done();
}

START_TEST(what_belongs_to_a_session_does_not_move)
{
    work self;
    seen end;
    open_one("pool_max_size=1", 2);
    watch(dbal_pool_session(pool, NULL, ask_five, &self), &end);
    settle();
    ck_assert_int_eq(fake_timed_flying(0), 5);
    fake_timed_kill(0);
    settle();
    all_settled(self.all, 0, 2, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN);
    all_settled(self.all, 2, 5, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_NOT_SENT);
    ck_assert_int_eq(end.settled, 1);
    ck_assert_uint_eq(counts_now().moved, 0);
    good(dbal_pool_close(pool));
    ck_assert_int_eq(fake_timed_ended(0), 0);
}
END_TEST

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream, (void)rows, (void)arg;
    return DBAL_CONTINUE;
}

START_TEST(a_stream_that_has_given_nothing_moves)
{
    seen first, stream;
    open_one("pool_max_size=1&pool_pipeline_wait=1", 1);
    watch(ask("take 1000"), &first);
    watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = "take 1000"), take, NULL), &stream);
    fake_timed_kill(0);
    until_attached(2);
    pass(0.01);
    all_settled(&first, 0, 1, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN);
    all_settled(&stream, 0, 1, 0, 0);
}
END_TEST

START_TEST(closed_while_they_move)
{
    seen all[MANY];
    open_one("pool_max_size=1&pool_pipeline_wait=1", SENT);
    for (int i = 0; i < MANY; i++)
        watch(ask("take 1000"), &all[i]);
    fake_timed_kill(0);
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(pool));
    until_attached(2);
    pass(0.1);
    good(closed);
    dbal_deferred_unref(closed);
    all_settled(all, 0, SENT, DBAL_ERROR_OPERATIONAL, DBAL_EXECUTION_UNKNOWN);
    all_settled(all, SENT, MANY, 0, 0); /* they had been accepted */
}
END_TEST

START_TEST(the_loop_freed_while_they_fly)
{
    static seen all[MANY];
    open_one("pool_max_size=2", SENT);
    for (int i = 0; i < MANY; i++)
        watch(ask("take 1000"), &all[i]);
    dbal_loop_free(fixture.loop);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(all[i].settled, 1);
    fixture.loop = dbal_loop_new(fixture.ev);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("moves");
    suite_add(suite, what_was_not_sent_goes_to_another_connection, before, pool_fixture_fini);
    suite_add(suite, they_go_before_those_asked_for_later, before, pool_fixture_fini);
    suite_add(suite, a_few_times, before, pool_fixture_fini);
    suite_add(suite, not_what_was_cancelled_or_is_late, before, pool_fixture_fini);
    suite_add(suite, one_that_moved_waits_as_any_other, before, pool_fixture_fini);
    suite_add(suite, what_belongs_to_a_session_does_not_move, before, pool_fixture_fini);
    suite_add(suite, a_stream_that_has_given_nothing_moves, before, pool_fixture_fini);
    suite_add(suite, closed_while_they_move, before, pool_fixture_fini);
    suite_add(suite, the_loop_freed_while_they_fly, before, pool_fixture_fini);
    return suite_run(suite);
}
