#include "copy.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "connection.h"
#include "failure.h"
#include "lost.h"

/*
 * Data taken from libpq in one go; the rest waits for the next turn of the loop. PIECE is what a
 * socket that has room has room for.
 */
enum { TURN_MOST = 512 * 1024, PIECE = 16 * 1024 };

/* ---- its end ---- */

static void
finish(dbal__postgres_connection *self)
{
    dbal__postgres_copy copy = self->copy;
    self->copy = (dbal__postgres_copy){.request = NULL};
    bool ok = !copy.failed && (!copy.refused || dbal_request_satisfied(copy.request));
    if (!ok && !copy.failed)
        dbal_fault_set(dbal_request_fault(copy.request), DBAL_ERROR_CANCELLED, "57014",
                       "stopped while its data were read");
    dbal_request_finish(copy.request, ok);
}

static void
refuse(dbal__postgres_connection *self, dbal_error_class error_class, const char *sqlstate,
       const char *why)
{
    dbal_fault *fault = dbal_request_fault(self->copy.request);
    dbal_fault_set(fault, error_class, sqlstate, "%s", why);
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    self->copy.failed = true;
    finish(self);
}

/* All results are there: the connection goes back to what it was. */
static void
leave(dbal__postgres_connection *self)
{
    if (self->ended || PQstatus(self->pg) == CONNECTION_BAD || PQenterPipelineMode(self->pg) != 1) {
        self->ended = true; /* which ends the request too */
        return;
    }
    dbal__postgres_cancel_settled(self);
    dbal__postgres_look_at_transaction(self);
    finish(self);
    dbal__postgres_send(self);
}

/* ---- its beginning ---- */

/* The simple protocol, which libpq copies by, would run what stands behind a semicolon too. */
static bool
is_one_statement(const char *sql)
{
    dbal_sql_token token = dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &sql);
    bool ended = false, begun = false;
    for (; token.kind != DBAL_SQL_END; token = dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &sql)) {
        bool semicolon = token.kind == DBAL_SQL_SEMICOLON;
        if (!semicolon && ended)
            return false;
        ended = ended || (semicolon && begun);
        begun = begun || !semicolon;
    }
    return true;
}

static bool
is_silent(const dbal__postgres_connection *self)
{
    return self->expect.settled == self->expect.end && !self->flushing && !self->ended &&
           self->cancelling == NULL;
}

static void
begin(dbal__postgres_connection *self)
{
    if (!is_silent(self))
        return;
    /* no deadline is its own; what has not worked is said once more */
    if (self->copy.given_back < 2 && dbal__postgres_time_limit_gives_back(self)) {
        self->copy.given_back++;
        return;
    }
    self->copy.stage = DBAL__POSTGRES_COPY_ASKED;
    self->copy.matters =
        self->in_transaction || dbal__postgres_statement_writes(NULL, self->copy.request);
    dbal_request_sent(self->copy.request);
    if (PQexitPipelineMode(self->pg) != 1 ||
        PQsendQuery(self->pg, dbal_request_sql(self->copy.request, NULL)) != 1)
        self->ended = true;
    else
        dbal__postgres_flush(self);
}

void
dbal__postgres_copy_submit(dbal__postgres_connection *self, dbal_request *request)
{
    self->copy = (dbal__postgres_copy){.request = request};
    if (!is_one_statement(dbal_request_sql(request, NULL)))
        refuse(self, DBAL_ERROR_PROGRAMMING, "42601", "a copy is one statement");
    else if (!dbal__postgres_statement_may_run(NULL, request, dbal_request_fault(request)))
        self->copy.failed = true, finish(self);
    else
        begin(self);
}

/* ---- into the database ---- */

static void
put_end(dbal__postgres_connection *self, const char *why)
{
    self->copy.stage = DBAL__POSTGRES_COPY_ENDS;
    self->copy.whole = why == NULL;
    self->ended = PQputCopyEnd(self->pg, why) < 0 || self->ended;
    if (!self->ended)
        dbal__postgres_flush(self);
}

static void
put(dbal__postgres_connection *self, const void *data, size_t size)
{
    int done = PQputCopyData(self->pg, data, (int)size);
    if (done > 0) {
        dbal__postgres_copy_look(self);
        dbal__postgres_flush(self);
    } else if (done < 0) {
        self->ended = true;
    } else {
        dbal_fault_set(dbal_request_fault(self->copy.request), DBAL_ERROR_NO_MEMORY, NULL,
                       "out of memory");
        self->copy.failed = true;
        put_end(self, "the client is out of memory");
    }
}

/*
 * A socket without room for a piece makes libpq read what has come, and so an error of the server's
 * unseen by dbal__postgres_copy_look(): nothing is put then.
 */
static bool
has_room(dbal__postgres_connection *self)
{
    struct pollfd one = {.fd = PQsocket(self->pg), .events = POLLOUT};
    self->flushing = poll(&one, 1, 0) == 0;
    return !self->flushing;
}

