/*
 * Which of the shared connections a statement joins: few are used for fast ones, a slow one delays
 * only those behind it, and nobody is starved. Time is the test's.
 */
#include <limits.h>
#include <stdlib.h>

#include "tests/lib/fake_timed.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static void
before(void)
{
    pool_fixture_init();
    fake_timed_init();
}

static int64_t
now(void)
{
    return dbal__clock_now(&dbal__ready_of(fixture.loop)->clock);
}

/* Opens all the connections that the pool may have, before time is the test's. */
static void
open_all(const char *parameters, int count)
{
    open_pool("timed", parameters);
    good(dbal_pool_ready(pool));
    until_connections(count);
    loop_fixture_drive(&fixture);
}

/* Somebody who asks again as soon as there is an answer. */
typedef struct client {
    const char *sql;
    int64_t asked, longest;
    int answers;
    bool stop;
} client;

static dbal_outcome on_answer(dbal_outcome in, void *arg);

static void
ask_next(client *self)
{
    self->asked = now();
    dbal_deferred_add_both(ask(self->sql), on_answer, self);
}

static dbal_outcome
on_answer(dbal_outcome in, void *arg)
{
    client *self = arg;
    int64_t took = now() - self->asked;
    ck_assert_int_eq(in.kind, DBAL_OUTCOME_VALUE);
    self->answers++;
    if (took > self->longest)
        self->longest = took;
    if (!self->stop)
        ask_next(self);
    return in;
}

static void
start(client *clients, int count, const char *sql)
{
    for (int i = 0; i < count; i++) {
        clients[i] = (client){.sql = sql};
        ask_next(&clients[i]);
    }
}

static void
stop(client *clients, int count)
{
    for (int i = 0; i < count; i++)
        clients[i].stop = true;
    pass(0.02);
}

static int64_t
longest(client *clients, int count)
{
    int64_t most = 0;
    for (int i = 0; i < count; i++) {
        most = clients[i].longest > most ? clients[i].longest : most;
        clients[i].longest = 0;
    }
    return most;
}

/* ---- packing ---- */

/* With a processor for each, and where the connections share one or two: there they are slower. */
static const double processors[] = {0, 2, 1};

START_TEST(fast_ones_settle_on_a_few_connections)
{
    client clients[64];
    fake_timed_processors(processors[_i]);
    open_all("pool_min_size=10", 10);
    start(clients, 64, "take 12.5");
    pass(0.05);
    fake_timed_used();
    pass(0.02);
    int used = fake_timed_used();
    ck_assert_msg(used >= 3 && used <= 6, "%d connections are used", used);
    stop(clients, 64);
}
END_TEST

/* Else the last one would get a few at a time, each of which wakes the server's process and the loop. */
START_TEST(those_at_work_have_about_as_much_to_do)
{
    client clients[54];
    int flying[10] = {0}, least = INT_MAX, most = 0;
    fake_timed_processors(processors[_i]);
    open_all("pool_min_size=10", 10);
    start(clients, 54, "take 12.5");
    pass(0.05);
    for (int moment = 0; moment < 200; moment++) {
        pass(0.0001);
        for (int i = 0; i < 10; i++)
            flying[i] += fake_timed_flying(i);
    }
    for (int i = 0; i < 10; i++) {
        least = flying[i] > 0 && flying[i] < least ? flying[i] : least;
        most = flying[i] > most ? flying[i] : most;
    }
    ck_assert_msg(2 * most <= 3 * least, "%d on one connection, %d on another", least, most);
    stop(clients, 54);
}
END_TEST

/* Ten of these take the time that one may wait; sixteen share a connection all the same. */
START_TEST(a_connection_is_not_left_with_too_few)
{
    client clients[64];
    fake_timed_processors(processors[_i]);
    open_all("pool_min_size=10", 10);
    start(clients, 64, "take 20");
    pass(0.05);
    fake_timed_used();
    pass(0.02);
    int used = fake_timed_used();
    ck_assert_msg(used >= 3 && used <= 5, "%d connections are used", used);
    stop(clients, 64);
}
END_TEST

static bool
is_quiet(void *arg)
{
    (void)arg;
    return counts_now().connecting == 0;
}

START_TEST(no_more_are_opened_than_are_used)
{
    client clients[64];
    open_all("", 1);
    start(clients, 64, "take 12.5");
    for (int i = 0; i < 200; i++) {
        pass(0.001);
        loop_fixture_until(&fixture, is_quiet, NULL); /* opening takes no time of the pool's */
    }
    ck_assert_int_le(counts_now().connections, 8);
    ck_assert_int_ge(counts_now().connections, 3);
    stop(clients, 64);
}
END_TEST

