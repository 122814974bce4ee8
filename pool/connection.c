#include "pool/connection.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"

/* Statements handed down at once; the rest waits here, where it can be cancelled. */
enum { FLYING_MOST = 16, FLYING_MOST_ON_LOOP = 64 };

/* On the loop those of one turn may share a round trip: there it may be more. */
static unsigned
flying_most(const dbal_pool *pool)
{
    unsigned depth = dbal__lanes_depth(pool);
    if (!dbal__pool_is_native(pool))
        return FLYING_MOST;
    return depth < FLYING_MOST_ON_LOOP ? depth : FLYING_MOST_ON_LOOP;
}

bool
dbal__connection_begin(dbal__ticket *ticket, dbal__slot *slot)
{
    dbal_connection *connection = dbal__session_new(ticket);
    if (connection == NULL)
        return false;
    slot->held = true;
    slot->connection = connection;
    slot->pool->held++;
    connection->slot = slot;
    connection->number = slot->number;
    connection->opened_at = slot->opened_at;
    ticket->acquire_by = DBAL__NEVER;
    ticket->place = DBAL__PLACE_NOWHERE;
    dbal__watch_granted(connection);
    if (DBAL__SELDOM(ticket->journey != NULL))
        dbal__journey_granted(ticket);
    if (DBAL__SELDOM(ticket->unwanted != 0))
        dbal__connection_stop(connection, ticket->unwanted);
    dbal__scope_begin(connection->scope);
    return true;
}

