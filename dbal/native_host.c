/* What a native driver asks of the core: descriptors, a timer, helper threads, the log. */
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/native.h"

typedef dbal__native native;

enum { REMARKS_MOST = 64 };

/*
 * Of a loop's, and of these those to where one pool's connections go: what hangs there leaves helpers
 * for the others, and for closing.
 */
enum { OFFLOADS_MOST = 24, OFFLOADS_MOST_THERE = 8 };

/* what the database says, for the program's log */
typedef struct remark {
    dbal__list link;
    bool warning;
    char text[];
} remark;

/* a blocking call that the driver sends to a helper */
typedef struct offload {
    dbal__errand errand;
    void (*run)(void *arg);
    void (*done)(void *arg);
    void *arg;
    dbal__list link;
    const void *there; /* what the connection was opened with: to be compared, not to be used */
} offload;

/* something that a helper frees */
typedef struct disposal {
    dbal__work work;
    void (*free)(void *pointer);
    void *pointer;
} disposal;

static void
on_event(struct ev_loop *ev, ev_io *watch, int events)
{
    dbal__native_slot *one = watch->data;
    native *self = one->of;
    dbal_loop *loop = self->channel.loop;
    (void)ev;
    if (dbal__loop_is_foreign(loop))
        return;
    dbal__loop_enter(loop);
    dbal__native_step(self, (int)(one - self->slots),
                      ((events & EV_READ) != 0 ? DBAL_READABLE : 0u) |
                          ((events & EV_WRITE) != 0 ? DBAL_WRITABLE : 0u));
    dbal__loop_turn(loop);
    dbal__loop_leave(loop);
}

static void
on_timer(dbal__timer *timer)
{
    dbal__native_step(DBAL__OF(timer, native, timer), DBAL_SLOT_TIMER, 0);
}

void
dbal_host_unwatch(dbal_host *host, int place)
{
    dbal__native_slot *one =
        place >= 0 && place < DBAL__NATIVE_SLOTS ? &host->of->slots[place] : NULL;
    struct ev_loop *ev = host->of->channel.loop->ev;
    if (one == NULL || !one->active)
        return;
    one->active = false;
    if (ev == NULL)
        return;
    ev_ref(ev);
    ev_io_stop(ev, &one->watch);
}

void
dbal_host_watch(dbal_host *host, int place, int fd, unsigned events)
{
    struct ev_loop *ev = host->of->channel.loop->ev;
    dbal_host_unwatch(host, place);
    if (place < 0 || place >= DBAL__NATIVE_SLOTS || fd < 0 || events == 0 || ev == NULL)
        return;
    dbal__native_slot *one = &host->of->slots[place];
    /* always set anew: the number may be an old one with another socket behind it */
    ev_io_init(&one->watch, on_event, fd,
               ((events & DBAL_READABLE) != 0 ? EV_READ : 0) |
                   ((events & DBAL_WRITABLE) != 0 ? EV_WRITE : 0));
    one->watch.data = one;
    one->of = host->of;
    one->active = true;
    ev_io_start(ev, &one->watch);
    ev_unref(ev); /* an idle connection does not keep ev_run going */
}

void
dbal_host_timer(dbal_host *host, double seconds)
{
    dbal__clock *clock = &host->of->channel.loop->ready.clock;
    if (seconds < 0)
        dbal__clock_stop(clock, &host->of->timer);
    else
        dbal__clock_start(clock, &host->of->timer, dbal__after(dbal__clock_now(clock), seconds),
                          on_timer);
}

void
dbal_host_wake(dbal_host *host)
{
    if (!dbal__task_is_queued(&host->of->wake))
        dbal__ready_push(&host->of->channel.loop->ready, &host->of->wake);
}

int64_t
dbal_host_now(const dbal_host *host)
{
    return dbal__loop_now(host->of->channel.loop);
}

static void
run_offload(dbal__errand *errand)
{
    offload *one = DBAL__OF(errand, offload, errand);
    one->run(one->arg);
}

