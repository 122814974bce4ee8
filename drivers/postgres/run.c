/*
 * The blocking face, for gates with threads: one statement after the other, without a pipeline. A
 * thread that waits for the server is woken by an eventfd, and sends the cancel itself.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connection.h"
#include "failure.h"
#include "lost.h"
#include "settle.h"
#include "wait.h"

static const double CANCEL_AGAIN_FIRST = 0.02, CANCEL_AGAIN_MOST = 0.5;

void
dbal__postgres_interrupt(void *connection)
{
    dbal__postgres_connection *self = connection;
    eventfd_write(self->stop_fd, 1);
}

static void
cancel(dbal__postgres_connection *self)
{
    char why[256];
    PGcancel *one = PQgetCancel(self->pg);
    if (one != NULL)
        PQcancel(one, why, sizeof why);
    PQfreeCancel(one);
}

/* A cancel may arrive before the statement has begun, and is lost then: it is sent again. */
static void
stop(dbal__postgres_connection *self, dbal__postgres_expected *item, bool lost)
{
    if (item->stopped && !lost)
        return;
    self->cancel_again = item->stopped ? self->cancel_again * 2 : CANCEL_AGAIN_FIRST;
    if (self->cancel_again > CANCEL_AGAIN_MOST)
        self->cancel_again = CANCEL_AGAIN_MOST;
    item->stopped = true;
    cancel(self);
}

static bool
is_to_stop(const dbal__postgres_expected *item)
{
    return dbal_request_stopped(item->request) ||
           (item->refused && dbal__postgres_answer_may_stop(item));
}

/* Waits until the socket is ready. False: the connection is gone. */
static bool
wait_for(dbal__postgres_connection *self, dbal__postgres_expected *item, short events)
{
    struct pollfd fds[2] = {{.fd = PQsocket(self->pg), .events = events},
                            {.fd = self->stop_fd, .events = POLLIN}};
    eventfd_t count;
    int again = item->stopped ? (int)(self->cancel_again * 1e3) : -1, found;
    if (fds[0].fd < 0)
        return false;
    while ((found = poll(fds, 2, again)) < 0 && errno == EINTR) {
    }
    if (fds[1].revents != 0)
        eventfd_read(self->stop_fd, &count);
    if (is_to_stop(item))
        stop(self, item, found == 0);
    return fds[0].revents == 0 || (events & POLLIN) == 0 || PQconsumeInput(self->pg) != 0;
}

static bool
flush(dbal__postgres_connection *self, dbal__postgres_expected *item)
{
    int left;
    while ((left = PQflush(self->pg)) > 0) {
        if (!wait_for(self, item, POLLIN | POLLOUT))
            return false;
    }
    return left == 0;
}

/* The next result, or NULL behind the last. *ret_lost: the connection is gone. */
static PGresult *
next_result(dbal__postgres_connection *self, dbal__postgres_expected *item, bool *ret_lost)
{
    while (PQisBusy(self->pg)) {
        if (!wait_for(self, item, POLLIN)) {
            *ret_lost = true;
            return NULL;
        }
    }
    return PQgetResult(self->pg);
}

/* What the server answers to what was sent. */
static dbal__postgres_answered
fetch(dbal__postgres_connection *self, dbal__postgres_expected *item)
{
    dbal__postgres_columns *columns =
        item->statement != NULL ? &item->statement->columns : &self->columns;
    dbal__postgres_answered answered = DBAL__POSTGRES_ANSWER_TAKEN;
    bool lost = false;
    PGresult *result;
    while (answered == DBAL__POSTGRES_ANSWER_TAKEN &&
           (result = next_result(self, item, &lost)) != NULL) {
        PGresult *done = NULL;
        if (item->reply == DBAL__POSTGRES_REPLY_LIMIT)
            dbal__postgres_time_limit_answer(&self->time_limit, result, true);
        answered = dbal__postgres_answer_take(&self->answer, item, columns, result, &done);
        while (answered == DBAL__POSTGRES_ANSWER_MORE)
            answered = dbal__postgres_answer_rows(&self->answer, item, columns, &done);
        PQclear(done);
        if (item->refused && dbal__postgres_answer_may_stop(item))
            stop(self, item, false);
    }
    return lost ? DBAL__POSTGRES_ANSWER_LOST : answered;
}

static dbal__postgres_answered
prepare(dbal__postgres_connection *self, dbal__postgres_expected *query)
{
    dbal__postgres_statement *s = query->statement;
    dbal__postgres_expected item = *query;
    item.reply = DBAL__POSTGRES_REPLY_PREPARE;
    dbal__postgres_statement_prepare(&self->statements, s);
    item.named = s->number;
    if (PQsendPrepare(self->pg, s->name, dbal_request_sql(query->request, NULL), s->count,
                      s->types) != 1 ||
        !flush(self, &item))
        return DBAL__POSTGRES_ANSWER_LOST;
    dbal__postgres_answered answered = fetch(self, &item);
    query->failed = item.failed;
    query->stopped = item.stopped;
    return answered;
}

