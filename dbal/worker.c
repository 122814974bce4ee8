#include "dbal/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "dbal/alloc.h"
#include "dbal/clock.h"
#include "dbal/fetch.h"
#include "dbal/futex.h"

/* Waking the loop costs a system call; this many results share one while work is quick. */
enum { ANNOUNCE = 32, STACK = 1024 * 1024 };
/* Bytes behind the next work that are wanted with it: most of what it is part of. */
enum { COMES_ALONG = 256 };

void
dbal__line_init(dbal__line *line)
{
    atomic_init(&line->fresh, NULL);
    atomic_init(&line->last, 0);
    atomic_init(&line->lock, 0);
    atomic_init(&line->taken, 0);
    line->head = line->tail = NULL;
    line->budget = NULL;
}

void
dbal__line_push_all(dbal__line *line, dbal__work *first, dbal__work *last, unsigned count)
{
    uint64_t ticket = atomic_fetch_add(&line->last, count);
    for (dbal__work *work = first; work != last; work = work->next)
        work->ticket = ++ticket;
    last->ticket = ++ticket;
    last->next = NULL;
    first->last = last;
    dbal__work *before = atomic_load_explicit(&line->fresh, memory_order_relaxed);
    do {
        first->before = before;
        /* seq_cst: a worker about to park either sees this or is seen parked */
    } while (!atomic_compare_exchange_weak(&line->fresh, &before, first));
}

void
dbal__line_push(dbal__line *line, dbal__work *work)
{
    dbal__line_push_all(line, work, work, 1);
}

/*
 * The fresh ones go behind the old ones; with the lock. What was pushed together is not touched here
 * but at its ends: each that is has to come over from who pushed it, one after the other.
 */
static void
line_refill(dbal__line *line)
{
    dbal__work *first = atomic_exchange(&line->fresh, NULL);
    dbal__work *oldest = NULL, *newest = first != NULL ? first->last : NULL;
    while (first != NULL) {
        first->last->next = oldest;
        oldest = first;
        first = first->before;
    }
    if (oldest == NULL)
        return;
    if (line->tail != NULL)
        line->tail->next = oldest;
    else
        line->head = oldest;
    line->tail = newest;
}

static dbal__work *
line_take(dbal__line *line)
{
    if (line->head == NULL)
        line_refill(line);
    dbal__work *work = line->head;
    if (work == NULL)
        return NULL;
    line->head = work->next;
    if (line->head == NULL)
        line->tail = NULL;
    else
        dbal__fetch_to_write(line->head, COMES_ALONG);
    uint64_t taken = atomic_load_explicit(&line->taken, memory_order_relaxed);
    atomic_store_explicit(&line->taken, taken + 1, memory_order_release);
    return work;
}

dbal__work *
dbal__line_pull(dbal__line *line)
{
    if (dbal__line_count(line) == 0)
        return NULL;
    dbal__lock_take(&line->lock);
    dbal__work *work = line_take(line);
    dbal__lock_leave(&line->lock);
    return work;
}

/* With the lock. What those who push write to is looked at only when nothing is left of before. */
static bool
head_fits(dbal__line *line, bool (*fits)(const dbal__work *work, void *arg), void *arg)
{
    if (line->head == NULL && atomic_load_explicit(&line->fresh, memory_order_relaxed) != NULL)
        line_refill(line);
    return line->head != NULL && fits(line->head, arg);
}

dbal__work *
dbal__line_pull_if(dbal__line *line, bool (*fits)(const dbal__work *work, void *arg), void *arg)
{
    dbal__lock_take(&line->lock);
    dbal__work *work = head_fits(line, fits, arg) ? line_take(line) : NULL;
    dbal__lock_leave(&line->lock);
    return work;
}

bool
dbal__line_has(dbal__line *line, bool (*fits)(const dbal__work *work, void *arg), void *arg)
{
    dbal__lock_take(&line->lock);
    bool has = head_fits(line, fits, arg);
    dbal__lock_leave(&line->lock);
    return has;
}

uint64_t
dbal__line_last(const dbal__line *line)
{
    return atomic_load(&line->last);
}

