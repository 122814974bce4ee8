/* The write token: one writer of a database at a time in a process, whoever it is. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", "token=on&pool_max_size=2"},
    {"fake", "token=on&level=0"},
    {"native", "token=on&pool_max_size=2"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

static void
open_target(int target)
{
    open_driven(targets[target][0], targets[target][1]);
}

static dbal_pool *
open_other(int target)
{
    dbal_pool *first = pool;
    open_pool(targets[target][0], "token=on&pool_max_size=1");
    dbal_pool *other = pool;
    pool = first;
    return other;
}

/* A transaction that has written and holds the token until it is let go. */
typedef struct writer {
    dbal_deferred *release;
    bool has_written;
    seen end;
} writer;

static dbal_outcome
has_written(dbal_outcome in, void *arg)
{
    writer *self = arg;
    (void)in;
    self->has_written = true;
    return dbal_wait(self->release);
}

static dbal_outcome
write_and_hold(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_deferred_add_callback(
        dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS), has_written, arg));
}

static bool
is_written(void *arg)
{
    return ((writer *)arg)->has_written;
}

static void
begin_writing(writer *self)
{
    *self = (writer){.release = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL))};
    watch(dbal_pool_transaction(pool, NULL, write_and_hold, self), &self->end);
    loop_fixture_until(&fixture, is_written, self);
}

static void
end_writing(writer *self)
{
    dbal_deferred_unref(self->release);
    dbal_deferred_fire(self->release, dbal_done());
    until_settled(&self->end);
    ck_assert_int_eq(self->end.error_class, 0);
}

static dbal_outcome
just_end(dbal_connection *connection, void *arg)
{
    (void)connection, (void)arg;
    return dbal_done();
}

/* Each answer asks for the next write, so that a batch is followed by another at once. */
enum { CALLERS = 70, TIMES = 12 };

static int asked_for, answered;

static dbal_outcome
write_more(dbal_outcome in, void *arg)
{
    (void)arg;
    ck_assert_int_eq(in.kind, DBAL_OUTCOME_VALUE);
    answered++;
    if (asked_for < CALLERS * TIMES) {
        asked_for++;
        dbal_deferred_add_both(ask("add 1"), write_more, NULL);
    }
    return in;
}

static bool
all_answered(void *arg)
{
    (void)arg;
    return answered == CALLERS * TIMES;
}

/* What follows a batch waits for the token of another, and must not keep the only connection. */
static seen next_write, next_read;

static dbal_outcome
write_and_read(dbal_outcome in, void *arg)
{
    (void)arg;
    watch(ask("add 1"), &next_write);
    watch(ask("get"), &next_read);
    return in;
}

START_TEST(a_batch_that_waits_for_the_token_lets_its_connection_go)
{
    writer other = {.release = NULL};
    seen first;
    const char *one = _i == 1 ? "token=on&level=0&pool_max_size=1" : "token=on&pool_max_size=1";
    open_pool(targets[_i][0], one);
    dbal_pool *mine = pool;
    open_pool(targets[_i][0], one);
    dbal_pool *others = pool;
    good(dbal_pool_ready(others));
    pool = mine;
    other.release = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL));
    watch(dbal_deferred_add_callback(ask("add 1 wait g"), write_and_read, NULL), &first);
    until_count(&script->waiting, 1);
    watch(dbal_pool_transaction(others, NULL, write_and_hold, &other), &other.end);
    settle();
    fake_script_open_gate(script, "g");
    until_settled(&first);
    loop_fixture_until(&fixture, is_written, &other);
    until_settled(&next_read);
    ck_assert_int_eq(next_read.error_class + next_write.settled, 0);
    end_writing(&other);
    until_settled(&next_write);
    ck_assert_int_eq(next_write.error_class, 0);
}
END_TEST

