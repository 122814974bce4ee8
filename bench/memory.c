/*
 * How many bytes a connection or a waiting statement takes, as dbal has it or written by hand. One
 * figure each time it is run, since in an old heap nobody can tell whose memory it is.
 */
#include <dbal.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "idle_driver.h"
#include "pg_memory.h"
#include "place.h"
#include "point.h"
#include "resident.h"

enum { CONNECTIONS = 64, STATEMENTS = 8192 };

static const char *const file = "memory.db";
static const char *const fill = "create table item (id integer primary key, name text not null)";
static const char *const by_key = "select name from item where id = $1";
static const char *const for_ever =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";

static struct ev_loop *ev;
static dbal_loop *loop;

/* ---- connections --------------------------------------------------------------------------------- */

static double
connection_by_hand(void)
{
    static sqlite3 *all[CONNECTIONS];
    /* what the process has once, whoever opens the first */
    sqlite3 *first = bench_database_open(file, "full");
    double before = bench_resident();
    for (int i = 0; i < CONNECTIONS; i++)
        all[i] = bench_database_open(file, "full");
    double bytes = (bench_resident() - before) / CONNECTIONS;
    for (int i = 0; i < CONNECTIONS; i++)
        sqlite3_close(all[i]);
    sqlite3_close(first);
    return bytes;
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    (void)arg;
    bench_fail("%s", dbal_error_message(dbal_outcome_error(in)));
}

static void
await(dbal_deferred *deferred)
{
    dbal_deferred_add_errback(deferred, complain, NULL);
    ev_run(ev, 0);
}

static dbal_pool *
open_pool(int connections)
{
    const dbal_pool_options options = {.size = sizeof options,
                                       .min_size = connections,
                                       .max_size = connections,
                                       .max_waiting = STATEMENTS + 1};
    dbal_pool *pool = bench_database_pool_with(loop, file, "full", &options);
    await(dbal_pool_ready(pool));
    return pool;
}

static double
connection_by_dbal(void)
{
    open_pool(1);
    double before = bench_resident();
    dbal_pool *pool = open_pool(CONNECTIONS);
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    if (counts.connections != CONNECTIONS)
        bench_fail("%d connections", counts.connections);
    return (bench_resident() - before) / CONNECTIONS;
}

/* ---- statements that wait ------------------------------------------------------------------------ */

static double
statement_by_hand(void)
{
    static bench_item *first;
    double before = bench_resident();
    for (int i = 0; i < STATEMENTS; i++) {
        bench_point *point = malloc(sizeof *point);
        if (point == NULL)
            bench_fail("no memory");
        *point = (bench_point){.item.next = first, .key = i};
        first = &point->item;
    }
    return (bench_resident() - before) / STATEMENTS;
}

static dbal_outcome
quiet(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static dbal_deferred *
ask(dbal_pool *pool, int64_t key)
{
    dbal_deferred *deferred = dbal_pool_query(pool, by_key, DBAL_PARAMS(dbal_int64(key)));
    return dbal_deferred_add_both(deferred, quiet, NULL);
}

/* The only connection is at a query that has no end, so all others wait, and none has a result. */
static double
statement_by_dbal(void)
{
    dbal_pool *pool = open_pool(1);
    await(ask(pool, 0));
    dbal_deferred *busy = dbal_deferred_ref(dbal_pool_query(pool, for_ever, DBAL_PARAMS()));
    dbal_deferred_add_both(busy, quiet, NULL);
    double before = bench_resident();
    for (int i = 0; i < STATEMENTS; i++)
        ask(pool, i);
    double bytes = (bench_resident() - before) / STATEMENTS;
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    if (counts.waiting + counts.running != STATEMENTS + 1)
        bench_fail("%zu statements wait", counts.waiting);
    dbal_deferred_cancel(busy);
    dbal_deferred_unref(busy);
    await(dbal_pool_close(pool));
    return bytes;
}

/* ---- what the pool itself takes, with a driver that has nothing ---------------------------------- */

static double
idle_connection_by_dbal(void)
{
    await(dbal_pool_ready(bench_idle_driver_loop_pool(loop, 1)));
    bench_heap_begin();
    double before = bench_heap();
    await(dbal_pool_ready(bench_idle_driver_loop_pool(loop, CONNECTIONS)));
    return (bench_heap() - before) / CONNECTIONS;
}

static dbal_deferred *release;

static dbal_outcome
keep(dbal_connection *connection, void *arg)
{
    (void)connection, (void)arg;
    return dbal_wait(release);
}

/* The only connection is held: all others wait. */
static double
queued_by_dbal(void)
{
    dbal_pool *pool = bench_idle_driver_loop_pool(loop, 1);
    await(dbal_pool_ready(pool));
    release = dbal_deferred_ref(dbal_deferred_new(loop, NULL, NULL));
    dbal_pool_session(pool, NULL, keep, NULL);
    ev_run(ev, EVRUN_NOWAIT);
    ask(pool, 0);
    bench_heap_begin();
    double before = bench_heap();
    for (int i = 0; i < STATEMENTS; i++)
        ask(pool, i);
    double bytes = (bench_heap() - before) / STATEMENTS;
    dbal_deferred_unref(release);
    dbal_deferred_fire(release, dbal_done());
    await(dbal_pool_close(pool));
    return bytes;
}

/* ---- the program --------------------------------------------------------------------------------- */

static const char *url;

static double
pg_connection_by_hand(void)
{
    return bench_pg_memory_hand(url);
}

static double
pg_connection_by_dbal(void)
{
    return bench_pg_memory_dbal(url);
}

static double
pg_fetch_by_dbal(void)
{
    return bench_pg_memory_fetch(url);
}

static const struct {
    const char *what, *whose;
    double (*measure)(void);
} figures[] = {
    {"connection", "hand", connection_by_hand},
    {"connection", "dbal", connection_by_dbal},
    {"statement", "hand", statement_by_hand},
    {"statement", "dbal", statement_by_dbal},
    {"idle_connection", "dbal", idle_connection_by_dbal},
    {"queued", "dbal", queued_by_dbal},
    {"pg_connection", "hand", pg_connection_by_hand},
    {"pg_connection", "dbal", pg_connection_by_dbal},
    {"pg_fetch", "dbal", pg_fetch_by_dbal},
};

static double
measure(const char *what, const char *whose)
{
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        if (strcmp(what, figures[i].what) == 0 && strcmp(whose, figures[i].whose) == 0)
            return figures[i].measure();
    }
    bench_fail("what is %s by %s?", what, whose);
}

int
main(int argc, char **argv)
{
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: bench-memory WHAT hand|dbal DIR [URL]\n");
        return 2;
    }
    url = argv[4];
    bench_resident_begin();
    bench_place_begin(argv[3]);
    bench_database_make(file, fill);
    ev = ev_loop_new(EVFLAG_AUTO);
    loop = dbal_loop_new(ev);
    printf("%.0f\n", measure(argv[1], argv[2]));
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    bench_place_end();
    return 0;
}
