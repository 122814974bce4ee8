#include "dbal/gate.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/crew.h"
#include "dbal/deferred.h"
#include "dbal/driver.h"
#include "dbal/error.h"
#include "dbal/job.h"
#include "dbal/outcome.h"

enum { THREADS = 4, THREADS_MOST = 256, WAITING = 10000 };
static const double CLOSE_TIMEOUT = 15, JOIN_STEP = 0.005;

dbal_gate_kind
dbal__gate_choose(int threadlevel, bool has_native, dbal_gate_kind wanted, const char **ret_why)
{
    bool loop = has_native && threadlevel >= 2, thread = threadlevel >= 1;
    switch (wanted) {
    case DBAL_GATE_AUTO:
        return loop ? DBAL_GATE_LOOP : thread ? DBAL_GATE_THREAD : DBAL_GATE_DRIVER_THREAD;
    case DBAL_GATE_LOOP:
        *ret_why = has_native ? "a connection that moves between threads needs threadlevel 2"
                              : "the driver has no native face";
        return loop ? DBAL_GATE_LOOP : DBAL_GATE_AUTO;
    case DBAL_GATE_THREAD:
        *ret_why = "threads may not share a driver of threadlevel 0";
        return thread ? DBAL_GATE_THREAD : DBAL_GATE_AUTO;
    case DBAL_GATE_DRIVER_THREAD:
        return DBAL_GATE_DRIVER_THREAD;
    default:
        *ret_why = "worker processes are not in this version";
        return DBAL_GATE_AUTO;
    }
}

