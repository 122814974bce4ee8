/*
 * A worker process, seen from the one that has started it: begun by posix_spawn(), with two sockets
 * and nothing else of ours; watched by a descriptor of its own where the kernel has such; and never
 * waited for as if nobody else could have done so: libev's default loop takes the status of every
 * child.
 */
#ifndef DBAL__CHILD_H
#define DBAL__CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dbal/mark.h"

typedef struct dbal__child {
    pid_t pid;                    /* 0: there is none */
    int handle;                   /* readable when it has ended; -1 where the kernel has none */
    int watch;                    /* another such, for the loop alone */
    int data, control;            /* our ends of its sockets, or -1 */
    dbal__mark *mark;             /* which request it is at */
    bool ended;                   /* and its status is taken */
    bool known;                   /* by us: */
    int code, status;             /* as in siginfo_t */
    int told_signal, told_status; /* what it said itself, or -1 */
} dbal__child;

/* Where a worker finds its ends of the sockets, and the mark. */
enum { DBAL__CHILD_DATA = 3, DBAL__CHILD_CONTROL = 4, DBAL__CHILD_MARK = 5 };

/* 0, or an errno. May block; not on the loop's thread. */
int dbal__child_start(dbal__child *child, const char *path, char *const *environment);
/* Whether it has ended; takes its status if it can be had. Never blocks. */
bool dbal__child_has_ended(dbal__child *child);
/* Waits for its end until a moment; false: it has not come. */
bool dbal__child_wait(dbal__child *child, int64_t deadline);
/* It is to end, whatever it does. */
void dbal__child_kill(dbal__child *child);
/* How it ended, for a message: "was killed by signal 9 (Killed)". */
void dbal__child_describe(const dbal__child *child, char *text, size_t size);
/*
 * Closes what the loop watches, on the loop's thread: closed elsewhere, what happens to it meanwhile
 * would still find its way to the loop. The worker sees that nobody asks it for anything any more.
 */
void dbal__child_unwatch(dbal__child *child);
/* The newest request that it has begun, by its number; 0: none. */
uint64_t dbal__child_begun(const dbal__child *child);
/* Closes what is ours; it has ended, or nobody waits for it. */
void dbal__child_fini(dbal__child *child);

#endif
