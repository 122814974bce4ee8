#include "tests/lib/thread_fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_ulong count, first, last;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg);

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                      void *arg)
{
    unsigned long number = atomic_fetch_add(&count, 1) + 1;
    unsigned long from = atomic_load(&first);
    if (from != 0 && number >= from && number <= atomic_load(&last))
        return EAGAIN;
    return __real_pthread_create(thread, attributes, run, arg);
}

static void
fail_range(unsigned long from, unsigned long to)
{
    atomic_store(&first, 0);
    atomic_store(&last, to);
    atomic_store(&count, 0);
    atomic_store(&first, from);
}

void
thread_fault_fail(unsigned long nth)
{
    fail_range(nth, nth);
}

void
thread_fault_fail_from(unsigned long nth)
{
    fail_range(nth, (unsigned long)-1);
}

unsigned long
thread_fault_count(void)
{
    return atomic_load(&count);
}
