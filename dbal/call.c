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

/* what the loop knows of such a thread */
typedef struct reply {
    dbal__waiter waiter;
    awaited *to; /* NULL: it waits no more */
} reply;

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
    if (fn == NULL)
        return false;
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
answer(awaited *waiting, dbal_outcome outcome)
{
    waiting->outcome = outcome;
    atomic_store(&waiting->done, 1);
    dbal__futex_wake(&waiting->done);
}

static void
let_go(dbal__waiter *waiter)
{
    reply *one = DBAL__OF(waiter, reply, waiter);
    answer(one->to, dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_UNKNOWN));
    one->to = NULL;
}

static void
take_reply(dbal_outcome outcome, void *arg)
{
    reply *one = arg;
    dbal__list_remove(&one->waiter.link);
    if (one->to != NULL)
        answer(one->to, outcome);
    else
        dbal__outcome_fini(outcome);
    dbal__free(one);
}

/* The Deferred whose outcome it gets; NULL without memory. */
static dbal_deferred *
reply_later(awaited *waiting)
{
    dbal_loop *loop = waiting->loop;
    reply *one = dbal__alloc(sizeof *one);
    dbal_deferred *deferred = one != NULL ? dbal__deferred_new(loop, NULL, NULL) : NULL;
    if (deferred == NULL) {
        dbal__free(one);
        return NULL;
    }
    one->waiter.let_go = let_go;
    one->to = waiting;
    dbal__list_push(&loop->waiters, &one->waiter.link);
    dbal__deferred_add_taker(deferred, take_reply, one);
    return deferred;
}

static void
run_awaited(dbal__message *message)
{
    awaited *waiting = DBAL__OF(message, awaited, message);
    dbal__ready *ready = &waiting->loop->ready;
    if (waiting->loop->down) {
        answer(waiting, dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT));
        return;
    }
    dbal_deferred *deferred = reply_later(waiting);
    if (deferred == NULL) {
        answer(waiting, dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
        return;
    }
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
