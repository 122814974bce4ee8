/*
 * Cancels and deadlines: what was cancelled ends, nobody else's statement is ever hit, and the loop
 * goes on whatever becomes of the cancel.
 */
#include <stdio.h>
#include <string.h>

#include "tests/faults/postgres/fixture.h"
#include "tests/lib/proxy.h"

static proxy door;

/* ---- at any moment ---- */

/* A statement that is cancelled at some moment, and another user's that is asked for right then. */
typedef struct duel {
    ev_timer timer;
    dbal_deferred *target;
    char sql[40];
    seen victim, next;
    bool done;
} duel;

static void
fire(struct ev_loop *ev, ev_timer *timer, int events)
{
    duel *one = timer->data;
    (void)ev, (void)events;
    dbal_deferred_cancel(one->target);
    dbal_deferred_unref(one->target);
    watch(ask(one->sql), &one->next);
    one->done = true;
}

static void
duel_begin(duel *one, const char *victim, unsigned number, double delay)
{
    snprintf(one->sql, sizeof one->sql, "select %u + pg_backend_pid() * 0", number);
    one->done = false;
    one->target = dbal_deferred_ref(ask(victim));
    watch(one->target, &one->victim);
    ev_now_update(fixture.ev);
    ev_timer_init(&one->timer, fire, delay, 0);
    one->timer.data = one;
    ev_timer_start(fixture.ev, &one->timer);
}

/* The victim ended by itself or was cancelled; the other one has its own answer. */
static bool
duel_end(duel *one, unsigned number)
{
    until_true(&one->done);
    until_settled(&one->victim);
    until_settled(&one->next);
    bool cancelled = one->victim.error_class == DBAL_ERROR_CANCELLED;
    if (!cancelled)
        is_good(&one->victim);
    is_good(&one->next);
    ck_assert_int_eq(one->next.value, number);
    return cancelled;
}

static const char *const victims[] = {
    "select pg_sleep(0.002)", "select 1", "select count(*) from generate_series(1, 5000)",
    "select pg_sleep(1000)", "select n from generate_series(1, 300) n"};

enum { ROUNDS = 1000, VICTIMS = sizeof victims / sizeof victims[0] };

static void
duel_one_by_one(const char *parameters)
{
    chance dice;
    unsigned cancelled = 0;
    chance_init(&dice);
    open_pool(parameters);
    for (unsigned i = 0; i < ROUNDS; i++) {
        duel one;
        duel_begin(&one, victims[chance_below(&dice, VICTIMS)], i, chance_below(&dice, 3000) / 1e6);
        cancelled += duel_end(&one, i);
    }
    ck_assert_uint_gt(cancelled, ROUNDS / 10);
    ck_assert_uint_eq(counts(pool).lost, 0);
}

START_TEST(the_next_is_never_hit_on_one_connection)
{
    duel_one_by_one("pool_max_size=1");
}
END_TEST

START_TEST(the_next_is_never_hit_on_four_connections)
{
    duel_one_by_one("pool_max_size=4");
}
END_TEST

/* Many users' statements on their way on the same connections, many of them cancelled. */
static void
duel_in_crowds(const char *parameters)
{
    enum { CROWD = 25 };
    chance dice;
    chance_init(&dice);
    open_pool(parameters);
    for (unsigned round = 0; round < ROUNDS / CROWD; round++) {
        duel all[CROWD];
        for (unsigned i = 0; i < CROWD; i++)
            duel_begin(&all[i], victims[chance_below(&dice, VICTIMS)], i,
                       chance_below(&dice, 3000) / 1e6);
        for (unsigned i = 0; i < CROWD; i++)
            duel_end(&all[i], i);
    }
    ck_assert_uint_eq(counts(pool).lost, 0);
}

START_TEST(no_other_of_a_crowd_is_hit_on_one_connection)
{
    duel_in_crowds("pool_max_size=1&pool_cancel_timeout=20");
}
END_TEST

START_TEST(no_other_of_a_crowd_is_hit_on_four_connections)
{
    duel_in_crowds("pool_max_size=4&pool_cancel_timeout=20");
}
END_TEST

/* ---- what is queued ---- */

