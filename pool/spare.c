/*
 * As much is kept as was needed lately: of what a burst leaves behind all that nobody has taken between
 * two looks is freed, some at each, so that this takes the loop no time worth the name.
 */
#include "pool/spare.h"

#include "dbal/alloc.h"
#include "dbal/list.h"

/* Of each size so many are always kept, and never more than MOST; freed at one look. */
enum { KEPT = 128, MOST = 16384, FREED = 256 };
static const int64_t PERIOD = 100000000; /* nanoseconds between two looks */

void
dbal__spares_init(dbal__spares *spares, dbal__clock *clock)
{
    *spares = (dbal__spares){.clock = clock};
}

static void *
pop(dbal__spares *spares, dbal__spare_size size)
{
    void *memory = spares->of[size].first;
    spares->of[size].first = *(void **)memory;
    spares->of[size].count--;
    return memory;
}

void
dbal__spares_fini(dbal__spares *spares)
{
    dbal__clock_stop(spares->clock, &spares->timer);
    for (dbal__spare_size size = 0; size < DBAL__SPARE_SIZES; size++) {
        while (spares->of[size].first != NULL)
            dbal__free(pop(spares, size));
    }
}

void *
dbal__spare_take(dbal__spares *spares, dbal__spare_size size, size_t bytes)
{
    if (spares->of[size].first == NULL)
        return dbal__alloc(bytes);
    void *memory = pop(spares, size);
    if (spares->of[size].count < spares->of[size].least)
        spares->of[size].least = spares->of[size].count;
    return memory;
}

/* Frees some of what was not needed since the last look; whether there is still more than is kept. */
static bool
has_too_many(dbal__spares *spares, dbal__spare_size size)
{
    unsigned unused = spares->of[size].least;
    for (int i = 0; i < FREED && unused > KEPT; i++, unused--)
        dbal__free(pop(spares, size));
    spares->of[size].least = spares->of[size].count;
    return spares->of[size].count > KEPT;
}

static void
look(dbal__timer *timer)
{
    dbal__spares *spares = DBAL__OF(timer, dbal__spares, timer);
    bool again = false;
    for (dbal__spare_size size = 0; size < DBAL__SPARE_SIZES; size++)
        again = has_too_many(spares, size) || again;
    if (again)
        dbal__clock_start(spares->clock, timer, dbal__clock_now(spares->clock) + PERIOD, look);
}

void
dbal__spare_leave(dbal__spares *spares, dbal__spare_size size, void *memory)
{
    if (size == DBAL__SPARE_NOT || spares->of[size].count >= MOST || !dbal__alloc_may_reuse()) {
        dbal__free(memory);
        return;
    }
    *(void **)memory = spares->of[size].first;
    spares->of[size].first = memory;
    if (++spares->of[size].count > KEPT && !spares->timer.active)
        dbal__clock_start(spares->clock, &spares->timer, dbal__clock_now(spares->clock) + PERIOD,
                          look);
}
