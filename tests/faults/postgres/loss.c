/*
 * Servers and connections that end: every Deferred settles once with what is known of its statement,
 * what was never sent runs elsewhere, and the pool is there again soon after the server is.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/faults/postgres/fixture.h"

static bool
is_empty(void *arg)
{
    return counts(arg).connections == 0;
}

static const char sleeper[] = "select pg_sleep(1000)";

/* Inserts around a sleeper, all on their way on one connection. */
enum { AROUND = 20, MIDDLE = 7 };

static void
insert_around(seen *all)
{
    number("drop table if exists around");
    number("create table around(n int)");
    for (int i = 0; i < AROUND; i++)
        watch(i == MIDDLE ? ask(sleeper)
                          : dbal_pool_query(pool, "insert into around values ($1)",
                                            DBAL_PARAMS(dbal_int64(i))),
              &all[i]);
}

/* What is known of each is true. */
static void
look_around(const seen *all)
{
    for (int i = 0; i < AROUND; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "select count(*) from around where n = %d", i);
        int64_t rows = i != MIDDLE ? number(sql) : 0;
        ck_assert_int_le(rows, 1);
        if (i != MIDDLE && all[i].execution != DBAL_EXECUTION_UNKNOWN)
            ck_assert_int_eq(rows, all[i].error_class == 0);
    }
}

/* ---- one backend ---- */

START_TEST(terminated_in_the_middle_of_a_pipeline)
{
    for (int round = 0; round < 5; round++) {
        seen all[AROUND];
        pool = NULL;
        open_pool("pool_max_size=1");
        insert_around(all);
        terminate(until_at_work(sleeper));
        until_all(all, AROUND);
        for (int i = 0; i < AROUND; i++) {
            if (i == MIDDLE)
                is_lost(&all[i], "57P01");
            else
                is_good(&all[i]); /* those behind it were not begun, and ran elsewhere */
        }
        look_around(all);
        ck_assert_uint_eq(counts(pool).lost, 1);
    }
}
END_TEST

START_TEST(a_backend_is_killed)
{
    seen all[AROUND], other;
    dbal_pool *innocent;
    open_pool("pool_max_size=1");
    innocent = open_at(server.url, "pool_max_size=1");
    insert_around(all);
    watch(dbal_pool_query(innocent, "select pg_sleep(100)", DBAL_NO_PARAMS), &other);
    int64_t backend = until_at_work(sleeper);
    until_at_work("select pg_sleep(100)");
    kill((pid_t)backend, SIGKILL);
    until_all(all, AROUND);
    until_settled(&other);
    for (int i = 0; i < AROUND; i++) {
        if (i < MIDDLE)
            is_good(&all[i]);
        else if (i == MIDDLE)
            is_lost(&all[i], "08006");
        else if (all[i].error_class != 0)
            is_lost(&all[i], "08006");
    }
    /* the server ends all others too, and tells them why */
    is_lost(&other, "57P02");
    look_around(all);
}
END_TEST

START_TEST(an_idle_connection_that_dies_is_seen_at_once_and_replaced)
{
    open_pool("pool_min_size=3&pool_max_size=3");
    seen ready;
    watch(dbal_pool_ready(pool), &ready);
    until_settled(&ready);
    for (int round = 0; round < 5; round++) {
        uint64_t opened = counts(pool).opened;
        double began = seconds();
        postgres_run(server.url,
                     "select pg_terminate_backend(pid) from pg_stat_activity where pid <> "
                     "pg_backend_pid() and backend_type = 'client backend'");
        while (counts(pool).opened < opened + 3 || counts(pool).connections < 3) {
            ck_assert_double_lt(seconds() - began, 5);
            pass_time(0.01);
        }
        ck_assert_int_eq(number("select 11"), 11);
    }
    ck_assert_uint_gt(log_lines_count(&fixture.log, "terminating connection"), 0);
}
END_TEST