START_TEST(what_was_cancelled_in_the_queue_leaves_nothing)
{
    enum { MANY = 300 };
    seen first, all[MANY];
    dbal_deferred *deferreds[MANY];
    int kept = 0;
    open_pool("pool_max_size=1&pool_pipeline_depth=16");
    number("create table queued(n int)");
    watch(ask("select pg_sleep(0.05)"), &first);
    for (int i = 0; i < MANY; i++) {
        deferreds[i] = dbal_deferred_ref(
            dbal_pool_query(pool, "insert into queued values ($1)", DBAL_PARAMS(dbal_int64(i))));
        watch(deferreds[i], &all[i]);
    }
    pass_time(0.005);
    for (int i = 0; i < MANY; i++) {
        if (i % 3 != 0)
            dbal_deferred_cancel(deferreds[i]);
        dbal_deferred_unref(deferreds[i]);
    }
    until_settled(&first);
    is_good(&first);
    until_all(all, MANY);
    for (int i = 0; i < MANY; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "select count(*) from queued where n = %d", i);
        if (i % 3 == 0)
            is_good(&all[i]);
        else if (all[i].error_class != 0)
            ck_assert_int_eq(all[i].error_class, DBAL_ERROR_CANCELLED);
        bool there = number(sql) != 0;
        ck_assert_int_eq(there, all[i].error_class == 0);
        kept += there;
    }
    /* those that were never handed down do not run */
    ck_assert_int_le(kept, MANY / 3 + 20);
    number("drop table queued");
}
END_TEST

/* ---- many at once ---- */

START_TEST(a_thousand_at_once_make_no_storm)
{
    enum { MANY = 1000 };
    static seen all[MANY];
    static dbal_deferred *deferreds[MANY];
    open_pool("pool_max_size=4");
    for (int i = 0; i < MANY; i++) {
        deferreds[i] = dbal_deferred_ref(ask("select pg_sleep(1000)"));
        watch(deferreds[i], &all[i]);
    }
    pass_time(0.1);
    double began = seconds();
    for (int i = 0; i < MANY; i++) {
        dbal_deferred_cancel(deferreds[i]);
        dbal_deferred_unref(deferreds[i]);
    }
    until_all(all, MANY);
    ck_assert_double_lt(seconds() - began, 10);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(all[i].error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(number("select 17"), 17);
    /* those in flight end one after the other, each by its own cancel, or their connection goes */
    ck_assert_uint_le(counts(pool).opened, 12);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(deadlines_are_kept)
{
    enum { MANY = 40 };
    seen all[MANY];
    open_pool("pool_max_size=4");
    double began = seconds();
    for (int i = 0; i < MANY; i++)
        watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "select pg_sleep(1000)", .timeout = 0.2)),
              &all[i]);
    until_all(all, MANY);
    ck_assert_double_lt(seconds() - began, 4);
    for (int i = 0; i < MANY; i++)
        ck_assert_msg(all[i].error_class == DBAL_ERROR_TIMEOUT, "%s", all[i].message);
    ck_assert_int_eq(number("select 18"), 18);
}
END_TEST

/* It was sent, and stands behind another user's: that one is not ended for it. */
START_TEST(a_deadline_behind_a_slow_one_does_not_end_that)
{
    seen slow, hasty, behind;
    open_pool("pool_max_size=1&pool_cancel_timeout=0.2");
    /* the first one with a deadline waits until the session's own limit is known */
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "select 6", .timeout = 10)), &hasty);
    until_settled(&hasty);
    watch(ask("select 7 from pg_sleep(1)"), &slow);
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "select 8", .timeout = 0.1)), &hasty);
    watch(ask("select 9"), &behind);
    until_settled(&hasty);
    is_bad(&hasty, DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_UNKNOWN);
    ck_assert_int_eq(slow.settled, 0);
    until_settled(&behind);
    is_good(&slow);
    is_good(&behind);
    ck_assert_int_eq(slow.value, 7);
    ck_assert_int_eq(behind.value, 9);
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

typedef struct turn {
    seen all[3];
    dbal_deferred *deferred; /* of the one in the middle */
} turn;

static dbal_outcome
three_in_a_turn(dbal_connection *connection, void *arg)
{
    turn *self = arg;
    static const char *const sqls[] = {"select 1", "select pg_sleep(1000)", "select 3"};
    for (int i = 0; i < 3; i++) {
        dbal_deferred *one = dbal_connection_query(connection, sqls[i], DBAL_NO_PARAMS);
        if (i == 1)
            self->deferred = dbal_deferred_ref(one);
        watch(one, &self->all[i]);
    }
    return dbal_wait(self->deferred);
}

