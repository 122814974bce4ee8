/*
 * Waiting for several Deferreds at once. What waits takes every child's outcome and holds a
 * reference to each child until then, so that cancelling can always reach it.
 */
#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/outcome.h"

typedef struct gathering gathering;

typedef struct child {
    gathering *parent;
    dbal_deferred *deferred; /* NULL once its outcome was taken */
} child;

struct gathering {
    dbal_deferred *deferred; /* NULL once fired */
    void (*take)(gathering *all, child *one, dbal_outcome outcome);
    dbal__outcomes *outcomes; /* a gather's, until it fires */
    dbal_outcome last;        /* a race's last failure */
    size_t left;              /* children that have not ended, and one while starting */
    size_t count;
    child children[];
};

static void
cancel_children(gathering *all)
{
    /* cancelling runs no callback, so none ends meanwhile */
    for (size_t i = 0; i < all->count; i++)
        dbal_deferred_cancel(all->children[i].deferred);
}

static void
cancel(dbal_deferred *deferred, void *arg)
{
    (void)deferred;
    cancel_children(arg);
}

static void
fire(gathering *all, dbal_outcome outcome)
{
    dbal_deferred *deferred = all->deferred;
    all->deferred = NULL;
    dbal_deferred_fire(deferred, outcome);
}

/* One has ended; with the last, the whole ends. */
static void
leave(gathering *all)
{
    if (--all->left > 0)
        return;
    if (all->deferred != NULL && all->outcomes != NULL) {
        dbal__outcomes *outcomes = all->outcomes;
        all->outcomes = NULL;
        fire(all, dbal__ok_outcomes(outcomes));
    } else if (all->deferred != NULL) {
        dbal_outcome last = all->last;
        all->last = dbal_done();
        fire(all, last);
    }
    dbal__outcome_fini(all->last);
    dbal__outcomes_free(all->outcomes);
    dbal__free(all);
}

static void
child_ended(dbal_outcome outcome, void *arg)
{
    child *one = arg;
    gathering *all = one->parent;
    dbal_deferred *deferred = one->deferred;

    one->deferred = NULL;
    all->take(all, one, outcome);
    dbal_deferred_unref(deferred);
    leave(all);
}

static void
keep(gathering *all, child *one, dbal_outcome outcome)
{
    all->outcomes->items[one - all->children] = outcome;
}

static void
keep_or_fail(gathering *all, child *one, dbal_outcome outcome)
{
    if (all->deferred == NULL) {
        dbal__outcome_fini(outcome);
    } else if (outcome.kind == DBAL_OUTCOME_ERROR) {
        dbal__outcomes *outcomes = all->outcomes;
        all->outcomes = NULL;
        fire(all, outcome);
        dbal__outcomes_free(outcomes);
    } else {
        keep(all, one, outcome);
    }
}

static void
win_or_lose(gathering *all, child *one, dbal_outcome outcome)
{
    (void)one;
    if (all->deferred == NULL) {
        dbal__outcome_fini(outcome);
    } else if (outcome.kind == DBAL_OUTCOME_ERROR) {
        dbal_outcome before = all->last;
        all->last = outcome;
        dbal__outcome_fini(before);
    } else {
        fire(all, outcome);
        cancel_children(all);
    }
}

static gathering *
gathering_new(dbal_loop *loop, size_t count)
{
    if (count > (SIZE_MAX - sizeof(gathering)) / sizeof(child))
        return NULL;
    gathering *all = dbal__zalloc(sizeof *all + count * sizeof(child));
    if (all == NULL)
        return NULL;
    all->deferred = dbal__deferred_new(loop, cancel, all);
    if (all->deferred == NULL) {
        dbal__free(all);
        return NULL;
    }
    all->last = dbal_done();
    all->count = count;
    all->left = 1;
    return all;
}

static void
add(gathering *all, dbal__ready *ready, size_t index, dbal_deferred *deferred)
{
    child *one = &all->children[index];
    one->parent = all;
    all->left++;
    if (deferred != NULL && deferred->ready != ready) {
        child_ended(dbal_fail(dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                               "Deferred %zu belongs to another loop", index)),
                    one);
        return;
    }
    one->deferred = dbal_deferred_ref(deferred);
    dbal__deferred_add_taker(deferred, child_ended, one);
}

static dbal_deferred *
start(gathering *all, dbal_deferred *const *deferreds)
{
    /* it may have fired when the last child is added; the ready queue holds it then */
    dbal_deferred *deferred = all->deferred;
    dbal__ready *ready = deferred->ready;
    for (size_t i = 0; i < all->count; i++)
        add(all, ready, i, deferreds[i]);
    leave(all);
    return deferred;
}

dbal_deferred *
dbal_gather(dbal_loop *loop, dbal_gather_mode mode, size_t count, dbal_deferred *const *deferreds)
{
    if (!dbal__ready_check(dbal__ready_of(loop), "dbal_gather"))
        return NULL;
    dbal__outcomes *outcomes = dbal__outcomes_new(count);
    gathering *all = outcomes != NULL ? gathering_new(loop, count) : NULL;
    if (all == NULL) {
        dbal__outcomes_free(outcomes);
        return NULL;
    }
    all->outcomes = outcomes;
    all->take = mode == DBAL_GATHER_OR_FAIL ? keep_or_fail : keep;
    return start(all, deferreds);
}

dbal_deferred *
dbal_race(dbal_loop *loop, size_t count, dbal_deferred *const *deferreds)
{
    if (!dbal__ready_check(dbal__ready_of(loop), "dbal_race"))
        return NULL;
    if (count == 0)
        return dbal__deferred_failed(
            loop, dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                   "a race of no Deferreds can have no winner"));
    gathering *all = gathering_new(loop, count);
    if (all == NULL)
        return NULL;
    all->take = win_or_lose;
    return start(all, deferreds);
}
