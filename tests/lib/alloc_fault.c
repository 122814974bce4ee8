#include "tests/lib/alloc_fault.h"

#include <check.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include <dbal/memory.h>

static atomic_ulong count, failed;
static atomic_ulong first, last; /* of those that fail; 0: none */
static atomic_long live;

static bool
may_allocate(void)
{
    unsigned long number = atomic_fetch_add(&count, 1) + 1;
    unsigned long from = atomic_load(&first);
    if (from == 0 || number < from || number > atomic_load(&last))
        return true;
    atomic_fetch_add(&failed, 1);
    return false;
}

static void *
count_live(void *pointer)
{
    if (pointer != NULL)
        atomic_fetch_add(&live, 1);
    return pointer;
}

static void *
fault_malloc(size_t size)
{
    return may_allocate() ? count_live(malloc(size)) : NULL;
}

static void *
fault_realloc(void *pointer, size_t size)
{
    if (!may_allocate())
        return NULL;
    return pointer != NULL ? realloc(pointer, size) : count_live(malloc(size));
}

static void
fault_free(void *pointer)
{
    if (pointer != NULL)
        atomic_fetch_sub(&live, 1);
    free(pointer);
}

void
alloc_fault_install(void)
{
    static const dbal_allocator allocator = {fault_malloc, fault_realloc, fault_free};
    atomic_store(&live, 0);
    alloc_fault_fail(0);
    ck_assert(dbal_set_allocator(&allocator));
}

void
alloc_fault_remove(void)
{
    ck_assert(dbal_set_allocator(NULL));
}

static void
fail_range(unsigned long from, unsigned long to)
{
    atomic_store(&first, 0);
    atomic_store(&last, to);
    atomic_store(&count, 0);
    atomic_store(&failed, 0);
    atomic_store(&first, from);
}

void
alloc_fault_fail(unsigned long nth)
{
    fail_range(nth, nth);
}

void
alloc_fault_fail_from(unsigned long nth)
{
    fail_range(nth, (unsigned long)-1);
}

unsigned long
alloc_fault_count(void)
{
    return atomic_load(&count);
}

unsigned long
alloc_fault_failed(void)
{
    return atomic_load(&failed);
}

long
alloc_fault_live(void)
{
    return atomic_load(&live);
}

/* A thread that outlives the loop may give its last block back a moment later. */
static bool
all_freed(void)
{
    for (int i = 0; i < 2000000 && alloc_fault_live() != 0; i++)
        sched_yield();
    return alloc_fault_live() == 0;
}

static void
sweep(void (*scenario)(void *arg), void *arg, void (*set_fault)(unsigned long nth))
{
    const char *only = getenv("DBAL_TEST_ALLOC");
    unsigned long most = 100000;
    for (unsigned long nth = only != NULL ? strtoul(only, NULL, 10) : 1;; nth++) {
        ck_assert_uint_lt(nth, most);
        alloc_fault_install();
        set_fault(nth);
        scenario(arg);
        unsigned long got = alloc_fault_failed();
        ck_assert_msg(all_freed(), "allocation %lu failing leaves %ld blocks", nth,
                      alloc_fault_live());
        alloc_fault_remove();
        if (got == 0 || only != NULL)
            break;
    }
}

void
alloc_fault_sweep(void (*scenario)(void *arg), void *arg)
{
    sweep(scenario, arg, alloc_fault_fail);
    sweep(scenario, arg, alloc_fault_fail_from);
}
