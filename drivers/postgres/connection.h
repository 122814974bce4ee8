/*
 * One connection. Opened and closed in a helper thread; in between the loop has it, or, behind a
 * gate with threads, one thread at a time.
 */
#ifndef DBAL__POSTGRES_CONNECTION_H
#define DBAL__POSTGRES_CONNECTION_H

#include <stdbool.h>

#include <dbal/driver.h>

#include "answer.h"
#include "bind.h"
#include "config.h"
#include "copy.h"
#include "expect.h"
#include "libpq.h"
#include "newer.h"
#include "notice.h"
#include "statement.h"
#include "time_limit.h"

typedef struct dbal__postgres_connection dbal__postgres_connection;

/* A cancel on its way, in a helper thread; it may outlive its connection. */
typedef struct dbal__postgres_errand dbal__postgres_errand;

struct dbal__postgres_connection {
    PGconn *pg;
    const dbal__postgres_config *config;
    const dbal__postgres_newer *newer;
    dbal_host *host; /* NULL off the loop */
    int stop_fd;     /* wakes a thread that waits for the server */
    dbal__postgres_expect expect;
    dbal__postgres_statements statements;
    dbal__postgres_columns columns; /* of a statement that is not kept */
    dbal__postgres_bound bound;
    unsigned watched;            /* events */
    bool flushing;               /* bytes wait for room in the socket */
    bool ended;                  /* the server has closed */
    bool lost;                   /* the core has been told */
    bool behind;                 /* what has been read holds results that were not taken */
    bool waking;                 /* a wake is asked for */
    bool standby;                /* the server was one at the login */
    bool in_transaction;         /* as far as was settled */
    bool will_be_in_transaction; /* when all that was sent has been done */
    bool chained;                /* its AND CHAIN may fail, which ends it: that is not known yet */
    unsigned unsynced;           /* queries sent since the last Sync */
    bool shared;                 /* they share it with others that only read, see share.c */
    dbal__postgres_time_limit time_limit;
    dbal__postgres_answer answer;
    dbal__postgres_copy copy;
    dbal__postgres_notices notices;
    dbal__postgres_errand *cancelling; /* or NULL */
    double cancel_again;               /* seconds until the next cancel of the same statement */
    bool cancel_due;                   /* the timer runs */
};

/* ---- connection.c ---- */

bool dbal__postgres_open(void *connection, dbal_opening *opening, dbal_fault *fault);
void dbal__postgres_close(void *connection);
bool dbal__postgres_in_transaction(void *connection);
/* run.c: one at a time, in a thread */
bool dbal__postgres_run(void *connection, dbal_request *request, dbal_fault *fault);
void dbal__postgres_interrupt(void *connection);
bool dbal__postgres_ping(void *connection, dbal_fault *fault);
bool dbal__postgres_reset(void *connection, dbal_fault *fault);
extern const dbal_native dbal__postgres_native;
/* After anything that may have changed what is waited for. */
void dbal__postgres_settle_down(dbal__postgres_connection *self);

/* ---- link.c: the socket ---- */

/* Asks for the events that matter now. */
void dbal__postgres_watch(dbal__postgres_connection *self);
/* Whether a stream's consumer is behind, so that nothing is read until it asks for more. */
static inline bool
dbal__postgres_is_held_back(const dbal__postgres_connection *self)
{
    const dbal__postgres_expected *item = dbal__postgres_expect_reading(&self->expect);
    return (item != NULL && item->begun && !item->refused && dbal_request_full(item->request)) ||
           (self->copy.request != NULL && dbal__postgres_copy_is_held_back(self));
}
/* Passes on what was told by NOTIFY. */
void dbal__postgres_notify(dbal__postgres_connection *self);
/* Takes what has arrived; see `ended`. */
void dbal__postgres_consume(dbal__postgres_connection *self);
/* Sends what waits, as far as there is room. */
void dbal__postgres_flush(dbal__postgres_connection *self);
/* A step soon, without an event. */
void dbal__postgres_wake(dbal__postgres_connection *self);
/* It is of no more use; `why` may be NULL for libpq's own words. */
void dbal__postgres_lose(dbal__postgres_connection *self, const char *why);

/* ---- send.c: requests down ---- */

/* Sends it, or keeps it until it may be sent. */
void dbal__postgres_submit(dbal__postgres_connection *self, dbal_request *request);
/* Sends what may be sent of what waits. */
void dbal__postgres_send(dbal__postgres_connection *self);
/* See dbal_native.reset. */
void dbal__postgres_reset_session(void *connection, dbal_request *request);
/*
 * The reset of that number is settled: whether it is to end behind one more statement, which has been
 * sent, since the session is not yet as it was after the login.
 */
bool dbal__postgres_reset_goes_on(dbal__postgres_connection *self, uint32_t number);
/* Ends the segment of a transaction that statements of this turn have shared. */
void dbal__postgres_sync(dbal__postgres_connection *self);

/* ---- share.c: statements that only read, under one Sync ---- */

/* It shares a Sync with those of its turn that may, too. */
bool dbal__postgres_may_share(dbal__postgres_unsent one);
/* As many wait to be sent as may have one Sync. */
bool dbal__postgres_share_is_full(const dbal__postgres_connection *self);
/*
 * It is sent next: ends what it cannot share, and begins what has to be read-only. There is room for
 * two replies. False: libpq has failed.
 */
bool dbal__postgres_share_join(dbal__postgres_connection *self, dbal__postgres_unsent one);
/* One more may have the same Sync as what was sent. */
bool dbal__postgres_share_goes_on(const dbal__postgres_connection *self);
/* Those that are settled next were undone by an error of their Sync: they are sent once more. */
void dbal__postgres_share_undo(dbal__postgres_connection *self);

/* ---- receive.c: answers up ---- */

/* Takes the answers that are there. */
void dbal__postgres_receive(dbal__postgres_connection *self);
/* Nothing is on its way: tells the core whether a transaction is open. */
void dbal__postgres_look_at_transaction(dbal__postgres_connection *self);
/* Another reply is being read: says how its rows are to come. */
void dbal__postgres_read_from_here(dbal__postgres_connection *self);

/* ---- demotion.c ---- */

/* Whether the server says that it is one, now. */
bool dbal__postgres_is_standby(const dbal__postgres_connection *self);
/* An error: whether the server has become one since the login. Its connection goes then. */
void dbal__postgres_look_for_demotion(dbal__postgres_connection *self, const PGresult *result);

/* ---- cancel.c ---- */

void dbal__postgres_cancel(void *connection, dbal_request *request);
/* What the server is at work on is to be stopped, if one of those that are is in it. */
void dbal__postgres_cancel_reading(dbal__postgres_connection *self);
/* The time has come to try again, or to give up. */
void dbal__postgres_cancel_timer(dbal__postgres_connection *self);
/* What it was at work on has come to its end. */
void dbal__postgres_cancel_settled(dbal__postgres_connection *self);
/* Forgets one that is on its way. */
void dbal__postgres_cancel_leave(dbal__postgres_connection *self);

#endif