START_TEST(writers_that_never_stop_are_all_served)
{
    seen reader, end;
    dbal_pool_counts counts = {.size = sizeof counts};
    open_target(_i);
    asked_for = answered = 0;
    for (int i = 0; i < CALLERS; i++) {
        asked_for++;
        dbal_deferred_add_both(ask("add 1"), write_more, NULL);
    }
    loop_fixture_until(&fixture, all_answered, NULL);
    /* the connection that they went to is free again */
    watch(ask("get"), &reader);
    until_settled(&reader);
    ck_assert_int_eq(reader.error_class, 0);
    watch(dbal_pool_session(pool, NULL, just_end, NULL), &end);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, 0);
    dbal_pool_stats(pool, &counts);
    ck_assert_int_eq(counts.held, 0);
}
END_TEST

START_TEST(a_writer_waits_for_the_one_before)
{
    writer first;
    seen second, third;
    open_target(_i);
    begin_writing(&first);
    watch(ask("add 1"), &second);
    watch(ask("add 1"), &third);
    settle();
    ck_assert_int_eq(second.settled + third.settled, 0);
    end_writing(&first);
    until_settled(&third);
    ck_assert_int_eq(second.error_class + third.error_class, 0);
    ck_assert_int_eq(number("get"), 3);
}
END_TEST

START_TEST(readers_do_not_wait_for_writers)
{
    writer first;
    open_target(_i);
    begin_writing(&first);
    seen second;
    watch(ask("add 1"), &second);
    settle();
    for (int i = 0; i < 5; i++)
        good(ask("get"));
    ck_assert_int_eq(second.settled, 0);
    end_writing(&first);
    until_settled(&second);
}
END_TEST

START_TEST(waiting_for_the_token_ends_in_time_and_may_be_tried_again)
{
    writer first;
    seen one;
    open_target(_i);
    dbal_pool *here = pool, *other = open_other(_i);
    begin_writing(&first);
    pool = other;
    good(dbal_pool_ready(pool));
    for (int round = 0; round < 2; round++) {
        dbal_deferred *deferred = dbal_deferred_ref(ask("add 10"));
        settle();
        loop_fixture_advance(&fixture, 4.9);
        settle();
        loop_fixture_advance(&fixture, 0.2);
        dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
        dbal_error *error = dbal_outcome_error(outcome);
        ck_assert_ptr_nonnull(error);
        ck_assert_str_eq(dbal_error_sqlstate(error), "55P03");
        ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_NOT_SENT);
        ck_assert(dbal_error_retryable(error));
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(deferred);
        /* its only connection is free for others */
        good(ask("get"));
    }
    watch(ask("add 10"), &one);
    settle();
    pool = here;
    end_writing(&first);
    pool = other;
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0);
    ck_assert_int_eq(number("get"), 11);
    pool = here;
}
END_TEST

typedef struct onlooker {
    seen statement;
    char text[200];
} onlooker;

static dbal_outcome
read_and_write(dbal_connection *connection, void *arg)
{
    onlooker *self = arg;
    watch(dbal_connection_query(connection, "get", DBAL_NO_PARAMS), &self->statement);
    return dbal_wait(dbal_connection_query(connection, "add 100", DBAL_NO_PARAMS));
}

static void
write_down(const dbal_holder *told, void *arg)
{
    onlooker *self = arg;
    size_t at = strlen(self->text);
    if (told->label != NULL)
        snprintf(self->text + at, sizeof self->text - at, "%s: %s%s|", told->label,
                 told->sql != NULL ? told->sql : "-", told->executing ? " now" : "");
}

static const char *
holders(onlooker *self)
{
    self->text[0] = '\0';
    dbal_pool_holders(pool, write_down, self);
    return self->text;
}

static bool
is_there(void *arg)
{
    loop_fixture_advance(&fixture, 0.0001);
    return holders(arg)[0] != '\0';
}

