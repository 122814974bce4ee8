#include "tests/lib/latch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { GUARD = 30 }; /* seconds */

static void
set(latch *one, bool open)
{
    pthread_mutex_lock(&one->mutex);
    one->open = open;
    pthread_cond_broadcast(&one->cond);
    pthread_mutex_unlock(&one->mutex);
}

void
latch_close(latch *one)
{
    set(one, false);
}

void
latch_open(latch *one)
{
    set(one, true);
}

bool
latch_is_open(latch *one)
{
    pthread_mutex_lock(&one->mutex);
    bool open = one->open;
    pthread_mutex_unlock(&one->mutex);
    return open;
}

bool
latch_opened(void *one)
{
    return latch_is_open(one);
}

void
latch_wait(latch *one)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GUARD;
    pthread_mutex_lock(&one->mutex);
    while (!one->open) {
        if (pthread_cond_timedwait(&one->cond, &one->mutex, &until) != 0 && !one->open) {
            /* Check's own failures are for the thread of the test alone */
            fprintf(stderr, "a thread waited for %d s\n", GUARD);
            abort();
        }
    }
    pthread_mutex_unlock(&one->mutex);
}
