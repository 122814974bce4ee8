#include "pool/spare.h"

#include "dbal/alloc.h"

/* Bytes of parameters for which each has room; how many are kept. */
enum { ROOM = 64, MOST = 128 };

dbal__ticket *
dbal__spare_take(dbal_pool *pool, size_t block_size)
{
    dbal__ticket *ticket = block_size <= ROOM ? pool->spare : NULL;
    if (ticket != NULL) {
        pool->spare = ticket->next_spare;
        pool->spare_count--;
        return ticket;
    }
    ticket = dbal__alloc(sizeof *ticket + (block_size <= ROOM ? ROOM : block_size));
    if (ticket != NULL)
        ticket->spared = block_size <= ROOM;
    return ticket;
}

void
dbal__spare_leave(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    if (!ticket->spared || pool->spare_count >= MOST || !dbal__alloc_may_reuse()) {
        dbal__free(ticket);
        return;
    }
    ticket->next_spare = pool->spare;
    pool->spare = ticket;
    pool->spare_count++;
}

void
dbal__spare_free(dbal_pool *pool)
{
    dbal__ticket *next;
    for (; pool->spare != NULL; pool->spare = next) {
        next = pool->spare->next_spare;
        dbal__free(pool->spare);
    }
}
