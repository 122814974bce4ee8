/* What other threads hand to the loop: a lock-free queue and one eventfd. */
#ifndef DBAL__INBOX_H
#define DBAL__INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One message, part of whatever it brings. */
typedef struct dbal__message {
    struct dbal__message *next;
    void (*deliver)(struct dbal__message *message); /* on the loop */
} dbal__message;

/*
 * Counted, and apart from the loop: a thread that was given up may still come back after the loop
 * is gone, and must then find a closed inbox.
 */
typedef struct dbal__inbox {
    atomic_uint refs;
    _Atomic(dbal__message *) head;
    atomic_bool signalled;
    int fd;
} dbal__inbox;

/* NULL without memory or descriptors. */
dbal__inbox *dbal__inbox_new(void);
dbal__inbox *dbal__inbox_ref(dbal__inbox *inbox);
void dbal__inbox_unref(dbal__inbox *inbox);

/* Any thread. False when closed: the message is still the caller's. Does not wake the loop. */
bool dbal__inbox_push(dbal__inbox *inbox, dbal__message *message);
/* Any thread: lets the loop know that there is something; cheap when it knows already. */
void dbal__inbox_wake(dbal__inbox *inbox);
/* The loop: forgets the signal, before it takes. */
void dbal__inbox_acknowledge(dbal__inbox *inbox);
/* The loop, at its end only: blocks until there is something, or a moment. */
void dbal__inbox_sleep(dbal__inbox *inbox, int64_t deadline);
/* The loop: everything so far, oldest first. */
dbal__message *dbal__inbox_take(dbal__inbox *inbox);
/* The loop: takes what there is and refuses everything from now on. */
dbal__message *dbal__inbox_close(dbal__inbox *inbox);

#endif
