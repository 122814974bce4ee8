/* Deferreds, as the rest of dbal sees them. */
#ifndef DBAL__DEFERRED_H
#define DBAL__DEFERRED_H

#include <stdbool.h>

#include "dbal/ready.h"
#include <dbal/deferred.h>

/* What a chain does at one place. */
typedef enum dbal__link_kind {
    DBAL__LINK_CALLBACKS, /* the application's pair */
    DBAL__LINK_FINALLY,
    DBAL__LINK_CONTINUE, /* another Deferred waits here for the outcome */
    DBAL__LINK_TAKER,    /* somebody inside takes the outcome */
    DBAL__LINK_TIMEOUT,  /* the time is up only until here */
    DBAL__LINK_NO_MEMORY /* a callback could not be stored here */
} dbal__link_kind;

typedef struct dbal__link {
    dbal__link_kind kind;
    union {
        struct {
            dbal_callback *ok, *failed;
        } pair;
        void (*finally)(void *arg);
        void (*take)(dbal_outcome outcome, void *arg);
    } as;
    void *arg;
} dbal__link;

enum { DBAL__LINKS_INSIDE = 4 };

/* What becomes of a Deferred that is watched. */
typedef enum dbal__fate {
    DBAL__FATE_SETTLED, /* its chain has ended for the first time; with an unhandled error, or NULL */
    DBAL__FATE_GONE     /* nothing of it is left */
} dbal__fate;

struct dbal_deferred {
    dbal__task task;
    dbal__list live;
    dbal__ready *ready;
    unsigned refs, pauses;
    bool fired, settled, running;
    bool let_one_pass;   /* cancelled without a canceller: one firing more is let pass */
    bool cancel_waits;   /* cancelling leaves the firing to the producer */
    bool cancelled;
    dbal_outcome outcome;
    dbal_deferred *waiting_on; /* not a reference: that one refers to us */
    bool (*watch)(dbal__fate fate, dbal_error *error, void *arg);
    void *watch_arg;
    bool announced; /* the watcher knows that it has settled */
    bool told;      /* and has taken care of the error it ended with */
    dbal_canceller *canceller;
    void *canceller_arg;
    dbal__link *links;
    unsigned head, count, room;
    dbal__link inside[DBAL__LINKS_INSIDE];
};

/*
 * Like dbal_deferred_new(), but cancelling it only calls the canceller: the producer fires it when
 * the work has really ended. Makes no check of thread or process.
 */
dbal_deferred *dbal__deferred_new(dbal_loop *loop, dbal_canceller *canceller, void *arg);
/* A Deferred that has failed already; floating. */
dbal_deferred *dbal__deferred_failed(dbal_loop *loop, dbal_error *error);
/* Tells of its fate. When the watcher returns true for an error (borrowed), it is not reported. */
void dbal__deferred_watch(dbal_deferred *deferred,
                          bool (*watch)(dbal__fate fate, dbal_error *error, void *arg), void *arg);
/* Hands the outcome to `take`, owned; the chain goes on with dbal_done(). */
void dbal__deferred_add_taker(dbal_deferred *deferred, void (*take)(dbal_outcome outcome, void *arg),
                              void *arg);
/* Settles everything that lives with CLOSED; the last drain of a loop that ends. */
void dbal__deferred_close_all(dbal__ready *ready);
/* Frees the loop's spare ones. */
void dbal__deferred_free_spare(dbal__ready *ready);
/* Fills the reserve from which Deferreds come when memory runs out. False without memory. */
bool dbal__deferred_fill_reserve(dbal__ready *ready);

#endif
