/* Runs jobs on one connection, through its driver's blocking face, in the connection's thread. */
#ifndef DBAL__RUNNER_H
#define DBAL__RUNNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dbal/channel.h"
#include "dbal/home.h"
#include "dbal/job.h"
#include "dbal/worker.h"

typedef struct dbal__runner {
    dbal__channel *channel;
    dbal__home *home; /* where its results come back to */
    bool dedicated;   /* its thread has no other connection */
    bool watched;     /* the loop looks after all answers that its thread keeps back */
    bool dead;        /* the connection is lost, and is not entered but to be closed */
    bool bounces;     /* one wanted the token, and none behind may overtake it */
    bool interruptible;
    int64_t looked;            /* at the clock, when a job had ended */
    unsigned unlooked;         /* jobs of one group that have ended since */
    const dbal__sql *last;     /* whose end was looked at; only to be compared */
    _Atomic(uint64_t) current; /* the number of the job that may be interrupted, or 0 */
    pthread_mutex_t guard;     /* held by who interrupts it */
} dbal__runner;

/* False without memory. */
bool dbal__runner_init(dbal__runner *runner, dbal__channel *channel, bool dedicated);
void dbal__runner_fini(dbal__runner *runner);

/* Interrupts this job, if it runs; a helper's thread. */
void dbal__runner_interrupt(dbal__runner *runner, uint64_t number);

/* The rest: in the connection's thread. */

/* Around each call of the driver. */
static inline void
dbal__runner_enter(dbal__runner *runner, const char *operation)
{
    dbal__channel *channel = runner->channel;
    dbal__entry_begin(&channel->driver->entry, &channel->entry, channel->threadlevel,
                      channel->driver->driver->name, operation);
}
static inline void
dbal__runner_leave(dbal__runner *runner)
{
    dbal__channel *channel = runner->channel;
    dbal__entry_end(&channel->driver->entry, &channel->entry, channel->threadlevel);
}
/* The connection is of no more use, and its thread takes no more shared work. */
void dbal__runner_bury(dbal__runner *runner, dbal__worker *worker);

/* Whether nothing was heard of the connection for so long that it is asked whether it lives. */
static inline bool
dbal__runner_is_silent(const dbal__runner *runner, int64_t now)
{
    return now - runner->looked > runner->channel->validate_after;
}

/* Runs it, and hands it back. `own`: it was handed to this connection and no other could take it. */
void dbal__runner_run(dbal__runner *runner, dbal__job *job, bool own, dbal__worker *worker);
/* The same for one of a group, right after the one before. */
void dbal__runner_run_next(dbal__runner *runner, dbal__job *job, dbal__worker *worker);
/* Looks at the clock: a group begins. */
void dbal__runner_look(dbal__runner *runner);
/* True when it may run now: it begins, or began and was undone. */
bool dbal__runner_take_up(dbal__runner *runner, dbal__job *job);
/*
 * In two parts: runs one that has begun at this time; hands back one that has ended, or never began.
 */
void dbal__runner_execute(dbal__runner *runner, dbal__job *job, int64_t began);
void dbal__runner_return(dbal__runner *runner, dbal__job *job, dbal__worker *worker);

#endif
