/*
 * Statements that only read, and are known to be quick, have one Sync for all of a turn. That makes one
 * transaction of them, which is told to be read-only by what comes first in it: one that was promised
 * to change nothing, and would, gets the server's error, instead of a success that is undone when
 * another one fails. Those that the server skips behind a failure are sent once more.
 */
#include "connection.h"

/* Statements under one Sync. */
enum { TOGETHER_MOST = 32 };

/* not LOCAL: the server would warn that there was no BEGIN; it ends with the transaction anyway */
static const char guard[] = "set transaction_read_only = on";

bool
dbal__postgres_may_share(dbal__postgres_unsent one)
{
    return !one.alone && dbal_request_may_share(one.request);
}

bool
dbal__postgres_share_is_full(const dbal__postgres_connection *self)
{
    return dbal__postgres_expect_unsent_count(&self->expect) >= TOGETHER_MOST;
}

/* A session's are in a transaction that is not ours to change, or in none that would be common. */
static bool
is_guarded(const dbal_request *request)
{
    return dbal_request_read_only(request) && !dbal_request_in_order(request);
}

static bool
send_guard(dbal__postgres_connection *self, dbal_request *request)
{
    dbal__postgres_expected *item =
        dbal__postgres_expect_push(&self->expect, DBAL__POSTGRES_REPLY_GUARD);
    item->request = request;
    item->fault = dbal_request_fault(request);
    return PQsendQueryParams(self->pg, guard, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

bool
dbal__postgres_share_join(dbal__postgres_connection *self, dbal__postgres_unsent one)
{
    bool shares = dbal__postgres_may_share(one);
    if (self->shared && !shares)
        dbal__postgres_sync(self);
    bool first = self->unsynced == 0;
    self->shared = shares;
    return !first || !is_guarded(one.request) || send_guard(self, one.request);
}

bool
dbal__postgres_share_goes_on(const dbal__postgres_connection *self)
{
    return self->shared && self->unsynced < TOGETHER_MOST;
}

void
dbal__postgres_share_undo(dbal__postgres_connection *self)
{
    const dbal__postgres_expect *expect = &self->expect;
    for (uint32_t i = expect->settled; i != expect->read; i++) {
        dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        bool had_it = i + 1 == expect->read; /* the error, which may be anyone's */
        if (item->reply == DBAL__POSTGRES_REPLY_QUERY && !item->refused &&
            (!item->failed || had_it))
            dbal__postgres_answer_skip(item);
    }
}
