/*
 * A Deferred is a queue of links and an outcome that passes them. It runs from the loop's ready
 * queue only, one link at a time and never inside another, so that chains of any depth take
 * constant stack. Who refers to whom: the producer, the application and the ready queue hold
 * references; one that waits for another is held by a CONTINUE link of that other, and points back
 * at it without a reference, so that a chain never holds itself.
 */
#include "dbal/deferred.h"

#include <math.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/outcome.h"

/* RESERVE of the spare ones are only handed out when memory has run out. */
enum { RESERVE = 16, SPARE_MOST = 1024 };

typedef struct timeout {
    dbal__timer timer;
    dbal_deferred *deferred;
    double seconds;
    bool timed_out;
} timeout;

static void run(dbal__task *task);

static dbal_deferred *
spare_pop(dbal__ready *ready)
{
    dbal_deferred *deferred = ready->spare;
    ready->spare = deferred->waiting_on;
    ready->spare_count--;
    return deferred;
}

static void
spare_push(dbal__ready *ready, dbal_deferred *deferred)
{
    deferred->waiting_on = ready->spare;
    ready->spare = deferred;
    ready->spare_count++;
}

static dbal_deferred *
allocate(dbal__ready *ready)
{
    if (ready->spare_count > RESERVE)
        return spare_pop(ready);
    dbal_deferred *deferred = dbal__alloc(sizeof *deferred);
    if (deferred == NULL && ready->spare_count > 0)
        deferred = spare_pop(ready);
    return deferred;
}

static void
release(dbal__ready *ready, dbal_deferred *deferred)
{
    unsigned most = dbal__alloc_may_cache() ? SPARE_MOST : RESERVE;
    if (ready->spare_count < most)
        spare_push(ready, deferred);
    else
        dbal__free(deferred);
}

bool
dbal__deferred_fill_reserve(dbal__ready *ready)
{
    while (ready->spare_count < RESERVE) {
        dbal_deferred *deferred = dbal__alloc(sizeof *deferred);
        if (deferred == NULL)
            return false;
        spare_push(ready, deferred);
    }
    return true;
}

void
dbal__deferred_free_spare(dbal__ready *ready)
{
    while (ready->spare != NULL)
        dbal__free(spare_pop(ready));
}

dbal_deferred *
dbal__deferred_new(dbal_loop *loop, dbal_canceller *canceller, void *arg)
{
    dbal__ready *ready = dbal__ready_of(loop);
    dbal_deferred *deferred = allocate(ready);
    if (deferred == NULL)
        return NULL;
    memset(deferred, 0, offsetof(dbal_deferred, inside));
    dbal__task_init(&deferred->task, run);
    deferred->ready = ready;
    deferred->refs = 1;
    deferred->cancel_waits = true;
    deferred->canceller = canceller;
    deferred->canceller_arg = arg;
    deferred->links = deferred->inside;
    deferred->room = DBAL__LINKS_INSIDE;
    dbal__list_push(&ready->live, &deferred->live);
    dbal__ready_retain(ready);
    return deferred;
}

dbal_deferred *
dbal_deferred_new(dbal_loop *loop, dbal_canceller *canceller, void *arg)
{
    if (!dbal__ready_check(dbal__ready_of(loop), "dbal_deferred_new"))
        return NULL;
    dbal_deferred *deferred = dbal__deferred_new(loop, canceller, arg);
    if (deferred != NULL)
        deferred->cancel_waits = false;
    return deferred;
}

dbal_deferred *
dbal__deferred_failed(dbal_loop *loop, dbal_error *error)
{
    dbal_deferred *deferred = dbal__deferred_new(loop, NULL, NULL);
    if (deferred == NULL)
        dbal_error_unref(error);
    else
        dbal_deferred_fire(deferred, dbal_fail(error));
    return deferred;
}

static bool
has_work(const dbal_deferred *deferred)
{
    return deferred->fired && deferred->pauses == 0 && deferred->waiting_on == NULL;
}

/* Puts it into the ready queue, which holds a reference, unless it is there or cannot run. */
static void
schedule(dbal_deferred *deferred, bool first)
{
    if (!has_work(deferred) || deferred->running || dbal__task_is_queued(&deferred->task))
        return;
    deferred->refs++;
    if (first)
        dbal__ready_push_front(deferred->ready, &deferred->task);
    else
        dbal__ready_push(deferred->ready, &deferred->task);
}