/* Whoever looks at what holds a pool's connections is told what it is that waits for the token. */
START_TEST(what_waits_for_the_token_is_told)
{
    writer first;
    onlooker told = {.text = ""};
    seen begun, wrote;
    /* on one thread for all, more than one may be in sessions */
    open_driven(targets[_i][0], _i == 1 ? "token=on&level=0&pool_max_size=3&pool_leak_after=1"
                                        : "token=on&pool_max_size=3&pool_leak_after=1");
    begin_writing(&first);
    watch(dbal_pool_transaction(pool, DBAL_TRANSACTION(.label = "cart"), just_end, NULL), &begun);
    loop_fixture_until(&fixture, is_there, &told);
    ck_assert_str_eq(holders(&told), "cart: begin now|");
    watch(dbal_pool_session(pool, DBAL_SESSION(.label = "stock"), read_and_write, &told), &wrote);
    until_settled(&told.statement);
    settle();
    ck_assert_str_eq(holders(&told), "cart: begin now|stock: add 100 now|");
    loop_fixture_advance(&fixture, 2);
    settle();
    ck_assert_uint_eq(log_lines_count(&fixture.log, "s, executing, last: begin"), 1);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "s, executing, last: add 100"), 1);
    end_writing(&first);
    until_settled(&begun);
    until_settled(&wrote);
    ck_assert_int_eq(begun.error_class + wrote.error_class, 0);
}
END_TEST

/* More texts than a pool remembers. */
enum { TEXTS = 1200 };

typedef struct meddler {
    dbal_deferred *write, *release;
    seen texts[TEXTS];
    bool told;
} meddler;

static dbal_outcome
write_and_stay(dbal_connection *connection, void *arg)
{
    meddler *self = arg;
    self->write = dbal_deferred_ref(dbal_connection_query(connection, "add 100", DBAL_NO_PARAMS));
    return dbal_wait(self->release);
}

static void
cancel_what_waits(const dbal_holder *told, void *arg)
{
    meddler *self = arg;
    char text[40];
    if (told->sql == NULL || strcmp(told->sql, "add 100") != 0)
        return;
    dbal_deferred_cancel(self->write);
    dbal_deferred_unref(self->write);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text, "get %d", i);
        watch(ask(text), &self->texts[i]);
    }
    ck_assert_str_eq(told->sql, "add 100");
    self->told = true;
}

static bool
is_told(void *arg)
{
    meddler *self = arg;
    loop_fixture_advance(&fixture, 0.0001);
    dbal_pool_holders(pool, cancel_what_waits, self);
    return self->told;
}

/* What he was told stays as it is meanwhile, whatever else he asks for. */
START_TEST(what_waits_may_be_cancelled_by_who_is_told)
{
    writer first;
    seen end;
    static meddler self;
    open_driven("fake", "token=on&pool_max_size=3");
    begin_writing(&first);
    self.release = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL));
    watch(dbal_pool_session(pool, NULL, write_and_stay, &self), &end);
    loop_fixture_until(&fixture, is_told, &self);
    dbal_deferred_unref(self.release);
    dbal_deferred_fire(self.release, dbal_done());
    until_settled(&end);
    ck_assert_int_eq(end.error_class, 0);
    end_writing(&first);
    for (int i = 0; i < TEXTS; i++)
        until_settled(&self.texts[i]);
}
END_TEST

START_TEST(a_transaction_that_waits_to_begin_hears_its_deadline)
{
    writer first;
    seen late, cancelled;
    open_target(_i);
    begin_writing(&first);
    watch(dbal_pool_transaction(pool, DBAL_TRANSACTION(.timeout = 0.5), write_and_hold, NULL),
          &late);
    settle();
    loop_fixture_advance(&fixture, 0.6);
    until_settled(&late);
    ck_assert_int_eq(late.error_class, DBAL_ERROR_TIMEOUT);
    dbal_deferred *deferred =
        dbal_deferred_ref(dbal_pool_transaction(pool, NULL, write_and_hold, NULL));
    watch(deferred, &cancelled);
    settle();
    dbal_deferred_cancel(deferred);
    until_settled(&cancelled);
    ck_assert_int_eq(cancelled.error_class, DBAL_ERROR_CANCELLED);
    dbal_deferred_unref(deferred);
    end_writing(&first);
    good(ask("add 1"));
    ck_assert_int_eq(number("get"), 2);
}
END_TEST

START_TEST(closing_does_not_wait_for_another_pools_writer)
{
    writer first;
    seen waiting;
    open_target(_i);
    dbal_pool *here = pool, *other = open_other(_i);
    begin_writing(&first);
    pool = other;
    good(dbal_pool_ready(pool));
    watch(ask("add 10"), &waiting);
    settle();
    dbal_deferred *closed = dbal_deferred_ref(dbal_pool_close(other));
    settle();
    loop_fixture_advance(&fixture, 5.1); /* the write's own time */
    until_settled(&waiting);
    good(closed);
    dbal_deferred_unref(closed);
    pool = here;
    end_writing(&first);
}
END_TEST

