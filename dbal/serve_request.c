/* One request in its worker: run through the driver's blocking face, and answered. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/clock.h"
#include "dbal/error.h"
#include "dbal/result.h"
#include "dbal/serve.h"

/* Statements that take less let their answers wait for one another, so long at most (ns). */
static const int64_t QUICK = 50000, HELD = 100000;

/* The request that runs; there is one in a process. */
typedef struct errand {
    dbal__job job; /* first */
    dbal__server *server;
    uint64_t number;
    int64_t took; /* ns */
} errand;

/* How many statements go by between two looks at how large the process is. */
enum { LOOK_EVERY = 16 };

static uint64_t
memory_now(void)
{
    static unsigned count;
    static uint64_t bytes;
    unsigned long long all = 0, resident = 0;
    if (count++ % LOOK_EVERY != 0)
        return bytes;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu", &all, &resident) == 2)
        bytes = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
    fclose(file);
    return bytes;
}

/* A batch of a stream. */
static bool
deliver(dbal_request *request, dbal_result *batch)
{
    errand *one = DBAL__OF(request, errand, job.request);
    dbal__server *server = one->server;
    bool wanted = dbal__serve_await_credit(server);
    if (wanted) {
        size_t begin = dbal__ink_begin(&server->out, DBAL__FRAME_ROWS, one->number);
        dbal__parcel_put_rows(&server->out, batch);
        dbal__ink_end(&server->out, begin);
        wanted = dbal__serve_send(server);
        if (!wanted)
            dbal__request_refuse(request, DBAL__NO_MEMORY);
    }
    dbal_result_unref(batch);
    return wanted && !server->lost;
}

/* ---- which answers wait for the next ------------------------------------------------------------- */

static dbal__known *
known(errand *one)
{
    return &one->server->known[one->job.request.sql->hash % DBAL__SERVE_KNOWN];
}

/* Whether it is known to end soon, so that answers may wait for it. */
static bool
is_quick(errand *one)
{
    if (!one->job.may_wait)
        return false;
    const dbal__known *what = known(one);
    return what->hash == one->job.request.sql->hash && what->mean < QUICK;
}

static void
learn(errand *one)
{
    dbal__known *what = known(one);
    uint64_t hash = one->job.request.sql->hash;
    what->mean = what->hash == hash ? what->mean + (one->took - what->mean) / 8 : one->took;
    what->hash = hash;
}

/*
 * Each answer that is sent by itself costs as much as a quick statement. Only those may wait that can be
 * run once more, should the process die before they are sent.
 */
static bool
may_wait(errand *one, int64_t now)
{
    dbal__server *server = one->server;
    if (!one->job.may_wait || one->took > QUICK || server->dead || !dbal__serve_has_more(server))
        return false;
    if (server->held == 0)
        server->held_since = now;
    return now - server->held_since < HELD;
}

/* ---- running ------------------------------------------------------------------------------------- */

static bool
call_driver(errand *one, dbal_fault *fault)
{
    dbal__server *server = one->server;
    const dbal_blocking *face = server->driver->blocking;
    dbal_request *request = &one->job.request;
    switch (one->job.kind) {
    case DBAL__JOB_RESET:
        return face->reset(server->connection, fault);
    case DBAL__JOB_UPKEEP:
        return face->upkeep(server->connection, fault);
    case DBAL__JOB_BACKUP:
        return face->backup(server->connection, request, fault);
    default:
        return face->run(server->connection, request, fault);
    }
}

static void
refuse_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
}

/* Whether it goes back because one before it went back for the token, see runner.c. */
static bool
bounced(errand *one, dbal_fault *fault)
{
    const dbal_request *request = &one->job.request;
    if (request->has_token || one->job.alone || !request->in_order)
        one->server->bounces = false;
    if (one->server->bounces)
        dbal_fault_set_needs_token(fault);
    return one->server->bounces;
}

/* Whether it may begin; else the fault says why not. */
static bool
may_begin(errand *one, dbal_fault *fault)
{
    dbal__server *server = one->server;
    if (!dbal__request_begin(&one->job.request)) {
        refuse_memory(fault);
        return false;
    }
    if (server->dead) {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08006", "the connection was lost");
        dbal_fault_set_connection_lost(fault, true);
        dbal_fault_set_retryable(fault, true);
        dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    } else if (dbal__serve_set_current(server, one->number, &one->job.request)) {
        return true;
    } else {
        dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "stopped before it began");
    }
    return false;
}

