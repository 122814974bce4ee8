/* What comes at moments that are seldom: libpq's send() and recv() are this program's. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "session.h"
#include "tests/lib/suite.h"

/* The next send of so much waits until something can be read, and sends half; 0: none does. */
static atomic_size_t half_from;
/* Nothing is read beyond a ReadyForQuery at once. */
static atomic_bool one_by_one;
/* The next read waits until the server has ended the connection. */
static atomic_bool at_the_end;

ssize_t send(int fd, const void *data, size_t size, int flags);
ssize_t recv(int fd, void *data, size_t size, int flags);

ssize_t
send(int fd, const void *data, size_t size, int flags)
{
    size_t from = atomic_load(&half_from);
    if (from > 0 && size >= from) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        atomic_store(&half_from, 0);
        ck_assert_int_eq(poll(&one, 1, 60000), 1);
        size /= 2;
    }
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

/* Up to the end of the first ReadyForQuery, or all. */
static size_t
until_ready(const unsigned char *data, size_t size)
{
    for (size_t at = 0; at + 5 <= size;) {
        const unsigned char *one = data + at;
        size_t rest = (size_t)one[1] << 24 | (size_t)one[2] << 16 | (size_t)one[3] << 8 | one[4];
        at += 1 + rest;
        if (one[0] == 'Z' && at < size)
            return at;
    }
    return size;
}

ssize_t
recv(int fd, void *data, size_t size, int flags)
{
    if (flags == 0 && atomic_exchange(&at_the_end, false)) {
        struct pollfd one = {.fd = fd, .events = POLLRDHUP};
        ck_assert_int_eq(poll(&one, 1, 60000), 1);
    }
    if (atomic_load(&one_by_one) && flags == 0) {
        ssize_t got = syscall(SYS_recvfrom, fd, data, size, MSG_PEEK, NULL, NULL);
        if (got <= 0)
            return got;
        size = until_ready(data, (size_t)got);
    }
    return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
}

static void
before(void)
{
    session_begin("pool_max_size=1");
    RUN("create table t (id integer)");
    RUN("create table d (id integer primary key deferrable initially deferred)");
}

static void
after(void)
{
    atomic_store(&half_from, 0);
    atomic_store(&one_by_one, false);
    atomic_store(&at_the_end, false);
    session_end();
}

/* ---- much that is answered, and then the end ---- */

enum { MANY = 40 };

typedef struct asker {
    int ok, more_ok, more_failed;
} asker;

static dbal_outcome
more_ended(dbal_outcome in, void *arg)
{
    asker *self = arg;
    *(dbal_outcome_error(in) == NULL ? &self->more_ok : &self->more_failed) += 1;
    return dbal_done();
}

static dbal_outcome
ask_more(dbal_outcome in, void *arg)
{
    asker *self = arg;
    (void)in;
    self->ok++;
    dbal_deferred *more = dbal_pool_query(pool, "insert into t values (2)", DBAL_NO_PARAMS);
    return dbal_wait(dbal_deferred_add_both(more, more_ended, self));
}

START_TEST(what_was_answered_before_the_end_counts)
{
    asker self = {0};
    dbal_deferred *all[MANY + 1];
    RUN("insert into t values (0)");
    for (int i = 0; i < MANY; i++) {
        all[i] = dbal_pool_query(pool, "insert into t values (1)", DBAL_NO_PARAMS);
        dbal_deferred_add_callback(all[i], ask_more, &self);
    }
    all[MANY] =
        dbal_pool_query(pool, "select pg_terminate_backend(pg_backend_pid())", DBAL_NO_PARAMS);
    atomic_store(&at_the_end, true);
    dbal_outcome end =
        loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_ALL, MANY + 1, all));
    dbal_outcome_clear(&end);
    ck_assert_int_eq(self.ok, MANY);
    ck_assert_int_eq(self.more_ok + self.more_failed, MANY);
    ck_assert_int_eq(run_number("select count(*) from t where id = 1"), MANY);
    ck_assert_int_eq(run_number("select count(*) from t where id = 2"), self.more_ok);
}
END_TEST