static void
put_piece(dbal__postgres_connection *self)
{
    dbal__postgres_copy *copy = &self->copy;
    size_t size = copy->left < PIECE ? copy->left : PIECE;
    const char *data = copy->data;
    copy->data += size;
    copy->left -= size;
    put(self, data, size);
}

/* As long as what was put before has left, so that libpq never has more than one piece. */
static void
feed(dbal__postgres_connection *self)
{
    dbal__postgres_copy *copy = &self->copy;
    while (copy->stage == DBAL__POSTGRES_COPY_FEEDS && !copy->sleeps && !self->flushing &&
           !self->ended && !copy->over) {
        const void *data = NULL;
        size_t size = 0;
        if (!has_room(self))
            return;
        if (copy->left > 0) {
            put_piece(self);
            continue;
        }
        switch (dbal_request_copy_next(copy->request, &data, &size)) {
        case DBAL_COPY_DATA:
            copy->data = data;
            copy->left = size;
            break;
        case DBAL_COPY_WAIT:
            copy->sleeps = true;
            break;
        case DBAL_COPY_END:
            put_end(self, NULL);
            break;
        case DBAL_COPY_ABORT:
            put_end(self, data);
            break;
        }
    }
}

/* The server's last word on a copy: an error, or that it is ready for the next statement. */
static bool
is_last_word(const unsigned char *message, size_t size, size_t have)
{
    if (message[0] == 'Z')
        return size == 5 && have > 5 && memchr("ITE", message[5], 3) != NULL;
    return message[0] == 'E' && size > 6 && have > 5 && message[5] == 'S';
}

/*
 * While it takes data libpq reads what arrives but keeps errors to itself until the copy is ended,
 * which may be hours later. So the first bytes of each message are looked at before libpq has them;
 * what does not begin with a message says nothing. Behind TLS they cannot be seen. libpq reads too when
 * it cannot send all, so before each flush it is looked.
 */
void
dbal__postgres_copy_look(dbal__postgres_connection *self)
{
    unsigned char bytes[2048];
    dbal__postgres_copy *copy = &self->copy;
    if (copy->request == NULL || copy->over || PQsslInUse(self->pg) ||
        dbal_request_copy(copy->request) != DBAL_COPY_IN ||
        (copy->stage != DBAL__POSTGRES_COPY_ASKED && copy->stage != DBAL__POSTGRES_COPY_FEEDS))
        return;
    ssize_t got = recv(PQsocket(self->pg), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    size_t have = got > 0 ? (size_t)got : 0;
    for (size_t at = 0, size; at < have && have - at >= 5; at += 1 + size) {
        const unsigned char *message = bytes + at;
        size = (size_t)message[1] << 24 | (size_t)message[2] << 16 | (size_t)message[3] << 8 |
               message[4];
        if (size < 4 || memchr("ENASGZ", message[0], 6) == NULL)
            return;
        if (is_last_word(message, size, have - at)) {
            copy->over = true;
            return;
        }
    }
}

/* ---- out of it ---- */

/* What still comes is dropped. */
static void
stop(dbal__postgres_connection *self)
{
    if (self->copy.stopped)
        return;
    self->copy.stopped = true;
    dbal__postgres_cancel_reading(self);
}

static void
read_data(dbal__postgres_connection *self)
{
    dbal__postgres_copy *copy = &self->copy;
    size_t taken = 0;
    while (copy->stage == DBAL__POSTGRES_COPY_READS && taken < TURN_MOST &&
           !dbal__postgres_copy_is_held_back(self)) {
        char *data = NULL;
        int size = PQgetCopyData(self->pg, &data, 1);
        if (size == 0)
            return;
        if (size < 0) {
            copy->stage = DBAL__POSTGRES_COPY_ENDS;
            return;
        }
        taken += (size_t)size;
        if (!copy->refused && !copy->failed &&
            !dbal_request_copy_data(copy->request, data, (size_t)size)) {
            copy->refused = true;
            if (!copy->matters || !dbal_request_satisfied(copy->request))
                stop(self);
        }
        PQfreemem(data);
    }
    if (taken >= TURN_MOST)
        dbal__postgres_wake(self);
}

/* ---- results ---- */

static void
fail(dbal__postgres_connection *self, const char *why)
{
    if (self->copy.failed)
        return;
    self->copy.failed = true;
    dbal_fault_set(dbal_request_fault(self->copy.request), DBAL_ERROR_PROGRAMMING, "42601", "%s",
                   why);
}

static void
begin_data(dbal__postgres_connection *self, ExecStatusType status)
{
    dbal__postgres_copy *copy = &self->copy;
    bool in = dbal_request_copy(copy->request) == DBAL_COPY_IN;
    if (status == PGRES_COPY_IN) {
        copy->stage = DBAL__POSTGRES_COPY_FEEDS;
        if (!in)
            fail(self, "this copies into the database: use dbal_pool_copy_in()");
        if (!in)
            put_end(self, "the client has no data");
    } else {
        copy->stage = DBAL__POSTGRES_COPY_READS;
        if (!in)
            return;
        fail(self, "this copies out of the database: use dbal_pool_copy_out()");
        stop(self);
    }
}

static void
take_error(dbal__postgres_connection *self, const PGresult *result)
{
    dbal__postgres_copy *copy = &self->copy;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    dbal_fault *fault = dbal_request_fault(copy->request);
    if (state == NULL || PQstatus(self->pg) == CONNECTION_BAD)
        self->ended = true;
    if (state == NULL || copy->failed || (copy->refused && !copy->matters))
        return;
    copy->failed = true;
    if (copy->stopped && strcmp(state, "57014") == 0)
        dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "%s",
                       PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    else
        dbal__postgres_failure_of(fault, result, copy->request);
    /* also of a server that ends: what it has not been told the end of, it has undone */
    if (dbal_request_copy(copy->request) == DBAL_COPY_IN && !copy->whole)
        dbal_fault_set_execution(fault, DBAL_EXECUTION_FAILED);
}

static void
take_result(dbal__postgres_connection *self, const PGresult *result)
{
    const char *rows;
    switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
        begin_data(self, PQresultStatus(result));
        break;
    case PGRES_COMMAND_OK:
        rows = PQcmdTuples((PGresult *)(uintptr_t)result);
        if (strncmp(PQcmdStatus((PGresult *)(uintptr_t)result), "COPY", 4) != 0)
            fail(self, "this was no copy");
        else if (!self->copy.refused && rows[0] != '\0')
            dbal_request_affected(self->copy.request, strtoll(rows, NULL, 10));
        break;
    case PGRES_FATAL_ERROR:
        take_error(self, result);
        break;
    default:
        fail(self, "this was no copy");
        break;
    }
}

