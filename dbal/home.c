#include "dbal/home.h"

#include <stdatomic.h>

#include "dbal/alloc.h"
#include "dbal/fetch.h"
#include "dbal/result_layout.h"

/* More bytes than this do not wait for their thread, which may sleep for long. */
enum { MOST = 512 * 1024 };

/*
 * What a result needs here should cost no more than what it is for: so each keeps its reference
 * while it is spare, and the bytes are counted without a lock. A count that is lost by that makes
 * some too many wait or some be freed elsewhere, until the thread looks again.
 */
struct dbal__home {
    dbal__reaper reaper; /* first: reapers are cast back */
    atomic_uint refs;
    _Atomic(dbal_result *) back; /* or &closed */
    atomic_size_t bytes;         /* of what is there */
    char apart[64];              /* the thread and those who give back do not share a cache line */
    dbal_result *spare;          /* the thread's own: what has come back before */
};

/* the head of a home that nobody lives in any more */
static char closed_mark;
#define CLOSED ((dbal_result *)(void *)&closed_mark)

static void
drop(dbal__home *home)
{
    if (atomic_fetch_sub_explicit(&home->refs, 1, memory_order_acq_rel) == 1)
        dbal__free(home);
}

/* With its reference. */
static void
destroy(dbal__home *home, dbal_result *result)
{
    dbal__result_destroy(result);
    drop(home);
}

static void
destroy_all(dbal__home *home, dbal_result *result)
{
    while (result != NULL) {
        dbal_result *next = dbal__result_next(result);
        destroy(home, result);
        result = next;
    }
}

void
dbal__home_close(dbal__home *home)
{
    if (home == NULL)
        return;
    destroy_all(home, atomic_exchange(&home->back, CLOSED));
    destroy_all(home, home->spare);
    drop(home);
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
    drop((dbal__home *)(void *)reaper);
}

/* Any thread. */
static void
take(dbal__reaper *reaper, dbal_result *result)
{
    dbal__home *home = (dbal__home *)(void *)reaper;
    size_t bytes = atomic_load_explicit(&home->bytes, memory_order_relaxed);
    bytes += dbal__result_bytes(result);
    dbal_result *back = atomic_load_explicit(&home->back, memory_order_relaxed);
    if (bytes > MOST) {
        destroy(home, result);
        return;
    }
    atomic_store_explicit(&home->bytes, bytes, memory_order_relaxed);
    do {
        if (back == CLOSED) {
            destroy(home, result);
            return;
        }
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

/* What has come back is freed here, or made anew; touched one by one, when it is needed. */
static dbal_result *
renewed(dbal__home *home, size_t max_bytes)
{
    while (home->spare != NULL) {
        dbal_result *result = home->spare, *next = dbal__result_next(result);
        home->spare = next;
        if (dbal__alloc_may_reuse() && dbal__result_can_renew(result)) {
            dbal__fetch_to_write(next, DBAL__RESULT_BEGIN);
            dbal__result_renew(result, max_bytes);
            return result;
        }
        destroy(home, result);
    }
    return NULL;
}

static void
look(dbal__home *home)
{
    if (atomic_load_explicit(&home->bytes, memory_order_relaxed) != 0)
        atomic_store_explicit(&home->bytes, 0, memory_order_relaxed);
    if (atomic_load_explicit(&home->back, memory_order_relaxed) != NULL)
        home->spare = atomic_exchange(&home->back, NULL);
}

dbal_result *
dbal__home_result(dbal__home *home, size_t max_bytes)
{
    if (home->spare == NULL)
        look(home);
    dbal_result *result = renewed(home, max_bytes);
    if (result != NULL)
        return result;
    result = dbal__result_new(max_bytes);
    if (result != NULL)
        dbal__result_set_reaper(result, &home->reaper);
    return result;
}