static dbal_outcome
die_in_transaction(dbal_connection *connection, void *arg)
{
    seen *all = arg;
    watch(dbal_connection_query(connection, "select 1", DBAL_NO_PARAMS), &all[0]);
    watch(dbal_connection_query(connection, "select pg_terminate_backend(pg_backend_pid())",
                                DBAL_NO_PARAMS),
          &all[1]);
    watch(dbal_connection_query(connection, "select 2", DBAL_NO_PARAMS), &all[2]);
    return dbal_wait(dbal_connection_query(connection, "select 3", DBAL_NO_PARAMS));
}

START_TEST(a_transaction_dies)
{
    seen all[3], end;
    open_pool("pool_max_size=1");
    watch(dbal_pool_transaction(pool, NULL, die_in_transaction, all), &end);
    until_settled(&end);
    until_all(all, 3);
    ck_assert(all[1].connection_lost && all[2].connection_lost && end.connection_lost);
    ck_assert_str_eq(all[1].sqlstate, "57P01");
    ck_assert_str_eq(all[2].sqlstate, "57P01");
    ck_assert_str_eq(end.sqlstate, "57P01");
    ck_assert_int_eq(number("select 12"), 12);
}
END_TEST

/* A session that begins, and then does nothing until it is told to go on. */
typedef struct idler {
    dbal_connection *connection;
    dbal_deferred *go_on;
    seen begun, after;
} idler;

static dbal_outcome
be_idle(dbal_connection *connection, void *arg)
{
    idler *self = arg;
    self->connection = connection;
    watch(dbal_connection_query(connection, "select 1", DBAL_NO_PARAMS), &self->begun);
    return dbal_wait(self->go_on);
}

/* The message comes while nothing is asked; what is asked then has it all the same. */
START_TEST(the_reason_of_an_idle_session_is_kept)
{
    seen end;
    idler self = {.connection = NULL};
    open_pool("pool_max_size=1&idle_in_transaction_session_timeout=200ms");
    self.go_on = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL));
    watch(dbal_pool_transaction(pool, NULL, be_idle, &self), &end);
    until_settled(&end);
    is_good(&self.begun);
    ck_assert_str_eq(end.sqlstate, "25P03");
    ck_assert(end.connection_lost);
    dbal_deferred_unref(self.go_on);
    dbal_deferred_fire(self.go_on, dbal_done());
    ck_assert_int_eq(number("select 1"), 1);
}
END_TEST

/* ---- the whole server ---- */

/* Nothing is left of the pool; then the server is there again, and so is the pool. */
static void
stop_and_return(const char *how, const char *sqlstate)
{
    seen busy, waiting;
    open_pool("pool_max_size=3");
    watch(ask(sleeper), &busy);
    until_at_work(sleeper);
    postgres_stop(&server, how);
    until_settled(&busy);
    is_lost(&busy, sqlstate);
    loop_fixture_until(&fixture, is_empty, pool);
    watch(ask("select 13"), &waiting);
    pass_time(3); /* the back-off is at its longest */
    ck_assert_int_eq(waiting.settled, 0);
    /* one probe at a time, and not many of them */
    ck_assert_uint_le(counts(pool).connect_errors, 30);
    postgres_restart(&server, how);
    double back = seconds();
    until_settled(&waiting);
    is_good(&waiting);
    /* a step of the back-off, and a second; the third is for a busy machine */
    ck_assert_double_lt(waiting.at - back, 3);
}

START_TEST(the_server_is_stopped_fast)
{
    stop_and_return("fast", "57P01");
}
END_TEST

START_TEST(the_server_is_stopped_at_once)
{
    stop_and_return("immediate", "57P01");
}
END_TEST

