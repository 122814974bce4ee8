/* Calls from other threads: dbal_loop_call() and dbal_loop_await(). */
#include <pthread.h>

#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/fork.h"
#include "dbal/futex.h"
#include "dbal/loop.h"
#include "dbal/outcome.h"

typedef struct call {
    dbal__message message;
    dbal_loop *loop;
    void (*fn)(void *arg);
    void *arg;
} call;

/* on the stack of a thread that waits */
typedef struct awaited {
    dbal__message message;
    dbal_loop *loop;
    dbal_outcome (*make)(void *arg);
    void *arg;
    dbal_outcome outcome;
    atomic_int done;
} awaited;

static void
run_call(dbal__message *message)
{
    call *one = DBAL__OF(message, call, message);
    dbal__ready *ready = &one->loop->ready;
    dbal__ready_app_enter(ready);
    one->fn(one->arg);
    dbal__ready_app_leave(ready);
    dbal__free(one);
}

/* Sends to a loop that may be closing, from any thread. */
static bool
send(dbal_loop *loop, dbal__message *message)
{
    if (atomic_load(&loop->refusing) || loop->ready.generation != dbal__fork_generation())
        return false;
    if (!dbal__inbox_push(loop->inbox, message))
        return false;
    dbal__inbox_wake(loop->inbox);
    return true;
}

bool
dbal_loop_call(dbal_loop *loop, void (*fn)(void *arg), void *arg)
{
    call *one = dbal__alloc(sizeof *one);
    if (one == NULL)
        return false;
    *one = (call){.message = {NULL, run_call}, .loop = loop, .fn = fn, .arg = arg};
    if (send(loop, &one->message))
        return true;
    dbal__free(one);
    return false;
}

/* The waiting thread may be gone as soon as `done` is set. */
static void
answer(dbal_outcome outcome, void *arg)
{
    awaited *waiting = arg;
    waiting->outcome = outcome;
    atomic_store(&waiting->done, 1);
    dbal__futex_wake(&waiting->done);
}

static void
run_awaited(dbal__message *message)
{
    awaited *waiting = DBAL__OF(message, awaited, message);
    dbal__ready *ready = &waiting->loop->ready;
    if (ready->closed && waiting->loop->down) {
        answer(dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT), waiting);
        return;
    }
    dbal_deferred *deferred = dbal__deferred_new(waiting->loop, NULL, NULL);
    if (deferred == NULL) {
        answer(dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT), waiting);
        return;
    }
    dbal__deferred_add_taker(deferred, answer, waiting);
    dbal__ready_app_enter(ready);
    dbal_outcome outcome = waiting->make(waiting->arg);
    dbal__ready_app_leave(ready);
    dbal_deferred_fire(deferred, outcome);
}

dbal_outcome
dbal_loop_await(dbal_loop *loop, dbal_outcome (*make)(void *arg), void *arg)
{
    /* before libev has called, the maker is the owner, but may well be about to hand the loop over */
    if (atomic_load_explicit(&loop->entered_once, memory_order_relaxed) &&
        atomic_load_explicit(&loop->ready.owner, memory_order_relaxed) == (uintptr_t)pthread_self())
        return dbal_fail(dbal__error_make(
            DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
            "dbal_loop_await on the loop's own thread would wait for itself for ever"));
    awaited waiting = {.message = {NULL, run_awaited}, .loop = loop, .make = make, .arg = arg};
    atomic_init(&waiting.done, 0);
    if (!send(loop, &waiting.message))
        return dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT);
    while (atomic_load(&waiting.done) == 0)
        dbal__futex_wait(&waiting.done, 0, DBAL__NEVER);
    return waiting.outcome;
}