START_TEST(a_few_share_one_connection)
{
    client clients[8];
    open_all("pool_min_size=10", 10);
    start(clients, 8, "take 12.5");
    pass(0.05);
    fake_timed_used();
    pass(0.02);
    ck_assert_int_eq(fake_timed_used(), 1);
    stop(clients, 8);
}
END_TEST

START_TEST(slow_ones_have_a_connection_each)
{
    client clients[10];
    fake_timed_processors(processors[_i]);
    open_all("pool_min_size=10", 10);
    start(clients, 10, "take 5000");
    pass(0.5);
    for (int i = 0; i < 10; i++)
        ck_assert_int_le(fake_timed_flying(i), 1);
    fake_timed_used();
    pass(0.1);
    ck_assert_int_eq(fake_timed_used(), 10);
    stop(clients, 10);
}
END_TEST

START_TEST(the_wait_is_a_setting)
{
    client clients[64];
    open_all("pool_min_size=10&pool_pipeline_wait=1", 10);
    start(clients, 64, "take 12.5");
    pass(0.05);
    fake_timed_used();
    pass(0.02);
    ck_assert_int_eq(fake_timed_used(), 1);
    stop(clients, 64);
}
END_TEST

START_TEST(without_a_wait_idle_ones_go_first)
{
    open_all("pool_min_size=10&pool_pipeline_wait=0", 10);
    seen all[20];
    for (int i = 0; i < 20; i++)
        watch(ask("take 10"), &all[i]);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(fake_timed_flying(i), 2);
    pass(0.001);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(all[i].settled, 1);
}
END_TEST

START_TEST(a_full_connection_takes_no_more)
{
    seen all[20];
    open_all("pool_max_size=2&pool_min_size=2&pool_pipeline_wait=1&pool_pipeline_depth=7", 2);
    for (int i = 0; i < 20; i++)
        watch(ask("take 10"), &all[i]);
    ck_assert_int_eq(fake_timed_flying(0), 7);
    ck_assert_int_eq(fake_timed_flying(1), 7);
    ck_assert_uint_eq(counts_now().waiting, 6);
    pass(0.001);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(all[i].settled, 1);
}
END_TEST

/* ---- a slow one among the fast ---- */

static void
pass_until_settled(seen *one)
{
    for (int i = 0; i < 1000 && one->settled == 0; i++)
        pass(0.001);
    ck_assert_int_eq(one->settled, 1);
}

START_TEST(a_slow_one_delays_those_behind_it_alone)
{
    client clients[64];
    seen one;
    open_all("pool_min_size=10", 10);
    start(clients, 64, "take 12.5");
    pass(0.05);
    for (int round = 0; round < 3; round++) {
        int delayed = 0;
        longest(clients, 64);
        watch(ask("take 100000"), &one);
        pass(0.095);
        ck_assert_int_eq(one.settled, 0);
        for (int i = 0; i < 64; i++)
            delayed += now() - clients[i].asked > 10000000;
        /* those that had joined before it took longer than was thought */
        ck_assert_msg(delayed <= 24, "round %d: %d wait behind it", round, delayed);
        ck_assert_int_le(longest(clients, 64), 2000000);
        pass_until_settled(&one);
        pass(0.005);
    }
    stop(clients, 64);
}
END_TEST

/* When fewer are left, one connection does for them; what takes long on another is no part of that. */
START_TEST(a_slow_one_keeps_no_others_at_work)
{
    client clients[160];
    seen slow;
    bool beside = _i == 1;
    open_all("pool_min_size=10", 10);
    start(clients, 160, "take 12.5");
    pass(0.05);
    if (beside)
        watch(ask("take 1000000"), &slow);
    pass(0.02);
    stop(clients + 16, 144);
    fake_timed_used();
    pass(0.02);
    ck_assert_int_eq(fake_timed_used(), 1);
    stop(clients, 16);
    if (beside)
        pass_until_settled(&slow);
}
END_TEST

START_TEST(unknown_ones_do_not_pile_up_behind_a_slow_one)
{
    seen slow, fast[20];
    client clients[8];
    open_all("pool_min_size=10", 10);
    start(clients, 8, "take 12.5");
    pass(0.05);
    stop(clients, 8);
    watch(ask("take 200000"), &slow);
    pass(0.001);
    for (int i = 0; i < 20; i++)
        watch(ask("take 13"), &fast[i]);
    pass(0.002);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(fast[i].settled, 1);
    ck_assert_int_eq(slow.settled, 0);
    pass_until_settled(&slow);
}
END_TEST