void
dbal__connection_granted(dbal__ticket *ticket, dbal__slot *slot)
{
    if (dbal__connection_begin(ticket, slot))
        return;
    dbal__ticket_settle(ticket, dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    dbal__ticket_free(ticket);
    dbal__waiters_give_back(slot);
}

static void
drop_scope(dbal_connection *connection)
{
    dbal__scope *scope = connection->scope;
    connection->scope = NULL;
    if (scope != NULL)
        dbal__scope_unref(scope);
}

/* ---- the write token ---- */

static void
give_token_back(dbal_connection *connection)
{
    if (!connection->has_token)
        return;
    connection->has_token = false;
    dbal__token_release(connection->pool->token);
}

static void
end_claim(dbal_connection *connection)
{
    dbal_pool *pool = connection->pool;
    connection->claiming = false;
    pool->claims_out--;
    dbal__clock_stop(&pool->loop->ready.clock, &connection->token_timer);
}

static void
on_granted(void *arg)
{
    dbal_connection *connection = arg;
    dbal_pool *pool = connection->pool;
    end_claim(connection);
    connection->has_token = true;
    dbal__connection_pump(connection);
    /* it may have been lost while the word was on its way: what hangs there needs no token */
    if (connection->slot == NULL || (connection->flying == 0 && !connection->in_transaction))
        give_token_back(connection);
    dbal__connection_unref(connection);
    dbal__pool_check_closed(pool);
}

/* Nobody wants the token any more. */
static void
stop_claiming(dbal_connection *connection)
{
    if (!connection->claiming || !dbal__claim_withdraw(connection->claim))
        return; /* what was granted meanwhile is given back when it arrives */
    connection->claim = NULL;
    end_claim(connection);
    dbal__connection_unref(connection);
}

/* What was given outside a scope waits for the scope's end, unless it stands before its BEGIN. */
static bool
may_go(const dbal_connection *connection, const dbal__ticket *ticket)
{
    const dbal__scope *scope = connection->scope;
    if (ticket->internal || ticket->again)
        return true;
    while (scope != NULL && scope != ticket->scope)
        scope = scope->underway ? NULL : scope->outer;
    return scope != NULL;
}

/* A copy has the connection to itself. */
static bool
is_in_the_way(const dbal_connection *connection, const dbal__ticket *ticket)
{
    return connection->flying > 0 &&
           (connection->copying || ticket->job.request.copy != DBAL_COPY_NONE);
}

/* The statement that goes next, or NULL. */
static dbal__ticket *
next_queued(const dbal_connection *connection)
{
    const dbal__list *queue = &connection->queue;
    for (dbal__list *link = queue->next; link != queue; link = link->next) {
        dbal__ticket *ticket = DBAL__OF(link, dbal__ticket, link);
        if (may_go(connection, ticket))
            return ticket;
    }
    return NULL;
}

/* The next statement has waited for the token long enough. */
static void
on_token_timeout(dbal__timer *timer)
{
    dbal_connection *connection = DBAL__OF(timer, dbal_connection, token_timer);
    dbal__ticket *ticket = next_queued(connection);
    dbal__connection_ref(connection);
    stop_claiming(connection);
    if (ticket != NULL && ticket->writes) {
        dbal_error *error = dbal__writes_timed_out(ticket);
        if (!dbal__ticket_fail_waiting(ticket, error))
            dbal_error_unref(error);
    }
    dbal__connection_unref(connection);
}

/* True when it is held; false: asked for, and the statement waits, or it has failed. */
static bool
get_token(dbal_connection *connection, dbal__ticket *ticket)
{
    dbal_pool *pool = connection->pool;
    dbal__clock *clock = &pool->loop->ready.clock;
    if (connection->has_token)
        return true;
    if (connection->claiming)
        return false;
    if (connection->claim == NULL)
        connection->claim = dbal__claim_new(pool->loop->inbox, on_granted, connection);
    if (connection->claim == NULL) {
        dbal__ticket_fail_waiting(
            ticket, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
        return false;
    }
    connection->has_token = dbal__token_claim(pool->token, connection->claim);
    if (connection->has_token)
        return true;
    connection->claiming = true;
    pool->claims_out++;
    dbal__connection_ref(connection);
    dbal__clock_start(clock, &connection->token_timer,
                      dbal__after(dbal__clock_now(clock), pool->token_timeout), on_token_timeout);
    return false;
}

/* ---- statements ---- */

dbal_error *
dbal__connection_refusal(const dbal_connection *connection, const char *call)
{
    const dbal__scope *scope = connection->scope;
    if (connection->lost && !connection->over)
        return dbal__error_lost(connection->loss, DBAL_EXECUTION_NOT_SENT);
    while (scope != NULL && scope->work_done)
        scope = scope->outer;
    if (scope == NULL || connection->over)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "%s: the work on this connection has ended; "
                              "wait for its statements before the work's outcome",
                              call);
    return NULL;
}

dbal__scope *
dbal__connection_working(const dbal_connection *connection)
{
    dbal__scope *scope = connection->scope;
    while (scope->work_done)
        scope = scope->outer;
    return scope;
}

/* BEGIN, COMMIT and the like leave nothing behind that ROLLBACK does not undo. */
static bool
is_transaction_control(const dbal__ticket *ticket)
{
    static const char *const words[] = {"begin",    "start",     "commit",  "end",
                                        "rollback", "savepoint", "release", "abort"};
    const char *cursor = ticket->sql->source;
    dbal_sql_token token = dbal_sql_next(ticket->pool->driver->driver->dialect, &cursor);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (dbal_sql_token_is(token, words[i]))
            return true;
    }
    return false;
}

static dbal_error *
not_in_transaction(void)
{
    return dbal__error_make(
        DBAL_ERROR_PROGRAMMING, "25001", DBAL_EXECUTION_NOT_SENT,
        "the transaction is not the statement's to begin or end: return from its work, with an "
        "error to roll back, or use dbal_connection_savepoint()");
}

static void
enqueue(dbal_connection *connection, dbal__ticket *ticket, bool first)
{
    ticket->place = DBAL__PLACE_LIST;
    ticket->connection = dbal__connection_ref(connection);
    if (DBAL__SELDOM(connection->pool->follows))
        dbal__journey_begin(ticket, connection);
    if (first)
        dbal__list_push_front(&connection->queue, &ticket->link);
    else
        dbal__list_push(&connection->queue, &ticket->link);
}

dbal_deferred *
dbal__connection_add(dbal_connection *connection, const dbal_query *query, const char *call,
                     dbal__ticket **ret_ticket)
{
    dbal_error *error = dbal__connection_refusal(connection, call);
    if (error != NULL)
        return dbal__deferred_failed(connection->pool->loop, error);
    return dbal__connection_add_in(dbal__connection_working(connection), query, ret_ticket);
}

