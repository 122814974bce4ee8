#include "dbal/moving.h"

#include <errno.h>

#include "dbal/alloc.h"
#include "dbal/commit.h"
#include "dbal/error.h"
#include "dbal/futex.h"
#include "dbal/interruption.h"

typedef struct moving {
    dbal__channel channel; /* first */
    dbal__threads *threads;
    dbal__list busy;    /* threads that work for it */
    dbal__thread *next; /* the one for what is handed to it next, or that a session keeps */
    bool kept;
    unsigned flying; /* handed to threads and not back */
    bool dead;       /* it is lost, and is not entered but to be closed */
    bool closing, close_sent;
    dbal__thread_wish wish; /* for a thread to close it */
    dbal__work open_work, close_work;
    dbal__message opened_message, closed_message;
    dbal_fault fault;
    bool ok;
    dbal__interruptions interruptions;
    unsigned width;
    dbal__runner runners[]; /* as many: one for each thread that works for it */
} moving;

/* ---- which threads work for it ------------------------------------------------------------------- */

/* What no thread has; there is one. */
static dbal__runner *
free_runner(moving *self)
{
    for (unsigned i = 0; i < self->width; i++) {
        bool used = false;
        for (dbal__list *link = self->busy.next; link != &self->busy; link = link->next)
            used = used || DBAL__OF(link, dbal__thread, link)->runner == &self->runners[i];
        if (!used)
            return &self->runners[i];
    }
    return NULL;
}

static void
take_on(moving *self, dbal__thread *thread)
{
    thread->runner = free_runner(self);
    if (self->dead) /* the runner may know of it first */
        thread->runner->dead = true;
    dbal__list_push(&self->busy, &thread->link);
}

/* The one it has, unless several may work for it; else an idle one. */
static dbal__thread *
find_thread(moving *self)
{
    if (!dbal__list_empty(&self->busy) && self->width == 1)
        return DBAL__OF(self->busy.next, dbal__thread, link);
    dbal__thread *thread = dbal__threads_take(self->threads);
    if (thread != NULL)
        take_on(self, thread);
    return thread;
}

/* It may have nothing to do any more. */
static void
let_go(moving *self, dbal__thread *thread)
{
    if (thread->flying == 0 && thread != self->next)
        dbal__thread_give(thread);
}

bool
dbal__moving_engage(dbal__channel *channel)
{
    moving *self = (moving *)(void *)channel;
    if (self->next == NULL)
        self->next = find_thread(self);
    return self->next != NULL;
}

bool
dbal__moving_is_silent(const dbal__channel *channel)
{
    const moving *self = (const moving *)(const void *)channel;
    return dbal__runner_is_silent(self->runners, dbal__monotonic());
}

bool
dbal__moving_keep(dbal__channel *channel)
{
    moving *self = (moving *)(void *)channel;
    self->kept = dbal__moving_engage(channel);
    return self->kept;
}

void
dbal__moving_release(dbal__channel *channel)
{
    moving *self = (moving *)(void *)channel;
    dbal__thread *thread = self->next;
    self->next = NULL;
    self->kept = false;
    if (thread != NULL)
        let_go(self, thread);
}

static void
push(moving *self, dbal__thread *thread, dbal__work *work)
{
    self->flying++;
    dbal__thread_push(thread, work);
}

static void
send_close(moving *self, dbal__thread *thread)
{
    self->close_sent = true;
    push(self, thread, &self->close_work);
    if (self->channel.closing != NULL)
        self->channel.closing(&self->channel);
}

static void
granted(dbal__thread_wish *wish, dbal__thread *thread)
{
    moving *self = DBAL__OF(wish, moving, wish);
    take_on(self, thread);
    send_close(self, thread);
}

/* Closes it when nothing is there any more. */
static void
close_if_empty(moving *self)
{
    if (!self->closing || self->close_sent || self->flying > 0)
        return;
    if (!dbal__list_empty(&self->busy))
        send_close(self, DBAL__OF(self->busy.next, dbal__thread, link));
    else if (dbal__list_empty(&self->wish.link))
        dbal__threads_await(self->threads, &self->wish);
}

