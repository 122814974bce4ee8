#include "dbal/commit.h"

#include "dbal/clock.h"
#include "dbal/error.h"

enum { MOST = 64 };
static const double TIME = 0.002;     /* seconds until the COMMIT begins */
static const int64_t NEAR = 50000000; /* one that ends so soon (ns) does not wait for others */

/* Those that have run in the transaction, first to last, linked by job.then. */
typedef struct group {
    dbal__runner *runner;
    dbal__worker *worker;
    dbal__job *first, *last;
    int count;
} group;

static const dbal_blocking *
face_of(const group *g)
{
    return g->runner->channel->driver->driver->blocking;
}

static bool
may_share(const dbal__job *job)
{
    int64_t deadline = job->request.deadline;
    return job->share == DBAL_SHARE_COMMIT && job->request.has_token &&
           !atomic_load(&job->request.sql->alone) &&
           (deadline == DBAL__NEVER || deadline - dbal__monotonic() > NEAR);
}

bool
dbal__commit_fits(const dbal__job *job)
{
    return job->then != NULL && may_share(job) && may_share(job->then);
}

/* ---- how it ends ---------------------------------------------------------------------------------- */

/*
 * All at once: what their callbacks write then is one group again. They end with their commit, as one
 * that has its own.
 */
static void
return_members(group *g, dbal__job *behind)
{
    dbal__runner_look(g->runner);
    dbal__worker_collect(g->worker, true);
    for (dbal__job *job = g->first, *then; job != behind; job = then) {
        then = job->then;
        job->ended = g->runner->looked;
        dbal__runner_return(g->runner, job, g->worker);
    }
    dbal__worker_collect(g->worker, false);
    dbal__worker_announce(g->worker);
}

/* Nothing of it is left in the database: it runs again. */
static void
undo(dbal__job *job)
{
    dbal__request_fini(&job->request);
    job->request.satisfied = false;
    job->request.first_row = 0;
    job->error = dbal_error_unref(job->error);
    job->ok = false;
    job->undone++;
}

static void
undo_members(group *g, dbal__job *behind, dbal_share share)
{
    for (dbal__job *job = g->first; job != behind; job = job->then) {
        undo(job);
        job->share = share;
    }
}

static void
fail(dbal__job *job, dbal_error *error, dbal_execution execution)
{
    job->request.result = dbal_result_unref(job->request.result);
    job->ok = false;
    job->error = dbal__error_copy(error, execution);
}

/* What failed by itself keeps its own error. */
static void
fail_members(group *g, dbal__job *behind, dbal_error *error)
{
    for (dbal__job *job = g->first; job != behind; job = job->then)
        if (job->error == NULL)
            fail(job, error, dbal_error_execution(error));
    return_members(g, behind);
}

/* Of use to all: what passes with time, what nobody can know, and what took the connection along. */
static bool
is_for_all(const dbal_error *error)
{
    return dbal_error_retryable(error) || dbal_error_connection_lost(error) ||
           dbal_error_execution(error) == DBAL_EXECUTION_UNKNOWN;
}

static bool
end_transaction(group *g, bool keep, dbal_fault *fault)
{
    dbal__runner_enter(g->runner, "share_end");
    bool ok = face_of(g)->share_end(g->runner->channel->connection, keep, fault);
    dbal__runner_leave(g->runner);
    return ok;
}

/* All have run: they are told when it is committed. What cannot be kept together runs alone. */
static dbal__job *
commit(group *g)
{
    dbal__job *behind = g->last->then;
    dbal_fault fault = DBAL__FAULT_INIT;
    if (end_transaction(g, true, &fault)) {
        g->first->leads = g->count > 1;
        for (dbal__job *job = g->first; job != behind; job = job->then)
            job->shared = g->count > 1;
        return_members(g, behind);
        return behind;
    }
    dbal_error *error = dbal__fault_take(&fault);
    if (dbal_error_connection_lost(error))
        dbal__runner_bury(g->runner, g->worker);
    bool all = is_for_all(error);
    if (all)
        fail_members(g, behind, error);
    else
        undo_members(g, behind, DBAL_SHARE_NOTHING);
    dbal_error_unref(error);
    return all ? behind : g->first;
}

/* ---- one that breaks it ----------------------------------------------------------------------------- */

/*
 * It was stopped, and that is its end, whatever becomes of the others. The driver may also have
 * stopped it because it made the others wait: then it runs again.
 */
static bool
was_stopped(const dbal__job *job)
{
    return job->error != NULL && dbal_error_is(job->error, DBAL_ERROR_CANCELLED) &&
           (dbal_request_stopped(&job->request) || job->ended >= job->request.deadline);
}

static bool
has_lost(const dbal__job *job)
{
    return job->error != NULL && dbal_error_connection_lost(job->error);
}

/* Its text would break the next one too; a full disk or no memory may hit any, and pass. */
static bool
is_its_own_doing(const dbal__job *job)
{
    return job->error == NULL || (!dbal_error_is(job->error, DBAL_ERROR_OPERATIONAL) &&
                                  !dbal_error_is(job->error, DBAL_ERROR_NO_MEMORY));
}

