/* Sleeping on a word: what C11 atomics lack. Linux only. */
#ifndef DBAL__FUTEX_H
#define DBAL__FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
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

/*
 * A lock for a few instructions, without what makes a pthread mutex known to the whole system:
 * 0 free, 1 taken, 2 taken and waited for.
 */
static inline bool
dbal__lock_try(atomic_int *lock)
{
    int seen = 0;
    return atomic_compare_exchange_strong_explicit(lock, &seen, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void
dbal__lock_take(atomic_int *lock)
{
    if (__builtin_expect(dbal__lock_try(lock), 1))
        return;
    while (atomic_exchange_explicit(lock, 2, memory_order_acquire) != 0)
        dbal__futex_wait(lock, 2, INT64_MAX);
}

static inline void
dbal__lock_leave(atomic_int *lock)
{
    if (atomic_exchange_explicit(lock, 0, memory_order_release) == 2)
        dbal__futex_wake(lock);
}

#endif