START_TEST(a_writer_that_is_lost_gives_the_token_back)
{
    open_target(_i);
    bad(ask("add 1 lose"), DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, NULL);
    good(ask("add 1"));
    writer first;
    begin_writing(&first);
    end_writing(&first);
}
END_TEST

/* ---- statements that turn out to write ---- */

START_TEST(what_turns_out_to_write_runs_again_with_the_token)
{
    open_target(_i);
    if (targets[_i][0][0] == 'n')
        return; /* a native driver must know beforehand */
    for (int i = 0; i < 10; i++)
        good(ask("sneak"));
    ck_assert_int_eq(number("get"), 10);
    bad(dbal_pool_run(pool, DBAL_QUERY(.sql = "sneak", .read_only = true)), DBAL_ERROR_OPERATIONAL,
        "25006", DBAL_EXECUTION_FAILED, NULL);
}
END_TEST

/* It waits for the token alone: a read behind it has nothing to do with it. */
START_TEST(a_read_does_not_follow_what_turns_out_to_write)
{
    writer first;
    seen sneaks, read;
    open_driven("fake", "token=on&level=2");
    dbal_pool *here = pool;
    begin_writing(&first);
    open_pool("fake", "token=on&level=2&pool_threads=1&pool_max_size=1");
    good(dbal_pool_ready(pool));
    watch(ask("sneak"), &sneaks);
    watch(ask("get"), &read);
    until_settled(&read);
    ck_assert_int_eq(sneaks.settled, 0);
    pool = here;
    end_writing(&first);
    until_settled(&sneaks);
}
END_TEST

static dbal_outcome
sneak_and_look(dbal_connection *connection, void *arg)
{
    dbal_deferred *all[12];
    for (int i = 0; i < 12; i += 2) {
        all[i] = dbal_connection_query(connection, "sneak", DBAL_NO_PARAMS);
        all[i + 1] = dbal_connection_query(connection, "get", DBAL_NO_PARAMS);
    }
    return dbal_wait(dbal_gather(arg, DBAL_GATHER_OR_FAIL, 12, all));
}

START_TEST(nothing_overtakes_what_turns_out_to_write)
{
    open_target(_i);
    if (targets[_i][0][0] == 'n')
        return;
    for (int round = 0; round < 5; round++) {
        int64_t before = number("get");
        dbal_outcome outcome = loop_fixture_await(
            &fixture, dbal_pool_session(pool, NULL, sneak_and_look, fixture.loop));
        ck_assert_uint_eq(dbal_outcome_count(outcome), 12);
        for (size_t i = 0; i < 12; i += 2) {
            dbal_result *rows = dbal_outcome_result(dbal_outcome_at(outcome, i + 1));
            ck_assert_int_eq(dbal_result_int64(rows, 0, 0), before + (int64_t)i / 2 + 1);
        }
        dbal_outcome_clear(&outcome);
    }
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
    Suite *suite = suite_create("writes");
    add(suite, writers_that_never_stop_are_all_served);
    add(suite, a_batch_that_waits_for_the_token_lets_its_connection_go);
    add(suite, a_writer_waits_for_the_one_before);
    add(suite, readers_do_not_wait_for_writers);
    add(suite, waiting_for_the_token_ends_in_time_and_may_be_tried_again);
    add(suite, what_waits_for_the_token_is_told);
    suite_add(suite, what_waits_may_be_cancelled_by_who_is_told, pool_fixture_init,
              pool_fixture_fini);
    add(suite, a_transaction_that_waits_to_begin_hears_its_deadline);
    add(suite, closing_does_not_wait_for_another_pools_writer);
    add(suite, a_writer_that_is_lost_gives_the_token_back);
    add(suite, what_turns_out_to_write_runs_again_with_the_token);
    suite_add(suite, a_read_does_not_follow_what_turns_out_to_write, pool_fixture_init,
              pool_fixture_fini);
    add(suite, nothing_overtakes_what_turns_out_to_write);
    return suite_run(suite);
}
