/* Sessions on connections that are idle, with work that does nothing. */
#include <dbal.h>
#include <ev.h>
#include <stdlib.h>

#include "../clock.h"
#include "../idle_driver.h"
#include "../place.h"
#include "../ready.h"
#include "../row.h"

/* In each turn of the loop, a session on each of the pool's connections. */
enum { TURNS = 5000, CONNECTIONS = 4 };

static struct ev_loop *limit_loop, *dbal_ev;
static bench_ready ready;
static dbal_loop *loop;
static dbal_pool *pool;
static int ended;

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
count_by_hand(void)
{
    ended++;
}

static void
acquire_by_hand(void)
{
    acquire(nothing_by_hand, count_by_hand);
}

/* ---- dbal ---- */

static dbal_outcome
nothing(dbal_connection *given, void *arg)
{
    (void)given, (void)arg;
    return dbal_done();
}

static dbal_outcome
count(dbal_outcome in, void *arg)
{
    (void)arg;
    ended++;
    return in;
}

static void
acquire_session(void)
{
    dbal_deferred_add_callback(dbal_pool_session(pool, NULL, nothing, NULL), count, NULL);
}

/* ---- both ---- */

static double
run(struct ev_loop *ev, void (*acquire_one)(void))
{
    ended = 0;
    double began = bench_clock();
    for (int turn = 1; turn <= TURNS; turn++) {
        for (int i = 0; i < CONNECTIONS; i++)
            acquire_one();
        while (ended < turn * CONNECTIONS)
            ev_run(ev, EVRUN_NOWAIT);
    }
    return TURNS * CONNECTIONS / (bench_clock() - began);
}

static double
limit(void)
{
    return run(limit_loop, acquire_by_hand);
}

static double
dbal(void)
{
    return run(dbal_ev, acquire_session);
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
    pool = bench_idle_driver_pool(loop, CONNECTIONS);
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
