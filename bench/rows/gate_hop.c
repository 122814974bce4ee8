/* Calls that do nothing through a gate with one thread, 64 in flight. */
#include <dbal.h>
#include <ev.h>

#include "../clock.h"
#include "../hop.h"
#include "../place.h"
#include "../row.h"

enum { FLIGHT = 64, CALLS = 200000 };

static struct ev_loop *limit_loop, *dbal_ev;
static dbal_loop *loop;
static dbal_gate *gate;
static bench_hop hop;
static bench_item items[FLIGHT];
static int left, flying;

/* ---- by hand ---- */

static void
work(bench_item *item)
{
    (void)item;
}

static void
done(bench_item *item)
{
    if (left > 0) {
        left--;
        bench_hop_give(&hop, item);
    } else if (--flying == 0) {
        ev_break(limit_loop, EVBREAK_ONE);
    }
}

static double
limit(void)
{
    double began = bench_clock();
    left = CALLS - FLIGHT;
    flying = FLIGHT;
    for (int i = 0; i < FLIGHT; i++)
        bench_hop_give(&hop, &items[i]);
    bench_hop_flush(&hop);
    ev_run(limit_loop, 0);
    return CALLS / (bench_clock() - began);
}

/* ---- dbal ---- */

static dbal_outcome
nothing(void *arg)
{
    (void)arg;
    return dbal_done();
}

static dbal_outcome
next(dbal_outcome in, void *arg)
{
    if (left > 0) {
        left--;
        dbal_deferred_add_callback(dbal_gate_call(gate, NULL, nothing, NULL), next, arg);
    } else {
        flying--;
    }
    return in;
}

static double
dbal(void)
{
    double began = bench_clock();
    left = CALLS - FLIGHT;
    flying = FLIGHT;
    for (int i = 0; i < FLIGHT; i++)
        dbal_deferred_add_callback(dbal_gate_call(gate, NULL, nothing, NULL), next, NULL);
    ev_run(dbal_ev, 0);
    if (flying != 0)
        bench_fail("%d calls did not come back", flying);
    return CALLS / (bench_clock() - began);
}

static void
begin(void)
{
    dbal_error *error = NULL;
    limit_loop = ev_loop_new(EVFLAG_AUTO);
    dbal_ev = ev_loop_new(EVFLAG_AUTO);
    loop = dbal_loop_new(dbal_ev);
    gate = dbal_gate_new(loop, 3, DBAL_GATE(.threads = 1), &error);
    if (gate == NULL)
        bench_fail("%s", dbal_error_message(error));
    bench_hop_begin(&hop, limit_loop, work, done);
}

static void
end(void)
{
    bench_hop_end(&hop);
    dbal_loop_free(loop);
    ev_loop_destroy(dbal_ev);
    ev_loop_destroy(limit_loop);
}

extern const bench_row bench_gate_hop_64;
const bench_row bench_gate_hop_64 = {"gate_hop_64", "calls/s", false, 0, begin, limit, dbal, end};
