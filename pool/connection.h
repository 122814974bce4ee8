/* A connection of one's own: its statements in order, and the scopes that its work is made of. */
#ifndef DBAL__CONNECTION_H
#define DBAL__CONNECTION_H

#include "pool/pool.h"
#include <dbal/connection.h>

/*
 * A piece of work on a connection: a session, a transaction or a savepoint. It begins, runs the
 * work, waits until all that the work started has settled, and ends as the work's outcome says.
 */
typedef struct dbal__scope {
    unsigned refs;
    dbal_connection *connection; /* a reference */
    struct dbal__scope *outer;   /* a reference */
    dbal__plan plan;
    dbal__task task;         /* calls the work, or ends the scope, from the loop */
    dbal_deferred *working;  /* the work's chain while it runs; a reference */
    dbal_deferred *deferred; /* whose caller waits; NULL: the session's ticket has it */
    bool underway; /* what begins it has been handed down: what is outside waits for its end */
    bool begun, work_done, ending, ended;
    bool cancelled;  /* its work is not begun any more */
    bool worked;     /* something that the program asked for in it was handed down */
    unsigned number; /* of a savepoint, for its name */
    size_t pending;  /* statements and inner scopes that have not settled */
    dbal_outcome outcome;
    dbal_error *unhandled; /* the first error of a statement that nobody handled */
} dbal__scope;

struct dbal_connection {
    unsigned refs;
    dbal_pool *pool;
    dbal__slot *slot;     /* NULL once lost or over */
    dbal__ticket *ticket; /* of the session; NULL once settled */
    dbal__list queue;     /* statements not yet handed down */
    unsigned flying;      /* handed down, not yet back */
    bool copying;         /* what flies is a copy, which nothing may fly with */
    bool in_transaction, lost, over;
    dbal_error *loss;     /* why it was lost, where that is known */
    bool dirty;           /* a statement left the session changed: not to be used by others so */
    bool spoiled;         /* what was open could not be undone: not to be used by others at all */
    dbal__sql *soiler;    /* the first that changed it; a reference, or NULL */
    dbal_error_class why; /* 0, or why it was stopped */
    bool has_token, claiming;
    bool settling; /* statements went back for the token: all come home before any is handed down */
    dbal__claim *claim; /* or NULL */
    dbal__timer token_timer;
    dbal__scope *scope; /* the innermost; a reference */
    unsigned attempt, savepoints;
    int64_t since;   /* when it was granted */
    dbal__sql *last; /* what it ran last; a reference, or NULL */
    bool reported;   /* as held for too long */
    bool prepares;   /* on_connect's: what it changes is to stay so */
    bool acquired;   /* on_acquire was told, and on_release is to be */
    uint64_t number; /* of its slot; and when that was opened */
    int64_t opened_at;
    dbal__scope outermost; /* of its scopes; refers to the connection */
};

/* ---- session.c: how it is asked for, and its memory ---- */

/* The handle of one that gets its connection now, with its outermost scope. NULL without memory. */
dbal_connection *dbal__session_new(dbal__ticket *ticket);
/* Its ticket. `done`, or NULL for a Deferred, is told of its end. NULL without memory. */
dbal__ticket *dbal__session_ask(dbal_pool *pool, const dbal__plan *plan, double timeout,
                                const char *label,
                                void (*done)(dbal__ticket *ticket, dbal_outcome outcome),
                                void *arg);
/* Asks the pool for it. Floating. */
dbal_deferred *dbal__session_start(dbal_pool *pool, const dbal__plan *plan, double timeout,
                                   const char *label);
dbal_connection *dbal__connection_ref(dbal_connection *connection);
void dbal__connection_unref(dbal_connection *connection);

/* ---- connection.c ---- */

/* What is asked for by the ticket has that connection now. False without memory: nothing was done. */
bool dbal__connection_begin(dbal__ticket *ticket, dbal__slot *slot);
/* The same for one that waited, which ends when there is no memory. */
void dbal__connection_granted(dbal__ticket *ticket, dbal__slot *slot);
/* What its ticket and slot tell it. */
void dbal__connection_returned(dbal__ticket *ticket);
void dbal__connection_again(dbal__ticket *ticket);
void dbal__connection_lost(dbal_connection *connection, dbal_error *error);
void dbal__connection_stop(dbal_connection *connection, dbal_error_class why);