/* Something that was handed to this thread is back. */
static void
came_back(moving *self, dbal__thread *thread)
{
    thread->flying--;
    self->flying--;
    close_if_empty(self);
    let_go(self, thread);
}

/* ---- opening and closing --------------------------------------------------------------------------- */

static void
do_open(dbal__work *work, dbal__worker *worker)
{
    moving *self = DBAL__OF(work, moving, open_work);
    self->ok = dbal__channel_enter_open(&self->channel, &self->fault);
    for (unsigned i = 0; i < self->width; i++)
        dbal__runner_look(&self->runners[i]);
    dbal__worker_publish(worker, self->channel.inbox, &self->opened_message, true);
}

/* Its only thread. */
static dbal__thread *
sole_thread(const moving *self)
{
    return DBAL__OF(self->busy.next, dbal__thread, link);
}

static void
did_open(dbal__message *message)
{
    moving *self = DBAL__OF(message, moving, opened_message);
    dbal__channel *channel = &self->channel;
    channel->opened_once = self->ok;
    came_back(self, sole_thread(self));
    channel->opened(channel, self->ok ? NULL : dbal__fault_take(&self->fault));
}

static void
do_close(dbal__work *work, dbal__worker *worker)
{
    moving *self = DBAL__OF(work, moving, close_work);
    if (self->ok)
        dbal__channel_enter_close(&self->channel);
    dbal__worker_publish(worker, self->channel.inbox, &self->closed_message, true);
}

static void
did_close(dbal__message *message)
{
    moving *self = DBAL__OF(message, moving, closed_message);
    self->next = NULL;
    came_back(self, sole_thread(self));
    self->channel.closed(&self->channel);
}

static bool
open_channel(dbal__channel *channel, dbal_error **ret_error)
{
    moving *self = (moving *)(void *)channel;
    const dbal_driver *driver = channel->driver->driver;
    dbal__thread *thread = find_thread(self);
    if (thread == NULL) { /* there was one when it was decided to open it */
        *ret_error = dbal__error_make(DBAL_ERROR_OPERATIONAL, "08001", DBAL_EXECUTION_NOT_SENT,
                                      "no thread is free");
        dbal__error_set_retryable(*ret_error);
        return false;
    }
    /* which of several statements it is to stop could not be said */
    self->runners->interruptible = self->width == 1 &&
                                   (channel->capabilities & DBAL_CAN_INTERRUPT) != 0 &&
                                   driver->blocking->interrupt != NULL;
    push(self, thread, &self->open_work);
    return true;
}

static void
close_channel(dbal__channel *channel)
{
    moving *self = (moving *)(void *)channel;
    self->closing = true;
    if (self->next != NULL)
        dbal__moving_release(channel);
    close_if_empty(self);
}

/* Those that hang do so in whatever they were handed; the last that comes back closes it. */
static void
give_up(dbal__channel *channel)
{
    moving *self = (moving *)(void *)channel;
    channel->given_up = true;
    dbal__channel_stop_opening(channel);
    self->next = NULL;
    for (dbal__list *link = self->busy.next, *next; link != &self->busy; link = next) {
        dbal__thread *thread = DBAL__OF(link, dbal__thread, link);
        next = link->next;
        if (thread->flying > 0)
            dbal__thread_lose(thread);
        let_go(self, thread);
    }
    bool only = !dbal__list_empty(&self->busy) && self->busy.next == self->busy.prev;
    if (only && !self->close_sent)
        send_close(self, sole_thread(self)); /* also when the loop is gone by then */
    if (only)
        dbal__worker_stop(sole_thread(self)->worker);
    close_channel(channel);
}

static bool
join(dbal__channel *channel, int64_t deadline)
{
    const moving *self = (const moving *)(const void *)channel;
    bool all = true;
    for (dbal__list *link = self->busy.next; link != &self->busy; link = link->next)
        dbal__worker_stop(DBAL__OF(link, dbal__thread, link)->worker);
    for (dbal__list *link = self->busy.next; link != &self->busy; link = link->next)
        all = dbal__worker_wait(DBAL__OF(link, dbal__thread, link)->worker, deadline) && all;
    return all;
}

