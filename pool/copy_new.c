/* How copies are asked for, and when they are refused. One out of the database is a stream. */
#include <dbal/copy.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "pool/connection.h"
#include "pool/pool.h"

/* What a copy is asked for with. */
typedef struct order {
    const char *call, *sql;
    dbal_copy_direction direction;
    dbal_copy_fn *room;
    dbal_bytes_fn *take;
    void *arg;
} order;

static dbal_error *
no_memory(void)
{
    return dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

/* ---- making ---- */

/* NULL, or why there can be no copies here. */
static dbal_error *
incapable(const dbal_pool *pool)
{
    const dbal_driver *driver = pool->driver->driver;
    if ((pool->capabilities & DBAL_CAN_COPY) == 0 || driver->native == NULL ||
        driver->native->resume == NULL)
        return dbal__error_make(DBAL_ERROR_NOT_SUPPORTED, "0A000", DBAL_EXECUTION_NOT_SENT,
                                "driver %s cannot copy in bulk", driver->name);
    if (pool->gate != DBAL_GATE_LOOP)
        return dbal__error_make(DBAL_ERROR_NOT_SUPPORTED, "0A000", DBAL_EXECUTION_NOT_SENT,
                                "driver %s can copy in bulk on gate loop, not on gate %s",
                                driver->name, dbal__gate_kind_name(pool->gate));
    return NULL;
}

/* NULL, or what is wrong with the call. */
static dbal_error *
refusal(const dbal_pool *pool, const order *asked)
{
    dbal_error *error = incapable(pool);
    if (error != NULL)
        return error;
    if (asked->sql == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "a copy without sql");
    if (asked->room == NULL && asked->take == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "there is no function for the copy's data");
    return NULL;
}

/* NULL, or why the statement is not what was asked for. */
static dbal_error *
check(const dbal__sql *sql, dbal_copy_direction direction)
{
    unsigned kinds = sql->sql_class.kinds;
    bool in = direction == DBAL_COPY_IN;
    const char *what = NULL;
    if ((kinds & (in ? DBAL_SQL_COPY_OUT : DBAL_SQL_COPY_IN)) != 0)
        what = in ? "this copies out of the database: use dbal_pool_copy_out()"
                  : "this copies into the database: use dbal_pool_copy_in()";
    else if ((kinds & (in ? DBAL_SQL_COPY_IN : DBAL_SQL_COPY_OUT)) == 0)
        what = in ? "this is no copy of data into the database, COPY … FROM STDIN"
                  : "this is no copy of data out of the database, COPY … TO STDOUT";
    else if (sql->value_count > 0)
        what = "a copy has no parameters";
    if (what == NULL)
        return NULL;
    dbal_error *error =
        dbal__error_make(DBAL_ERROR_PROGRAMMING, "42601", DBAL_EXECUTION_NOT_SENT, "%s", what);
    dbal__error_set_where(error, sql->source);
    return error;
}

static dbal__ticket *
make(dbal_pool *pool, const order *asked, dbal_error **ret_error)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__ticket *ticket = NULL;
    dbal__sql *sql = dbal__sql_table_get(pool->table, asked->sql, &fault);
    dbal_error *error = sql != NULL ? check(sql, asked->direction) : NULL;
    if (sql == NULL) {
        error = dbal__error_with_execution(dbal__fault_take(&fault), DBAL_EXECUTION_NOT_SENT);
        dbal__error_set_where(error, asked->sql);
    } else if (error == NULL) {
        ticket = dbal__ticket_new_packed(pool, sql, "", 0);
    }
    dbal_fault_clear(&fault);
    if (sql != NULL)
        dbal__sql_unref(sql);
    if (ticket != NULL) {
        ticket->finish_by = ticket->job.request.deadline = DBAL__NEVER;
        bool done = asked->direction == DBAL_COPY_IN
                        ? dbal__copy_attach(ticket, asked->room, asked->arg)
                        : dbal__stream_attach_copy(ticket, asked->take, asked->arg);
        if (done)
            return ticket;
        dbal__ticket_free(ticket);
    }
    *ret_error = error != NULL ? error : no_memory();
    return NULL;
}

static dbal_deferred *
copy_on_connection(dbal_connection *connection, const order *asked)
{
    dbal_pool *pool = connection->pool;
    if (!dbal__loop_check(pool->loop, asked->call))
        return NULL;
    dbal_error *error = dbal__connection_refusal(connection, asked->call);
    if (error == NULL)
        error = refusal(pool, asked);
    dbal__ticket *ticket = error == NULL ? make(pool, asked, &error) : NULL;
    if (ticket == NULL)
        return dbal__deferred_failed(pool->loop, error);
    dbal__ticket *added = NULL;
    dbal_deferred *deferred =
        dbal__connection_add_ticket(dbal__connection_working(connection), ticket, &added);
    if (added == NULL)
        return deferred;
    /* in place of the scope's own watch, whose reference goes over */
    if (added->stream != NULL)
        dbal__stream_outlive(added->stream, deferred, added->scope);
    else
        dbal__copy_outlive(added->copy, deferred, added->scope);
    dbal__connection_pump(connection);
    return deferred;
}

/* ---- on a pool: a session whose work is the copy ---- */

