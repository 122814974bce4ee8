/* How a ticket ends before its time: cancelled, out of time, or given up by its pool. */
#include "dbal/error.h"
#include "dbal/outcome.h"
#include "pool/connection.h"
#include "pool/pool.h"

static const double STOP_AGAIN = 0.05; /* seconds */

static void on_timer(dbal__timer *timer);

void
dbal__ticket_arm(dbal__ticket *ticket)
{
    int64_t at = ticket->finish_by;
    if (ticket->why != 0)
        at =
            ticket->give_up_at < ticket->stop_again_at ? ticket->give_up_at : ticket->stop_again_at;
    else if (ticket->acquire_by < at)
        at = ticket->acquire_by;
    dbal__clock_start(&ticket->pool->loop->ready.clock, &ticket->timer, at, on_timer);
}

/* It never ran and has settled: below it may still be on its way back. */
static void
leave_waiting(dbal__ticket *ticket, dbal_outcome outcome)
{
    bool below = ticket->place == DBAL__PLACE_LINE || ticket->place == DBAL__PLACE_SLOT;
    bool on_line = ticket->place == DBAL__PLACE_LINE && ticket->on_crew;
    dbal__ticket_take_off(ticket);
    dbal__slow_waited(ticket, true);
    dbal__ticket_settle(ticket, outcome);
    if (ticket->kind == DBAL__TICKET_BOUND && !below)
        dbal__connection_returned(ticket);
    if (!below) {
        dbal__ticket_free(ticket);
    } else if (on_line) { /* from now on it may be swept away */
        ticket->stale = true;
        ticket->pool->stale++;
    }
}

dbal_error *
dbal__ticket_stopped_error(const dbal__ticket *ticket, dbal_error_class why)
{
    bool wrote = ticket->writes || (ticket->sql->sql_class.kinds & DBAL_SQL_WRITES) != 0;
    return dbal__ticket_own_error(ticket, why,
                                  wrote ? DBAL_EXECUTION_UNKNOWN : DBAL_EXECUTION_FAILED, NULL,
                                  "stopped before all rows were taken");
}

bool
dbal__ticket_fail_waiting(dbal__ticket *ticket, dbal_error *error)
{
    if (dbal__ticket_has_settled(ticket) || !dbal__job_cancel(&ticket->job))
        return false;
    leave_waiting(ticket, dbal_fail(error));
    return true;
}

/*
 * An interrupt that comes just before the statement has really begun does nothing: it is sent again
 * until it has ended. A native driver keeps what it is told.
 */
static void
ask_to_stop(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    dbal__slot *slot = dbal__slot_of(ticket);
    ticket->stop_again_at = pool->gate == DBAL_GATE_LOOP
                                ? DBAL__NEVER
                                : dbal__after(dbal__loop_now(pool->loop), STOP_AGAIN);
    dbal__ticket_arm(ticket);
    if (slot != NULL)
        slot->channel->ops->cancel(slot->channel, &ticket->job);
}

static void
stop_running(dbal__ticket *ticket, dbal_error_class why)
{
    double patience = ticket->pool->settings.cancel_timeout;
    if (ticket->why != 0)
        return;
    ticket->why = why;
    ticket->give_up_at =
        patience < 0 ? DBAL__NEVER : dbal__after(dbal__loop_now(ticket->pool->loop), patience);
    ask_to_stop(ticket);
}

void
dbal__ticket_stop(dbal__ticket *ticket, dbal_error_class why)
{
    if (dbal__ticket_has_settled(ticket))
        return;
    if (dbal__job_cancel(&ticket->job)) {
        const char *what = why == DBAL_ERROR_CANCELLED ? "cancelled before it began"
                           : why == DBAL_ERROR_TIMEOUT ? "its time was up before it began"
                                                       : "closed before it began";
        leave_waiting(ticket, dbal_fail(dbal__ticket_own_error(ticket, why, DBAL_EXECUTION_NOT_SENT,
                                                               NULL, what)));
        return;
    }
    if (ticket->back && dbal__stream_is_giving(ticket)) {
        ticket->why = why; /* it ends when its consumer has returned */
    } else if (ticket->back) {
        /* all of it that is left is here: nothing has to be waited for */
        ticket->why = why;
        dbal__ticket_settle(ticket, dbal_fail(dbal__ticket_stopped_error(ticket, why)));
        dbal__ticket_free(ticket);
    } else if (ticket->kind != DBAL__TICKET_SESSION)
        stop_running(ticket, why);
    else if (ticket->connection != NULL)
        dbal__connection_stop(ticket->connection, why);
    else if (ticket->unwanted == 0)
        ticket->unwanted = why; /* a thread has it: told when it comes back */
}

/* Another user's statement is at work on the connection that they share: what hangs is not this one. */
static bool
stands_behind(const dbal__ticket *ticket, const dbal__slot *slot)
{
    /* writes go down together; of these the one that is at work was sent */
    if (ticket->under_token && dbal__pool_is_native(ticket->pool))
        return !ticket->job.request.sent;
    return ticket->kind == DBAL__TICKET_STATEMENT && !dbal__list_empty(&slot->lane.flying) &&
           slot->lane.flying.next != &ticket->link;
}

/* It was asked to stop and did not: its connection is left behind. */
static void
give_up(dbal__ticket *ticket)
{
    dbal__slot *slot = dbal__slot_of(ticket);
    bool behind = slot != NULL && stands_behind(ticket, slot);
    dbal_error *error = dbal__ticket_own_error(
        ticket, ticket->why, DBAL_EXECUTION_UNKNOWN, NULL,
        behind ? "it did not come to its turn within cancel_timeout, behind another statement"
               : "it did not end within cancel_timeout: its connection was given up");
    dbal__slow_given_up(ticket);
    if (slot != NULL && !behind)
        dbal__slot_give_up(slot);
    dbal__ticket_settle(ticket, dbal_fail(error));
    if (ticket->kind == DBAL__TICKET_BOUND)
        dbal__connection_returned(ticket);
}

static void
on_timer(dbal__timer *timer)
{
    dbal__ticket *ticket = DBAL__OF(timer, dbal__ticket, timer);
    int64_t now = dbal__loop_now(ticket->pool->loop);
    if (ticket->why != 0 && now < ticket->give_up_at) {
        ask_to_stop(ticket);
    } else if (ticket->why != 0) {
        give_up(ticket);
    } else if (now >= ticket->finish_by) {
        dbal__ticket_stop(ticket, DBAL_ERROR_TIMEOUT);
    } else {
        dbal_pool *pool = ticket->pool;
        ticket->acquire_by = DBAL__NEVER;
        if (atomic_load(&ticket->job.state) == DBAL__JOB_WAITING) {
            dbal_error *error = dbal__holders_exhausted(ticket);
            if (dbal__ticket_fail_waiting(ticket, error)) {
                dbal__waiters_sweep(pool);
                return;
            }
            dbal_error_unref(error);
        }
        dbal__ticket_arm(ticket);
    }
}
