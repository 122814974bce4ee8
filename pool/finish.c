/* What becomes of a ticket that has come back from below: its outcome, or another run. */
#include <string.h>

#include "dbal/outcome.h"
#include "dbal/result.h"
#include "pool/connection.h"
#include "pool/pool.h"

/* Times that a statement goes to another connection by itself. */
enum { MOVES_MOST = 3 };

/* An error as it came from below, told as what it is. */
static dbal_error *
told(dbal__ticket *ticket, dbal_error *error)
{
    bool stopped = strcmp(dbal_error_sqlstate(error), "57014") == 0 &&
                   dbal_error_is(error, DBAL_ERROR_CANCELLED);
    dbal_error_class why = ticket->why;
    dbal_error *aborted = dbal__copy_aborted(ticket, error);
    if (aborted != NULL) {
        dbal_error_unref(error);
        return aborted;
    }
    /* it was to end anyway when its connection was given up for another one */
    bool given_up = why != 0 && ticket->job.channel != NULL && ticket->job.channel->given_up;
    stopped = stopped || given_up;
    if (stopped && why == 0)
        why = DBAL_ERROR_TIMEOUT; /* the driver kept to the deadline by itself */
    if (stopped && why != 0) {
        dbal_error *other = dbal__ticket_own_error(
            ticket, why, dbal_error_execution(error), given_up ? NULL : error,
            why == DBAL_ERROR_TIMEOUT     ? "interrupted: its time was up"
            : why == DBAL_ERROR_CANCELLED ? "interrupted: it was cancelled"
                                          : "interrupted: the pool was closed");
        dbal_error_unref(error);
        return other;
    }
    int position = dbal_error_position(error);
    if (position != 0 && ticket->sql != NULL)
        dbal__error_set_position(
            error, dbal__sql_position(ticket->sql, ticket->pool->driver->driver, position));
    dbal__ticket_describe(ticket, error);
    return error;
}

static dbal_outcome
outcome_of(dbal__ticket *ticket)
{
    dbal__job *job = &ticket->job;
    if (!job->ok) {
        dbal_error *error = job->error;
        job->error = NULL;
        if (error == NULL) /* it was asked to stop when it had not begun, or had to begin anew */
            return dbal_fail(dbal__ticket_own_error(
                ticket, ticket->why != 0 ? ticket->why : DBAL_ERROR_CANCELLED,
                DBAL_EXECUTION_NOT_SENT, NULL, "stopped before it began"));
        return dbal_fail(told(ticket, error));
    }
    if (job->kind != DBAL__JOB_STATEMENT || job->group != NULL)
        return dbal_done();
    dbal_result *result = job->request.result;
    job->request.result = NULL;
    if (ticket->stream != NULL && !dbal__result_has_affected(result))
        dbal__result_set_affected(result, dbal__stream_rows(ticket));
    if (!dbal__pool_is_native(ticket->pool))
        dbal__result_fetch(result); /* its Deferred runs a little later */
    if (job->large)
        dbal__result_set_reaper(result, dbal__helpers_reaper(ticket->pool->loop->helpers));
    return dbal_ok_result(result);
}

/* What sharing did. */
static void
count_shared(dbal__ticket *ticket)
{
    dbal__job *job = &ticket->job;
    dbal_pool_counts *counts = &ticket->pool->counts;
    bool commit = job->request.has_token;
    *(commit ? &counts->shared_commits : &counts->shared_snapshots) += job->leads;
    *(commit ? &counts->shared_writes : &counts->shared_reads) += job->shared;
    counts->undone_writes += job->undone;
    job->leads = job->grouped = false;
    job->shared = 0;
    job->undone = 0;
}

/*
 * One whose connection was lost before anything of it was sent goes to another, a few times: it may be
 * the one that they die of.
 */
static bool
may_move(const dbal__ticket *ticket)
{
    const dbal_error *error = ticket->job.error;
    bool some_more = ticket->moves < MOVES_MOST || ticket->job.unsound;
    return some_more && ticket->kind == DBAL__TICKET_STATEMENT && ticket->why == 0 &&
           !ticket->pool->stopped && error != NULL && dbal_error_connection_lost(error) &&
           dbal_error_execution(error) == DBAL_EXECUTION_NOT_SENT;
}