typedef struct carrier {
    unsigned refs;        /* the Deferred's, and the session's while it runs */
    dbal__ticket *ticket; /* until the session has it */
    struct dbal_stream *stream;
    dbal_copy *copy; /* one of these; a reference */
    dbal_deferred *deferred;
    dbal_deferred *session; /* a reference */
    dbal_outcome outcome;   /* the copy's, which says more than the session's */
    bool ended;             /* it is there */
} carrier;

static void
unref_carrier(carrier *self)
{
    if (--self->refs > 0)
        return;
    if (self->ticket != NULL)
        dbal__ticket_free(self->ticket);
    dbal__stream_unref(self->stream);
    dbal__copy_unref(self->copy);
    dbal_deferred_unref(self->session);
    dbal__outcome_fini(self->outcome);
    dbal__free(self);
}

static void
on_copied(dbal_outcome outcome, void *arg)
{
    carrier *self = arg;
    self->outcome = outcome;
    self->ended = true;
    unref_carrier(self);
}

static dbal_outcome
run(dbal_connection *connection, void *arg)
{
    carrier *self = arg;
    dbal__ticket *ticket = self->ticket;
    self->ticket = NULL;
    dbal_deferred *inner =
        dbal__connection_add_ticket(dbal__connection_working(connection), ticket, NULL);
    self->refs++;
    dbal__deferred_add_taker(inner, on_copied, self);
    return dbal_wait(inner);
}

/* The session is over. */
static void
on_end(dbal_outcome outcome, void *arg)
{
    carrier *self = arg;
    dbal_deferred *deferred = self->deferred;
    self->deferred = NULL;
    if (self->ticket != NULL) {
        dbal__ticket_free(self->ticket);
        self->ticket = NULL;
    }
    if (self->ended) {
        dbal_outcome copied = self->outcome;
        self->outcome = dbal_done();
        dbal__outcome_fini(outcome);
        outcome = copied;
    }
    dbal_deferred_fire(deferred, outcome);
    unref_carrier(self);
}

static void
cancel(dbal_deferred *deferred, void *arg)
{
    (void)deferred;
    dbal_deferred_cancel(((carrier *)arg)->session);
}

static bool
watch_carrier(dbal__fate fate, dbal_error *error, void *arg)
{
    (void)error;
    if (fate == DBAL__FATE_GONE)
        unref_carrier(arg);
    return false;
}

static carrier *
carry(dbal__ticket *ticket)
{
    carrier *self = dbal__zalloc(sizeof *self);
    if (self == NULL) {
        dbal__ticket_free(ticket);
        return NULL;
    }
    self->refs = 1;
    self->outcome = dbal_done();
    self->ticket = ticket;
    self->stream = dbal__stream_ref(ticket->stream);
    self->copy = dbal__copy_ref(ticket->copy);
    return self;
}

static dbal_deferred *
copy_on_pool(dbal_pool *pool, const order *asked)
{
    bool ok;
    dbal_deferred *refused = dbal__pool_refuse(pool, asked->call, &ok);
    if (!ok)
        return refused;
    dbal_error *error = refusal(pool, asked);
    dbal__ticket *ticket = error == NULL ? make(pool, asked, &error) : NULL;
    if (ticket == NULL)
        return dbal__deferred_failed(pool->loop, error);
    carrier *self = carry(ticket);
    if (self == NULL)
        return dbal__deferred_failed(pool->loop, no_memory());
    dbal_deferred *deferred = dbal__deferred_new(pool->loop, cancel, self);
    if (deferred == NULL) {
        unref_carrier(self);
        return NULL;
    }
    self->deferred = deferred;
    dbal__deferred_watch(deferred, watch_carrier, self);
    self->refs++;
    self->session =
        dbal_deferred_ref(dbal_pool_session(pool, DBAL_SESSION(.label = "copy"), run, self));
    dbal__deferred_add_taker(self->session, on_end, self);
    return deferred;
}

dbal_deferred *
dbal_pool_copy_in(dbal_pool *pool, const char *sql, dbal_copy_fn *room, void *arg)
{
    order asked = {
        .call = __func__, .sql = sql, .direction = DBAL_COPY_IN, .room = room, .arg = arg};
    return copy_on_pool(pool, &asked);
}

dbal_deferred *
dbal_pool_copy_out(dbal_pool *pool, const char *sql, dbal_bytes_fn *fn, void *arg)
{
    order asked = {
        .call = __func__, .sql = sql, .direction = DBAL_COPY_OUT, .take = fn, .arg = arg};
    return copy_on_pool(pool, &asked);
}

dbal_deferred *
dbal_connection_copy_in(dbal_connection *connection, const char *sql, dbal_copy_fn *room, void *arg)
{
    order asked = {
        .call = __func__, .sql = sql, .direction = DBAL_COPY_IN, .room = room, .arg = arg};
    return copy_on_connection(connection, &asked);
}

dbal_deferred *
dbal_connection_copy_out(dbal_connection *connection, const char *sql, dbal_bytes_fn *fn, void *arg)
{
    order asked = {
        .call = __func__, .sql = sql, .direction = DBAL_COPY_OUT, .take = fn, .arg = arg};
    return copy_on_connection(connection, &asked);
}
