#include "tests/faults/postgres/play.h"

#include <stdio.h>
#include <string.h>

const char *const gates[] = {"pool_max_size=1", "pool_max_size=1&pool_gate=thread"};

seen
finished(dbal_deferred *deferred)
{
    seen one;
    watch(deferred, &one);
    until_settled(&one);
    return one;
}

void
works(dbal_deferred *deferred)
{
    seen one = finished(deferred);
    is_good(&one);
}

void
fails(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate)
{
    seen one = finished(deferred);
    is_bad(&one, error_class, sqlstate, DBAL_EXECUTION_FAILED);
}

dbal_deferred *
timed(const char *sql, double timeout)
{
    return dbal_pool_run(pool, DBAL_QUERY(.sql = sql, .timeout = timeout));
}

static dbal_outcome go_on(script *self);

static dbal_outcome
check_line(dbal_outcome in, void *arg)
{
    script *self = arg;
    const line *one = self->at++;
    const dbal_error *error = dbal_outcome_error(in);
    dbal_result *result = dbal_outcome_result(in);
    char got[100] = "";
    if (error != NULL)
        snprintf(got, sizeof got, "!%s", dbal_error_sqlstate(error));
    else if (result != NULL && one->gives[0] != '\0')
        snprintf(got, sizeof got, "%s", dbal_result_text(result, 0, 0));
    ck_assert_msg(strcmp(got, one->gives) == 0, "%s with %g s: %s, and not %s", one->sql,
                  one->timeout, got, one->gives);
    return self->fails && self->at->sql == NULL ? in : go_on(self);
}

static dbal_outcome
go_on(script *self)
{
    if (self->at->sql == NULL)
        return dbal_done();
    dbal_deferred *one = dbal_connection_run(
        self->connection, DBAL_QUERY(.sql = self->at->sql, .timeout = self->at->timeout));
    return dbal_wait(dbal_deferred_add_both(one, check_line, self));
}

dbal_outcome
play(dbal_connection *connection, void *arg)
{
    script *self = arg;
    self->connection = connection;
    return go_on(self);
}

void
in_session(const line *lines)
{
    script one = {.at = lines};
    works(dbal_pool_session(pool, NULL, play, &one));
    ck_assert_ptr_null(one.at->sql);
}

void
in_transaction(const line *lines)
{
    script one = {.at = lines};
    works(dbal_pool_transaction(pool, NULL, play, &one));
    ck_assert_ptr_null(one.at->sql);
}

void
play_add(Suite *suite, const TTest *test, int times)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, fixture_init, fixture_fini);
    tcase_set_timeout(one, 60);
    tcase_add_loop_test(one, test, 0, times);
    suite_add_tcase(suite, one);
}
