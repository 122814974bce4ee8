/*
 * Statements that write, on a database where only one may at a time. The pool gets the token for all
 * that wait, takes an idle connection, hands them down as one chain, and gives both back; so no
 * thread ever waits for another's commit, and no connection either. Whoever holds the token must be
 * able to go on, since sessions that have a connection may wait for it: without an idle connection
 * the token is given back, a connection waited for, and then the token with it.
 */
#include "pool/pool.h"

enum { BATCH = 64 };

static void set_timer(dbal_pool *pool);

static void
give_back(dbal_pool *pool)
{
    if (!pool->token_held)
        return;
    pool->token_held = false;
    dbal__token_release(pool->token);
}

/* The connection goes back to the others. */
static void
leave_slot(dbal_pool *pool)
{
    dbal__slot *slot = pool->writes_slot;
    pool->writes_slot = NULL;
    pool->writer->place = DBAL__PLACE_NOWHERE;
    pool->writer_busy = false;
    if (slot != NULL)
        dbal__waiters_release(slot);
}

static dbal__ticket *
take(dbal_pool *pool)
{
    dbal__ticket *ticket = DBAL__OF(dbal__list_pop(&pool->writes), dbal__ticket, link);
    pool->writes_count--;
    pool->writing++;
    ticket->in_writes = false;
    ticket->under_token = true;
    ticket->place = DBAL__PLACE_SLOT;
    ticket->slot = pool->writes_slot;
    ticket->slot->flying++;
    ticket->job.request.has_token = true;
    ticket->job.then = NULL;
    if (DBAL__SELDOM(ticket->journey != NULL))
        dbal__journey_handed(ticket);
    return ticket;
}

/* The next of those that wait; behind all of them what keeps the database in order. */
static dbal__job *
next(dbal_pool *pool, int taken)
{
    if (taken < BATCH && !dbal__list_empty(&pool->writes))
        return &take(pool)->job;
    dbal__job *keeper = dbal__upkeep_take(pool);
    pool->writing += keeper != NULL;
    return keeper;
}

/* All that wait now go down, in their order; threads get them as one chain. */
static void
send(dbal_pool *pool)
{
    dbal__channel *channel = pool->writes_slot->channel;
    bool chained = !dbal__pool_is_native(pool);
    dbal__job *first = NULL, **end = &first, *job;
    for (int taken = 0; (job = next(pool, taken)) != NULL; taken++) {
        *end = job;
        end = &job->then;
        if (!chained)
            channel->ops->submit(channel, job);
    }
    if (chained)
        channel->ops->submit(channel, first);
    if (pool->gate == DBAL_GATE_DRIVER_THREAD)
        dbal__collect_later(pool);
}

static bool
has_work(const dbal_pool *pool)
{
    return !pool->paused && (!dbal__list_empty(&pool->writes) || pool->upkeep_due);
}

static void
hold(dbal_pool *pool, dbal__slot *slot)
{
    slot->held = true;
    pool->held++;
    pool->writes_slot = slot;
    pool->writes_kept = false;
}

static void
ask_for_connection(dbal_pool *pool)
{
    pool->writer_busy = true;
    dbal__ticket_renew(pool->writer);
    dbal__waiters_add(pool->writer);
}

/* The token is here. */
static void
go_on(dbal_pool *pool)
{
    bool wanted = has_work(pool);
    dbal__slot *idle = wanted && pool->writes_slot == NULL ? dbal__waiters_take_idle(pool) : NULL;
    if (idle != NULL)
        hold(pool, idle);
    if (wanted && pool->writes_slot != NULL) {
        send(pool);
    } else {
        give_back(pool);
        if (pool->writes_slot != NULL)
            leave_slot(pool);
        else if (wanted && !pool->writer_busy)
            ask_for_connection(pool);
    }
    set_timer(pool);
}

static void
granted(void *arg)
{
    dbal_pool *pool = arg;
    pool->claims_out--;
    pool->claiming = false;
    pool->token_held = true;
    go_on(pool);
    dbal__writes_serve(pool);
    dbal__pool_check_closed(pool);
}

