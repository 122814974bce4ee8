/*
 * Asking a connection that was silent for long whether it lives, before a session gets it, where the
 * loop hands connections out. All others are asked by the thread that takes what is to run there.
 */
#include "dbal/alloc.h"
#include "dbal/error.h"
#include "pool/pool.h"

typedef struct question {
    dbal__job job; /* first */
    dbal__slot *slot;
} question;

static void
finished(dbal__job *job)
{
    question *self = (question *)(void *)job;
    dbal__slot *slot = self->slot;
    dbal_pool *pool = slot->pool;
    dbal_error *error = job->error;
    slot->flying--;
    if (error != NULL && slot->state == DBAL__SLOT_OPEN)
        dbal__slot_is_lost(slot, error);
    dbal_error_unref(error);
    dbal__free(self);
    dbal__waiters_serve_soon(pool);
    dbal__pool_check_closed(pool);
}

static bool
is_silent(const dbal__slot *slot)
{
    if (slot->channel->validate_after == DBAL__NEVER)
        return false;
    return slot->pool->threads != NULL ? dbal__moving_is_silent(slot->channel)
                                       : dbal__threaded_is_silent(slot->channel);
}

bool
dbal__slot_validate(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    if (!is_silent(slot))
        return false;
    if (pool->threads != NULL && !dbal__moving_engage(slot->channel))
        return true; /* there will be a thread */
    question *self = dbal__alloc(sizeof *self);
    if (self == NULL)
        return false; /* it may live all the same */
    dbal__job_init(&self->job, finished);
    self->job.number = ++pool->last_job;
    self->job.kind = DBAL__JOB_VALIDATE;
    self->slot = slot;
    slot->flying++;
    slot->channel->ops->submit(slot->channel, &self->job);
    return true;
}
