/*
 * A Deferred is a queue of links and an outcome that passes them. It runs from the loop's ready
 * queue only, one link at a time and never inside another, so that chains of any depth take
 * constant stack. Who refers to whom: the producer, the application and the ready queue hold
 * references; one that waits for another is held by a CONTINUE link of that other, and points back
 * at it without a reference, so that a chain never holds itself.
 */
#include "dbal/deferred.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/outcome.h"

/* RESERVE of the spare ones are only handed out when memory has run out. */
enum { RESERVE = 16, SPARE_MOST = 1024 };
/* Builds with checks hold more of them back, so that one that is used too late can be told. */
#ifdef DBAL_CHECKS
enum { HELD_BACK = 512 };
#else
enum { HELD_BACK = RESERVE };
#endif

/* Kept out of the way that nearly every link takes. */
#define COLD __attribute__((noinline, cold))

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
    ready->spare_count++;
#ifdef DBAL_CHECKS
    /* the longest gone is made anew first; the ready pointer stays, for a complaint */
    deferred->gone = true;
    deferred->ready = ready;
    deferred->waiting_on = NULL;
    if (ready->spare != NULL)
        ready->last_spare->waiting_on = deferred;
    else
        ready->spare = deferred;
    ready->last_spare = deferred;
#else
    /* the last one is still in the processor's cache */
    deferred->waiting_on = ready->spare;
    ready->spare = deferred;
#endif
}

static dbal_deferred *
allocate(dbal__ready *ready)
{
    if (ready->spare_count > HELD_BACK)
        return spare_pop(ready);
    dbal_deferred *deferred = dbal__alloc(sizeof *deferred);
    if (deferred == NULL && ready->spare_count > 0)
        deferred = spare_pop(ready);
    return deferred;
}