START_TEST(the_server_is_restarted_under_load)
{
    enum { MANY = 400 };
    static seen all[MANY];
    open_pool("pool_max_size=4");
    number("drop table if exists load");
    number("create table load(n int)");
    for (int i = 0; i < MANY; i++) {
        watch(dbal_pool_query(pool, "insert into load select $1 from pg_sleep(0.001)",
                              DBAL_PARAMS(dbal_int64(i))),
              &all[i]);
        if (i == MANY / 4) {
            pass_time(0.02);
            postgres_restart(&server, "fast");
        }
    }
    until_all(all, MANY);
    for (int i = 0; i < MANY; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "select count(*) from load where n = %d", i);
        if (all[i].execution == DBAL_EXECUTION_UNKNOWN && all[i].error_class != 0) {
            ck_assert_int_le(number(sql), 1);
            continue;
        }
        is_good(&all[i]);
        ck_assert_int_eq(number(sql), 1);
    }
}
END_TEST

START_TEST(a_frozen_server)
{
    enum { MANY = 30 };
    seen all[MANY], after;
    pulse heart;
    open_pool("pool_max_size=3&pool_cancel_timeout=0.5&pool_connect_timeout=2");
    postgres_freeze(&server);
    double began = seconds();
    pulse_start(&heart);
    for (int i = 0; i < MANY; i++)
        watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "select 14", .timeout = 0.3)), &all[i]);
    until_all(all, MANY);
    /* all at once, and not one after the other */
    ck_assert_double_lt(seconds() - began, 6);
    for (int i = 0; i < MANY; i++)
        ck_assert_msg(all[i].error_class == DBAL_ERROR_TIMEOUT, "%d: %s %s: %s", i,
                      dbal_error_class_name(all[i].error_class), all[i].sqlstate, all[i].message);
    watch(ask("select 15"), &after);
    pass_time(0.5);
    ck_assert_int_eq(after.settled, 0);
    ck_assert_double_lt(pulse_stop(&heart), 0.3);
    postgres_thaw(&server);
    double back = seconds();
    until_settled(&after);
    is_good(&after);
    ck_assert_double_lt(after.at - back, 5);
}
END_TEST

/* Another pool of the same loop is not kept waiting by one whose server does not answer. */
START_TEST(a_frozen_server_is_no_other_pools_trouble)
{
    seen frozen[8], other;
    static postgres healthy;
    postgres_start(&healthy, NULL);
    postgres_freeze(&server);
    pool = open_at(server.url, "pool_max_size=8&pool_connect_timeout=30");
    for (int i = 0; i < 8; i++)
        watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "select 16", .timeout = 30)), &frozen[i]);
    dbal_pool *third =
        open_at(server.url, "pool_max_size=8&pool_connect_timeout=30&application_name=third");
    seen more;
    watch(dbal_pool_run(third, DBAL_QUERY(.sql = "select 16", .timeout = 30)), &more);
    pass_time(0.3);
    double began = seconds();
    dbal_pool *good = open_at(healthy.url, "");
    watch(dbal_pool_query(good, "select 17", DBAL_NO_PARAMS), &other);
    until_settled(&other);
    is_good(&other);
    ck_assert_double_lt(other.at - began, 10);
    postgres_thaw(&server);
    until_all(frozen, 8);
    until_settled(&more);
    postgres_remove(&healthy);
}
END_TEST

/* ---- descriptors that others open ---- */

static atomic_bool enough;

/* Takes each number that becomes free, at once; what it holds is always readable. */
static void *
take_descriptors(void *arg)
{
    (void)arg;
    while (!atomic_load(&enough)) {
        int held[4][2];
        for (int i = 0; i < 4; i++) {
            if (pipe2(held[i], O_CLOEXEC) != 0 || write(held[i][1], "x", 1) != 1)
                abort();
        }
        for (int i = 0; i < 4; i++) {
            close(held[i][0]);
            close(held[i][1]);
        }
    }
    return NULL;
}

static void
read_link(int fd, char *target, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(path, target, size - 1);
    target[got > 0 ? got : 0] = '\0';
}

