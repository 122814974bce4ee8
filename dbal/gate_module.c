/*
 * Calls of a module's function in worker processes. Each worker has one call at a time, so that what
 * hangs or crashes is that call's alone; it is started when a call first needs it, and stays.
 */
#include "dbal/gate_module.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/channel.h"
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/module.h"
#include "dbal/outcome.h"
#include "dbal/process.h"
#include "dbal/result.h"
#include "dbal/value.h"

static const double START_TIMEOUT = 20;       /* seconds */
static const size_t ANSWER_MOST = 256u << 20; /* bytes, as of a pool's results */
static const size_t DATA_MOST = 256u << 20;   /* bytes; a frame may have much more */

/* A worker, or the room for one. */
typedef struct desk {
    dbal_gate *gate;
    dbal__channel *channel; /* NULL: none */
    bool open, leaving;
    dbal__list waiting; /* calls that must go to it, oldest first */
    struct call *at;    /* the call it is at, or NULL */
} desk;

struct dbal__gate_module {
    dbal__driver_entry *driver;
    dbal__process_config *config;
    dbal__sql *sql;
    dbal__list waiting;   /* calls that may go to any worker, oldest first */
    size_t free_count;    /* how many */
    size_t waiting_count; /* these and the desks' */
    bool enough;          /* a worker could not be started: those that are there must do */
    uint64_t last;        /* number that a job was given */
    desk desks[];         /* as many as the gate has threads */
};

typedef struct call {
    dbal__job job;
    dbal__list link;
    dbal_gate *gate;
    desk *only; /* the one it has to go to, or NULL */
    desk *at;
    dbal_deferred *deferred;
    bool cancelled;
    uint64_t block[]; /* the packed value */
} call;

static void serve(dbal_gate *gate);
static void on_opened(dbal__channel *channel, dbal_error *error);
static void on_closed(dbal__channel *channel);
static void on_lost(dbal__channel *channel, dbal_error *error);

/* ---- a call's end -------------------------------------------------------------------------------- */

/* Settles it, if nobody has yet, and is done with it. */
static void
finish(call *one, dbal_outcome outcome)
{
    dbal_deferred *deferred = one->deferred;
    one->deferred = NULL;
    dbal__request_fini(&one->job.request);
    dbal__free(one);
    dbal_deferred_fire(deferred, outcome);
}

static void
leave_line(call *one)
{
    dbal__list_remove(&one->link);
    one->gate->module->waiting_count--;
    one->gate->module->free_count -= one->only == NULL;
}

static void
fail_line(dbal__list *line, dbal_error *error)
{
    while (!dbal__list_empty(line)) {
        call *one = DBAL__OF(line->next, call, link);
        leave_line(one);
        finish(one, dbal_fail(dbal__error_copy(error, DBAL_EXECUTION_NOT_SENT)));
    }
}

static void
cancel_call(dbal_deferred *deferred, void *arg)
{
    call *one = arg;
    (void)deferred;
    if (one->at == NULL) {
        leave_line(one);
        finish(one, dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_NOT_SENT));
        return;
    }
    /* a module cannot stop: its worker is killed */
    one->cancelled = true;
    one->at->channel->ops->cancel(one->at->channel, &one->job);
}

/* What is large is freed by a helper, whoever drops it. */
static dbal_result *
take_result(call *one)
{
    dbal__job *job = &one->job;
    dbal_result *result = job->request.result;
    job->request.result = NULL;
    if (result != NULL && dbal__result_is_large(result))
        dbal__result_set_reaper(result, dbal__helpers_reaper(one->gate->loop->helpers));
    return result;
}

static dbal_outcome
outcome_of(call *one)
{
    dbal__job *job = &one->job;
    dbal_error *error = job->error;
    dbal_result *result = take_result(one);
    job->error = NULL;
    if (one->cancelled && (error == NULL || dbal_error_kind(error) != DBAL_ERROR_CANCELLED)) {
        dbal_error_unref(error);
        dbal_result_unref(result);
        return dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_UNKNOWN);
    }
    if (error != NULL || !job->ok) {
        dbal_result_unref(result);
        return dbal_fail(error);
    }
    return dbal_ok_result(result);
}

