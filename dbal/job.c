#include "dbal/job.h"

#include <stddef.h>

#include "dbal/alloc.h"
#include "dbal/clock.h"

/* Statements that take less on average let their answers wait for one another. */
static const int64_t QUICK = 50000; /* nanoseconds */
/* Writes that take less, without their commit, may make others wait for a common one. */
static const int64_t QUICK_WRITE = 500000;

static void
deliver(dbal__message *message)
{
    dbal__job *job = DBAL__OF(message, dbal__job, message);
    job->finished(job);
}

void
dbal__job_init(dbal__job *job, void (*finished)(dbal__job *job))
{
    dbal__clear(job, sizeof *job);
    dbal__list_init(&job->link);
    atomic_init(&job->state, DBAL__JOB_WAITING);
    atomic_init(&job->request.stopped, false);
    job->request.deadline = DBAL__NEVER;
    job->message.deliver = deliver;
    job->finished = finished;
}

void
dbal__job_init_idle(dbal__job *job)
{
    dbal__clear(job, offsetof(dbal__job, work));
    atomic_init(&job->state, DBAL__JOB_WAITING);
}

bool
dbal__job_cancel(dbal__job *job)
{
    int waiting = DBAL__JOB_WAITING;
    return atomic_compare_exchange_strong(&job->state, &waiting, DBAL__JOB_CANCELLED);
}

bool
dbal__job_begin(dbal__job *job)
{
    int waiting = DBAL__JOB_WAITING;
    return atomic_compare_exchange_strong(&job->state, &waiting, DBAL__JOB_RUNNING);
}

bool
dbal__job_is_quick(const dbal__job *job)
{
    const dbal_request *request = &job->request;
    if (job->kind != DBAL__JOB_STATEMENT || request->sql == NULL || request->deliver != NULL ||
        job->group != NULL)
        return false;
    int64_t mean = atomic_load_explicit(&request->sql->mean, memory_order_relaxed);
    return mean > 0 && mean < (request->has_token ? QUICK_WRITE : QUICK);
}

void
dbal__job_end(dbal__job *job, bool ok, dbal_fault *fault)
{
    dbal_request *request = &job->request;
    /* what stopped because nobody wants more rows has done all it should */
    ok = (ok || (request->satisfied && !dbal_fault_is_set(fault))) && dbal__request_end(request);
    job->ok = ok;
    job->needs_token = !ok && fault->needs_token;
    /* asked here, where it is at hand */
    job->large = ok && request->result != NULL && dbal__result_is_large(request->result);
    if (ok || job->needs_token) {
        dbal_fault_clear(fault);
        return;
    }
    /* what it has gathered is dropped here, by whoever made it, however large it is */
    request->result = dbal_result_unref(request->result);
    if (dbal_request_stopped(request) && request->refusal == NULL && !dbal_fault_is_set(fault))
        dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "stopped");
    job->error = dbal__request_error(request, fault);
}
