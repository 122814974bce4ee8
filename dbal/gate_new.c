/* Public gates: how one is made, closed, waited for and freed. */
#include <math.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/driver.h"
#include "dbal/error.h"
#include "dbal/gate_calls.h"
#include "dbal/gate_module.h"

enum { THREADS = 4, THREADS_MOST = 256, WAITING = 10000 };
static const double CLOSE_TIMEOUT = 15;
static const double JOIN_STEP = 0.01; /* seconds between looks at what a thread may wait for */

typedef struct closer {
    dbal__list link;
    dbal_deferred *deferred;
} closer;

/* ---- closing ---- */

void
dbal__gate_check_closed(dbal_gate *gate)
{
    if (!gate->closing || !dbal__list_empty(&gate->calls) ||
        (gate->module != NULL && !dbal__gate_module_is_over(gate)))
        return;
    dbal__list *link;
    dbal__clock_stop(&gate->loop->ready.clock, &gate->close_timer);
    while ((link = dbal__list_pop(&gate->closers)) != NULL) {
        closer *one = DBAL__OF(link, closer, link);
        dbal_deferred_fire(one->deferred, dbal_done());
        dbal__free(one);
    }
    if (!gate->resource.closed)
        dbal__loop_resource_closed(gate->loop, &gate->resource);
}

/* What still runs is not waited for any more; one that only stands in a line behind others is not
 * what hangs. */
static void
give_up(dbal_gate *gate)
{
    if (gate->module != NULL) {
        if (dbal__gate_module_kill(gate) > 0)
            dbal__ready_log(&gate->loop->ready, DBAL_LOG_WARNING,
                            "a call in a gate did not return in %g s: its process is killed",
                            gate->close_timeout);
        return;
    }
    unsigned running = dbal__gate_give_up_calls(gate);
    if (running > 0) {
        dbal__ready_log(&gate->loop->ready, DBAL_LOG_WARNING,
                        "a call in a gate did not return in %g s: its thread is given up",
                        gate->close_timeout);
        gate->loop->abandoned += running;
        if (gate->kind == DBAL_GATE_DRIVER_THREAD)
            dbal__driver_thread_give_up(gate->only);
    }
    gate->abandoned = true;
    dbal__gate_check_closed(gate);
}

static void
on_close_timeout(dbal__timer *timer)
{
    give_up(DBAL__OF(timer, dbal_gate, close_timer));
}

static void
begin_closing(dbal__resource *resource, double grace)
{
    dbal_gate *gate = DBAL__OF(resource, dbal_gate, resource);
    dbal__clock *clock = &gate->loop->ready.clock;
    (void)grace; /* what has begun cannot be stopped, and what waits never begins */
    if (!gate->closing && gate->close_timeout >= 0)
        dbal__clock_start(clock, &gate->close_timer,
                          dbal__after(dbal__clock_now(clock), gate->close_timeout),
                          on_close_timeout);
    gate->closing = true;
    dbal__gate_drop_waiting(gate);
    if (gate->module != NULL)
        dbal__gate_module_close(gate);
    dbal__gate_check_closed(gate);
}

static void
stop(dbal__resource *resource)
{
    dbal_gate *gate = DBAL__OF(resource, dbal_gate, resource);
    begin_closing(resource, 0);
    dbal__clock_stop(&gate->loop->ready.clock, &gate->close_timer);
    gate->stopped = true;
    for (int i = 0; gate->workers != NULL && i < gate->most_threads; i++) {
        if (gate->workers[i] != NULL)
            dbal__worker_stop(gate->workers[i]);
    }
}

/* ---- the end ---- */

/* Waits for calls of a level 0 library, which share their thread with other gates. */
static void
wait_for_calls(dbal_gate *gate, int64_t deadline)
{
    while (!dbal__list_empty(&gate->calls) && dbal__monotonic() < deadline) {
        dbal__inbox_sleep(gate->loop->inbox, deadline);
        dbal__loop_settle(gate->loop);
    }
}

/* Waits for the end of the thread at a place. What it waits for itself may be for the loop to
 * deliver; so is the word that it could not be started, which empties the place. */
static bool
wait_for(dbal_gate *gate, int place, int64_t deadline)
{
    while (gate->workers[place] != NULL) {
        dbal__worker *worker = gate->workers[place];
        int64_t until = dbal__after(dbal__monotonic(), JOIN_STEP);
        if (dbal__worker_wait(worker, until < deadline ? until : deadline) &&
            !dbal__worker_failed(worker))
            return true;
        dbal__loop_settle(gate->loop);
        if (dbal__monotonic() >= deadline)
            return gate->workers[place] == NULL;
    }
    return true;
}

