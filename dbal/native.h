/*
 * A connection on the loop. The driver opens and closes it in a helper thread; in between it is
 * stepped by the descriptors it has asked to watch. Finished requests go up from the ready queue,
 * never from inside the driver.
 */
#ifndef DBAL__NATIVE_H
#define DBAL__NATIVE_H

#include <stdbool.h>

#include "dbal/channel.h"

enum { DBAL__NATIVE_SLOTS = 4 };

typedef struct dbal__native dbal__native;

/* one watched descriptor */
typedef struct dbal__native_slot {
    ev_io watch;
    dbal__native *of;
    bool active;
} dbal__native_slot;

struct dbal_host {
    dbal__native *of;
};

struct dbal__native {
    dbal__channel channel; /* first */
    dbal_host host;
    dbal__native_slot slots[DBAL__NATIVE_SLOTS];
    dbal__timer timer;
    dbal__task wake;    /* step(DBAL_SLOT_WAKE) */
    dbal__task finish;  /* hands up what has finished; closes what died */
    dbal__task parting; /* closes it, when libev has let go of its descriptors */
    dbal__list flying;  /* jobs the driver has */
    dbal__list landed;  /* jobs it has finished */
    dbal__list remarks; /* not logged yet: the program's function may call us */
    int remark_count;
    dbal_fault fault; /* of opening, and of its death */
    dbal__errand open_errand, close_errand;
    bool ok, attached, dying, closing, close_sent, in_transaction;
    bool worn;            /* it is to be replaced */
    bool soiled, cleaned; /* what the driver says of the request that it finishes next */
};

/* Lets the driver take a step, if it still has the connection. */
void dbal__native_step(dbal__native *native, int place, unsigned events);
/* Something is to be handed up, when the driver has returned. */
void dbal__native_soon(dbal__native *native);

/* ---- native_host.c: what a driver asks of the core ---- */

/* Its descriptors and its timer are watched no more. */
void dbal__native_unwatch(dbal__native *native);
/* Logs what the database has said, or drops it. */
void dbal__native_log(dbal__native *native, bool drop);

#endif