const char *
dbal__gate_kind_name(dbal_gate_kind kind)
{
    static const char *const names[] = {"auto", "loop", "thread", "driver-thread", "process"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

struct dbal_gate {
    dbal__resource resource;
    dbal_loop *loop;
    dbal__inbox *inbox; /* the loop's; a reference */
    int level;
    dbal_gate_kind kind;
    int most_threads, max_waiting;
    double close_timeout;
    dbal__crew crew;        /* thread gate: calls without an object, or at level 3 */
    dbal__worker **workers; /* thread gate */
    int worker_count;
    dbal__worker *only;    /* driver-thread */
    dbal__list calls;      /* all that have not come back */
    atomic_size_t waiting; /* of these, not reached by a thread yet */
    dbal__list closers;
    bool closing, stopped, abandoned;
};

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

typedef struct closer {
    dbal__list link;
    dbal_deferred *deferred;
} closer;

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

static void
finish_closing(dbal_gate *gate)
{
    if (!gate->closing || !dbal__list_empty(&gate->calls))
        return;
    dbal__list *link;
    while ((link = dbal__list_pop(&gate->closers)) != NULL) {
        closer *one = DBAL__OF(link, closer, link);
        dbal_deferred_fire(one->deferred, dbal_done());
        dbal__free(one);
    }
    if (!gate->resource.closed)
        dbal__loop_resource_closed(gate->loop, &gate->resource);
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
    finish_closing(gate);
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

static dbal__worker *
add_worker(dbal_gate *gate, bool first)
{
    dbal__worker *worker = dbal__worker_start(&gate->crew.line, false, "dbal-gate", gate);
    if (worker == NULL) {
        dbal__ready_log(&gate->loop->ready, first ? DBAL_LOG_ERROR : DBAL_LOG_WARNING,
                        "a gate's thread could not be started (errno %d)", errno);
        return NULL;
    }
    gate->workers[gate->worker_count++] = worker;
    dbal__crew_join(&gate->crew, worker);
    return worker;
}

static void
one_more(dbal__crew *crew)
{
    dbal_gate *gate = DBAL__OF(crew, dbal_gate, crew);
    if (gate->worker_count < gate->most_threads && !gate->stopped)
        add_worker(gate, gate->worker_count == 0);
}

/* An object keeps its thread, which is right at level 1 and at level 2. */
static dbal__worker *
worker_of(dbal_gate *gate, const void *object)
{
    uint64_t mixed = (uint64_t)(uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15);
    int index = (int)((mixed >> 32) % (uint64_t)gate->most_threads);
    while (gate->worker_count <= index) {
        if (add_worker(gate, false) == NULL)
            return NULL;
    }
    return gate->workers[index];
}

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
    if (gate->worker_count == 0 && add_worker(gate, true) == NULL)
        return false;
    one->shared = true;
    dbal__crew_push(&gate->crew, &one->work);
    return true;
}

static dbal_error *
refusal(dbal_gate *gate)
{
    if (gate->closing || gate->loop->ready.closed)
        return dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT);
    size_t waiting = atomic_load_explicit(&gate->waiting, memory_order_relaxed);
    if (waiting >= (size_t)gate->max_waiting)
        return dbal__error_make(DBAL_ERROR_QUEUE_FULL, NULL, DBAL_EXECUTION_NOT_SENT,
                                "%zu calls wait in this gate already (max_waiting)", waiting);
    return NULL;
}

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

dbal_deferred *
dbal_gate_call(dbal_gate *gate, const void *object, dbal_outcome (*fn)(void *arg), void *arg)
{
    if (!dbal__loop_check(gate->loop, "dbal_gate_call"))
        return NULL;
    dbal_error *refused = refusal(gate);
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

static void
begin_closing(dbal__resource *resource, double grace)
{
    dbal_gate *gate = DBAL__OF(resource, dbal_gate, resource);
    (void)grace; /* what has begun cannot be stopped, and what waits never begins */
    gate->closing = true;
    for (dbal__list *link = gate->calls.next; link != &gate->calls; link = link->next)
        drop(DBAL__OF(link, call, link), DBAL_ERROR_CLOSED);
    finish_closing(gate);
}

static void
stop(dbal__resource *resource)
{
    dbal_gate *gate = DBAL__OF(resource, dbal_gate, resource);
    begin_closing(resource, 0);
    gate->stopped = true;
    for (int i = 0; i < gate->worker_count; i++)
        dbal__worker_stop(gate->workers[i]);
}

/* Waits for calls of a level 0 library, which share their thread with other gates. */
static void
join_only(dbal_gate *gate, int64_t deadline)
{
    while (!dbal__list_empty(&gate->calls) && dbal__monotonic() < deadline) {
        dbal__inbox_sleep(gate->loop->inbox, deadline);
        dbal__loop_settle(gate->loop);
    }
    if (!dbal__list_empty(&gate->calls)) {
        dbal__driver_thread_give_up(gate->only);
        gate->abandoned = true;
        gate->loop->abandoned++;
    }
}

/* Calls whose thread was given up settle as unknown; their memory is left to that thread. */
static void
give_up_calls(dbal_gate *gate)
{
    dbal__list *link;
    while ((link = dbal__list_pop(&gate->calls)) != NULL) {
        call *one = DBAL__OF(link, call, link);
        if (one->deferred != NULL)
            dbal_deferred_fire(one->deferred,
                               dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_UNKNOWN));
        one->deferred = NULL;
    }
    finish_closing(gate);
}

/* Waits for a thread's end. What it waits for itself may be for the loop to deliver. */
static bool
wait_for(dbal_gate *gate, dbal__worker *worker, int64_t deadline)
{
    for (;;) {
        int64_t until = dbal__after(dbal__monotonic(), JOIN_STEP);
        if (dbal__worker_wait(worker, until < deadline ? until : deadline))
            return true;
        dbal__loop_settle(gate->loop);
        if (dbal__monotonic() >= deadline)
            return false;
    }
}

static void
join(dbal__resource *resource)
{
    dbal_gate *gate = DBAL__OF(resource, dbal_gate, resource);
    int64_t deadline =
        gate->close_timeout < 0 ? DBAL__NEVER : dbal__after(dbal__monotonic(), gate->close_timeout);
    if (gate->kind == DBAL_GATE_DRIVER_THREAD)
        join_only(gate, deadline);
    for (int i = 0; i < gate->worker_count; i++) {
        if (!wait_for(gate, gate->workers[i], deadline)) {
            atomic_store(&gate->workers[i]->held, true);
            gate->abandoned = true;
            gate->loop->abandoned++;
        }
        dbal__crew_leave(&gate->crew, gate->workers[i]);
        dbal__worker_release(gate->workers[i]);
    }
    gate->worker_count = 0;
    dbal__loop_settle(gate->loop);
    if (gate->abandoned) {
        dbal__ready_log(&gate->loop->ready, DBAL_LOG_WARNING,
                        "a call in a gate did not return in %g s: its thread is given up",
                        gate->close_timeout);
        give_up_calls(gate);
    }
}

static void
free_gate(dbal__resource *resource)
{
    dbal_gate *gate = DBAL__OF(resource, dbal_gate, resource);
    dbal__list_remove(&resource->link);
    if (gate->abandoned)
        return; /* a thread may still come back to it */
    dbal__crew_fini(&gate->crew);
    dbal__inbox_unref(gate->inbox);
    dbal__free(gate->workers);
    dbal__free(gate);
}

static const dbal__resource_ops resource_ops = {begin_closing, stop, join, free_gate};

/* NULL when the options are right */
static dbal_error *
check_options(int threadlevel, const dbal_gate_options *options)
{
    if (threadlevel < 0 || threadlevel > 3)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "threadlevel %d is none: 0 to 3 are",
                              threadlevel);
    if (options->threads < 0 || options->threads > THREADS_MOST)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "threads: %d is not within 1 to %d",
                              options->threads, THREADS_MOST);
    if (options->max_waiting < 0)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "max_waiting: %d is negative",
                              options->max_waiting);
    if (isnan(options->close_timeout))
        return dbal_error_new(DBAL_ERROR_INTERFACE, "close_timeout: not a number");
    if (options->module != NULL)
        return dbal_error_new(DBAL_ERROR_NOT_SUPPORTED,
                              "module: worker processes are not in this version");
    if (threadlevel == 0 && options->library == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "library: needed at threadlevel 0, to know what shares one thread");
    return NULL;
}

