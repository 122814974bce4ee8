#include "dbal/home.h"

#include <stdatomic.h>

#include "dbal/alloc.h"

/* More than this does not wait for its thread, which may sleep for long. */
enum { MOST = 1024 * 1024 };

struct dbal__home {
    dbal__reaper reaper; /* first: reapers are cast back */
    atomic_uint refs;
    _Atomic(dbal_result *) back;
    atomic_size_t bytes;
};

/* gives back how many bytes they were */
static size_t
destroy_all(dbal_result *result)
{
    size_t bytes = 0;
    while (result != NULL) {
        dbal_result *next = dbal__result_next(result);
        bytes += dbal__result_bytes(result);
        dbal__result_destroy(result);
        result = next;
    }
    return bytes;
}

void
dbal__home_clear(dbal__home *home)
{
    if (atomic_load_explicit(&home->back, memory_order_relaxed) == NULL)
        return;
    size_t bytes = destroy_all(atomic_exchange(&home->back, NULL));
    atomic_fetch_sub_explicit(&home->bytes, bytes, memory_order_relaxed);
}

void
dbal__home_unref(dbal__home *home)
{
    if (home == NULL || atomic_fetch_sub_explicit(&home->refs, 1, memory_order_acq_rel) != 1)
        return;
    dbal__home_clear(home);
    dbal__free(home);
}

static void
ref(dbal__reaper *reaper)
{
    dbal__home *home = (dbal__home *)(void *)reaper;
    atomic_fetch_add_explicit(&home->refs, 1, memory_order_relaxed);
}

static void
unref(dbal__reaper *reaper)
{
    dbal__home_unref((dbal__home *)(void *)reaper);
}

/* Any thread. */
static void
take(dbal__reaper *reaper, dbal_result *result)
{
    dbal__home *home = (dbal__home *)(void *)reaper;
    size_t bytes = dbal__result_bytes(result);
    if (atomic_fetch_add_explicit(&home->bytes, bytes, memory_order_relaxed) + bytes > MOST) {
        atomic_fetch_sub_explicit(&home->bytes, bytes, memory_order_relaxed);
        dbal__result_destroy(result);
        return;
    }
    dbal_result *back = atomic_load_explicit(&home->back, memory_order_relaxed);
    do {
        dbal__result_set_next(result, back);
    } while (!atomic_compare_exchange_weak(&home->back, &back, result));
}

dbal__home *
dbal__home_new(void)
{
    dbal__home *home = dbal__zalloc(sizeof *home);
    if (home == NULL)
        return NULL;
    home->reaper = (dbal__reaper){take, ref, unref};
    atomic_init(&home->refs, 1);
    return home;
}

dbal__reaper *
dbal__home_reaper(dbal__home *home)
{
    return &home->reaper;
}
