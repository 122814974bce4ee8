#include "dbal/fanout.h"

#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/outcome.h"

typedef struct waiter {
    dbal__list link;
    dbal__waitlist *line;
    dbal_deferred *deferred; /* to be fired */
} waiter;

void
dbal__waitlist_init(dbal__waitlist *line)
{
    dbal__list_init(&line->waiting);
    line->count = 0;
}

/* Takes one out of the line; what it waited with is the caller's. */
static dbal_deferred *
withdraw(waiter *one)
{
    dbal_deferred *deferred = one->deferred;
    one->line->count--;
    dbal__list_remove(&one->link);
    dbal__free(one);
    return deferred;
}

static void
cancel(dbal_deferred *deferred, void *arg)
{
    withdraw(arg);
    dbal_deferred_fire(deferred,
                       dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_NOT_SENT));
}

dbal_deferred *
dbal__waitlist_join(dbal__waitlist *line, dbal_loop *loop)
{
    waiter *one = dbal__alloc(sizeof *one);
    if (one == NULL)
        return NULL;
    one->line = line;
    one->deferred = dbal__deferred_new(loop, cancel, one);
    if (one->deferred == NULL) {
        dbal__free(one);
        return NULL;
    }
    dbal__list_push(&line->waiting, &one->link);
    line->count++;
    return one->deferred;
}

dbal_deferred *
dbal__waitlist_leave(dbal__waitlist *line)
{
    while (!dbal__list_empty(&line->waiting)) {
        dbal_deferred *deferred = withdraw(DBAL__OF(line->waiting.next, waiter, link));
        if (!deferred->fired)
            return deferred;
        /* the loop has ended it already */
        dbal_deferred_unref(deferred);
    }
    return NULL;
}

void
dbal__waitlist_close(dbal__waitlist *line)
{
    dbal_deferred *deferred;
    while ((deferred = dbal__waitlist_leave(line)) != NULL)
        dbal_deferred_fire(deferred,
                           dbal__fail_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT));
}