static void
release(dbal__ready *ready, dbal_deferred *deferred)
{
    if (ready != NULL && (ready->spare_count < RESERVE ||
                          (ready->spare_count < SPARE_MOST && dbal__alloc_may_cache())))
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

/* Field by field: to clear it whole takes several times as long. */
static inline void
init(dbal_deferred *deferred, dbal__ready *ready)
{
    dbal__task_init(&deferred->task, run);
    deferred->ready = ready;
    deferred->refs = 1;
    deferred->pauses = 0;
    memset(&deferred->fired, 0, offsetof(dbal_deferred, outcome) - offsetof(dbal_deferred, fired));
    deferred->outcome = (dbal_outcome){DBAL_OUTCOME_VALUE, NULL, NULL};
    deferred->waiting_on = NULL;
    deferred->watch = NULL;
    deferred->links = deferred->inside;
    deferred->head = deferred->count = 0;
    deferred->room = DBAL__LINKS_INSIDE;
}

static inline dbal_deferred *
make(dbal__ready *ready, dbal_canceller *canceller, void *arg, bool cancel_waits)
{
    dbal_deferred *deferred = allocate(ready);
    if (deferred == NULL)
        return NULL;
    init(deferred, ready);
    deferred->canceller = canceller;
    deferred->canceller_arg = arg;
    deferred->cancel_waits = cancel_waits;
    dbal__list_push(&ready->live, &deferred->live);
    dbal__ready_retain(ready);
    return deferred;
}

dbal_deferred *
dbal__deferred_new(dbal_loop *loop, dbal_canceller *canceller, void *arg)
{
    return make(dbal__ready_of(loop), canceller, arg, true);
}

dbal_deferred *
dbal_deferred_new(dbal_loop *loop, dbal_canceller *canceller, void *arg)
{
    dbal__ready *ready = dbal__ready_of(loop);
    return dbal__ready_check(ready, "dbal_deferred_new") ? make(ready, canceller, arg, false)
                                                         : NULL;
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
    return deferred->fired && deferred->pauses == 0;
}

static void
wait_for(dbal_deferred *deferred, dbal_deferred *inner)
{
    deferred->refs++;
    deferred->pauses++;
    deferred->waiting_on = inner;
}

/* The reference is the caller's now. */
static void
wait_no_more(dbal_deferred *deferred)
{
    deferred->waiting_on = NULL;
    deferred->pauses--;
}

/* Puts it into the ready queue, which holds a reference, unless it is there or cannot run. */
static inline bool
schedule(dbal_deferred *deferred, bool first)
{
    if (!has_work(deferred) || deferred->running || dbal__task_is_queued(&deferred->task))
        return false;
    deferred->refs++;
    if (first)
        dbal__ready_push_front(deferred->ready, &deferred->task);
    else
        dbal__ready_push(deferred->ready, &deferred->task);
    return true;
}

/* It has an outcome that nothing more waits for. */
static void
settle(dbal_deferred *deferred)
{
    if (deferred->settled)
        return;
    deferred->settled = true;
    dbal__list_remove(&deferred->live);
    /* the ready queue's reference is about to go; with another one it stays */
    if (deferred->refs > 1)
        dbal__list_push(&deferred->ready->kept, &deferred->live);
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

void
dbal__deferred_go_on(dbal_deferred *deferred)
{
    if (!deferred->fired || deferred->ready == NULL)
        return;
    if (deferred->settled) {
        deferred->settled = false;
        deferred->told = false;
        dbal__list_remove(&deferred->live);
        dbal__list_push(&deferred->ready->live, &deferred->live);
        dbal__ready_retain(deferred->ready);
    }
    schedule(deferred, false);
}

COLD static void
report_unhandled(dbal__ready *ready, const dbal_error *error)
{
    const char *where = dbal__error_where(error);
    ready->unhandled++;
    dbal__ready_log(ready, DBAL_LOG_ERROR, "unhandled error: %s%s%s%s%s", dbal_error_message(error),
                    where != NULL ? " (from: " : "", where != NULL ? where : "",
                    where != NULL ? ")" : "",
                    dbal_error_is(error, DBAL_ERROR_NO_MEMORY) ? " (memory ran out)" : "");
}

static void
destroy(dbal_deferred *deferred)
{
    dbal__ready *ready = deferred->ready;
    dbal__list_remove(&deferred->live);
    if (deferred->outcome.kind == DBAL_OUTCOME_ERROR && !deferred->told && ready != NULL)
        report_unhandled(ready, deferred->outcome.pointer);
    if (deferred->watch != NULL)
        deferred->watch(DBAL__FATE_GONE, NULL, deferred->watch_arg);
    dbal__outcome_fini(deferred->outcome);
    if (deferred->links != deferred->inside)
        dbal__free(deferred->links);
    release(ready, deferred);
}

/* Those that are kept report their errors now, and know the loop no more. */
static void
let_go(dbal__ready *ready)
{
    dbal__list *link;
    while ((link = dbal__list_pop(&ready->kept)) != NULL) {
        dbal_deferred *deferred = DBAL__OF(link, dbal_deferred, live);
        if (deferred->outcome.kind == DBAL_OUTCOME_ERROR && !deferred->told)
            report_unhandled(ready, deferred->outcome.pointer);
        if (deferred->watch != NULL)
            deferred->watch(DBAL__FATE_GONE, NULL, deferred->watch_arg);
        deferred->watch = NULL;
        deferred->ready = NULL;
    }
}

void
dbal__deferred_free_spare(dbal__ready *ready)
{
    let_go(ready);
    while (ready->spare != NULL)
        dbal__free(spare_pop(ready));
}

dbal_deferred *
dbal_deferred_ref(dbal_deferred *deferred)
{
    if (deferred != NULL)
        deferred->refs++;
    return deferred;
}

/* Gives it its first outcome; takes no reference. */
static inline void
begin(dbal_deferred *deferred, dbal_outcome outcome)
{
    deferred->fired = true;
    deferred->canceller = NULL;
    deferred->outcome = outcome;
    schedule(deferred, false);
}

/* The last reference has gone. */
static void
let_end(dbal_deferred *deferred)
{
    if (deferred->settled) {
        destroy(deferred);
        return;
    }
    /* nobody is left who could fire or unpause it; it ends by itself, from the loop */
    deferred->refs = 1;
    deferred->pauses = 0;
    if (deferred->fired)
        schedule(deferred, false);
    else
        begin(deferred, dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT));
    deferred->refs--;
}

static inline void
unref(dbal_deferred *deferred)
{
    if (--deferred->refs == 0)
        let_end(deferred);
}

dbal_deferred *
dbal_deferred_unref(dbal_deferred *deferred)
{
    if (deferred != NULL)
        unref(deferred);
    return NULL;
}

COLD static void
replace(dbal_deferred *deferred, dbal_outcome outcome)
{
    dbal_outcome old = deferred->outcome;
    deferred->outcome = outcome;
    dbal__outcome_fini(old);
}

/* Whether an outcome of its own is there to be had: all its links are passed. */
static bool
is_at_rest(const dbal_deferred *deferred)
{
    return deferred->settled && deferred->pauses == 0;
}

/* Its outcome is another Deferred: takes that one's outcome, now or when it has one. */
COLD static void
chain(dbal_deferred *deferred)
{
    dbal_deferred *inner = deferred->outcome.pointer;
    if (inner == deferred || inner->ready != deferred->ready) {
        deferred->outcome = dbal_fail(
            dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                             inner == deferred ? "a Deferred waits for itself"
                                               : "a Deferred waits for one of another loop"));
    } else if (is_at_rest(inner)) {
        deferred->outcome = inner->outcome;
        inner->outcome = dbal_done();
    } else {
        dbal__link link = {.kind = DBAL__LINK_CONTINUE, .arg = deferred};
        deferred->outcome = dbal_done();
        if (dbal__deferred_append(inner, link)) {
            wait_for(deferred, inner);
        } else {
            deferred->outcome = dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN);
        }
    }
    dbal_deferred_unref(inner);
}

