#include <poll.h>
#include <string.h>

#include "answer.h"
#include "connection.h"
#include "failure.h"

/*
 * Results taken in one go; what is left is gone on with when the loop's other work was done. When some
 * have ended it is less: those whose statements they were may ask for more, and a server that has
 * something to do until then need not be woken for it. Results larger than LARGE are freed by a helper.
 */
enum { RESULTS_MOST = 512, RESULTS_ENDED = 12, CHUNK = 64, LARGE = 256 * 1024 };

/* ---- one answer ---- */

static void
clear_large(void *result)
{
    PQclear(result);
}

static void
clear(dbal__postgres_connection *self, PGresult *result)
{
    if (PQresultMemorySize(result) < LARGE)
        PQclear(result);
    else
        dbal_host_dispose(self->host, clear_large, result);
}

static dbal__postgres_columns *
columns_of(dbal__postgres_connection *self, const dbal__postgres_expected *item)
{
    return item->statement != NULL ? &item->statement->columns : &self->columns;
}

/* A result, or with NULL more rows of the one that was taken in part. */
static dbal__postgres_answered
take_answer(dbal__postgres_connection *self, dbal__postgres_expected *item, PGresult *result)
{
    PGresult *done = NULL;
    dbal__postgres_columns *columns = columns_of(self, item);
    bool refused = item->refused;
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        dbal__postgres_look_for_demotion(self, result);
    if (item->reply == DBAL__POSTGRES_REPLY_LIMIT)
        dbal__postgres_time_limit_answered(self, result);
    dbal__postgres_answered answered =
        result != NULL ? dbal__postgres_answer_take(&self->answer, item, columns, result, &done)
                       : dbal__postgres_answer_rows(&self->answer, item, columns, &done);
    if (done != NULL)
        clear(self, done);
    if (item->refused && !refused && dbal__postgres_answer_may_stop(item)) {
        dbal__postgres_expect_stop(&self->expect, item->request);
        dbal__postgres_cancel_reading(self);
    }
    return answered;
}

/* ---- what a Sync settles ---- */

static void
finish(dbal__postgres_expected *item)
{
    dbal_request *request = item->request;
    bool ok = dbal__postgres_answer_succeeded(item);
    item->request = NULL;
    if (!ok && !item->failed) { /* the server has come to its end all the same */
        dbal_fault_set(item->fault, DBAL_ERROR_CANCELLED, "57014",
                       "stopped while its rows were read");
        dbal_fault_set_execution(item->fault, DBAL_EXECUTION_UNKNOWN);
    }
    dbal_request_finish(request, ok);
}

/* True: it is to be sent once more, and has not ended. `looked`: libpq was asked what it did. */
static bool
settle_query(dbal__postgres_connection *self, dbal__postgres_expected *item, bool looked)
{
    if (item->turn != DBAL__POSTGRES_TURN_NONE && !looked) {
        self->in_transaction = item->turn == DBAL__POSTGRES_TURN_BEGAN;
        dbal_host_in_transaction(self->host, self->in_transaction);
    }
    /* those of a session keep their order: nothing may have been sent behind it, up to now */
    if (item->again && dbal_request_in_order(item->request)) /* the Sync read now is the last */
        item->again = self->expect.read + 1 == self->expect.end;
    if (item->again && !item->stopped)
        return true;
    if (item->again)
        dbal_fault_set(item->fault, DBAL_ERROR_CANCELLED, "57014",
                       "stopped before it was sent once more");
    finish(item);
    return false;
}

