/*
 * A connection in a thread. Opening, every statement and closing are pieces of work of that one
 * thread, in the order they were handed down; a dedicated thread also pulls from the pool's shared
 * line when it has nothing of its own.
 */
#include <errno.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/channel.h"
#include "dbal/commit.h"
#include "dbal/error.h"
#include "dbal/futex.h"
#include "dbal/interruption.h"
#include "dbal/runner.h"
#include "dbal/snapshot.h"

typedef struct threaded {
    dbal__channel channel; /* first */
    dbal__worker *worker;
    dbal__line *shared;
    bool dedicated;
    dbal__work open_work, close_work;
    dbal__message opened_message, closed_message;
    dbal_fault fault;
    bool ok;
    dbal__runner runner; /* the thread's */
    dbal__interruptions interruptions;
    bool closing;
    atomic_int opening; /* whether the driver was entered to open it */
} threaded;

/* Where opening is: it can be taken back as long as its thread has not come to it. */
enum { OPENING_WAITS, OPENING_BEGAN, OPENING_TAKEN_BACK };

static bool
may_open(threaded *self)
{
    int waits = OPENING_WAITS;
    if (atomic_compare_exchange_strong(&self->opening, &waits, OPENING_BEGAN))
        return true;
    dbal_fault_set(&self->fault, DBAL_ERROR_OPERATIONAL, "08001", "its thread was busy");
    return false;
}

static void
do_open(dbal__work *work, dbal__worker *worker)
{
    threaded *self = DBAL__OF(work, threaded, open_work);
    dbal__worker_announce(worker); /* it may take long */
    self->ok = may_open(self) && dbal__channel_enter_open(&self->channel, &self->fault);
    dbal__runner_look(&self->runner);
    dbal__worker_publish(worker, self->channel.inbox, &self->opened_message, true);
}

static void
did_open(dbal__message *message)
{
    threaded *self = DBAL__OF(message, threaded, opened_message);
    dbal__channel *channel = &self->channel;
    channel->opened_once = self->ok;
    channel->opened(channel, self->ok ? NULL : dbal__fault_take(&self->fault));
}

static void
do_close(dbal__work *work, dbal__worker *worker)
{
    threaded *self = DBAL__OF(work, threaded, close_work);
    dbal__worker_announce(worker);
    if (self->ok)
        dbal__channel_enter_close(&self->channel);
    dbal__worker_publish(worker, self->channel.inbox, &self->closed_message, true);
}

static void
did_close(dbal__message *message)
{
    threaded *self = DBAL__OF(message, threaded, closed_message);
    self->channel.closed(&self->channel);
}

/* What was handed to this connection: the job and those chained to it. */
static void
run_chain(threaded *self, dbal__job *job, dbal__worker *worker)
{
    while (job != NULL) {
        dbal__job *then = job->then;
        if (!self->runner.dead && dbal__commit_fits(job)) {
            job = dbal__commit_run(&self->runner, job, worker);
            continue;
        }
        dbal__runner_run(&self->runner, job, true, worker);
        job = then;
    }
}

static void
do_job(dbal__work *work, dbal__worker *worker)
{
    dbal__job *job = DBAL__OF(work, dbal__job, work);
    bool own = job->channel != NULL;
    threaded *self = own ? (threaded *)(void *)job->channel : worker->owner;
    if (own)
        run_chain(self, job, worker);
    else if (job->share == DBAL_SHARE_SNAPSHOT && !self->runner.dead)
        dbal__snapshot_run(&self->runner, self->shared, job, worker);
    else
        dbal__runner_run(&self->runner, job, false, worker);
}

void
dbal__threaded_prepare(dbal__job *job)
{
    job->channel = NULL;
    job->work.run = do_job;
}

static void
submit(dbal__channel *channel, dbal__job *job)
{
    threaded *self = (threaded *)(void *)channel;
    job->channel = channel;
    job->work.run = do_job;
    dbal__worker_push(self->worker, &job->work);
}