/* Hands the outcome to one that waits for it. Whether that one runs next. */
COLD static bool
hand_over(dbal_deferred *deferred, dbal_deferred *outer)
{
    outer->outcome = deferred->outcome;
    deferred->outcome = dbal_done();
    wait_no_more(outer);
    bool queued = schedule(outer, true);
    dbal_deferred_unref(outer);
    return queued;
}

/* The result that a callback was handed has an error of its own, which nobody looked for. */
COLD static dbal_outcome
with_error_of(void *result, dbal_error *error, dbal_outcome out)
{
    if (out.kind == DBAL_OUTCOME_ERROR) {
        dbal_error_unref(error);
        return out;
    }
    if (out.pointer != result)
        dbal__outcome_fini(out);
    return dbal_fail(error);
}

static void
call_pair(dbal_deferred *deferred, const dbal__link *link)
{
    dbal_outcome_kind kind = deferred->outcome.kind;
    void *pointer = deferred->outcome.pointer;
    dbal_callback *callback = kind == DBAL_OUTCOME_ERROR ? link->as.pair.failed : link->as.pair.ok;
    if (callback == NULL)
        return;
    dbal__ready_app_enter(deferred->ready);
    dbal_outcome out = callback(deferred->outcome, link->arg);
    dbal__ready_app_leave(deferred->ready);
    if (kind == DBAL_OUTCOME_VALUE && pointer != NULL) {
        dbal_error *error = dbal__outcome_take_error(deferred->outcome);
        if (error != NULL)
            out = with_error_of(pointer, error, out);
    }
    if (out.kind != kind || out.pointer != pointer)
        replace(deferred, out);
}

COLD static void
call_finally(dbal_deferred *deferred, const dbal__link *link)
{
    dbal__ready_app_enter(deferred->ready);
    link->as.finally(link->arg);
    dbal__ready_app_leave(deferred->ready);
}

COLD static void
starve(dbal_deferred *deferred)
{
    if (deferred->outcome.kind != DBAL_OUTCOME_ERROR)
        replace(deferred, dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN));
}

/* Passes one link-> True when one that waited for this goes first, as in Twisted. */
static bool
pass(dbal_deferred *deferred, const dbal__link *link)
{
    if (__builtin_expect(link->starved, 0))
        starve(deferred);
    if (__builtin_expect(link->kind == DBAL__LINK_CALLBACKS, 1)) {
        call_pair(deferred, link);
        return false;
    }
    switch (link->kind) {
    case DBAL__LINK_FINALLY:
        call_finally(deferred, link);
        return false;
    case DBAL__LINK_TIMEOUT:
        dbal__deferred_end_timeout(deferred, link->arg);
        return false;
    case DBAL__LINK_CONTINUE:
        return hand_over(deferred, link->arg);
    case DBAL__LINK_CALLBACKS:
    case DBAL__LINK_TAKER:
        break;
    }
    dbal_outcome outcome = deferred->outcome;
    deferred->outcome = dbal_done();
    link->as.take(outcome, link->arg);
    return false;
}

/* Puts it back, next or next but one. */
COLD static void
yield(dbal_deferred *deferred, bool behind_first)
{
    dbal__list *tasks = &deferred->ready->tasks;
    dbal__list *place = behind_first ? tasks->next->next : tasks->next;
    deferred->refs++;
    dbal__list_insert_before(place, &deferred->task.link);
}

/* All its links are passed. */
static void
come_to_rest(dbal_deferred *deferred)
{
    if (__builtin_expect(deferred->starved, 0))
        starve(deferred);
    deferred->starved = false;
    settle(deferred);
}

