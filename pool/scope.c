/* Sessions, transactions and savepoints: how a piece of work begins, runs and ends. */
#include <stdio.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "pool/connection.h"

enum { SQL_ROOM = 64 };

static void on_task(dbal__task *task);
static void finish(dbal__scope *scope);

void
dbal__scope_init(dbal__scope *scope, const dbal__plan *plan)
{
    scope->refs = 1;
    scope->plan = *plan;
    scope->outcome = dbal_done();
    dbal__task_init(&scope->task, on_task);
}

dbal__scope *
dbal__scope_new(const dbal__plan *plan)
{
    dbal__scope *scope = dbal__zalloc(sizeof *scope);
    if (scope != NULL)
        dbal__scope_init(scope, plan);
    return scope;
}

dbal__scope *
dbal__scope_ref(dbal__scope *scope)
{
    scope->refs++;
    return scope;
}

void
dbal__scope_unref(dbal__scope *scope)
{
    if (scope == NULL || --scope->refs > 0)
        return;
    dbal__list_remove(&scope->task.link);
    dbal__outcome_fini(scope->outcome);
    dbal_error_unref(scope->unhandled);
    dbal_deferred_unref(scope->working);
    dbal__scope_unref(scope->outer);
    dbal_connection *connection = scope->connection;
    if (connection == NULL || scope != &connection->outermost)
        dbal__free(scope);
    if (connection != NULL)
        dbal__connection_unref(connection);
}

/* The task holds a reference while it is queued. */
static void
schedule(dbal__scope *scope)
{
    if (dbal__task_is_queued(&scope->task))
        return;
    dbal__scope_ref(scope);
    dbal__ready_push(&scope->connection->pool->loop->ready, &scope->task);
}

static void
set_outcome(dbal__scope *scope, dbal_outcome outcome)
{
    dbal_outcome old = scope->outcome;
    scope->outcome = outcome;
    dbal__outcome_fini(old);
}

/* The work's chain has ended. */
static void
on_work_done(dbal_outcome outcome, void *arg)
{
    dbal__scope *scope = arg;
    scope->work_done = true;
    set_outcome(scope, outcome);
    dbal__scope_check(scope);
    dbal__scope_unref(scope);
}

/* It ends without its work having run, or having run to its end. */
static void
end_with(dbal__scope *scope, dbal_outcome outcome)
{
    scope->work_done = true;
    set_outcome(scope, outcome);
    dbal__scope_check(scope);
}

/*
 * What is known of all that its work has done, when that is stopped or its connection lost: a
 * transaction, with what is inside, is undone; outside of one each statement stands by itself.
 */
static dbal_execution
execution_of(const dbal__scope *scope)
{
    if (!scope->worked)
        return DBAL_EXECUTION_NOT_SENT;
    bool undone = dbal__scope_has_transaction(scope) || scope->plan.read_only;
    return undone ? DBAL_EXECUTION_FAILED : DBAL_EXECUTION_UNKNOWN;
}

static dbal_error *
stop_error(const dbal__scope *scope)
{
    const dbal_connection *connection = scope->connection;
    if (connection->lost)
        return dbal__error_lost(connection->loss, execution_of(scope));
    return dbal__error_constant(connection->why != 0 ? connection->why : DBAL_ERROR_CANCELLED,
                                execution_of(scope));
}

