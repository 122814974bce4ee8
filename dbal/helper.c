#include "dbal/helper.h"

#include <errno.h>
#include <semaphore.h>

#include "dbal/alloc.h"
#include "dbal/clock.h"
#include "dbal/futex.h"

/* a result on its way to be freed; the link is kept outside, since a result has no room for one */
typedef struct burial {
    dbal__work work;
    dbal_result *result;
} burial;

struct dbal__helpers {
    dbal__reaper reaper; /* first: reapers are cast back */
    atomic_uint refs;
    dbal__line line;
    sem_t wanted;
    dbal__inbox *inbox;
    atomic_bool stopping;
    atomic_int idle, alive; /* alive: threads that have not ended, waited for when stopping */
    pthread_mutex_t
        lock; /* of the threads; the loop takes it when there are none, and at the end */
    unsigned started, most;
    pthread_t threads[]; /* as many as may be started */
};

static void
ref(dbal__helpers *helpers)
{
    atomic_fetch_add_explicit(&helpers->refs, 1, memory_order_relaxed);
}

void
dbal__helpers_unref(dbal__helpers *helpers)
{
    if (helpers == NULL || atomic_fetch_sub_explicit(&helpers->refs, 1, memory_order_acq_rel) != 1)
        return;
    dbal__work *work;
    while ((work = dbal__line_pull(&helpers->line)) != NULL)
        work->run(work, NULL);
    sem_destroy(&helpers->wanted);
    pthread_mutex_destroy(&helpers->lock);
    dbal__inbox_unref(helpers->inbox);
    dbal__free(helpers);
}

static void
bury(dbal__work *work, dbal__worker *worker)
{
    burial *box = DBAL__OF(work, burial, work);
    (void)worker;
    dbal__result_destroy(box->result);
    dbal__free(box);
}

static void
reaper_ref(dbal__reaper *reaper)
{
    ref((dbal__helpers *)(void *)reaper);
}

static void
reaper_unref(dbal__reaper *reaper)
{
    dbal__helpers_unref((dbal__helpers *)(void *)reaper);
}

/* Any thread. Without a helper or memory, the result is freed right here. */
static void
reaper_take(dbal__reaper *reaper, dbal_result *result)
{
    dbal__helpers *helpers = (dbal__helpers *)(void *)reaper;
    burial *box = NULL;
    if (!atomic_load(&helpers->stopping) && atomic_load(&helpers->alive) > 0)
        box = dbal__alloc(sizeof *box);
    if (box == NULL) {
        dbal__result_destroy(result);
        dbal__helpers_unref(helpers);
        return;
    }
    box->result = result;
    box->work.run = bury;
    dbal__line_push(&helpers->line, &box->work);
    sem_post(&helpers->wanted);
    dbal__helpers_unref(helpers);
}

dbal__helpers *
dbal__helpers_new(dbal__inbox *inbox, unsigned most)
{
    dbal__helpers *helpers = dbal__zalloc(sizeof *helpers + most * sizeof helpers->threads[0]);
    if (helpers == NULL)
        return NULL;
    helpers->reaper = (dbal__reaper){reaper_take, reaper_ref, reaper_unref};
    atomic_init(&helpers->refs, 1);
    helpers->most = most;
    dbal__line_init(&helpers->line);
    sem_init(&helpers->wanted, 0, 0);
    pthread_mutex_init(&helpers->lock, NULL);
    helpers->inbox = dbal__inbox_ref(inbox);
    return helpers;
}

static void *live(void *arg);

static bool
start_one(dbal__helpers *helpers)
{
    bool started = false;
    pthread_mutex_lock(&helpers->lock);
    if (helpers->started < helpers->most && !atomic_load(&helpers->stopping)) {
        ref(helpers);
        atomic_fetch_add(&helpers->alive, 1);
        started = dbal__thread_start(&helpers->threads[helpers->started], live, helpers) == 0;
        if (started) {
            pthread_setname_np(helpers->threads[helpers->started], "dbal-helper");
            helpers->started++;
        } else {
            atomic_fetch_sub(&helpers->alive, 1);
            dbal__helpers_unref(helpers);
        }
    }
    pthread_mutex_unlock(&helpers->lock);
    return started;
}