/* With the lock. */
static dbal__work *
line_take_all(dbal__line *line, bool (*fits)(const dbal__work *work))
{
    dbal__work *swept = NULL, **end = &swept, **place = &line->head, *work;
    uint64_t count = 0;
    line->tail = NULL;
    while ((work = *place) != NULL) {
        if (!fits(work)) {
            line->tail = work;
            place = &work->next;
            continue;
        }
        *place = work->next;
        *end = work;
        end = &work->next;
        count++;
    }
    *end = NULL;
    uint64_t taken = atomic_load_explicit(&line->taken, memory_order_relaxed);
    atomic_store_explicit(&line->taken, taken + count, memory_order_release);
    return swept;
}

dbal__work *
dbal__line_sweep(dbal__line *line, bool (*fits)(const dbal__work *work))
{
    if (dbal__line_count(line) == 0 || !dbal__lock_try(&line->lock))
        return NULL;
    line_refill(line);
    dbal__work *swept = line_take_all(line, fits);
    dbal__lock_leave(&line->lock);
    return swept;
}

size_t
dbal__line_count(const dbal__line *line)
{
    /* in this order, so that what is taken meanwhile is not counted as never put there */
    uint64_t taken = atomic_load_explicit(&line->taken, memory_order_acquire);
    return (size_t)(atomic_load(&line->last) - taken);
}

dbal__worker *
dbal__worker_ref(dbal__worker *worker)
{
    atomic_fetch_add_explicit(&worker->refs, 1, memory_order_relaxed);
    return worker;
}

void
dbal__worker_unref(dbal__worker *worker)
{
    if (atomic_fetch_sub_explicit(&worker->refs, 1, memory_order_acq_rel) != 1)
        return;
    dbal__budget_unref(worker->budget);
    dbal__free(worker);
}

bool
dbal__worker_shares(const dbal__worker *worker)
{
    return worker->shared != NULL && !atomic_load(&worker->held) && !atomic_load(&worker->engaged);
}

bool
dbal__worker_may_take(const dbal__worker *worker)
{
    return dbal__worker_shares(worker) && !dbal__budget_is_spent(worker->budget);
}

static bool
has_work(const dbal__worker *worker)
{
    if (dbal__line_count(&worker->own) != 0)
        return true;
    return dbal__worker_may_take(worker) && dbal__line_count(worker->shared) != 0;
}

static dbal__work *
shared_work(dbal__worker *worker)
{
    return dbal__worker_may_take(worker) ? dbal__line_pull(worker->shared) : NULL;
}

void
dbal__worker_took_one(dbal__worker *worker)
{
    unsigned taken = atomic_load_explicit(&worker->taken, memory_order_relaxed);
    atomic_store_explicit(&worker->taken, taken + 1, memory_order_relaxed);
}

/* Runs a piece of work, its own first. False: there is none. */
static bool
run_one(dbal__worker *worker)
{
    dbal__work *own = dbal__line_pull(&worker->own);
    dbal__work *work = own != NULL ? own : shared_work(worker);
    if (work == NULL)
        return false;
    dbal__worker_took_one(worker);
    work->run(work, worker);
    if (own != NULL)
        atomic_fetch_sub_explicit(&worker->owed, 1, memory_order_relaxed);
    return true;
}

static void
park(dbal__worker *worker)
{
    dbal__worker_announce(worker);
    atomic_store(&worker->parked, 1);
    while (!has_work(worker) && !atomic_load(&worker->stopping) && atomic_load(&worker->parked))
        dbal__futex_wait(&worker->parked, 1, DBAL__NEVER);
    atomic_store(&worker->parked, 0);
}

static void *
live(void *arg)
{
    dbal__worker *worker = arg;
    char short_name[16];
    snprintf(short_name, sizeof short_name, "%s", worker->name);
    worker->thread = pthread_self();
    pthread_setname_np(worker->thread, short_name);
    for (;;) {
        if (run_one(worker))
            continue;
        if (atomic_load(&worker->stopping) && dbal__line_count(&worker->own) == 0)
            break;
        park(worker);
    }
    dbal__worker_announce(worker);
    int life = DBAL__LIFE_RUNS;
    if (atomic_compare_exchange_strong(&worker->life, &life, DBAL__LIFE_DONE))
        dbal__futex_wake(&worker->life);
    else
        pthread_detach(worker->thread);
    dbal__worker_unref(worker);
    return NULL;
}

