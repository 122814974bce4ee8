/* Backups that take their time: how far they are, cancelled, closed over. */
#include <stdio.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

typedef struct hearer {
    int calls;
    int64_t done;
    dbal_deferred *backup; /* cancelled when it hears of 3, if it is there */
} hearer;

static void
hear(int64_t done, int64_t total, void *arg)
{
    hearer *self = arg;
    ck_assert_int_eq(total, 10);
    ck_assert_int_ge(done, self->done);
    self->calls++;
    self->done = done;
    if (done == 3)
        dbal_deferred_cancel(self->backup);
}

static bool
has_heard(void *arg)
{
    return ((hearer *)arg)->calls > 0;
}

START_TEST(it_tells_how_far_it_is_while_it_runs)
{
    hearer self = {.calls = 0};
    seen end;
    open_pool("fake", "");
    watch(dbal_pool_backup(pool, "progress 2 10 wait g progress 10 10", hear, &self), &end);
    loop_fixture_until(&fixture, has_heard, &self);
    ck_assert_int_eq(self.done, 2);
    good(ask("get")); /* others go on */
    ck_assert_int_eq(end.settled, 0);
    fake_script_open_gate(script, "g");
    until_settled(&end);
    ck_assert_int_eq(end.error_class, 0);
    ck_assert_int_eq(self.done, 10);
}
END_TEST

/* words that come quickly are left out, the last is not */
START_TEST(it_does_not_tell_too_often)
{
    static char words[16384];
    hearer self = {.calls = 0};
    size_t used = 0;
    for (int i = 0; i < 900; i++)
        used += (size_t)sprintf(words + used, "progress %d 10 ", i / 100);
    sprintf(words + used, "progress 10 10");
    open_pool("fake", "");
    good(dbal_pool_backup(pool, words, hear, &self));
    ck_assert_int_eq(self.done, 10);
    ck_assert_int_ge(self.calls, 1);
    ck_assert_int_lt(self.calls, 100);
}
END_TEST

START_TEST(cancelled_in_the_middle_it_tells_no_more)
{
    hearer self = {.calls = 0};
    seen end;
    open_pool("fake", "");
    self.backup = dbal_deferred_ref(
        dbal_pool_backup(pool, "progress 3 10 wait never progress 10 10", hear, &self));
    watch(self.backup, &end);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(end.execution, DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(self.calls, 1);
    dbal_deferred_unref(self.backup);
    good(ask("get"));
    ck_assert_uint_eq(counts_now().lost, 0);
}
END_TEST

START_TEST(the_programs_own_time_limit_ends_it)
{
    seen end;
    open_pool("fake", "pool_query_timeout=0.01");
    dbal_deferred *backup = dbal_pool_backup(pool, "wait never", NULL, NULL);
    dbal_deferred_add_timeout(backup, 0.1);
    watch(backup, &end);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_TIMEOUT);
    good(ask("get"));
    /* the pool's limit is for queries */
    backup = dbal_deferred_ref(dbal_pool_backup(pool, "wait g", NULL, NULL));
    watch(ask("wait never"), &end);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_TIMEOUT);
    fake_script_open_gate(script, "g");
    good(backup);
    dbal_deferred_unref(backup);
}
END_TEST

START_TEST(one_that_hangs_is_given_up)
{
    hearer self = {.calls = 0};
    seen end;
    open_driven("fake", "pool_cancel_timeout=2");
    dbal_deferred *backup = dbal_deferred_ref(
        dbal_pool_backup(pool, "progress 1 10 hang g progress 9 10", hear, &self));
    watch(backup, &end);
    loop_fixture_until(&fixture, has_heard, &self);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(backup);
    loop_fixture_advance(&fixture, 3);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(end.execution, DBAL_EXECUTION_UNKNOWN);
    dbal_deferred_unref(backup);
    fake_script_open_gate(script, "g");
    good(ask("get"));
    good(dbal_pool_close(pool));
    ck_assert_int_eq(self.calls, 1);
}
END_TEST

START_TEST(its_failure_is_told)
{
    hearer self = {.calls = 0};
    open_pool("fake", "");
    bad(dbal_pool_backup(pool, "fail '58030'", hear, &self), DBAL_ERROR_OPERATIONAL, "58030",
        DBAL_EXECUTION_FAILED, "backup: ");
    ck_assert_int_eq(self.calls, 0);
}
END_TEST

START_TEST(the_loop_freed_while_it_runs)
{
    hearer self = {.calls = 0};
    seen end;
    open_pool("fake", "");
    watch(dbal_pool_backup(pool, "progress 1 10 wait never", hear, &self), &end);
    loop_fixture_until(&fixture, has_heard, &self);
    dbal_loop_free(fixture.loop);
    fixture.loop = NULL;
    ck_assert_int_eq(end.settled, 1);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_CLOSED);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    suite_add(suite, test, pool_fixture_init, pool_fixture_fini);
}

int
main(void)
{
    Suite *suite = suite_create("backups");
    add(suite, it_tells_how_far_it_is_while_it_runs);
    add(suite, it_does_not_tell_too_often);
    add(suite, cancelled_in_the_middle_it_tells_no_more);
    add(suite, the_programs_own_time_limit_ends_it);
    add(suite, one_that_hangs_is_given_up);
    add(suite, its_failure_is_told);
    add(suite, the_loop_freed_while_it_runs);
    return suite_run(suite);
}
