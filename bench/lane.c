#include "lane.h"

#include <stdlib.h>

#include "place.h"
#include "server.h"

typedef struct lane {
    bench_lanes *of;
    PGconn *pg;
    ev_io read, write;
    int flying;   /* statements sent and not answered */
    int unsynced; /* of these, since the last Sync */
    int expected; /* answers and Syncs to come */
} lane;

struct bench_lanes {
    struct ev_loop *ev;
    bench_lane_kind kind;
    const bench_asking *asking;
    int busy; /* lanes that expect something */
    lane lanes[];
};

const bench_lane_kind bench_lane_alone = {1, 1, 0};

static void
complain(const lane *self)
{
    bench_fail("%s", PQerrorMessage(self->pg));
}

/* ---- down ---- */

static void
flush(lane *self)
{
    int left = PQflush(self->pg);
    if (left < 0)
        complain(self);
    if (left > 0)
        ev_io_start(self->of->ev, &self->write);
    else
        ev_io_stop(self->of->ev, &self->write);
}

static void
on_writable(struct ev_loop *ev, ev_io *watcher, int events)
{
    (void)ev, (void)events;
    flush(watcher->data);
}

static void
sync_up(lane *self)
{
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
    if (PQsendPipelineSync(self->pg) != 1)
        complain(self);
#else
    if (PQpipelineSync(self->pg) != 1)
        complain(self);
#endif
    self->unsynced = 0;
    self->expected++;
}

static void
ask(lane *self)
{
    const bench_lanes *lanes = self->of;
    while (self->flying < lanes->kind.flight && lanes->asking->ask(lanes->asking->arg, self->pg)) {
        self->flying++;
        self->expected++;
        if (lanes->kind.sync != 0 && ++self->unsynced == lanes->kind.sync)
            sync_up(self);
    }
}

/* The last ones may be fewer than would have a Sync. */
static void
ask_and_flush(lane *self)
{
    ask(self);
    if (self->unsynced > 0 && self->unsynced == self->flying &&
        self->flying < self->of->kind.flight)
        sync_up(self);
    flush(self);
}

/* ---- up ---- */

static void
answered(lane *self, const PGresult *result)
{
    const bench_asking *asking = self->of->asking;
    self->flying--;
    self->expected--;
    asking->answer(asking->arg, result);
}

static void
take(lane *self, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        answered(self, result);
        PQclear(result);
        /* nothing has to be read for the NULL behind it */
        if (PQgetResult(self->pg) != NULL)
            bench_fail("two results for one statement");
        ask(self);
        break;
    case PGRES_PIPELINE_SYNC:
        self->expected--;
        PQclear(result);
        break;
    default:
        complain(self);
    }
}

static void
take_alone(lane *self, PGresult *result)
{
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        complain(self);
    answered(self, result);
    PQclear(result);
}

static void
rest(lane *self)
{
    if (self->expected == 0 && --self->of->busy == 0)
        ev_break(self->of->ev, EVBREAK_ONE);
}

static void
on_readable(struct ev_loop *ev, ev_io *watcher, int events)
{
    lane *self = watcher->data;
    (void)ev, (void)events;
    if (PQconsumeInput(self->pg) != 1)
        complain(self);
    while (self->expected > 0 && !PQisBusy(self->pg)) {
        PGresult *result = PQgetResult(self->pg);
        if (result != NULL)
            take(self, result);
    }
    ask_and_flush(self);
    rest(self);
}

static void
on_readable_alone(struct ev_loop *ev, ev_io *watcher, int events)
{
    lane *self = watcher->data;
    (void)ev, (void)events;
    if (PQconsumeInput(self->pg) != 1)
        complain(self);
    while (!PQisBusy(self->pg)) {
        PGresult *result = PQgetResult(self->pg);
        if (result != NULL) {
            take_alone(self, result);
            continue;
        }
        ask_and_flush(self);
        rest(self);
        return;
    }
}

/* ---- all of them ---- */

static void
open_lane(lane *self, const char *url, const char *sql)
{
    bool alone = self->of->kind.sync == 0;
    self->pg = bench_server_connect(url);
    PGresult *result = PQprepare(self->pg, "it", sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        complain(self);
    PQclear(result);
    if (PQsetnonblocking(self->pg, 1) != 0 || (!alone && PQenterPipelineMode(self->pg) != 1))
        complain(self);
    int fd = PQsocket(self->pg);
    ev_io_init(&self->read, alone ? on_readable_alone : on_readable, fd, EV_READ);
    ev_io_init(&self->write, on_writable, fd, EV_WRITE);
    self->read.data = self->write.data = self;
    ev_io_start(self->of->ev, &self->read);
}

bench_lanes *
bench_lanes_new(const char *url, const bench_lane_kind *kind, const char *prepare)
{
    bench_lanes *lanes = calloc(1, sizeof *lanes + (size_t)kind->lanes * sizeof *lanes->lanes);
    if (lanes == NULL)
        bench_fail("no memory");
    lanes->ev = ev_loop_new(EVFLAG_AUTO);
    lanes->kind = *kind;
    for (int i = 0; i < kind->lanes; i++) {
        lanes->lanes[i].of = lanes;
        open_lane(&lanes->lanes[i], url, prepare);
    }
    return lanes;
}

void
bench_lanes_free(bench_lanes *lanes)
{
    for (int i = 0; i < lanes->kind.lanes; i++) {
        lane *self = &lanes->lanes[i];
        ev_io_stop(lanes->ev, &self->read);
        ev_io_stop(lanes->ev, &self->write);
        PQfinish(self->pg);
    }
    ev_loop_destroy(lanes->ev);
    free(lanes);
}

void
bench_lanes_run(bench_lanes *lanes, const bench_asking *asking)
{
    lanes->asking = asking;
    lanes->busy = lanes->kind.lanes;
    for (int i = 0; i < lanes->kind.lanes; i++) {
        lane *self = &lanes->lanes[i];
        ask_and_flush(self);
        rest(self);
    }
    if (lanes->busy > 0)
        ev_run(lanes->ev, 0);
}
