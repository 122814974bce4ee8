#include "dbal/native.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"

typedef dbal__native native;

static native *
native_of(dbal__channel *channel)
{
    return (native *)(void *)channel;
}

static const dbal_native *
face(const native *self)
{
    return self->channel.driver->driver->native;
}

static void
enter(native *self, const char *operation)
{
    dbal__entry_begin(&self->channel.driver->entry, &self->channel.entry, self->channel.threadlevel,
                      self->channel.driver->driver->name, operation);
}

static void
leave(native *self)
{
    dbal__entry_end(&self->channel.driver->entry, &self->channel.entry, self->channel.threadlevel);
}

void
dbal__native_soon(native *self)
{
    if (!dbal__task_is_queued(&self->finish))
        dbal__ready_push(&self->channel.loop->ready, &self->finish);
}

void
dbal__native_step(native *self, int place, unsigned events)
{
    if (!self->attached || self->dying)
        return;
    enter(self, "step");
    face(self)->step(self->channel.connection, place, events);
    leave(self);
}

static void
on_wake(dbal__task *task)
{
    dbal__native_step(DBAL__OF(task, native, wake), DBAL_SLOT_WAKE, 0);
}

/* The driver has ended a request: it goes up when the driver has returned. */
static void
finished(dbal_request *request, bool ok)
{
    dbal__job *job = DBAL__OF(request, dbal__job, request);
    native *self = native_of(job->channel);
    /* those that end together have one time: to look is dear */
    job->ended = dbal__list_empty(&self->landed)
                     ? dbal__loop_now(self->channel.loop)
                     : DBAL__OF(self->landed.prev, dbal__job, link)->ended;
    job->in_transaction = self->in_transaction;
    job->worn = self->worn;
    job->soiled = self->soiled;
    job->cleaned = self->cleaned;
    self->soiled = self->cleaned = false;
    dbal__job_end(job, ok, &request->fault);
    dbal__list_remove(&job->link);
    dbal__list_push(&self->landed, &job->link);
    dbal__native_soon(self);
}

static void
detach(native *self)
{
    if (!self->attached)
        return;
    self->attached = false;
    dbal__native_unwatch(self);
    enter(self, "detach");
    face(self)->detach(self->channel.connection);
    leave(self);
}

static void
run_close(dbal__errand *errand)
{
    native *self = DBAL__OF(errand, native, close_errand);
    dbal__channel_enter_close(&self->channel);
}

static void
did_close(dbal__errand *errand)
{
    native *self = DBAL__OF(errand, native, close_errand);
    self->channel.closed(&self->channel);
}

/* The last of it: the channel may be freed inside. */
static void
send_close(native *self)
{
    self->close_errand.run = run_close;
    self->close_errand.done = did_close;
    /* without a helper the connection cannot be closed: it is left, and said to be closed */
    if (!dbal__helpers_send(self->channel.loop->cancels, &self->close_errand))
        self->channel.closed(&self->channel);
}

/* Why it died, owned. Whatever the driver says, or forgot to say, the connection is gone. */
static dbal_error *
take_reason(native *self)
{
    if (!dbal_fault_is_set(&self->fault))
        dbal_fault_set(&self->fault, DBAL_ERROR_OPERATIONAL, "08006", "the connection was lost");
    dbal_fault_set_connection_lost(&self->fault, true);
    return dbal__fault_take(&self->fault);
}

/* All that were in flight come back with the reason of its death. */
static void
fail_flying(native *self, dbal_error *reason)
{
    dbal__list *link;
    while ((link = dbal__list_pop(&self->flying)) != NULL) {
        dbal__job *job = DBAL__OF(link, dbal__job, link);
        job->ended = dbal__loop_now(self->channel.loop);
        job->ok = false;
        dbal_fault_clear(&job->request.fault);
        /* each its own: where it came from is written into it */
        job->error = dbal__error_copy(reason, job->request.sent ? DBAL_EXECUTION_UNKNOWN
                                                                : DBAL_EXECUTION_NOT_SENT);
        job->request.result = dbal_result_unref(job->request.result);
        dbal__list_push(&self->landed, &job->link);
    }
}

static void
on_finish(dbal__task *task)
{
    native *self = DBAL__OF(task, native, finish);
    dbal__native_log(self, false);
    if (self->dying && self->attached) {
        detach(self);
        dbal_error *reason = take_reason(self);
        fail_flying(self, reason);
        self->closing = true;
        /* before they come back, so that nothing more is handed to it */
        self->channel.lost(&self->channel, reason);
    }
    if (self->channel.landed != NULL && !dbal__list_empty(&self->landed))
        self->channel.landed(&self->channel, &self->landed);
    dbal__list *link;
    while ((link = dbal__list_pop(&self->landed)) != NULL) {
        dbal__job *job = DBAL__OF(link, dbal__job, link);
        job->finished(job);
    }
    if (self->closing && !self->close_sent && dbal__list_empty(&self->flying) &&
        dbal__list_empty(&self->landed)) {
        detach(self);
        self->close_sent = true;
        dbal__loop_after_poll(self->channel.loop, &self->parting);
    }
}

static void
on_parting(dbal__task *task)
{
    send_close(DBAL__OF(task, native, parting));
}

static void
run_open(dbal__errand *errand)
{
    native *self = DBAL__OF(errand, native, open_errand);
    self->ok = dbal__channel_enter_open(&self->channel, &self->fault);
}

