#include "pool/spare.h"

#include "dbal/alloc.h"

/* Bytes of parameters for which each has room; how many of a size are kept. */
enum { ROOM = 64, MOST = 128 };

static dbal__ticket *
take(dbal_pool *pool, dbal__spare_size size, size_t bytes)
{
    dbal__ticket *ticket = pool->spare[size].first;
    if (ticket != NULL) {
        pool->spare[size].first = ticket->next_spare;
        pool->spare[size].count--;
    } else if ((ticket = dbal__alloc(bytes)) != NULL) {
        ticket->spared = size;
    }
    return ticket;
}

dbal__ticket *
dbal__spare_take(dbal_pool *pool, size_t block_size)
{
    bool spared = block_size <= ROOM;
    return take(pool, spared ? DBAL__SPARE_WHOLE : DBAL__SPARE_NOT,
                sizeof(dbal__ticket) + (spared ? ROOM : block_size));
}

dbal__ticket *
dbal__spare_take_short(dbal_pool *pool)
{
    return take(pool, DBAL__SPARE_SHORT, offsetof(dbal__ticket, job) + offsetof(dbal__job, work));
}

void
dbal__spare_leave(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    dbal__spare_size size = ticket->spared;
    if (size == DBAL__SPARE_NOT || pool->spare[size].count >= MOST || !dbal__alloc_may_reuse()) {
        dbal__free(ticket);
        return;
    }
    ticket->next_spare = pool->spare[size].first;
    pool->spare[size].first = ticket;
    pool->spare[size].count++;
}

void
dbal__spare_free(dbal_pool *pool)
{
    dbal__ticket *next;
    for (int size = 0; size < DBAL__SPARE_SIZES; size++) {
        for (; pool->spare[size].first != NULL; pool->spare[size].first = next) {
            next = pool->spare[size].first->next_spare;
            dbal__free(pool->spare[size].first);
        }
    }
}
