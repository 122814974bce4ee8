#include "dbal/snapshot.h"

#include "dbal/clock.h"
#include "dbal/error.h"

enum { MOST = 64 };
static const double TIME = 0.001; /* seconds */

/*
 * Only what was on the line before the snapshot was taken may see it: whoever asks after it has been
 * told of a write sees that write. What is not known to be quick may be the first, but not keep
 * others waiting in a snapshot that grows old.
 */
static bool
fits(const dbal__work *work, void *arg)
{
    const uint64_t *last = arg;
    const dbal__job *job = DBAL__OF(work, const dbal__job, work);
    return work->ticket <= *last && job->share == DBAL_SHARE_SNAPSHOT && dbal__job_is_quick(job);
}

static bool
begin(dbal__runner *runner, dbal__job *first)
{
    dbal__channel *channel = runner->channel;
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__runner_enter(runner, "share_begin");
    bool begun = channel->driver->driver->blocking->share_begin(
        channel->connection, DBAL_SHARE_SNAPSHOT, &first->request, &fault);
    dbal__runner_leave(runner);
    dbal_fault_clear(&fault); /* each read by itself says what is wrong */
    return begun;
}

static void
end(dbal__runner *runner)
{
    dbal__channel *channel = runner->channel;
    dbal_fault fault = DBAL__FAULT_INIT;
    if (runner->dead)
        return; /* one of them has lost the connection */
    dbal__runner_enter(runner, "share_end");
    bool ended = channel->driver->driver->blocking->share_end(channel->connection, true, &fault);
    dbal__runner_leave(runner);
    dbal_fault_clear(&fault);
    if (!ended) /* the next statement, of which nothing is sent, tells the loop: it must be taken */
        runner->dead = true;
}

/* Each is taken when the one before has ended, so that none waits here while a thread is free. */
static dbal__job *
next(dbal__line *line, uint64_t last, dbal__worker *worker)
{
    dbal__work *work = dbal__line_pull_if(line, fits, &last);
    if (work == NULL)
        return NULL;
    dbal__worker_took_one(worker);
    dbal__job *job = DBAL__OF(work, dbal__job, work);
    __builtin_prefetch(job->request.block);
    return job;
}

static void
run_members(dbal__runner *runner, dbal__line *line, uint64_t last, dbal__job *job,
            dbal__worker *worker)
{
    dbal__runner_look(runner);
    int64_t until = dbal__after(runner->looked, TIME);
    for (int count = 1; job != NULL; count++) {
        /* whether it is shared shows with the second, which counts for the first too */
        job->leads = count == 2;
        job->shared = count == 1 ? 0 : count == 2 ? 2 : 1;
        dbal__runner_run_next(runner, job, worker);
        bool more = !runner->dead && count < MOST && runner->looked < until &&
                    !dbal__budget_is_spent(worker->budget);
        job = more ? next(line, last, worker) : NULL;
    }
}

void
dbal__snapshot_run(dbal__runner *runner, dbal__line *line, dbal__job *job, dbal__worker *worker)
{
    uint64_t last = dbal__line_last(line);
    /* one alone needs no snapshot of ours */
    if (!dbal__line_has(line, fits, &last) || !begin(runner, job)) {
        dbal__runner_run(runner, job, false, worker);
        return;
    }
    run_members(runner, line, last, job, worker);
    end(runner);
}
