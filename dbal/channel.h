/* One connection behind its gate: what the pool uses, whichever gate it is. */
#ifndef DBAL__CHANNEL_H
#define DBAL__CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "dbal/driver.h"
#include "dbal/job.h"
#include "dbal/loop.h"
#include "dbal/note.h"

typedef struct dbal__channel dbal__channel;

/* All on the loop, and none blocks but join. */
typedef struct dbal__channel_ops {
    /* Begins to open; channel->opened says how it went. False: not even begun, with the error. */
    bool (*open)(dbal__channel *channel, dbal_error **ret_error);
    /* Hands down a job bound to this connection; job->finished gets it back. */
    void (*submit)(dbal__channel *channel, dbal__job *job);
    /* Asks a running job to stop; it still comes back. */
    void (*cancel)(dbal__channel *channel, dbal__job *job);
    /* A stream's consumer has room again, or a copy has more. */
    void (*resume)(dbal__channel *channel, dbal__job *job);
    /* Closes when what was submitted has ended; channel->closed says that it has. */
    void (*close)(dbal__channel *channel);
    /* It hangs: whatever it still does is no longer waited for. Jobs may come back late, or never. */
    void (*give_up)(dbal__channel *channel);
    /* Blocks until its thread is gone, or a moment; false: it is still there. */
    bool (*join)(dbal__channel *channel, int64_t deadline);
    void (*free)(dbal__channel *channel);
} dbal__channel_ops;

struct dbal__channel {
    const dbal__channel_ops *ops;
    dbal_loop *loop;
    dbal__inbox *inbox; /* the loop's; a reference */
    dbal__driver_entry *driver;
    int threadlevel;
    unsigned capabilities;
    int64_t
        validate_after; /* nanoseconds of silence before it is asked whether it lives; threads' */
    dbal_opening opening;
    dbal_notes notes;          /* of opening */
    atomic_bool opening_ended; /* what is being opened is not wanted any more */
    void *connection;          /* the driver's own memory */
    dbal__entry entry;
    bool opened_once;
    bool given_up;
    void *owner;
    /* error: owned by the callee; NULL when it is open now. After an error only free is left. */
    void (*opened)(dbal__channel *channel, dbal_error *error);
    void (*closed)(dbal__channel *channel);
    /* threads of the pool's only, or NULL: it has one that closes it now */
    void (*closing)(dbal__channel *channel);
    /* native only: it died by itself; jobs in flight come back next. Owned error. */
    void (*lost)(dbal__channel *channel, dbal_error *error);
    /* native only, or NULL: NOTIFY. Inside the driver: the channel is not to be used there. */
    void (*notified)(dbal__channel *channel, const char *name, const char *payload, int pid);
    /* native only: these jobs have ended since the last time, and come back next; or NULL */
    void (*landed)(dbal__channel *channel, const dbal__list *jobs);
};

/* Common to all; false without memory. */
bool dbal__channel_init(dbal__channel *channel, const dbal__channel_ops *ops, dbal_loop *loop,
                        dbal__driver_entry *driver);
void dbal__channel_fini(dbal__channel *channel);
/* Tells a driver that is opening it to make an end of that; it still comes back. Never blocks. */
void dbal__channel_stop_opening(dbal__channel *channel);

/* In a thread that may enter it, and may wait there: sets up its library, and opens it. */
bool dbal__channel_enter_open(dbal__channel *channel, dbal_fault *fault);
/* The same for closing one that is open. */
void dbal__channel_enter_close(dbal__channel *channel);

/*
 * Through a thread: a dedicated one that also pulls from `shared` (NULL: it does not), or with
 * `worker` one that serves other connections too.
 */
dbal__channel *dbal__threaded_new(dbal_loop *loop, dbal__driver_entry *driver, dbal__line *shared,
                                  dbal__worker *worker);
/* A dedicated thread that does nothing now, with nothing on its way to it. */
bool dbal__threaded_is_idle(const dbal__channel *channel);
/* Takes it away from the shared line, if it is idle then. */
bool dbal__threaded_hold_idle(dbal__channel *channel);
/* One that does nothing: whether it was silent for so long that it is asked first. */
bool dbal__threaded_is_silent(const dbal__channel *channel);
/* Its thread, for the crew. */
dbal__worker *dbal__threaded_worker(const dbal__channel *channel);
/* Gives it back to the shared line. */
void dbal__threaded_release(dbal__channel *channel);
/* Keeps it away from that line, whatever it does now; or lets it go there again. */
void dbal__threaded_hold(dbal__channel *channel, bool hold);
/* Given back as by dbal__threaded_release(), but kept away from the line. */
void dbal__threaded_keep(dbal__channel *channel);
/* A session that it got from the line is on its way to the loop, or has it. */
bool dbal__threaded_is_engaged(const dbal__channel *channel);
/* Ready to be pushed on a shared line. */
void dbal__threaded_prepare(dbal__job *job);

/* On the loop, through the driver's native face. */
dbal__channel *dbal__native_new(dbal_loop *loop, dbal__driver_entry *driver);

#endif
