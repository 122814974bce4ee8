/* Calls that pass a public gate, and the threads that run them. */
#include <stdint.h>

#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/driver.h"
#include "dbal/error.h"
#include "dbal/gate_calls.h"
#include "dbal/job.h"
#include "dbal/outcome.h"

typedef struct call {
    dbal__work work;
    dbal__message message;
    dbal__list link;
    dbal_gate *gate;
    dbal_outcome (*fn)(void *arg);
    void *arg;
    dbal_deferred *deferred; /* NULL once it has settled */
    dbal_outcome outcome;
    atomic_int state;
    bool shared, cancelled;
} call;

static void
run_call(dbal__work *work, dbal__worker *worker)
{
    call *one = DBAL__OF(work, call, work);
    dbal__inbox *inbox = one->gate->inbox;
    int waiting = DBAL__JOB_WAITING;
    atomic_fetch_sub_explicit(&one->gate->waiting, 1, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&one->state, &waiting, DBAL__JOB_RUNNING)) {
        /* it may take long, or even wait for what came of those before */
        dbal__worker_announce(worker);
        one->outcome = one->fn(one->arg);
    }
    dbal__worker_publish(worker, inbox, &one->message, false);
}

static dbal_outcome
checked(dbal_outcome outcome)
{
    if (outcome.kind != DBAL_OUTCOME_DEFERRED)
        return outcome;
    dbal__outcome_fini(outcome);
    return dbal_fail(dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_UNKNOWN,
                                      "a call in a thread returned dbal_wait(): Deferreds belong "
                                      "to the loop"));
}

/* One has come back. */
static void
did_call(dbal__message *message)
{
    call *one = DBAL__OF(message, call, message);
    dbal_gate *gate = one->gate;
    dbal_deferred *deferred = one->deferred;
    dbal_outcome outcome = checked(one->outcome);

    dbal__list_remove(&one->link);
    if (one->shared)
        dbal__crew_returned(&gate->crew);
    if (deferred == NULL) {
        dbal__outcome_fini(outcome);
    } else if (one->cancelled) {
        dbal__outcome_fini(outcome);
        dbal_deferred_fire(deferred,
                           dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_UNKNOWN));
    } else {
        dbal_deferred_fire(deferred, outcome);
    }
    dbal__free(one);
    dbal__gate_check_closed(gate);
}

/* Settles a call that has not begun and now never will. */
static bool
drop(call *one, dbal_error_class why)
{
    int waiting = DBAL__JOB_WAITING;
    if (one->deferred == NULL ||
        !atomic_compare_exchange_strong(&one->state, &waiting, DBAL__JOB_CANCELLED))
        return false;
    dbal_deferred *deferred = one->deferred;
    one->deferred = NULL;
    dbal_deferred_fire(deferred, dbal__fail_constant(why, DBAL_EXECUTION_NOT_SENT));
    return true;
}

static void
cancel_call(dbal_deferred *deferred, void *arg)
{
    call *one = arg;
    (void)deferred;
    if (!drop(one, DBAL_ERROR_CANCELLED))
        one->cancelled = true;
}

/* ---- threads ---- */

/* Why no thread could be had. */
static dbal_error *
no_thread(const dbal_gate *gate)
{
    if (gate->kind == DBAL_GATE_DRIVER_THREAD)
        return dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT,
                                "the one thread of this library hangs and was given up");
    return dbal__error_make(DBAL_ERROR_OPERATIONAL, "53000", DBAL_EXECUTION_NOT_SENT,
                            "no thread could be had for the call");
}

/* What is on a line that nobody will ever pull from. */
static void
fail_line(dbal_gate *gate, dbal__line *line)
{
    dbal__work *work;
    while ((work = dbal__line_pull(line)) != NULL) {
        call *one = DBAL__OF(work, call, work);
        atomic_fetch_sub_explicit(&gate->waiting, 1, memory_order_relaxed);
        if (one->deferred != NULL)
            dbal_deferred_fire(one->deferred, dbal_fail(no_thread(gate)));
        one->deferred = NULL;
        did_call(&one->message);
    }
}

static void
did_launch(dbal__worker *worker, int code)
{
    dbal_gate *gate = atomic_load(&worker->owner);
    if (code == 0)
        return;
    dbal__ready_log(&gate->loop->ready, DBAL_LOG_WARNING,
                    "a gate's thread could not be started (errno %d)", code);
    int place = 0;
    while (place < gate->most_threads && gate->workers[place] != worker)
        place++;
    if (place == gate->most_threads)
        return; /* let go meanwhile */
    gate->workers[place] = NULL;
    gate->worker_count--;
    dbal__crew_leave(&gate->crew, worker);
    fail_line(gate, &worker->own);
    if (gate->worker_count == 0)
        fail_line(gate, &gate->crew.line);
    dbal__worker_release(worker);
}

