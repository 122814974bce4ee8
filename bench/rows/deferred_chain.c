/* A Deferred that is made, fired, and has four callbacks. */
#include <dbal.h>
#include <ev.h>
#include <stdlib.h>

#include "../clock.h"
#include "../place.h"
#include "../ready.h"
#include "../row.h"

/* So many in each turn of the loop that the loop itself costs next to nothing. */
enum { ROUNDS = 2400, EACH = 64 };

static struct ev_loop *limit_loop, *dbal_ev;
static bench_ready ready;
static dbal_loop *loop;
static size_t calls;

/* ---- by hand ---- */

typedef void *callback(void *in, void *arg);

typedef struct chain {
    bench_task task; /* first */
    void *value;
    callback *functions[4];
    void *arguments[4];
} chain;

static void *
pass(void *in, void *arg)
{
    ++*(size_t *)arg;
    return in;
}

static void
run_chain(bench_task *task)
{
    chain *one = (chain *)(void *)task;
    void *value = one->value;
    for (int i = 0; i < 4; i++)
        value = one->functions[i](value, one->arguments[i]);
    free(one);
}

static void
make_chain(void)
{
    chain *one = malloc(sizeof *one);
    if (one == NULL)
        bench_fail("no memory");
    one->task.run = run_chain;
    one->value = NULL;
    for (int i = 0; i < 4; i++) {
        one->functions[i] = pass;
        one->arguments[i] = &calls;
    }
    bench_ready_push(&ready, &one->task);
}

/* ---- dbal ---- */

static dbal_outcome
pass_on(dbal_outcome in, void *arg)
{
    ++*(size_t *)arg;
    return in;
}

static void
make_deferred(void)
{
    dbal_deferred *deferred = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_callback(deferred, pass_on, &calls);
    dbal_deferred_add_callback(deferred, pass_on, &calls);
    dbal_deferred_add_callback(deferred, pass_on, &calls);
    dbal_deferred_add_callback(deferred, pass_on, &calls);
    dbal_deferred_fire(deferred, dbal_done());
}

/* ---- both ---- */

static double
run(struct ev_loop *ev, void (*make)(void))
{
    calls = 0;
    double began = bench_clock();
    for (int round = 1; round <= ROUNDS; round++) {
        for (int i = 0; i < EACH; i++)
            make();
        while (calls < (size_t)round * EACH * 4)
            ev_run(ev, EVRUN_NOWAIT);
    }
    return ROUNDS * EACH / (bench_clock() - began);
}

static double
limit(void)
{
    return run(limit_loop, make_chain);
}

static double
dbal(void)
{
    return run(dbal_ev, make_deferred);
}

static void
begin(void)
{
    limit_loop = ev_loop_new(EVFLAG_AUTO);
    dbal_ev = ev_loop_new(EVFLAG_AUTO);
    bench_ready_begin(&ready, limit_loop);
    loop = dbal_loop_new(dbal_ev);
    if (loop == NULL)
        bench_fail("no loop");
}

static void
end(void)
{
    dbal_loop_free(loop);
    ev_loop_destroy(dbal_ev);
    bench_ready_end(&ready, limit_loop);
    ev_loop_destroy(limit_loop);
}

extern const bench_row bench_deferred_chain;
const bench_row bench_deferred_chain = {
    "deferred_chain", "chains/s", false, 0, begin, limit, dbal, end};
