/* When a pool opens more connections, and how many at once. */
#include "pool/pool.h"

enum { CONNECTING_MOST = 4 }; /* connects at once */

bool
dbal__slots_may_connect(const dbal_pool *pool)
{
    int most = pool->probed && (pool->open > 0 || !pool->pulls)
                   ? CONNECTING_MOST
                   : 1; /* until one is open, it is not known how many there may be */
    if (pool->pulls || pool->threads != NULL)
        most = 1;
    most = dbal__backoff_connects(pool, most);
    /* while it closes, what was accepted may still want one */
    if (pool->stopped || pool->paused || (pool->closing && dbal__list_empty(&pool->tickets)))
        return false;
    return !pool->backoff.active && pool->connecting < most &&
           pool->hanging < pool->limit + CONNECTING_MOST &&
           (pool->threads == NULL || dbal__threads_any(pool->threads));
}

void
dbal__slots_grow(dbal_pool *pool)
{
    /* one that goes before another is opened in its place still has it, at the server */
    if (pool->open + pool->connecting + (pool->life.passing != NULL) >= pool->limit)
        return;
    dbal__backoff_hurry(pool);
    if (dbal__slots_may_connect(pool))
        dbal__slots_open(pool);
}

void
dbal__slots_thread_freed(void *pool)
{
    dbal__waiters_serve_soon(pool);
}

void
dbal__slots_thread_failed(void *pool, int code)
{
    dbal__slots_failed(pool, dbal__error_no_thread(code));
}

void
dbal__slots_crew_wants(dbal__crew *crew)
{
    dbal__slots_grow(DBAL__OF(crew, dbal_pool, crew));
}

/* Something still wants a connection beside those that are being opened: what waits, or min_size. */
static bool
is_wanted(const dbal_pool *pool)
{
    bool awaited = dbal__waiters_count(pool) > 0 || !dbal__list_empty(&pool->readiers);
    return pool->open + pool->connecting < pool->settings.min_size ||
           (awaited && pool->open == 0 && pool->connecting == 0) ||
           (pool->lanes.wished && pool->connecting == 0) ||
           pool->waiting_count > (size_t)pool->connecting;
}

/* As many as may be opened at once; one that fails at once is the last. */
void
dbal__slots_grow_if_wanted(dbal_pool *pool)
{
    int before;
    do {
        before = pool->connecting;
        if (is_wanted(pool))
            dbal__slots_grow(pool);
    } while (pool->connecting > before);
}