static void
run_work(dbal__scope *scope)
{
    dbal_connection *connection = scope->connection;
    dbal__ready *ready = &connection->pool->loop->ready;
    if (scope->outer == NULL)
        dbal__hook_acquired(connection);
    if (connection->why != 0 || connection->lost || scope->cancelled) {
        end_with(scope, dbal_fail(stop_error(scope)));
        return;
    }
    dbal_deferred *working = dbal__deferred_new(connection->pool->loop, NULL, NULL);
    if (working == NULL) {
        end_with(scope, dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
        return;
    }
    scope->working = dbal_deferred_ref(working);
    dbal__ready_app_enter(ready);
    dbal_outcome outcome = scope->plan.work(connection, scope->plan.arg);
    dbal__ready_app_leave(ready);
    if (outcome.kind == DBAL_OUTCOME_DEFERRED) {
        dbal__deferred_add_taker(working, on_work_done, dbal__scope_ref(scope));
        dbal_deferred_fire(working, outcome);
        /* the work may have had its own session cancelled, when there was nothing yet to cancel */
        if (connection->why != 0)
            dbal__scope_cancel(scope);
        return;
    }
    /* there is nothing to wait for */
    scope->working = dbal_deferred_unref(working);
    dbal__deferred_discard(working);
    end_with(scope, outcome);
}

static void
on_begun(dbal__ticket *ticket, dbal_outcome outcome)
{
    dbal__scope *scope = ticket->done_arg;
    dbal_error *error = dbal_outcome_error(outcome);
    if (error != NULL) {
        end_with(scope, outcome);
    } else {
        dbal__outcome_fini(outcome);
        scope->begun = true;
        schedule(scope);
    }
    dbal__scope_unref(scope);
}

static void
begin_with(dbal__scope *scope, const char *sql, bool writes)
{
    dbal__connection_control(scope->connection, sql, scope, writes, on_begun,
                             dbal__scope_ref(scope));
}

static void
control(dbal__scope *scope, const char *sql,
        void (*done)(dbal__ticket *ticket, dbal_outcome outcome))
{
    dbal__connection_control(scope->connection, sql, NULL, false, done, dbal__scope_ref(scope));
}

void
dbal__scope_begin(dbal__scope *scope)
{
    const dbal_driver *driver = scope->connection->pool->driver->driver;
    dbal_fault fault = DBAL__FAULT_INIT;
    char sql[SQL_ROOM];

    switch (scope->plan.kind) {
    case DBAL__SCOPE_SESSION:
        scope->begun = true;
        schedule(scope);
        break;
    case DBAL__SCOPE_TRANSACTION: {
        const char *begin = driver->begin(scope->connection->pool->config, scope->plan.isolation,
                                          scope->plan.read_only, scope->plan.deferrable, &fault);
        if (begin != NULL)
            begin_with(scope, begin, !scope->plan.read_only);
        else
            end_with(scope, dbal_fail(dbal__fault_take(&fault)));
        dbal_fault_clear(&fault);
        break;
    }
    case DBAL__SCOPE_SAVEPOINT:
        scope->number = ++scope->connection->savepoints;
        snprintf(sql, sizeof sql, "savepoint dbal_%u", scope->number);
        begin_with(scope, sql, false);
        break;
    }
}

/* Runs the work when it has begun, or ends it when all in it has settled. */
static void
on_task(dbal__task *task)
{
    dbal__scope *scope = DBAL__OF(task, dbal__scope, task);
    if (!scope->work_done && scope->working == NULL)
        run_work(scope);
    else
        dbal__scope_check(scope);
    dbal__scope_unref(scope);
}

bool
dbal__scope_watch(dbal__fate fate, dbal_error *error, void *arg)
{
    dbal__scope *scope = arg;
    if (fate == DBAL__FATE_GONE) {
        dbal__scope_unref(scope);
        return false;
    }
    scope->pending--;
    bool ours = error != NULL && scope->plan.kind != DBAL__SCOPE_SESSION;
    if (ours && scope->unhandled == NULL)
        scope->unhandled = dbal_error_ref(error);
    if (scope->work_done)
        schedule(scope); /* when the callbacks that wait behind it have had their turn */
    return ours;
}

/* ---- ending ---- */

static void
on_undone(dbal__ticket *ticket, dbal_outcome outcome)
{
    dbal__scope *scope = ticket->done_arg;
    dbal_error *error = dbal_outcome_error(outcome);
    if (error != NULL)
        scope->connection->spoiled = true; /* whatever is open there must not reach others */
    dbal__outcome_fini(outcome);
    finish(scope);
    dbal__scope_unref(scope);
}

static void
on_released(dbal__ticket *ticket, dbal_outcome outcome)
{
    dbal__scope *scope = ticket->done_arg;
    if (dbal_outcome_error(outcome) != NULL) {
        set_outcome(scope, outcome);
        if (scope->plan.kind == DBAL__SCOPE_TRANSACTION && scope->connection->in_transaction) {
            control(scope, "rollback", on_undone);
            dbal__scope_unref(scope);
            return;
        }
    } else {
        dbal__outcome_fini(outcome);
    }
    finish(scope);
    dbal__scope_unref(scope);
}

static void
on_rolled_back_to(dbal__ticket *ticket, dbal_outcome outcome)
{
    dbal__scope *scope = ticket->done_arg;
    char sql[SQL_ROOM];
    if (dbal_outcome_error(outcome) != NULL) {
        /* the savepoint is gone with its transaction: what is wrong there shows at its end */
        dbal__outcome_fini(outcome);
        finish(scope);
    } else {
        dbal__outcome_fini(outcome);
        snprintf(sql, sizeof sql, "release savepoint dbal_%u", scope->number);
        control(scope, sql, on_undone);
    }
    dbal__scope_unref(scope);
}

static bool
must_undo(dbal__scope *scope)
{
    if (dbal_outcome_error(scope->outcome) != NULL)
        return true;
    if (scope->unhandled == NULL)
        return false;
    set_outcome(scope, dbal_fail(scope->unhandled));
    scope->unhandled = NULL;
    return true;
}

static void
end_transaction(dbal__scope *scope)
{
    dbal_connection *connection = scope->connection;
    if (!must_undo(scope))
        control(scope, "commit", on_released);
    else if (connection->in_transaction)
        control(scope, "rollback", on_undone);
    else
        finish(scope);
}

static void
end_savepoint(dbal__scope *scope)
{
    char sql[SQL_ROOM];
    if (must_undo(scope)) {
        snprintf(sql, sizeof sql, "rollback to savepoint dbal_%u", scope->number);
        control(scope, sql, on_rolled_back_to);
    } else {
        snprintf(sql, sizeof sql, "release savepoint dbal_%u", scope->number);
        control(scope, sql, on_released);
    }
}

/* A session's own BEGIN without an end: what it wrote would be lost without a word. */
static void
roll_back_left(dbal__scope *scope)
{
    dbal_connection *connection = scope->connection;
    if (dbal_outcome_error(scope->outcome) == NULL)
        dbal__ready_log(&connection->pool->loop->ready, DBAL_LOG_WARNING,
                        "a session (%s) ended with its transaction open: it is rolled back",
                        connection->ticket != NULL ? dbal__ticket_name(connection->ticket) : "?");
    control(scope, "rollback", on_undone);
}

/*
 * Of what was lost before its COMMIT nothing is kept, whatever became of its last statement. All of it
 * may be done once more, unless the error may be that of another pool, where something was done.
 */
static void
say_lost(dbal__scope *scope)
{
    dbal_error *error = dbal_outcome_error(scope->outcome);
    if (error == NULL) {
        error = dbal__error_lost(scope->connection->loss, execution_of(scope));
    } else if (dbal_error_connection_lost(error) && dbal__scope_has_transaction(scope)) {
        bool known = dbal_error_execution(error) != DBAL_EXECUTION_UNKNOWN;
        error = dbal__error_copy(error, DBAL_EXECUTION_FAILED);
        if (known && dbal_error_is(error, DBAL_ERROR_OPERATIONAL))
            dbal__error_set_retryable(error);
    } else {
        return;
    }
    set_outcome(scope, dbal_fail(error));
}

static void
end(dbal__scope *scope)
{
    dbal_connection *connection = scope->connection;
    scope->ending = true;
    if (connection->lost && scope->plan.kind != DBAL__SCOPE_SESSION)
        say_lost(scope);
    /* asked to stop before the COMMIT was on its way: it is not sent any more */
    if (connection->why != 0 && scope->plan.kind == DBAL__SCOPE_TRANSACTION &&
        dbal_outcome_error(scope->outcome) == NULL)
        set_outcome(scope, dbal_fail(stop_error(scope)));
    if (connection->lost || !scope->begun)
        finish(scope);
    else if (scope->plan.kind == DBAL__SCOPE_TRANSACTION)
        end_transaction(scope);
    else if (scope->plan.kind == DBAL__SCOPE_SAVEPOINT)
        end_savepoint(scope);
    else if (connection->in_transaction)
        roll_back_left(scope);
    else
        finish(scope);
}

void
dbal__scope_check(dbal__scope *scope)
{
    dbal_connection *connection = scope->connection;
    /* the innermost first: what is outside waits for it */
    if (!scope->work_done || scope->ending || scope->pending > 0 || connection->scope != scope)
        return;
    end(scope);
}

/*
 * What broke the transaction may pass. Those behind it failed for that alone, and it may be one of
 * these that the work waited for.
 */
static bool
may_pass(const dbal__scope *scope, const dbal_error *error)
{
    if (dbal_error_retryable(error))
        return true;
    if (strcmp(dbal_error_sqlstate(error), "25P02") != 0)
        return false;
    const dbal_error *cause = dbal_error_cause(error);
    return (cause != NULL && dbal_error_retryable(cause)) ||
           (scope->unhandled != NULL && dbal_error_retryable(scope->unhandled));
}

/* The same work once more, on the same connection. */
static bool
retry(dbal__scope *scope)
{
    dbal_connection *connection = scope->connection;
    dbal_error *error = dbal_outcome_error(scope->outcome);
    if (scope->plan.kind != DBAL__SCOPE_TRANSACTION || error == NULL || scope->plan.retries <= 0 ||
        !may_pass(scope, error) || connection->lost || connection->why != 0 ||
        connection->in_transaction)
        return false;
    scope->plan.retries--;
    connection->attempt++;
    connection->pool->counts.retries++;
    scope->underway = scope->begun = scope->work_done = scope->ending = false;
    scope->working = dbal_deferred_unref(scope->working);
    set_outcome(scope, dbal_done());
    scope->unhandled = dbal_error_unref(scope->unhandled);
    dbal__scope_begin(scope);
    return true;
}

/* Its end was brought about from outside. */
static bool
was_stopped(const dbal__scope *scope)
{
    const dbal_connection *connection = scope->connection;
    const dbal__ticket *ticket = connection->ticket;
    /* the timer of one of its statements may have been the first */
    bool late = ticket != NULL && ticket->finish_by != DBAL__NEVER &&
                dbal__loop_now(connection->pool->loop) >= ticket->finish_by;
    return connection->lost || connection->why != 0 || scope->cancelled || late;
}

/* Whether it may come from that, and not from what the work has run into. */
static bool
is_of_a_stop(const dbal_error *error)
{
    return dbal_error_is(error, DBAL_ERROR_CANCELLED) || dbal_error_is(error, DBAL_ERROR_TIMEOUT) ||
           dbal_error_is(error, DBAL_ERROR_CLOSED) || dbal_error_connection_lost(error);
}

/*
 * A cancelled work says CANCELLED, and what is known of what it waited for; what made it so may say
 * more. A statement that did not end when it was stopped says so itself.
 */
static void
tell_why(dbal__scope *scope)
{
    const dbal_connection *connection = scope->connection;
    dbal_error *error = dbal_outcome_error(scope->outcome);
    if (error == NULL || !was_stopped(scope) || !is_of_a_stop(error))
        return;
    bool cancelled = dbal_error_is(error, DBAL_ERROR_CANCELLED);
    dbal_execution said = dbal_error_execution(error), known = execution_of(scope);
    dbal_execution execution = said > known ? said : known;
    if (cancelled && connection->lost && connection->why == 0 && said == DBAL_EXECUTION_NOT_SENT)
        error = dbal__error_lost(connection->loss, execution);
    else if (cancelled && connection->why != 0 && connection->why != DBAL_ERROR_CANCELLED)
        error =
            dbal__error_because(error, connection->why, NULL, execution, "%s",
                                connection->why == DBAL_ERROR_TIMEOUT ? "the session's time was up"
                                                                      : "the pool was closed");
    else
        error = dbal__error_with_execution(dbal_error_ref(error), execution);
    set_outcome(scope, dbal_fail(error));
}

static void
give_connection_back(dbal__scope *scope)
{
    dbal__hook_released(scope->connection);
    dbal_outcome outcome = scope->outcome;
    scope->outcome = dbal_done();
    dbal__connection_finish(scope->connection, outcome);
}

static void
on_reset(dbal__ticket *ticket, dbal_outcome outcome)
{
    dbal__scope *scope = ticket->done_arg;
    dbal__reset_done(scope->connection, outcome);
    give_connection_back(scope);
    dbal__scope_unref(scope);
}

/* The outermost scope is over. */
static void
end_session(dbal__scope *scope)
{
    if (dbal__reset_begin(scope->connection, on_reset, dbal__scope_ref(scope)))
        return;
    give_connection_back(scope);
    dbal__scope_unref(scope);
}

static void
finish(dbal__scope *scope)
{
    dbal_connection *connection = scope->connection;
    dbal__scope *outer = scope->outer;
    if (scope->ended || retry(scope))
        return;
    scope->ended = true;
    tell_why(scope);
    dbal_outcome outcome = scope->outcome;
    scope->outcome = dbal_done();
    if (outer == NULL) {
        scope->outcome = outcome;
        end_session(scope);
        return;
    }
    dbal__connection_ref(connection);
    connection->scope = dbal__scope_ref(outer);
    dbal_deferred *deferred = scope->deferred;
    scope->deferred = NULL;
    dbal_deferred_fire(deferred, outcome);
    dbal__scope_unref(scope); /* the connection's */
    dbal__connection_pump(connection);
    if (connection->scope != NULL)
        dbal__scope_check(connection->scope);
    dbal__connection_unref(connection);
}

bool
dbal__scope_has_transaction(const dbal__scope *scope)
{
    while (scope != NULL && scope->plan.kind != DBAL__SCOPE_TRANSACTION)
        scope = scope->outer;
    return scope != NULL;
}

void
dbal__scope_cancel(dbal__scope *scope)
{
    if (scope->working != NULL && !scope->work_done)
        dbal_deferred_cancel(scope->working);
}

unsigned
dbal_connection_attempt(const dbal_connection *connection)
{
    return connection->attempt;
}