/* Errors among them: what ends one is taken before anything more is sent. */
static dbal_outcome
ask_in_any_case(dbal_outcome in, void *arg)
{
    asker *self = arg;
    self->ok += dbal_outcome_error(in) == NULL;
    dbal_deferred *more = dbal_pool_query(pool, "select 1", DBAL_NO_PARAMS);
    return dbal_wait(dbal_deferred_add_both(more, more_ended, self));
}

START_TEST(errors_among_many_answers)
{
    for (int every = 1; every <= 8; every++) {
        asker self = {0};
        dbal_deferred *all[MANY];
        for (int i = 0; i < MANY; i++) {
            const char *sql = i % every != 0         ? "insert into t values (1)"
                              : i % (2 * every) == 0 ? "insert into d values (1), (1)"
                                                     : "insert into t values (1 / 0)";
            all[i] = dbal_pool_query(pool, sql, DBAL_NO_PARAMS);
            dbal_deferred_add_both(all[i], ask_in_any_case, &self);
        }
        dbal_outcome end =
            loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_ALL, MANY, all));
        dbal_outcome_clear(&end);
        ck_assert_int_eq(self.ok, MANY - (MANY + every - 1) / every);
        ck_assert_int_eq(self.more_ok, MANY);
        ck_assert_int_eq(self.more_failed, 0);
        ck_assert_uint_eq(log_lines_count(&fixture.log, "a connection was lost"), 0);
    }
}
END_TEST

/* One is cancelled by the callback of another, when both have been answered. */
typedef struct canceller {
    dbal_deferred *all[MANY];
    int ok, cancelled, other;
} canceller;

static dbal_outcome
one_ended(dbal_outcome in, void *arg)
{
    canceller *self = arg;
    dbal_error *error = dbal_outcome_error(in);
    self->ok += error == NULL;
    self->cancelled += error != NULL && dbal_error_is(error, DBAL_ERROR_CANCELLED);
    return dbal_done();
}

static dbal_outcome
cancel_some(dbal_outcome in, void *arg)
{
    canceller *self = arg;
    for (int i = 5; i < MANY; i += 7)
        dbal_deferred_cancel(self->all[i]);
    return in;
}

START_TEST(cancelled_among_many_answers)
{
    canceller self = {.ok = 0};
    dbal_deferred *others[MANY];
    for (int i = 0; i < MANY; i++) {
        self.all[i] =
            dbal_deferred_ref(dbal_pool_query(pool, "insert into t values (1)", DBAL_NO_PARAMS));
        if (i == 0)
            dbal_deferred_add_callback(self.all[i], cancel_some, &self);
        dbal_deferred_add_both(self.all[i], one_ended, &self);
    }
    for (int i = 0; i < MANY; i++)
        others[i] =
            dbal_pool_query(pool, "insert into t select 2 from pg_sleep(0.01)", DBAL_NO_PARAMS);
    ends_well(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, MANY, others));
    ck_assert_int_eq(self.ok + self.cancelled, MANY);
    ck_assert_int_ge(self.ok, MANY - 5);
    ck_assert_int_eq(run_number("select count(*) from t where id = 1"), self.ok);
    ck_assert_int_eq(run_number("select count(*) from t where id = 2"), MANY);
    for (int i = 0; i < MANY; i++)
        dbal_deferred_unref(self.all[i]);
}
END_TEST

/* ---- a copy that waits for what was sent before it ---- */

static void
write_one(dbal_copy *copy, void *arg)
{
    (void)arg;
    dbal_copy_write(copy, "1\n", 2);
    dbal_copy_end(copy);
}

static dbal_outcome
then_copy(dbal_outcome in, void *arg)
{
    (void)in;
    return dbal_wait(dbal_connection_copy_in(arg, "copy t from stdin", write_one, NULL));
}

static dbal_outcome
truncate_and_copy(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_deferred *truncated = dbal_connection_query(connection, "truncate t", DBAL_NO_PARAMS);
    dbal_deferred_add_callback(truncated, then_copy, connection);
    return dbal_wait(truncated);
}

/* The statements that it has prepared are closed behind the one that may have changed them. */
START_TEST(a_copy_behind_the_close_of_a_statement)
{
    for (int i = 0; i < 3; i++) {
        RUN("select id from t");
        RUN("select id from t");
        atomic_store(&one_by_one, true);
        ends_well(dbal_pool_session(pool, NULL, truncate_and_copy, NULL));
        atomic_store(&one_by_one, false);
        ck_assert_int_eq(run_number("select count(*) from t"), 1);
    }
}
END_TEST

