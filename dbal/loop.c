#include "dbal/loop.h"

#include <math.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/fork.h"
#include "dbal/outcome.h"

/* How long the last drain waits for helper threads. */
static const double HELPERS_GRACE = 2;
/* Threads; of those that may hang there are more. */
/* Threads: connects and cancels are waited for as long as they hang, and others may want theirs. */
enum { HELPERS_MOST = 4, CONNECTS_MOST = 64, CANCELS_MOST = 32 };
static const double FAR = 1e6; /* seconds: a timer that is not wanted */

/* Watchers that libev counts: prepare, inbox, timer; it never counts cleanup watchers. */
enum { WATCHERS = 3 };

/* one Deferred of dbal_loop_close() */
typedef struct closer {
    dbal__list link;
    dbal_deferred *deferred;
} closer;

void
dbal__loop_enter(dbal_loop *loop)
{
    dbal__ready *ready = &loop->ready;
    uintptr_t self = (uintptr_t)pthread_self();
    if (atomic_load_explicit(&ready->owner, memory_order_relaxed) != self)
        atomic_store_explicit(&ready->owner, self, memory_order_relaxed);
    atomic_store_explicit(&loop->entered_once, true, memory_order_relaxed);
    if (loop->depth++ > 0)
        return;
    loop->entries++;
    if (ready->measuring) {
        ready->app_cpu = 0;
        ready->app_switches = 0;
        loop->switches = dbal__thread_switches();
        loop->entered = dbal__thread_cpu();
    }
}

void
dbal__loop_leave(dbal_loop *loop)
{
    dbal__ready *ready = &loop->ready;
    if (--loop->depth > 0 || !ready->measuring)
        return;
    int64_t inside = dbal__thread_cpu() - loop->entered - ready->app_cpu;
    if (inside > loop->max_inside)
        loop->max_inside = inside;
    if (dbal__thread_switches() - loop->switches > ready->app_switches)
        loop->blocked++;
}

static void
take_messages(dbal_loop *loop, dbal__message *messages)
{
    if (messages == NULL)
        return;
    if (loop->messages == NULL)
        loop->messages = messages;
    else
        loop->last_message->next = messages;
    while (messages->next != NULL)
        messages = messages->next;
    loop->last_message = messages;
}

/* Delivers what was taken from other threads, for one slice. */
static void
deliver(dbal_loop *loop)
{
    if (loop->messages == NULL)
        return;
    dbal__ready_begin_slice(&loop->ready);
    do {
        dbal__message *message = loop->messages;
        loop->messages = message->next;
        loop->delivered++;
        message->deliver(message);
    } while (loop->messages != NULL && !dbal__ready_spent(&loop->ready));
}

void
dbal__loop_after_poll(dbal_loop *loop, dbal__task *task)
{
    dbal__list_push(&loop->after_poll, &task->link);
    if (loop->ev != NULL)
        loop->after_poll_since = ev_iteration(loop->ev);
}

/* True: some still wait for the next poll, or something can be run now. */
static bool
take_after_poll(dbal_loop *loop)
{
    if (dbal__list_empty(&loop->after_poll))
        return false;
    if (loop->ev != NULL && !loop->down && ev_iteration(loop->ev) == loop->after_poll_since)
        return true;
    dbal__list_move_all(&loop->after_poll, &loop->ready.tasks);
    return !dbal__list_empty(&loop->ready.tasks);
}

/* Everything that is due now, for a slice; the rest goes on from a 0 s timer. */
void
dbal__loop_turn(dbal_loop *loop)
{
    deliver(loop);
    dbal__clock_run(&loop->ready.clock);
    take_after_poll(loop);
    bool more = dbal__ready_drain(&loop->ready) || take_after_poll(loop);
    if ((more || loop->messages != NULL) && loop->ev != NULL && !ev_is_active(&loop->more))
        ev_timer_start(loop->ev, &loop->more);
}

static void
arm(dbal_loop *loop)
{
    int64_t next = loop->ready.clock.driven ? DBAL__NEVER : dbal__clock_next(&loop->ready.clock);
    /* one that is set too early shows when it fires; to move it each time would cost more */
    if (loop->armed != 0 && next >= loop->armed)
        return;
    loop->armed = next;
    double delay = FAR;
    if (next != DBAL__NEVER)
        delay = (double)(next - dbal__monotonic()) / 1e9;
    /* libev's own idea of now may be old; firing early does no harm, it is armed again then */
    loop->timer.repeat = delay > 1e-6 ? delay : 1e-6;
    ev_timer_again(loop->ev, &loop->timer);
}