static void
run(errand *one)
{
    dbal__server *server = one->server;
    const dbal_blocking *face = server->driver->blocking;
    dbal_request *request = &one->job.request;
    dbal_fault fault = DBAL__FAULT_INIT;
    bool begun = may_begin(one, &fault);
    bool ok = begun && !bounced(one, &fault) && call_driver(one, &fault);
    dbal__job_end(&one->job, ok, &fault);
    dbal__serve_set_current(server, 0, NULL);
    if (begun)
        server->bounces = request->in_order && one->job.needs_token;
    server->dead =
        server->dead || (one->job.error != NULL && dbal_error_connection_lost(one->job.error));
    if (server->dead)
        return; /* it is of no more use */
    one->job.in_transaction = face->in_transaction(server->connection);
    if (request->has_token && face->upkeep_wanted != NULL)
        one->job.upkeep_wanted = face->upkeep_wanted(server->connection);
    server->dead = dbal__job_strays(&one->job);
}

static void
put_answer(errand *one, dbal__verdict *verdict)
{
    dbal__job *job = &one->job;
    dbal__ink *out = &one->server->out;
    const dbal_result *result = job->request.result;
    size_t begin = dbal__ink_begin(out, DBAL__FRAME_DONE, one->number);
    if (job->ok) {
        verdict->has_affected = dbal__result_has_affected(result);
        verdict->affected = verdict->has_affected ? dbal_result_affected(result) : 0;
        verdict->last_insert_id = dbal_result_last_insert_id(result);
    }
    dbal__parcel_put_verdict(out, verdict);
    if (job->ok)
        dbal__parcel_put_rows(out, result);
    else if (!job->needs_token)
        dbal__parcel_put_error(out, job->error);
    dbal__ink_end(out, begin);
}

/* It ran, and what came of it cannot be told. */
static void
put_failure(errand *one, dbal__verdict *verdict)
{
    dbal__ink *out = &one->server->out;
    verdict->ok = verdict->needs_token = false;
    size_t begin = dbal__ink_begin(out, DBAL__FRAME_DONE, one->number);
    dbal__parcel_put_verdict(out, verdict);
    dbal__parcel_put_error(out, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN));
    dbal__ink_end(out, begin);
}

static void
answer(errand *one, int64_t now)
{
    dbal__job *job = &one->job;
    dbal__verdict verdict = {.ok = job->ok,
                             .in_transaction = job->in_transaction,
                             .needs_token = job->needs_token,
                             .upkeep = (uint8_t)job->upkeep_wanted,
                             .memory = memory_now()};
    put_answer(one, &verdict);
    bool waits = may_wait(one, now);
    if (waits ? dbal__serve_hold(one->server) : dbal__serve_send(one->server))
        return;
    put_failure(one, &verdict);
    if (!dbal__serve_send(one->server))
        one->server->lost = true; /* without memory for so little nothing can go on */
}

static bool
can(const dbal_blocking *face, dbal__job_kind kind)
{
    return (kind != DBAL__JOB_RESET || face->reset != NULL) &&
           (kind != DBAL__JOB_UPKEEP || face->upkeep != NULL) &&
           (kind != DBAL__JOB_BACKUP || face->backup != NULL);
}

bool
dbal__serve_request(dbal__server *server, const dbal__frame *frame)
{
    static const dbal__job_kind kinds[] = {[DBAL__FRAME_RUN] = DBAL__JOB_STATEMENT,
                                           [DBAL__FRAME_RESET] = DBAL__JOB_RESET,
                                           [DBAL__FRAME_UPKEEP] = DBAL__JOB_UPKEEP,
                                           [DBAL__FRAME_BACKUP] = DBAL__JOB_BACKUP};
    errand one = {.server = server, .number = frame->number};
    dbal__sql sql;
    bool streams = false;
    dbal__job_init(&one.job, NULL);
    one.job.kind = kinds[frame->kind];
    if (!can(server->driver->blocking, one.job.kind) ||
        !dbal__parcel_take_request(server->body, frame->size, &one.job, &sql, &streams) ||
        (one.job.kind == DBAL__JOB_STATEMENT && one.job.request.sql == NULL))
        return false;
    if (streams)
        one.job.request.deliver = deliver;
    if (!is_quick(&one))
        dbal__serve_flush(server);
    int64_t began = dbal__monotonic();
    run(&one);
    int64_t now = dbal__monotonic();
    one.took = now - began;
    if (one.job.may_wait)
        learn(&one);
    answer(&one, now);
    dbal_error_unref(one.job.error);
    dbal__request_fini(&one.job.request);
    return true;
}