static void *
live(void *arg)
{
    dbal__helpers *helpers = arg;
    for (;;) {
        dbal__work *work = dbal__line_pull(&helpers->line);
        if (work != NULL) {
            /* one stays free for what comes next; the loop starts none, since it might have to wait */
            if (atomic_load(&helpers->idle) <= (int)dbal__line_count(&helpers->line))
                start_one(helpers);
            work->run(work, NULL);
            continue;
        }
        if (atomic_load(&helpers->stopping))
            break;
        atomic_fetch_add(&helpers->idle, 1);
        while (sem_wait(&helpers->wanted) != 0 && errno == EINTR) {
        }
        atomic_fetch_sub(&helpers->idle, 1);
    }
    atomic_fetch_sub(&helpers->alive, 1);
    dbal__futex_wake(&helpers->alive);
    dbal__helpers_unref(helpers);
    return NULL;
}

bool
dbal__helpers_begin(dbal__helpers *helpers)
{
    return atomic_load(&helpers->alive) > 0 || start_one(helpers);
}

dbal__reaper *
dbal__helpers_reaper(dbal__helpers *helpers)
{
    dbal__helpers_begin(helpers);
    return &helpers->reaper;
}

static void
deliver(dbal__message *message)
{
    dbal__errand *errand = DBAL__OF(message, dbal__errand, message);
    errand->done(errand);
}

static void
run_errand(dbal__work *work, dbal__worker *worker)
{
    dbal__errand *errand = DBAL__OF(work, dbal__errand, work);
    dbal__inbox *inbox = dbal__inbox_ref(errand->helpers->inbox);
    (void)worker;
    errand->run(errand);
    if (dbal__inbox_push(inbox, &errand->message))
        dbal__inbox_wake(inbox);
    dbal__inbox_unref(inbox);
}

bool
dbal__helpers_run(dbal__helpers *helpers, dbal__work *work)
{
    if (atomic_load(&helpers->stopping) || !dbal__helpers_begin(helpers))
        return false;
    dbal__line_push(&helpers->line, work);
    sem_post(&helpers->wanted);
    return true;
}

bool
dbal__helpers_send(dbal__helpers *helpers, dbal__errand *errand)
{
    errand->helpers = helpers;
    errand->work.run = run_errand;
    errand->message.deliver = deliver;
    return dbal__helpers_run(helpers, &errand->work);
}

/* a thread on its way */
typedef struct launch {
    dbal__errand errand;
    dbal__worker *worker; /* a reference */
    int code;
    void (*done)(dbal__worker *worker, int code);
} launch;

static void
do_launch(dbal__errand *errand)
{
    launch *one = DBAL__OF(errand, launch, errand);
    one->code = dbal__worker_launch(one->worker);
}

static void
did_launch(dbal__errand *errand)
{
    launch *one = DBAL__OF(errand, launch, errand);
    one->done(one->worker, one->code);
    dbal__worker_unref(one->worker);
    dbal__free(one);
}

bool
dbal__helpers_launch(dbal__helpers *helpers, dbal__worker *worker,
                     void (*done)(dbal__worker *worker, int code))
{
    launch *one = dbal__zalloc(sizeof *one);
    if (one == NULL)
        return false;
    *one = (launch){.errand = {.run = do_launch, .done = did_launch},
                    .worker = dbal__worker_ref(worker),
                    .done = done};
    if (dbal__helpers_send(helpers, &one->errand))
        return true;
    dbal__worker_unref(worker);
    dbal__free(one);
    return false;
}

void
dbal__helpers_end(dbal__helpers *helpers)
{
    atomic_store(&helpers->stopping, true);
    pthread_mutex_lock(&helpers->lock);
    pthread_mutex_unlock(&helpers->lock); /* from now on none is started */
    for (unsigned i = 0; i < helpers->started; i++)
        sem_post(&helpers->wanted);
}

unsigned
dbal__helpers_stop(dbal__helpers *helpers, int64_t deadline)
{
    int alive;
    dbal__helpers_end(helpers);
    while ((alive = atomic_load(&helpers->alive)) > 0 && dbal__monotonic() < deadline)
        dbal__futex_wait(&helpers->alive, alive, deadline);
    for (unsigned i = 0; i < helpers->started; i++) {
        /* with one alive, which it is cannot be told: none is waited for */
        if (alive == 0)
            pthread_join(helpers->threads[i], NULL);
        else
            pthread_detach(helpers->threads[i]);
    }
    helpers->started = 0;
    return (unsigned)alive;
}