/* One that turned out to write runs again with the token, if there is one to be had. */
static bool
may_write_now(dbal__ticket *ticket)
{
    dbal__job *job = &ticket->job;
    if (!job->needs_token || ticket->why != 0)
        return false;
    if (ticket->pool->token != NULL)
        return true;
    job->error = dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
    return false;
}

/* What it waits for is another connection: the time for that begins anew. */
static void
move(dbal__ticket *ticket)
{
    ticket->moves += !ticket->job.unsound; /* of those there are only so many */
    ticket->job.unsound = false;
    ticket->pool->counts.moved++;
    dbal__ticket_wait_anew(ticket);
    dbal__waiters_return(ticket);
}

/* The same ticket again: it did nothing yet, and now has the token if it turned out to write. */
static void
again(dbal__ticket *ticket, bool lost)
{
    dbal__job *job = &ticket->job;
    if (DBAL__SELDOM(ticket->journey != NULL))
        dbal__journey_again(ticket);
    dbal__request_fini(&job->request);
    job->error = dbal_error_unref(job->error);
    bool turned = job->needs_token;
    ticket->writes = ticket->writes || turned;
    job->needs_token = job->request.has_token = job->request.sent = false;
    job->began = job->ended = job->asked = 0;
    job->in_transaction = false;
    job->then = NULL;
    job->channel = NULL;
    if (turned)
        job->share = DBAL_SHARE_NOTHING; /* its text says that it reads */
    job->shared = job->leads = false;
    ticket->on_crew = false;
    atomic_store(&job->state, DBAL__JOB_WAITING);
    ticket->place = DBAL__PLACE_NOWHERE;
    ticket->slot = NULL;
    if (ticket->kind == DBAL__TICKET_BOUND)
        dbal__connection_again(ticket);
    else if (lost)
        move(ticket);
    else
        dbal__waiters_add(ticket);
}

/* A stream that was stopped while its consumer took the last of it. */
static dbal_outcome
outcome_of_stopped(dbal__ticket *ticket)
{
    return dbal_fail(dbal__ticket_stopped_error(ticket, ticket->why));
}

void
dbal__ticket_end(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    if (!dbal__ticket_has_settled(ticket)) {
        bool stopped = ticket->stream != NULL && ticket->why != 0 && ticket->job.ok;
        dbal__ticket_settle(ticket, stopped ? outcome_of_stopped(ticket) : outcome_of(ticket));
    }
    dbal__ticket_free(ticket);
    dbal__pool_check_closed(pool);
}

static void
end_settled_grant(dbal__ticket *ticket, dbal__slot *slot)
{
    if (slot != NULL)
        dbal__waiters_release(slot);
    dbal__ticket_free(ticket);
}

/* The connection that it got is closing already: it asks again, or ends with the pool. */
static void
ask_again(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    dbal__ticket_renew(ticket);
    if (pool->stopped || ticket->unwanted != 0) {
        dbal__ticket_stop(ticket, pool->stopped ? DBAL_ERROR_CLOSED : ticket->unwanted);
        return;
    }
    if (ticket->acquire_by == DBAL__NEVER)
        dbal__ticket_wait_anew(ticket); /* its time was up when it had what it is not to have */
    dbal__waiters_add(ticket);
}

/* A request for a connection has reached one, or was cancelled before. */
static void
take_grant(dbal__ticket *ticket, dbal__slot *slot)
{
    dbal_pool *pool = ticket->pool;
    bool writer = ticket->kind == DBAL__TICKET_WRITER;
    bool got = atomic_load(&ticket->job.state) == DBAL__JOB_RUNNING && slot != NULL;
    bool usable = got && slot->state == DBAL__SLOT_OPEN;
    ticket->on_crew = false;
    if (writer && usable)
        dbal__writes_granted(pool, slot);
    else if (writer)
        dbal__writes_refused(pool);
    else if (dbal__ticket_has_settled(ticket))
        end_settled_grant(ticket, usable ? slot : NULL);
    else if (usable)
        dbal__connection_granted(ticket, slot);
    else
        ask_again(ticket);
}

