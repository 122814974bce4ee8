#include "dbal/clock.h"

#include <math.h>
#include <stddef.h>
#include <time.h>

enum { TICK_MOST = 10000000 }; /* nanoseconds */

const dbal__clock dbal__clock_of_threads = {.driven = false};

int64_t
dbal__monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
dbal__nanoseconds(double seconds)
{
    if (isnan(seconds) || seconds >= 9e9)
        return DBAL__NEVER;
    if (seconds <= 0)
        return 0;
    return (int64_t)(seconds * 1e9);
}

int64_t
dbal__after(int64_t moment, double seconds)
{
    int64_t delay = dbal__nanoseconds(seconds);
    return delay >= DBAL__NEVER - moment ? DBAL__NEVER : moment + delay;
}

int64_t
dbal__clock_now(const dbal__clock *clock)
{
    return clock->driven ? clock->driven_now : dbal__monotonic();
}

int64_t
dbal__clock_roughly(const dbal__clock *clock)
{
    struct timespec tick;
    if (clock->driven)
        return clock->driven_now;
    /* the time of the kernel's last tick, which was not longer ago than the longest tick there is */
    clock_gettime(CLOCK_MONOTONIC_COARSE, &tick);
    return (int64_t)tick.tv_sec * 1000000000 + tick.tv_nsec + TICK_MOST;
}

/* two heaps become one; the later root becomes the first child of the earlier */
static dbal__timer *
meld(dbal__timer *a, dbal__timer *b)
{
    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (b->at < a->at) {
        dbal__timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next != NULL)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* a heap of siblings: melded in pairs from the front, then together */
static dbal__timer *
meld_siblings(dbal__timer *timer)
{
    dbal__timer *pairs = NULL;
    while (timer != NULL) {
        dbal__timer *a = timer, *b = a->next;
        timer = b != NULL ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b != NULL)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    dbal__timer *root = NULL;
    while (pairs != NULL) {
        dbal__timer *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    if (root != NULL)
        root->prev = root->next = NULL;
    return root;
}

static void
cut(dbal__timer *timer)
{
    if (timer->prev->child == timer)
        timer->prev->child = timer->next;
    else
        timer->prev->next = timer->next;
    if (timer->next != NULL)
        timer->next->prev = timer->prev;
    timer->next = timer->prev = NULL;
}

void
dbal__clock_stop(dbal__clock *clock, dbal__timer *timer)
{
    if (!timer->active)
        return;
    timer->active = false;
    if (clock->first == timer) {
        clock->first = meld_siblings(timer->child);
    } else {
        cut(timer);
        clock->first = meld(clock->first, meld_siblings(timer->child));
    }
    timer->child = NULL;
}

void
dbal__clock_start(dbal__clock *clock, dbal__timer *timer, int64_t at,
                  void (*fire)(dbal__timer *timer))
{
    dbal__clock_stop(clock, timer);
    if (at == DBAL__NEVER)
        return;
    *timer = (dbal__timer){.at = at, .active = true, .fire = fire};
    clock->first = meld(clock->first, timer);
}

int64_t
dbal__clock_next(const dbal__clock *clock)
{
    return clock->first != NULL ? clock->first->at : DBAL__NEVER;
}

void
dbal__clock_run(dbal__clock *clock)
{
    if (clock->first == NULL)
        return;
    int64_t now = dbal__clock_now(clock);
    while (clock->first != NULL && clock->first->at <= now) {
        dbal__timer *timer = clock->first;
        dbal__clock_stop(clock, timer);
        timer->fire(timer);
    }
}

void
dbal__clock_drive(dbal__clock *clock)
{
    clock->driven_now = dbal__clock_now(clock);
    clock->driven = true;
}

void
dbal__clock_advance(dbal__clock *clock, double seconds)
{
    clock->driven_now = dbal__after(clock->driven_now, seconds);
}
