/* Sessions one after another, each on a connection that is idle, with work that does nothing. */
#include <dbal.h>
#include <ev.h>
#include <stdlib.h>

#include "../clock.h"
#include "../idle_driver.h"
#include "../place.h"
#include "../ready.h"
#include "../row.h"

enum { SESSIONS = 50000, CONNECTIONS = 4 };

static struct ev_loop *limit_loop, *dbal_ev;
static bench_ready ready;
static dbal_loop *loop;
static dbal_pool *pool;
static int left;

/* ---- by hand ---- */

typedef struct connection {
    struct connection *next;
} connection;

/* One request for a connection: first its work runs from the loop, then its callback. */
typedef struct session {
    bench_task task; /* first */
    connection *connection;
    void (*work)(connection *connection);
    void (*callback)(void);
} session;

static connection connections[CONNECTIONS], *idle;

static void acquire(void (*work)(connection *connection), void (*callback)(void));

static void
run_callback(bench_task *task)
{
    session *one = (session *)(void *)task;
    void (*callback)(void) = one->callback;
    free(one);
    callback();
}

static void
run_work(bench_task *task)
{
    session *one = (session *)(void *)task;
    one->work(one->connection);
    one->connection->next = idle;
    idle = one->connection;
    one->task.run = run_callback;
    bench_ready_push(&ready, &one->task);
}

static void
acquire(void (*work)(connection *connection), void (*callback)(void))
{
    session *one = malloc(sizeof *one);
    if (one == NULL || idle == NULL)
        bench_fail("no connection is idle");
    one->connection = idle;
    idle = idle->next;
    one->work = work;
    one->callback = callback;
    one->task.run = run_work;
    bench_ready_push(&ready, &one->task);
}

static void
nothing_by_hand(connection *given)
{
    (void)given;
}

static void
next_by_hand(void)
{
    if (--left > 0)
        acquire(nothing_by_hand, next_by_hand);
}

static double
limit(void)
{
    double began = bench_clock();
    left = SESSIONS;
    acquire(nothing_by_hand, next_by_hand);
    while (left > 0)
        ev_run(limit_loop, EVRUN_NOWAIT);
    return SESSIONS / (bench_clock() - began);
}

/* ---- dbal ---- */

static dbal_outcome
nothing(dbal_connection *given, void *arg)
{
    (void)given, (void)arg;
    return dbal_done();
}

static dbal_outcome
next(dbal_outcome in, void *arg)
{
    if (--left > 0)
        dbal_deferred_add_callback(dbal_pool_session(pool, NULL, nothing, NULL), next, arg);
    return in;
}

static double
dbal(void)
{
    double began = bench_clock();
    left = SESSIONS;
    dbal_deferred_add_callback(dbal_pool_session(pool, NULL, nothing, NULL), next, NULL);
    ev_run(dbal_ev, 0);
    if (left != 0)
        bench_fail("%d sessions are missing", left);
    return SESSIONS / (bench_clock() - began);
}

static void
begin(void)
{
    limit_loop = ev_loop_new(EVFLAG_AUTO);
    dbal_ev = ev_loop_new(EVFLAG_AUTO);
    bench_ready_begin(&ready, limit_loop);
    idle = NULL;
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i].next = idle;
        idle = &connections[i];
    }
    loop = dbal_loop_new(dbal_ev);
    pool = bench_idle_driver_pool(loop);
    dbal_pool_ready(pool);
    ev_run(dbal_ev, 0);
}

static void
end(void)
{
    dbal_loop_free(loop);
    ev_loop_destroy(dbal_ev);
    bench_ready_end(&ready, limit_loop);
    ev_loop_destroy(limit_loop);
}

extern const bench_row bench_pool_idle_acquire;
const bench_row bench_pool_idle_acquire = {
    "pool_idle_acquire", "sessions/s", false, 0, begin, limit, dbal, end};