static void
did_launch(dbal__worker *worker, int code)
{
    threaded *self = code != 0 ? atomic_load(&worker->owner) : NULL;
    if (self == NULL)
        return;
    dbal__channel *channel = &self->channel;
    bool given_up = channel->given_up;
    channel->opened(channel, dbal__error_no_thread(code));
    if (given_up)
        channel->closed(channel);
}

/* 0 or an errno */
static int
start_thread(threaded *self)
{
    self->worker = dbal__worker_new(self->shared, true, "dbal-worker", self);
    if (self->worker == NULL)
        return ENOMEM;
    dbal__worker_push(self->worker, &self->open_work);
    if (dbal__helpers_launch(self->channel.loop->helpers, self->worker, did_launch))
        return 0;
    return dbal__worker_launch(self->worker);
}

static bool
open_channel(dbal__channel *channel, dbal_error **ret_error)
{
    threaded *self = (threaded *)(void *)channel;
    const dbal_driver *driver = channel->driver->driver;
    self->runner.interruptible =
        (channel->capabilities & DBAL_CAN_INTERRUPT) != 0 && driver->blocking->interrupt != NULL;
    if (!self->dedicated) {
        dbal__worker_push(self->worker, &self->open_work);
        return true;
    }
    int code = start_thread(self);
    if (code != 0)
        *ret_error = dbal__error_no_thread(code);
    return code == 0;
}

/* A stream's thread that waits for its consumer looks again. */
static void
resume(dbal__channel *channel, dbal__job *job)
{
    (void)channel;
    atomic_fetch_add(&job->signal, 1);
    dbal__futex_wake(&job->signal);
}

static void
cancel(dbal__channel *channel, dbal__job *job)
{
    threaded *self = (threaded *)(void *)channel;
    atomic_store_explicit(&job->request.stopped, true, memory_order_release);
    if (job->request.deliver != NULL)
        resume(channel, job);
    if (self->runner.interruptible)
        dbal__interruptions_send(&self->interruptions, &self->runner, job->number);
}

static void
close_channel(dbal__channel *channel)
{
    threaded *self = (threaded *)(void *)channel;
    if (self->closing)
        return;
    self->closing = true;
    if (self->dedicated)
        atomic_store(&self->worker->held, true);
    dbal__worker_push(self->worker, &self->close_work);
    if (self->dedicated)
        dbal__worker_stop(self->worker);
}

static void
give_up(dbal__channel *channel)
{
    threaded *self = (threaded *)(void *)channel;
    int waits = OPENING_WAITS;
    channel->given_up = true;
    dbal__channel_stop_opening(channel);
    /* a thread that others share is not hung while it only has not come to this one */
    bool entered = !atomic_compare_exchange_strong(&self->opening, &waits, OPENING_TAKEN_BACK);
    if (!self->dedicated && entered)
        dbal__driver_thread_give_up(self->worker);
    close_channel(channel); /* should it ever come back */
}

static bool
join(dbal__channel *channel, int64_t deadline)
{
    threaded *self = (threaded *)(void *)channel;
    if (!self->dedicated || self->worker == NULL)
        return true;
    return dbal__worker_wait(self->worker, deadline);
}

static void
join_ended(dbal__work *work, dbal__worker *helper)
{
    dbal__worker *worker = DBAL__OF(work, dbal__worker, ending);
    (void)helper;
    dbal__worker_wait(worker, DBAL__NEVER);
    dbal__worker_release(worker);
}

/* It has nothing to do any more and ends by itself; a helper waits for that, not the loop. */
static void
end_thread(threaded *self)
{
    dbal__worker *worker = self->worker;
    dbal__worker_stop(worker);
    atomic_store(&worker->owner, NULL);
    worker->ending.run = join_ended;
    if (self->channel.given_up || !dbal__helpers_run(self->channel.loop->helpers, &worker->ending))
        dbal__worker_release(worker);
}

