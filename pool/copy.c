/*
 * Copies into the database. What is written waits here, in chunks, until the driver asks for it, which it does
 * when what it got before has left: so that no client library can buffer without end.
 */
#include <dbal/copy.h>

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "dbal/sql_utf8.h"
#include "pool/connection.h"
#include "pool/pool.h"

/* A chunk holds so much, and so much may wait before the program is told to stop writing. */
enum { CHUNK = 64 * 1024, BUDGET = 1024 * 1024 };

typedef struct chunk {
    dbal__list link;
    size_t size, room;
    char data[];
} chunk;

struct dbal_copy {
    unsigned refs;        /* the ticket's and its Deferred's; both the loop's */
    dbal__ticket *ticket; /* NULL once it is freed */
    dbal__scope *scope;   /* the one it was made in, watched for; a reference, or NULL */
    dbal_copy_fn *room;
    void *arg;
    dbal__list chunks;
    size_t queued; /* bytes in them */
    chunk *handed; /* the driver has it until it asks for the next */
    dbal__task task;
    bool asked; /* the database is ready for data */
    bool waits; /* the driver has asked and got nothing */
    bool full;  /* the program was told to write no more */
    bool ended, aborted;
    char *why; /* it was aborted; NULL: nothing was said, or could be kept */
};

/* ---- the data ---- */

static void
drop(dbal_copy *copy)
{
    dbal__list *link;
    while ((link = dbal__list_pop(&copy->chunks)) != NULL)
        dbal__free(DBAL__OF(link, chunk, link));
    copy->queued = 0;
}

static chunk *
add_chunk(dbal_copy *copy, size_t size)
{
    size_t room = size > CHUNK ? size : CHUNK;
    chunk *made = dbal__alloc(sizeof *made + room);
    if (made == NULL)
        return NULL;
    made->size = 0;
    made->room = room;
    dbal__list_init(&made->link);
    dbal__list_push(&copy->chunks, &made->link);
    return made;
}

static bool
append(dbal_copy *copy, const char *data, size_t size)
{
    chunk *last = dbal__list_empty(&copy->chunks) ? NULL : DBAL__OF(copy->chunks.prev, chunk, link);
    while (size > 0) {
        if (last == NULL || last->size == last->room)
            last = add_chunk(copy, CHUNK);
        if (last == NULL)
            return false;
        size_t part = last->room - last->size < size ? last->room - last->size : size;
        memcpy(last->data + last->size, data, part);
        last->size += part;
        copy->queued += part;
        data += part;
        size -= part;
    }
    return true;
}

/* ---- between the program and the driver ---- */

/* Nothing that is written any more would get anywhere. */
static bool
is_over(const dbal_copy *copy)
{
    const dbal__ticket *ticket = copy->ticket;
    return copy->ended || ticket == NULL || ticket->why != 0 || ticket->job.ended != 0 ||
           dbal__ticket_has_settled(ticket);
}

static void
on_task(dbal__task *task)
{
    dbal_copy *copy = DBAL__OF(task, dbal_copy, task);
    if (is_over(copy))
        return;
    dbal__ready *ready = &copy->ticket->pool->loop->ready;
    copy->full = false;
    dbal__ready_app_enter(ready);
    copy->room(copy, copy->arg);
    dbal__ready_app_leave(ready);
}

static void
tell_soon(dbal_copy *copy)
{
    if (!dbal__task_is_queued(&copy->task))
        dbal__ready_push(&copy->ticket->pool->loop->ready, &copy->task);
}

static dbal_copy_step
hand(dbal_copy *copy, const void **ret_data, size_t *ret_size)
{
    chunk *one = DBAL__OF(dbal__list_pop(&copy->chunks), chunk, link);
    copy->handed = one;
    copy->queued -= one->size;
    if (copy->full && copy->queued <= BUDGET / 2)
        tell_soon(copy);
    *ret_data = one->data;
    *ret_size = one->size;
    return DBAL_COPY_DATA;
}

/* The driver asks. */
static dbal_copy_step
next(dbal_request *request, const void **ret_data, size_t *ret_size)
{
    dbal_copy *copy = DBAL__OF(request, dbal__ticket, job.request)->copy;
    bool stopped = dbal_request_stopped(request);
    dbal__free(copy->handed);
    copy->handed = NULL;
    if (!copy->asked) {
        copy->asked = true;
        tell_soon(copy);
    }
    if (stopped || copy->aborted) {
        /* a database may refuse a reason that is no text, for another reason */
        bool tells =
            !stopped && copy->why != NULL && dbal__utf8_valid(copy->why, strlen(copy->why));
        const char *why = tells ? copy->why : "the client stopped it";
        drop(copy);
        *ret_data = why;
        *ret_size = strlen(why);
        return DBAL_COPY_ABORT;
    }
    if (!dbal__list_empty(&copy->chunks))
        return hand(copy, ret_data, ret_size);
    copy->waits = !copy->ended;
    return copy->ended ? DBAL_COPY_END : DBAL_COPY_WAIT;
}

