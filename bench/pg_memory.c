#include "pg_memory.h"

#include <dbal.h>
#include <ev.h>
#include <libpq-fe.h>
#include <sys/resource.h>

#include "pg_fetch.h"
#include "place.h"
#include "resident.h"
#include "server.h"

enum { CONNECTIONS = 64 };

double
bench_pg_memory_hand(const char *url)
{
    static PGconn *all[CONNECTIONS];
    bench_heap_begin();
    /* what the process has once, whoever opens the first */
    PGconn *first = bench_server_connect(url);
    double before = bench_heap();
    for (int i = 0; i < CONNECTIONS; i++)
        all[i] = bench_server_connect(url);
    double bytes = (bench_heap() - before) / CONNECTIONS;
    for (int i = 0; i < CONNECTIONS; i++)
        PQfinish(all[i]);
    PQfinish(first);
    return bytes;
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    (void)arg;
    bench_fail("%s", dbal_error_message(dbal_outcome_error(in)));
}

static dbal_pool *
open_pool(struct ev_loop *ev, dbal_loop *loop, const char *url, int connections)
{
    dbal_error *error = NULL;
    dbal_pool *pool = dbal_pool_open(
        loop, url, DBAL_POOL_OPTIONS(.min_size = connections, .max_size = connections), &error);
    if (pool == NULL)
        bench_fail("%s", dbal_error_message(error));
    dbal_deferred_add_errback(dbal_pool_ready(pool), complain, NULL);
    ev_run(ev, 0);
    return pool;
}

double
bench_pg_memory_dbal(const char *url)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    bench_heap_begin();
    open_pool(ev, loop, url, 1);
    double before = bench_heap();
    dbal_pool *pool = open_pool(ev, loop, url, CONNECTIONS);
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    if (counts.connections != CONNECTIONS)
        bench_fail("%d connections", counts.connections);
    double bytes = (bench_heap() - before) / CONNECTIONS;
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    return bytes;
}

double
bench_pg_memory_fetch(const char *url)
{
    bench_pg_fetching fetch;
    struct rusage usage;
    bench_pg_fetch_begin(&fetch, url);
    bench_pg_fetch_run(&fetch); /* as text, as a statement is that is seen once */
    bench_pg_fetch_run(&fetch); /* prepared, in binary */
    bench_pg_fetch_end(&fetch);
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}
