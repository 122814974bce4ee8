/* More callers than connections: each has a session, and then asks for the next one. */
#include <dbal.h>
#include <ev.h>
#include <stdlib.h>

#include "../clock.h"
#include "../idle_driver.h"
#include "../place.h"
#include "../ready.h"
#include "../row.h"

enum { SESSIONS = 40000, CONNECTIONS = 4, CALLERS = 64, FEW = 10, MANY = 10000 };

static struct ev_loop *limit_loop, *dbal_ev;
static bench_ready ready;
static dbal_loop *loop;
static dbal_pool *pool;
static int to_ask, to_end;

/* ---- by hand ---- */

typedef struct connection {
    struct connection *next;
} connection;

/* One request for a connection: it waits in line, its work runs from the loop, then its callback. */
typedef struct session {
    bench_task task; /* first */
    struct session *next;
    connection *connection;
    void (*work)(connection *connection);
    void (*callback)(void);
} session;

static connection connections[CONNECTIONS], *idle;
static session *waiting, **last = &waiting;

static void run_work(bench_task *task);

static void
grant(session *one, connection *given)
{
    one->connection = given;
    one->task.run = run_work;
    bench_ready_push(&ready, &one->task);
}

static void
release(connection *given)
{
    session *one = waiting;
    if (one == NULL) {
        given->next = idle;
        idle = given;
        return;
    }
    waiting = one->next;
    if (waiting == NULL)
        last = &waiting;
    grant(one, given);
}

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
    release(one->connection);
    one->task.run = run_callback;
    bench_ready_push(&ready, &one->task);
}

static void
acquire(void (*work)(connection *connection), void (*callback)(void))
{
    session *one = malloc(sizeof *one);
    if (one == NULL)
        bench_fail("no memory");
    one->work = work;
    one->callback = callback;
    if (idle != NULL) {
        connection *given = idle;
        idle = idle->next;
        grant(one, given);
        return;
    }
    one->next = NULL;
    *last = one;
    last = &one->next;
}

static void
nothing_by_hand(connection *given)
{
    (void)given;
}

static void acquire_by_hand(void);

static void
ended_by_hand(void)
{
    to_end--;
    if (to_ask > 0)
        acquire_by_hand();
}

static void
acquire_by_hand(void)
{
    to_ask--;
    acquire(nothing_by_hand, ended_by_hand);
}

/* ---- dbal ---- */

static dbal_outcome
nothing(dbal_connection *given, void *arg)
{
    (void)given, (void)arg;
    return dbal_done();
}

static void acquire_session(void);

static dbal_outcome
ended(dbal_outcome in, void *arg)
{
    (void)arg;
    to_end--;
    if (to_ask > 0)
        acquire_session();
    return in;
}

static void
acquire_session(void)
{
    to_ask--;
    dbal_deferred_add_callback(dbal_pool_session(pool, NULL, nothing, NULL), ended, NULL);
}

/* ---- both ---- */

static double
run(struct ev_loop *ev, int callers, void (*acquire_one)(void))
{
    to_ask = to_end = SESSIONS;
    double began = bench_clock();
    for (int i = 0; i < callers; i++)
        acquire_one();
    while (to_end > 0)
        ev_run(ev, EVRUN_NOWAIT);
    return SESSIONS / (bench_clock() - began);
}

static double
limit(void)
{
    return run(limit_loop, CALLERS, acquire_by_hand);
}

static double
dbal(void)
{
    return run(dbal_ev, CALLERS, acquire_session);
}

static double
few(void)
{
    return run(dbal_ev, FEW + CONNECTIONS, acquire_session);
}

static double
many(void)
{
    return run(dbal_ev, MANY + CONNECTIONS, acquire_session);
}

static void
begin(void)
{
    limit_loop = ev_loop_new(EVFLAG_AUTO);
    dbal_ev = ev_loop_new(EVFLAG_AUTO);
    bench_ready_begin(&ready, limit_loop);
    idle = NULL;
    for (int i = 0; i < CONNECTIONS; i++)
        release(&connections[i]);
    loop = dbal_loop_new(dbal_ev);
    pool = bench_idle_driver_loop_pool(loop, CONNECTIONS);
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

extern const bench_row bench_pool_contended, bench_pool_10k_waiters;
const bench_row bench_pool_contended = {
    "pool_contended", "sessions/s", false, 0, begin, limit, dbal, end};
const bench_row bench_pool_10k_waiters = {
    "pool_10k_waiters", "sessions/s", false, 0, begin, few, many, end};
