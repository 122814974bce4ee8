#include "pool/listener.h"

#include <limits.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "pool/pool.h"

typedef struct listener {
    dbal__list link;
    dbal_deferred *deferred;
    unsigned number;
} listener;

/* Nobody waits any more. */
static void
stop_listening(dbal_deferred *deferred, void *arg)
{
    listener *one = arg;
    dbal__list_remove(&one->link);
    dbal__free(one);
    dbal_deferred_fire(deferred,
                       dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_NOT_SENT));
}

dbal_deferred *
dbal__listener_new(dbal_pool *pool, dbal__list *list, unsigned number)
{
    listener *one = dbal__alloc(sizeof *one);
    if (one == NULL)
        return dbal__deferred_failed(
            pool->loop, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    one->number = number;
    one->deferred = dbal__deferred_new(pool->loop, stop_listening, one);
    if (one->deferred == NULL) {
        dbal__free(one);
        return NULL;
    }
    dbal__list_push(list, &one->link);
    return one->deferred;
}

void
dbal__listeners_tell_until(dbal__list *list, unsigned number, dbal_error *error)
{
    while (!dbal__list_empty(list)) {
        listener *one = DBAL__OF(list->next, listener, link);
        if (one->number > number)
            return;
        dbal__list_remove(&one->link);
        dbal_deferred_fire(one->deferred,
                           error != NULL ? dbal_fail(dbal_error_ref(error)) : dbal_done());
        dbal__free(one);
    }
}

void
dbal__listeners_tell(dbal__list *list, dbal_error *error)
{
    dbal__listeners_tell_until(list, UINT_MAX, error);
}