static void
on_prepare(struct ev_loop *ev, ev_prepare *watcher, int events)
{
    dbal_loop *loop = watcher->data;
    (void)ev;
    (void)events;
    if (dbal__loop_is_foreign(loop))
        return;
    dbal__loop_enter(loop);
    dbal__loop_turn(loop);
    if (loop->ev != NULL)
        arm(loop);
    dbal__loop_leave(loop);
}

static void
on_inbox(struct ev_loop *ev, ev_io *watcher, int events)
{
    dbal_loop *loop = watcher->data;
    (void)ev;
    (void)events;
    if (dbal__loop_is_foreign(loop))
        return;
    dbal__loop_enter(loop);
    /* taken here only: elsewhere it would leave a wake behind that finds nothing */
    dbal__inbox_acknowledge(loop->inbox);
    take_messages(loop, dbal__inbox_take(loop->inbox));
    dbal__loop_turn(loop);
    dbal__loop_leave(loop);
}

static void
on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
    dbal_loop *loop = watcher->data;
    (void)ev;
    (void)events;
    if (dbal__loop_is_foreign(loop))
        return;
    dbal__loop_enter(loop);
    loop->armed = 0; /* whatever it was: to be set again */
    dbal__loop_turn(loop);
    dbal__loop_leave(loop);
}

/* Stops its watchers, each of which had its reference to the loop taken away. */
static void
detach(dbal_loop *loop)
{
    if (loop->ev == NULL)
        return;
    if (loop->ready.unsettled > 0)
        ev_unref(loop->ev);
    for (int i = 0; i < WATCHERS; i++)
        ev_ref(loop->ev);
    ev_prepare_stop(loop->ev, &loop->prepare);
    ev_io_stop(loop->ev, &loop->inbox_watch);
    ev_timer_stop(loop->ev, &loop->timer);
    ev_timer_stop(loop->ev, &loop->more);
    ev_cleanup_stop(loop->ev, &loop->cleanup);
    loop->ev = NULL;
}

void
dbal__loop_settle(dbal_loop *loop)
{
    bool more;
    do {
        take_messages(loop, dbal__inbox_take(loop->inbox));
        deliver(loop);
        dbal__clock_run(&loop->ready.clock);
        take_after_poll(loop);
        more = dbal__ready_drain(&loop->ready);
    } while (more || loop->messages != NULL ||
             (loop->down && !dbal__list_empty(&loop->after_poll)));
}

typedef enum phase { STOP, JOIN, FREE } phase;

static void
each_resource(dbal_loop *loop, phase what)
{
    dbal__list *link = loop->resources.next;
    while (link != &loop->resources) {
        dbal__resource *resource = DBAL__OF(link, dbal__resource, link);
        link = link->next;
        if (what == STOP)
            resource->ops->stop(resource);
        else if (what == JOIN)
            resource->ops->join(resource);
        else
            resource->ops->free(resource);
    }
}

static void
let_waiters_go(dbal_loop *loop)
{
    dbal__list *link;
    while ((link = dbal__list_pop(&loop->waiters)) != NULL) {
        dbal__waiter *waiter = DBAL__OF(link, dbal__waiter, link);
        waiter->let_go(waiter);
    }
}

/* Nothing is left: says so to those that wait for it. */
static void
fire_closers(dbal_loop *loop)
{
    dbal__list *link;
    while ((link = dbal__list_pop(&loop->closing)) != NULL) {
        closer *waiting = DBAL__OF(link, closer, link);
        dbal_deferred_fire(waiting->deferred, dbal_done());
        dbal__free(waiting);
    }
}

/* Settles what is left, and what callbacks make of it. */
static void
settle_all(dbal_loop *loop)
{
    dbal__loop_enter(loop);
    fire_closers(loop);
    dbal__loop_settle(loop);
    dbal__deferred_close_all(&loop->ready);
    dbal__loop_settle(loop);
    dbal__loop_leave(loop);
}

/* The last drain: everything ends and settles here; may block in joins. */
static void
shut_down(dbal_loop *loop)
{
    if (loop->down)
        return;
    loop->down = true;
    dbal__loop_enter(loop);
    atomic_store(&loop->refusing, true);
    dbal__clock_stop(&loop->ready.clock, &loop->close_timer);
    each_resource(loop, STOP);
    loop->ready.closed = true;
    /* what the program makes fire stops; what nobody stops is closed in the end */
    dbal__deferred_cancel_all(&loop->ready, true);
    dbal__loop_settle(loop);
    let_waiters_go(loop);
    each_resource(loop, JOIN);
    dbal__loop_settle(loop);
    int64_t patience = dbal__after(dbal__monotonic(), HELPERS_GRACE);
    /* those that do nothing end while the others are waited for */
    dbal__helpers_end(loop->connects);
    dbal__helpers_end(loop->cancels);
    loop->abandoned += dbal__helpers_stop(loop->helpers, patience);
    loop->abandoned += dbal__helpers_stop(loop->connects, patience);
    loop->abandoned += dbal__helpers_stop(loop->cancels, patience);
    take_messages(loop, dbal__inbox_close(loop->inbox));
    dbal__loop_settle(loop);
    loop->joined = true;
    settle_all(loop);
    dbal__loop_leave(loop);
}

