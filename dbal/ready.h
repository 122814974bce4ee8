/* What is to run on the loop next, and what every Deferred of a loop shares. */
#ifndef DBAL__READY_H
#define DBAL__READY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbal/clock.h"
#include "dbal/fork.h"
#include "dbal/list.h"
#include <dbal/driver.h>
#include <dbal/loop.h>

/* Something to run from the loop, part of whatever it is for. */
typedef struct dbal__task {
    dbal__list link;
    void (*run)(struct dbal__task *task);
} dbal__task;

/* The first member of a dbal_loop. */
typedef struct dbal__ready {
    dbal__list tasks;
    dbal__clock clock;
    int64_t slice_end, looked; /* DBAL__NEVER until the clock is looked at; when that was */
    unsigned steps, stride;    /* left until the next look; from one look to the next */

    dbal__list live; /* Deferreds that have not settled */
    dbal__list kept; /* those that have, and that somebody refers to */
    size_t unsettled;
    void (*keep)(struct dbal__ready *ready, bool alive); /* unsettled or held: ev_run goes on */
    struct dbal_deferred *spare, *last_spare; /* free list; the last only in builds with checks */
    unsigned spare_count;

    bool closed;         /* no new work */
    unsigned generation; /* of the process: see fork.h */
    atomic_uintptr_t owner;

    dbal_log_fn *log;
    void *log_arg;

    uint64_t callbacks, unhandled;
    bool measuring;
    int64_t app_cpu; /* thread CPU nanoseconds spent in application callbacks */
    int64_t app_entered;
    uint64_t app_switches, app_switches_entered;
    unsigned app_depth;
} dbal__ready;

void dbal__ready_init(dbal__ready *ready);

/* The part of a loop that Deferreds live on; it is the loop's first member. */
static inline dbal__ready *
dbal__ready_of(dbal_loop *loop)
{
    return (dbal__ready *)(void *)loop;
}

static inline void
dbal__task_init(dbal__task *task, void (*run)(dbal__task *task))
{
    dbal__list_init(&task->link);
    task->run = run;
}

static inline bool
dbal__task_is_queued(const dbal__task *task)
{
    return !dbal__list_empty(&task->link);
}

static inline void
dbal__ready_push(dbal__ready *ready, dbal__task *task)
{
    dbal__list_push(&ready->tasks, &task->link);
}

static inline void
dbal__ready_push_front(dbal__ready *ready, dbal__task *task)
{
    dbal__list_push_front(&ready->tasks, &task->link);
}

/* A slice of time begins: see dbal__ready_spent(). What is done soon needs no clock. */
static inline void
dbal__ready_begin_slice(dbal__ready *ready)
{
    ready->slice_end = DBAL__NEVER;
    ready->steps = ready->stride;
}
/* Looks at the clock: whether the slice is over. */
bool dbal__ready_look(dbal__ready *ready);
/* Whether the slice is over; looks at the clock now and then. */
static inline bool
dbal__ready_spent(dbal__ready *ready)
{
    return __builtin_expect(--ready->steps == 0, 0) && dbal__ready_look(ready);
}
/* Runs tasks for one slice of time. True when there is more to do. */
bool dbal__ready_drain(dbal__ready *ready);

/* One thing more, or one less, that keeps ev_run going. */
static inline void
dbal__ready_retain(dbal__ready *ready)
{
    if (ready->unsettled++ == 0 && ready->keep != NULL)
        ready->keep(ready, true);
}

static inline void
dbal__ready_release(dbal__ready *ready)
{
    if (--ready->unsettled == 0 && ready->keep != NULL)
        ready->keep(ready, false);
}

/* Around every call of the application's code. */
void dbal__ready_app_measure(dbal__ready *ready, bool enter);
static inline void
dbal__ready_app_enter(dbal__ready *ready)
{
    ready->callbacks++;
    if (__builtin_expect(ready->measuring, 0))
        dbal__ready_app_measure(ready, true);
}
static inline void
dbal__ready_app_leave(dbal__ready *ready)
{
    if (__builtin_expect(ready->measuring, 0))
        dbal__ready_app_measure(ready, false);
}
/* Of the calling thread. */
int64_t dbal__thread_cpu(void);
uint64_t dbal__thread_switches(void);

void dbal__ready_log(dbal__ready *ready, dbal_log_level level, const char *format, ...)
    DBAL_PRINTF(3, 4);

/* Logs that `call`, a function, was refused; false. */
bool dbal__ready_refuse(dbal__ready *ready, const char *call);
/* Whether this thread and process may use the loop now; logs a refusal. `call` names the function. */
static inline bool
dbal__ready_check(dbal__ready *ready, const char *call)
{
    if (__builtin_expect(atomic_load_explicit(&ready->owner, memory_order_relaxed) ==
                                 (uintptr_t)pthread_self() &&
                             ready->generation == dbal__fork_generation(),
                         1))
        return true;
    return dbal__ready_refuse(ready, call);
}
/* The same where it would cost too much: only builds with checks look. */
static inline bool
dbal__ready_checked(dbal__ready *ready, const char *call)
{
#ifdef DBAL_CHECKS
    return dbal__ready_check(ready, call);
#else
    (void)ready;
    (void)call;
    return true;
#endif
}
/* The error for it. */
dbal_error *dbal__ready_refusal(dbal__ready *ready, const char *call);

#endif