/* It has come back. */
static void
did_run(dbal__job *job)
{
    call *one = DBAL__OF(job, call, job);
    dbal_gate *gate = one->gate;
    one->at->at = NULL;
    finish(one, outcome_of(one));
    serve(gate);
}

/* ---- workers ------------------------------------------------------------------------------------- */

static void
part_with(desk *room)
{
    if (room->leaving)
        return;
    room->leaving = true;
    if (room->open)
        room->channel->ops->close(room->channel);
    else
        dbal__channel_stop_opening(room->channel);
}

static void
clear(desk *room)
{
    room->channel->ops->free(room->channel);
    room->channel = NULL;
    room->open = room->leaving = false;
}

static void
on_closed(dbal__channel *channel)
{
    desk *room = channel->owner;
    clear(room);
    serve(room->gate);
    dbal__gate_check_closed(room->gate);
}

static void
on_lost(dbal__channel *channel, dbal_error *error)
{
    desk *room = channel->owner;
    bool killed = room->gate->closing || (room->at != NULL && room->at->cancelled);
    if (!killed)
        dbal__ready_log(&channel->loop->ready, DBAL_LOG_WARNING, "%s", dbal_error_message(error));
    dbal_error_unref(error);
    room->leaving = true; /* it closes by itself, and its call comes back before */
}

/* Workers that are there, or are being started. */
static size_t
workers(const dbal_gate *gate)
{
    size_t count = 0;
    for (int i = 0; i < gate->most_threads; i++)
        count += gate->module->desks[i].channel != NULL && !gate->module->desks[i].leaving;
    return count;
}

/* A worker could not be started: what only it could have done fails, and all when there is no other. */
static void
fail_for(desk *room, dbal_error *error)
{
    dbal_gate *gate = room->gate;
    fail_line(&room->waiting, error);
    gate->module->enough = workers(gate) > 0;
    if (!gate->module->enough)
        fail_line(&gate->module->waiting, error);
}

static void
did_not_open(desk *room, dbal_error *error)
{
    dbal_gate *gate = room->gate;
    bool unwanted = room->leaving;
    clear(room);
    if (!unwanted)
        fail_for(room, error);
    dbal_error_unref(error);
    dbal__gate_check_closed(gate);
}

static void
on_opened(dbal__channel *channel, dbal_error *error)
{
    desk *room = channel->owner;
    if (error != NULL) {
        did_not_open(room, error);
        return;
    }
    room->open = true;
    room->gate->module->enough = false;
    if (room->leaving)
        channel->ops->close(channel);
    else
        serve(room->gate);
}

static bool
start(desk *room, dbal_error **ret_error)
{
    dbal_gate *gate = room->gate;
    struct dbal__gate_module *module = gate->module;
    dbal__channel *channel = dbal__native_new(gate->loop, module->driver);
    if (channel == NULL) {
        *ret_error = dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
        return false;
    }
    channel->owner = room;
    channel->threadlevel = module->driver->driver->threadlevel(module->config);
    channel->capabilities = module->driver->driver->capabilities(module->config);
    channel->opening.config = module->config;
    channel->opening.deadline = dbal__after(dbal__monotonic(), START_TIMEOUT);
    channel->opened = on_opened;
    channel->closed = on_closed;
    channel->lost = on_lost;
    room->channel = channel;
    if (channel->ops->open(channel, ret_error))
        return true;
    clear(room);
    return false;
}

/* ---- which call goes where ----------------------------------------------------------------------- */

static bool
is_free(const desk *room)
{
    return room->open && !room->leaving && room->at == NULL;
}

static void
hand_down(call *one, desk *room)
{
    leave_line(one);
    one->at = room;
    room->at = one;
    room->channel->ops->submit(room->channel, &one->job);
}

static call *
first_of(const dbal__list *line)
{
    return dbal__list_empty(line) ? NULL : DBAL__OF(line->next, call, link);
}

/* The oldest that may go to this one, or NULL. */
static call *
next_for(const desk *room)
{
    call *mine = first_of(&room->waiting), *any = first_of(&room->gate->module->waiting);
    if (mine == NULL || any == NULL)
        return mine != NULL ? mine : any;
    return mine->job.number < any->job.number ? mine : any;
}

