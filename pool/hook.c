#include "pool/hook.h"

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "pool/connection.h"

/* What is left of connect_timeout at least, so that it is a limit and none for "no limit". */
static const double LEAST = 0.001;

/* ---- how it ends ---- */

/* It can be used now: by all that wait, or as before. */
static void
succeed(dbal__slot *slot)
{
    if (slot->state == DBAL__SLOT_OPEN) {
        dbal__waiters_release(slot);
        return;
    }
    if (slot->pool->threads != NULL)
        dbal__moving_release(slot->channel);
    dbal__slots_opened(slot);
}

/* As a connect that has failed, unless it is the pool that ended it. Takes over the error. */
static void
fail(dbal_pool *pool, dbal__slot *slot, dbal_error *error, bool unwanted)
{
    if (slot != NULL)
        dbal__life_close(slot);
    bool over = pool->closing && (pool->close_late || dbal_error_is(error, DBAL_ERROR_CLOSED));
    if (unwanted || pool->stopped || over)
        dbal_error_unref(error);
    else
        dbal__slots_failed(pool, error);
}

/* What the caller sees of an error (borrowed). */
static dbal_error *
tell(const dbal_pool *pool, const dbal__hook *hook, dbal_error *cause)
{
    if (dbal__loop_now(pool->loop) >= hook->until &&
        (cause == NULL || dbal_error_is(cause, DBAL_ERROR_TIMEOUT)))
        return dbal__error_because(cause, DBAL_ERROR_TIMEOUT, "08001", DBAL_EXECUTION_NOT_SENT,
                                   "on_connect did not end within connect_timeout (%g s); it must "
                                   "not wait for anything else of its pool",
                                   pool->settings.connect_timeout);
    if (cause != NULL && !dbal_error_connection_lost(cause))
        return dbal_error_wrap(cause, "on_connect: %s", dbal_error_message(cause));
    dbal_error *lost = dbal__error_because(
        cause, DBAL_ERROR_OPERATIONAL, cause != NULL ? dbal_error_sqlstate(cause) : "08006",
        DBAL_EXECUTION_NOT_SENT, "on_connect: %s",
        cause != NULL ? dbal_error_message(cause) : "the connection was lost");
    dbal__error_set_retryable(lost); /* the next one may live */
    return lost;
}

/* NULL, or what was wrong; the outcome is borrowed. */
static dbal_error *
error_of(const dbal_pool *pool, const dbal__hook *hook, dbal_outcome outcome)
{
    const dbal__slot *slot = hook->slot;
    dbal_error *cause = dbal_outcome_error(outcome);
    if (cause != NULL || slot == NULL || slot->state == DBAL__SLOT_CLOSING)
        return tell(pool, hook, cause != NULL ? cause : hook->connection->loss);
    if (!slot->dirty)
        return NULL;
    return dbal__error_make(DBAL_ERROR_OPERATIONAL, "25000", DBAL_EXECUTION_NOT_SENT,
                            "on_connect: what it left open cannot be undone");
}

void
dbal__hook_lost(dbal__slot *slot, dbal_error *error)
{
    dbal__hook *hook = slot->hook;
    if (hook == NULL || hook->unwanted)
        return;
    hook->unwanted = true;
    fail(slot->pool, NULL, tell(slot->pool, hook, error), false);
}

static void
on_done(dbal__ticket *ticket, dbal_outcome outcome)
{
    dbal__hook *hook = ticket->done_arg;
    dbal_pool *pool = ticket->pool;
    dbal__slot *slot = hook->slot;
    dbal_error *error = error_of(pool, hook, outcome);
    bool unwanted = hook->unwanted;
    dbal__outcome_fini(outcome);
    if (slot != NULL)
        slot->hook = NULL;
    dbal__connection_unref(hook->connection);
    dbal__free(hook);
    if (error == NULL)
        succeed(slot);
    else
        fail(pool, slot, error, unwanted);
}

/* ---- how it begins ---- */

/* A session on this connection, which nobody else has. */
static bool
start(dbal__slot *slot, dbal__hook *hook, double limit)
{
    dbal_pool *pool = slot->pool;
    dbal__plan plan = {.kind = DBAL__SCOPE_SESSION,
                       .work = pool->settings.on_connect,
                       .arg = pool->settings.on_connect_arg};
    dbal__ticket *ticket =
        dbal__session_ask(pool, &plan, limit < 0 ? 0 : limit, "on_connect", on_done, hook);
    if (ticket == NULL)
        return false;
    dbal__job_begin_alone(&ticket->job);
    ticket->slot = slot;
    ticket->job.channel = slot->channel;
    if (!dbal__connection_begin(ticket, slot)) {
        ticket->done = NULL; /* it is told here */
        dbal__ticket_settle(ticket,
                            dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
        dbal__ticket_free(ticket);
        return false;
    }
    hook->slot = slot;
    hook->connection = ticket->connection;
    hook->connection->prepares = true;
    slot->hook = hook;
    return true;
}

void
dbal__hook_begin(dbal__slot *slot, double limit)
{
    dbal_pool *pool = slot->pool;
    dbal__hook *hook = NULL;
    dbal_error *error = NULL;
    if (limit >= 0 && limit < LEAST)
        limit = LEAST;
    if (pool->threads != NULL && !dbal__moving_keep(slot->channel)) {
        error = dbal__error_make(DBAL_ERROR_OPERATIONAL, "08001", DBAL_EXECUTION_NOT_SENT,
                                 "on_connect: no thread is free");
        dbal__error_set_retryable(error);
    } else {
        hook = dbal__zalloc(sizeof *hook);
    }
    if (hook != NULL) {
        hook->until = limit < 0 ? DBAL__NEVER : dbal__after(dbal__loop_now(pool->loop), limit);
        if (start(slot, hook, limit))
            return;
        dbal__free(hook);
    }
    if (error == NULL)
        error = dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
    fail(pool, slot, error, false);
}

/* ---- those that are told ---- */

void
dbal__hook_tell(dbal_pool *pool, dbal_connection_hook *hook, uint64_t number, int64_t opened_at,
                const char *label)
{
    dbal__ready *ready = &pool->loop->ready;
    dbal_connection_info told = {.size = sizeof told,
                                 .id = number,
                                 .label = label,
                                 .age = (double)(dbal__loop_now(pool->loop) - opened_at) / 1e9};
    dbal__ready_app_enter(ready);
    hook(&told, pool->settings.hook_arg);
    dbal__ready_app_leave(ready);
}

static void
tell_of(const dbal_connection *connection, dbal_connection_hook *hook)
{
    if (hook != NULL)
        dbal__hook_tell(connection->pool, hook, connection->number, connection->opened_at,
                        connection->ticket != NULL ? connection->ticket->label : NULL);
}

void
dbal__hook_acquired(dbal_connection *connection)
{
    if (connection->acquired || connection->prepares)
        return;
    connection->acquired = true;
    tell_of(connection, connection->pool->settings.on_acquire);
}

void
dbal__hook_released(dbal_connection *connection)
{
    if (!connection->acquired)
        return;
    connection->acquired = false;
    tell_of(connection, connection->pool->settings.on_release);
}