/* A statement of the work's; a Deferred in any case but without memory. */
dbal_deferred *dbal__connection_add(dbal_connection *connection, const dbal_query *query,
                                    const char *call, dbal__ticket **ret_ticket);
/* The same for a scope that may have ended its work: for what was begun before. */
dbal_deferred *dbal__connection_add_in(dbal__scope *scope, const dbal_query *query,
                                       dbal__ticket **ret_ticket);
/* The same for a ticket that is there already; taken over. The connection is not lost. */
dbal_deferred *dbal__connection_add_ticket(dbal__scope *scope, dbal__ticket *ticket,
                                           dbal__ticket **ret_ticket);
/* The scope that a statement given now is made in. */
dbal__scope *dbal__connection_working(const dbal_connection *connection);
/* A ticket that has come back is done with. */
void dbal__connection_forget(dbal__ticket *ticket);
/*
 * A statement of dbal's own; `done` is told. What begins a scope goes behind all that waits, any
 * other, with NULL for the scope, ahead of it.
 */
void dbal__connection_control(dbal_connection *connection, const char *sql, dbal__scope *beginning,
                              bool writes, void (*done)(dbal__ticket *ticket, dbal_outcome outcome),
                              void *arg);
void dbal__connection_pump(dbal_connection *connection);
/* NULL, or an INTERFACE error: the work is over. */
dbal_error *dbal__connection_refusal(const dbal_connection *connection, const char *call);
/* The session is over: its outcome, taken over. */
void dbal__connection_finish(dbal_connection *connection, dbal_outcome outcome);

/* What it ran last, for whoever asks. */
static inline void
dbal__connection_ran(dbal_connection *connection, dbal__sql *sql)
{
    connection->pool->watch.stirs++;
    if (sql == NULL || sql == connection->last)
        return;
    if (connection->last != NULL)
        dbal__sql_unref(connection->last);
    connection->last = dbal__sql_ref(sql);
}

/* What it runs; else what waits for the token; else what it ran last; NULL: nothing yet. */
dbal__sql *dbal__connection_doing(const dbal_connection *connection);

/* Puts a statement of dbal's own in line, first or last; `done` is told. */
void dbal__connection_start_control(dbal_connection *connection, dbal__ticket *ticket, bool first,
                                    void (*done)(dbal__ticket *ticket, dbal_outcome outcome),
                                    void *arg);

/* ---- reset.c ---- */

/*
 * A session is over: makes its connection as new, where the settings want that. True: `done` is to
 * call dbal__reset_done(); false: there is nothing to wait for. After either, the connection is dirty
 * when nobody else is to have it.
 */
bool dbal__reset_begin(dbal_connection *connection,
                       void (*done)(dbal__ticket *ticket, dbal_outcome outcome), void *arg);
/* The outcome is taken over. */
void dbal__reset_done(dbal_connection *connection, dbal_outcome outcome);

/* ---- scope.c ---- */

dbal__scope *dbal__scope_new(const dbal__plan *plan);
/* The same in memory that is zeroed: a connection's outermost one. */
void dbal__scope_init(dbal__scope *scope, const dbal__plan *plan);
dbal__scope *dbal__scope_ref(dbal__scope *scope);
void dbal__scope_unref(dbal__scope *scope);
/* The connection is there: begins. */
void dbal__scope_begin(dbal__scope *scope);
/* Something may have ended it. */
void dbal__scope_check(dbal__scope *scope);
/* A statement made in it settles here: see dbal__deferred_watch(). */
bool dbal__scope_watch(dbal__fate fate, dbal_error *error, void *scope);
/* Whether it is, or is inside, a transaction of dbal's. */
bool dbal__scope_has_transaction(const dbal__scope *scope);
/* Cancels its work. */
void dbal__scope_cancel(dbal__scope *scope);

#endif