dbal_deferred *
dbal__connection_add_in(dbal__scope *scope, const dbal_query *query, dbal__ticket **ret_ticket)
{
    dbal_connection *connection = scope->connection;
    dbal_pool *pool = connection->pool;
    dbal_error *error =
        connection->lost ? dbal__error_lost(connection->loss, DBAL_EXECUTION_NOT_SENT) : NULL;
    dbal__ticket *ticket = NULL;
    if (error == NULL)
        ticket = dbal__ticket_new(pool, query, DBAL__TICKET_BOUND, &error);
    if (ticket == NULL)
        return dbal__deferred_failed(pool->loop, error);
    return dbal__connection_add_ticket(scope, ticket, ret_ticket);
}

dbal_deferred *
dbal__connection_add_ticket(dbal__scope *scope, dbal__ticket *ticket, dbal__ticket **ret_ticket)
{
    dbal_connection *connection = scope->connection;
    const dbal_pool *pool = connection->pool;
    if (scope->plan.read_only) {
        ticket->job.request.read_only = true;
        ticket->writes = false;
    }
    if (connection->ticket->finish_by < ticket->finish_by) {
        ticket->finish_by = connection->ticket->finish_by;
        /* what belongs to a connect ends with it: the server need not be told, for each connection */
        if (!connection->prepares || pool->gate != DBAL_GATE_LOOP)
            ticket->job.request.deadline = ticket->finish_by;
    }
    bool controls = is_transaction_control(ticket);
    if (controls && dbal__scope_has_transaction(scope)) {
        dbal__ticket_free(ticket);
        return dbal__deferred_failed(pool->loop, not_in_transaction());
    }
    ticket->soils = !controls && (ticket->sql->sql_class.kinds &
                                  (DBAL_SQL_SESSION | DBAL_SQL_LOCAL)) == DBAL_SQL_SESSION;
    if (!dbal__ticket_start(ticket))
        return NULL;
    dbal_deferred *deferred = ticket->deferred;
    ticket->scope = dbal__scope_ref(scope);
    scope->pending++;
    dbal__deferred_watch(deferred, dbal__scope_watch, dbal__scope_ref(scope));
    enqueue(connection, ticket, false);
    if (ret_ticket != NULL)
        *ret_ticket = ticket;
    else
        dbal__connection_pump(connection);
    return deferred;
}

void
dbal__connection_start_control(dbal_connection *connection, dbal__ticket *ticket, bool first,
                               void (*done)(dbal__ticket *ticket, dbal_outcome outcome), void *arg)
{
    ticket->internal = true;
    ticket->done = done;
    ticket->done_arg = arg;
    dbal__ticket_start(ticket);
    enqueue(connection, ticket, first);
    dbal__connection_pump(connection);
}

void
dbal__connection_control(dbal_connection *connection, const char *sql, dbal__scope *beginning,
                         bool writes, void (*done)(dbal__ticket *ticket, dbal_outcome outcome),
                         void *arg)
{
    dbal_query query = {.size = sizeof query, .sql = sql, .timeout = DBAL_OFF};
    dbal_error *error = NULL;
    dbal__ticket *ticket = dbal__ticket_new(connection->pool, &query, DBAL__TICKET_BOUND, &error);
    if (ticket == NULL) {
        dbal__ticket failed = {.done_arg = arg};
        done(&failed, dbal_fail(error));
        return;
    }
    ticket->writes = writes;
    if (beginning != NULL)
        ticket->scope = dbal__scope_ref(beginning);
    dbal__connection_start_control(connection, ticket, beginning == NULL, done, arg);
}