START_TEST(one_that_failed_counts_as_any_other)
{
    seen all[70];
    open_all("pool_max_size=2&pool_min_size=2", 2);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 70; i++)
            watch(ask(i % 7 == 0 ? "fail" : "take 20"), &all[i]);
        pass(0.002);
        for (int i = 0; i < 70; i++) {
            ck_assert_int_eq(all[i].settled, 1);
            ck_assert_int_eq(all[i].error_class, i % 7 == 0 ? DBAL_ERROR_DATA : 0);
        }
    }
    ck_assert_int_eq(fake_timed_flying(0) + fake_timed_flying(1), 0);
}
END_TEST

/* ---- sessions ---- */

static bool
is_held_soon(holder *one)
{
    for (int i = 0; i < 20 && one->connection == NULL; i++)
        pass(TURN);
    return one->connection != NULL;
}

START_TEST(sessions_are_not_starved_by_statements)
{
    client clients[64];
    holder first, second;
    open_all("pool_max_size=2&pool_min_size=2", 2);
    start(clients, 64, "take 12.5");
    pass(0.01);
    for (int round = 0; round < 3; round++) {
        hold(&first);
        ck_assert(is_held_soon(&first));
        int answers = clients[63].answers;
        pass(0.005);
        ck_assert_int_gt(clients[63].answers, answers); /* the other connection is theirs */
        hold(&second);
        ck_assert(is_held_soon(&second));
        pass(0.001);
        answers = clients[63].answers;
        pass(0.005);
        ck_assert_int_eq(clients[63].answers, answers);
        let_go(&first);
        pass(0.005);
        ck_assert_int_gt(clients[63].answers, answers);
        let_go(&second);
        pass(0.005);
    }
    stop(clients, 64);
}
END_TEST

/* Somebody who wants one session after another. */
typedef struct greedy {
    int sessions;
    bool stop;
} greedy;

static void ask_session(greedy *self);

static dbal_outcome
one_statement(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "take 100", DBAL_NO_PARAMS));
}

static dbal_outcome
on_session(dbal_outcome in, void *arg)
{
    greedy *self = arg;
    ck_assert_int_eq(in.kind, DBAL_OUTCOME_VALUE);
    self->sessions++;
    if (!self->stop)
        ask_session(self);
    return in;
}

static void
ask_session(greedy *self)
{
    dbal_deferred_add_both(dbal_pool_session(pool, NULL, one_statement, NULL), on_session, self);
}

START_TEST(statements_are_not_starved_by_sessions)
{
    greedy them[5] = {{0}};
    client clients[5];
    open_all("pool_max_size=2&pool_min_size=2", 2);
    for (int i = 0; i < 5; i++)
        ask_session(&them[i]);
    start(clients, 5, "take 12.5");
    pass(0.1);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_gt(clients[i].answers, 50);
        ck_assert_int_gt(them[i].sessions, 50);
        them[i].stop = true;
    }
    ck_assert_int_le(longest(clients, 5), 3000000);
    stop(clients, 5);
}
END_TEST

/* A stream whose consumer has stopped to think. */
typedef struct thinker {
    dbal_stream *stream;
    size_t rows;
    int batches;
    bool thinks;
} thinker;

static dbal_flow
think(dbal_stream *stream, dbal_result *rows, void *arg)
{
    thinker *self = arg;
    self->stream = stream;
    self->rows += dbal_result_row_count(rows);
    self->batches++;
    return self->thinks ? DBAL_PAUSE : DBAL_CONTINUE;
}

static bool
has_paused(void *arg)
{
    return ((thinker *)arg)->batches > 0;
}

/* its consumer may be waiting for just what would stand behind it */
static dbal_outcome
a_row(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "rows 1", DBAL_NO_PARAMS));
}

START_TEST(nothing_stands_behind_a_stream)
{
    thinker self = {.thinks = true};
    seen end, others[200];
    open_pool("native", "pool_max_size=2");
    good(dbal_pool_ready(pool));
    watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = "rows 100000"), think, &self), &end);
    loop_fixture_until(&fixture, has_paused, &self);
    for (int i = 0; i < 200; i++)
        watch(ask("rows 1"), &others[i]);
    for (int i = 0; i < 200; i++)
        until_settled(&others[i]);
    good(dbal_pool_session(pool, NULL, a_row, NULL));
    ck_assert_int_eq(end.settled, 0);
    self.thinks = false;
    dbal_stream_resume(self.stream);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, 0);
    ck_assert_uint_eq(self.rows, 100000);
    ck_assert_int_eq(counts_now().connections, 2);
}
END_TEST

