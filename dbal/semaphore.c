/*
 * A semaphore's memory lives until it was freed and the last work it runs has ended. Such work goes
 * through the same line as everybody else.
 */
#include "dbal/alloc.h"
#include "dbal/deferred.h"
#include "dbal/fanout.h"
#include "dbal/outcome.h"

struct dbal_semaphore {
    dbal_loop *loop;
    unsigned refs;
    int permits, free; /* all of them, and those that nobody has */
    dbal__waitlist line;
};

/* One call of dbal_semaphore_run(). */
typedef struct run {
    dbal_semaphore *semaphore;
    dbal_deferred *deferred; /* what the caller has; to be fired */
    dbal_deferred *turn;     /* waits for the permit, then for the work */
    dbal_outcome (*work)(void *arg);
    void *arg;
    bool cancelled, holding;
} run;

dbal_semaphore *
dbal_semaphore_new(dbal_loop *loop, int permits)
{
    if (permits < 1 || !dbal__ready_check(dbal__ready_of(loop), "dbal_semaphore_new"))
        return NULL;
    dbal_semaphore *semaphore = dbal__alloc(sizeof *semaphore);
    if (semaphore == NULL)
        return NULL;
    semaphore->loop = loop;
    semaphore->refs = 1;
    semaphore->permits = semaphore->free = permits;
    dbal__waitlist_init(&semaphore->line);
    return semaphore;
}

static void
semaphore_unref(dbal_semaphore *semaphore)
{
    if (--semaphore->refs == 0)
        dbal__free(semaphore);
}

dbal_deferred *
dbal_semaphore_acquire(dbal_semaphore *semaphore)
{
    if (!dbal__ready_checked(dbal__ready_of(semaphore->loop), "dbal_semaphore_acquire"))
        return NULL;
    if (semaphore->free == 0)
        return dbal__waitlist_join(&semaphore->line, semaphore->loop);
    dbal_deferred *deferred = dbal__deferred_new(semaphore->loop, NULL, NULL);
    if (deferred != NULL) {
        semaphore->free--;
        dbal_deferred_fire(deferred, dbal_done());
    }
    return deferred;
}

static void
give_back(dbal_semaphore *semaphore)
{
    dbal_deferred *next = dbal__waitlist_leave(&semaphore->line);
    if (next != NULL)
        dbal_deferred_fire(next, dbal_done());
    else
        semaphore->free++;
}

void
dbal_semaphore_release(dbal_semaphore *semaphore)
{
    if (!dbal__ready_checked(dbal__ready_of(semaphore->loop), "dbal_semaphore_release"))
        return;
    if (semaphore->free == semaphore->permits) {
        dbal__ready_log(dbal__ready_of(semaphore->loop), DBAL_LOG_ERROR,
                        "dbal_semaphore_release ignored: all %d permits are free already",
                        semaphore->permits);
        return;
    }
    give_back(semaphore);
}

static void
cancel_run(dbal_deferred *deferred, void *arg)
{
    run *one = arg;
    (void)deferred;
    one->cancelled = true;
    dbal_deferred_cancel(one->turn);
}

static dbal_outcome
start_work(dbal_outcome permit, void *arg)
{
    run *one = arg;
    (void)permit;
    one->holding = true;
    if (one->cancelled)
        return dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_NOT_SENT);
    return one->work(one->arg);
}

static void
work_ended(dbal_outcome outcome, void *arg)
{
    run *one = arg;
    dbal_deferred_fire(one->deferred, outcome);
    if (one->holding)
        give_back(one->semaphore);
    semaphore_unref(one->semaphore);
    dbal_deferred_unref(one->turn);
    dbal__free(one);
}

dbal_deferred *
dbal_semaphore_run(dbal_semaphore *semaphore, dbal_outcome (*work)(void *arg), void *arg)
{
    if (!dbal__ready_checked(dbal__ready_of(semaphore->loop), "dbal_semaphore_run"))
        return NULL;
    run *one = dbal__alloc(sizeof *one);
    dbal_deferred *deferred =
        one != NULL ? dbal__deferred_new(semaphore->loop, cancel_run, one) : NULL;
    if (deferred == NULL) {
        dbal__free(one);
        return NULL;
    }
    *one = (run){.semaphore = semaphore, .deferred = deferred, .work = work, .arg = arg};
    semaphore->refs++;
    one->turn = dbal_deferred_ref(dbal_semaphore_acquire(semaphore));
    dbal_deferred_add_callback(one->turn, start_work, one);
    dbal__deferred_add_taker(one->turn, work_ended, one);
    return deferred;
}

void
dbal_semaphore_free(dbal_semaphore *semaphore)
{
    if (semaphore == NULL)
        return;
    dbal__waitlist_close(&semaphore->line);
    semaphore_unref(semaphore);
}