/* Workers that are being started and have nothing yet that must go to them take one call each. */
static size_t
starting(const dbal_gate *gate)
{
    size_t count = 0;
    for (int i = 0; i < gate->most_threads; i++) {
        const desk *room = &gate->module->desks[i];
        count += room->channel != NULL && !room->open && !room->leaving &&
                 dbal__list_empty(&room->waiting);
    }
    return count;
}

static void
start_here(desk *room)
{
    dbal_error *error = NULL;
    if (start(room, &error))
        return;
    fail_for(room, error);
    dbal_error_unref(error);
}

/* Starts workers for what waits and nobody who is there will take. */
static void
start_more(dbal_gate *gate)
{
    struct dbal__gate_module *module = gate->module;
    size_t coming = starting(gate);
    bool enough = module->enough && workers(gate) > 0;
    for (int i = 0; i < gate->most_threads && module->waiting_count > 0; i++) {
        desk *room = &module->desks[i];
        if (room->channel != NULL)
            continue;
        if (!dbal__list_empty(&room->waiting)) {
            start_here(room);
        } else if (module->free_count > coming && !enough) {
            coming++;
            start_here(room);
            enough = module->enough;
        }
    }
}

/* Hands down what can go. */
static void
serve(dbal_gate *gate)
{
    struct dbal__gate_module *module = gate->module;
    if (gate->closing) {
        dbal__gate_module_close(gate);
        return;
    }
    for (int i = 0; i < gate->most_threads && module->waiting_count > 0; i++) {
        desk *room = &module->desks[i];
        call *one = is_free(room) ? next_for(room) : NULL;
        if (one != NULL)
            hand_down(one, room);
    }
    if (module->waiting_count > 0)
        start_more(gate);
}

/* ---- the gate's side ----------------------------------------------------------------------------- */

static desk *
desk_of(dbal_gate *gate, const void *object)
{
    uint64_t mixed = (uint64_t)(uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15);
    if (object == NULL || gate->level == 3)
        return NULL;
    return &gate->module->desks[(mixed >> 32) % (uint64_t)gate->most_threads];
}

static dbal_error *
refusal(const dbal_gate *gate, const void *data, size_t size)
{
    if (gate->module == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "this gate has no module: give one in its options, or use "
                              "dbal_gate_call()");
    if (gate->closing || gate->loop->ready.closed)
        return dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT);
    if (data == NULL && size > 0)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "there are no bytes, but their size is not 0");
    if (size > DATA_MOST)
        return dbal__error_make(DBAL_ERROR_DATA, "54000", DBAL_EXECUTION_NOT_SENT,
                                "%zu bytes are too many for one call: up to %zu are not", size,
                                DATA_MOST);
    if (gate->module->waiting_count >= (size_t)gate->max_waiting)
        return dbal__error_make(DBAL_ERROR_QUEUE_FULL, NULL, DBAL_EXECUTION_NOT_SENT,
                                "%zu calls wait in this gate already (max_waiting)",
                                gate->module->waiting_count);
    return NULL;
}

static call *
make(dbal_gate *gate, const void *object, const void *data, size_t size)
{
    dbal_value value = dbal_blob(data, size);
    call *one = dbal__alloc(sizeof *one + dbal__pack_size(&value, NULL, 1));
    if (one == NULL)
        return NULL;
    dbal__clear(one, sizeof *one);
    dbal__job_init(&one->job, did_run);
    dbal__pack(one->block, &value, NULL, 1);
    one->gate = gate;
    one->only = desk_of(gate, object);
    one->job.number = ++gate->module->last;
    one->job.request.sql = gate->module->sql;
    one->job.request.block = one->block;
    one->job.request.value_count = 1;
    one->job.request.max_result_bytes = ANSWER_MOST;
    return one;
}