/* To the head of those that are not sent; whatever it has shared a Sync with, it does not again. */
static void
send_again(dbal__postgres_connection *self, dbal__postgres_expected *item)
{
    dbal__postgres_unsent one = {.request = item->request, .tried = item->tried, .alone = true};
    if (!dbal_request_restart(item->request)) {
        finish(item);
    } else if (!dbal__postgres_expect_hold(&self->expect, one, true)) {
        dbal_fault_set(item->fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        finish(item);
    } else {
        dbal_fault_clear(item->fault);
        item->request = NULL;
    }
}

/* libpq knows for certain whether a transaction is open. */
void
dbal__postgres_look_at_transaction(dbal__postgres_connection *self)
{
    bool open = dbal__postgres_in_transaction(self);
    self->will_be_in_transaction = open;
    self->chained = false;
    if (open == self->in_transaction)
        return;
    self->in_transaction = open;
    dbal_host_in_transaction(self->host, open);
}

/*
 * Those of a turn share a Sync, as their transaction does not mind. When that was not begun after all,
 * the Sync has made one of them: with one that failed all are undone.
 */
static void
fail_undone(dbal__postgres_connection *self)
{
    const dbal__postgres_expect *expect = &self->expect;
    bool failed = false;
    for (uint32_t i = expect->settled; i != expect->read; i++) {
        const dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (!item->in_transaction || item->turn != DBAL__POSTGRES_TURN_NONE)
            return;
        failed = failed || item->failed;
    }
    for (uint32_t i = expect->settled; failed && i != expect->read; i++) {
        dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (item->reply != DBAL__POSTGRES_REPLY_QUERY || item->failed)
            continue;
        item->failed = true;
        dbal_fault_set(item->fault, DBAL_ERROR_INTERNAL, "25P02",
                       "undone: its transaction was not begun, and one behind it has failed");
    }
}

static void
settle(dbal__postgres_connection *self)
{
    dbal__postgres_expect *expect = &self->expect;
    uint32_t first = expect->settled, again = 0;
    bool last = expect->read + 1 == expect->end; /* up to now: those that end may ask for more */
    if (last)
        dbal__postgres_look_at_transaction(self);
    if (!self->in_transaction)
        fail_undone(self);
    for (; expect->settled != expect->read; expect->settled++) {
        dbal__postgres_expected *item = dbal__postgres_expect_at(expect, expect->settled);
        expect->stopped -= item->stopped;
        if (self->time_limit.doubted && expect->settled == self->time_limit.commit)
            dbal__postgres_time_limit_committed(&self->time_limit, !item->failed);
        if (item->statement != NULL)
            item->statement->flying--;
        if (item->reply == DBAL__POSTGRES_REPLY_RESET &&
            dbal__postgres_reset_goes_on(self, expect->settled))
            continue;
        if (item->reply == DBAL__POSTGRES_REPLY_QUERY || item->reply == DBAL__POSTGRES_REPLY_RESET)
            again += settle_query(self, item, last);
    }
    /* the last first, so that they stand in their order */
    for (uint32_t i = expect->read; again > 0 && i-- != first;) {
        dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (item->reply != DBAL__POSTGRES_REPLY_QUERY || !item->again || item->request == NULL)
            continue;
        send_again(self, item);
        again--;
    }
}

/* A statement on a connection that it shares has begun a transaction all the same. */
static bool
is_poisoned(const dbal__postgres_connection *self)
{
    const dbal__postgres_expect *expect = &self->expect;
    for (uint32_t i = expect->settled; i != expect->read; i++) {
        const dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (item->turn != DBAL__POSTGRES_TURN_NONE && !dbal_request_in_order(item->request))
            return true;
    }
    return false;
}

/* ---- the order of replies ---- */

void
dbal__postgres_read_from_here(dbal__postgres_connection *self)
{
    const dbal__postgres_expected *item = dbal__postgres_expect_reading(&self->expect);
    if (item == NULL)
        return;
    if (item->reply == DBAL__POSTGRES_REPLY_QUERY && item->single) {
        if (self->newer->set_chunked_rows_mode != NULL)
            self->newer->set_chunked_rows_mode(self->pg, CHUNK);
        else
            PQsetSingleRowMode(self->pg);
    }
    dbal__postgres_cancel_reading(self);
}

static void
advance(dbal__postgres_connection *self)
{
    const dbal__postgres_expected *item =
        dbal__postgres_expect_at(&self->expect, self->expect.read++);
    bool prepares =
        item->reply == DBAL__POSTGRES_REPLY_GUARD || item->reply == DBAL__POSTGRES_REPLY_PREPARE;
    if (prepares && item->failed) { /* the query that it was for has its error */
        dbal__postgres_expected *query = dbal__postgres_expect_at(&self->expect, self->expect.read);
        query->failed = true;
        query->again = item->again;
        query->tried = item->tried;
    }
    dbal__postgres_read_from_here(self);
}

/* Whether what is settled next is of no session. */
static bool
is_shared(const dbal__postgres_connection *self)
{
    const dbal__postgres_expected *item =
        dbal__postgres_expect_at(&self->expect, self->expect.read - 1);
    return item->request != NULL && !dbal_request_in_order(item->request);
}

static void
take_sync(dbal__postgres_connection *self)
{
    bool poisoned = is_poisoned(self), shared = is_shared(self);
    settle(self);
    poisoned = poisoned || (shared && self->in_transaction);
    self->expect.settled = ++self->expect.read;
    dbal__postgres_cancel_settled(self);
    if (poisoned)
        dbal__postgres_lose(self, "a statement began a transaction on a shared connection");
    else
        dbal__postgres_read_from_here(self);
}

/* An error here is one of the commit that comes with a Sync. */
static dbal__postgres_answered
take_at_sync(dbal__postgres_connection *self, PGresult *result)
{
    dbal__postgres_expected *last = dbal__postgres_expect_at(&self->expect, self->expect.read - 1);
    dbal__postgres_answered answered = DBAL__POSTGRES_ANSWER_TAKEN;
    if (result == NULL) /* ends an error */
        return PQstatus(self->pg) == CONNECTION_BAD ? DBAL__POSTGRES_ANSWER_LOST
                                                    : DBAL__POSTGRES_ANSWER_TAKEN;
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
        take_sync(self);
    else if (PQresultStatus(result) != PGRES_FATAL_ERROR)
        answered = DBAL__POSTGRES_ANSWER_CONFUSED;
    else if (!dbal__postgres_answer_error(&self->answer, last, result))
        answered = DBAL__POSTGRES_ANSWER_LOST;
    else if (last->shared && self->answer.fatal[0] == '\0')
        dbal__postgres_share_undo(self);
    PQclear(result);
    return answered;
}

/* One result, or the end of them. */
static dbal__postgres_answered
take(dbal__postgres_connection *self, dbal__postgres_expected *item)
{
    PGresult *result = PQgetResult(self->pg);
    if (item->reply == DBAL__POSTGRES_REPLY_SYNC)
        return take_at_sync(self, result);
    if (result != NULL) {
        dbal__postgres_answered answered = take_answer(self, item, result);
        if (answered != DBAL__POSTGRES_ANSWER_TAKEN || !item->answered || item->failed)
            return answered;
        /* nothing has to be read for what ends it */
        result = PQgetResult(self->pg);
        if (result != NULL) {
            PQclear(result);
            return DBAL__POSTGRES_ANSWER_CONFUSED;
        }
    }
    if (!item->answered)
        return PQstatus(self->pg) == CONNECTION_BAD ? DBAL__POSTGRES_ANSWER_LOST
                                                    : DBAL__POSTGRES_ANSWER_CONFUSED;
    advance(self);
    return DBAL__POSTGRES_ANSWER_TAKEN;
}

/*
 * What is there to be taken, if anything, without waiting for it. PQisBusy() reads what has come;
 * also when nothing is asked: that may be the server's last words.
 */
static bool
is_ready(dbal__postgres_connection *self)
{
    if (self->lost || dbal__postgres_is_held_back(self))
        return false;
    return self->answer.rest != NULL ||
           (!PQisBusy(self->pg) && dbal__postgres_expect_reading(&self->expect) != NULL);
}

/*
 * What ends an error is to be taken at once: libpq drops it when something is sent in between, and the
 * next result is taken for another one's.
 */
static bool
ends_next(const dbal__postgres_connection *self)
{
    const dbal__postgres_expected *item = dbal__postgres_expect_reading(&self->expect);
    return item != NULL && item->answered && self->answer.rest == NULL;
}

/* libpq forgets what it waits for when it cannot send: what it has read by then would be lost. */
static bool
has_hung_up(const dbal__postgres_connection *self)
{
    struct pollfd one = {.fd = PQsocket(self->pg), .events = POLLRDHUP};
    return poll(&one, 1, 0) != 0;
}

/* Those of a session keep to their order, and are cancelled one by one: they are taken together. */
static bool
may_ask_first(const dbal__postgres_connection *self)
{
    const dbal__postgres_expected *item = dbal__postgres_expect_reading(&self->expect);
    return item != NULL && item->request != NULL && !dbal_request_in_order(item->request) &&
           !has_hung_up(self);
}

static bool
is_enough(const dbal__postgres_connection *self, int taken, bool ended)
{
    if (ends_next(self))
        return false;
    return taken >= RESULTS_MOST || (ended && taken >= RESULTS_ENDED && may_ask_first(self));
}

void
dbal__postgres_receive(dbal__postgres_connection *self)
{
    dbal__postgres_answered answered = DBAL__POSTGRES_ANSWER_TAKEN;
    uint32_t first = self->expect.settled;
    bool enough = false;
    for (int taken = 1; answered == DBAL__POSTGRES_ANSWER_TAKEN && !enough && is_ready(self);
         taken++) {
        dbal__postgres_expected *item = dbal__postgres_expect_reading(&self->expect);
        answered = self->answer.rest != NULL ? take_answer(self, item, NULL) : take(self, item);
        enough = is_enough(self, taken, self->expect.settled != first);
    }
    if (self->lost)
        return;
    self->behind = answered == DBAL__POSTGRES_ANSWER_MORE || enough;
    if (answered == DBAL__POSTGRES_ANSWER_CONFUSED || self->notices.confused)
        dbal__postgres_lose(self, "the server sent an answer that nothing was asked for");
    else if (answered == DBAL__POSTGRES_ANSWER_LOST)
        dbal__postgres_lose(self, NULL);
    else if (self->behind)
        dbal__postgres_wake(self);
    else if (self->ended && !dbal__postgres_is_held_back(self))
        dbal__postgres_lose(self, NULL);
}
