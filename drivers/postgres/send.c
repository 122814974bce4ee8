#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "settle.h"

/* Statements of a transaction's turn that share a Sync; replies that one request may need. */
enum { SEGMENT_MOST = 64, REPLIES_MOST = 8 };

static void
refuse(dbal_request *request)
{
    dbal_fault_set_execution(dbal_request_fault(request), DBAL_EXECUTION_NOT_SENT);
    dbal_request_finish(request, false);
}

static void
refuse_for_memory(dbal_request *request)
{
    dbal_fault_set(dbal_request_fault(request), DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
    refuse(request);
}

void
dbal__postgres_sync(dbal__postgres_connection *self)
{
    if (self->unsynced == 0 || self->ended)
        return;
    self->unsynced = 0;
    self->shared = false;
    dbal__postgres_expect_push(&self->expect, DBAL__POSTGRES_REPLY_SYNC);
    if (self->newer->send_pipeline_sync != NULL) {
        self->ended = self->newer->send_pipeline_sync(self->pg) != 1;
        dbal__postgres_wake(self);              /* which flushes what was sent in this turn */
    } else if (PQpipelineSync(self->pg) != 1) { /* flushes too */
        self->ended = true;
    }
}

static bool
send_close(dbal__postgres_connection *self, const char *name)
{
    char text[40];
    if (self->newer->send_close_prepared != NULL)
        return self->newer->send_close_prepared(self->pg, name) == 1;
    snprintf(text, sizeof text, "deallocate %s", name);
    return PQsendQueryParams(self->pg, text, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

/*
 * Closes what the server keeps in vain, up to so many; not in a transaction, which an error would end,
 * nor in what others share.
 */
static void
close_doomed(dbal__postgres_connection *self, unsigned most)
{
    char name[16];
    dbal__postgres_statements_evict(&self->statements);
    if (self->will_be_in_transaction || self->unsynced > 0)
        return;
    for (; most > 0 && !self->ended && self->statements.doomed != NULL; most--) {
        if (!dbal__postgres_expect_reserve(&self->expect, 2) ||
            !dbal__postgres_statements_close(&self->statements, name))
            return;
        dbal__postgres_expect_push(&self->expect, DBAL__POSTGRES_REPLY_CLOSE);
        self->ended = !send_close(self, name);
        self->unsynced++;
        dbal__postgres_sync(self);
    }
}

static void
end_segment(dbal__postgres_connection *self)
{
    unsigned count = self->unsynced;
    dbal__postgres_sync(self);
    close_doomed(self, count);
}

static bool
send_prepare(dbal__postgres_connection *self, dbal_request *request, dbal__postgres_statement *s)
{
    dbal__postgres_statement_prepare(&self->statements, s);
    dbal__postgres_expected *item =
        dbal__postgres_expect_push(&self->expect, DBAL__POSTGRES_REPLY_PREPARE);
    item->request = request;
    item->fault = dbal_request_fault(request);
    item->statement = s;
    item->named = s->number;
    item->in_transaction = self->will_be_in_transaction;
    s->flying++;
    return PQsendPrepare(self->pg, s->name, dbal_request_sql(request, NULL), s->count, s->types) ==
           1;
}

/*
 * Whether it goes by the name of what the server keeps. What has failed by a name does not: another one
 * may have asked for a new name meanwhile, whose answer is to come and may be an error.
 */
static bool
goes_by_name(dbal__postgres_unsent one, const dbal__postgres_statement *s)
{
    return s != NULL && s->prepared != DBAL__POSTGRES_NOT_PREPARED && !one.tried;
}

static bool
send_query(dbal__postgres_connection *self, dbal__postgres_unsent one,
           const dbal__postgres_statement *s)
{
    const dbal_request *request = one.request;
    const dbal__postgres_bound *bound = &self->bound;
    if (goes_by_name(one, s))
        return PQsendQueryPrepared(self->pg, s->name, bound->count, bound->values, bound->lengths,
                                   bound->formats, dbal__postgres_statement_in_binary(s)) == 1;
    return PQsendQueryParams(self->pg, dbal_request_sql(request, NULL), bound->count, bound->types,
                             bound->values, bound->lengths, bound->formats, 0) == 1;
}

/* What the statement will have done to the session when those behind it are run. */
static void
foresee(dbal__postgres_connection *self, dbal_request *request, const dbal__postgres_statement *s,
        dbal__postgres_control control)
{
    bool chains = false;
    switch (control) {
    case DBAL__POSTGRES_BEGINS:
        self->will_be_in_transaction = true;
        break;
    case DBAL__POSTGRES_COMMITS:
    case DBAL__POSTGRES_ROLLS_BACK:
        chains = dbal__postgres_statement_chains(s, request);
        self->chained = self->chained || chains;
        self->will_be_in_transaction = self->will_be_in_transaction && chains;
        break;
    case DBAL__POSTGRES_PREPARES:
        self->will_be_in_transaction = false;
        break;
    case DBAL__POSTGRES_DISCARDS:
        dbal__postgres_statements_forget(&self->statements);
        break;
    default:
        break;
    }
}

/* Whether those of this turn that follow may have the same Sync. */
static bool
may_share_sync(const dbal__postgres_connection *self, const dbal_request *request,
               dbal__postgres_control control)
{
    return self->will_be_in_transaction && !self->chained && dbal_request_in_order(request) &&
           control == DBAL__POSTGRES_PLAIN && self->unsynced < SEGMENT_MOST;
}

static void
expect_query(dbal__postgres_connection *self, dbal__postgres_unsent one,
             dbal__postgres_statement *s, bool in_transaction)
{
    dbal__postgres_expected *item =
        dbal__postgres_expect_push(&self->expect, DBAL__POSTGRES_REPLY_QUERY);
    item->request = one.request;
    item->fault = dbal_request_fault(one.request);
    item->statement = s;
    item->tried = one.tried;
    item->shared = dbal__postgres_may_share(one);
    item->single = s == NULL || !s->small;
    item->in_transaction = in_transaction;
    if (s == NULL)
        return;
    s->flying++;
    if (!goes_by_name(one, s))
        return;
    item->named = s->number;
    /* a pooler may prepare it again somewhere else, and what it gives may be other there */
    if (dbal__postgres_statement_in_binary(s) && !self->config->pooler)
        item->prepared = s->number;
}

/*
 * What may commit on its way cannot be sent once more when a cancel that was meant for somebody
 * else's statement hits it: nothing is in flight when it goes.
 */
static bool
must_go_alone(const dbal__postgres_connection *self, const dbal_request *request,
              const dbal__postgres_statement *s)
{
    return self->expect.settled != self->expect.end && !dbal_request_in_order(request) &&
           dbal__postgres_statement_alters(s, request);
}

/* False: not now, but when what is in flight has ended. */
static bool
send_one(dbal__postgres_connection *self, dbal__postgres_unsent one)
{
    dbal_request *request = one.request;
    if (!dbal__postgres_expect_reserve(&self->expect, REPLIES_MOST)) {
        refuse_for_memory(request);
        return true;
    }
    if (dbal_request_deadline(request) != INT64_MAX &&
        dbal__postgres_time_limit_asks(self, request))
        return false;
    if (!dbal__postgres_bind(&self->bound, request, dbal_request_fault(request))) {
        refuse(request);
        return true;
    }
    dbal__postgres_statement *s =
        dbal__postgres_statements_get(&self->statements, request, &self->bound);
    dbal__postgres_control control = dbal__postgres_statement_control(s, request);
    if (!dbal__postgres_statement_may_run(s, request, dbal_request_fault(request))) {
        dbal_request_finish(request, false);
        return true;
    }
    if (must_go_alone(self, request, s))
        return false;
    dbal__postgres_sets sets = dbal__postgres_statement_sets(s, request);
    if (dbal__postgres_time_limit_matters(&self->time_limit, request, sets))
        dbal__postgres_time_limit_join(self, request, control, sets);
    if (control != DBAL__POSTGRES_PLAIN)
        dbal__postgres_sync(self);
    bool in_transaction = self->will_be_in_transaction;
    dbal_request_sent(request);
    bool ok = dbal__postgres_share_join(self, one);
    if (ok && !one.tried && dbal__postgres_statement_is_due(&self->statements, s))
        ok = send_prepare(self, request, s);
    ok = ok && send_query(self, one, s);
    expect_query(self, one, s, in_transaction);
    self->unsynced++;
    if (!ok)
        self->ended = true; /* half of it may be on its way: nothing can follow */
    foresee(self, request, s, control);
    if (dbal__postgres_time_limit_is_touched(control, sets) &&
        dbal__postgres_time_limit_foresee(&self->time_limit, control, sets, in_transaction,
                                          dbal_request_in_order(request)))
        self->time_limit.commit = self->expect.end - 1;
    /* what others alter is noticed and mended, which those of a session have no time for */
    if (dbal_request_in_order(request) && dbal__postgres_statement_alters(s, request))
        dbal__postgres_statements_doubt(&self->statements);
    if (may_share_sync(self, request, control))
        dbal__postgres_wake(self);
    else if (!dbal__postgres_share_goes_on(self))
        end_segment(self);
    if (dbal__postgres_expect_reading(&self->expect)->request == request)
        dbal__postgres_read_from_here(self);
    return true;
}

static bool
may_send(const dbal__postgres_connection *self)
{
    return !self->ended && !self->flushing && self->cancelling == NULL &&
           self->copy.request == NULL;
}

static bool
send_and_flush(dbal__postgres_connection *self, dbal__postgres_unsent one)
{
    if (!send_one(self, one))
        return false;
    if (self->unsynced == 0 && self->newer->send_pipeline_sync == NULL)
        dbal__postgres_flush(self);
    return true;
}

void
dbal__postgres_send(dbal__postgres_connection *self)
{
    while (dbal__postgres_expect_has_unsent(&self->expect) && may_send(self)) {
        dbal__postgres_unsent one = dbal__postgres_expect_release(&self->expect);
        if (send_and_flush(self, one))
            continue;
        /* to where it was, for which there is room */
        dbal__postgres_expect_hold(&self->expect, one, true);
        break;
    }
    if (self->shared) {
        end_segment(self);
        dbal__postgres_flush(self);
    }
}

void
dbal__postgres_submit(dbal__postgres_connection *self, dbal_request *request)
{
    dbal__postgres_unsent one = {.request = request};
    bool gathers = dbal__postgres_may_share(one);
    if (!gathers && !dbal__postgres_expect_has_unsent(&self->expect) && may_send(self) &&
        send_and_flush(self, one))
        return;
    if (!dbal__postgres_expect_hold(&self->expect, one, false))
        refuse_for_memory(request);
    else if (gathers && dbal__postgres_share_is_full(self))
        dbal__postgres_send(self);
    else if (gathers)
        dbal__postgres_wake(self); /* behind the others of this turn */
}

static void
send_plain(dbal__postgres_connection *self, const char *sql, dbal__postgres_expected expected)
{
    dbal_request *request = expected.request;
    dbal__postgres_expected *item = dbal__postgres_expect_push(&self->expect, expected.reply);
    *item = expected;
    item->fault = request != NULL ? dbal_request_fault(request) : NULL;
    if (PQsendQueryParams(self->pg, sql, 0, NULL, NULL, NULL, NULL, 0) != 1)
        self->ended = true;
    self->unsynced++;
    dbal__postgres_sync(self);
}

void
dbal__postgres_reset_session(void *connection, dbal_request *request)
{
    dbal__postgres_connection *self = connection;
    if (self->config->pooler) { /* there is nothing that lasts, nor a session to make new */
        dbal_request_finish(request, true);
        return;
    }
    if (!dbal__postgres_expect_reserve(&self->expect, REPLIES_MOST)) {
        refuse_for_memory(request);
        return;
    }
    if (self->will_be_in_transaction)
        send_plain(self, "rollback",
                   (dbal__postgres_expected){.reply = DBAL__POSTGRES_REPLY_CLOSE});
    dbal_request_sent(request);
    self->will_be_in_transaction = false;
    if (self->time_limit.ours || self->time_limit.inside) /* it may take longer than that */
        send_plain(self, "set statement_timeout = default",
                   (dbal__postgres_expected){.reply = DBAL__POSTGRES_REPLY_LIMIT});
    dbal__postgres_time_limit_renew(&self->time_limit);
    dbal__postgres_statements_forget(&self->statements);
    send_plain(self, "discard all",
               (dbal__postgres_expected){.reply = DBAL__POSTGRES_REPLY_RESET, .request = request});
    dbal__postgres_flush(self);
    dbal__postgres_settle_down(self);
}

bool
dbal__postgres_reset_goes_on(dbal__postgres_connection *self, uint32_t number)
{
    dbal__postgres_expected *item = dbal__postgres_expect_at(&self->expect, number);
    if (item->failed || item->tried)
        return false;
    dbal_request *request = item->request;
    char *sql = dbal__postgres_settle_again(self->pg, self->config);
    bool room = sql != NULL && dbal__postgres_expect_reserve(&self->expect, 2);
    bool goes_on = room && sql[0] != '\0';
    item = dbal__postgres_expect_at(&self->expect, number); /* the room may be another one */
    item->failed = !room;
    if (!room)
        dbal_fault_set(item->fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
    if (goes_on) {
        item->request = NULL;
        send_plain(self, sql,
                   (dbal__postgres_expected){
                       .reply = DBAL__POSTGRES_REPLY_RESET, .request = request, .tried = true});
        dbal__postgres_wake(self); /* which flushes what is left of it */
    }
    dbal_driver_free(sql);
    return goes_on;
}
