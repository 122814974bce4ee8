/*
 * Rows in batches, and the bytes of a copy in chunks. Two batches at most are on their way; the thread that makes more sleeps until
 * the consumer has taken one, and on the loop gate the driver is told to read no more.
 */
#include <dbal/copy.h>
#include <dbal/stream.h>

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/futex.h"
#include "dbal/outcome.h"
#include "dbal/result.h"
#include "pool/connection.h"
#include "pool/pool.h"

enum { WINDOW = 2, BATCH_ROWS = 512, BATCH_BYTES = 128 * 1024 };
/* Of a copy: a chunk, and what may wait. */
enum { CHUNK = 64 * 1024, WAITING_BYTES = 256 * 1024 };

typedef struct batch {
    dbal__message message;
    dbal__list link;
    struct dbal_stream *stream;
    dbal_result *rows; /* NULL: bytes */
    size_t size, room;
    char data[];
} batch;

struct dbal_stream {
    unsigned refs;        /* the ticket's and its Deferred's; both the loop's */
    dbal__ticket *ticket; /* NULL once it is freed */
    dbal__scope *scope;   /* the one it was made in, watched for; a reference, or NULL */
    dbal__inbox *inbox;
    dbal_rows_fn *fn;
    dbal_bytes_fn *bytes_fn; /* for a copy, instead */
    void *arg;
    dbal__list batches; /* not yet given to fn */
    size_t batch_count, waiting_bytes;
    int64_t rows; /* given to fn */
    dbal__task task;
    bool paused, native, giving;
    bool back;         /* the job has come back; its outcome waits for the batches */
    atomic_int credit; /* batches that may be sent */
    atomic_bool stop;  /* the consumer wants no more */
};

static void
batch_free(batch *one)
{
    dbal__list_remove(&one->link);
    dbal_result_unref(one->rows);
    dbal__free(one);
}

static bool
is_over(const dbal_stream *stream)
{
    return atomic_load(&stream->stop) || stream->ticket->why != 0 ||
           dbal__ticket_has_settled(stream->ticket);
}

static void
took_one(dbal_stream *stream)
{
    /* once the job is back, its connection may be gone */
    dbal__slot *slot = stream->back ? NULL : dbal__slot_of(stream->ticket);
    atomic_fetch_add(&stream->credit, 1);
    if (slot != NULL)
        slot->channel->ops->resume(slot->channel, &stream->ticket->job);
}

static dbal_flow
give_one(dbal_stream *stream, const batch *one)
{
    dbal__ready *ready = &stream->ticket->pool->loop->ready;
    dbal_flow flow;
    if (one->rows != NULL)
        stream->rows += (int64_t)dbal_result_row_count(one->rows);
    dbal__ready_app_enter(ready);
    if (one->rows != NULL)
        flow = stream->fn(stream, one->rows, stream->arg);
    else
        flow = stream->bytes_fn(stream, one->data, one->size, stream->arg);
    dbal__ready_app_leave(ready);
    return flow;
}

/* Gives batches to the consumer until it pauses. */
static void
give(dbal_stream *stream)
{
    stream->giving = true;
    while (!stream->paused && !dbal__list_empty(&stream->batches)) {
        batch *one = DBAL__OF(stream->batches.next, batch, link);
        dbal_flow flow = DBAL_STOP;
        dbal__list_remove(&one->link);
        stream->batch_count--;
        stream->waiting_bytes -= one->size;
        if (!is_over(stream))
            flow = give_one(stream, one);
        batch_free(one);
        stream->paused = flow == DBAL_PAUSE && !is_over(stream);
        if (flow == DBAL_STOP)
            atomic_store(&stream->stop, true);
        took_one(stream);
    }
    stream->giving = false;
    /* one that pauses behind the last batch is not told of the end before it goes on */
    if (stream->back && !stream->paused && dbal__list_empty(&stream->batches))
        dbal__ticket_end(stream->ticket);
}

static void
on_task(dbal__task *task)
{
    give(DBAL__OF(task, dbal_stream, task));
}

static void
give_soon(dbal_stream *stream)
{
    if (!dbal__task_is_queued(&stream->task))
        dbal__ready_push(&stream->ticket->pool->loop->ready, &stream->task);
}

void
dbal_stream_resume(dbal_stream *stream)
{
    if (stream == NULL || stream->ticket == NULL || !stream->paused ||
        !dbal__loop_check(stream->ticket->pool->loop, "dbal_stream_resume"))
        return;
    stream->paused = false;
    give_soon(stream);
}

