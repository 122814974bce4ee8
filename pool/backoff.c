#include "pool/backoff.h"

#include <math.h>
#include <string.h>

#include "pool/pool.h"

static const double FIRST = 0.1, MOST_WHEN_AWAITED = 1; /* seconds */
/* So many failures in a row, and a single connect looks for the server. */
enum { PROBES_FROM = 3 };

double
dbal__pool_jitter(dbal_pool *pool)
{
    pool->jitter = pool->jitter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(pool->jitter >> 40) / (double)(1 << 24);
}

/* One that opened shows that the server lets in, before anything was done there: each allows one more. */
int
dbal__backoff_connects(const dbal_pool *pool, int most)
{
    unsigned let_in = pool->backoff.let_in;
    bool probes = pool->failures >= PROBES_FROM && let_in < (unsigned)most;
    return probes ? 1 + (int)let_in : most;
}

static void
on_timer(dbal__timer *timer)
{
    dbal_pool *pool = DBAL__OF(timer, dbal_pool, backoff.timer);
    pool->backoff.active = false;
    dbal__waiters_limit(pool);
    dbal__slots_grow_if_wanted(pool);
    dbal__replace(pool);
}

static void
set_timer(dbal_pool *pool)
{
    dbal__backoff *self = &pool->backoff;
    double most = pool->settings.backoff;
    bool awaited = self->asked || dbal__waiters_count(pool) > 0 || pool->lanes.wished ||
                   !dbal__list_empty(&pool->readiers);
    self->patient = !awaited && most > MOST_WHEN_AWAITED;
    if (!self->patient && most > MOST_WHEN_AWAITED)
        most = MOST_WHEN_AWAITED;
    unsigned doublings = pool->failures > 1 ? pool->failures - 1 : 0; /* 0: one has opened since */
    double delay = FIRST * exp2(doublings < 16 ? doublings : 16);
    delay = (delay < most ? delay : most) * self->draw;
    dbal__clock_start(&pool->loop->ready.clock, &self->timer, dbal__after(self->failed_at, delay),
                      on_timer);
}

void
dbal__backoff_begin(dbal_pool *pool)
{
    dbal__backoff *self = &pool->backoff;
    pool->failures++;
    self->let_in = 0;
    if (pool->stopped || (pool->closing && dbal__list_empty(&pool->tickets)))
        return;
    self->active = true;
    self->down = self->down || pool->open == 0;
    self->asked = false;
    self->draw = dbal__pool_jitter(pool);
    self->failed_at = dbal__loop_now(pool->loop);
    set_timer(pool);
    dbal__waiters_limit(pool);
}

void
dbal__backoff_hurry(dbal_pool *pool)
{
    if (pool->backoff.active && pool->backoff.patient)
        set_timer(pool);
}

void
dbal__backoff_stop(dbal_pool *pool)
{
    dbal__clock_stop(&pool->loop->ready.clock, &pool->backoff.timer);
}

void
dbal__backoff_opened(dbal_pool *pool)
{
    pool->last_error = dbal_error_unref(pool->last_error);
    pool->life.full = false;
    pool->backoff.down = false;
    pool->backoff.let_in++;
    pool->lanes.wished = false;
    dbal__waiters_limit(pool);
}

dbal_error *
dbal__backoff_refusal(dbal_pool *pool)
{
    pool->backoff.asked = true;
    dbal__backoff_hurry(pool);
    return dbal__error_copy(pool->last_error, DBAL_EXECUTION_NOT_SENT);
}

/* The first since one has opened: what is open proves nothing of connects any more. */
static void
begin_row(dbal_pool *pool, dbal_error *error)
{
    /* what waits may wait for long, and its program should know for what */
    dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING, "no connection%s: %s",
                    pool->open > 0 ? " more" : "", dbal_error_message(error));
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next)
        DBAL__OF(link, dbal__slot, link)->proved = true;
}

/* One that cannot pass fails those that wait, unless others are open. */
void
dbal__slots_failed(dbal_pool *pool, dbal_error *error)
{
    bool passing = dbal_error_retryable(error) || dbal_error_is(error, DBAL_ERROR_TIMEOUT);
    error = dbal__error_with_execution(error, DBAL_EXECUTION_NOT_SENT);
    pool->counts.connect_errors++;
    if (pool->last_error == NULL)
        begin_row(pool, error);
    dbal_error_unref(pool->last_error);
    pool->last_error = dbal_error_ref(error);
    pool->backoff.error_at = dbal__loop_now(pool->loop);
    pool->life.full = strcmp(dbal_error_sqlstate(error), "53300") == 0;
    dbal__backoff_begin(pool);
    if (pool->open == 0 && (!passing || pool->settings.fail_fast))
        dbal__waiters_fail(pool, error);
    if (pool->open == 0 && !passing)
        dbal__pool_ready_changed(pool, error);
    dbal_error_unref(error);
    dbal__drain_check(pool);
    dbal__pool_check_closed(pool);
}
