/* What the sessions of a pool cost beyond Deferreds: a line written by hand gives those out as well. */
#include <dbal.h>
#include <ev.h>
#include <stdlib.h>

#include "../clock.h"
#include "../idle_driver.h"
#include "../place.h"
#include "../row.h"

enum { SESSIONS = 40000, CONNECTIONS = 4, CALLERS = 64 };

static struct ev_loop *ev;
static dbal_loop *loop;
static dbal_pool *pool;
static int to_ask, to_end;

/* ---- by hand ---- */

typedef struct connection {
    struct connection *next;
} connection;

/* One that waits in line: its Deferred fires with a connection. */
typedef struct waiter {
    struct waiter *next;
    dbal_deferred *deferred;
} waiter;

static connection connections[CONNECTIONS], *idle;
static waiter *waiting, **last = &waiting;

static void
release(connection *given)
{
    waiter *first = waiting;
    if (first == NULL) {
        given->next = idle;
        idle = given;
        return;
    }
    waiting = first->next;
    if (waiting == NULL)
        last = &waiting;
    dbal_deferred_fire(first->deferred, dbal_ok(given, NULL));
    free(first);
}

static void
stand_in_line(dbal_deferred *deferred)
{
    waiter *one = malloc(sizeof *one);
    if (one == NULL)
        bench_fail("no memory");
    *one = (waiter){.deferred = deferred};
    *last = one;
    last = &one->next;
}

static dbal_deferred *
acquire(void)
{
    dbal_deferred *deferred = dbal_deferred_new(loop, NULL, NULL);
    if (deferred == NULL)
        bench_fail("no memory");
    connection *given = idle;
    if (given == NULL) {
        stand_in_line(deferred);
    } else {
        idle = given->next;
        dbal_deferred_fire(deferred, dbal_ok(given, NULL));
    }
    return deferred;
}

static dbal_outcome
nothing_by_hand(dbal_outcome in, void *arg)
{
    (void)arg;
    release(in.pointer);
    return dbal_done();
}

/* ---- dbal ---- */

static dbal_outcome
nothing(dbal_connection *given, void *arg)
{
    (void)given, (void)arg;
    return dbal_done();
}

/* ---- both ---- */

static dbal_outcome
ended(dbal_outcome in, void *arg)
{
    void (*const *acquire_one)(void) = arg;
    to_end--;
    if (to_ask > 0)
        (*acquire_one)();
    return in;
}

static void
acquire_by_hand(void)
{
    static void (*const again)(void) = acquire_by_hand;
    to_ask--;
    dbal_deferred *deferred = dbal_deferred_add_callback(acquire(), nothing_by_hand, NULL);
    dbal_deferred_add_callback(deferred, ended, (void *)&again);
}

static void
acquire_session(void)
{
    static void (*const again)(void) = acquire_session;
    to_ask--;
    dbal_deferred_add_callback(dbal_pool_session(pool, NULL, nothing, NULL), ended, (void *)&again);
}

static double
run(void (*acquire_one)(void))
{
    to_ask = to_end = SESSIONS;
    double began = bench_clock();
    for (int i = 0; i < CALLERS; i++)
        acquire_one();
    while (to_end > 0)
        ev_run(ev, EVRUN_NOWAIT);
    return SESSIONS / (bench_clock() - began);
}

static double
limit(void)
{
    return run(acquire_by_hand);
}

static double
dbal(void)
{
    return run(acquire_session);
}

static void
begin(void)
{
    ev = ev_loop_new(EVFLAG_AUTO);
    loop = dbal_loop_new(ev);
    idle = NULL;
    for (int i = 0; i < CONNECTIONS; i++)
        release(&connections[i]);
    pool = bench_idle_driver_loop_pool(loop, CONNECTIONS);
    dbal_pool_ready(pool);
    ev_run(ev, 0);
}

static void
end(void)
{
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
}

extern const bench_row bench_pool_over_deferreds;
const bench_row bench_pool_over_deferreds = {
    "pool_over_deferreds", "sessions/s", false, 0, begin, limit, dbal, end};