/* Runs its links until it waits, is paused, has none left or the slice is over. */
static void
run(dbal__task *task)
{
    dbal_deferred *deferred = DBAL__OF(task, dbal_deferred, task);

    deferred->running = true;
    while (has_work(deferred)) {
        if (deferred->outcome.kind == DBAL_OUTCOME_DEFERRED) {
            chain(deferred);
            continue;
        }
        if (deferred->head == deferred->count) {
            come_to_rest(deferred);
            break;
        }
        bool handed_over = pass(deferred, &deferred->links[deferred->head++]);
        bool spent = dbal__ready_spent(deferred->ready);
        if (__builtin_expect(handed_over || spent, 0) && has_work(deferred) &&
            deferred->head < deferred->count) {
            yield(deferred, handed_over);
            break;
        }
    }
    deferred->running = false;
    unref(deferred); /* the ready queue's */
}

void
dbal__deferred_end(dbal_deferred *deferred, dbal_outcome outcome)
{
    if (deferred->fired)
        dbal__outcome_fini(outcome);
    else
        begin(deferred, outcome);
}

void
dbal__deferred_discard(dbal_deferred *deferred)
{
    dbal__ready *ready = deferred->ready;
    dbal__list_remove(&deferred->live);
    release(ready, deferred);
    dbal__ready_release(ready);
}

bool
dbal_deferred_fire(dbal_deferred *deferred, dbal_outcome outcome)
{
    if (deferred == NULL || !dbal__deferred_is_ours(deferred, "dbal_deferred_fire")) {
        dbal__outcome_fini(outcome);
        return false;
    }
    if (deferred->produced) {
        dbal__outcome_fini(outcome);
        if (deferred->ready != NULL)
            dbal__ready_log(deferred->ready, DBAL_LOG_ERROR,
                            "dbal_deferred_fire refused: it has been fired before");
        return false;
    }
    bool first = !deferred->fired;
    deferred->produced = true;
    dbal__deferred_end(deferred, outcome);
    unref(deferred);
    return first;
}

void
dbal_deferred_pause(dbal_deferred *deferred)
{
    if (deferred != NULL && dbal__deferred_is_ours(deferred, "dbal_deferred_pause"))
        deferred->pauses++;
}

void
dbal_deferred_unpause(dbal_deferred *deferred)
{
    if (deferred == NULL || deferred->pauses == (deferred->waiting_on != NULL))
        return;
    if (--deferred->pauses > 0)
        return;
    if (!deferred->settled)
        schedule(deferred, false);
}

/* Breaks a wait in a cycle, which nothing else can end. */
static void
break_wait(dbal_deferred *deferred)
{
    dbal__ready_log(deferred->ready, DBAL_LOG_ERROR,
                    "a Deferred waits in a cycle: it is ended with an error");
    dbal_deferred *inner = deferred->waiting_on;
    for (unsigned i = inner->head; i < inner->count; i++) {
        dbal__link *link = &inner->links[i];
        if (link->kind == DBAL__LINK_CONTINUE && link->arg == deferred) {
            link->kind = DBAL__LINK_CALLBACKS;
            link->as.pair.ok = link->as.pair.failed = NULL;
        }
    }
    wait_no_more(deferred);
    deferred->outcome =
        dbal_fail(dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                   "Deferreds wait for one another in a cycle"));
    schedule(deferred, true);
    dbal_deferred_unref(deferred); /* the link's */
}

dbal_deferred *
dbal__deferred_innermost(dbal_deferred *deferred)
{
    dbal_deferred *mark = deferred;
    size_t steps = 0, next_mark = 8;
    while (deferred->waiting_on != NULL) {
        deferred = deferred->waiting_on;
        if (deferred == mark)
            break_wait(deferred);
        if (++steps == next_mark) {
            mark = deferred;
            next_mark *= 2;
        }
    }
    return deferred;
}

bool
dbal__deferred_refuse_gone(dbal_deferred *deferred, const char *call)
{
    dbal__ready_log(deferred->ready, DBAL_LOG_ERROR,
                    "%s refused: the Deferred is gone. One that is returned is valid until you "
                    "return to the loop; dbal_deferred_ref() keeps it",
                    call);
    return false;
}

void
dbal__deferred_close_all(dbal__ready *ready)
{
    while (!dbal__list_empty(&ready->live)) {
        dbal_deferred *deferred =
            dbal__deferred_innermost(DBAL__OF(ready->live.next, dbal_deferred, live));
        deferred->pauses = 0;
        if (deferred->fired)
            schedule(deferred, false);
        else
            begin(deferred, dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_UNKNOWN));
        while (dbal__ready_drain(ready)) {
        }
    }
    let_go(ready);
}
