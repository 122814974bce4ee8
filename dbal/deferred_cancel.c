/* Ending a Deferred before its time: cancelling, and timeouts. */
#include <math.h>

#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/outcome.h"

struct dbal__timeout {
    dbal__timer timer;
    dbal__task task; /* cancels from the ready queue */
    dbal_deferred *deferred;
    double seconds;
    bool timed_out;
};

/* What came of cancelling. */
typedef enum answer {
    BEGUN,
    NOTHING_TO_CANCEL,
    /* What it waits for has fired and is about to run; only then it shows what is to be cancelled. */
    ASK_AGAIN
} answer;

static answer
cancel_unfired(dbal_deferred *deferred)
{
    dbal_canceller *canceller = deferred->canceller;
    if (deferred->cancelled || (canceller == NULL && deferred->cancel_waits))
        return NOTHING_TO_CANCEL;
    deferred->cancelled = true;
    dbal_deferred_ref(deferred);
    if (canceller != NULL)
        canceller(deferred, deferred->canceller_arg);
    /* the producer keeps its reference until it fires, too late */
    if (!deferred->cancel_waits)
        dbal__deferred_end(deferred,
                           dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_NOT_SENT));
    dbal_deferred_unref(deferred);
    return BEGUN;
}

static answer
try_to_cancel(dbal_deferred *deferred)
{
    deferred = dbal__deferred_innermost(deferred);
    if (!deferred->fired)
        return cancel_unfired(deferred);
    return dbal__task_is_queued(&deferred->task) ? ASK_AGAIN : NOTHING_TO_CANCEL;
}

static void
cancel_again(dbal__task *task)
{
    dbal_deferred *deferred = DBAL__OF(task, dbal_deferred, cancel_task);
    deferred->cancel_queued = false;
    dbal_deferred_cancel(deferred);
    dbal_deferred_unref(deferred);
}

void
dbal_deferred_cancel(dbal_deferred *deferred)
{
    if (deferred == NULL || !dbal__deferred_is_ours(deferred, "dbal_deferred_cancel") ||
        deferred->cancel_queued || try_to_cancel(deferred) != ASK_AGAIN)
        return;
    deferred->cancel_queued = true;
    dbal_deferred_ref(deferred);
    dbal__task_init(&deferred->cancel_task, cancel_again);
    dbal__ready_push(deferred->ready, &deferred->cancel_task);
}

static void
time_out(dbal__timeout *limit)
{
    answer got = try_to_cancel(limit->deferred);
    if (got == ASK_AGAIN)
        dbal__ready_push(limit->deferred->ready, &limit->task);
    limit->timed_out = got == BEGUN;
}

static void
time_out_again(dbal__task *task)
{
    time_out(DBAL__OF(task, dbal__timeout, task));
}

static void
time_is_up(dbal__timer *timer)
{
    time_out(DBAL__OF(timer, dbal__timeout, timer));
}

dbal_deferred *
dbal_deferred_add_timeout(dbal_deferred *deferred, double seconds)
{
    if (deferred == NULL || deferred->ready == NULL || isnan(seconds) ||
        !dbal__deferred_is_ours(deferred, "dbal_deferred_add_timeout"))
        return deferred;
    dbal__timeout *limit = dbal__zalloc(sizeof *limit);
    dbal__link link = {.kind = DBAL__LINK_TIMEOUT, .arg = limit};
    if (limit == NULL || !dbal__deferred_append(deferred, link)) {
        dbal__free(limit);
        deferred->starved = true;
        dbal__deferred_go_on(deferred);
        return deferred;
    }
    dbal__task_init(&limit->task, time_out_again);
    limit->deferred = deferred;
    limit->seconds = seconds;
    dbal__clock *clock = &deferred->ready->clock;
    dbal__clock_start(clock, &limit->timer, dbal__after(dbal__clock_now(clock), seconds),
                      time_is_up);
    return deferred;
}

void
dbal__deferred_end_timeout(dbal_deferred *deferred, dbal__timeout *limit)
{
    dbal_error *error = dbal_outcome_error(deferred->outcome);
    dbal__clock_stop(&deferred->ready->clock, &limit->timer);
    dbal__list_remove(&limit->task.link);
    if (limit->timed_out && error != NULL && dbal_error_is(error, DBAL_ERROR_CANCELLED)) {
        deferred->outcome = dbal_fail(
            dbal__error_because(error, DBAL_ERROR_TIMEOUT, "57014", dbal_error_execution(error),
                                "not finished within %g s", limit->seconds));
        dbal_error_unref(error);
    }
    dbal__free(limit);
}

void
dbal__deferred_cancel_all(dbal__ready *ready, bool with_canceller)
{
    /* each goes behind the others when it is met; what comes meanwhile is not counted */
    for (size_t left = ready->unsettled; left > 0 && !dbal__list_empty(&ready->live); left--) {
        dbal_deferred *deferred = DBAL__OF(ready->live.next, dbal_deferred, live);
        dbal__list_remove(&deferred->live);
        dbal__list_push(&ready->live, &deferred->live);
        if (deferred->cancel_waits || (with_canceller && deferred->canceller == NULL))
            continue;
        dbal_deferred_ref(deferred);
        dbal_deferred_cancel(deferred);
        dbal_deferred_unref(deferred);
    }
}