/* Nothing is left to write: neither the token nor a connection is wanted any more. */
static void
stop_claiming(dbal_pool *pool)
{
    if (!pool->claiming || !dbal__claim_withdraw(pool->claim))
        return; /* what was granted meanwhile is given back when it arrives */
    pool->claim = NULL;
    pool->claiming = false;
    pool->claims_out--;
    set_timer(pool);
    if (pool->writes_slot != NULL)
        leave_slot(pool);
}

static void
fail_all(dbal_pool *pool, dbal_error_class error_class)
{
    while (!dbal__list_empty(&pool->writes)) {
        dbal__ticket *ticket = DBAL__OF(pool->writes.next, dbal__ticket, link);
        if (!dbal__ticket_fail_waiting(ticket,
                                       dbal__error_constant(error_class, DBAL_EXECUTION_NOT_SENT)))
            break;
    }
}

/* The time to wait for the token is up for the oldest. */
static void
on_timer(dbal__timer *timer)
{
    dbal_pool *pool = DBAL__OF(timer, dbal_pool, writes_timer);
    int64_t now = dbal__loop_now(pool->loop);
    while (!dbal__list_empty(&pool->writes)) {
        dbal__ticket *ticket = DBAL__OF(pool->writes.next, dbal__ticket, link);
        if (dbal__after(ticket->token_asked, pool->token_timeout) > now)
            break;
        dbal_error *error = dbal__writes_timed_out(ticket);
        if (!dbal__ticket_fail_waiting(ticket, error)) {
            dbal_error_unref(error);
            break;
        }
    }
    dbal__writes_serve(pool);
    set_timer(pool);
    dbal__pool_check_closed(pool);
}

/* Only waiting for the token is limited here; for a connection it is acquire_timeout. */
static void
set_timer(dbal_pool *pool)
{
    dbal__clock *clock = &pool->loop->ready.clock;
    if (dbal__list_empty(&pool->writes) || !pool->claiming) {
        dbal__clock_stop(clock, &pool->writes_timer);
        return;
    }
    dbal__ticket *oldest = DBAL__OF(pool->writes.next, dbal__ticket, link);
    dbal__clock_start(clock, &pool->writes_timer,
                      dbal__after(oldest->token_asked, pool->token_timeout), on_timer);
}

static void
claim_token(dbal_pool *pool)
{
    int64_t now = dbal__loop_now(pool->loop);
    for (dbal__list *link = pool->writes.next; link != &pool->writes; link = link->next)
        DBAL__OF(link, dbal__ticket, link)->token_asked = now;
    if (pool->claim == NULL)
        pool->claim = dbal__claim_new(pool->loop->inbox, granted, pool);
    if (pool->claim == NULL) {
        fail_all(pool, DBAL_ERROR_NO_MEMORY);
        if (pool->writes_slot != NULL)
            leave_slot(pool);
        return;
    }
    pool->claiming = true;
    pool->claims_out++;
    if (dbal__token_claim(pool->token, pool->claim))
        granted(pool);
    else
        set_timer(pool);
}

dbal_error *
dbal__writes_timed_out(const dbal__ticket *ticket)
{
    dbal_error *error = dbal__error_make(
        DBAL_ERROR_OPERATIONAL, "55P03", DBAL_EXECUTION_NOT_SENT,
        "another writer of this process has held the database for busy_timeout (%g s)",
        ticket->pool->token_timeout);
    dbal__error_set_retryable(error);
    dbal__ticket_describe(ticket, error);
    return error;
}

bool
dbal__writes_init(dbal_pool *pool)
{
    dbal__list_init(&pool->writes);
    pool->writer = dbal__ticket_new_writer(pool);
    return pool->writer != NULL;
}

void
dbal__writes_granted(dbal_pool *pool, dbal__slot *slot)
{
    hold(pool, slot);
    if (!has_work(pool))
        leave_slot(pool);
    else if (!pool->claiming) /* else it is granted already, and on its way */
        claim_token(pool);
}

