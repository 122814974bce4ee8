#include "tests/contract/contract.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/suite.h"

const contract_target *target;
loop_fixture fixture;
dbal_pool *pool;

dbal_pool *
contract_open(dbal_loop *loop, const char *settings)
{
    char *url = contract_url(settings);
    dbal_error *error = NULL;
    dbal_pool *made = dbal_pool_open(loop, url, NULL, &error);
    free(url);
    /* a URL may hold a password, and is not shown */
    ck_assert_msg(made != NULL, "a pool with \"%s\": %s", settings, dbal_error_message(error));
    return made;
}

char *
contract_text(const char *format, ...)
{
    char *made = NULL;
    va_list list;
    va_start(list, format);
    int size = vasprintf(&made, format, list);
    va_end(list);
    ck_assert_int_ge(size, 0);
    return made;
}

char *
contract_url_add(char *url, const char *setting)
{
    if (setting[0] == '\0')
        return url;
    const char *sign = strchr(url, '?') != NULL ? "&" : "?";
    char *made = contract_text("%s%s%s", url, sign, setting);
    free(url);
    return made;
}

char *
contract_script(const char *const statements[])
{
    size_t size = 1;
    for (size_t i = 0; statements[i] != NULL; i++)
        size += strlen(statements[i]) + 1;
    char *made = malloc(size), *end = made;
    ck_assert_ptr_nonnull(made);
    for (size_t i = 0; statements[i] != NULL; i++)
        end += sprintf(end, "%s;", statements[i]);
    return made;
}

static dbal_outcome
run_script(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_script(connection, arg));
}

void
contract_drop(void)
{
    const char *sql = target->sql->drop;
    if (sql != NULL)
        good(dbal_pool_session(pool, NULL, run_script, (void *)(uintptr_t)sql));
}

static void
before(void)
{
    contract_place_make();
    loop_fixture_init(&fixture);
    pool = contract_open(fixture.loop, "");
    good(dbal_pool_ready(pool));
    if ((target->quirks & CONTRACT_STAYS) != 0)
        contract_drop();
    if (target->sql->create != NULL)
        good(dbal_pool_session(pool, NULL, run_script, (void *)(uintptr_t)target->sql->create));
}

static void
after(void)
{
    loop_fixture_fini(&fixture);
    contract_place_remove();
}

void
contract_add(Suite *suite, const TTest *test)
{
    suite_add(suite, test, before, after);
}

void
good_outcome(dbal_outcome outcome)
{
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
}

void
bad_outcome(dbal_outcome outcome, dbal_error_class error_class, const char *sqlstate,
            dbal_execution execution)
{
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_is(error, error_class), "%s: %s",
                  dbal_error_class_name(dbal_error_kind(error)), dbal_error_message(error));
    ck_assert_str_eq(dbal_error_sqlstate(error), sqlstate);
    ck_assert_msg(dbal_error_execution(error) == execution, "%s: execution %d",
                  dbal_error_message(error), (int)dbal_error_execution(error));
    dbal_outcome_clear(&outcome);
}

void
good(dbal_deferred *deferred)
{
    good_outcome(loop_fixture_await(&fixture, deferred));
}

void
bad(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate,
    dbal_execution execution)
{
    bad_outcome(loop_fixture_await(&fixture, deferred), error_class, sqlstate, execution);
}

void
contract_time_out(dbal_deferred *(*ask)(double timeout, void *arg), void *arg)
{
    bool begun = false;
    for (double timeout = 0.05; !begun; timeout *= 4) {
        dbal_outcome outcome = loop_fixture_await(&fixture, ask(timeout, arg));
        dbal_error *error = dbal_outcome_error(outcome);
        begun =
            error == NULL || timeout > 2 || dbal_error_execution(error) != DBAL_EXECUTION_NOT_SENT;
        bad_outcome(outcome, DBAL_ERROR_TIMEOUT, "57014",
                    begun ? DBAL_EXECUTION_FAILED : DBAL_EXECUTION_NOT_SENT);
    }
}

int64_t
number(const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_NO_PARAMS));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

int64_t
value_now(void)
{
    return number(SQL(get));
}

dbal_deferred *
add_to_value(int64_t much)
{
    return dbal_pool_query(pool, SQL(add), DBAL_PARAMS(dbal_int64(much)));
}

static bool
is_running(void *arg)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    (void)arg;
    dbal_pool_stats(pool, &counts);
    return counts.running > 0;
}

void
until_running(void)
{
    loop_fixture_until(&fixture, is_running, NULL);
}

dbal_outcome
count_settled(dbal_outcome in, void *arg)
{
    (void)in;
    ++*(int *)arg;
    return dbal_done();
}

dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}