/* It has an outcome that nothing more waits for. */
static void
settle(dbal_deferred *deferred)
{
    if (deferred->settled)
        return;
    deferred->settled = true;
    dbal__list_remove(&deferred->live);
    dbal__ready_release(deferred->ready);
    if (deferred->watch != NULL && !deferred->announced) {
        deferred->announced = true;
        deferred->told = deferred->watch(DBAL__FATE_SETTLED, dbal_outcome_error(deferred->outcome),
                                         deferred->watch_arg);
    }
}

void
dbal__deferred_watch(dbal_deferred *deferred,
                     bool (*watch)(dbal__fate fate, dbal_error *error, void *arg), void *arg)
{
    deferred->watch = watch;
    deferred->watch_arg = arg;
}

static void
unsettle(dbal_deferred *deferred)
{
    if (!deferred->settled)
        return;
    deferred->settled = false;
    deferred->told = false;
    dbal__list_push(&deferred->ready->live, &deferred->live);
    dbal__ready_retain(deferred->ready);
}

static void
report_unhandled(dbal__ready *ready, const dbal_error *error)
{
    const char *where = dbal__error_where(error);
    ready->unhandled++;
    dbal__ready_log(ready, DBAL_LOG_ERROR, "unhandled error: %s%s%s%s%s",
                    dbal_error_message(error), where != NULL ? " (from: " : "",
                    where != NULL ? where : "", where != NULL ? ")" : "",
                    dbal_error_is(error, DBAL_ERROR_NO_MEMORY) ? " (memory ran out)" : "");
}

static void
destroy(dbal_deferred *deferred)
{
    dbal__ready *ready = deferred->ready;
    if (deferred->outcome.kind == DBAL_OUTCOME_ERROR && !deferred->told)
        report_unhandled(ready, deferred->outcome.pointer);
    if (deferred->watch != NULL)
        deferred->watch(DBAL__FATE_GONE, NULL, deferred->watch_arg);
    dbal__outcome_fini(deferred->outcome);
    if (deferred->links != deferred->inside)
        dbal__free(deferred->links);
    release(ready, deferred);
}

dbal_deferred *
dbal_deferred_ref(dbal_deferred *deferred)
{
    if (deferred != NULL)
        deferred->refs++;
    return deferred;
}

dbal_deferred *
dbal_deferred_unref(dbal_deferred *deferred)
{
    if (deferred == NULL || --deferred->refs > 0)
        return NULL;
    if (deferred->settled) {
        destroy(deferred);
        return NULL;
    }
    /* Nobody is left who could fire or unpause it; it ends by itself, from the loop. */
    deferred->refs = 1;
    deferred->pauses = 0;
    if (deferred->fired) {
        schedule(deferred, false);
        return dbal_deferred_unref(deferred);
    }
    deferred->canceller = NULL;
    dbal_deferred_fire(deferred,
                       dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT));
    return NULL;
}

/* Makes room for one link more. */
static bool
grow(dbal_deferred *deferred)
{
    if (deferred->head == deferred->count)
        deferred->head = deferred->count = 0;
    if (deferred->count < deferred->room)
        return true;
    if (deferred->head > 0) {
        deferred->count -= deferred->head;
        memmove(deferred->links, deferred->links + deferred->head,
                deferred->count * sizeof(dbal__link));
        deferred->head = 0;
        return true;
    }
    unsigned room = deferred->room * 2;
    dbal__link *links = dbal__alloc(room * sizeof *links);
    if (links == NULL)
        return false;
    memcpy(links, deferred->links, deferred->count * sizeof *links);
    if (deferred->links != deferred->inside)
        dbal__free(deferred->links);
    deferred->links = links;
    deferred->room = room;
    return true;
}

/* Without memory a plain callback gives its place to `link`, and the chain fails from there on. */
static bool
displace(dbal_deferred *deferred, dbal__link link)
{
    for (unsigned i = deferred->count; i-- > deferred->head;) {
        dbal__link *old = &deferred->links[i];
        if (old->kind == DBAL__LINK_NO_MEMORY && link.kind == DBAL__LINK_CALLBACKS)
            return true;
        if (old->kind != DBAL__LINK_CALLBACKS && old->kind != DBAL__LINK_NO_MEMORY)
            continue;
        if (link.kind == DBAL__LINK_CALLBACKS) {
            old->kind = DBAL__LINK_NO_MEMORY;
            return true;
        }
        /* what stands behind keeps its order */
        unsigned behind = deferred->count - i - 1;
        memmove(old, old + 1, behind * sizeof *old);
        deferred->links[deferred->count - 1] = link;
        return true;
    }
    return false;
}

