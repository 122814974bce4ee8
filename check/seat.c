#include "check/seat.h"

#include <pthread.h>

#include "check/trial.h"

/* of a driver of level 0 as a whole */
static seat whole;

static void
count_entry(void)
{
    static _Thread_local bool known;
    atomic_fetch_add(&trial_report->entries, 1);
    if (!known)
        atomic_fetch_add(&trial_report->threads, 1);
    known = true;
}

static void
enter(seat *self, bool pinned, const char *operation)
{
    uintptr_t me = (uintptr_t)pthread_self(), nobody = 0, home = 0;
    if (!atomic_compare_exchange_strong(&self->inside, &nobody, me))
        trial_breach("%s: %s (the gate broke threadlevel %d)", operation,
                     nobody == me ? "entered again from inside" : "another thread was inside",
                     self->threadlevel);
    if (pinned && !atomic_compare_exchange_strong(&self->home, &home, me) && home != me)
        trial_breach("%s: in another thread than before (the gate broke threadlevel %d)", operation,
                     self->threadlevel);
}

void
seat_enter(seat *self, const char *operation)
{
    count_entry();
    if (atomic_load(&self->closing))
        trial_breach("%s: after close()", operation);
    atomic_fetch_add(&self->depth, 1);
    if (self->threadlevel <= 0)
        enter(&whole, true, operation);
    else if (self->threadlevel <= 2)
        enter(self, self->threadlevel == 1, operation);
}

void
seat_leave(seat *self)
{
    atomic_fetch_sub(&self->depth, 1);
    if (self->threadlevel <= 0)
        atomic_store(&whole.inside, 0);
    else if (self->threadlevel <= 2)
        atomic_store(&self->inside, 0);
}
