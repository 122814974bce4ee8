/* COPY: both ways, text and binary, and how it ends when it does not end well. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_max_size=1");
    RUN("create table t (id integer primary key, name text not null)");
}

static void
after(void)
{
    session_end();
}

/* ---- in ---- */

/* A program that writes rows, as many as it may at a time. */
typedef struct writer {
    dbal_copy *copy;
    int calls; /* of room */
    int written, rows;
    int bad;         /* this row's name is missing */
    bool stays;      /* it does not end */
    const char *why; /* or aborts */
} writer;

static void
write_on(writer *self)
{
    char row[64];
    while (self->written < self->rows) {
        self->written++;
        int size = snprintf(row, sizeof row, "%d\t%s\n", self->written,
                            self->written == self->bad ? "\\N" : "somebody");
        if (!dbal_copy_write(self->copy, row, (size_t)size))
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
    write_on(self);
}

static bool
has_room(void *arg)
{
    return ((writer *)arg)->calls > 0;
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

/* The message holds a text too. */
static void
ends_saying(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate,
            dbal_execution execution, const char *text)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(strstr(dbal_error_message(error), text) != NULL, "%s", dbal_error_message(error));
    ck_assert_int_eq(dbal_error_execution(error), execution);
    outcome_is(outcome, error_class, sqlstate);
}

START_TEST(what_is_written_is_in_the_table)
{
    writer self = {.rows = 3};
    ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, "copy t from stdin", room, &self)), 3);
    ck_assert_int_eq(self.calls, 1);
    ck_assert_int_eq(run_number("select count(*) from t where name = 'somebody'"), 3);
    self = (writer){.rows = 0};
    ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, "copy t from stdin;", room, &self)), 0);
    ck_assert_int_eq(run_number("select sum(id) from t"), 6);
}
END_TEST

START_TEST(a_lot_of_it)
{
    writer self = {.rows = 200000};
    ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, "copy t from stdin", room, &self)),
                     200000);
    ck_assert_int_gt(self.calls, 2);
    ck_assert_int_eq(run_number("select count(*) from t"), 200000);
}
END_TEST

START_TEST(an_abort_says_why)
{
    writer self = {.rows = 10000, .why = "the client went away"};
    ends_saying(dbal_pool_copy_in(pool, "copy t from stdin", room, &self), DBAL_ERROR_CANCELLED,
                "57014", DBAL_EXECUTION_FAILED, "the client went away");
    self = (writer){.rows = 3, .why = "\xff"}; /* which the server does not take for a text */
    ends_saying(dbal_pool_copy_in(pool, "copy t from stdin", room, &self), DBAL_ERROR_CANCELLED,
                "57014", DBAL_EXECUTION_FAILED, "\xff");
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
}
END_TEST

/* libpq keeps it to itself until the copy is ended: the driver looks */
START_TEST(an_error_comes_while_it_goes_on)
{
    writer self = {.rows = 10, .bad = 7, .stays = true};
    ends_saying(dbal_pool_copy_in(pool, "copy t from stdin", room, &self), DBAL_ERROR_INTEGRITY,
                "23502", DBAL_EXECUTION_FAILED, "name");
    for (int i = 0; i < 50; i++) {
        self = (writer){.rows = 20000, .bad = 1 + i * 200, .stays = true};
        ends_badly(dbal_pool_copy_in(pool, "copy t from stdin", room, &self), DBAL_ERROR_INTEGRITY,
                   "23502");
    }
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
}
END_TEST

/*
 * Right behind the server's word that it takes data. What comes while libpq reads just that word, it
 * keeps to itself to the end; under valgrind, slow as it is, that is nearly always.
 */
START_TEST(an_error_that_comes_with_the_beginning)
{
    writer self = {.rows = 0, .stays = getenv("DBAL_TEST_VALGRIND") == NULL};
    RUN("create function no() returns trigger language plpgsql as $$ begin raise exception "
        "'not today'; end $$");
    RUN("create trigger no before insert on t for each statement execute function no()");
    for (int i = 0; i < 50; i++)
        ends_saying(dbal_pool_copy_in(pool, "copy t from stdin", room, &self),
                    DBAL_ERROR_PROGRAMMING, "P0001", DBAL_EXECUTION_FAILED, "not today");
    ends_badly(dbal_pool_copy_in(pool, "copy nothing from stdin", room, &self),
               DBAL_ERROR_PROGRAMMING, "42P01");
}
END_TEST

