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
    DBAL__LINK_TIMEOUT   /* the time is up only until here */
} dbal__link_kind;

typedef struct dbal__link {
    dbal__link_kind kind;
    bool starved; /* something could not be stored before it: the chain fails there */
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
    unsigned refs;
    unsigned pauses; /* the application's, and one while it waits for another */
    bool fired, settled, running;
    bool produced;      /* the producer's reference has been consumed */
    bool cancel_waits;  /* cancelling leaves the firing to the producer */
    bool cancelled;     /* the canceller was called */
    bool cancel_queued; /* cancel_task is in the ready queue, with a reference */
    bool starved;       /* like a link's, behind the last */
    bool announced;     /* the watcher knows that it has settled */
    bool told;          /* and has taken care of the error it ended with */
    bool gone;          /* among the spare ones: whoever still has it may not use it */
    dbal_outcome outcome;
    dbal_deferred *waiting_on; /* not a reference: that one refers to us */
    dbal_canceller *canceller;
    bool (*watch)(dbal__fate fate, dbal_error *error, void *arg);
    void *canceller_arg, *watch_arg;
    dbal__link *links;
    unsigned head, count, room;
    /* what is seldom used stands last, to spare the processor's cache */
    dbal__link inside[DBAL__LINKS_INSIDE];
    dbal__task cancel_task; /* set up when it is needed */
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
void dbal__deferred_add_taker(dbal_deferred *deferred,
                              void (*take)(dbal_outcome outcome, void *arg), void *arg);
/* Takes one back that has not fired and that nobody else knows of. */
void dbal__deferred_discard(dbal_deferred *deferred);
/* Fires it, when it has not fired, without taking the producer's reference. */
void dbal__deferred_end(dbal_deferred *deferred, dbal_outcome outcome);
/* The one at the end of a chain of waiting; breaks a cycle that it finds there. */
dbal_deferred *dbal__deferred_innermost(dbal_deferred *deferred);
/* Logs that one that is gone was used; false. */
bool dbal__deferred_refuse_gone(dbal_deferred *deferred, const char *call);
/* Whether this thread may touch it, in builds with checks; one whose loop has ended may be. */
static inline bool
dbal__deferred_is_ours(dbal_deferred *deferred, const char *call)
{
#ifdef DBAL_CHECKS
    if (deferred->gone)
        return dbal__deferred_refuse_gone(deferred, call);
#endif
    return deferred->ready == NULL || dbal__ready_checked(deferred->ready, call);
}
/* Adds a link. False when it could not be stored. */
bool dbal__deferred_append(dbal_deferred *deferred, dbal__link link);
/* Lets it run, settled or not, when it has fired. */
void dbal__deferred_go_on(dbal_deferred *deferred);

/* The time that a chain has until one of its links. */
typedef struct dbal__timeout dbal__timeout;
/* The chain has come to that link; frees it. */
void dbal__deferred_end_timeout(dbal_deferred *deferred, dbal__timeout *limit);

/* Cancels what the program made and has not settled, or of that what has a canceller. */
void dbal__deferred_cancel_all(dbal__ready *ready, bool with_canceller);
/* Settles everything that lives with CLOSED; the last drain of a loop that ends. */
void dbal__deferred_close_all(dbal__ready *ready);
/* Frees the loop's spare ones, and lets those go that somebody still refers to: the loop ends. */
void dbal__deferred_free_spare(dbal__ready *ready);
/* Fills the reserve from which Deferreds come when memory runs out. False without memory. */
bool dbal__deferred_fill_reserve(dbal__ready *ready);

#endif