/* There is something for the driver that it waits for. */
static void
rouse(dbal_copy *copy)
{
    dbal__slot *slot = dbal__slot_of(copy->ticket);
    if (!copy->waits || slot == NULL)
        return;
    copy->waits = false;
    slot->channel->ops->resume(slot->channel, &copy->ticket->job);
}

static bool
may_go_on(dbal_copy *copy, const char *call)
{
    return copy != NULL && copy->ticket != NULL &&
           dbal__loop_check(copy->ticket->pool->loop, call) && !is_over(copy);
}

static void
end(dbal_copy *copy, bool aborted)
{
    copy->ended = true;
    copy->aborted = aborted;
    if (aborted)
        drop(copy);
    rouse(copy);
}

bool
dbal_copy_write(dbal_copy *copy, const void *data, size_t size)
{
    if (!may_go_on(copy, "dbal_copy_write"))
        return false;
    if (!append(copy, data, size)) {
        dbal__request_refuse(&copy->ticket->job.request, DBAL__NO_MEMORY);
        end(copy, true);
        return false;
    }
    if (copy->queued > 0)
        rouse(copy);
    copy->full = copy->queued >= BUDGET;
    return !copy->full;
}

void
dbal_copy_end(dbal_copy *copy)
{
    if (may_go_on(copy, "dbal_copy_end"))
        end(copy, false);
}

void
dbal_copy_abort(dbal_copy *copy, const char *why)
{
    if (!may_go_on(copy, "dbal_copy_abort"))
        return;
    copy->why = why != NULL ? dbal__strdup(why) : NULL;
    end(copy, true);
}

dbal_error *
dbal__copy_aborted(const dbal__ticket *ticket, dbal_error *error)
{
    const dbal_copy *copy = ticket->copy;
    if (copy == NULL || !copy->aborted || ticket->why != 0 ||
        strcmp(dbal_error_sqlstate(error), "57014") != 0)
        return NULL;
    return dbal__ticket_own_error(ticket, DBAL_ERROR_CANCELLED, dbal_error_execution(error), error,
                                  copy->why != NULL ? copy->why : "aborted");
}

/* ---- its life ---- */

dbal_copy *
dbal__copy_ref(dbal_copy *copy)
{
    if (copy != NULL)
        copy->refs++;
    return copy;
}

void
dbal__copy_unref(dbal_copy *copy)
{
    if (copy == NULL || --copy->refs > 0)
        return;
    dbal__scope_unref(copy->scope);
    dbal__free(copy->why);
    dbal__free(copy);
}

void
dbal__copy_end(dbal_copy *copy)
{
    if (copy == NULL)
        return;
    drop(copy);
    dbal__free(copy->handed);
    copy->handed = NULL;
    dbal__list_remove(&copy->task.link);
    copy->ticket = NULL;
    dbal__copy_unref(copy);
}

bool
dbal__copy_attach(dbal__ticket *ticket, dbal_copy_fn *room, void *arg)
{
    dbal_copy *copy = dbal__zalloc(sizeof *copy);
    if (copy == NULL)
        return false;
    copy->refs = 1;
    copy->ticket = ticket;
    copy->room = room;
    copy->arg = arg;
    dbal__list_init(&copy->chunks);
    dbal__task_init(&copy->task, on_task);
    ticket->copy = copy;
    ticket->job.request.copy = DBAL_COPY_IN;
    ticket->job.request.next = next;
    return true;
}

static bool
watch_end(dbal__fate fate, dbal_error *error, void *arg)
{
    dbal_copy *copy = arg;
    bool ours = fate != DBAL__FATE_GONE && dbal__scope_watch(fate, error, copy->scope);
    if (fate == DBAL__FATE_GONE)
        dbal__copy_unref(copy);
    return ours;
}

void
dbal__copy_outlive(dbal_copy *copy, dbal_deferred *deferred, dbal__scope *scope)
{
    copy->refs++;
    copy->scope = scope;
    dbal__deferred_watch(deferred, watch_end, copy);
}