static bool
equip(dbal_gate *gate, const dbal_gate_options *options, dbal_error **ret_error)
{
    bool hung = false;
    if (gate->kind == DBAL_GATE_THREAD) {
        gate->workers = dbal__array((size_t)gate->most_threads, sizeof *gate->workers);
        return gate->workers != NULL;
    }
    gate->only = dbal__driver_thread(options->library, &hung);
    if (gate->only == NULL)
        *ret_error =
            hung ? dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT,
                                    "the one thread of %s hangs and was given up", options->library)
                 : dbal__error_make(DBAL_ERROR_OPERATIONAL, "53000", DBAL_EXECUTION_NOT_SENT,
                                    "no thread could be started for %s", options->library);
    return gate->only != NULL;
}

static dbal_gate *
make(dbal_loop *loop, int threadlevel, const dbal_gate_options *options, dbal_error **ret_error)
{
    const char *why = NULL;
    dbal_gate *gate = dbal__zalloc(sizeof *gate);
    if (gate == NULL)
        return NULL;
    gate->resource.ops = &resource_ops;
    gate->loop = loop;
    gate->inbox = loop->inbox;
    gate->level = threadlevel;
    gate->kind = dbal__gate_choose(threadlevel, false, DBAL_GATE_AUTO, &why);
    gate->most_threads = options->threads != 0 ? options->threads : THREADS;
    gate->max_waiting = options->max_waiting != 0 ? options->max_waiting : WAITING;
    gate->close_timeout = options->close_timeout != 0 ? options->close_timeout : CLOSE_TIMEOUT;
    dbal__list_init(&gate->calls);
    dbal__list_init(&gate->closers);
    if (!equip(gate, options, ret_error)) {
        dbal__free(gate);
        return NULL;
    }
    dbal__inbox_ref(gate->inbox);
    dbal__crew_init(&gate->crew, loop, one_more);
    dbal__loop_add(loop, &gate->resource);
    return gate;
}

dbal_gate *
dbal_gate_new(dbal_loop *loop, int threadlevel, const dbal_gate_options *options,
              dbal_error **ret_error)
{
    dbal_gate_options given = {.size = sizeof given};
    dbal_error *error = NULL;
    if (options != NULL)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    if (!dbal__loop_check(loop, "dbal_gate_new")) {
        dbal__error_give(ret_error, dbal__ready_refusal(&loop->ready, "dbal_gate_new"));
        return NULL;
    }
    error = loop->ready.closed ? dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT)
                               : check_options(threadlevel, &given);
    dbal_gate *gate = error == NULL ? make(loop, threadlevel, &given, &error) : NULL;
    if (gate == NULL)
        dbal__error_give(ret_error, error != NULL ? error
                                                  : dbal__error_constant(DBAL_ERROR_NO_MEMORY,
                                                                         DBAL_EXECUTION_NOT_SENT));
    return gate;
}

dbal_deferred *
dbal_gate_close(dbal_gate *gate)
{
    if (!dbal__loop_check(gate->loop, "dbal_gate_close"))
        return NULL;
    closer *one = dbal__alloc(sizeof *one);
    dbal_deferred *deferred = one != NULL ? dbal__deferred_new(gate->loop, NULL, NULL) : NULL;
    if (deferred != NULL) {
        one->deferred = deferred;
        dbal__list_push(&gate->closers, &one->link);
    } else {
        dbal__free(one);
    }
    begin_closing(&gate->resource, 0);
    return deferred;
}

const char *
dbal_gate_name(const dbal_gate *gate)
{
    return dbal__gate_kind_name(gate->kind);
}
