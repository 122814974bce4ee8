/* One request on its way to a connection and back. */
#ifndef DBAL__JOB_H
#define DBAL__JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dbal/inbox.h"
#include "dbal/list.h"
#include "dbal/request.h"
#include "dbal/sets.h"
#include "dbal/worker.h"

typedef enum dbal__job_state {
    DBAL__JOB_WAITING,  /* nobody has begun it */
    DBAL__JOB_RUNNING,  /* somebody has: it will come back */
    DBAL__JOB_CANCELLED /* it never runs, but comes back all the same */
} dbal__job_state;

typedef enum dbal__job_kind {
    DBAL__JOB_STATEMENT,
    DBAL__JOB_GRANT,    /* runs nothing: asks for the connection that reaches it */
    DBAL__JOB_RESET,    /* makes the session as new */
    DBAL__JOB_VALIDATE, /* asks whether the connection lives, if it was silent */
    DBAL__JOB_UPKEEP,   /* does what the database wants done */
    DBAL__JOB_BACKUP    /* copies the database; what it gives are rows, too */
} dbal__job_kind;

/*
 * The loop makes it, hands it down, and gets it back exactly once by `finished`. In between only
 * `state` and request.stopped are shared. As with a request, what is seldom used comes last.
 */
typedef struct dbal__job {
    /* all that one has which is never handed down: see dbal__job_init_idle() */
    atomic_int state;
    dbal__job_kind kind;
    uint64_t number; /* never that of another of the same pool: memory may be used again */
    struct dbal__channel *channel; /* the one it is bound to, or that took it */
    dbal_error *error;
    int64_t began, ended; /* 0: it never ran */
    int64_t asked; /* when its connection was asked whether it lives, just before; 0: it was not */

    dbal__work work;
    dbal__message message;
    dbal_share share; /* what it may share with others that wait */
    bool alone;       /* nothing of its session was on its way when it was handed down */
    /* what came back */
    bool ok;
    bool in_transaction;
    bool soiled, cleaned; /* native: it left the session changed, or as new */
    bool worn;            /* native: its connection is to be replaced */
    bool may_wait;        /* process gate: with its answer; it can be run once more */
    bool needs_token;
    bool unsound;    /* its connection was found dead before it began */
    bool large;      /* its result is: see dbal__result_is_large() */
    bool leads;      /* it stands for a snapshot or commit that was shared */
    bool grouped;    /* its time is without that of its commit */
    unsigned shared; /* statements that it stands for there */
    unsigned undone; /* times it ran in a commit that was not to be */
    size_t unread;   /* what its result, and those before it, take from the budget; else 0 */
    dbal_upkeep upkeep_wanted;
    dbal__group *group; /* STATEMENT: it is run with each of these; a reference, or NULL */
    dbal_request request;
    struct dbal__job *then; /* to be run right after it by the same thread, or NULL */
    union {
        dbal__list link;             /* native: among those in flight */
        struct dbal__thread *thread; /* the one that it was handed to; see moving.h */
    };
    atomic_int signal; /* a stream's thread sleeps on it while its consumer is slow */
    void (*finished)(struct dbal__job *job);
} dbal__job;

void dbal__job_init(dbal__job *job, void (*finished)(dbal__job *job));
/*
 * The same for one that is never handed down: what it would need for that is left as it is, for the
 * processor's cache, and is not to be looked at.
 */
void dbal__job_init_idle(dbal__job *job);
/* True when it will not run: it was still waiting. */
bool dbal__job_cancel(dbal__job *job);
/* True when it may run now. */
bool dbal__job_begin(dbal__job *job);
/* The same for one that no other thread knows of. */
static inline bool
dbal__job_begin_alone(dbal__job *job)
{
    if (atomic_load_explicit(&job->state, memory_order_relaxed) != DBAL__JOB_WAITING)
        return false;
    atomic_store_explicit(&job->state, DBAL__JOB_RUNNING, memory_order_relaxed);
    return true;
}
/* Whether it is known to end soon: its answer may wait a little for others. Any thread. */
bool dbal__job_is_quick(const dbal__job *job);
/*
 * It is of no session, and left a transaction open, which its text did not tell: nothing else may run in
 * there, and be told that it was kept.
 */
static inline bool
dbal__job_strays(const dbal__job *job)
{
    return job->in_transaction && !job->request.in_order && job->kind == DBAL__JOB_STATEMENT;
}
/* Keeps what running it gave: its result stays in the request, or its error is set. */
void dbal__job_end(dbal__job *job, bool ok, dbal_fault *fault);

#endif
