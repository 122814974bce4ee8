/* How a session is asked for, and the memory that it has: its connection's handle and its scope. */
#include "dbal/alloc.h"
#include "pool/connection.h"

/* A program that uses a handle for too long is to be found out by valgrind. */
#ifdef DBAL_CHECKS
static const dbal__spare_size size_kept = DBAL__SPARE_NOT;
#else
static const dbal__spare_size size_kept = DBAL__SPARE_SESSION;
#endif

/* Once the session's Deferred is gone, so is the handle, unless something inside holds it. */
static bool
watch_session(dbal__fate fate, dbal_error *error, void *arg)
{
    (void)error;
    if (fate == DBAL__FATE_GONE)
        dbal__connection_unref(arg);
    return false;
}

dbal_connection *
dbal__session_new(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    dbal_connection *connection = dbal__spare_take(&pool->spares, size_kept, sizeof *connection);
    if (connection == NULL)
        return NULL;
    dbal__clear(connection, sizeof *connection);
    connection->refs = 1; /* for who asked */
    connection->pool = pool;
    connection->attempt = 1;
    dbal__list_init(&connection->queue);
    connection->scope = &connection->outermost;
    dbal__scope_init(connection->scope, &ticket->plan);
    connection->scope->connection = dbal__connection_ref(connection);
    connection->ticket = ticket;
    ticket->connection = connection;
    if (ticket->deferred != NULL)
        dbal__deferred_watch(ticket->deferred, watch_session, connection);
    return connection;
}

dbal_connection *
dbal__connection_ref(dbal_connection *connection)
{
    connection->refs++;
    return connection;
}

void
dbal__connection_unref(dbal_connection *connection)
{
    if (--connection->refs > 0)
        return;
    dbal__clock_stop(&connection->pool->loop->ready.clock, &connection->token_timer);
    dbal__claim_free(connection->claim);
    dbal_error_unref(connection->loss);
    if (connection->last != NULL)
        dbal__sql_unref(connection->last);
    if (connection->soiler != NULL)
        dbal__sql_unref(connection->soiler);
    dbal__spare_leave(&connection->pool->spares, size_kept, connection);
}

/* ---- asking ---- */

dbal__ticket *
dbal__session_ask(dbal_pool *pool, const dbal__plan *plan, double timeout, const char *label,
                  void (*done)(dbal__ticket *ticket, dbal_outcome outcome), void *arg)
{
    dbal__ticket *ticket = dbal__ticket_new_session(pool, timeout, label);
    if (ticket == NULL)
        return NULL;
    ticket->plan = *plan;
    ticket->done = done;
    ticket->done_arg = arg;
    return dbal__ticket_start(ticket) ? ticket : NULL;
}

dbal_deferred *
dbal__session_start(dbal_pool *pool, const dbal__plan *plan, double timeout, const char *label)
{
    dbal__ticket *ticket = dbal__session_ask(pool, plan, timeout, label, NULL, NULL);
    if (ticket == NULL)
        return dbal__deferred_failed(
            pool->loop, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    dbal_deferred *deferred = ticket->deferred;
    dbal__waiters_add(ticket);
    return deferred;
}