/* ---- an answer that is read while something is sent ---- */

/* A transaction that holds the row until it is released. */
typedef struct keeper {
    bool holds;
    dbal_deferred *release;
} keeper;

static dbal_outcome
keep(dbal_outcome in, void *arg)
{
    keeper *self = arg;
    (void)in;
    self->holds = true;
    return dbal_wait(self->release);
}

static dbal_outcome
hold(dbal_connection *connection, void *arg)
{
    dbal_deferred *held = dbal_connection_query(connection, "update t set id = 2", DBAL_NO_PARAMS);
    dbal_deferred_add_callback(held, keep, arg);
    return dbal_wait(held);
}

static bool
holds(void *arg)
{
    return ((keeper *)arg)->holds;
}

static dbal_outcome
let_go(dbal_outcome in, void *arg)
{
    dbal_deferred_fire(arg, dbal_done());
    return in;
}

/* The large one waits for what the first one's callback does; nothing else comes from the server. */
START_TEST(an_answer_that_comes_while_another_is_sent)
{
    static char large[100000];
    keeper self = {.release = dbal_deferred_new(fixture.loop, NULL, NULL)};
    dbal_pool *other = session_open("pool_max_size=1");
    memset(large, 'x', sizeof large - 1);
    RUN("insert into t values (1)");
    dbal_deferred *kept = dbal_deferred_ref(dbal_pool_transaction(other, NULL, hold, &self));
    loop_fixture_until(&fixture, holds, &self);
    dbal_deferred *first = dbal_pool_query(pool, "select 1", DBAL_NO_PARAMS);
    dbal_deferred_add_callback(first, let_go, self.release);
    atomic_store(&half_from, 8192);
    ends_well(dbal_pool_query(pool, "update t set id = 3 where length($1::text) > 9",
                              DBAL_PARAMS(dbal_text(large))));
    ck_assert_uint_eq(atomic_load(&half_from), 0);
    ends_well(kept);
    dbal_deferred_unref(kept);
    ck_assert_int_eq(run_number("select id from t"), 3);
}
END_TEST

/* ---- nothing to do ---- */

static dbal_flow
pause_once(dbal_stream *stream, dbal_result *rows, void *arg)
{
    dbal_stream **paused = arg;
    (void)rows;
    if (*paused != NULL)
        return DBAL_CONTINUE;
    *paused = stream;
    return DBAL_PAUSE;
}

static bool
is_paused(void *arg)
{
    return *(dbal_stream **)arg != NULL;
}

static void
stop_waiting(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)timer, (void)events;
    ev_break(ev, EVBREAK_ONE);
}

/* While its answers lie there and its consumer pauses, the loop sleeps. */
START_TEST(a_pause_costs_nothing)
{
    dbal_stream *paused = NULL;
    ev_timer timer;
    dbal_deferred *stream = dbal_deferred_ref(dbal_pool_stream(
        pool, DBAL_QUERY(.sql = "select generate_series(1, 100000)"), pause_once, &paused));
    loop_fixture_until(&fixture, is_paused, &paused);
    for (int i = 0; i < 100; i++) /* what is still to be read before it is enough */
        ev_run(fixture.ev, EVRUN_NOWAIT);
    unsigned before_it = ev_iteration(fixture.ev);
    ev_timer_init(&timer, stop_waiting, 0.1, 0);
    ev_timer_start(fixture.ev, &timer);
    ev_run(fixture.ev, 0);
    ck_assert_uint_lt(ev_iteration(fixture.ev) - before_it, 50);
    dbal_stream_resume(paused);
    ends_well(stream);
    dbal_deferred_unref(stream);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("moments");
    suite_add(suite, what_was_answered_before_the_end_counts, before, after);
    suite_add(suite, errors_among_many_answers, before, after);
    suite_add(suite, cancelled_among_many_answers, before, after);
    suite_add(suite, a_copy_behind_the_close_of_a_statement, before, after);
    suite_add(suite, an_answer_that_comes_while_another_is_sent, before, after);
    suite_add(suite, a_pause_costs_nothing, before, after);
    return session_main(suite);
}