void
dbal__connection_pump(dbal_connection *connection)
{
    dbal_pool *pool = connection->pool;
    dbal__ticket *ticket;
    if (connection->flying == 0)
        connection->settling = false;
    while ((ticket = next_queued(connection)) != NULL && connection->slot != NULL &&
           connection->flying < flying_most(pool) && !connection->settling &&
           !is_in_the_way(connection, ticket)) {
        if (ticket->writes && pool->token != NULL && !get_token(connection, ticket))
            return;
        dbal__list_remove(&ticket->link);
        if (ticket->internal && ticket->scope != NULL)
            ticket->scope->underway = true;
        for (dbal__scope *one = ticket->internal ? NULL : ticket->scope;
             one != NULL && !one->worked; one = one->outer)
            one->worked = true;
        ticket->flew = true;
        ticket->again = false;
        ticket->job.alone = connection->flying == 0;
        connection->flying++;
        dbal__connection_ran(connection, ticket->sql);
        connection->copying = ticket->job.request.copy != DBAL_COPY_NONE;
        ticket->job.request.has_token = connection->has_token;
        dbal__waiters_submit(ticket, connection->slot);
    }
    if (connection->claiming && (ticket == NULL || !ticket->writes))
        stop_claiming(connection);
}

dbal__sql *
dbal__connection_doing(const dbal_connection *connection)
{
    const dbal__ticket *next = NULL;
    if (connection->claiming && connection->flying == 0)
        next = next_queued(connection);
    return next != NULL && next->writes ? next->sql : connection->last;
}

/* They come home in their order, and go before all that was never handed down. */
void
dbal__connection_again(dbal__ticket *ticket)
{
    dbal_connection *connection = ticket->connection;
    dbal__list *place = connection->queue.next;
    while (place != &connection->queue && DBAL__OF(place, dbal__ticket, link)->again)
        place = place->next;
    ticket->flew = false;
    ticket->again = true;
    ticket->place = DBAL__PLACE_LIST;
    dbal__list_insert_before(place, &ticket->link);
    connection->flying--;
    connection->settling = true;
    dbal__connection_ref(connection);
    if (connection->lost)
        dbal__ticket_fail_waiting(ticket,
                                  dbal__error_lost(connection->loss, DBAL_EXECUTION_NOT_SENT));
    dbal__connection_pump(connection);
    dbal__connection_unref(connection);
}

/* A stream that its consumer has not taken whole keeps its connection in sight, see each_mine(). */
void
dbal__connection_forget(dbal__ticket *ticket)
{
    dbal_connection *connection = ticket->connection;
    if (ticket->kind != DBAL__TICKET_BOUND || connection == NULL)
        return;
    ticket->connection = NULL;
    dbal__connection_unref(connection);
}

/* What it left the session as. */
static void
take_state(dbal_connection *connection, const dbal__ticket *ticket)
{
    const dbal__job *job = &ticket->job;
    if (connection->lost)
        return;
    bool soiled = ticket->soils || job->soiled;
    connection->in_transaction = job->in_transaction;
    connection->dirty = (connection->dirty || soiled) && !job->cleaned;
    if (soiled && connection->soiler == NULL && ticket->sql != NULL)
        connection->soiler = dbal__sql_ref(ticket->sql);
}

void
dbal__connection_returned(dbal__ticket *ticket)
{
    dbal_connection *connection = ticket->connection;
    dbal__scope *scope = ticket->scope;
    if (connection == NULL || ticket->returned)
        return; /* told before, when its connection was given up */
    ticket->returned = true;
    ticket->scope = NULL;
    dbal__connection_ref(connection);
    if (!ticket->back)
        dbal__connection_forget(ticket);
    if (ticket->flew)
        connection->flying--;
    connection->pool->watch.stirs++;
    if (ticket->job.began != 0)
        take_state(connection, ticket);
    if (!connection->in_transaction && connection->flying == 0)
        give_token_back(connection);
    dbal__connection_pump(connection);
    if (connection->scope != NULL)
        dbal__scope_check(connection->scope);
    if (scope != NULL)
        dbal__scope_unref(scope);
    dbal__connection_unref(connection);
}

/* ---- ends ---- */

/* What is to happen to all statements of a connection. */
typedef struct fate {
    const dbal_connection *connection;
    bool internal;    /* to those of dbal's own too */
    bool others;      /* to those of the program */
    dbal_error *lost; /* they fail so, if they have not begun; or NULL: they are stopped */
    dbal_error_class why;
} fate;

