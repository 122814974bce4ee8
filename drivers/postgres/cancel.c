/*
 * Stopping a statement that the server is at work on. The request to cancel goes by a connection of
 * its own, names no statement and hits whatever runs when it arrives. So nothing new is sent while
 * one is on its way; what had been sent before, and is hit instead, is sent once more.
 */
#include <poll.h>
#include <time.h>

#include "connection.h"

struct dbal__postgres_errand {
    dbal__postgres_connection *of; /* NULL when that is gone */
    const dbal__postgres_newer *newer;
    PGcancel *cancel;                       /* before libpq 17 */
    dbal__postgres_cancel_conn *connection; /* since */
    uint32_t settled;                       /* what had been when it went */
};

/* seconds that a cancel by its own connection may take */
enum { CANCEL_MOST = 10 };

/*
 * It may arrive before the statement has begun, and is lost then: it is sent again. A connection
 * whose cancel is not taken is not kept longer than the patience lasts. All in seconds.
 */
static const double CANCEL_FIRST = 0.02, AGAIN_MOST = 0.5, CANCEL_PATIENCE = 3;

/* What the server is at work on is to be stopped. */
static bool
is_stopping(const dbal__postgres_connection *self)
{
    if (self->copy.request != NULL)
        return self->copy.stopped;
    return dbal__postgres_expect_is_stopping(&self->expect);
}

static void
expose(dbal__postgres_connection *self)
{
    dbal__postgres_expect *expect = &self->expect;
    for (uint32_t i = expect->settled; i != expect->end; i++)
        dbal__postgres_expect_at(expect, i)->exposed = true;
}

static time_t
seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* As PQcancelBlocking(), but not for ever; encrypted as the connection itself. */
static void
cancel_polling(const dbal__postgres_errand *errand)
{
    const dbal__postgres_newer *newer = errand->newer;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    time_t until = seconds_now() + CANCEL_MOST;
    if (newer->cancel_start(errand->connection) != 1)
        return;
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED && seconds_now() < until) {
        struct pollfd wait = {.fd = newer->cancel_socket(errand->connection),
                              .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (poll(&wait, 1, 1000) > 0)
            status = newer->cancel_poll(errand->connection);
    }
}

static void
in_helper(void *arg)
{
    dbal__postgres_errand *errand = arg;
    char why[256];
    if (errand->connection != NULL)
        cancel_polling(errand);
    else
        PQcancel(errand->cancel, why, sizeof why); /* ends when the server has taken it */
}

static void
errand_free(dbal__postgres_errand *errand)
{
    if (errand->connection != NULL)
        errand->newer->cancel_finish(errand->connection);
    PQfreeCancel(errand->cancel);
    dbal_driver_free(errand);
}

/* NULL without memory. */
static dbal__postgres_errand *
errand_new(dbal__postgres_connection *self)
{
    dbal__postgres_errand *errand = dbal_driver_alloc(sizeof *errand);
    if (errand == NULL)
        return NULL;
    errand->of = self;
    errand->newer = self->newer;
    if (self->newer->cancel_create != NULL)
        errand->connection = self->newer->cancel_create(self->pg);
    else
        errand->cancel = PQgetCancel(self->pg);
    if (errand->connection != NULL || errand->cancel != NULL)
        return errand;
    errand_free(errand);
    return NULL;
}

static void
try_later(dbal__postgres_connection *self)
{
    self->cancel_due = true;
    dbal_host_timer(self->host, self->cancel_again);
}

static void
done(void *arg)
{
    dbal__postgres_errand *errand = arg;
    dbal__postgres_connection *self = errand->of;
    uint32_t settled = errand->settled;
    errand_free(errand);
    if (self == NULL)
        return;
    self->cancelling = NULL; /* also of one that is lost, and still to be detached */
    if (self->lost)
        return;
    dbal_host_timer(self->host, -1);
    if (settled != self->expect.settled)
        dbal__postgres_cancel_reading(self); /* it was meant for another one */
    else if (is_stopping(self))
        try_later(self);
    dbal__postgres_wake(self); /* what has waited for it is sent */
}

void
dbal__postgres_cancel_reading(dbal__postgres_connection *self)
{
    if (self->cancelling != NULL || self->cancel_due || self->ended || !is_stopping(self))
        return;
    dbal__postgres_errand *errand = errand_new(self);
    if (errand == NULL || !dbal_host_offload(self->host, in_helper, done, errand)) {
        if (errand != NULL)
            errand_free(errand);
        try_later(self);
        return;
    }
    errand->settled = self->expect.settled;
    self->cancelling = errand;
    dbal_host_timer(self->host, CANCEL_PATIENCE);
    expose(self);
}

void
dbal__postgres_cancel_timer(dbal__postgres_connection *self)
{
    if (self->cancelling != NULL) {
        /* nothing may be sent behind it as long as it may hit that */
        dbal__postgres_lose(self, "a cancel was not taken in time: the connection is given up");
        return;
    }
    self->cancel_due = false;
    if (self->cancel_again < AGAIN_MOST)
        self->cancel_again *= 2;
    dbal__postgres_cancel_reading(self);
}

void
dbal__postgres_cancel_settled(dbal__postgres_connection *self)
{
    self->cancel_again = CANCEL_FIRST;
    if (!self->cancel_due)
        return;
    self->cancel_due = false;
    dbal_host_timer(self->host, -1);
}

void
dbal__postgres_cancel(void *connection, dbal_request *request)
{
    dbal__postgres_connection *self = connection;
    if (request == self->copy.request) {
        dbal__postgres_copy_cancel(self);
        return;
    }
    if (dbal__postgres_expect_remove(&self->expect, request)) {
        dbal_fault *fault = dbal_request_fault(request);
        dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "stopped before it was sent");
        dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
        dbal_request_finish(request, false);
        return;
    }
    if (dbal__postgres_expect_stop(&self->expect, request))
        dbal__postgres_cancel_reading(self);
}

void
dbal__postgres_cancel_leave(dbal__postgres_connection *self)
{
    if (self->cancelling != NULL)
        self->cancelling->of = NULL;
    self->cancelling = NULL;
}