static void
on_cleanup(struct ev_loop *ev, ev_cleanup *watcher, int events)
{
    dbal_loop *loop = watcher->data;
    (void)ev;
    (void)events;
    if (dbal__loop_is_foreign(loop))
        return;
    shut_down(loop);
    detach(loop);
}

static void
keep(dbal__ready *ready, bool alive)
{
    dbal_loop *loop = (dbal_loop *)(void *)ready;
    if (loop->ev == NULL)
        return;
    if (alive)
        ev_ref(loop->ev);
    else
        ev_unref(loop->ev);
}

/* Starts its watchers; by themselves they do not keep ev_run going. */
static void
attach(dbal_loop *loop, struct ev_loop *ev)
{
    loop->ev = ev;
    ev_prepare_init(&loop->prepare, on_prepare);
    ev_set_priority(&loop->prepare,
                    EV_MINPRI); /* after the program's own, which may ask for more */
    ev_io_init(&loop->inbox_watch, on_inbox, loop->inbox->fd, EV_READ);
    ev_timer_init(&loop->timer, on_timer, 0, FAR);
    ev_timer_init(&loop->more, on_timer, 0, 0);
    ev_cleanup_init(&loop->cleanup, on_cleanup);
    loop->prepare.data = loop->inbox_watch.data = loop->timer.data = loop->more.data =
        loop->cleanup.data = loop;
    loop->armed = DBAL__NEVER;
    ev_prepare_start(ev, &loop->prepare);
    ev_io_start(ev, &loop->inbox_watch);
    ev_timer_again(ev, &loop->timer);
    ev_cleanup_start(ev, &loop->cleanup);
    for (int i = 0; i < WATCHERS; i++)
        ev_unref(ev);
}

dbal_loop *
dbal_loop_new(struct ev_loop *ev)
{
    dbal_loop *loop = ev != NULL ? dbal__zalloc(sizeof *loop) : NULL;
    if (loop == NULL)
        return NULL;
    dbal__ready_init(&loop->ready);
    loop->ready.keep = keep;
    dbal__list_init(&loop->offloads);
    dbal__list_init(&loop->resources);
    dbal__list_init(&loop->after_poll);
    dbal__list_init(&loop->closing);
    dbal__list_init(&loop->waiters);
    atomic_init(&loop->refusing, false);
    atomic_init(&loop->entered_once, false);
    loop->inbox = dbal__inbox_new();
    if (loop->inbox != NULL) {
        loop->helpers = dbal__helpers_new(loop->inbox, HELPERS_MOST);
        loop->connects = dbal__helpers_new(loop->inbox, CONNECTS_MOST);
        loop->cancels = dbal__helpers_new(loop->inbox, CANCELS_MOST);
        loop->home = dbal__home_new();
    }
    if (loop->helpers == NULL || loop->connects == NULL || loop->cancels == NULL ||
        loop->home == NULL || !dbal__deferred_fill_reserve(&loop->ready)) {
        dbal__deferred_free_spare(&loop->ready);
        dbal__home_close(loop->home);
        dbal__helpers_unref(loop->helpers);
        dbal__helpers_unref(loop->connects);
        dbal__helpers_unref(loop->cancels);
        dbal__inbox_unref(loop->inbox);
        dbal__free(loop);
        return NULL;
    }
    attach(loop, ev);
    return loop;
}

void
dbal_loop_free(dbal_loop *loop)
{
    if (loop == NULL)
        return;
    if (dbal__loop_is_foreign(loop)) {
        dbal__ready_check(&loop->ready, "dbal_loop_free");
        return;
    }
    if (loop->depth > 0) {
        dbal__ready_log(&loop->ready, DBAL_LOG_ERROR,
                        "dbal_loop_free refused: it is called inside a callback of this loop; "
                        "call dbal_loop_close() there, and free it after ev_run has returned");
        return;
    }
    shut_down(loop);
    settle_all(loop); /* what was made since the event loop was destroyed */
    detach(loop);
    each_resource(loop, FREE);
    dbal__deferred_free_spare(&loop->ready);
    dbal__home_close(loop->home);
    dbal__helpers_unref(loop->helpers);
    dbal__helpers_unref(loop->connects);
    dbal__helpers_unref(loop->cancels);
    dbal__inbox_unref(loop->inbox);
    dbal__free(loop);
}

