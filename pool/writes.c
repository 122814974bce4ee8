/*
 * Statements that write, on a database where only one may at a time. The pool claims the token for
 * all that wait, hands them to one connection as a chain, and gives the token back when the last
 * has come back; so no thread ever waits for another's commit.
 */
#include "pool/pool.h"

enum { BATCH = 64 };

static void
granted(dbal__claim *claim)
{
    dbal_pool *pool = DBAL__OF(claim, dbal_pool, claim);
    pool->claims_out--;
    pool->claiming = false;
    pool->token_held = true;
    dbal__writes_serve(pool);
    dbal__pool_check_closed(pool);
}

static void
returned(dbal__claim *claim)
{
    dbal_pool *pool = DBAL__OF(claim, dbal_pool, claim);
    pool->claims_out--;
    pool->claiming = false;
    dbal__writes_serve(pool);
    dbal__pool_check_closed(pool);
}

static void
give_back(dbal_pool *pool)
{
    if (!pool->token_held)
        return;
    pool->token_held = false;
    dbal__token_release(pool->token);
}

static void
set_timer(dbal_pool *pool);

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
        dbal_error *error = dbal__error_make(
            DBAL_ERROR_OPERATIONAL, "55P03", DBAL_EXECUTION_NOT_SENT,
            "another writer of this process has held the database for busy_timeout (%g s)",
            pool->token_timeout);
        dbal__error_set_where(error, dbal__ticket_name(ticket));
        if (!dbal__ticket_fail_waiting(ticket, error)) {
            dbal_error_unref(error);
            break;
        }
    }
    set_timer(pool);
}

static void
set_timer(dbal_pool *pool)
{
    dbal__clock *clock = &pool->loop->ready.clock;
    if (dbal__list_empty(&pool->writes)) {
        dbal__clock_stop(clock, &pool->writes_timer);
        return;
    }
    dbal__ticket *oldest = DBAL__OF(pool->writes.next, dbal__ticket, link);
    dbal__clock_start(clock, &pool->writes_timer,
                      dbal__after(oldest->token_asked, pool->token_timeout), on_timer);
}

void
dbal__writes_init(dbal_pool *pool)
{
    dbal__list_init(&pool->writes);
    dbal__claim_init(&pool->claim, pool->loop->inbox, granted, returned);
}

static dbal__ticket *
take(dbal_pool *pool)
{
    dbal__ticket *ticket = DBAL__OF(dbal__list_pop(&pool->writes), dbal__ticket, link);
    pool->writes_count--;
    pool->writing++;
    ticket->in_writes = false;
    ticket->under_token = true;
    ticket->place = DBAL__PLACE_NOWHERE;
    ticket->job.request.has_token = true;
    return ticket;
}

/* All that wait now go down as one chain, in their order. */
static void
send_chain(dbal_pool *pool)
{
    dbal__ticket *first = take(pool), *last = first;
    dbal__threaded_prepare(&first->job);
    for (int i = 1; i < BATCH && !dbal__list_empty(&pool->writes); i++) {
        dbal__ticket *next = take(pool);
        last->place = DBAL__PLACE_LINE;
        last->job.then = &next->job;
        last = next;
    }
    last->place = DBAL__PLACE_LINE;
    first->on_crew = true;
    dbal__crew_push(&pool->crew, &first->job.work);
}

void
dbal__writes_serve(dbal_pool *pool)
{
    if (dbal__list_empty(&pool->writes)) {
        set_timer(pool);
        if (pool->writing == 0)
            give_back(pool);
        return;
    }
    if (!pool->token_held) {
        set_timer(pool);
        if (pool->claiming)
            return;
        pool->claiming = true;
        pool->claims_out++;
        if (!dbal__token_claim(pool->token, &pool->claim))
            return;
        pool->claims_out--;
        pool->claiming = false;
        pool->token_held = true;
    }
    if (pool->writing > 0)
        return;
    if (pool->gate == DBAL_GATE_THREAD)
        send_chain(pool);
    else
        dbal__waiters_add(take(pool));
    set_timer(pool);
}

void
dbal__writes_add(dbal__ticket *ticket, bool first)
{
    dbal_pool *pool = ticket->pool;
    ticket->place = DBAL__PLACE_LIST;
    ticket->in_writes = true;
    ticket->token_asked = dbal__loop_now(pool->loop);
    pool->writes_count++;
    if (first)
        dbal__list_push_front(&pool->writes, &ticket->link);
    else
        dbal__list_push(&pool->writes, &ticket->link);
    /* what is asked for in one turn goes down together */
    if (!dbal__task_is_queued(&pool->writes_task))
        dbal__ready_push(&pool->loop->ready, &pool->writes_task);
}

void
dbal__writes_done(dbal_pool *pool)
{
    if (--pool->writing > 0)
        return;
    /* others of this process get their turn between two batches */
    give_back(pool);
    dbal__writes_serve(pool);
}

void
dbal__writes_stop(dbal_pool *pool)
{
    dbal__clock_stop(&pool->loop->ready.clock, &pool->writes_timer);
    dbal__list_remove(&pool->writes_task.link);
    if (pool->claiming)
        dbal__claim_withdraw(&pool->claim);
    if (pool->writing == 0)
        give_back(pool);
}