static void
add(dbal_stream *stream, batch *one)
{
    dbal__list_push(&stream->batches, &one->link);
    stream->batch_count++;
    if (!stream->giving)
        give_soon(stream);
}

static void
arrived(dbal__message *message)
{
    batch *one = DBAL__OF(message, batch, message);
    dbal_stream *stream = one->stream;
    if (dbal__result_is_large(one->rows))
        dbal__result_set_reaper(one->rows,
                                dbal__helpers_reaper(stream->ticket->pool->loop->helpers));
    add(stream, one);
}

/* In the worker's thread: waits until the consumer has room. False: nobody wants more. */
static bool
wait_for_credit(dbal_stream *stream, dbal_request *request)
{
    dbal__job *job = DBAL__OF(request, dbal__job, request);
    for (;;) {
        int seen = atomic_load(&job->signal);
        if (dbal_request_stopped(request) || atomic_load(&stream->stop))
            return false;
        if (atomic_load(&stream->credit) > 0) {
            atomic_fetch_sub(&stream->credit, 1);
            return true;
        }
        dbal__futex_wait(&job->signal, seen, DBAL__NEVER);
    }
}

/* Takes a batch from the driver, in whichever thread it runs. */
static bool
deliver(dbal_request *request, dbal_result *rows)
{
    dbal__ticket *ticket = DBAL__OF(request, dbal__ticket, job.request);
    dbal_stream *stream = ticket->stream;
    batch *one = dbal__alloc(sizeof *one);
    if (one == NULL || (!stream->native && !wait_for_credit(stream, request)) ||
        (stream->native && is_over(stream))) {
        if (one == NULL)
            dbal__request_refuse(request, DBAL__NO_MEMORY);
        dbal__free(one);
        dbal_result_unref(rows);
        return false;
    }
    *one = (batch){.message = {NULL, arrived}, .stream = stream, .rows = rows};
    dbal__list_init(&one->link);
    if (stream->native) {
        arrived(&one->message);
        request->full = stream->batch_count >= WINDOW;
    } else if (dbal__inbox_push(stream->inbox, &one->message)) {
        dbal__inbox_wake(stream->inbox);
    } else {
        batch_free(one); /* the loop is gone */
        return false;
    }
    return true;
}

/* Takes bytes of a copy from the driver, on the loop; those that wait together are given together. */
static bool
take_bytes(dbal_request *request, const void *data, size_t size)
{
    dbal_stream *stream = DBAL__OF(request, dbal__ticket, job.request)->stream;
    bool none = dbal__list_empty(&stream->batches);
    batch *last = none ? NULL : DBAL__OF(stream->batches.prev, batch, link);
    if (is_over(stream))
        return false;
    if (size == 0)
        return true;
    if (last == NULL || last->room - last->size < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        last = dbal__alloc(sizeof *last + room);
        if (last == NULL)
            return dbal__request_refuse(request, DBAL__NO_MEMORY);
        *last = (batch){.stream = stream, .room = room};
        dbal__list_init(&last->link);
        add(stream, last);
    }
    memcpy(last->data + last->size, data, size);
    last->size += size;
    stream->waiting_bytes += size;
    request->full = stream->waiting_bytes >= WAITING_BYTES;
    return true;
}

