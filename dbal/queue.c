#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/fanout.h"
#include "dbal/outcome.h"

typedef struct item {
    dbal__list link;
    dbal_outcome outcome;
} item;

struct dbal_queue {
    dbal_loop *loop;
    size_t size, backlog, count;
    dbal__list items;
    dbal__waitlist getters;
};

dbal_queue *
dbal_queue_new(dbal_loop *loop, size_t size, size_t backlog)
{
    if (!dbal__ready_check(dbal__ready_of(loop), "dbal_queue_new"))
        return NULL;
    dbal_queue *queue = dbal__zalloc(sizeof *queue);
    if (queue == NULL)
        return NULL;
    queue->loop = loop;
    queue->size = size;
    queue->backlog = backlog;
    dbal__list_init(&queue->items);
    dbal__waitlist_init(&queue->getters);
    return queue;
}

bool
dbal_queue_put(dbal_queue *queue, dbal_outcome outcome)
{
    if (!dbal__ready_checked(dbal__ready_of(queue->loop), "dbal_queue_put")) {
        dbal__outcome_fini(outcome);
        return false;
    }
    dbal_deferred *getter = dbal__waitlist_leave(&queue->getters);
    if (getter != NULL)
        return dbal_deferred_fire(getter, outcome);
    item *one = NULL;
    if (queue->size == 0 || queue->count < queue->size)
        one = dbal__alloc(sizeof *one);
    if (one == NULL) {
        dbal__outcome_fini(outcome);
        return false;
    }
    one->outcome = outcome;
    dbal__list_push(&queue->items, &one->link);
    queue->count++;
    return true;
}

static dbal_outcome
take(dbal_queue *queue)
{
    item *one = DBAL__OF(dbal__list_pop(&queue->items), item, link);
    dbal_outcome outcome = one->outcome;
    dbal__free(one);
    queue->count--;
    return outcome;
}

static dbal_error *
too_many(const dbal_queue *queue)
{
    return dbal__error_make(DBAL_ERROR_QUEUE_FULL, NULL, DBAL_EXECUTION_NOT_SENT,
                            "%zu wait for this queue already, which is its backlog",
                            queue->getters.count);
}

dbal_deferred *
dbal_queue_get(dbal_queue *queue)
{
    if (!dbal__ready_checked(dbal__ready_of(queue->loop), "dbal_queue_get"))
        return NULL;
    if (queue->count == 0) {
        if (queue->backlog != 0 && queue->getters.count >= queue->backlog)
            return dbal__deferred_failed(queue->loop, too_many(queue));
        return dbal__waitlist_join(&queue->getters, queue->loop);
    }
    dbal_deferred *deferred = dbal__deferred_new(queue->loop, NULL, NULL);
    if (deferred != NULL)
        dbal_deferred_fire(deferred, take(queue));
    return deferred;
}

size_t
dbal_queue_count(const dbal_queue *queue)
{
    return queue->count;
}

void
dbal_queue_free(dbal_queue *queue)
{
    if (queue == NULL)
        return;
    dbal__waitlist_close(&queue->getters);
    while (queue->count > 0)
        dbal__outcome_fini(take(queue));
    dbal__free(queue);
}