int
dbal__thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
    pthread_attr_t attributes;
    sigset_t all, old;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(ret_thread, &attributes, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

dbal__worker *
dbal__worker_new(dbal__line *shared, bool held, const char *name, void *owner)
{
    dbal__worker *worker = dbal__zalloc(sizeof *worker);
    if (worker == NULL)
        return NULL;
    atomic_init(&worker->refs, 1);
    atomic_init(&worker->life, DBAL__LIFE_RUNS);
    dbal__line_init(&worker->own);
    dbal__list_init(&worker->crew);
    worker->shared = shared;
    worker->budget = shared != NULL ? dbal__budget_ref(shared->budget) : NULL;
    atomic_init(&worker->held, held);
    atomic_init(&worker->owner, owner);
    worker->name = name;
    return worker;
}

int
dbal__worker_launch(dbal__worker *worker)
{
    pthread_t thread;
    dbal__worker_ref(worker);
    int error = dbal__thread_start(&thread, live, worker);
    if (error != 0) {
        atomic_store(&worker->life, DBAL__LIFE_NONE);
        dbal__worker_unref(worker);
    }
    return error;
}

dbal__worker *
dbal__worker_start(dbal__line *shared, bool held, const char *name, void *owner)
{
    dbal__worker *worker = dbal__worker_new(shared, held, name, owner);
    int error = worker != NULL ? dbal__worker_launch(worker) : ENOMEM;
    if (error != 0) {
        dbal__worker_release(worker);
        errno = error;
        return NULL;
    }
    return worker;
}

bool
dbal__worker_is_parked(const dbal__worker *worker)
{
    return atomic_load(&worker->parked) == 1;
}

void
dbal__worker_wake(dbal__worker *worker)
{
    if (atomic_exchange(&worker->parked, 0) == 1)
        dbal__futex_wake(&worker->parked);
}

void
dbal__worker_push(dbal__worker *worker, dbal__work *work)
{
    atomic_fetch_add_explicit(&worker->owed, 1, memory_order_relaxed);
    dbal__line_push(&worker->own, work);
    dbal__worker_wake(worker);
}

void
dbal__worker_stop(dbal__worker *worker)
{
    atomic_store(&worker->stopping, true);
    dbal__worker_wake(worker);
}

bool
dbal__worker_wait(dbal__worker *worker, int64_t deadline)
{
    while (atomic_load(&worker->life) == DBAL__LIFE_RUNS && dbal__monotonic() < deadline)
        dbal__futex_wait(&worker->life, DBAL__LIFE_RUNS, deadline);
    return atomic_load(&worker->life) != DBAL__LIFE_RUNS;
}

bool
dbal__worker_failed(const dbal__worker *worker)
{
    return atomic_load(&worker->life) == DBAL__LIFE_NONE;
}

void
dbal__worker_release(dbal__worker *worker)
{
    if (worker == NULL)
        return;
    int life = DBAL__LIFE_RUNS;
    atomic_compare_exchange_strong(&worker->life, &life, DBAL__LIFE_LET_GO);
    if (life == DBAL__LIFE_DONE)
        pthread_join(worker->thread, NULL);
    dbal__worker_unref(worker);
}

void
dbal__worker_announce(dbal__worker *worker)
{
    dbal__inbox *inbox = worker->unannounced;
    if (inbox == NULL)
        return;
    worker->unannounced = NULL;
    atomic_store_explicit(&worker->unannounced_count, 0, memory_order_relaxed);
    dbal__inbox_wake(inbox);
    dbal__inbox_unref(inbox);
}

void
dbal__worker_collect(dbal__worker *worker, bool collect)
{
    worker->collects = collect;
}

void
dbal__worker_publish(dbal__worker *worker, dbal__inbox *inbox, dbal__message *message, bool now)
{
    /* once pushed, the message and whatever it is part of may be gone: hold the inbox before */
    if (worker->unannounced != inbox) {
        dbal__worker_announce(worker);
        worker->unannounced = dbal__inbox_ref(inbox);
    }
    if (!dbal__inbox_push(inbox, message))
        return; /* the loop is gone: what comes back from an abandoned thread is nobody's */
    unsigned count = atomic_load_explicit(&worker->unannounced_count, memory_order_relaxed) + 1;
    atomic_store_explicit(&worker->unannounced_count, count, memory_order_relaxed);
    if ((count >= ANNOUNCE && !worker->collects) || now)
        dbal__worker_announce(worker);
}