static void
each_mine(dbal__ticket *ticket, void *arg)
{
    const fate *one = arg;
    if (ticket->kind != DBAL__TICKET_BOUND || ticket->connection != one->connection ||
        (ticket->internal ? !one->internal : !one->others))
        return;
    if (one->lost == NULL) {
        dbal__ticket_stop(ticket, one->why);
        return;
    }
    dbal_error *error = dbal_error_ref(one->lost);
    if (!dbal__ticket_fail_waiting(ticket, error))
        dbal_error_unref(error);
}

void
dbal__connection_stop(dbal_connection *connection, dbal_error_class why)
{
    /* one that was cancelled let its statements go on: they can still be stopped */
    bool more = connection->why == DBAL_ERROR_CANCELLED && why != DBAL_ERROR_CANCELLED;
    if (connection->over || (connection->why != 0 && !more))
        return;
    if (!more)
        connection->why = why;
    dbal__connection_ref(connection);
    /* what begins a transaction that has not begun is of no use any more */
    bool beginning = connection->scope != NULL && !connection->scope->begun;
    fate one = {.connection = connection,
                .internal = beginning,
                .others = why != DBAL_ERROR_CANCELLED,
                .why = why};
    if (one.internal || one.others)
        dbal__pool_each_ticket(connection->pool, each_mine, &one);
    for (dbal__scope *scope = connection->scope; scope != NULL; scope = scope->outer)
        dbal__scope_cancel(scope);
    dbal__connection_unref(connection);
}

void
dbal__connection_lost(dbal_connection *connection, dbal_error *error)
{
    if (connection->lost || connection->over)
        return;
    dbal_error *lost = dbal__error_lost(error, DBAL_EXECUTION_NOT_SENT);
    dbal__connection_ref(connection);
    connection->lost = true;
    connection->loss = error != NULL ? dbal_error_ref(error) : NULL;
    connection->in_transaction = false;
    if (connection->slot != NULL) {
        connection->slot->connection = NULL;
        connection->pool->held--;
        connection->slot->held = false;
        connection->slot = NULL;
    }
    fate one = {.connection = connection, .internal = true, .others = true, .lost = lost};
    dbal__pool_each_ticket(connection->pool, each_mine, &one);
    stop_claiming(connection);
    give_token_back(connection);
    for (dbal__scope *scope = connection->scope; scope != NULL; scope = scope->outer)
        dbal__scope_cancel(scope);
    if (connection->scope != NULL)
        dbal__scope_check(connection->scope);
    dbal_error_unref(lost);
    dbal__connection_unref(connection);
}

void
dbal__connection_finish(dbal_connection *connection, dbal_outcome outcome)
{
    dbal_pool *pool = connection->pool;
    dbal__slot *slot = connection->slot;
    dbal__ticket *ticket = connection->ticket;
    connection->over = true;
    connection->slot = NULL;
    connection->ticket = NULL;
    dbal__connection_ref(connection);
    stop_claiming(connection);
    if (slot != NULL) {
        slot->dirty = slot->dirty || connection->dirty || connection->in_transaction;
        dbal__waiters_release(slot);
    }
    /* after that: what was left open is closed before the next writer begins in the same thread */
    give_token_back(connection);
    if (ticket != NULL) {
        ticket->connection = NULL;
        dbal__ticket_settle(ticket, outcome);
        dbal__ticket_free(ticket);
    } else {
        dbal__outcome_fini(outcome);
    }
    drop_scope(connection);
    dbal__connection_unref(connection);
    dbal__pool_check_closed(pool);
}

dbal_deferred *
dbal_connection_run(dbal_connection *connection, const dbal_query *query)
{
    if (!dbal__loop_check(connection->pool->loop, "dbal_connection_run"))
        return NULL;
    return dbal__connection_add(connection, query, "dbal_connection_run", NULL);
}

dbal_deferred *
dbal_connection_query(dbal_connection *connection, const char *sql, dbal_params params)
{
    dbal_query query = {.size = sizeof query, .sql = sql, .params = params};
    return dbal_connection_run(connection, &query);
}