static void
free_self(void *owner)
{
    threaded *self = owner;
    dbal__runner_fini(&self->runner);
    dbal_fault_clear(&self->fault);
    dbal__channel_fini(&self->channel);
    dbal__free(self);
}

static void
free_channel(dbal__channel *channel)
{
    threaded *self = (threaded *)(void *)channel;
    if (self->dedicated && self->worker != NULL)
        end_thread(self);
    dbal__interruptions_end(&self->interruptions, free_self, self);
}

static const dbal__channel_ops ops = {
    .open = open_channel,
    .submit = submit,
    .cancel = cancel,
    .resume = resume,
    .close = close_channel,
    .give_up = give_up,
    .join = join,
    .free = free_channel,
};

dbal__channel *
dbal__threaded_new(dbal_loop *loop, dbal__driver_entry *driver, dbal__line *shared,
                   dbal__worker *worker)
{
    threaded *self = dbal__zalloc(sizeof *self);
    if (self == NULL)
        return NULL;
    if (!dbal__runner_init(&self->runner, &self->channel, worker == NULL)) {
        dbal__free(self);
        return NULL;
    }
    if (!dbal__channel_init(&self->channel, &ops, loop, driver)) {
        dbal__runner_fini(&self->runner);
        dbal__free(self);
        return NULL;
    }
    self->interruptions.loop = loop;
    self->runner.watched = worker != NULL;
    self->worker = worker;
    self->dedicated = worker == NULL;
    self->shared = shared;
    self->open_work.run = do_open;
    self->close_work.run = do_close;
    self->opened_message.deliver = did_open;
    self->closed_message.deliver = did_close;
    return &self->channel;
}

bool
dbal__threaded_is_idle(const dbal__channel *channel)
{
    const threaded *self = (const threaded *)(const void *)channel;
    return dbal__worker_is_parked(self->worker) && dbal__line_count(&self->worker->own) == 0;
}

bool
dbal__threaded_is_silent(const dbal__channel *channel)
{
    const threaded *self = (const threaded *)(const void *)channel;
    return channel->validate_after != DBAL__NEVER &&
           dbal__runner_is_silent(&self->runner, dbal__monotonic());
}

dbal__worker *
dbal__threaded_worker(const dbal__channel *channel)
{
    return ((const threaded *)(const void *)channel)->worker;
}

/* What is put on the line later wakes somebody by itself. */
static void
rouse(threaded *self)
{
    if (self->shared != NULL && dbal__line_count(self->shared) != 0)
        dbal__worker_wake(self->worker);
}

void
dbal__threaded_release(dbal__channel *channel)
{
    threaded *self = (threaded *)(void *)channel;
    atomic_store(&self->worker->engaged, false);
    atomic_store(&self->worker->held, false);
    rouse(self);
}

void
dbal__threaded_hold(dbal__channel *channel, bool hold)
{
    threaded *self = (threaded *)(void *)channel;
    atomic_store(&self->worker->held, hold);
    if (!hold)
        rouse(self);
}

void
dbal__threaded_keep(dbal__channel *channel)
{
    threaded *self = (threaded *)(void *)channel;
    atomic_store(&self->worker->held, true);
    atomic_store(&self->worker->engaged, false);
}

bool
dbal__threaded_is_engaged(const dbal__channel *channel)
{
    return atomic_load(&((const threaded *)(const void *)channel)->worker->engaged);
}

/*
 * A thread that leaves its sleep says so before it looks whether it is held, and one that has
 * engaged itself, which the loop may not know yet, does so before it sleeps again.
 */
bool
dbal__threaded_hold_idle(dbal__channel *channel)
{
    threaded *self = (threaded *)(void *)channel;
    atomic_store(&self->worker->held, true);
    if (dbal__threaded_is_idle(channel) && !atomic_load(&self->worker->engaged))
        return true;
    atomic_store(&self->worker->held, false);
    rouse(self);
    return false;
}
