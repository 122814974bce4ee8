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
    const char *file; /* it was loaded from, or NULL */
    dbal__entry entry;
    pthread_mutex_t lock; /* taken in gate threads only */
    unsigned users;       /* open connections */
    bool initialized;
} dbal__driver_entry;

/* The driver of a URL scheme that is here already, or NULL. */
dbal__driver_entry *dbal__driver_find(const char *scheme);
/* The same, or one that is loaded now: from the disk, by its scheme, which is in lower case. */
dbal__driver_entry *dbal__driver_load(const char *scheme, dbal_error **ret_error);
/* Loads what is in this file. A scheme that it must have, or NULL. */
dbal__driver_entry *dbal__driver_load_file(const char *file, const char *scheme,
                                           dbal_error **ret_error);
/* Makes one known, and where it came from (copied, or NULL); when it is already, that is all right. */
dbal__driver_entry *dbal__driver_add(const dbal_driver *driver, const char *file,
                                     dbal_error **ret_error);
/* All that are here, by their `next`: none goes, and one that comes is put in front. */
dbal__driver_entry *dbal__driver_first(void);

/* What is wrong with a driver, NULL for nothing; `room`, of 160 bytes, is for what has numbers in it. */
const char *dbal__driver_complaint(const dbal_driver *driver, char *room, size_t size);
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
