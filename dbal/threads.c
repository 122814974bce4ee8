#include "dbal/threads.h"

#include <errno.h>

#include "dbal/alloc.h"

/* Where not even one could be started, what waits to be closed has it tried again after so long. */
static const double TRY_AGAIN = 0.05; /* seconds */

struct dbal__threads {
    dbal_loop *loop;
    void (*freed)(void *arg);
    void (*failed)(void *arg, int code);
    void *arg;
    int most, count;        /* those that were lost are not counted */
    bool asked;             /* in vain */
    dbal__worker *starting; /* the thread of this one is being started */
    dbal__list idle, wishes;
    dbal__task task; /* says that none could be started */
    int code;        /* and why, an errno */
    dbal__timer timer;
};

static void on_failed(dbal__task *task);

dbal__threads *
dbal__threads_new(dbal_loop *loop, int most, void (*freed)(void *arg),
                  void (*failed)(void *arg, int code), void *arg)
{
    dbal__threads *threads = dbal__zalloc(sizeof *threads);
    if (threads == NULL)
        return NULL;
    *threads =
        (dbal__threads){.loop = loop, .freed = freed, .failed = failed, .arg = arg, .most = most};
    dbal__list_init(&threads->idle);
    dbal__list_init(&threads->wishes);
    dbal__task_init(&threads->task, on_failed);
    return threads;
}

/* ---- their ends ---- */

static void
join_ended(dbal__work *work, dbal__worker *helper)
{
    dbal__worker *worker = DBAL__OF(work, dbal__worker, ending);
    (void)helper;
    dbal__worker_wait(worker, DBAL__NEVER);
    dbal__worker_release(worker);
}

/* It has nothing to do and ends by itself; a helper waits for that, not the loop. */
static void
end(dbal__thread *thread)
{
    dbal__worker *worker = thread->worker;
    dbal__list_remove(&thread->link);
    dbal__worker_stop(worker);
    worker->ending.run = join_ended;
    if (thread->lost || !dbal__helpers_run(thread->threads->loop->helpers, &worker->ending))
        dbal__worker_release(worker);
    dbal__free(thread);
}

void
dbal__threads_end(dbal__threads *threads)
{
    if (threads == NULL)
        return;
    threads->most = 0;
    dbal__list_remove(&threads->task.link);
    dbal__clock_stop(&threads->loop->ready.clock, &threads->timer);
    while (!dbal__list_empty(&threads->idle))
        end(DBAL__OF(threads->idle.next, dbal__thread, link));
    if (threads->starting == NULL)
        return;
    atomic_store(&threads->starting->owner, NULL);
    dbal__worker_stop(threads->starting);
    dbal__worker_release(threads->starting);
    threads->starting = NULL;
}

void
dbal__threads_free(dbal__threads *threads)
{
    dbal__threads_end(threads);
    dbal__free(threads);
}

/* ---- their beginnings ---- */

/* The thread of a worker runs. False without memory: it ends. */
static bool
add(dbal__threads *threads, dbal__worker *worker)
{
    dbal__thread *thread = dbal__zalloc(sizeof *thread);
    if (thread == NULL) {
        dbal__worker_stop(worker);
        dbal__worker_release(worker);
        return false;
    }
    thread->threads = threads;
    thread->worker = worker;
    threads->count++;
    dbal__list_init(&thread->link);
    dbal__thread_give(thread);
    return true;
}

/* Told from the loop: whoever asks for a thread is in the middle of something. */
static void
fail(dbal__threads *threads, int code)
{
    threads->code = code;
    if (!dbal__task_is_queued(&threads->task))
        dbal__ready_push(&threads->loop->ready, &threads->task);
}

static void
launched(dbal__threads *threads, dbal__worker *worker, int code)
{
    threads->starting = NULL;
    if (code != 0)
        dbal__worker_release(worker);
    else if (!add(threads, worker))
        code = ENOMEM;
    if (code != 0)
        fail(threads, code);
}

static void
did_launch(dbal__worker *worker, int code)
{
    dbal__threads *threads = atomic_load(&worker->owner);
    if (threads != NULL)
        launched(threads, worker, code);
}

/* In the thread of a helper, since that may take a moment. */
static void
start_one(dbal__threads *threads)
{
    if (threads->starting != NULL || threads->count >= threads->most)
        return;
    threads->starting = dbal__worker_new(NULL, false, "dbal-worker", threads);
    if (threads->starting == NULL)
        fail(threads, ENOMEM);
    else if (!dbal__helpers_launch(threads->loop->helpers, threads->starting, did_launch))
        launched(threads, threads->starting, dbal__worker_launch(threads->starting));
}

static void
on_timer(dbal__timer *timer)
{
    dbal__threads *threads = DBAL__OF(timer, dbal__threads, timer);
    if (!dbal__list_empty(&threads->wishes))
        start_one(threads);
}

/* Others that there are serve all; where there is none, nobody would ask again. */
static void
on_failed(dbal__task *task)
{
    dbal__threads *threads = DBAL__OF(task, dbal__threads, task);
    dbal__clock *clock = &threads->loop->ready.clock;
    if (threads->count > 0)
        return;
    dbal__clock_start(clock, &threads->timer, dbal__after(dbal__clock_now(clock), TRY_AGAIN),
                      on_timer);
    threads->failed(threads->arg, threads->code);
}

/* ---- who works for whom ---- */

bool
dbal__threads_any(dbal__threads *threads)
{
    if (!dbal__list_empty(&threads->idle))
        return true;
    threads->asked = true;
    start_one(threads);
    return !dbal__list_empty(&threads->idle);
}

dbal__thread *
dbal__threads_take(dbal__threads *threads)
{
    if (!dbal__threads_any(threads))
        return NULL;
    return DBAL__OF(dbal__list_pop(&threads->idle), dbal__thread, link);
}

void
dbal__threads_await(dbal__threads *threads, dbal__thread_wish *wish)
{
    dbal__thread *thread = dbal__threads_take(threads);
    if (thread != NULL)
        wish->granted(wish, thread);
    else
        dbal__list_push(&threads->wishes, &wish->link);
}

void
dbal__thread_give(dbal__thread *thread)
{
    dbal__threads *threads = thread->threads;
    thread->runner = NULL;
    dbal__list_remove(&thread->link);
    if (thread->lost) {
        end(thread);
        return;
    }
    if (!dbal__list_empty(&threads->wishes)) {
        dbal__thread_wish *wish =
            DBAL__OF(dbal__list_pop(&threads->wishes), dbal__thread_wish, link);
        wish->granted(wish, thread);
        return;
    }
    dbal__list_push_front(&threads->idle, &thread->link);
    if (!threads->asked)
        return;
    threads->asked = false;
    threads->freed(threads->arg);
}

void
dbal__thread_lose(dbal__thread *thread)
{
    if (thread->lost)
        return;
    dbal__threads *threads = thread->threads;
    thread->lost = true;
    threads->count--;
    /* who has asked, or waits, was told that there are as many as may be */
    if (threads->asked || !dbal__list_empty(&threads->wishes))
        start_one(threads);
}

void
dbal__thread_push(dbal__thread *thread, dbal__work *work)
{
    thread->flying++;
    dbal__worker_push(thread->worker, work);
}
