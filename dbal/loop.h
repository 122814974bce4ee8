/* A dbal_loop, as the rest of dbal sees it. */
#ifndef DBAL__LOOP_H
#define DBAL__LOOP_H

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dbal/helper.h"
#include "dbal/home.h"
#include "dbal/inbox.h"
#include "dbal/list.h"
#include "dbal/ready.h"
#include <dbal/loop.h>

/* Something that lives on a loop and ends with it: a pool, a gate. */
typedef struct dbal__resource {
    dbal__list link;
    bool closed; /* set by dbal__loop_resource_closed() */
    const struct dbal__resource_ops *ops;
} dbal__resource;

typedef struct dbal__resource_ops {
    /* Begins its end; it says when it is over. Grace in seconds, negative: as long as it takes.
     * Repeatable. */
    void (*close)(dbal__resource *resource, double grace);
    /* Asks everything that runs to stop now, and refuses what comes. Does not wait. */
    void (*stop)(dbal__resource *resource);
    /* Waits for its threads until they are gone or given up; may block. */
    void (*join)(dbal__resource *resource);
    void (*free)(dbal__resource *resource);
} dbal__resource_ops;

/* A thread that waits for something on the loop. */
typedef struct dbal__waiter {
    dbal__list link;
    /* Ends its waiting: the loop ends, and may have to wait for that very thread. */
    void (*let_go)(struct dbal__waiter *waiter);
} dbal__waiter;

struct dbal_loop {
    dbal__ready ready;  /* first: see dbal__ready_of() */
    struct ev_loop *ev; /* NULL once it was destroyed */
    ev_prepare prepare;
    ev_io inbox_watch;
    ev_timer timer; /* the earliest of the clock's */
    ev_timer more;  /* goes on with what exceeded a slice */
    ev_cleanup cleanup;
    int64_t armed; /* what the timer is set to */
    dbal__inbox *inbox;
    dbal__message *messages, *last_message; /* taken, not yet delivered */
    dbal__helpers *helpers;                 /* for what is soon done */
    dbal__home *home;                       /* of results that are made on the loop */
    /* for what may hang, on the gates that the loop steps: connects, and what ends something */
    dbal__helpers *connects, *cancels;
    dbal__list offloads; /* by dbal_host_offload(), on their way */
    dbal__list resources;
    dbal__list closing;       /* Deferreds of dbal_loop_close() */
    dbal__timer close_timer;  /* its grace */
    dbal__list waiters;       /* dbal__waiter */
    atomic_bool refusing;     /* dbal_loop_call() */
    atomic_bool entered_once; /* libev has called */
    bool down;                /* the last drain has begun */
    bool joined;              /* and its threads are gone, or given up */
    unsigned depth;
    unsigned holds;
    dbal__list after_poll;     /* tasks, see dbal__loop_after_poll() */
    unsigned after_poll_since; /* the loop's count of polls when the last of them came */
    uint64_t entries, delivered, blocked, abandoned;
    int64_t max_inside, entered;
    uint64_t switches;
};

void dbal__loop_add(dbal_loop *loop, dbal__resource *resource);
/* A resource says that nothing of it runs any more. */
void dbal__loop_resource_closed(dbal_loop *loop, dbal__resource *resource);

/*
 * Runs a task when libev has polled once more, or will not any more. A descriptor that is not watched
 * any more may still be in libev's set until then, which must not be while another thread closes it.
 */
void dbal__loop_after_poll(dbal_loop *loop, dbal__task *task);

/* Around everything that libev calls. */
void dbal__loop_enter(dbal_loop *loop);
void dbal__loop_leave(dbal_loop *loop);

/* Whether calls that make Deferreds may go on: right thread, right process. Logs when not. */
static inline bool
dbal__loop_check(dbal_loop *loop, const char *call)
{
    return dbal__ready_check(&loop->ready, call);
}

/* In the child of a fork the descriptors and threads are the parent's: touch nothing. */
static inline bool
dbal__loop_is_foreign(const dbal_loop *loop)
{
    return loop->ready.generation != dbal__fork_generation();
}

static inline int64_t
dbal__loop_now(const dbal_loop *loop)
{
    return dbal__clock_now(&loop->ready.clock);
}

/* One turn: delivers messages, fires timers and runs what is ready, for a slice. */
void dbal__loop_turn(dbal_loop *loop);

/* Delivers messages and runs what is ready until nothing is left; for tests and for the end. */
void dbal__loop_settle(dbal_loop *loop);

#endif