static bool
append(dbal_deferred *deferred, dbal__link link)
{
    bool stored = grow(deferred);
    if (stored)
        deferred->links[deferred->count++] = link;
    else
        stored = displace(deferred, link);
    if (deferred->fired) {
        unsettle(deferred);
        schedule(deferred, false);
    }
    return stored;
}

static dbal_deferred *
add_pair(dbal_deferred *deferred, dbal_callback *ok, dbal_callback *failed, void *arg)
{
    if (deferred != NULL) {
        dbal__link link = {.kind = DBAL__LINK_CALLBACKS, .as = {.pair = {ok, failed}}, .arg = arg};
        append(deferred, link);
    }
    return deferred;
}

dbal_deferred *
dbal_deferred_add_callbacks(dbal_deferred *deferred, dbal_callback *callback,
                            dbal_callback *errback, void *arg)
{
    return add_pair(deferred, callback, errback, arg);
}

dbal_deferred *
dbal_deferred_add_callback(dbal_deferred *deferred, dbal_callback *callback, void *arg)
{
    return add_pair(deferred, callback, NULL, arg);
}

dbal_deferred *
dbal_deferred_add_errback(dbal_deferred *deferred, dbal_callback *errback, void *arg)
{
    return add_pair(deferred, NULL, errback, arg);
}

dbal_deferred *
dbal_deferred_add_both(dbal_deferred *deferred, dbal_callback *both, void *arg)
{
    return add_pair(deferred, both, both, arg);
}

dbal_deferred *
dbal_deferred_add_finally(dbal_deferred *deferred, void (*fn)(void *arg), void *arg)
{
    if (deferred == NULL) {
        fn(arg);
        return NULL;
    }
    dbal__link link = {.kind = DBAL__LINK_FINALLY, .as = {.finally = fn}, .arg = arg};
    if (!append(deferred, link))
        dbal__ready_log(deferred->ready, DBAL_LOG_ERROR,
                        "out of memory: a finally could not be stored and will not run");
    return deferred;
}

void
dbal__deferred_add_taker(dbal_deferred *deferred, void (*take)(dbal_outcome outcome, void *arg),
                         void *arg)
{
    dbal__link link = {.kind = DBAL__LINK_TAKER, .as = {.take = take}, .arg = arg};
    if (deferred == NULL || !append(deferred, link))
        take(dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN), arg);
}

static void
time_is_up(dbal__timer *timer)
{
    timeout *limit = DBAL__OF(timer, timeout, timer);
    limit->timed_out = true;
    dbal_deferred_cancel(limit->deferred);
}

dbal_deferred *
dbal_deferred_add_timeout(dbal_deferred *deferred, double seconds)
{
    if (deferred == NULL || isnan(seconds))
        return deferred;
    timeout *limit = dbal__zalloc(sizeof *limit);
    dbal__link link = {.kind = limit != NULL ? DBAL__LINK_TIMEOUT : DBAL__LINK_NO_MEMORY,
                       .arg = limit};
    if (!append(deferred, link) || limit == NULL) {
        dbal__free(limit);
        return deferred;
    }
    limit->deferred = deferred;
    limit->seconds = seconds;
    dbal__clock *clock = &deferred->ready->clock;
    dbal__clock_start(clock, &limit->timer, dbal__after(dbal__clock_now(clock), seconds),
                      time_is_up);
    return deferred;
}

/* The chain has come to where a timeout ends. */
static void
end_timeout(dbal_deferred *deferred, timeout *limit)
{
    dbal_error *error = dbal_outcome_error(deferred->outcome);
    dbal__clock_stop(&deferred->ready->clock, &limit->timer);
    if (limit->timed_out && error != NULL && dbal_error_is(error, DBAL_ERROR_CANCELLED)) {
        deferred->outcome = dbal_fail(
            dbal__error_because(error, DBAL_ERROR_TIMEOUT, NULL, dbal_error_execution(error),
                                "not finished within %g s", limit->seconds));
        dbal_error_unref(error);
    }
    dbal__free(limit);
}