void
dbal__writes_refused(dbal_pool *pool)
{
    pool->writer_busy = false;
    dbal__writes_serve(pool);
}

void
dbal__writes_serve(dbal_pool *pool)
{
    if (!has_work(pool)) {
        /* nothing is left to write: the request for a connection is taken back */
        if (pool->writer_busy && pool->writes_slot == NULL)
            dbal__ticket_withdraw(pool->writer);
        stop_claiming(pool);
        return;
    }
    if (!pool->writer_busy && !pool->claiming && !pool->token_held)
        claim_token(pool);
}

void
dbal__writes_add(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    ticket->place = DBAL__PLACE_LIST;
    ticket->in_writes = true;
    ticket->token_asked = dbal__loop_now(pool->loop);
    pool->writes_count++;
    dbal__list_push(&pool->writes, &ticket->link);
    dbal__ticket_waits(ticket);
    dbal__writes_serve_soon(pool); /* what is asked for in one turn goes down together */
}

void
dbal__writes_serve_soon(dbal_pool *pool)
{
    if (!dbal__task_is_queued(&pool->writes_task))
        dbal__ready_push(&pool->loop->ready, &pool->writes_task);
}

void
dbal__writes_done(dbal_pool *pool)
{
    if (--pool->writing > 0)
        return;
    /* others of this process, and of this pool, get their turn between two batches */
    give_back(pool);
    /* unless somebody waits for the connection, what the answers make the program write goes there */
    if (pool->writes_slot != NULL && (pool->writes_slot->state != DBAL__SLOT_OPEN ||
                                      dbal__waiters_count(pool) > pool->writes_count))
        leave_slot(pool);
    pool->writes_kept = pool->writes_slot != NULL;
    pool->writer->place = DBAL__PLACE_NOWHERE;
    pool->writer_busy = false;
    dbal__writes_serve_soon(pool);
}

void
dbal__writes_end_turn(dbal_pool *pool)
{
    dbal__writes_serve(pool);
    /* nor does it wait here for a token that somebody else has: others may want the connection */
    if (pool->writes_kept && pool->writes_slot != NULL && pool->writing == 0 && !pool->token_held)
        leave_slot(pool);
    pool->writes_kept = false;
    dbal__pool_check_closed(pool);
}

void
dbal__writes_stop(dbal_pool *pool)
{
    dbal__clock_stop(&pool->loop->ready.clock, &pool->writes_timer);
    dbal__upkeep_stop(pool);
    dbal__writes_serve(pool);
}

static void
fail_of_slot(dbal__ticket *ticket, void *arg)
{
    if (!ticket->under_token || ticket->slot != arg)
        return;
    dbal_error *error = dbal__error_lost(NULL, DBAL_EXECUTION_NOT_SENT);
    ticket->under_token = false;
    if (!dbal__ticket_fail_waiting(ticket, error))
        dbal_error_unref(error);
}

/* One that has run and waits for a commit that never comes; what was stopped ends by itself. */
static void
settle_of_slot(dbal__ticket *ticket, void *arg)
{
    if (ticket->place != DBAL__PLACE_SLOT || ticket->slot != arg || ticket->why != 0 ||
        ticket->kind != DBAL__TICKET_STATEMENT)
        return;
    dbal_error *error = dbal__error_lost(NULL, DBAL_EXECUTION_UNKNOWN);
    dbal__ticket_describe(ticket, error);
    dbal__ticket_settle(ticket, dbal_fail(error));
}

void
dbal__writes_abandon(dbal_pool *pool, bool hung)
{
    dbal__pool_each_ticket(pool, fail_of_slot, pool->writes_slot);
    if (hung)
        dbal__pool_each_ticket(pool, settle_of_slot, pool->writes_slot);
    pool->writing = 0;
    give_back(pool);
    leave_slot(pool);
    dbal__writes_serve(pool);
}
