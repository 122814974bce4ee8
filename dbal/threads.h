/*
 * Threads that are fewer than the connections they work for. The loop alone says who works for whom:
 * a thread is idle, or has one connection, from when something of it is handed down until nothing of
 * it is there any more; a session's keeps its thread in between too. So two threads are never in one
 * connection unless the loop gave it both, and who has begun something has a thread to end it with.
 */
#ifndef DBAL__THREADS_H
#define DBAL__THREADS_H

#include <stdbool.h>

#include "dbal/loop.h"
#include "dbal/runner.h"
#include "dbal/worker.h"

/* All of this is the loop's. */
typedef struct dbal__threads dbal__threads;

/* One of them. */
typedef struct dbal__thread {
    dbal__list link; /* idle: last used first; at work: among those of its connection */
    dbal__threads *threads;
    dbal__worker *worker;
    dbal__runner *runner; /* whoever has taken it sets this, and the rest */
    unsigned flying;      /* handed to it and not back */
    bool lost;            /* it hangs: another may be started in its place */
} dbal__thread;

/* Who waits for one, ahead of all that only ask. */
typedef struct dbal__thread_wish {
    dbal__list link;
    void (*granted)(struct dbal__thread_wish *wish, dbal__thread *thread);
} dbal__thread_wish;

/* So many at most, started as they are asked for. NULL without memory. */
dbal__threads *dbal__threads_new(dbal_loop *loop, int most,
                                 /* one is idle, and was asked for in vain */
                                 void (*freed)(void *arg),
                                 /* the only one there would be could not be started: an errno */
                                 void (*failed)(void *arg, int code), void *arg);
/* Ends those that are idle, and starts none any more; helpers wait for them. Takes NULL. */
void dbal__threads_end(dbal__threads *threads);
/* None is at work. Takes NULL. */
void dbal__threads_free(dbal__threads *threads);

/* Whether one is idle. If not, and there may be more, one more is started. */
bool dbal__threads_any(dbal__threads *threads);
/* The last used of those that are idle, or NULL. */
dbal__thread *dbal__threads_take(dbal__threads *threads);
/* The first that is idle, ahead of others. */
void dbal__threads_await(dbal__threads *threads, dbal__thread_wish *wish);
/* It does nothing: it is idle again. One that was lost ends. */
void dbal__thread_give(dbal__thread *thread);
/* It does not come back, as it seems. */
void dbal__thread_lose(dbal__thread *thread);
/* Hands something to it, behind what it has. */
void dbal__thread_push(dbal__thread *thread, dbal__work *work);

#endif