/* It ended well, but in a transaction that goes with the connection: what it did is undone. */
static void
take_back(dbal__job *job)
{
    if (!job->ok)
        return;
    job->ok = false;
    job->request.result = dbal_result_unref(job->request.result);
    job->error = dbal__error_make(DBAL_ERROR_PROGRAMMING, "25001", DBAL_EXECUTION_FAILED,
                                  "a statement of no session left a transaction open, or ran in "
                                  "one that was: it is rolled back; use a session");
}

/* A statement on the pool that did what belongs to a session, which its text did not tell. */
static void
check_lane(dbal__ticket *ticket, dbal__slot *slot)
{
    dbal__job *job = &ticket->job;
    dbal_pool *pool = ticket->pool;
    bool handed_on = pool->settings.reset == DBAL_RESET_NONE && !job->in_transaction;
    if (job->soiled)
        dbal__reset_report(pool, dbal__ticket_name(ticket), handed_on);
    if (job->in_transaction)
        take_back(job);
    if (handed_on || slot->state != DBAL__SLOT_OPEN)
        return;
    dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                    "%s %s its connection, which is closed: use a session",
                    dbal__ticket_name(ticket),
                    job->in_transaction ? "left a transaction open on" : "changed the session of");
    dbal__slot_close(slot);
}

/* Its worker has done enough, or become too large: another one goes on, when nobody uses it. */
static void
retire_worn(dbal__slot *slot)
{
    if (slot->hook != NULL)
        return; /* whatever comes next says so again */
    if (slot->held)
        slot->dirty = true;
    else
        dbal__life_close(slot);
}

/* It has come back from below, whether it ran or not. */
void
dbal__ticket_finished(dbal__job *job)
{
    dbal__ticket *ticket = DBAL__OF(job, dbal__ticket, job);
    dbal_pool *pool = ticket->pool;
    dbal__slot *slot = dbal__slot_of(ticket);
    bool lost = job->error != NULL && dbal_error_connection_lost(job->error);
    bool settled = dbal__ticket_has_settled(ticket), under_token = ticket->under_token;

    dbal__lanes_leave(ticket);

    if (DBAL__SELDOM(job->unread != 0)) {
        dbal__crew_took(&pool->crew, job->unread);
        job->unread = 0;
    }
    if (ticket->place == DBAL__PLACE_LINE && pool->pulls && ticket->on_crew)
        dbal__crew_returned(&pool->crew);
    pool->stale -= ticket->stale;
    if (slot != NULL && ticket->place == DBAL__PLACE_SLOT)
        slot->flying--;
    if (slot != NULL && !lost)
        dbal__slot_proved(slot);
    if (slot != NULL && lost && slot->state != DBAL__SLOT_CLOSING)
        dbal__slot_is_lost(slot, job->error);
    if (slot != NULL && ticket->kind == DBAL__TICKET_STATEMENT && job->began != 0 &&
        (job->in_transaction || job->soiled))
        check_lane(ticket, slot);
    if (slot != NULL && job->worn)
        retire_worn(slot);
    ticket->place = DBAL__PLACE_NOWHERE;
    ticket->under_token = false;
    count_shared(ticket);
    dbal__upkeep_wanted(pool, job->upkeep_wanted);
    if (!settled && (may_write_now(ticket) || may_move(ticket))) {
        again(ticket, lost);
    } else if (job->kind == DBAL__JOB_GRANT) {
        take_grant(ticket, slot);
    } else {
        if (DBAL__SELDOM(job->ended - ticket->asked >= pool->slow.least) && !settled)
            dbal__slow_ended(ticket);
        ticket->back = !settled && dbal__stream_holds(ticket);
        if (ticket->kind == DBAL__TICKET_BOUND)
            dbal__connection_returned(ticket);
        if (ticket->back) {
            ticket->slot = NULL; /* its connection may go before it does */
            job->channel = NULL;
        } else {
            dbal__ticket_end(ticket);
        }
    }
    /* one that was handed to a connection given up since counts no more */
    if (under_token && slot == pool->writes_slot)
        dbal__writes_done(pool);
    /* those that were lost with it come first, and not all of them are here yet */
    if (lost)
        dbal__waiters_serve_soon(pool);
    else
        dbal__waiters_serve(pool);
    dbal__pool_check_closed(pool);
}