/* The answers to those before it are kept back by the server as long as it runs. */
START_TEST(one_of_a_transactions_turn_is_cancelled)
{
    open_pool("pool_max_size=1");
    for (int i = 0; i < 20; i++) {
        turn self = {.deferred = NULL};
        seen end;
        watch(dbal_pool_transaction(pool, NULL, three_in_a_turn, &self), &end);
        pass_time(0.03);
        dbal_deferred_cancel(self.deferred);
        dbal_deferred_unref(self.deferred);
        until_settled(&end);
        ck_assert_int_eq(self.all[1].error_class, DBAL_ERROR_CANCELLED);
        ck_assert_int_ne(self.all[2].error_class, 0);
        ck_assert_int_eq(number("select 10"), 10);
    }
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

/* The server's own time-out is not ours. */
START_TEST(a_servers_timeout_is_not_ours)
{
    seen one;
    open_pool("statement_timeout=50ms&pool_max_size=1");
    watch(ask("select pg_sleep(1000)"), &one);
    until_settled(&one);
    is_bad(&one, DBAL_ERROR_OPERATIONAL, "57014", DBAL_EXECUTION_FAILED);
}
END_TEST

/* ---- streams ---- */

typedef struct reader {
    int64_t rows, stop_at, pause_at;
    dbal_stream *stream;
    bool paused;
} reader;

static dbal_flow
read_rows(dbal_stream *stream, dbal_result *batch, void *arg)
{
    reader *self = arg;
    self->stream = stream;
    self->rows += (int64_t)dbal_result_row_count(batch);
    if (self->stop_at > 0 && self->rows >= self->stop_at)
        return DBAL_STOP;
    if (self->pause_at > 0 && self->rows >= self->pause_at) {
        self->paused = true;
        return DBAL_PAUSE;
    }
    return DBAL_CONTINUE;
}

static const char endless[] = "select generate_series(1, 2000000000), repeat('x', 200)";

START_TEST(a_stream_that_has_enough_stops_the_server)
{
    open_pool("pool_max_size=1");
    for (int i = 0; i < 20; i++) {
        reader rows = {.stop_at = 1 + i * 700};
        seen one, behind;
        watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = endless), read_rows, &rows), &one);
        watch(ask("select 19"), &behind);
        until_settled(&one);
        is_good(&one);
        until_settled(&behind);
        is_good(&behind);
        ck_assert_int_eq(behind.value, 19);
    }
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