START_TEST(notices_do_no_harm)
{
    writer self = {.rows = 2000};
    RUN("create function say() returns trigger language plpgsql as $$ begin raise notice 'row "
        "% %', new.id, repeat('x', 3000); return new; end $$");
    RUN("create trigger say before insert on t for each row execute function say()");
    ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, "copy t from stdin", room, &self)), 2000);
}
END_TEST

START_TEST(cancelled_nothing_is_kept)
{
    writer self = {.rows = 10, .stays = true};
    for (int i = 0; i < 20; i++) {
        dbal_deferred *copy =
            dbal_deferred_ref(dbal_pool_copy_in(pool, "copy t from stdin", room, &self));
        self = (writer){.rows = 10, .stays = true};
        loop_fixture_until(&fixture, has_room, &self);
        dbal_deferred_cancel(copy);
        ends_badly(copy, DBAL_ERROR_CANCELLED, "57014");
        dbal_deferred_unref(copy);
        ck_assert_int_eq(run_number("select count(*) from t"), 0);
    }
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    dbal_pool_stats(pool, &counts);
    ck_assert_uint_eq(counts.opened, 1);
}
END_TEST

/* the server waits for a lock, and the socket is full */
START_TEST(cancelled_while_the_server_takes_nothing)
{
    writer self = {.rows = 2000000};
    dbal_pool *other = session_open("");
    RUN("create function slow() returns trigger language plpgsql as $$ begin perform "
        "pg_sleep(1000); return new; end $$");
    RUN("create trigger slow before insert on t for each row execute function slow()");
    dbal_deferred *copy =
        dbal_deferred_ref(dbal_pool_copy_in(pool, "copy t from stdin", room, &self));
    dbal_deferred_add_timeout(copy, 0.3);
    ends_badly(copy, DBAL_ERROR_TIMEOUT, "57014");
    dbal_deferred_unref(copy);
    ck_assert_int_lt(self.written, 2000000);
    ends_well(dbal_pool_query(other, "drop trigger slow on t", DBAL_NO_PARAMS));
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
}
END_TEST

START_TEST(the_server_process_ends_in_the_middle)
{
    writer self = {.rows = 10, .stays = true};
    dbal_pool *other = session_open("");
    dbal_deferred *copy =
        dbal_deferred_ref(dbal_pool_copy_in(pool, "copy t from stdin", room, &self));
    loop_fixture_until(&fixture, has_room, &self);
    ends_well(dbal_pool_query(other,
                              "select pg_terminate_backend(pid) from pg_stat_activity where query "
                              "= 'copy t from stdin'",
                              DBAL_NO_PARAMS));
    dbal_outcome outcome = loop_fixture_await(&fixture, copy);
    ck_assert(dbal_error_connection_lost(dbal_outcome_error(outcome)));
    ck_assert_int_eq(dbal_error_execution(dbal_outcome_error(outcome)), DBAL_EXECUTION_FAILED);
    dbal_outcome_clear(&outcome);
    dbal_deferred_unref(copy);
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
}
END_TEST

/* ---- memory ---- */

enum { ROW = 64 * 1024, MEGABYTES = 200 };

/* A program that writes so many megabytes, a row of 64 kB after the other. */
typedef struct flood {
    dbal_copy *copy;
    char *row;
    long rows, written, calls;
} flood;

static void
flood_on(flood *self)
{
    while (self->written < self->rows) {
        self->written++;
        if (!dbal_copy_write(self->copy, self->row, ROW))
            return;
    }
    dbal_copy_end(self->copy);
}

static void
flood_room(dbal_copy *copy, void *arg)
{
    flood *self = arg;
    self->copy = copy;
    self->calls++;
    if (self->calls > 1)
        flood_on(self);
}

static bool
is_ready(void *arg)
{
    return ((flood *)arg)->calls > 0;
}

