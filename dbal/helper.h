/* A loop's few threads for what blocks but is no statement: connects, cancels, large frees. */
#ifndef DBAL__HELPER_H
#define DBAL__HELPER_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/inbox.h"
#include "dbal/list.h"
#include "dbal/result.h"
#include "dbal/worker.h"

typedef struct dbal__helpers dbal__helpers;

/* Something for a helper: run there, then done on the loop. Part of whatever it is for. */
typedef struct dbal__errand {
    dbal__work work;
    dbal__message message;
    void (*run)(struct dbal__errand *errand);
    void (*done)(struct dbal__errand *errand);
    dbal__helpers *helpers;
} dbal__errand;

/*
 * With so many threads at most. NULL without memory; starts no thread yet. Counted: results that
 * wait to be freed hold it.
 */
dbal__helpers *dbal__helpers_new(dbal__inbox *inbox, unsigned most);
/*
 * Starts the first thread, so that later nothing makes the loop wait for one. False: it cannot be
 * had now; it is tried again when it is needed.
 */
bool dbal__helpers_begin(dbal__helpers *helpers);
/* Never blocks. False when no thread could be started: nothing will run. */
bool dbal__helpers_send(dbal__helpers *helpers, dbal__errand *errand);
/*
 * Starts a worker's thread, since that may make the loop wait; `done` is told on the loop with 0 or
 * an errno. False without memory or when nothing will run: the caller starts it.
 */
bool dbal__helpers_launch(dbal__helpers *helpers, dbal__worker *worker,
                          void (*done)(dbal__worker *worker, int code));
/* Runs a piece of work and tells nobody; it may free itself. False when nothing will run. */
bool dbal__helpers_run(dbal__helpers *helpers, dbal__work *work);
/* Tells the threads to end, when they have done what they are at. */
void dbal__helpers_end(dbal__helpers *helpers);
/* The same, and waits for them until a moment; gives back how many had to be let go. */
unsigned dbal__helpers_stop(dbal__helpers *helpers, int64_t deadline);
void dbal__helpers_unref(dbal__helpers *helpers);
/* Where large results of this loop are freed. */
dbal__reaper *dbal__helpers_reaper(dbal__helpers *helpers);

#endif