START_TEST(a_stream_is_cancelled_at_any_moment)
{
    chance dice;
    chance_init(&dice);
    open_pool("pool_max_size=1");
    for (unsigned i = 0; i < chance_rounds(100); i++) {
        reader rows = {.pause_at = chance_below(&dice, 2) * 1000};
        seen one, behind;
        dbal_deferred *deferred =
            dbal_deferred_ref(dbal_pool_stream(pool, DBAL_QUERY(.sql = endless), read_rows, &rows));
        watch(deferred, &one);
        pass_time(chance_below(&dice, 8000) / 1e6);
        dbal_deferred_cancel(deferred);
        dbal_deferred_unref(deferred);
        watch(ask("select 20"), &behind);
        until_settled(&one);
        ck_assert_int_eq(one.error_class, DBAL_ERROR_CANCELLED);
        until_settled(&behind);
        is_good(&behind);
        ck_assert_int_eq(behind.value, 20);
    }
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

/* ---- copies ---- */

static void
write_rows(dbal_copy *copy, void *arg)
{
    (void)arg;
    while (dbal_copy_write(copy, "17\n", 3)) {
    }
}

static dbal_flow
read_bytes(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    reader *self = arg;
    (void)data;
    self->stream = stream;
    self->rows += (int64_t)size;
    return self->pause_at > 0 && self->rows >= self->pause_at ? DBAL_PAUSE : DBAL_CONTINUE;
}

START_TEST(a_copy_is_cancelled_at_any_moment)
{
    chance dice;
    chance_init(&dice);
    open_pool("pool_max_size=1");
    postgres_run(server.url, "create table copied(n int)");
    for (unsigned i = 0; i < chance_rounds(100); i++) {
        reader bytes = {.pause_at = chance_below(&dice, 2) * 100000};
        seen one, behind;
        dbal_deferred *deferred = dbal_deferred_ref(
            i % 2 == 0
                ? dbal_pool_copy_in(pool, "copy copied from stdin", write_rows, NULL)
                : dbal_pool_copy_out(pool, "copy (select generate_series(1, 2000000000)) to stdout",
                                     read_bytes, &bytes));
        watch(deferred, &one);
        pass_time(chance_below(&dice, 8000) / 1e6);
        dbal_deferred_cancel(deferred);
        dbal_deferred_unref(deferred);
        watch(ask("select 24"), &behind);
        until_settled(&one);
        ck_assert_int_eq(one.error_class, DBAL_ERROR_CANCELLED);
        ck_assert_int_ne(one.execution, DBAL_EXECUTION_UNKNOWN);
        until_settled(&behind);
        is_good(&behind);
        ck_assert_int_eq(behind.value, 24);
    }
    ck_assert_int_eq(number("select count(*) from copied"), 0);
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

/* ---- a server that does not hear ---- */

/* The helper threads that wait for an answer have waited long enough. */
static void
let_go(void)
{
    atomic_store(&door.mute, false);
    proxy_cut(&door);
}

START_TEST(cancels_that_are_never_answered_do_not_block)
{
    enum { MANY = 20 };
    seen all[MANY], after;
    dbal_deferred *deferreds[MANY];
    pulse heart;
    pool = open_at(door.url, "pool_max_size=10&pool_cancel_timeout=1");
    atomic_store(&door.mute, true);
    for (int i = 0; i < MANY; i++) {
        deferreds[i] = dbal_deferred_ref(ask("select pg_sleep(1000)"));
        watch(deferreds[i], &all[i]);
    }
    pass_time(0.3);
    double began = seconds();
    pulse_start(&heart);
    for (int i = 0; i < MANY; i++) {
        dbal_deferred_cancel(deferreds[i]);
        dbal_deferred_unref(deferreds[i]);
    }
    until_all(all, MANY);
    /* ten are given up, each after a second, but not one after the other */
    ck_assert_double_lt(seconds() - began, 6);
    for (int i = 0; i < MANY; i++)
        is_bad(&all[i], DBAL_ERROR_CANCELLED, "57014", all[i].execution);
    /* the pool goes on with other connections, while the cancels still wait */
    watch(ask("select 21"), &after);
    until_settled(&after);
    is_good(&after);
    ck_assert_double_lt(pulse_stop(&heart), 0.3);
    let_go();
}
END_TEST

START_TEST(a_connection_is_not_kept_by_its_cancel)
{
    seen victim, behind;
    dbal_deferred *deferred;
    pool = open_at(door.url, "pool_max_size=1&pool_cancel_timeout=20");
    ck_assert_int_eq(number("select 22"), 22);
    atomic_store(&door.mute, true);
    deferred = dbal_deferred_ref(ask("select pg_sleep(0.2)"));
    watch(deferred, &victim);
    pass_time(0.05);
    dbal_deferred_cancel(deferred);
    dbal_deferred_unref(deferred);
    watch(ask("select 23"), &behind);
    /* it ends by itself, and its cancel never does */
    until_settled(&victim);
    is_good(&victim);
    until_settled(&behind);
    is_good(&behind);
    ck_assert_int_eq(behind.value, 23);
    ck_assert_double_lt(behind.at - victim.at, 10);
    let_go();
}
END_TEST

static void
with_door(void)
{
    proxy_start(&door, &server);
}

static void
without_door(void)
{
    proxy_stop(&door);
}

static void
add_with_door(Suite *suite, const TTest *test, int timeout)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, timeout);
    tcase_add_checked_fixture(one, with_door, without_door);
    tcase_add_checked_fixture(one, fixture_init, fixture_fini);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("postgres-cancel");
    postgres_start(&server, NULL);
    hunt_add(suite, the_next_is_never_hit_on_one_connection, 200);
    hunt_add(suite, the_next_is_never_hit_on_four_connections, 200);
    hunt_add(suite, no_other_of_a_crowd_is_hit_on_one_connection, 200);
    hunt_add(suite, no_other_of_a_crowd_is_hit_on_four_connections, 200);
    hunt_add(suite, what_was_cancelled_in_the_queue_leaves_nothing, 60);
    hunt_add(suite, a_thousand_at_once_make_no_storm, 60);
    hunt_add(suite, deadlines_are_kept, 60);
    hunt_add(suite, a_deadline_behind_a_slow_one_does_not_end_that, 60);
    hunt_add(suite, one_of_a_transactions_turn_is_cancelled, 60);
    hunt_add(suite, a_servers_timeout_is_not_ours, 60);
    hunt_add(suite, a_stream_that_has_enough_stops_the_server, 60);
    hunt_add(suite, a_stream_is_cancelled_at_any_moment, 100);
    hunt_add(suite, a_copy_is_cancelled_at_any_moment, 100);
    add_with_door(suite, cancels_that_are_never_answered_do_not_block, 60);
    add_with_door(suite, a_connection_is_not_kept_by_its_cancel, 60);
    return suite_run(suite);
}
