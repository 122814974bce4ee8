/* Sleeping on a word: what C11 atomics lack. Linux only. */
#ifndef DBAL__FUTEX_H
#define DBAL__FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sleeps while the word has this value, until a wake or the deadline (CLOCK_MONOTONIC ns). */
static inline void
dbal__futex_wait(atomic_int *word, int value, int64_t deadline)
{
    struct timespec at = {(time_t)(deadline / 1000000000), (long)(deadline % 1000000000)};
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, deadline != INT64_MAX ? &at : NULL,
            NULL, FUTEX_BITSET_MATCH_ANY);
}

static inline void
dbal__futex_wake(atomic_int *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#endif
