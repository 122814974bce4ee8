/* What all connections to one name share, in this process: a number, counts, and those that wait. */
#ifndef DRIVERS_FAKE_STORE_H
#define DRIVERS_FAKE_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct fake_store {
    struct fake_store *next;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t number;    /* the database's one number */
    unsigned attempts; /* to open a connection */
    char name[];
} fake_store;

/* The one of a name, made when it is not there; lives as long as the process. NULL without memory. */
fake_store *fake_store_get(const char *name);
void fake_store_add(fake_store *store, int64_t number);
int64_t fake_store_number(fake_store *store);
/* Counts an attempt; how many there were before it. */
unsigned fake_store_attempt(fake_store *store);

/*
 * Sleeps so long (negative: for ever), or until a time of CLOCK_MONOTONIC in nanoseconds, or until
 * `stopped` says so, which is asked whenever somebody rouses the sleepers, and now and then. False
 * when it did not sleep to its end.
 */
bool fake_store_sleep(fake_store *store, double seconds, int64_t until,
                      bool (*stopped)(const void *arg), const void *arg);
void fake_store_rouse(fake_store *store);

#endif
