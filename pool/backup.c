/*
 * Copies of a whole database. The driver tells how far it is as often as it likes, in its own
 * thread or process; what comes while the loop has not taken the last word replaces it, so that a
 * slow loop never holds a backup back.
 */
#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "dbal/result.h"
#include "pool/pool.h"

/* Between two words of how far it is, but for the last. */
static const int64_t PAUSE = 100000000; /* nanoseconds */

typedef struct dbal__backup {
    unsigned refs; /* the ticket's, and the task's while it is queued; the loop's */
    dbal__message message;
    dbal__task task;
    dbal_pool *pool;
    dbal__inbox *inbox;   /* for the thread: its channel has a reference */
    dbal__ticket *ticket; /* NULL once it is freed */
    bool failed;          /* nothing is told any more */
    dbal_progress_fn *fn;
    void *arg;
    atomic_bool sent; /* the message is on its way to the loop */
    atomic_llong done, total;
    int64_t next; /* the driver's side: no word before this moment */
} dbal__backup;

static void
unref(dbal__backup *backup)
{
    if (--backup->refs > 0)
        return;
    dbal__list_remove(&backup->task.link);
    dbal__free(backup);
}

static bool
is_over(const dbal__backup *backup)
{
    const dbal__ticket *ticket = backup->ticket;
    return backup->failed ||
           (ticket != NULL && (ticket->why != 0 || dbal__ticket_has_settled(ticket)));
}

static void
on_task(dbal__task *task)
{
    dbal__backup *backup = DBAL__OF(task, dbal__backup, task);
    dbal__ready *ready = &backup->pool->loop->ready;
    if (!is_over(backup)) {
        dbal__ready_app_enter(ready);
        backup->fn(atomic_load(&backup->done), atomic_load(&backup->total), backup->arg);
        dbal__ready_app_leave(ready);
    }
    unref(backup);
}

static void
arrived(dbal__message *message)
{
    dbal__backup *backup = DBAL__OF(message, dbal__backup, message);
    atomic_store(&backup->sent, false);
    if (dbal__task_is_queued(&backup->task))
        return;
    backup->refs++;
    dbal__ready_push(&backup->pool->loop->ready, &backup->task);
}

void
dbal__backup_end(dbal__backup *backup, bool ok)
{
    backup->ticket = NULL;
    backup->failed = !ok;
    unref(backup);
}

/* Lets the loop know. Where the end comes on the loop, no message may be under way behind it. */
static void
tell(dbal__backup *backup)
{
    if (dbal__pool_is_native(backup->pool))
        arrived(&backup->message);
    else if (dbal__inbox_push(backup->inbox, &backup->message))
        dbal__inbox_wake(backup->inbox);
}

/* Where the driver is, its own thread or the loop: it has told how far it is. */
static bool
deliver(dbal_request *request, dbal_result *rows)
{
    dbal__backup *backup = DBAL__OF(request, dbal__ticket, job.request)->backup;
    size_t last = dbal_result_row_count(rows) - 1;
    int64_t done = dbal_result_get(rows, last, 0).as.integer;
    int64_t total = dbal_result_get(rows, last, 1).as.integer;
    int64_t now = dbal__monotonic();
    dbal_result_unref(rows);
    if (backup->fn == NULL || (done < total && now < backup->next))
        return true;
    backup->next = now + PAUSE;
    atomic_store(&backup->total, total);
    atomic_store(&backup->done, done);
    if (!atomic_exchange(&backup->sent, true))
        tell(backup);
    return true;
}

static bool
attach(dbal__ticket *ticket, dbal_progress_fn *fn, void *arg)
{
    dbal__backup *backup = dbal__zalloc(sizeof *backup);
    if (backup == NULL)
        return false;
    backup->refs = 1;
    backup->message.deliver = arrived;
    dbal__task_init(&backup->task, on_task);
    backup->pool = ticket->pool;
    backup->inbox = ticket->pool->loop->inbox;
    backup->ticket = ticket;
    backup->fn = fn;
    backup->arg = arg;
    ticket->backup = backup;
    ticket->job.request.deliver = deliver;
    ticket->job.request.batch_rows = 1;
    ticket->job.request.batch_bytes = SIZE_MAX;
    return true;
}

/* NULL, or why it cannot be. */
static dbal_error *
refusal(const dbal_pool *pool, const char *target)
{
    const dbal_driver *driver = pool->driver->driver;
    if (target == NULL || target[0] == '\0')
        return dbal_error_new(DBAL_ERROR_INTERFACE, "a backup needs a target");
    if ((pool->capabilities & DBAL_CAN_BACKUP) != 0 && pool->gate != DBAL_GATE_LOOP &&
        driver->blocking->backup != NULL)
        return NULL;
    return dbal__error_make(DBAL_ERROR_NOT_SUPPORTED, "0A000", DBAL_EXECUTION_NOT_SENT,
                            "driver %s cannot make backups", driver->name);
}

dbal_deferred *
dbal_pool_backup(dbal_pool *pool, const char *target, dbal_progress_fn *fn, void *arg)
{
    bool ok;
    dbal_deferred *refused = dbal__pool_refuse(pool, "dbal_pool_backup", &ok);
    if (!ok)
        return refused;
    dbal_error *error = refusal(pool, target);
    if (error != NULL)
        return dbal__deferred_failed(pool->loop, error);
    dbal__ticket *ticket = dbal__ticket_new_backup(pool, target);
    if (ticket != NULL && !attach(ticket, fn, arg)) {
        dbal__ticket_free(ticket);
        ticket = NULL;
    }
    if (ticket == NULL)
        return dbal__deferred_failed(
            pool->loop, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    if (!dbal__ticket_start(ticket))
        return NULL;
    dbal_deferred *deferred = ticket->deferred;
    dbal__waiters_add(ticket);
    return deferred;
}