/* The job that broke it stands behind the last member, or is the first of all. */
static dbal__job *
break_up(group *g, dbal__job *broke)
{
    dbal__job *behind = broke->then;
    dbal_fault fault = DBAL__FAULT_INIT;
    if (has_lost(broke)) {
        /* the database has undone what the others did */
        dbal__runner_bury(g->runner, g->worker);
        dbal_error *lost = dbal__error_lost(broke->error, DBAL_EXECUTION_FAILED);
        fail_members(g, behind, lost);
        dbal_error_unref(lost);
        return behind;
    }
    if (!end_transaction(g, false, &fault)) {
        dbal_error *error = dbal__fault_take(&fault);
        if (dbal_error_connection_lost(error))
            dbal__runner_bury(g->runner, g->worker);
        else /* the next statement tells the loop, so it must be taken */
            g->runner->dead = true;
        fail_members(g, behind, error);
        dbal_error_unref(error);
        return behind;
    }
    undo_members(g, broke, DBAL_SHARE_COMMIT);
    if (was_stopped(broke)) {
        if (g->last != NULL)
            g->last->then = behind;
        dbal__runner_return(g->runner, broke, g->worker);
        return g->last != NULL ? g->first : behind;
    }
    if (is_its_own_doing(broke))
        atomic_store(&broke->request.sql->alone, true);
    undo(broke);
    broke->share = DBAL_SHARE_NOTHING;
    return g->first;
}

/* ---- running ------------------------------------------------------------------------------------------ */

/*
 * The next that may join, begun; cancelled ones on the way are handed back. One that is not known
 * to be quick may only be the first: those that ran before it would be told late.
 */
static dbal__job *
next(group *g, int64_t until)
{
    dbal__job *job;
    while ((job = g->last->then) != NULL) {
        if (g->count >= MOST || !dbal__job_is_quick(job) || !may_share(job) ||
            g->runner->looked >= until)
            return NULL;
        if (dbal__runner_take_up(g->runner, job))
            return job;
        g->last->then = job->then;
        dbal__runner_return(g->runner, job, g->worker);
    }
    return NULL;
}

static bool
holds(group *g)
{
    dbal__runner_enter(g->runner, "share_holds");
    bool ok = face_of(g)->share_holds(g->runner->channel->connection);
    dbal__runner_leave(g->runner);
    return ok;
}

/* Runs them one after another. The one that broke it, or NULL. */
static dbal__job *
run_members(group *g, dbal__job *job)
{
    dbal__runner_look(g->runner);
    int64_t until = dbal__after(g->runner->looked, TIME);
    g->first = job;
    for (; job != NULL; job = next(g, until)) {
        job->grouped = true;
        dbal__runner_execute(g->runner, job, g->runner->looked);
        if (has_lost(job) || !holds(g))
            return job;
        g->last = job;
        g->count++;
    }
    return NULL;
}

/*
 * The transaction could not be begun. A lock that was not to be had is not to be had for any that
 * waited; other reasons each finds by itself.
 */
static dbal__job *
not_begun(group *g, dbal__job *first, dbal_fault *fault)
{
    dbal_error *error = dbal__fault_take(fault);
    dbal__job *job = first;
    bool stopped = dbal_error_is(error, DBAL_ERROR_CANCELLED);
    if (!stopped && !is_for_all(error)) {
        first->share = DBAL_SHARE_NOTHING;
        dbal_error_unref(error);
        return first;
    }
    /* before the last of them is handed back: the loop may send more as soon as it has that */
    if (dbal_error_connection_lost(error))
        dbal__runner_bury(g->runner, g->worker);
    for (int count = 0; job != NULL && count < (stopped ? 1 : MOST); count++) {
        dbal__job *then = job->then;
        if (job != first && !may_share(job))
            break;
        if (dbal__runner_take_up(g->runner, job))
            fail(job, error, dbal_error_execution(error));
        dbal__runner_return(g->runner, job, g->worker);
        job = then;
    }
    dbal_error_unref(error);
    return job;
}

dbal__job *
dbal__commit_run(dbal__runner *runner, dbal__job *job, dbal__worker *worker)
{
    group g = {.runner = runner, .worker = worker};
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__worker_announce(worker);
    if (!dbal__runner_take_up(runner, job)) {
        dbal__job *then = job->then;
        dbal__runner_return(runner, job, worker);
        return then;
    }
    /* the first has begun, so that a stop ends the wait for the lock; the others still wait */
    dbal__runner_enter(runner, "share_begin");
    bool begun = face_of(&g)->share_begin(runner->channel->connection, DBAL_SHARE_COMMIT,
                                          &job->request, &fault);
    dbal__runner_leave(runner);
    if (!begun)
        return not_begun(&g, job, &fault);
    dbal__job *broke = run_members(&g, job);
    return broke != NULL ? break_up(&g, broke) : commit(&g);
}