static int
epoll_descriptor(void)
{
    char target[64];
    for (int fd = 3; fd < 256; fd++) {
        read_link(fd, target, sizeof target);
        if (strstr(target, "[eventpoll]") != NULL)
            return fd;
    }
    ck_abort_msg("libev has no epoll descriptor");
    return -1;
}

/* libev's epoll set holds nobody's pipe. */
static void
polls_nothing_foreign(int epoll)
{
    char path[64], line[200], target[64];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        int fd;
        if (sscanf(line, "tfd: %d", &fd) != 1)
            continue;
        read_link(fd, target, sizeof target);
        ck_assert_msg(strncmp(target, "pipe:", 5) != 0, "%s is polled", target);
    }
    fclose(file);
}

START_TEST(descriptors_that_are_used_again_at_once)
{
    pthread_t thread;
    unsigned rounds = is_full_run() ? 1000 : 300;
    int epoll = epoll_descriptor();
    atomic_store(&enough, false);
    open_pool("pool_max_size=2&pool_pipeline_wait=0");
    ck_assert_uint_eq(ev_backend(fixture.ev), EVBACKEND_EPOLL);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_descriptors, NULL), 0);
    for (unsigned i = 0; i < rounds; i++) {
        seen dying, other;
        watch(ask("select pg_terminate_backend(pg_backend_pid())"), &dying);
        watch(ask("select 20"), &other);
        until_settled(&dying);
        is_lost(&dying, "57P01");
        until_settled(&other);
        is_good(&other);
        if (i % 16 == 0)
            polls_nothing_foreign(epoll);
    }
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
    ck_assert_int_eq(number("select 21"), 21);
}
END_TEST

/* ---- a stream that is held back when it dies ---- */

typedef struct reader {
    dbal_stream *stream;
    int64_t rows;
} reader;

static dbal_flow
read_one(dbal_stream *stream, dbal_result *batch, void *arg)
{
    reader *self = arg;
    self->stream = stream;
    bool first = self->rows == 0;
    self->rows += (int64_t)dbal_result_row_count(batch);
    return first ? DBAL_PAUSE : DBAL_CONTINUE;
}

static bool
has_rows(void *arg)
{
    return ((reader *)arg)->rows > 0;
}

START_TEST(a_stream_dies_while_its_consumer_rests)
{
    static const char sql[] = "select generate_series(1, 2000000000), repeat('x', 300)";
    reader rows = {.rows = 0};
    seen one;
    open_pool("pool_max_size=1");
    watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = sql), read_one, &rows), &one);
    loop_fixture_until(&fixture, has_rows, &rows);
    terminate(until_at_work(sql));
    pass_time(0.2);
    ck_assert_int_eq(one.settled, 0);
    dbal_stream_resume(rows.stream);
    until_settled(&one);
    ck_assert(one.connection_lost);
    ck_assert_int_eq(number("select 22"), 22);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-loss");
    postgres_start(&server, NULL);
    hunt_add(suite, terminated_in_the_middle_of_a_pipeline, 60);
    hunt_add(suite, a_backend_is_killed, 60);
    hunt_add(suite, an_idle_connection_that_dies_is_seen_at_once_and_replaced, 60);
    hunt_add(suite, a_transaction_dies, 60);
    hunt_add(suite, the_reason_of_an_idle_session_is_kept, 60);
    hunt_add(suite, the_server_is_stopped_fast, 60);
    hunt_add(suite, the_server_is_stopped_at_once, 60);
    hunt_add(suite, the_server_is_restarted_under_load, 60);
    hunt_add(suite, a_frozen_server, 60);
    hunt_add(suite, a_frozen_server_is_no_other_pools_trouble, 60);
    hunt_add(suite, descriptors_that_are_used_again_at_once, 200);
    hunt_add(suite, a_stream_dies_while_its_consumer_rests, 60);
    return suite_run(suite);
}
