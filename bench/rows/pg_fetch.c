/* A million rows from PostgreSQL, taken as they come. */
#include <dbal.h>
#include <endian.h>
#include <ev.h>
#include <string.h>

#include "../clock.h"
#include "../pg_fetch.h"
#include "../place.h"
#include "../row.h"
#include "../server.h"

static struct ev_loop *ev;
static PGconn *pg;
static ev_io readable;
static bench_pg_cells cells;
static bench_pg_fetching ours;

/* ---- by hand ---- */

static void
take(const PGresult *result)
{
    uint32_t id;
    uint64_t bits;
    double price;
    memcpy(&id, PQgetvalue(result, 0, 0), sizeof id);
    memcpy(&bits, PQgetvalue(result, 0, 1), sizeof bits);
    bits = be64toh(bits);
    memcpy(&price, &bits, sizeof price);
    bench_pg_cells_add(&cells, (int32_t)be32toh(id), price, PQgetvalue(result, 0, 2),
                       (size_t)PQgetlength(result, 0, 2));
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)watcher, (void)events;
    if (PQconsumeInput(pg) != 1)
        bench_fail("%s", PQerrorMessage(pg));
    while (!PQisBusy(pg)) {
        PGresult *result = PQgetResult(pg);
        if (result == NULL) {
            ev_break(loop, EVBREAK_ONE);
            return;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE)
            take(result);
        else if (status != PGRES_TUPLES_OK)
            bench_fail("%s", PQerrorMessage(pg));
        PQclear(result);
    }
}

static double
limit(void)
{
    double began = bench_clock();
    cells = (bench_pg_cells){0};
    if (PQsendQueryPrepared(pg, "it", 0, NULL, NULL, NULL, 1) != 1 || PQsetSingleRowMode(pg) != 1)
        bench_fail("%s", PQerrorMessage(pg));
    ev_run(ev, 0);
    double took = bench_clock() - began;
    bench_pg_cells_check(&cells);
    return BENCH_PG_ROWS / took;
}

/* ---- dbal ---- */

static double
dbal(void)
{
    double began = bench_clock();
    bench_pg_fetch_run(&ours);
    return BENCH_PG_ROWS / (bench_clock() - began);
}

/* ---- what they cost the program, in microseconds a row ---- */

static double
limit_cpu(void)
{
    double began = bench_cpu();
    limit();
    return (bench_cpu() - began) / BENCH_PG_ROWS * 1e6;
}

static double
dbal_cpu(void)
{
    double began = bench_cpu();
    dbal();
    return (bench_cpu() - began) / BENCH_PG_ROWS * 1e6;
}

/* ---- the rows ---- */

static void
begin(void)
{
    bench_pg_fetch_make();
    ev = ev_loop_new(EVFLAG_AUTO);
    pg = bench_server_connect(bench_server_url());
    PQclear(PQprepare(pg, "it", bench_pg_fetch_sql, 0, NULL));
    PQsetnonblocking(pg, 1);
    ev_io_init(&readable, on_readable, PQsocket(pg), EV_READ);
    ev_io_start(ev, &readable);
    bench_pg_fetch_begin(&ours, bench_server_url());
}

static void
end(void)
{
    ev_io_stop(ev, &readable);
    PQfinish(pg);
    ev_loop_destroy(ev);
    bench_pg_fetch_end(&ours);
}

extern const bench_row bench_pg_fetch, bench_pg_fetch_cpu;
const bench_row bench_pg_fetch = {"pg_fetch", "rows/s", false, 0, begin, limit, dbal, end};
const bench_row bench_pg_fetch_cpu = {"pg_fetch_cpu", "us/row",  true,     0,
                                      begin,          limit_cpu, dbal_cpu, end};