static void
free_self(void *owner)
{
    moving *self = owner;
    for (unsigned i = 0; i < self->width; i++)
        dbal__runner_fini(&self->runners[i]);
    dbal_fault_clear(&self->fault);
    dbal__channel_fini(&self->channel);
    dbal__free(self);
}

static void
free_channel(dbal__channel *channel)
{
    moving *self = (moving *)(void *)channel;
    dbal__list_remove(&self->wish.link);
    while (!dbal__list_empty(&self->busy)) {
        /* of what it ran last nobody was told: the loop had gone */
        dbal__thread *thread = sole_thread(self);
        dbal__thread_lose(thread);
        dbal__thread_give(thread);
    }
    dbal__interruptions_end(&self->interruptions, free_self, self);
}

/* ---- statements --------------------------------------------------------------------------------------- */

/* The job and those chained to it. */
static void
do_job(dbal__work *work, dbal__worker *worker)
{
    dbal__job *job = DBAL__OF(work, dbal__job, work);
    dbal__runner *runner = job->thread->runner;
    while (job != NULL) {
        dbal__job *then = job->then;
        if (!runner->dead && dbal__commit_fits(job)) {
            job = dbal__commit_run(runner, job, worker);
            continue;
        }
        dbal__runner_run(runner, job, true, worker);
        job = then;
    }
}

/* Its thread has not touched the connection since it handed the last one back. */
static void
deliver(dbal__message *message)
{
    dbal__job *job = DBAL__OF(message, dbal__job, message);
    moving *self = (moving *)(void *)job->channel;
    if (dbal__job_strays(job) || (job->error != NULL && dbal_error_connection_lost(job->error)))
        self->dead = true;
    came_back(self, job->thread);
    job->finished(job);
}

static void
submit(dbal__channel *channel, dbal__job *job)
{
    moving *self = (moving *)(void *)channel;
    dbal__thread *thread = self->next;
    unsigned count = 0;
    for (dbal__job *one = job; one != NULL; one = one->then, count++) {
        one->channel = channel;
        one->thread = thread;
        one->message.deliver = deliver;
    }
    job->work.run = do_job;
    if (!self->kept)
        self->next = NULL;
    push(self, thread, &job->work);
    self->flying += count - 1;
    thread->flying += count - 1;
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
    moving *self = (moving *)(void *)channel;
    atomic_store_explicit(&job->request.stopped, true, memory_order_release);
    if (job->request.deliver != NULL)
        resume(channel, job);
    if (self->runners->interruptible)
        dbal__interruptions_send(&self->interruptions, self->runners, job->number);
}

/* ---- making one --------------------------------------------------------------------------------------- */

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

static bool
init_runners(moving *self)
{
    for (unsigned i = 0; i < self->width; i++) {
        if (dbal__runner_init(&self->runners[i], &self->channel, false))
            continue;
        while (i > 0)
            dbal__runner_fini(&self->runners[--i]);
        return false;
    }
    return true;
}

dbal__channel *
dbal__moving_new(dbal_loop *loop, dbal__driver_entry *driver, dbal__threads *threads,
                 unsigned width)
{
    moving *self = dbal__zalloc(sizeof *self + width * sizeof self->runners[0]);
    if (self == NULL)
        return NULL;
    self->width = width;
    if (!init_runners(self)) {
        dbal__free(self);
        return NULL;
    }
    self->threads = threads;
    self->interruptions.loop = loop;
    self->open_work.run = do_open;
    self->close_work.run = do_close;
    self->opened_message.deliver = did_open;
    self->closed_message.deliver = did_close;
    self->wish.granted = granted;
    dbal__list_init(&self->busy);
    dbal__list_init(&self->wish.link);
    if (!dbal__channel_init(&self->channel, &ops, loop, driver)) {
        free_self(self);
        return NULL;
    }
    return &self->channel;
}