/* A thread at a place; a helper starts it, since that may make the loop wait. */
static dbal__worker *
add_worker(dbal_gate *gate, int place)
{
    dbal__worker *worker = dbal__worker_new(&gate->crew.line, false, "dbal-gate", gate);
    if (worker == NULL)
        return NULL;
    if (!dbal__helpers_launch(gate->loop->helpers, worker, did_launch) &&
        dbal__worker_launch(worker) != 0) {
        dbal__worker_release(worker);
        return NULL;
    }
    gate->workers[place] = worker;
    gate->worker_count++;
    dbal__crew_join(&gate->crew, worker);
    return worker;
}

void
dbal__gate_wants_thread(dbal__crew *crew)
{
    dbal_gate *gate = DBAL__OF(crew, dbal_gate, crew);
    int place = 0;
    while (place < gate->most_threads && gate->workers[place] != NULL)
        place++;
    if (place < gate->most_threads && !gate->stopped)
        add_worker(gate, place);
}

/* An object keeps its thread, which is right at level 1 and at level 2. */
static dbal__worker *
worker_of(dbal_gate *gate, const void *object)
{
    uint64_t mixed = (uint64_t)(uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15);
    int place = (int)((mixed >> 32) % (uint64_t)gate->most_threads);
    return gate->workers[place] != NULL ? gate->workers[place] : add_worker(gate, place);
}

/* ---- calls ---- */

/* Hands it to a thread; false when there is none. */
static bool
hand_down(dbal_gate *gate, call *one, const void *object)
{
    if (gate->kind == DBAL_GATE_DRIVER_THREAD) {
        bool hung = false;
        gate->only = dbal__driver_thread_again(gate->only, &hung);
        if (hung)
            return false;
        dbal__worker_push(gate->only, &one->work);
        return true;
    }
    if (object != NULL && gate->level < 3) {
        dbal__worker *worker = worker_of(gate, object);
        if (worker == NULL)
            return false;
        dbal__worker_push(worker, &one->work);
        return true;
    }
    if (gate->worker_count == 0 && add_worker(gate, 0) == NULL)
        return false;
    one->shared = true;
    dbal__crew_push(&gate->crew, &one->work);
    return true;
}

static dbal_error *
refusal(dbal_gate *gate, dbal_outcome (*fn)(void *arg))
{
    if (fn == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "there is no function to be called");
    if (gate->module != NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "a function of this process means nothing in another: this gate has "
                              "a module, use dbal_gate_call_module()");
    if (gate->closing || gate->loop->ready.closed)
        return dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT);
    size_t waiting = atomic_load_explicit(&gate->waiting, memory_order_relaxed);
    if (waiting >= (size_t)gate->max_waiting)
        return dbal__error_make(DBAL_ERROR_QUEUE_FULL, NULL, DBAL_EXECUTION_NOT_SENT,
                                "%zu calls wait in this gate already (max_waiting)", waiting);
    return NULL;
}

dbal_deferred *
dbal_gate_call(dbal_gate *gate, const void *object, dbal_outcome (*fn)(void *arg), void *arg)
{
    if (!dbal__loop_check(gate->loop, "dbal_gate_call"))
        return NULL;
    dbal_error *refused = refusal(gate, fn);
    if (refused != NULL)
        return dbal__deferred_failed(gate->loop, refused);
    call *one = dbal__zalloc(sizeof *one);
    if (one == NULL)
        return dbal__deferred_failed(
            gate->loop, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    dbal_deferred *deferred = dbal__deferred_new(gate->loop, cancel_call, one);
    if (deferred == NULL) {
        dbal__free(one);
        return NULL;
    }
    one->work.run = run_call;
    one->message.deliver = did_call;
    one->gate = gate;
    one->fn = fn;
    one->arg = arg;
    one->deferred = deferred;
    one->outcome = dbal_done();
    dbal__list_push(&gate->calls, &one->link);
    atomic_fetch_add_explicit(&gate->waiting, 1, memory_order_relaxed);
    if (hand_down(gate, one, object))
        return deferred;
    dbal__list_remove(&one->link);
    atomic_fetch_sub_explicit(&gate->waiting, 1, memory_order_relaxed);
    dbal__free(one);
    dbal_deferred_fire(deferred, dbal_fail(no_thread(gate)));
    return deferred;
}

void
dbal__gate_drop_waiting(dbal_gate *gate)
{
    for (dbal__list *link = gate->calls.next; link != &gate->calls; link = link->next)
        drop(DBAL__OF(link, call, link), DBAL_ERROR_CLOSED);
}

unsigned
dbal__gate_give_up_calls(dbal_gate *gate)
{
    unsigned running = 0;
    dbal__list *link;
    while ((link = dbal__list_pop(&gate->calls)) != NULL) {
        call *one = DBAL__OF(link, call, link);
        running += atomic_load(&one->state) == DBAL__JOB_RUNNING;
        if (one->deferred != NULL)
            dbal_deferred_fire(one->deferred,
                               dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_UNKNOWN));
        one->deferred = NULL;
    }
    return running;
}