static long
resident(void)
{
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%ld %ld", &size, &pages), 2);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* A sanitizer keeps what was freed for a while. */
static bool
may_be_measured(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
    return !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
    return getenv("LD_PRELOAD") == NULL;
#endif
}

static void
flood_init(flood *self)
{
    const char *megabytes = getenv("DBAL_TEST_COPY_MB");
    *self = (flood){.row = malloc(ROW)};
    self->rows = (megabytes != NULL ? strtol(megabytes, NULL, 10) : MEGABYTES) * (1024 / 64);
    ck_assert_ptr_nonnull(self->row);
    memset(self->row, 'x', ROW);
    memcpy(self->row, "1\t", 2);
    self->row[ROW - 1] = '\n';
}

/* what comes is dropped there, since only the way is to be measured */
static const char drop[] = "create function nothing() returns trigger language plpgsql as $$ begin "
                           "return null; end $$";

START_TEST(a_stopped_server_makes_nothing_grow)
{
    flood self;
    dbal_pool *other = session_open("");
    RUN(drop);
    RUN("create trigger nothing before insert on t for each row execute function nothing()");
    flood_init(&self);
    dbal_deferred *copy =
        dbal_deferred_ref(dbal_pool_copy_in(pool, "copy t from stdin", flood_room, &self));
    loop_fixture_until(&fixture, is_ready, &self);
    dbal_outcome found = loop_fixture_await(
        &fixture, dbal_pool_query(other,
                                  "select pid from pg_stat_activity where query = 'copy t from "
                                  "stdin'",
                                  DBAL_NO_PARAMS));
    pid_t server = (pid_t)dbal_result_int64(dbal_outcome_result(found), 0, 0);
    dbal_outcome_clear(&found);
    ck_assert_int_eq(kill(server, SIGSTOP), 0);
    long before = resident();
    flood_on(&self);
    for (int i = 0; i < 50; i++) /* another one's answers show that time passes here */
        ends_well(dbal_pool_query(other, "select 1", DBAL_NO_PARAMS));
    long written = self.written, held = resident() - before;
    ck_assert_int_eq(kill(server, SIGCONT), 0);
    ck_assert_int_eq(affected_by(copy), 0);
    long grown = resident() - before;
    dbal_deferred_unref(copy);
    free(self.row);
    ck_assert_int_eq(self.written, self.rows);
    ck_assert_int_lt(written * ROW, 4 << 20);
    if (may_be_measured()) {
        ck_assert_int_lt(held, 8 << 20);
        ck_assert_int_lt(grown, 8 << 20);
    }
}
END_TEST

/* ---- out ---- */

typedef struct reader {
    dbal_stream *stream;
    dbal_copy *to; /* or NULL */
    char first[64];
    size_t bytes;
    int rows, calls;
    int pauses, stops; /* at this call, from 1 */
} reader;

static dbal_flow
read_on(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    reader *self = arg;
    if (self->calls == 0)
        snprintf(self->first, sizeof self->first, "%.*s", (int)size, (const char *)data);
    self->stream = stream;
    self->calls++;
    self->bytes += size;
    for (size_t i = 0; i < size; i++)
        self->rows += ((const char *)data)[i] == '\n';
    if (self->to != NULL)
        dbal_copy_write(self->to, data, size);
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
    ck_assert_int_eq(affected_by(dbal_pool_copy_out(
                         pool, "copy (values (1, 'a'), (2, 'b')) to stdout", read_on, &self)),
                     2);
    ck_assert_str_eq(self.first, "1\ta\n2\tb\n");
    self = (reader){.calls = 0};
    ck_assert_int_eq(
        affected_by(dbal_pool_copy_out(pool, "copy (select generate_series(1, 300000)) to stdout",
                                       read_on, &self)),
        300000);
    ck_assert_int_eq(self.rows, 300000);
    self = (reader){.calls = 0};
    ck_assert_int_eq(affected_by(dbal_pool_copy_out(pool, "copy t to stdout", read_on, &self)), 0);
    ck_assert_int_eq(self.calls, 0);
}
END_TEST

START_TEST(a_pause_holds_the_server_back)
{
    const char *sql = "copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout";
    reader self = {.pauses = 1};
    dbal_deferred *copy = dbal_deferred_ref(dbal_pool_copy_out(pool, sql, read_on, &self));
    loop_fixture_until(&fixture, has_read, &self);
    dbal_pool *other = session_open("");
    for (int i = 0; i < 20; i++)
        ends_well(dbal_pool_query(other, "select 1", DBAL_NO_PARAMS));
    ck_assert_int_eq(self.calls, 1);
    dbal_stream_resume(self.stream);
    ck_assert_int_eq(affected_by(copy), 100000);
    ck_assert_uint_eq(self.bytes, 100000u * 1001u);
    dbal_deferred_unref(copy);
}
END_TEST

START_TEST(enough_is_enough)
{
    reader self = {.stops = 1};
    ends_well(dbal_pool_copy_out(pool, "copy (select generate_series(1, 100000000)) to stdout",
                                 read_on, &self));
    ck_assert_int_eq(self.calls, 1);
    ck_assert_int_eq(run_number("select 1"), 1);
}
END_TEST

START_TEST(an_error_after_some_data)
{
    reader self = {.calls = 0};
    ends_badly(dbal_pool_copy_out(pool,
                                  "copy (select 1 / (5 - g) from generate_series(1, 10) g) "
                                  "to stdout",
                                  read_on, &self),
               DBAL_ERROR_DATA, "22012");
    ck_assert_int_eq(self.rows, 4);
    self = (reader){.pauses = 1};
    dbal_deferred *copy = dbal_deferred_ref(dbal_pool_copy_out(
        pool, "copy (select generate_series(1, 100000000)) to stdout", read_on, &self));
    loop_fixture_until(&fixture, has_read, &self);
    dbal_deferred_cancel(copy);
    ends_badly(copy, DBAL_ERROR_CANCELLED, "57014");
    dbal_deferred_unref(copy);
    ck_assert_int_eq(run_number("select 1"), 1);
}
END_TEST

/* ---- binary, and in order with others ---- */

typedef struct piping {
    reader out;
    writer in;
    int64_t copied;
} piping;

static void
begin_piping(dbal_copy *copy, void *arg)
{
    ((piping *)arg)->out.to = copy;
}

static bool
is_piping(void *arg)
{
    return ((piping *)arg)->out.to != NULL;
}

START_TEST(binary_from_one_table_to_another)
{
    dbal_pool *other = session_open("");
    piping self = {.copied = 0};
    RUN("create table copied (like t)");
    RUN("insert into t select g, 'name ' || g from generate_series(1, 20000) g");
    dbal_deferred *in = dbal_deferred_ref(
        dbal_pool_copy_in(other, "copy copied from stdin (format binary)", begin_piping, &self));
    loop_fixture_until(&fixture, is_piping, &self);
    ck_assert_int_eq(affected_by(dbal_pool_copy_out(pool, "copy t to stdout (format binary)",
                                                    read_on, &self.out)),
                     20000);
    dbal_copy_end(self.out.to);
    ck_assert_int_eq(affected_by(in), 20000);
    dbal_deferred_unref(in);
    ck_assert_int_eq(run_number("select count(*) from t join copied using (id, name)"), 20000);
}
END_TEST

static dbal_outcome
in_transaction(dbal_connection *connection, void *arg)
{
    piping *self = arg;
    dbal_connection_query(connection, "insert into t values (1000, 'first')", DBAL_NO_PARAMS);
    dbal_connection_copy_in(connection, "copy t from stdin", room, &self->in);
    dbal_connection_query(connection, "delete from t where id = 1", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_copy_out(connection, "copy t to stdout", read_on, &self->out));
}

START_TEST(in_a_transaction_all_is_in_order)
{
    piping self = {.in = {.rows = 5}};
    ends_well(dbal_pool_transaction(pool, NULL, in_transaction, &self));
    ck_assert_int_eq(self.out.rows, 5);
    ck_assert_int_eq(run_number("select count(*) from t"), 5);
    self = (piping){.in = {.rows = 50, .bad = 9}};
    RUN("delete from t");
    ends_badly(dbal_pool_transaction(pool, NULL, in_transaction, &self), DBAL_ERROR_INTERNAL,
               "25P02");
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
}
END_TEST

static dbal_outcome
reads_only(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_copy_in(connection, "copy t from stdin", room, arg));
}