static dbal__postgres_answered
query(dbal__postgres_connection *self, dbal__postgres_expected *item)
{
    const dbal__postgres_bound *bound = &self->bound;
    const dbal__postgres_statement *s = item->statement;
    int sent;
    bool prepared = s != NULL && s->prepared == DBAL__POSTGRES_PREPARED;
    item->named = prepared ? s->number : 0;
    if (prepared)
        sent = PQsendQueryPrepared(self->pg, s->name, bound->count, bound->values, bound->lengths,
                                   bound->formats, dbal__postgres_statement_in_binary(s));
    else
        sent = PQsendQueryParams(self->pg, dbal_request_sql(item->request, NULL), bound->count,
                                 bound->types, bound->values, bound->lengths, bound->formats, 0);
    if (sent != 1)
        return DBAL__POSTGRES_ANSWER_LOST;
    PQsetSingleRowMode(self->pg);
    return flush(self, item) ? fetch(self, item) : DBAL__POSTGRES_ANSWER_LOST;
}

/* Says one thing of it, and waits for the answer. */
static dbal__postgres_answered
say_limit(dbal__postgres_connection *self, dbal__postgres_expected *item,
          dbal__postgres_time_step step, int value)
{
    char text[DBAL__POSTGRES_TIME_TEXT];
    dbal__postgres_time_limit_text(step, value, text);
    dbal__postgres_time_limit_sent(&self->time_limit, step, value,
                                   dbal__postgres_in_transaction(self));
    if (PQsendQueryParams(self->pg, text, 0, NULL, NULL, NULL, NULL, 0) != 1 || !flush(self, item))
        return DBAL__POSTGRES_ANSWER_LOST;
    return fetch(self, item);
}

/* Says what the statement needs: once more behind the answer to what the session's own limit is. */
static dbal__postgres_answered
limit_time(dbal__postgres_connection *self, dbal__postgres_expected *query, int64_t deadline)
{
    dbal__postgres_expected item = {.reply = DBAL__POSTGRES_REPLY_LIMIT, .request = query->request};
    dbal__postgres_answered answered = DBAL__POSTGRES_ANSWER_TAKEN;
    dbal__postgres_time_step step = DBAL__POSTGRES_TIME_ASK;
    int value = 0;
    while (answered == DBAL__POSTGRES_ANSWER_TAKEN && !item.stopped &&
           step == DBAL__POSTGRES_TIME_ASK && PQtransactionStatus(self->pg) != PQTRANS_INERROR) {
        step = dbal__postgres_time_limit_step(&self->time_limit, dbal__postgres_now(), deadline,
                                              &value);
        if (step != DBAL__POSTGRES_TIME_KEEP)
            answered = say_limit(self, &item, step, value);
    }
    query->stopped = item.stopped;
    query->exposed = step == DBAL__POSTGRES_TIME_SET && self->time_limit.unknown;
    return answered;
}

static bool
not_sent(dbal__postgres_expected *query)
{
    dbal_fault_set_execution(query->fault, DBAL_EXECUTION_NOT_SENT);
    query->failed = true;
    return false;
}

/*
 * What fails of it does the statement no harm; but one that was stopped meanwhile is not sent any more,
 * and of a connection that is lost nothing was.
 */
static bool
is_limited(dbal__postgres_connection *self, dbal__postgres_expected *query)
{
    const dbal_request *request = query->request;
    dbal__postgres_sets sets = dbal__postgres_statement_sets(query->statement, request);
    int64_t deadline = sets == DBAL__POSTGRES_SETS_NOT ? dbal_request_deadline(request) : INT64_MAX;
    if (!dbal__postgres_time_limit_matters(&self->time_limit, request, sets) ||
        dbal__postgres_time_limit_is_free(
            dbal__postgres_statement_control(query->statement, request), deadline) ||
        (limit_time(self, query, deadline) == DBAL__POSTGRES_ANSWER_TAKEN &&
         PQstatus(self->pg) != CONNECTION_BAD && !query->stopped))
        return true;
    if (query->stopped && PQstatus(self->pg) != CONNECTION_BAD)
        dbal_fault_set(query->fault, DBAL_ERROR_CANCELLED, "57014", "stopped before it was sent");
    else
        dbal__postgres_lost(query->fault, self->pg, &self->notices, self->answer.fatal);
    return not_sent(query);
}

/* Closes what the server keeps in vain; what it answers is of no interest. */
static void
close_doomed(dbal__postgres_connection *self)
{
    char name[16], text[40];
    dbal__postgres_statements_evict(&self->statements);
    if (dbal__postgres_in_transaction(self) ||
        !dbal__postgres_statements_close(&self->statements, name))
        return;
    snprintf(text, sizeof text, "deallocate %s", name);
    PQclear(PQexec(self->pg, text));
}