static bool
join_threads(dbal_gate *gate, int64_t deadline)
{
    bool all = true;
    for (int i = 0; gate->workers != NULL && i < gate->most_threads; i++) {
        bool ended = wait_for(gate, i, deadline);
        dbal__worker *worker = gate->workers[i];
        if (worker == NULL)
            continue;
        if (!ended) {
            atomic_store(&worker->held, true);
            all = false;
        }
        dbal__crew_leave(&gate->crew, worker);
        dbal__worker_release(worker);
        gate->workers[i] = NULL;
        gate->worker_count--;
    }
    return all;
}

/* Nobody steps workers on the loop any more: what they are at has no end. */
static void
join_workers(dbal_gate *gate)
{
    double patience = gate->close_timeout;
    int64_t deadline = patience < 0 ? DBAL__NEVER : dbal__after(dbal__monotonic(), patience);
    dbal__gate_module_give_up(gate);
    while (!dbal__gate_module_is_over(gate) && dbal__monotonic() < deadline) {
        dbal__loop_settle(gate->loop);
        if (!dbal__gate_module_is_over(gate))
            dbal__inbox_sleep(gate->loop->inbox, deadline);
    }
    gate->abandoned = !dbal__gate_module_is_over(gate);
}

static void
join(dbal__resource *resource)
{
    dbal_gate *gate = DBAL__OF(resource, dbal_gate, resource);
    if (gate->module != NULL) {
        join_workers(gate);
        return;
    }
    double patience = gate->abandoned ? 0.1 : gate->close_timeout;
    int64_t deadline = patience < 0 ? DBAL__NEVER : dbal__after(dbal__monotonic(), patience);
    if (gate->kind == DBAL_GATE_DRIVER_THREAD)
        wait_for_calls(gate, deadline);
    bool all = join_threads(gate, deadline);
    dbal__loop_settle(gate->loop);
    if (!dbal__list_empty(&gate->calls))
        give_up(gate);
    else if (gate->kind != DBAL_GATE_DRIVER_THREAD)
        gate->abandoned = !all; /* what was given up may have come back since */
}

static void
free_gate(dbal__resource *resource)
{
    dbal_gate *gate = DBAL__OF(resource, dbal_gate, resource);
    dbal__list_remove(&resource->link);
    if (gate->abandoned)
        return; /* a thread may still come back to it */
    dbal__gate_module_fini(gate);
    dbal__crew_fini(&gate->crew);
    dbal__inbox_unref(gate->inbox);
    dbal__free(gate->workers);
    dbal__free(gate);
}

static const dbal__resource_ops resource_ops = {begin_closing, stop, join, free_gate};

/* ---- making ---- */

/* NULL when the options are right */
static dbal_error *
check_options(int threadlevel, const dbal_gate_options *options)
{
    if (threadlevel < 0 || threadlevel > 3)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "threadlevel %d is none: 0 to 3 are",
                              threadlevel);
    if (options->size == 0)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "the options do not say their size: make them with DBAL_GATE() or "
                              "DBAL_GATE_OPTIONS_INIT");
    if (options->threads < 0 || options->threads > THREADS_MOST)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "threads: %d is not within 1 to %d",
                              options->threads, THREADS_MOST);
    if (options->max_waiting < 0)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "max_waiting: %d is negative",
                              options->max_waiting);
    if (isnan(options->close_timeout))
        return dbal_error_new(DBAL_ERROR_INTERFACE, "close_timeout: not a number");
    if (options->module != NULL && options->library != NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "library: a module has processes of its own, and shares no thread");
    if (threadlevel == 0 && options->library == NULL && options->module == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "library: needed at threadlevel 0, to know what shares one thread");
    return NULL;
}

static bool
equip(dbal_gate *gate, const dbal_gate_options *options, dbal_error **ret_error)
{
    bool hung = false;
    if (gate->kind == DBAL_GATE_PROCESS)
        return dbal__gate_module_init(gate, options->module, ret_error);
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
    gate->kind = dbal__gate_choose(
        threadlevel, false, options->module != NULL ? DBAL_GATE_PROCESS : DBAL_GATE_AUTO, &why);
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
    dbal__crew_init(&gate->crew, loop, dbal__gate_wants_thread);
    dbal__loop_add(loop, &gate->resource);
    dbal__helpers_begin(loop->helpers);
    return gate;
}

dbal_gate *
dbal_gate_new(dbal_loop *loop, int threadlevel, const dbal_gate_options *options,
              dbal_error **ret_error)
{
    dbal_gate_options given = {.size = sizeof given};
    dbal_error *error = NULL;
    if (options != NULL) {
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
        given.size = options->size;
    }
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
