/* The sizes of a pool, changed while it runs. */
#include "pool/pool.h"

int
dbal__resize_surplus(const dbal_pool *pool)
{
    return pool->open + pool->connecting - (pool->life.replacement != NULL) - pool->limit;
}

/* What goes first: it costs the least. */
typedef enum worth { IDLE, OPENING, BUSY, WORTHS } worth;

static bool
is_worth(const dbal__slot *slot, worth what)
{
    if (what == OPENING)
        return slot->state == DBAL__SLOT_OPENING;
    return slot->state == DBAL__SLOT_OPEN && !slot->held &&
           (what == BUSY || dbal__slot_is_idle(slot));
}

/* Those in sessions go when they come back, see dbal__life_stays(). */
static void
shed(dbal_pool *pool)
{
    pool->life.replacement = NULL; /* one as others are */
    for (worth what = IDLE; what < WORTHS; what++) {
        dbal__list *link = pool->slots.prev;
        while (link != &pool->slots && dbal__resize_surplus(pool) > 0) {
            dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
            link = link->prev;
            if (!is_worth(slot, what))
                continue;
            if (what == OPENING)
                dbal__life_close(slot);
            else
                dbal__life_part(slot, &pool->counts.closed_surplus);
        }
    }
}

static dbal_error *
refusal(const dbal_pool *pool, int min_size, int max_size)
{
    if (!dbal__loop_check(pool->loop, "dbal_pool_resize"))
        return dbal__ready_refusal(&pool->loop->ready, "dbal_pool_resize");
    if (pool->closing)
        return dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT,
                                "the pool is closed");
    dbal_error *error = dbal__settings_check_sizes(min_size, max_size);
    return error != NULL ? error : dbal__pool_check_threads(pool, max_size);
}

bool
dbal_pool_resize(dbal_pool *pool, int min_size, int max_size, dbal_error **ret_error)
{
    dbal_error *error = refusal(pool, min_size, max_size);
    if (error != NULL) {
        dbal__error_give(ret_error, error);
        return false;
    }
    pool->settings.min_size = min_size;
    pool->settings.max_size = max_size;
    pool->limit = max_size < pool->most ? max_size : pool->most;
    if (dbal__resize_surplus(pool) > 0)
        shed(pool);
    dbal__slots_grow_if_wanted(pool);
    dbal__waiters_serve(pool);
    if (pool->pulls)
        dbal__crew_rouse(&pool->crew);
    dbal__pool_ready_changed(pool, NULL);
    /* what is kept idle is another number now */
    if (pool->life.idle_at == DBAL__NEVER)
        pool->life.idle_at = dbal__loop_now(pool->loop);
    dbal__life_arm(pool, dbal__loop_now(pool->loop));
    return true;
}
