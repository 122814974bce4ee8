/*
 * Threads that run work. A line is what they pull from: anybody may push without a lock; the lock
 * is among the pullers alone, so that the loop never waits for one.
 */
#ifndef DBAL__WORKER_H
#define DBAL__WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbal/budget.h"
#include "dbal/inbox.h"
#include "dbal/list.h"

typedef struct dbal__worker dbal__worker;

/* Something to do, part of whatever it is for. */
typedef struct dbal__work {
    struct dbal__work *next; /* was put on the line after it */
    void (*run)(struct dbal__work *work, dbal__worker *worker);
    uint64_t ticket; /* its place among all that were ever put on its line, from 1 */
    /* the first of those put there together: the last of them, and the first of those before */
    struct dbal__work *last, *before;
} dbal__work;

typedef struct dbal__line {
    _Atomic(dbal__work *) fresh; /* the first of those that were put there last */
    _Atomic(uint64_t) last;      /* the newest ticket */
    char apart[64];              /* those who push and those who pull do not share a cache line */
    atomic_int lock;             /* of what follows; pullers only */
    _Atomic(uint64_t) taken;     /* how many were; read without the lock too */
    dbal__work *head, *tail;     /* oldest first */
    dbal__budget *budget; /* of those who pull, a reference, or NULL; set before there are any */
} dbal__line;

void dbal__line_init(dbal__line *line);
void dbal__line_push(dbal__line *line, dbal__work *work);
/* So many at once, linked from the first to the last. */
void dbal__line_push_all(dbal__line *line, dbal__work *first, dbal__work *last, unsigned count);
/* The oldest, or NULL. May wait for another puller. */
dbal__work *dbal__line_pull(dbal__line *line);
/* The oldest, if it fits; else NULL. */
dbal__work *dbal__line_pull_if(dbal__line *line, bool (*fits)(const dbal__work *work, void *arg),
                               void *arg);
/* The ticket of the newest that was ever put on it. */
uint64_t dbal__line_last(const dbal__line *line);
/* Whether the oldest fits. */
bool dbal__line_has(dbal__line *line, bool (*fits)(const dbal__work *work, void *arg), void *arg);
/* Takes out all that fit, in their order; none when another is pulling just now. */
dbal__work *dbal__line_sweep(dbal__line *line, bool (*fits)(const dbal__work *work));
size_t dbal__line_count(const dbal__line *line);

/* What becomes of a worker's thread. */
enum {
    DBAL__LIFE_RUNS,   /* or is about to be started */
    DBAL__LIFE_DONE,   /* it has run its last work, and is joined */
    DBAL__LIFE_LET_GO, /* nobody joins it */
    DBAL__LIFE_NONE    /* it could not be started */
};

struct dbal__worker {
    atomic_uint refs;      /* the thread's and the owner's */
    pthread_t thread;      /* set by the thread itself */
    atomic_int life;       /* one of the above */
    dbal__line own;        /* work for this thread alone; goes first */
    dbal__line *shared;    /* or NULL */
    dbal__budget *budget;  /* for what it takes from that line, a reference, or NULL */
    size_t uncounted;      /* bytes that it has not taken from there yet; the thread's own */
    _Atomic(void *) owner; /* of whoever started it */
    atomic_bool held;      /* by the loop: leaves the shared line alone */
    atomic_bool engaged;   /* by itself, until the loop says otherwise: the same */
    atomic_int parked;     /* 1 while it sleeps */
    atomic_bool stopping;
    atomic_bool given_up; /* it hangs: it gets no more work */
    atomic_uint taken;    /* how much work it has begun */
    unsigned seen;        /* `taken` at the crew's last look */
    bool late; /* it was awake then, and has taken nothing since the look before; the loop's */
    atomic_uint owed; /* how much of its own it has not ended */
    dbal__list crew;  /* among those that pull from the same line; the loop's */
    dbal__inbox *
        unannounced; /* one that was given messages without a wake, a reference; the thread's own */
    bool collects;   /* the loop is woken when all of it is there; the thread's own */
    atomic_uint unannounced_count;
    const char *name;
    dbal__work ending; /* of whoever ends it, when nothing else is left to do */
};

/*
 * Without its thread; work may be handed to it already. NULL without memory. `shared` must outlive
 * it. With `held` it begins by leaving that line alone.
 */
dbal__worker *dbal__worker_new(dbal__line *shared, bool held, const char *name, void *owner);
/* Starts its thread, with all signals blocked; any thread, once. 0 or an errno. */
int dbal__worker_launch(dbal__worker *worker);
/* Both. NULL when it cannot be had, with errno set. */
dbal__worker *dbal__worker_start(dbal__line *shared, bool held, const char *name, void *owner);
dbal__worker *dbal__worker_ref(dbal__worker *worker);
void dbal__worker_unref(dbal__worker *worker);
/* Hands it work of its own and wakes it. */
void dbal__worker_push(dbal__worker *worker, dbal__work *work);
bool dbal__worker_is_parked(const dbal__worker *worker);
/* Whether it takes shared work. */
bool dbal__worker_shares(const dbal__worker *worker);
/* Whether it would just now. */
bool dbal__worker_may_take(const dbal__worker *worker);
void dbal__worker_wake(dbal__worker *worker);
/* Lets it end when its own line is empty. */
void dbal__worker_stop(dbal__worker *worker);
/* Waits for its end until a moment; false when it has not come. */
bool dbal__worker_wait(dbal__worker *worker, int64_t deadline);
/* Whether its thread could not be started. */
bool dbal__worker_failed(const dbal__worker *worker);
/* Ends the owner's interest: joins a thread that is done, lets go of one that is not. */
void dbal__worker_release(dbal__worker *worker);

/* In the thread: it has begun one more piece of work, besides those it was run for. */
void dbal__worker_took_one(dbal__worker *worker);
/* In the thread: hands a message to the loop, and wakes it now or with some more. */
void dbal__worker_publish(dbal__worker *worker, dbal__inbox *inbox, dbal__message *message,
                          bool now);
/* In the thread: while it collects, what is published does not wake the loop. */
void dbal__worker_collect(dbal__worker *worker, bool collect);
/* In the thread: wakes the loop for what was published without waking it. */
void dbal__worker_announce(dbal__worker *worker);

/* Starts a thread with all signals blocked. 0 or an errno. */
int dbal__thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);

#endif