/* nor does it stand behind others: it waits in line until there is a connection for it */
START_TEST(a_stream_waits_for_a_connection_of_its_own)
{
    thinker self = {.thinks = false};
    seen end, others[100];
    open_pool("native", "pool_max_size=1");
    good(dbal_pool_ready(pool));
    for (int i = 0; i < 50; i++)
        watch(ask("rows 1"), &others[i]);
    watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = "rows 1000"), think, &self), &end);
    for (int i = 50; i < 100; i++)
        watch(ask("rows 1"), &others[i]);
    for (int i = 0; i < 100; i++)
        until_settled(&others[i]);
    ck_assert_int_eq(end.settled, 1);
    ck_assert_int_eq(end.order, 51);
    ck_assert_uint_eq(self.rows, 1000);
}
END_TEST

/* ---- sharing a transaction ---- */

static dbal_flow
take_rows(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream, (void)rows, (void)arg;
    return DBAL_CONTINUE;
}

/* How many of ten, of which something is known, may share. */
static int
sharing(const char *sql, bool read_only, bool streams)
{
    seen all[13];
    for (int i = 0; i < 13; i++) {
        const dbal_query *query = DBAL_QUERY(.sql = sql, .read_only = read_only);
        watch(streams ? dbal_pool_stream(pool, query, take_rows, NULL) : dbal_pool_run(pool, query),
              &all[i]);
        if (i < 3)
            pass(0.01);
        if (i < 3)
            fake_timed_shared();
    }
    pass(0.05);
    for (int i = 0; i < 13; i++)
        ck_assert_int_eq(all[i].error_class, 0);
    return fake_timed_shared();
}

START_TEST(quick_ones_that_only_read_may_share)
{
    seen first;
    open_all("pool_max_size=1&pool_pipeline_wait=0.0002", 1);
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "take 20", .read_only = true)), &first);
    pass(0.01);
    ck_assert_int_eq(fake_timed_shared(), 0); /* nothing is known of it */
    ck_assert_int_eq(sharing("take 20", true, false), 10);
    ck_assert_int_eq(sharing("take 20", false, false), 0);
    ck_assert_int_eq(sharing("take 20", true, true), 0);
    ck_assert_int_eq(sharing("take 90", true, false), 0);
    ck_assert_int_eq(sharing("alone take 20", true, false), 0);
}
END_TEST

START_TEST(who_is_not_to_wait_shares_nothing)
{
    open_all("pool_max_size=1&pool_pipeline_wait=0", 1);
    ck_assert_int_eq(sharing("take 20", true, false), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("lanes");
    TCase *one;
    one = tcase_create("packing");
    tcase_add_checked_fixture(one, before, pool_fixture_fini);
    tcase_add_loop_test(one, fast_ones_settle_on_a_few_connections, 0, 3);
    tcase_add_loop_test(one, those_at_work_have_about_as_much_to_do, 0, 3);
    tcase_add_loop_test(one, a_connection_is_not_left_with_too_few, 0, 3);
    tcase_add_loop_test(one, slow_ones_have_a_connection_each, 0, 3);
    suite_add_tcase(suite, one);
    suite_add(suite, no_more_are_opened_than_are_used, before, pool_fixture_fini);
    suite_add(suite, a_few_share_one_connection, before, pool_fixture_fini);
    suite_add(suite, the_wait_is_a_setting, before, pool_fixture_fini);
    suite_add(suite, without_a_wait_idle_ones_go_first, before, pool_fixture_fini);
    suite_add(suite, a_full_connection_takes_no_more, before, pool_fixture_fini);
    suite_add(suite, a_slow_one_delays_those_behind_it_alone, before, pool_fixture_fini);
    one = tcase_create("slow");
    tcase_add_checked_fixture(one, before, pool_fixture_fini);
    tcase_add_loop_test(one, a_slow_one_keeps_no_others_at_work, 0, 2);
    suite_add_tcase(suite, one);
    suite_add(suite, unknown_ones_do_not_pile_up_behind_a_slow_one, before, pool_fixture_fini);
    suite_add(suite, one_that_failed_counts_as_any_other, before, pool_fixture_fini);
    suite_add(suite, sessions_are_not_starved_by_statements, before, pool_fixture_fini);
    suite_add(suite, statements_are_not_starved_by_sessions, before, pool_fixture_fini);
    suite_add(suite, nothing_stands_behind_a_stream, before, pool_fixture_fini);
    suite_add(suite, a_stream_waits_for_a_connection_of_its_own, before, pool_fixture_fini);
    suite_add(suite, quick_ones_that_only_read_may_share, before, pool_fixture_fini);
    suite_add(suite, who_is_not_to_wait_shares_nothing, before, pool_fixture_fini);
    return suite_run(suite);
}