static void
replace(dbal_deferred *deferred, dbal_outcome outcome)
{
    dbal_outcome old = deferred->outcome;
    if (old.kind == outcome.kind && old.pointer == outcome.pointer)
        return;
    deferred->outcome = outcome;
    dbal__outcome_fini(old);
}

/* Its outcome is another Deferred: takes that one's outcome, now or when it has one. */
static void
chain(dbal_deferred *deferred)
{
    dbal_deferred *inner = deferred->outcome.pointer;
    if (inner == deferred || inner->ready != deferred->ready) {
        deferred->outcome = dbal_fail(dbal__error_make(
            DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
            inner == deferred ? "a Deferred waits for itself"
                              : "a Deferred waits for one of another loop"));
    } else if (inner->settled && inner->head == inner->count) {
        deferred->outcome = inner->outcome;
        inner->outcome = dbal_done();
    } else {
        dbal__link link = {.kind = DBAL__LINK_CONTINUE, .arg = deferred};
        deferred->outcome = dbal_done();
        if (append(inner, link)) {
            deferred->refs++;
            deferred->waiting_on = inner;
        } else {
            deferred->outcome =
                dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN);
        }
    }
    dbal_deferred_unref(inner);
}

/* Hands the outcome to one that waits for it. */
static void
go_on(dbal_deferred *deferred, dbal_deferred *outer)
{
    outer->outcome = deferred->outcome;
    deferred->outcome = dbal_done();
    outer->waiting_on = NULL;
    schedule(outer, true);
    dbal_deferred_unref(outer);
}

static void
call_pair(dbal_deferred *deferred, const dbal__link *link)
{
    dbal_outcome in = deferred->outcome;
    dbal_callback *callback =
        in.kind == DBAL_OUTCOME_ERROR ? link->as.pair.failed : link->as.pair.ok;
    if (callback == NULL)
        return;
    dbal__ready_app_enter(deferred->ready);
    dbal_outcome out = callback(in, link->arg);
    dbal__ready_app_leave(deferred->ready);
    if (in.kind == DBAL_OUTCOME_VALUE && in.pointer != NULL) {
        dbal_error *left = dbal__outcome_take_error(in);
        if (left != NULL && out.kind != DBAL_OUTCOME_ERROR) {
            if (out.pointer != in.pointer)
                dbal__outcome_fini(out);
            out = dbal_fail(left);
        } else {
            dbal_error_unref(left);
        }
    }
    replace(deferred, out);
}

/* Passes one link. */
static void
pass(dbal_deferred *deferred, dbal__link link)
{
    switch (link.kind) {
    case DBAL__LINK_CALLBACKS:
        call_pair(deferred, &link);
        break;
    case DBAL__LINK_FINALLY:
        dbal__ready_app_enter(deferred->ready);
        link.as.finally(link.arg);
        dbal__ready_app_leave(deferred->ready);
        break;
    case DBAL__LINK_TIMEOUT:
        end_timeout(deferred, link.arg);
        break;
    case DBAL__LINK_NO_MEMORY:
        replace(deferred, dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN));
        break;
    case DBAL__LINK_TAKER: {
        dbal_outcome outcome = deferred->outcome;
        deferred->outcome = dbal_done();
        link.as.take(outcome, link.arg);
        break;
    }
    case DBAL__LINK_CONTINUE:
        go_on(deferred, link.arg);
        break;
    }
}

/* Runs its links until it waits, is paused, has none left or the slice is over. */
static void
run(dbal__task *task)
{
    dbal_deferred *deferred = DBAL__OF(task, dbal_deferred, task);
    bool yield = false, continued = false;

    deferred->running = true;
    while (has_work(deferred) && !yield) {
        if (deferred->outcome.kind == DBAL_OUTCOME_DEFERRED) {
            chain(deferred);
            continue;
        }
        if (deferred->head == deferred->count) {
            settle(deferred);
            break;
        }
        dbal__link link = deferred->links[deferred->head++];
        pass(deferred, link);
        /* one that waited for this goes first, as in Twisted */
        continued = link.kind == DBAL__LINK_CONTINUE;
        yield = continued || dbal__ready_spent(deferred->ready);
    }
    deferred->running = false;
    if (yield && has_work(deferred)) {
        /* behind the one that has just been put first */
        deferred->refs++;
        dbal__list *first = deferred->ready->tasks.next;
        if (continued && first != &deferred->ready->tasks)
            dbal__list_insert_before(first->next, &task->link);
        else
            dbal__ready_push_front(deferred->ready, task);
    }
    dbal_deferred_unref(deferred); /* the ready queue's */
}

