/*
 * A connection as the witness sees it: who is inside, and whether that keeps to the declared
 * threadlevel.
 */
#ifndef CHECK_SEAT_H
#define CHECK_SEAT_H

#include <dbal/driver.h>
#include <pthread.h>
#include <stdatomic.h>

/* Stands in front of the driver's own connection. */
typedef struct seat {
    atomic_uintptr_t inside; /* the thread that is in it now */
    atomic_uintptr_t home;   /* the only one that may be, at level 1 */
    atomic_int depth;        /* how many are inside, at level 3 */
    atomic_bool open, closing;
    bool alone; /* the last statement was of no session */
    bool has_last;
    pthread_t last; /* where it was entered before, when each entry has a thread of its own */
    int threadlevel;
    unsigned capabilities;
    _Alignas(16) char connection[];
} seat;

static inline seat *
seat_of(void *connection)
{
    return connection;
}

/* Around every entry into the driver; `operation` says which, in the words of the table. */
void seat_enter(seat *self, const char *operation);
void seat_leave(seat *self);

#endif
