/* COPY into PostgreSQL: a million rows of 60 bytes, given in pieces of 64 kB. */
#include <dbal.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../clock.h"
#include "../place.h"
#include "../row.h"
#include "../server.h"

enum {
    ROWS = 1000000,
    NAME = 50,
    ROW_SIZE = NAME + 10, /* eight digits, a tab, the name, the end */
    PIECE = 64 * 1024,
    PIECES = 15, /* after so many a row ends where a piece does */
    TEXT = PIECE * PIECES,
    TOTAL = ROWS * ROW_SIZE
};

static const char sql[] = "copy line from stdin";

static PGconn *pg;
static struct ev_loop *ev;
static dbal_loop *loop;
static dbal_pool *pool;
static ev_io readable, writable;
static char *text;
static int given;
static bool ended;

static void
start(void)
{
    bench_server_execute(pg, "truncate line");
    given = 0;
    ended = false;
}

static void
check(void)
{
    if (bench_server_number(pg, "select count(*) from line") != ROWS ||
        bench_server_number(pg, "select sum(id + length(name)) from line") != ROWS * NAME)
        bench_fail("the rows were others");
}

/* The next piece; 0 at the end. */
static size_t
next(const char **ret_piece)
{
    int size = TOTAL - given < PIECE ? TOTAL - given : PIECE;
    *ret_piece = text + given % TEXT;
    given += size;
    return (size_t)size;
}

/* ---- by hand ---- */

static void
complain(void)
{
    bench_fail("%s", PQerrorMessage(pg));
}

static void
on_writable(struct ev_loop *of, ev_io *watcher, int events)
{
    (void)events;
    const char *piece;
    int left;
    while ((left = PQflush(pg)) == 0 && !ended) {
        size_t size = next(&piece);
        ended = size == 0;
        if ((ended ? PQputCopyEnd(pg, NULL) : PQputCopyData(pg, piece, (int)size)) != 1)
            complain();
    }
    if (left < 0)
        complain();
    if (left == 0)
        ev_io_stop(of, watcher);
}

static void
on_readable(struct ev_loop *of, ev_io *watcher, int events)
{
    (void)watcher, (void)events;
    if (PQconsumeInput(pg) != 1)
        complain();
    while (!PQisBusy(pg)) {
        PGresult *result = PQgetResult(pg);
        ExecStatusType status = PQresultStatus(result);
        if (result == NULL) {
            ev_break(of, EVBREAK_ONE);
            return;
        }
        if (status != PGRES_COPY_IN && status != PGRES_COMMAND_OK)
            complain();
        PQclear(result);
        if (status == PGRES_COPY_IN) {
            ev_io_start(of, &writable);
            return;
        }
    }
}

static double
limit(void)
{
    start();
    double began = bench_clock();
    PQsetnonblocking(pg, 1);
    if (PQsendQuery(pg, sql) != 1)
        complain();
    ev_io_start(ev, &readable);
    ev_run(ev, 0);
    ev_io_stop(ev, &readable);
    PQsetnonblocking(pg, 0);
    double took = bench_clock() - began;
    check();
    return ROWS / took;
}

/* ---- dbal ---- */

static void
room(dbal_copy *copy, void *arg)
{
    const char *piece;
    size_t size;
    (void)arg;
    while ((size = next(&piece)) != 0) {
        if (!dbal_copy_write(copy, piece, size))
            return;
    }
    dbal_copy_end(copy);
}

static dbal_outcome
copied(dbal_outcome in, void *arg)
{
    const dbal_error *error = dbal_outcome_error(in);
    (void)arg;
    if (error != NULL)
        bench_fail("%s", dbal_error_message(error));
    ev_break(ev, EVBREAK_ONE);
    return in;
}

static double
dbal(void)
{
    start();
    double began = bench_clock();
    dbal_deferred_add_both(dbal_pool_copy_in(pool, sql, room, NULL), copied, NULL);
    ev_run(ev, 0);
    double took = bench_clock() - began;
    check();
    return ROWS / took;
}

/* ---- the row ---- */

static void
make_text(void)
{
    text = malloc(TEXT + 1);
    if (text == NULL)
        bench_fail("no memory");
    for (int i = 0; i < TEXT / ROW_SIZE; i++)
        snprintf(text + (size_t)i * ROW_SIZE, ROW_SIZE + 1, "%08d\t%0*d\n", 0, NAME, i);
}

static void
begin(void)
{
    dbal_error *error = NULL;
    make_text();
    bench_server_begin();
    pg = bench_server_connect(bench_server_url());
    bench_server_execute(pg, "create table line (id bigint not null, name text not null)");
    ev = ev_loop_new(EVFLAG_AUTO);
    ev_io_init(&readable, on_readable, PQsocket(pg), EV_READ);
    ev_io_init(&writable, on_writable, PQsocket(pg), EV_WRITE);
    loop = dbal_loop_new(ev);
    pool = dbal_pool_open(loop, bench_server_url(), NULL, &error);
    if (pool == NULL)
        bench_fail("%s", dbal_error_message(error));
}

static void
end(void)
{
    dbal_loop_free(loop);
    bench_server_execute(pg, "drop table line");
    PQfinish(pg);
    ev_loop_destroy(ev);
    free(text);
}

extern const bench_row bench_pg_copy_in;
const bench_row bench_pg_copy_in = {"pg_copy_in", "rows/s", false, 15, begin, limit, dbal, end};