static void
did_open(dbal__errand *errand)
{
    native *self = DBAL__OF(errand, native, open_errand);
    dbal__channel *channel = &self->channel;
    channel->opened_once = self->ok;
    /* the loop ends: nobody will use it, but its close is waited for */
    bool unwanted = channel->given_up || channel->loop->down;
    if (self->ok && !unwanted) {
        self->attached = true;
        enter(self, "attach");
        face(self)->attach(channel->connection, &self->host);
        leave(self);
    }
    if (unwanted) {
        self->close_sent = true;
        if (self->ok)
            send_close(self);
        else
            channel->closed(channel);
        return;
    }
    channel->opened(channel, self->ok ? NULL : dbal__fault_take(&self->fault));
}

static bool
open_channel(dbal__channel *channel, dbal_error **ret_error)
{
    native *self = native_of(channel);
    self->open_errand.run = run_open;
    self->open_errand.done = did_open;
    if (dbal__helpers_send(channel->loop->connects, &self->open_errand))
        return true;
    *ret_error = dbal__error_make(DBAL_ERROR_OPERATIONAL, "53000", DBAL_EXECUTION_NOT_SENT,
                                  "no helper thread could be started for a connect");
    return false;
}

static void
submit(dbal__channel *channel, dbal__job *job)
{
    native *self = native_of(channel);
    job->channel = channel;
    job->request.finished = finished;
    if (!dbal__job_begin_alone(job)) {
        dbal__list_push(&self->landed, &job->link);
        dbal__native_soon(self);
        return;
    }
    if (self->dying || !self->attached) {
        job->error = dbal__error_lost(NULL, DBAL_EXECUTION_NOT_SENT);
        dbal__list_push(&self->landed, &job->link);
        dbal__native_soon(self);
        return;
    }
    dbal__list_push(&self->flying, &job->link);
    if (job->began == 0)
        job->began = dbal__loop_now(channel->loop);
    job->request.home = channel->loop->home;
    if (!dbal__request_begin(&job->request)) {
        dbal_fault_set(&job->request.fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        dbal_fault_set_execution(&job->request.fault, DBAL_EXECUTION_NOT_SENT);
        finished(&job->request, false);
        return;
    }
    enter(self, "submit");
    if (job->kind == DBAL__JOB_RESET)
        face(self)->reset(channel->connection, &job->request);
    else
        face(self)->submit(channel->connection, &job->request);
    leave(self);
}

static void
resume(dbal__channel *channel, dbal__job *job)
{
    native *self = native_of(channel);
    job->request.full = false;
    if (!self->attached || self->dying || face(self)->resume == NULL || job->ended != 0)
        return;
    enter(self, "resume");
    face(self)->resume(channel->connection, &job->request);
    leave(self);
}

static void
cancel(dbal__channel *channel, dbal__job *job)
{
    native *self = native_of(channel);
    /* a driver that is told by a call goes on taking what comes: it may have ended already */
    if (face(self)->cancel == NULL || job->request.deliver != NULL ||
        job->request.copy != DBAL_COPY_NONE)
        atomic_store_explicit(&job->request.stopped, true, memory_order_release);
    if (!self->attached || self->dying || face(self)->cancel == NULL ||
        dbal__list_empty(&job->link) || job->ended != 0)
        return;
    enter(self, "cancel");
    face(self)->cancel(channel->connection, &job->request);
    leave(self);
    /* a stream that is held back, or a copy that waits, would never come to its end */
    if (job->request.full || job->request.copy == DBAL_COPY_IN)
        resume(channel, job);
}

static void
close_channel(dbal__channel *channel)
{
    native *self = native_of(channel);
    if (self->closing)
        return;
    self->closing = true;
    dbal__native_soon(self);
}

static void
give_up(dbal__channel *channel)
{
    native *self = native_of(channel);
    channel->given_up = true;
    dbal__channel_stop_opening(channel);
    if (!self->attached || self->dying)
        return;
    dbal_fault_set(dbal_host_lost(&self->host), DBAL_ERROR_OPERATIONAL, "08006",
                   "the connection was given up: it did not end a cancelled statement in time");
    dbal_fault_set_connection_lost(&self->fault, true);
}

static bool
join(dbal__channel *channel, int64_t deadline)
{
    (void)channel;
    (void)deadline;
    return true; /* helpers are joined by the loop */
}

static void
free_channel(dbal__channel *channel)
{
    native *self = native_of(channel);
    dbal__native_unwatch(self);
    dbal__list_remove(&self->finish.link);
    dbal__list_remove(&self->parting.link);
    dbal__native_log(self, true);
    dbal_fault_clear(&self->fault);
    dbal__channel_fini(channel);
    dbal__free(self);
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
dbal__native_new(dbal_loop *loop, dbal__driver_entry *driver)
{
    native *self = dbal__zalloc(sizeof *self);
    if (self == NULL)
        return NULL;
    if (!dbal__channel_init(&self->channel, &ops, loop, driver)) {
        dbal__free(self);
        return NULL;
    }
    self->host.of = self;
    dbal__list_init(&self->flying);
    dbal__list_init(&self->landed);
    dbal__list_init(&self->remarks);
    dbal__task_init(&self->wake, on_wake);
    dbal__task_init(&self->finish, on_finish);
    dbal__task_init(&self->parting, on_parting);
    return &self->channel;
}
