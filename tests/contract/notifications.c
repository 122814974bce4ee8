/* Listening: what is told is heard, until nobody listens. */
#include <string.h>

#include "tests/contract/contract.h"

static bool
can(void)
{
    return (target->quirks & CONTRACT_NO_NOTIFY) == 0;
}

typedef struct hearer {
    int listening, messages, gaps;
    char last[16];
    dbal_deferred *deferred;
} hearer;

static void
hear(const dbal_notification *notification, void *arg)
{
    hearer *self = arg;
    self->listening += notification->kind == DBAL_NOTIFICATION_LISTENING;
    self->gaps += notification->kind == DBAL_NOTIFICATION_GAP;
    if (notification->kind != DBAL_NOTIFICATION_MESSAGE)
        return;
    ck_assert_str_eq(notification->channel, "contract");
    ck_assert_int_gt(notification->pid, 0);
    strncpy(self->last, notification->payload, sizeof self->last - 1);
    self->messages++;
}

static bool
listens(void *arg)
{
    return ((hearer *)arg)->listening > 0;
}

static bool
has_heard(void *arg)
{
    return ((hearer *)arg)->messages > 0;
}

START_TEST(it_is_refused_where_it_cannot_be)
{
    hearer self = {.messages = 0};
    if (!can())
        bad(dbal_pool_listen(pool, "contract", hear, &self), DBAL_ERROR_NOT_SUPPORTED, "0A000",
            DBAL_EXECUTION_NOT_SENT);
}
END_TEST

START_TEST(what_is_told_is_heard)
{
    hearer self = {.messages = 0};
    if (!can())
        return;
    self.deferred = dbal_deferred_ref(dbal_pool_listen(pool, "contract", hear, &self));
    loop_fixture_until(&fixture, listens, &self);
    good(dbal_pool_query(pool, SQL(notify), DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, has_heard, &self);
    ck_assert_str_eq(self.last, "told");
    ck_assert_int_eq(self.messages, 1);
    ck_assert_int_eq(self.listening, 1);
    ck_assert_int_eq(self.gaps, 0);
    dbal_deferred_cancel(self.deferred);
    good(self.deferred);
    dbal_deferred_unref(self.deferred);
    good(dbal_pool_query(pool, SQL(notify), DBAL_NO_PARAMS));
    good(add_to_value(1));
    ck_assert_int_eq(self.messages, 1);
}
END_TEST

START_TEST(the_pool_closed_is_its_end)
{
    hearer self = {.messages = 0};
    if (!can())
        return;
    self.deferred = dbal_deferred_ref(dbal_pool_listen(pool, "contract", hear, &self));
    loop_fixture_until(&fixture, listens, &self);
    good(dbal_pool_close(pool));
    good(self.deferred);
    dbal_deferred_unref(self.deferred);
}
END_TEST

void
add_notifications(Suite *suite)
{
    contract_add(suite, it_is_refused_where_it_cannot_be);
    contract_add(suite, what_is_told_is_heard);
    contract_add(suite, the_pool_closed_is_its_end);
}