dbal_deferred *
dbal_gate_call_module(dbal_gate *gate, const void *object, const void *data, size_t size)
{
    if (!dbal__loop_check(gate->loop, "dbal_gate_call_module"))
        return NULL;
    dbal_error *refused = refusal(gate, data, size);
    call *one = refused == NULL ? make(gate, object, data, size) : NULL;
    if (one == NULL)
        return dbal__deferred_failed(
            gate->loop, refused != NULL
                            ? refused
                            : dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    dbal_deferred *deferred = one->deferred = dbal__deferred_new(gate->loop, cancel_call, one);
    if (deferred == NULL) {
        dbal__free(one);
        return NULL;
    }
    if (gate->module->waiting_count == 0)
        gate->module->enough = false; /* what was missing may be there again */
    dbal__list_push(one->only != NULL ? &one->only->waiting : &gate->module->waiting, &one->link);
    gate->module->waiting_count++;
    gate->module->free_count += one->only == NULL;
    serve(gate);
    return deferred;
}

void
dbal__gate_module_close(dbal_gate *gate)
{
    struct dbal__gate_module *module = gate->module;
    dbal_error *closed = dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT);
    fail_line(&module->waiting, closed);
    for (int i = 0; i < gate->most_threads; i++) {
        desk *room = &module->desks[i];
        fail_line(&room->waiting, closed);
        if (room->channel != NULL && room->at == NULL)
            part_with(room);
    }
}

bool
dbal__gate_module_is_over(const dbal_gate *gate)
{
    bool over = gate->module->waiting_count == 0;
    for (int i = 0; over && i < gate->most_threads; i++)
        over = gate->module->desks[i].channel == NULL;
    return over;
}

unsigned
dbal__gate_module_kill(dbal_gate *gate)
{
    unsigned count = 0;
    for (int i = 0; i < gate->most_threads; i++) {
        desk *room = &gate->module->desks[i];
        if (room->at == NULL)
            continue;
        count++;
        room->channel->ops->cancel(room->channel, &room->at->job);
    }
    return count;
}

void
dbal__gate_module_give_up(dbal_gate *gate)
{
    for (int i = 0; i < gate->most_threads; i++) {
        desk *room = &gate->module->desks[i];
        if (room->at != NULL)
            room->channel->ops->give_up(room->channel);
    }
}

static bool
prepare(dbal_gate *gate, const char *path, dbal_error **ret_error)
{
    struct dbal__gate_module *module = gate->module;
    dbal_fault fault = DBAL__FAULT_INIT;
    char *url = dbal__module_url(path), *file = dbal__strdup(path);
    module->driver = dbal__process_driver(&dbal__module_entry);
    if (url != NULL && file != NULL && module->driver != NULL)
        module->config =
            dbal__process_configure(dbal__module_entry.driver, file, url, false, ret_error);
    else
        dbal__free(file);
    dbal__free(url);
    if (module->config == NULL)
        return false;
    module->sql = dbal__sql_new(module->driver->driver, module->config, "call $1", &fault);
    if (module->sql == NULL)
        *ret_error = dbal__fault_take(&fault);
    dbal_fault_clear(&fault);
    return module->sql != NULL;
}

bool
dbal__gate_module_init(dbal_gate *gate, const char *path, dbal_error **ret_error)
{
    char file[PATH_MAX];
    if (realpath(path, file) == NULL) {
        *ret_error = dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                      "module: %s: %m", path);
        return false;
    }
    size_t desks = (size_t)gate->most_threads;
    gate->module = dbal__zalloc(sizeof *gate->module + desks * sizeof(desk));
    if (gate->module == NULL)
        return false;
    dbal__list_init(&gate->module->waiting);
    for (size_t i = 0; i < desks; i++) {
        gate->module->desks[i].gate = gate;
        dbal__list_init(&gate->module->desks[i].waiting);
    }
    if (prepare(gate, file, ret_error))
        return true;
    dbal__gate_module_fini(gate);
    return false;
}

void
dbal__gate_module_fini(dbal_gate *gate)
{
    struct dbal__gate_module *module = gate->module;
    if (module == NULL)
        return;
    if (module->sql != NULL)
        dbal__sql_unref(module->sql);
    if (module->config != NULL)
        module->driver->driver->configure_free(module->config);
    dbal__free(module);
    gate->module = NULL;
}
