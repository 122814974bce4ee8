/*
 * What the database wants done when there is time: under the write token, and in nobody's way. It
 * goes down behind the writes that wait, when it must not wait any longer; else by itself, when
 * nothing was written for a while.
 */
#include "dbal/error.h"
#include "pool/connection.h"
#include "pool/pool.h"

static const double QUIET = 0.05; /* seconds without a write */

static void
finished(dbal__job *job)
{
    dbal_pool *pool = DBAL__OF(job, dbal_pool, keeper);
    dbal__slot *slot = pool->keeper_slot;
    dbal_error *error = job->error;
    pool->keeper_slot = NULL;
    pool->counts.upkeeps += job->ok;
    slot->flying--;
    const char *oldest = dbal__pool_oldest_at_work(pool);
    if (error != NULL && !dbal_error_connection_lost(error))
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING, "%s%s%s", dbal_error_message(error),
                        oldest[0] != '\0' ? "; at work for longest: " : "", oldest);
    dbal_error_unref(error);
    job->error = NULL;
    dbal__upkeep_wanted(pool, job->upkeep_wanted);
    if (slot == pool->writes_slot)
        dbal__writes_done(pool);
    dbal__pool_check_closed(pool);
}

static void
on_timer(dbal__timer *timer)
{
    dbal_pool *pool = DBAL__OF(timer, dbal_pool, upkeep_timer);
    pool->upkeep_due = !pool->closing;
    dbal__writes_serve(pool);
}

void
dbal__upkeep_wanted(dbal_pool *pool, dbal_upkeep when)
{
    if (when == DBAL_UPKEEP_NONE || pool->closing || pool->upkeep_due || pool->keeper_slot != NULL)
        return;
    if (when == DBAL_UPKEEP_NOW) {
        pool->upkeep_due = true;
        dbal__writes_serve_soon(pool);
        return;
    }
    /* each write puts it off */
    dbal__clock *clock = &pool->loop->ready.clock;
    dbal__clock_start(clock, &pool->upkeep_timer, dbal__after(dbal__loop_now(pool->loop), QUIET),
                      on_timer);
}

dbal__job *
dbal__upkeep_take(dbal_pool *pool)
{
    if (!pool->upkeep_due)
        return NULL;
    dbal__clock_stop(&pool->loop->ready.clock, &pool->upkeep_timer);
    dbal__job_init(&pool->keeper, finished);
    pool->keeper.number = ++pool->last_job;
    pool->keeper.kind = DBAL__JOB_UPKEEP;
    pool->keeper.request.has_token = true;
    pool->upkeep_due = false;
    pool->keeper_slot = pool->writes_slot;
    pool->keeper_slot->flying++;
    return &pool->keeper;
}

void
dbal__upkeep_stop(dbal_pool *pool)
{
    pool->upkeep_due = false;
    dbal__clock_stop(&pool->loop->ready.clock, &pool->upkeep_timer);
}
