#include "tests/faults/postgres/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

postgres server;
loop_fixture fixture;
dbal_pool *pool;

void
fixture_init(void)
{
    postgres_heal(&server);
    loop_fixture_init(&fixture);
    pool = NULL;
}

void
fixture_fini(void)
{
    loop_fixture_fini(&fixture);
}

dbal_pool *
open_at(const char *url, const char *parameters)
{
    char whole[400];
    dbal_error *error = NULL;
    snprintf(whole, sizeof whole, "%s%s%s", url,
             parameters[0] == '\0'      ? ""
             : strchr(url, '?') != NULL ? "&"
                                        : "?",
             parameters);
    dbal_pool *made = dbal_pool_open(fixture.loop, whole, NULL, &error);
    ck_assert_msg(made != NULL, "%s: %s", whole, dbal_error_message(error));
    return made;
}

void
open_pool(const char *parameters)
{
    seen one;
    pool = open_at(server.url, parameters);
    watch(dbal_pool_ready(pool), &one);
    until_settled(&one);
    is_good(&one);
}

dbal_deferred *
ask(const char *sql)
{
    return dbal_pool_query(pool, sql, DBAL_NO_PARAMS);
}

static dbal_outcome
look(dbal_outcome in, void *arg)
{
    seen *one = arg;
    dbal_error *error = dbal_outcome_error(in);
    dbal_result *result = dbal_outcome_result(in);
    ck_assert_int_eq(one->settled++, 0);
    one->at = seconds();
    if (error != NULL) {
        one->error_class = dbal_error_kind(error);
        one->execution = dbal_error_execution(error);
        one->connection_lost = dbal_error_connection_lost(error);
        snprintf(one->sqlstate, sizeof one->sqlstate, "%s", dbal_error_sqlstate(error));
        snprintf(one->message, sizeof one->message, "%s", dbal_error_message(error));
    }
    if (result != NULL && dbal_result_column_count(result) > 0 &&
        (one->rows = dbal_result_row_count(result)) > 0) {
        snprintf(one->text, sizeof one->text, "%s", dbal_result_text(result, 0, 0));
        one->value = strtoll(one->text, NULL, 10);
    }
    return dbal_done();
}

dbal_deferred *
watch(dbal_deferred *deferred, seen *one)
{
    *one = (seen){.settled = 0};
    return dbal_deferred_add_both(deferred, look, one);
}

static bool
has_settled(void *arg)
{
    return ((seen *)arg)->settled != 0;
}

void
until_settled(seen *one)
{
    loop_fixture_until(&fixture, has_settled, one);
}

void
until_all(seen *all, int count)
{
    for (int i = 0; i < count; i++)
        until_settled(&all[i]);
}

static bool
is_true(void *arg)
{
    return *(const bool *)arg;
}

void
until_true(const bool *flag)
{
    loop_fixture_until(&fixture, is_true, (void *)(uintptr_t)flag);
}

static bool
is_over(void *arg)
{
    return seconds() >= *(const double *)arg;
}

void
pass_time(double time)
{
    double end = seconds() + time;
    loop_fixture_until(&fixture, is_over, &end);
}

int64_t
number(const char *sql)
{
    seen one;
    watch(ask(sql), &one);
    until_settled(&one);
    is_good(&one);
    return one.value;
}

void
is_good(const seen *one)
{
    ck_assert_int_eq(one->settled, 1);
    ck_assert_msg(one->error_class == 0, "%s %s: %s", dbal_error_class_name(one->error_class),
                  one->sqlstate, one->message);
}

void
is_bad(const seen *one, dbal_error_class error_class, const char *sqlstate,
       dbal_execution execution)
{
    ck_assert_int_eq(one->settled, 1);
    ck_assert_msg(one->error_class == error_class && strcmp(one->sqlstate, sqlstate) == 0 &&
                      one->execution == execution,
                  "%s %s, execution %d: %s", dbal_error_class_name(one->error_class), one->sqlstate,
                  (int)one->execution, one->message);
}

dbal_pool_counts
counts(const dbal_pool *of)
{
    dbal_pool_counts now = {.size = sizeof now};
    dbal_pool_stats(of, &now);
    return now;
}

double
seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

size_t
resident(void)
{
    size_t size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%zu %zu", &size, &pages), 2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

bool
is_full_run(void)
{
    return getenv("DBAL_TEST_FULL") != NULL;
}

/* Without the time for which this thread could have gone on, and got no processor. */
static double
own_seconds(const pulse *self)
{
    char text[80] = "";
    unsigned long long ran = 0, waited = 0;
    if (self->statistics >= 0 && pread(self->statistics, text, sizeof text - 1, 0) > 0)
        sscanf(text, "%llu %llu", &ran, &waited);
    return seconds() - (double)waited / 1e9;
}

static void
beat(struct ev_loop *ev, ev_timer *timer, int events)
{
    pulse *self = timer->data;
    double now = own_seconds(self);
    (void)ev, (void)events;
    if (now - self->last > self->worst)
        self->worst = now - self->last;
    self->last = now;
}

void
pulse_start(pulse *self)
{
    *self = (pulse){.statistics = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)};
    self->last = own_seconds(self);
    ev_timer_init(&self->timer, beat, 0.002, 0.002);
    self->timer.data = self;
    ev_timer_start(fixture.ev, &self->timer);
}

double
pulse_stop(pulse *self)
{
    ev_timer_stop(fixture.ev, &self->timer);
    if (self->statistics >= 0)
        close(self->statistics);
    return self->worst;
}

void
hunt_add(Suite *suite, const TTest *test, int timeout)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, timeout);
    tcase_add_checked_fixture(one, fixture_init, fixture_fini);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
}

/* ---- who is at work on the server ---- */

static int64_t
backend_of(const char *sql)
{
    char text[300];
    snprintf(text, sizeof text,
             "select coalesce((select pid from pg_stat_activity where query = $q$%s$q$ and "
             "state = 'active' limit 1), 0)",
             sql);
    return postgres_number(server.url, text);
}

static bool
is_at_work(void *arg)
{
    return backend_of(arg) != 0;
}

int64_t
until_at_work(const char *sql)
{
    loop_fixture_until(&fixture, is_at_work, (void *)(uintptr_t)sql);
    return backend_of(sql);
}

void
terminate(int64_t backend)
{
    char sql[80];
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld)", (long long)backend);
    postgres_run(server.url, sql);
}

void
is_lost(const seen *one, const char *sqlstate)
{
    is_bad(one, DBAL_ERROR_OPERATIONAL, sqlstate, DBAL_EXECUTION_UNKNOWN);
    ck_assert(one->connection_lost);
}