static bool
has_results(const dbal__postgres_connection *self)
{
    const dbal__postgres_copy *copy = &self->copy;
    return copy->request != NULL &&
           (copy->stage == DBAL__POSTGRES_COPY_ASKED || copy->stage == DBAL__POSTGRES_COPY_ENDS) &&
           !PQisBusy(self->pg);
}

static void
take_results(dbal__postgres_connection *self)
{
    while (has_results(self)) {
        PGresult *result = PQgetResult(self->pg);
        if (result == NULL) {
            leave(self);
            return;
        }
        take_result(self, result);
        PQclear(result);
    }
}

/* ---- for the connection ---- */

bool
dbal__postgres_copy_waits(const dbal__postgres_connection *self)
{
    return self->copy.request != NULL && self->copy.stage == DBAL__POSTGRES_COPY_WAITS;
}

void
dbal__postgres_copy_go_on(dbal__postgres_connection *self)
{
    dbal__postgres_copy *copy = &self->copy;
    if (dbal__postgres_copy_waits(self))
        begin(self);
    take_results(self);
    if (copy->request != NULL && copy->stage == DBAL__POSTGRES_COPY_FEEDS)
        feed(self);
    if (copy->request != NULL && copy->stage == DBAL__POSTGRES_COPY_FEEDS &&
        (copy->over || self->ended))
        put_end(self, "the server has ended it"); /* now libpq tells what it has kept to itself */
    else if (copy->request != NULL && copy->stage == DBAL__POSTGRES_COPY_READS)
        read_data(self);
    take_results(self);
}

void
dbal__postgres_copy_resume(dbal__postgres_connection *self)
{
    self->copy.sleeps = false;
}

void
dbal__postgres_copy_cancel(dbal__postgres_connection *self)
{
    if (self->copy.stage == DBAL__POSTGRES_COPY_WAITS)
        refuse(self, DBAL_ERROR_CANCELLED, "57014", "stopped before it was sent");
    else
        stop(self); /* one that takes data is told so, too, when it asks for more */
}

bool
dbal__postgres_copy_is_held_back(const dbal__postgres_connection *self)
{
    const dbal__postgres_copy *copy = &self->copy;
    return copy->request != NULL && copy->stage == DBAL__POSTGRES_COPY_READS && !copy->refused &&
           !copy->failed && dbal_request_full(copy->request);
}

/* What the server has not been told the end of, it has undone. */
void
dbal__postgres_copy_lost(dbal__postgres_connection *self)
{
    dbal__postgres_copy *copy = &self->copy;
    if (copy->request == NULL)
        return;
    bool undone = dbal_request_copy(copy->request) == DBAL_COPY_IN && !copy->whole;
    dbal_fault *fault = dbal_request_fault(copy->request);
    if (!copy->failed && undone) {
        dbal__postgres_lost(fault, self->pg, &self->notices, self->answer.fatal);
        dbal_fault_set_execution(fault, copy->stage == DBAL__POSTGRES_COPY_WAITS
                                            ? DBAL_EXECUTION_NOT_SENT
                                            : DBAL_EXECUTION_FAILED);
        copy->failed = true;
    }
    if (!copy->failed)
        return; /* the core says that it is unknown */
    dbal_fault_set_connection_lost(fault, true);
    finish(self);
}