bool
dbal_deferred_fire(dbal_deferred *deferred, dbal_outcome outcome)
{
    if (deferred == NULL) {
        dbal__outcome_fini(outcome);
        return false;
    }
    if (deferred->fired) {
        deferred->let_one_pass = false;
        dbal__outcome_fini(outcome);
        dbal_deferred_unref(deferred);
        return false;
    }
    deferred->fired = true;
    deferred->canceller = NULL;
    deferred->outcome = outcome;
    schedule(deferred, false);
    if (deferred->refs > 1 || deferred->pauses == 0)
        deferred->refs--; /* the caller's: the ready queue or somebody else has one */
    else
        dbal_deferred_unref(deferred);
    return true;
}

/* the one at the end of a chain of waiting */
static dbal_deferred *
innermost(dbal_deferred *deferred)
{
    while (deferred->waiting_on != NULL)
        deferred = deferred->waiting_on;
    return deferred;
}

void
dbal_deferred_cancel(dbal_deferred *deferred)
{
    if (deferred == NULL)
        return;
    deferred = innermost(deferred);
    if (deferred->fired)
        return;
    dbal_canceller *canceller = deferred->canceller;
    if (canceller == NULL) {
        if (deferred->cancel_waits)
            return;
        deferred->let_one_pass = true;
    } else {
        if (deferred->cancelled)
            return;
        deferred->cancelled = true;
        dbal_deferred_ref(deferred);
        canceller(deferred, deferred->canceller_arg);
        if (deferred->fired || deferred->cancel_waits) {
            dbal_deferred_unref(deferred);
            return;
        }
        deferred->refs--;
    }
    /* the producer keeps its reference until it fires, too late */
    dbal_deferred_ref(deferred);
    dbal_deferred_fire(deferred,
                       dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_NOT_SENT));
}

void
dbal_deferred_pause(dbal_deferred *deferred)
{
    if (deferred != NULL)
        deferred->pauses++;
}

void
dbal_deferred_unpause(dbal_deferred *deferred)
{
    if (deferred == NULL || deferred->pauses == 0 || --deferred->pauses > 0)
        return;
    if (deferred->fired && !deferred->settled)
        schedule(deferred, false);
}

/* Breaks a wait that cannot end: a cycle, or one whose producer is gone with its loop. */
static void
break_wait(dbal_deferred *deferred)
{
    dbal__ready_log(deferred->ready, DBAL_LOG_ERROR,
                    "a Deferred waits in a cycle: it is ended with an error");
    dbal_deferred *inner = deferred->waiting_on;
    for (unsigned i = inner->head; i < inner->count; i++) {
        if (inner->links[i].kind == DBAL__LINK_CONTINUE && inner->links[i].arg == deferred)
            inner->links[i] = (dbal__link){.kind = DBAL__LINK_CALLBACKS};
    }
    deferred->waiting_on = NULL;
    deferred->outcome = dbal_fail(dbal__error_make(DBAL_ERROR_INTERFACE, NULL,
                                                   DBAL_EXECUTION_NOT_SENT,
                                                   "Deferreds wait for one another in a cycle"));
    schedule(deferred, true);
    deferred->refs--; /* the link's; the ready queue has one now */
}

void
dbal__deferred_close_all(dbal__ready *ready)
{
    while (!dbal__list_empty(&ready->live)) {
        dbal_deferred *deferred = DBAL__OF(ready->live.next, dbal_deferred, live);
        dbal_deferred *inner = deferred;
        /* the innermost of its chain; more steps than there are Deferreds is a cycle */
        size_t steps = 0;
        while (inner->waiting_on != NULL && steps++ <= ready->unsettled)
            inner = inner->waiting_on;
        if (inner->waiting_on != NULL) {
            break_wait(inner);
        } else if (!inner->fired) {
            inner->canceller = NULL;
            inner->let_one_pass = true;
            inner->pauses = 0;
            dbal_deferred_ref(inner); /* its producer's may still come */
            dbal_deferred_fire(inner,
                               dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_UNKNOWN));
        } else {
            inner->pauses = 0;
            schedule(inner, false);
        }
        while (dbal__ready_drain(ready)) {
        }
    }
}