static void
end_offload(dbal__errand *errand)
{
    offload *one = DBAL__OF(errand, offload, errand);
    dbal__list_remove(&one->link);
    one->done(one->arg);
    dbal__free(one);
}

static bool
may_offload(const dbal_loop *loop, const void *there)
{
    int all = 0, near = 0;
    for (const dbal__list *link = loop->offloads.next; link != &loop->offloads; link = link->next) {
        all++;
        near += DBAL__OF(link, const offload, link)->there == there;
    }
    return all < OFFLOADS_MOST && near < OFFLOADS_MOST_THERE;
}

bool
dbal_host_offload(dbal_host *host, void (*fn)(void *arg), void (*done)(void *arg), void *arg)
{
    dbal_loop *loop = host->of->channel.loop;
    const void *there = host->of->channel.opening.config;
    offload *one = may_offload(loop, there) ? dbal__zalloc(sizeof *one) : NULL;
    if (one == NULL)
        return false;
    *one = (offload){.errand = {.run = run_offload, .done = end_offload},
                     .run = fn,
                     .done = done,
                     .arg = arg,
                     .there = there};
    dbal__list_init(&one->link);
    if (dbal__helpers_send(loop->cancels, &one->errand)) {
        dbal__list_push(&loop->offloads, &one->link);
        return true;
    }
    dbal__free(one);
    return false;
}

static void
dispose(dbal__work *work, dbal__worker *worker)
{
    disposal *one = DBAL__OF(work, disposal, work);
    (void)worker;
    one->free(one->pointer);
    dbal__free(one);
}

void
dbal_host_dispose(dbal_host *host, void (*fn)(void *pointer), void *pointer)
{
    disposal *one = dbal__zalloc(sizeof *one);
    if (one != NULL) {
        *one = (disposal){.work = {.run = dispose}, .free = fn, .pointer = pointer};
        if (dbal__helpers_run(host->of->channel.loop->helpers, &one->work))
            return;
        dbal__free(one);
    }
    fn(pointer);
}

void
dbal_host_in_transaction(dbal_host *host, bool open)
{
    host->of->in_transaction = open;
}

void
dbal_host_log(dbal_host *host, bool warning, const char *text)
{
    native *self = host->of;
    size_t size = strlen(text) + 1;
    remark *one = self->remark_count < REMARKS_MOST ? dbal__alloc(sizeof *one + size) : NULL;
    if (one == NULL)
        return;
    one->warning = warning;
    memcpy(one->text, text, size);
    dbal__list_push(&self->remarks, &one->link);
    self->remark_count++;
    dbal__native_soon(self);
}

void
dbal__native_log(native *self, bool drop)
{
    dbal__list *link;
    while ((link = dbal__list_pop(&self->remarks)) != NULL) {
        remark *one = DBAL__OF(link, remark, link);
        self->remark_count--;
        if (!drop)
            dbal__ready_log(&self->channel.loop->ready,
                            one->warning ? DBAL_LOG_WARNING : DBAL_LOG_INFO, "%s: %s",
                            self->channel.driver->driver->name, one->text);
        dbal__free(one);
    }
}

void
dbal_host_notify(dbal_host *host, const char *channel, const char *payload, int pid)
{
    dbal__channel *self = &host->of->channel;
    if (self->notified != NULL)
        self->notified(self, channel, payload != NULL ? payload : "", pid);
}

void
dbal_host_dirty(dbal_host *host, bool dirty)
{
    host->of->soiled = dirty;
    host->of->cleaned = !dirty;
}

void
dbal_host_worn(dbal_host *host)
{
    host->of->worn = true;
}

dbal_fault *
dbal_host_lost(dbal_host *host)
{
    host->of->dying = true;
    dbal__native_soon(host->of);
    return &host->of->fault;
}

void
dbal__native_unwatch(native *self)
{
    for (int i = 0; i < DBAL__NATIVE_SLOTS; i++)
        dbal_host_unwatch(&self->host, i);
    dbal_host_timer(&self->host, -1);
    dbal__list_remove(&self->wake.link);
}
