#include "connection.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connect.h"

/* ---- in a helper thread ---- */

bool
dbal__postgres_open(void *connection, dbal_opening *opening, dbal_fault *fault)
{
    dbal__postgres_connection *self = connection;
    self->config = opening->config;
    self->newer = dbal__postgres_newer_get();
    self->time_limit.off = self->config->pooler; /* what is set there, others would get */
    if (!dbal__postgres_expect_init(&self->expect) ||
        !dbal__postgres_statements_init(&self->statements, opening->statement_cache,
                                        opening->prepare_after, !self->config->pooler)) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        dbal__postgres_expect_fini(&self->expect);
        return false;
    }
    self->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->stop_fd < 0)
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "53000", "no descriptor is left");
    else
        self->pg = dbal__postgres_connect(self->config, opening, &self->notices, fault);
    if (self->pg != NULL) {
        self->standby = dbal__postgres_is_standby(self);
        return true;
    }
    dbal__postgres_notices_fini(&self->notices); /* a login that failed may have said much */
    if (self->stop_fd >= 0)
        close(self->stop_fd);
    dbal__postgres_expect_fini(&self->expect);
    dbal__postgres_statements_fini(&self->statements);
    return false;
}

void
dbal__postgres_close(void *connection)
{
    dbal__postgres_connection *self = connection;
    PQclear(self->answer.rest);
    PQfinish(self->pg);
    dbal__postgres_notices_fini(&self->notices);
    close(self->stop_fd);
    dbal__postgres_expect_fini(&self->expect);
    dbal__postgres_statements_fini(&self->statements);
    dbal__postgres_columns_fini(&self->columns);
    dbal__postgres_bound_fini(&self->bound);
}

bool
dbal__postgres_in_transaction(void *connection)
{
    const dbal__postgres_connection *self = connection;
    PGTransactionStatusType status = PQtransactionStatus(self->pg);
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

/* ---- on the loop ---- */

static void
attach(void *connection, dbal_host *host)
{
    dbal__postgres_connection *self = connection;
    self->host = host;
    dbal__postgres_cancel_settled(self);
    if (PQsetnonblocking(self->pg, 1) != 0 || PQenterPipelineMode(self->pg) != 1) {
        dbal__postgres_lose(self, NULL);
        return;
    }
    dbal__postgres_watch(self);
}

static void
detach(void *connection)
{
    dbal__postgres_connection *self = connection;
    dbal__postgres_cancel_leave(self);
    self->copy.request = NULL;
    self->lost = true;
    self->host = NULL;
}

/* What the server has said besides its answers goes to the program's log. */
static void
log_notices(dbal__postgres_connection *self)
{
    dbal__postgres_notice notice;
    while (self->notices.count > 0 && dbal__postgres_notices_take(&self->notices, &notice)) {
        dbal_host_log(self->host, strcmp(notice.severity, "WARNING") == 0, notice.text);
        dbal_driver_free(notice.text);
    }
}

void
dbal__postgres_settle_down(dbal__postgres_connection *self)
{
    if (self->lost)
        return;
    if (self->ended)
        dbal__postgres_receive(self);
    dbal__postgres_notify(self);
    log_notices(self);
    dbal__postgres_watch(self);
}

static void
submit(void *connection, dbal_request *request)
{
    dbal__postgres_connection *self = connection;
    bool copies = dbal_request_copy(request) != DBAL_COPY_NONE;
    if (copies)
        dbal__postgres_copy_submit(self, request);
    else
        dbal__postgres_submit(self, request);
    if (copies || self->ended || self->flushing)
        dbal__postgres_settle_down(self);
}

static void
step(void *connection, int slot, unsigned events)
{
    dbal__postgres_connection *self = connection;
    if (self->lost)
        return;
    if (slot == DBAL_SLOT_WAKE) {
        self->waking = false;
        dbal__postgres_sync(self);
        dbal__postgres_flush(self);
    } else if (slot == DBAL_SLOT_TIMER) {
        dbal__postgres_cancel_timer(self);
    }
    /* no more is read than is taken: libpq's buffer has no limit, and is moved as a whole */
    if ((events & DBAL_READABLE) != 0 && !self->behind) {
        dbal__postgres_copy_look(self);
        dbal__postgres_consume(self);
    }
    if (self->flushing && !self->ended) {
        dbal__postgres_copy_look(self);
        dbal__postgres_flush(self);
    }
    dbal__postgres_copy_go_on(self);
    dbal__postgres_receive(self);
    /* what it has waited for may be there now */
    if (!self->lost && dbal__postgres_copy_waits(self))
        dbal__postgres_copy_go_on(self);
    if (!self->lost)
        dbal__postgres_send(self);
    dbal__postgres_settle_down(self);
}

static void
resume(void *connection, dbal_request *request)
{
    (void)request;
    dbal__postgres_copy_resume(connection);
    /* not from inside: the caller is in the middle of handing out rows */
    dbal__postgres_wake(connection);
}

const dbal_native dbal__postgres_native = {
    .size = sizeof(dbal_native),
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .step = step,
    .cancel = dbal__postgres_cancel,
    .resume = resume,
    .reset = dbal__postgres_reset_session,
};
