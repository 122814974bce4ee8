#include "expect.h"

#include <string.h>

enum { ROOM_FIRST = 8 };

bool
dbal__postgres_expect_init(dbal__postgres_expect *expect)
{
    expect->items = dbal_driver_alloc(ROOM_FIRST * sizeof *expect->items);
    expect->unsent = dbal_driver_alloc(ROOM_FIRST * sizeof *expect->unsent);
    expect->mask = expect->unsent_mask = ROOM_FIRST - 1;
    if (expect->items != NULL && expect->unsent != NULL)
        return true;
    dbal__postgres_expect_fini(expect);
    return false;
}

void
dbal__postgres_expect_fini(dbal__postgres_expect *expect)
{
    dbal_driver_free(expect->items);
    dbal_driver_free(expect->unsent);
    memset(expect, 0, sizeof *expect);
}

/* A ring of twice the size, with what lies between the numbers; NULL without memory. */
static void *
twice(const void *ring, uint32_t mask, size_t size, uint32_t first, uint32_t end)
{
    char *larger = dbal_driver_alloc(2 * ((size_t)mask + 1) * size);
    for (uint32_t i = first; larger != NULL && i != end; i++)
        memcpy(larger + (i & (2 * mask + 1)) * size, (const char *)ring + (i & mask) * size, size);
    return larger;
}

bool
dbal__postgres_expect_reserve(dbal__postgres_expect *expect, uint32_t count)
{
    while (expect->end - expect->settled + count > expect->mask + 1) {
        void *larger =
            twice(expect->items, expect->mask, sizeof *expect->items, expect->settled, expect->end);
        if (larger == NULL)
            return false;
        dbal_driver_free(expect->items);
        expect->items = larger;
        expect->mask = 2 * expect->mask + 1;
    }
    return true;
}

bool
dbal__postgres_expect_hold(dbal__postgres_expect *expect, dbal__postgres_unsent one, bool first)
{
    if (expect->unsent_end - expect->unsent_first == expect->unsent_mask + 1) {
        void *larger = twice(expect->unsent, expect->unsent_mask, sizeof *expect->unsent,
                             expect->unsent_first, expect->unsent_end);
        if (larger == NULL)
            return false;
        dbal_driver_free(expect->unsent);
        expect->unsent = larger;
        expect->unsent_mask = 2 * expect->unsent_mask + 1;
    }
    uint32_t at = first ? --expect->unsent_first : expect->unsent_end++;
    expect->unsent[at & expect->unsent_mask] = one;
    return true;
}

dbal__postgres_unsent
dbal__postgres_expect_release(dbal__postgres_expect *expect)
{
    return expect->unsent[expect->unsent_first++ & expect->unsent_mask];
}

bool
dbal__postgres_expect_remove(dbal__postgres_expect *expect, const dbal_request *request)
{
    uint32_t kept = expect->unsent_first;
    for (uint32_t i = kept; i != expect->unsent_end; i++) {
        dbal__postgres_unsent one = expect->unsent[i & expect->unsent_mask];
        if (one.request != request)
            expect->unsent[kept++ & expect->unsent_mask] = one;
    }
    bool found = kept != expect->unsent_end;
    expect->unsent_end = kept;
    return found;
}

bool
dbal__postgres_expect_stop(dbal__postgres_expect *expect, const dbal_request *request)
{
    bool found = false;
    for (uint32_t i = expect->settled; i != expect->end; i++) {
        dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (item->request != request)
            continue;
        found = true;
        expect->stopped += !item->stopped;
        item->stopped = true;
    }
    return found;
}

bool
dbal__postgres_expect_is_stopping(const dbal__postgres_expect *expect)
{
    for (uint32_t i = expect->read; expect->stopped > 0 && i != expect->end; i++) {
        const dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (item->stopped || item->reply == DBAL__POSTGRES_REPLY_SYNC)
            return item->stopped;
    }
    return false;
}