/* ---- what is refused ---- */

static dbal_error *
error_of(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_error *error = dbal_error_ref(dbal_outcome_error(outcome));
    ck_assert_ptr_nonnull(error);
    dbal_outcome_clear(&outcome);
    return error;
}

static void
room_for_text(dbal_copy *copy, void *arg)
{
    dbal_copy_write(copy, arg, strlen(arg));
    dbal_copy_end(copy);
}

/* among thousands of rows: which one; and nothing of what it holds */
START_TEST(an_error_says_where_in_the_data)
{
    RUN("create table typed (id integer primary key, n integer)");
    dbal_error *error = error_of(
        dbal_pool_copy_in(pool, "copy typed from stdin", room_for_text, "1\t2\n2\tseven\n"));
    ck_assert_str_eq(dbal_error_detail(error), "COPY typed, line 2, column n");
    ck_assert_ptr_null(strstr(dbal_error_message(error), "seven"));
    dbal_error_unref(error);
    error =
        error_of(dbal_pool_copy_in(pool, "copy typed from stdin", room_for_text, "41\t2\n41\t3\n"));
    ck_assert_ptr_nonnull(strstr(dbal_error_detail(error), "COPY typed, line 2"));
    ck_assert_ptr_null(strstr(dbal_error_detail(error), "41"));
    dbal_error_unref(error);
}
END_TEST

