/* The drivers this process knows, and the one thread of those that may only have one. */
#ifndef DBAL__DRIVER_H
#define DBAL__DRIVER_H

#include <stdbool.h>

#include "dbal/entry.h"
#include "dbal/worker.h"
#include <dbal/driver.h>

/* What goes with a driver for as long as the process lives. */
typedef struct dbal__driver_entry {
    struct dbal__driver_entry *next;
    const dbal_driver *driver;
    dbal__entry entry;
    pthread_mutex_t lock; /* taken in gate threads only */
    unsigned users;       /* open connections */
    bool initialized;
} dbal__driver_entry;

/* The driver of a URL scheme, or NULL. */
dbal__driver_entry *dbal__driver_find(const char *scheme);
/* "fake, sqlite": the schemes there are; owned, NULL without memory. */
char *dbal__driver_schemes(void);

/* Whether it has the functions for the sharing that it says it can do. */
bool dbal__driver_can_share(const dbal_driver *driver, unsigned capabilities);

/* Around the life of a connection, in the thread that opens it: library_init and library_exit. */
bool dbal__driver_use(dbal__driver_entry *entry, int threadlevel, dbal_fault *fault);
void dbal__driver_unuse(dbal__driver_entry *entry, int threadlevel);

/*
 * The one thread of a library, made at its first use and never ended. NULL with *ret_hung when it
 * was given up, or without a thread.
 */
dbal__worker *dbal__driver_thread(const char *library, bool *ret_hung);
/* The same thread, unless it was given up since: NULL then. */
dbal__worker *dbal__driver_thread_again(dbal__worker *worker, bool *ret_hung);
/* It hangs: nobody gets it any more. */
void dbal__driver_thread_give_up(dbal__worker *worker);

#endif
