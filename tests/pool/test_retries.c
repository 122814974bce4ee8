/* Transactions that the database asks to run again, at a statement or at their COMMIT. */
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", "pool_max_size=1"},
    {"native", "pool_max_size=1"},
    {"native", "pool_max_size=1&pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

/* A piece of work that adds 1, and fails the first times. */
typedef struct work {
    const char *failure; /* a statement */
    unsigned failures;   /* how many times */
    unsigned attempts;
    seen behind; /* handed down with the failure */
    dbal_deferred *itself;
    bool handles, cancels;
} work;

static dbal_outcome
forgive(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static dbal_outcome
cancel_itself(dbal_outcome in, void *arg)
{
    dbal_deferred_cancel(((work *)arg)->itself);
    return in;
}

static dbal_outcome
add_one(dbal_connection *connection, void *arg)
{
    work *self = arg;
    self->attempts++;
    ck_assert_uint_eq(dbal_connection_attempt(connection), self->attempts);
    dbal_deferred *added = dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS);
    if (self->attempts > self->failures)
        return dbal_wait(added);
    dbal_deferred *failed = dbal_connection_query(connection, self->failure, DBAL_NO_PARAMS);
    if (self->handles)
        dbal_deferred_add_errback(failed, forgive, NULL);
    if (self->cancels)
        dbal_deferred_add_both(failed, cancel_itself, self);
    watch(dbal_connection_query(connection, "add 10", DBAL_NO_PARAMS), &self->behind);
    return dbal_wait(failed);
}

static dbal_deferred *
transact(work *self, int retries)
{
    return dbal_pool_transaction(pool, DBAL_TRANSACTION(.retries = retries), add_one, self);
}

static void
open_target(int target)
{
    open_pool(targets[target][0], targets[target][1]);
}

START_TEST(one_that_may_pass_runs_again)
{
    static const char *const failures[] = {"fail '40001'", "fail '40P01'"};
    open_target(_i);
    for (int i = 0; i < 2; i++) {
        work self = {.failure = failures[i], .failures = 3};
        good(transact(&self, 3));
        ck_assert_uint_eq(self.attempts, 4);
        ck_assert_int_eq(self.behind.settled, 1);
        ck_assert_int_eq(number("get"), i + 1);
        ck_assert_uint_eq(counts_now().retries, 3 * ((unsigned)i + 1));
    }
    ck_assert_uint_eq(counts_now().opened, 1);
    ck_assert_int_eq(counts_now().held, 0);
}
END_TEST

START_TEST(as_often_as_it_may)
{
    open_target(_i);
    work self = {.failure = "fail '40001'", .failures = 9};
    bad(transact(&self, 3), DBAL_ERROR_OPERATIONAL, "40001", DBAL_EXECUTION_FAILED, NULL);
    ck_assert_uint_eq(self.attempts, 4);
    ck_assert_int_eq(number("get"), 0);
    work once = {.failure = "fail '40001'", .failures = 9};
    bad(transact(&once, 0), DBAL_ERROR_OPERATIONAL, "40001", DBAL_EXECUTION_FAILED, NULL);
    ck_assert_uint_eq(once.attempts, 1);
    ck_assert_uint_eq(counts_now().retries, 3);
}
END_TEST

START_TEST(others_do_not_run_again)
{
    open_target(_i);
    work self = {.failure = "fail '23505'", .failures = 9};
    bad(transact(&self, 3), DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED, NULL);
    ck_assert_uint_eq(self.attempts, 1);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

START_TEST(what_the_work_handled_is_its_own)
{
    open_target(_i);
    work self = {.failure = "fail '40001'", .failures = 9, .handles = true};
    good(transact(&self, 3));
    ck_assert_uint_eq(self.attempts, 1);
    ck_assert_int_eq(number("get"), 11);
}
END_TEST

static dbal_outcome
wait_for_the_last(dbal_connection *connection, void *arg)
{
    work *self = arg;
    if (self->attempts++ < self->failures)
        dbal_connection_query(connection, self->failure, DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(
        connection, self->attempts <= self->failures ? "fail '25P02'" : "add 1", DBAL_NO_PARAMS));
}

START_TEST(what_failed_first_counts)
{
    open_target(_i);
    work self = {.failure = "fail '40001'", .failures = 2};
    good(dbal_pool_transaction(pool, DBAL_TRANSACTION(.retries = 3), wait_for_the_last, &self));
    ck_assert_uint_eq(self.attempts, 3);
    ck_assert_int_eq(number("get"), 1);
    work other = {.failure = "fail '23505'", .failures = 2};
    bad(dbal_pool_transaction(pool, DBAL_TRANSACTION(.retries = 3), wait_for_the_last, &other),
        DBAL_ERROR_OPERATIONAL, "25P02", DBAL_EXECUTION_FAILED, NULL);
    ck_assert_uint_eq(other.attempts, 1);
}
END_TEST

START_TEST(a_commit_that_fails_so_runs_all_again)
{
    open_target(_i);
    work self = {.failures = 0};
    script->fail_commit = 1;
    good(transact(&self, 1));
    ck_assert_uint_eq(self.attempts, 2);
    ck_assert_int_eq(number("get"), 1);
    ck_assert(fake_script_ran(script, "begin|add 1|commit|begin|add 1|commit|get|"));
}
END_TEST

START_TEST(a_commit_that_fails_so_is_an_error_without_retries)
{
    open_target(_i);
    work self = {.failures = 0};
    script->fail_commit = 1;
    bad(transact(&self, 0), DBAL_ERROR_OPERATIONAL, "40001", DBAL_EXECUTION_FAILED, NULL);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

START_TEST(a_commit_whose_answer_is_lost_is_unknown)
{
    open_target(_i);
    work self = {.failures = 0};
    script->lose_commit = 1;
    dbal_outcome outcome = loop_fixture_await(&fixture, transact(&self, 5));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    ck_assert(dbal_error_connection_lost(error));
    ck_assert(!dbal_error_retryable(error));
    dbal_outcome_clear(&outcome);
    ck_assert_uint_eq(self.attempts, 1);
    ck_assert_int_eq(number("get"), 1); /* nobody could know, and it was done */
}
END_TEST

START_TEST(a_lost_connection_is_not_tried_again)
{
    open_target(_i);
    work self = {.failure = "lose", .failures = 9};
    dbal_outcome outcome = loop_fixture_await(&fixture, transact(&self, 5));
    ck_assert(dbal_error_connection_lost(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
    ck_assert_uint_eq(self.attempts, 1);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

START_TEST(one_that_was_cancelled_does_not_run_again)
{
    open_target(_i);
    work self = {.failure = "fail '40001'", .failures = 9, .cancels = true};
    seen end;
    self.itself = dbal_deferred_ref(transact(&self, 5));
    watch(self.itself, &end);
    until_settled(&end);
    dbal_deferred_unref(self.itself);
    ck_assert_int_ne(end.error_class, 0);
    ck_assert_uint_eq(self.attempts, 1);
    ck_assert_int_eq(number("get"), 0);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, TARGETS);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("retries");
    add(suite, one_that_may_pass_runs_again);
    add(suite, as_often_as_it_may);
    add(suite, others_do_not_run_again);
    add(suite, what_the_work_handled_is_its_own);
    add(suite, what_failed_first_counts);
    add(suite, a_commit_that_fails_so_runs_all_again);
    add(suite, a_commit_that_fails_so_is_an_error_without_retries);
    add(suite, a_commit_whose_answer_is_lost_is_unknown);
    add(suite, a_lost_connection_is_not_tried_again);
    add(suite, one_that_was_cancelled_does_not_run_again);
    return suite_run(suite);
}
