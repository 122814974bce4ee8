/* How sessions, transactions and savepoints are asked for, and when they are refused. */
#include <string.h>

#include "pool/connection.h"

/* NULL, or what is missing in a call. */
static dbal_error *
wrong_call(dbal_work *work, const size_t *size)
{
    if (work == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "there is no work to be run");
    if (size != NULL && *size == 0)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "the options do not say their size: make them with DBAL_SESSION(), "
                              "DBAL_TRANSACTION() or the _INIT macros");
    return NULL;
}

static dbal_error *
wrong_options(const dbal_transaction_options *options)
{
    if (options->retries < 0)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "retries: %d is below 0", options->retries);
    return dbal__ticket_wrong_timeout(options->timeout);
}

static dbal_deferred *
out_of_memory(dbal_pool *pool)
{
    return dbal__deferred_failed(
        pool->loop, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
}

dbal_deferred *
dbal_pool_session(dbal_pool *pool, const dbal_session_options *options, dbal_work *work, void *arg)
{
    bool ok;
    dbal_session_options given = {.size = sizeof given};
    dbal_deferred *refused = dbal__pool_refuse(pool, "dbal_pool_session", &ok);
    if (!ok)
        return refused;
    dbal_error *wrong = wrong_call(work, options != NULL ? &options->size : NULL);
    if (wrong != NULL)
        return dbal__deferred_failed(pool->loop, wrong);
    if (options != NULL)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    if ((wrong = dbal__ticket_wrong_timeout(given.timeout)) != NULL)
        return dbal__deferred_failed(pool->loop, wrong);
    dbal__plan plan = {
        .kind = DBAL__SCOPE_SESSION, .read_only = given.read_only, .work = work, .arg = arg};
    return dbal__session_start(pool, &plan, given.timeout, given.label);
}

static dbal__plan
transaction_plan(const dbal_transaction_options *options, dbal_work *work, void *arg)
{
    return (dbal__plan){
        .kind = DBAL__SCOPE_TRANSACTION,
        .read_only = options->read_only,
        .deferrable = options->deferrable,
        .isolation = options->isolation,
        .retries = options->retries,
        .work = work,
        .arg = arg,
    };
}

static dbal_transaction_options
given_options(const dbal_transaction_options *options)
{
    dbal_transaction_options given = {.size = sizeof given};
    if (options != NULL)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    return given;
}

dbal_deferred *
dbal_pool_transaction(dbal_pool *pool, const dbal_transaction_options *options, dbal_work *work,
                      void *arg)
{
    bool ok;
    dbal_transaction_options given = given_options(options);
    dbal_deferred *refused = dbal__pool_refuse(pool, "dbal_pool_transaction", &ok);
    if (!ok)
        return refused;
    dbal_error *wrong = wrong_call(work, options != NULL ? &options->size : NULL);
    if (wrong == NULL)
        wrong = wrong_options(&given);
    if (wrong != NULL)
        return dbal__deferred_failed(pool->loop, wrong);
    dbal__plan plan = transaction_plan(&given, work, arg);
    return dbal__session_start(pool, &plan, given.timeout, given.label);
}

static void
cancel_inner(dbal_deferred *deferred, void *arg)
{
    dbal__scope *scope = arg;
    (void)deferred;
    scope->cancelled = true;
    dbal__scope_cancel(scope);
}

/* An inner scope begins, inside the one that works now. */
static dbal_deferred *
start_inner(dbal_connection *connection, dbal__scope *scope)
{
    dbal__scope *outer = connection->scope;
    dbal_deferred *deferred = dbal__deferred_new(connection->pool->loop, cancel_inner, scope);
    if (deferred == NULL) {
        dbal__scope_unref(scope);
        return NULL;
    }
    scope->connection = dbal__connection_ref(connection);
    scope->outer = dbal__scope_ref(outer);
    scope->deferred = deferred;
    scope->plan.read_only = scope->plan.read_only || outer->plan.read_only;
    outer->pending++;
    dbal__deferred_watch(deferred, dbal__scope_watch, dbal__scope_ref(outer));
    dbal__scope_unref(outer); /* the connection's: it holds the inner one now */
    connection->scope = scope;
    dbal__scope_begin(scope);
    return deferred;
}

/* NULL, or why an inner scope of this kind cannot begin here. */
static dbal_error *
inner_refusal(const dbal_connection *connection, bool wants_transaction, const char *call)
{
    dbal_error *error = dbal__connection_refusal(connection, call);
    if (error != NULL)
        return error;
    if (connection->scope->work_done)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "%s: another piece of work is just ending on "
                              "this connection; wait for its outcome",
                              call);
    bool inside = connection->in_transaction || dbal__scope_has_transaction(connection->scope);
    if (wants_transaction && inside)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "%s: a transaction is open already; use dbal_connection_savepoint()",
                              call);
    if (!wants_transaction && !inside)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "%s: no transaction is open; use dbal_connection_transaction()",
                              call);
    return NULL;
}

dbal_deferred *
dbal_connection_transaction(dbal_connection *connection, const dbal_transaction_options *options,
                            dbal_work *work, void *arg)
{
    dbal_pool *pool = connection->pool;
    dbal_transaction_options given = given_options(options);
    if (!dbal__loop_check(pool->loop, "dbal_connection_transaction"))
        return NULL;
    dbal_error *error = wrong_call(work, options != NULL ? &options->size : NULL);
    if (error == NULL)
        error = wrong_options(&given);
    if (error == NULL)
        error = inner_refusal(connection, true, "dbal_connection_transaction");
    if (error != NULL)
        return dbal__deferred_failed(pool->loop, error);
    dbal__plan plan = transaction_plan(&given, work, arg);
    dbal__scope *scope = dbal__scope_new(&plan);
    return scope != NULL ? start_inner(connection, scope) : out_of_memory(pool);
}

dbal_deferred *
dbal_connection_savepoint(dbal_connection *connection, dbal_work *work, void *arg)
{
    dbal_pool *pool = connection->pool;
    if (!dbal__loop_check(pool->loop, "dbal_connection_savepoint"))
        return NULL;
    dbal_error *error = wrong_call(work, NULL);
    if (error == NULL)
        error = inner_refusal(connection, false, "dbal_connection_savepoint");
    if (error == NULL && (pool->capabilities & DBAL_CAN_SAVEPOINT) == 0)
        error = dbal_error_new(DBAL_ERROR_NOT_SUPPORTED, "driver %s has no savepoints",
                               pool->driver->driver->name);
    if (error != NULL)
        return dbal__deferred_failed(pool->loop, error);
    dbal__plan plan = {.kind = DBAL__SCOPE_SAVEPOINT, .work = work, .arg = arg};
    dbal__scope *scope = dbal__scope_new(&plan);
    return scope != NULL ? start_inner(connection, scope) : out_of_memory(pool);
}