void
dbal__loop_add(dbal_loop *loop, dbal__resource *resource)
{
    dbal__list_push(&loop->resources, &resource->link);
}

static bool
is_any_open(const dbal_loop *loop)
{
    for (const dbal__list *link = loop->resources.next; link != &loop->resources;
         link = link->next) {
        if (!DBAL__OF(link, dbal__resource, link)->closed)
            return true;
    }
    return false;
}

/* Fires the Deferreds of dbal_loop_close() when nothing is left. */
static void
check_closed(dbal_loop *loop)
{
    if (!loop->ready.closed || (!loop->joined && is_any_open(loop)))
        return;
    atomic_store(&loop->refusing, true);
    fire_closers(loop);
}

void
dbal__loop_resource_closed(dbal_loop *loop, dbal__resource *resource)
{
    resource->closed = true;
    check_closed(loop);
}

/* The grace is over: what is left of the program's own is cancelled, as pools cancel theirs. */
static void
on_close_timeout(dbal__timer *timer)
{
    dbal_loop *loop = DBAL__OF(timer, dbal_loop, close_timer);
    dbal__deferred_cancel_all(&loop->ready, false);
}

static void
start_grace(dbal_loop *loop, double grace)
{
    int64_t at = dbal__after(dbal__loop_now(loop), grace);
    if (grace >= 0 && (!loop->close_timer.active || at < loop->close_timer.at))
        dbal__clock_start(&loop->ready.clock, &loop->close_timer, at, on_close_timeout);
}

dbal_deferred *
dbal_loop_close(dbal_loop *loop, double grace)
{
    if (isnan(grace))
        grace = 0;
    if (!dbal__loop_check(loop, "dbal_loop_close"))
        return NULL;
    closer *waiting = dbal__alloc(sizeof *waiting);
    if (waiting != NULL) {
        waiting->deferred = dbal__deferred_new(loop, NULL, NULL);
        dbal__list_push(&loop->closing, &waiting->link);
    }
    dbal_deferred *deferred = waiting != NULL ? waiting->deferred : NULL;
    loop->ready.closed = true;
    dbal__list *link = loop->resources.next;
    while (link != &loop->resources) {
        dbal__resource *resource = DBAL__OF(link, dbal__resource, link);
        link = link->next;
        resource->ops->close(resource, grace);
    }
    start_grace(loop, grace);
    check_closed(loop);
    return deferred;
}

void
dbal_loop_set_log(dbal_loop *loop, dbal_log_fn *log, void *arg)
{
    loop->ready.log = log;
    loop->ready.log_arg = arg;
}

void
dbal_loop_hold(dbal_loop *loop)
{
    if (!dbal__loop_check(loop, "dbal_loop_hold"))
        return;
    loop->holds++;
    dbal__ready_retain(&loop->ready);
}

void
dbal_loop_unhold(dbal_loop *loop)
{
    if (!dbal__loop_check(loop, "dbal_loop_unhold"))
        return;
    if (loop->holds == 0) {
        dbal__ready_log(&loop->ready, DBAL_LOG_ERROR, "dbal_loop_unhold without a hold: ignored");
        return;
    }
    loop->holds--;
    dbal__ready_release(&loop->ready);
}

void
dbal_loop_measure(dbal_loop *loop, bool on)
{
    loop->ready.measuring = on;
    loop->entered = dbal__thread_cpu();
    loop->switches = dbal__thread_switches();
    loop->ready.app_cpu = 0;
    loop->ready.app_switches = 0;
    loop->ready.app_depth = 0;
}

void
dbal_loop_stats(dbal_loop *loop, dbal_loop_counts *ret_counts)
{
    dbal_loop_counts counts = {
        .size = ret_counts->size,
        .entries = loop->entries,
        .callbacks = loop->ready.callbacks,
        .messages = loop->delivered,
        .unhandled = loop->ready.unhandled,
        .abandoned = loop->abandoned,
        .blocked = loop->blocked,
        .max_inside = (double)loop->max_inside / 1e9,
        .unsettled = loop->ready.unsettled - loop->holds,
    };
    size_t size = ret_counts->size < sizeof counts ? ret_counts->size : sizeof counts;
    memcpy(ret_counts, &counts, size);
}
