/* Backups: told how far they are, ended, refused where they cannot be. */
#include "tests/contract/contract.h"

typedef struct hearer {
    int calls, calls_at_the_end;
    int64_t done, total;
} hearer;

static void
hear(int64_t done, int64_t total, void *arg)
{
    hearer *self = arg;
    ck_assert_int_ge(done, self->done);
    self->calls++;
    self->done = done;
    self->total = total;
}

static dbal_outcome
ended(dbal_outcome in, void *arg)
{
    hearer *self = arg;
    self->calls_at_the_end = self->calls;
    return in;
}

static bool
can(void)
{
    /* a database in memory has no place of its own where a copy could be */
    return (target->quirks & (CONTRACT_NO_BACKUP | CONTRACT_PRIVATE)) == 0;
}

START_TEST(the_end_is_told_before_the_outcome)
{
    const char *where = contract_backup_target();
    hearer self = {.calls = 0};
    dbal_deferred *backup = dbal_pool_backup(pool, where, hear, &self);
    dbal_deferred_add_callback(backup, ended, &self);
    if (!can()) {
        bool none = (target->quirks & CONTRACT_NO_BACKUP) != 0;
        bad(backup, none ? DBAL_ERROR_NOT_SUPPORTED : DBAL_ERROR_OPERATIONAL,
            none ? "0A000" : "58030", none ? DBAL_EXECUTION_NOT_SENT : DBAL_EXECUTION_FAILED);
        ck_assert_int_eq(self.calls, 0);
        return;
    }
    good(backup);
    ck_assert_int_ge(self.calls, 1);
    ck_assert_int_eq(self.calls_at_the_end, self.calls);
    ck_assert_int_gt(self.total, 0);
    ck_assert_int_eq(self.done, self.total);
    ck_assert_int_eq(value_now(), 0);
}
END_TEST

START_TEST(nobody_need_hear_of_it)
{
    const char *where = contract_backup_target();
    if (can())
        good(dbal_pool_backup(pool, where, NULL, NULL));
    good(add_to_value(1));
}
END_TEST

START_TEST(without_a_target_it_is_refused)
{
    bad(dbal_pool_backup(pool, NULL, hear, NULL), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT);
    bad(dbal_pool_backup(pool, "", hear, NULL), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT);
}
END_TEST

START_TEST(cancelled_before_it_begins_it_does_not)
{
    const char *where = contract_backup_target();
    hearer self = {.calls = 0};
    dbal_pool *fresh = contract_open(fixture.loop, "");
    if (!can())
        return;
    dbal_deferred *backup = dbal_deferred_ref(dbal_pool_backup(fresh, where, hear, &self));
    dbal_deferred_cancel(backup);
    bad(backup, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(backup);
    good(dbal_pool_ready(fresh));
    ck_assert_int_eq(self.calls, 0);
    good(dbal_pool_backup(fresh, where, hear, &self)); /* there is nothing in its way */
}
END_TEST

START_TEST(others_go_on_meanwhile)
{
    const char *where = contract_backup_target();
    dbal_deferred *all[9];
    if (!can())
        return;
    for (int i = 0; i < 9; i++)
        all[i] = i == 4 ? dbal_pool_backup(pool, where, NULL, NULL) : add_to_value(1);
    good(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, 9, all));
    ck_assert_int_eq(value_now(), 8);
}
END_TEST

void
add_backups(Suite *suite)
{
    contract_add(suite, the_end_is_told_before_the_outcome);
    contract_add(suite, nobody_need_hear_of_it);
    contract_add(suite, without_a_target_it_is_refused);
    contract_add(suite, cancelled_before_it_begins_it_does_not);
    contract_add(suite, others_go_on_meanwhile);
}
