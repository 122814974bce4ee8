/*
 * The threads that pull from one line, and how many of them are awake. One is enough for work that
 * ends soon: two eager ones are slower than one. Another is woken when work has been taken too
 * slowly for a while.
 */
#ifndef DBAL__CREW_H
#define DBAL__CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/loop.h"
#include "dbal/worker.h"

typedef struct dbal__crew {
    dbal_loop *loop;
    dbal__line line;
    dbal__list workers; /* most recently woken first */
    dbal__timer timer;
    dbal__work *first, *last; /* gathered in this turn, not yet on the line */
    unsigned gathered;        /* how many */
    dbal__task give;          /* puts them there, at the end of the turn */
    size_t outstanding;       /* pushed and not yet come back */
    uint64_t taken;           /* at the last look */
    int64_t looked;           /* when that was */
    double delay;             /* until the next look */
    /* work waits and nobody is parked: is there to be one more? */
    void (*wanted)(struct dbal__crew *crew);
} dbal__crew;

void dbal__crew_init(dbal__crew *crew, dbal_loop *loop, void (*wanted)(dbal__crew *crew));
/*
 * At most so many bytes of results may wait for the loop, or about that. Before there are workers.
 * False without memory.
 */
bool dbal__crew_limit(dbal__crew *crew, int64_t bytes);
void dbal__crew_fini(dbal__crew *crew);
void dbal__crew_join(dbal__crew *crew, dbal__worker *worker);
void dbal__crew_leave(dbal__crew *crew, dbal__worker *worker);

/* Puts work on the line, and sees to it that somebody takes it. */
void dbal__crew_push(dbal__crew *crew, dbal__work *work);
/*
 * The same for what comes in numbers: the first of a turn at once, those behind it in groups, the
 * last of which goes at the end of the turn. Each time the line is touched, memory that the threads
 * work with has to come here and go back, which takes as long as all else that is done for a query.
 */
void dbal__crew_gather(dbal__crew *crew, dbal__work *work);
/* Puts what is gathered on the line now. */
void dbal__crew_give(dbal__crew *crew);
/* How much waits, on the line or for it. */
size_t dbal__crew_waiting(const dbal__crew *crew);
/* One that was pushed has come back. */
void dbal__crew_returned(dbal__crew *crew);
/* The loop has taken a result with so many of these bytes. */
void dbal__crew_took(dbal__crew *crew, size_t bytes);
/* Wakes somebody for what is on the line already. */
void dbal__crew_rouse(dbal__crew *crew);
/* A worker that sleeps and may take shared work, or NULL. */
dbal__worker *dbal__crew_parked(dbal__crew *crew);

#endif