/* What was run has changed the session. */
static void
note_limit(dbal__postgres_connection *self, const dbal__postgres_expected *item)
{
    if (dbal__postgres_time_limit_foresee(
            &self->time_limit, dbal__postgres_statement_control(item->statement, item->request),
            dbal__postgres_statement_sets(item->statement, item->request), item->in_transaction,
            dbal_request_in_order(item->request)))
        dbal__postgres_time_limit_committed(&self->time_limit, !item->failed);
}

/* What was run has changed what the server keeps. */
static void
forget_prepared(dbal__postgres_connection *self, const dbal__postgres_expected *item)
{
    if (dbal__postgres_statement_control(item->statement, item->request) == DBAL__POSTGRES_DISCARDS)
        dbal__postgres_statements_forget(&self->statements);
    else if (dbal__postgres_statement_alters(item->statement, item->request))
        dbal__postgres_statements_doubt(&self->statements);
}

static void
note_changes(dbal__postgres_connection *self, const dbal__postgres_expected *item)
{
    note_limit(self, item);
    forget_prepared(self, item);
}

static dbal__postgres_answered
run_once(dbal__postgres_connection *self, dbal__postgres_expected *item)
{
    dbal__postgres_answered answered = DBAL__POSTGRES_ANSWER_TAKEN;
    if (!is_limited(self, item))
        return item->stopped ? answered : DBAL__POSTGRES_ANSWER_LOST;
    if (dbal__postgres_statement_is_due(&self->statements, item->statement))
        answered = prepare(self, item);
    if (answered == DBAL__POSTGRES_ANSWER_TAKEN && !item->failed)
        answered = query(self, item);
    return answered;
}

static void
say_lost(dbal__postgres_connection *self, dbal__postgres_expected *item)
{
    if (!item->failed) {
        dbal__postgres_lost(item->fault, self->pg, &self->notices, self->answer.fatal);
        dbal_fault_set_execution(item->fault, DBAL_EXECUTION_UNKNOWN);
    }
    dbal_fault_set_connection_lost(item->fault, true);
    item->failed = true;
}

bool
dbal__postgres_run(void *connection, dbal_request *request, dbal_fault *fault)
{
    dbal__postgres_connection *self = connection;
    dbal__postgres_expected item = {
        .reply = DBAL__POSTGRES_REPLY_QUERY, .request = request, .fault = fault};
    eventfd_t count;
    if (!dbal__postgres_bind(&self->bound, request, fault)) {
        dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
        return false;
    }
    item.statement = dbal__postgres_statements_get(&self->statements, request, &self->bound);
    item.in_transaction = dbal__postgres_in_transaction(self);
    if (!dbal__postgres_statement_may_run(item.statement, request, fault))
        return false;
    eventfd_read(self->stop_fd, &count);
    PQsetnonblocking(self->pg, 1);
    dbal__postgres_answered answered = run_once(self, &item);
    if (item.again && dbal_request_restart(request)) {
        dbal_fault_clear(fault);
        item = (dbal__postgres_expected){.reply = item.reply,
                                         .request = request,
                                         .fault = fault,
                                         .statement = item.statement,
                                         .tried = true};
        answered = run_once(self, &item);
    }
    if (answered != DBAL__POSTGRES_ANSWER_TAKEN || PQstatus(self->pg) == CONNECTION_BAD)
        say_lost(self, &item);
    else
        note_changes(self, &item);
    PQsetnonblocking(self->pg, 0);
    if (!item.failed)
        close_doomed(self);
    return dbal__postgres_answer_succeeded(&item);
}

bool
dbal__postgres_ping(void *connection, dbal_fault *fault)
{
    dbal__postgres_connection *self = connection;
    PGresult *result = PQexec(self->pg, "");
    bool ok = PQresultStatus(result) == PGRES_EMPTY_QUERY;
    PQclear(result);
    if (!ok)
        dbal__postgres_lost(fault, self->pg, &self->notices, "");
    return ok;
}

static bool
settle_again(dbal__postgres_connection *self, dbal_fault *fault)
{
    char *sql = dbal__postgres_settle_again(self->pg, self->config);
    if (sql == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        return false;
    }
    PGresult *result = sql[0] != '\0' ? PQexec(self->pg, sql) : NULL;
    bool ok = sql[0] == '\0' || PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!ok)
        dbal__postgres_failure(fault, result, sql);
    PQclear(result);
    dbal_driver_free(sql);
    return ok;
}

bool
dbal__postgres_reset(void *connection, dbal_fault *fault)
{
    dbal__postgres_connection *self = connection;
    bool ok = !dbal__postgres_in_transaction(self);
    PGresult *result = ok ? NULL : PQexec(self->pg, "rollback");
    PQclear(result);
    if (self->time_limit.ours || self->time_limit.inside) /* it may take longer than that */
        PQclear(PQexec(self->pg, "set statement_timeout = default"));
    dbal__postgres_time_limit_renew(&self->time_limit);
    result = PQexec(self->pg, "discard all");
    ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        dbal__postgres_failure(fault, result, "discard all");
    PQclear(result);
    dbal__postgres_statements_forget(&self->statements);
    return ok && settle_again(self, fault);
}