START_TEST(what_is_no_such_copy_harms_nothing)
{
    writer in = {.rows = 1};
    reader out = {.calls = 0};
    ends_saying(dbal_pool_copy_in(pool, "copy t to stdout", room, &in), DBAL_ERROR_PROGRAMMING,
                "42601", DBAL_EXECUTION_NOT_SENT, "dbal_pool_copy_out()");
    ends_saying(dbal_pool_copy_out(pool, "copy t from stdin", read_on, &out),
                DBAL_ERROR_PROGRAMMING, "42601", DBAL_EXECUTION_NOT_SENT, "dbal_pool_copy_in()");
    ends_saying(dbal_pool_copy_in(pool, "copy t from '/dev/null'", room, &in),
                DBAL_ERROR_PROGRAMMING, "42601", DBAL_EXECUTION_NOT_SENT, "FROM STDIN");
    ends_saying(dbal_pool_copy_out(pool, "select 1", read_on, &out), DBAL_ERROR_PROGRAMMING,
                "42601", DBAL_EXECUTION_NOT_SENT, "TO STDOUT");
    ends_badly(dbal_pool_copy_out(pool, "copy t to stdout; drop table t", read_on, &out),
               DBAL_ERROR_PROGRAMMING, "42601");
    ends_badly(dbal_pool_transaction(pool, DBAL_TRANSACTION(.read_only = true), reads_only, &in),
               DBAL_ERROR_OPERATIONAL, "25006");
    ck_assert_int_eq(in.calls + out.calls, 0);
    ck_assert_int_eq(run_number("select count(*) from t"), 0);
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    dbal_pool_stats(pool, &counts);
    ck_assert_uint_eq(counts.opened, 1);
}
END_TEST

/* statements that are prepared and closed again may be on their way before it */
START_TEST(a_small_statement_cache_before_it)
{
    writer self = {.rows = 1};
    session_end();
    session_begin("pool_max_size=1&pool_statement_cache=1");
    RUN("create table t (id integer, name text)");
    for (int i = 0; i < 20; i++) {
        RUN("select 1");
        RUN("select 1");
        RUN("select 2");
        RUN("select 2");
        self = (writer){.rows = 1};
        ck_assert_int_eq(affected_by(dbal_pool_copy_in(pool, "copy t from stdin", room, &self)), 1);
    }
    ck_assert_int_eq(run_number("select count(*) from t"), 20);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("copy");
    suite_add(suite, what_is_written_is_in_the_table, before, after);
    suite_add(suite, a_lot_of_it, before, after);
    suite_add(suite, an_abort_says_why, before, after);
    suite_add(suite, an_error_comes_while_it_goes_on, before, after);
    suite_add(suite, an_error_that_comes_with_the_beginning, before, after);
    suite_add(suite, notices_do_no_harm, before, after);
    suite_add(suite, cancelled_nothing_is_kept, before, after);
    suite_add(suite, cancelled_while_the_server_takes_nothing, before, after);
    suite_add(suite, the_server_process_ends_in_the_middle, before, after);
    suite_add(suite, a_stopped_server_makes_nothing_grow, before, after);
    suite_add(suite, what_comes_out_is_whole, before, after);
    suite_add(suite, a_pause_holds_the_server_back, before, after);
    suite_add(suite, enough_is_enough, before, after);
    suite_add(suite, an_error_after_some_data, before, after);
    suite_add(suite, binary_from_one_table_to_another, before, after);
    suite_add(suite, in_a_transaction_all_is_in_order, before, after);
    suite_add(suite, an_error_says_where_in_the_data, before, after);
    suite_add(suite, what_is_no_such_copy_harms_nothing, before, after);
    suite_add(suite, a_small_statement_cache_before_it, before, after);
    return session_main(suite);
}
