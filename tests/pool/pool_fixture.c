#include "tests/pool/pool_fixture.h"

#include <stdio.h>
#include <string.h>

#include "dbal/clock.h"
#include "tests/lib/fake_driver.h"

loop_fixture fixture;
fake_script *script;
dbal_pool *pool;

static int order;

void
pool_fixture_init(void)
{
    fake_drivers_register();
    script = fake_script_get("pool");
    fake_script_clear(script);
    loop_fixture_init(&fixture);
    fake_script_watch(script, fixture.ev);
    pool = NULL;
    order = 0;
}

void
pool_fixture_fini(void)
{
    fake_script_watch(script, NULL);
    loop_fixture_fini(&fixture);
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
}

void
open_pool(const char *scheme, const char *parameters)
{
    char url[256];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "%s:pool?%s", scheme, parameters);
    pool = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
}

void
open_driven(const char *scheme, const char *parameters)
{
    open_pool(scheme, parameters);
    good(dbal_pool_ready(pool));
    loop_fixture_drive(&fixture);
}

dbal_deferred *
ask(const char *sql)
{
    return dbal_pool_query(pool, sql, DBAL_NO_PARAMS);
}

void
good(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
}

void
bad(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate,
    dbal_execution execution, const char *text)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_is(error, error_class), "%s: %s",
                  dbal_error_class_name(dbal_error_kind(error)), dbal_error_message(error));
    ck_assert_str_eq(dbal_error_sqlstate(error), sqlstate);
    ck_assert_int_eq(dbal_error_execution(error), execution);
    if (text != NULL)
        ck_assert_msg(strstr(dbal_error_message(error), text) != NULL, "%s lacks \"%s\"",
                      dbal_error_message(error), text);
    dbal_outcome_clear(&outcome);
}

int64_t
number(const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, ask(sql));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

typedef struct wanted {
    const int *count;
    int least;
} wanted;

static bool
is_reached(void *arg)
{
    const wanted *one = arg;
    return fake_script_count(script, one->count) >= one->least;
}

void
until_count(const int *count, int least)
{
    wanted one = {count, least};
    loop_fixture_until(&fixture, is_reached, &one);
}

dbal_pool_counts
counts_now(void)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    return counts;
}

static bool
has_connections(void *arg)
{
    return counts_now().connections == *(int *)arg;
}

void
until_connections(int count)
{
    loop_fixture_until(&fixture, has_connections, &count);
}

void
settle(void)
{
    for (int i = 0; i < 5; i++)
        ev_run(fixture.ev, EVRUN_NOWAIT);
}

const double TURN = 50e-6;

void
pass(double seconds)
{
    dbal__clock *clock = &dbal__ready_of(fixture.loop)->clock;
    for (int64_t end = dbal__after(dbal__clock_now(clock), seconds);
         dbal__clock_now(clock) < end;) {
        loop_fixture_advance(&fixture, TURN);
        settle();
    }
}

static dbal_outcome
look(dbal_outcome in, void *arg)
{
    seen *one = arg;
    dbal_error *error = dbal_outcome_error(in);
    ck_assert_int_eq(one->settled++, 0);
    one->error_class = error != NULL ? dbal_error_kind(error) : 0;
    one->execution = dbal_error_execution(error);
    one->order = ++order;
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

static dbal_outcome
keep(dbal_connection *connection, void *arg)
{
    holder *one = arg;
    one->connection = connection;
    return dbal_wait(one->release);
}

dbal_deferred *
hold(holder *one)
{
    *one = (holder){.release = dbal_deferred_ref(dbal_deferred_new(fixture.loop, NULL, NULL))};
    return watch(dbal_pool_session(pool, DBAL_SESSION(.label = "holder"), keep, one), &one->end);
}

void
let_go(holder *one)
{
    dbal_deferred_unref(one->release);
    dbal_deferred_fire(one->release, dbal_done());
    one->release = NULL;
}

static bool
is_held(void *arg)
{
    return ((holder *)arg)->connection != NULL;
}

void
until_held(holder *one)
{
    loop_fixture_until(&fixture, is_held, one);
}