static dbal_stream *
attach(dbal__ticket *ticket, void *arg)
{
    dbal_pool *pool = ticket->pool;
    dbal_stream *stream = dbal__zalloc(sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->refs = 1;
    stream->ticket = ticket;
    stream->inbox = pool->loop->inbox;
    stream->arg = arg;
    stream->native = dbal__pool_is_native(pool);
    dbal__list_init(&stream->batches);
    dbal__task_init(&stream->task, on_task);
    atomic_init(&stream->credit, WINDOW);
    atomic_init(&stream->stop, false);
    ticket->stream = stream;
    ticket->job.share = DBAL_SHARE_NOTHING;
    return stream;
}

static bool
attach_rows(dbal__ticket *ticket, dbal_rows_fn *fn, void *arg)
{
    dbal_request *request = &ticket->job.request;
    dbal_stream *stream = attach(ticket, arg);
    if (stream == NULL)
        return false;
    stream->fn = fn;
    request->deliver = deliver;
    request->batch_rows = BATCH_ROWS;
    request->batch_bytes = BATCH_BYTES;
    return true;
}

bool
dbal__stream_attach_copy(dbal__ticket *ticket, dbal_bytes_fn *fn, void *arg)
{
    dbal_stream *stream = attach(ticket, arg);
    if (stream == NULL)
        return false;
    stream->bytes_fn = fn;
    ticket->job.request.copy = DBAL_COPY_OUT;
    ticket->job.request.take = take_bytes;
    return true;
}

bool
dbal__stream_holds(dbal__ticket *ticket)
{
    dbal_stream *stream = ticket->stream;
    if (stream == NULL)
        return false;
    stream->back = true;
    if (is_over(stream)) {
        while (!dbal__list_empty(&stream->batches))
            batch_free(DBAL__OF(stream->batches.next, batch, link));
        return false;
    }
    return !dbal__list_empty(&stream->batches) || stream->giving || stream->paused;
}

bool
dbal__stream_is_giving(const dbal__ticket *ticket)
{
    return ticket->stream->giving;
}

int64_t
dbal__stream_rows(const dbal__ticket *ticket)
{
    return ticket->stream->rows;
}

dbal_stream *
dbal__stream_ref(dbal_stream *stream)
{
    if (stream != NULL)
        stream->refs++;
    return stream;
}

void
dbal__stream_unref(dbal_stream *stream)
{
    if (stream == NULL || --stream->refs > 0)
        return;
    dbal__scope_unref(stream->scope);
    dbal__free(stream);
}

void
dbal__stream_end(dbal_stream *stream)
{
    if (stream == NULL)
        return;
    while (!dbal__list_empty(&stream->batches))
        batch_free(DBAL__OF(stream->batches.next, batch, link));
    dbal__list_remove(&stream->task.link);
    stream->ticket = NULL;
    dbal__stream_unref(stream);
}

static bool
watch_end(dbal__fate fate, dbal_error *error, void *arg)
{
    dbal_stream *stream = arg;
    bool ours = stream->scope != NULL && fate != DBAL__FATE_GONE &&
                dbal__scope_watch(fate, error, stream->scope);
    if (fate == DBAL__FATE_GONE)
        dbal__stream_unref(stream);
    return ours;
}

void
dbal__stream_outlive(dbal_stream *stream, dbal_deferred *deferred, dbal__scope *scope)
{
    stream->refs++;
    stream->scope = scope;
    dbal__deferred_watch(deferred, watch_end, stream);
}

static dbal_error *
no_function(void)
{
    return dbal_error_new(DBAL_ERROR_INTERFACE, "there is no function to take the stream's rows");
}

dbal_deferred *
dbal_pool_stream(dbal_pool *pool, const dbal_query *query, dbal_rows_fn *fn, void *arg)
{
    bool ok;
    dbal_error *error = NULL;
    dbal_deferred *refused = dbal__pool_refuse(pool, "dbal_pool_stream", &ok);
    if (!ok)
        return refused;
    if (fn == NULL)
        return dbal__deferred_failed(pool->loop, no_function());
    dbal__ticket *ticket = dbal__ticket_new(pool, query, DBAL__TICKET_STATEMENT, &error);
    if (ticket != NULL && !attach_rows(ticket, fn, arg)) {
        dbal__ticket_free(ticket);
        ticket = NULL;
        error = dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
    }
    if (ticket == NULL)
        return dbal__deferred_failed(pool->loop, error);
    if (!dbal__ticket_start(ticket))
        return NULL;
    dbal_deferred *deferred = ticket->deferred;
    dbal__stream_outlive(ticket->stream, deferred, NULL);
    dbal__waiters_add(ticket);
    return deferred;
}

dbal_deferred *
dbal_connection_stream(dbal_connection *connection, const dbal_query *query, dbal_rows_fn *fn,
                       void *arg)
{
    dbal__ticket *ticket = NULL;
    if (!dbal__loop_check(connection->pool->loop, "dbal_connection_stream"))
        return NULL;
    if (fn == NULL)
        return dbal__deferred_failed(connection->pool->loop, no_function());
    dbal_deferred *deferred =
        dbal__connection_add(connection, query, "dbal_connection_stream", &ticket);
    if (ticket == NULL)
        return deferred;
    if (!attach_rows(ticket, fn, arg)) {
        dbal__ticket_fail_waiting(
            ticket, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
        return deferred;
    }
    /* in place of the scope's own watch, whose reference goes over */
    dbal__stream_outlive(ticket->stream, deferred, ticket->scope);
    dbal__connection_pump(connection);
    return deferred;
}
