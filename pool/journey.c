#include "pool/journey.h"

#include <string.h>

#include "dbal/alloc.h"
#include "pool/connection.h"
#include "pool/pool.h"

/* Events told in one go; room that is kept for later ones. */
enum { TOLD_AT_ONCE = 64, ROOM_FIRST = 16, ROOM_KEPT = 1024 };

typedef enum leg {
    QUEUED,
    UNDERWAY, /* a connection has it, or is being opened */
    OVER
} leg;

struct dbal__journey {
    unsigned refs; /* its ticket's or slot's, and its events' */
    leg leg;
    dbal_phase phase;
    int64_t since; /* when the phase began */
    uint64_t id, session;
    dbal__sql *sql;       /* a reference, or NULL */
    dbal__series *series; /* or NULL */
    char label[];
};

struct dbal__event {
    dbal__journey *journey; /* a reference */
    dbal_error *error;      /* the same, or NULL */
    dbal_phase phase;
    bool begins;
    int64_t at, took, rows;
};

const char *
dbal_phase_name(dbal_phase phase)
{
    static const char *const names[DBAL_PHASES] = {"queue",   "resolve", "connect", "validate",
                                                   "execute", "fetch",   "reset"};
    return (unsigned)phase < DBAL_PHASES ? names[phase] : "?";
}

static dbal__journey *
make(dbal_pool *pool, const char *label, dbal__sql *sql)
{
    size_t size = label != NULL ? strlen(label) : 0;
    dbal__journey *journey = dbal__alloc(sizeof *journey + size + 1);
    if (journey == NULL)
        return NULL;
    *journey = (dbal__journey){.refs = 1, .sql = sql != NULL ? dbal__sql_ref(sql) : NULL};
    memcpy(journey->label, size > 0 ? label : "", size + 1);
    if (pool->histograms != NULL)
        journey->series = dbal__histograms_get(pool->histograms, label);
    return journey;
}

void
dbal__journey_unref(dbal__journey *journey)
{
    if (journey == NULL || --journey->refs > 0)
        return;
    if (journey->sql != NULL)
        dbal__sql_unref(journey->sql);
    dbal__free(journey);
}

/* ---- telling the program ---- */

static void
tell(dbal_pool *pool, const struct dbal__event *event)
{
    const dbal__journey *journey = event->journey;
    dbal__ready *ready = &pool->loop->ready;
    dbal_trace_event told = {
        .size = sizeof told,
        .phase = event->phase,
        .begins = event->begins,
        .id = journey->id,
        .session = journey->session,
        .label = journey->label[0] != '\0' ? journey->label : NULL,
        .sql = journey->sql != NULL ? journey->sql->source : NULL,
        .at = (double)event->at / 1e9,
        .took = (double)event->took / 1e9,
        .rows = event->rows,
        .error = event->error,
    };
    dbal__ready_app_enter(ready);
    pool->trace.fn(&told, pool->trace.arg);
    dbal__ready_app_leave(ready);
}

static void
drop(struct dbal__event *event)
{
    dbal__journey_unref(event->journey);
    dbal_error_unref(event->error);
}

/* Never within what it tells of: whoever is told may call anything. */
static void
tell_some(dbal__task *task)
{
    dbal_pool *pool = DBAL__OF(task, dbal_pool, trace.task);
    dbal__trace *trace = &pool->trace;
    /* when more come than are told, more are told: what waits must not grow for ever */
    size_t most = (trace->count - trace->told) / 4;
    most = most > TOLD_AT_ONCE ? most : TOLD_AT_ONCE;
    for (size_t i = 0; i < most && trace->told < trace->count; i++) {
        struct dbal__event event = trace->events[trace->told++];
        tell(pool, &event);
        drop(&event);
    }
    if (trace->told < trace->count) {
        if (!dbal__task_is_queued(task))
            dbal__ready_push(&pool->loop->ready, task);
        return;
    }
    trace->told = trace->count = 0;
    if (trace->room > ROOM_KEPT) {
        dbal__free(trace->events);
        trace->events = NULL;
        trace->room = 0;
    }
}

static bool
make_room(dbal__trace *trace)
{
    size_t left = trace->count - trace->told;
    if (trace->count < trace->room)
        return true;
    if (trace->told > trace->room / 2) {
        memmove(trace->events, trace->events + trace->told, left * sizeof *trace->events);
        trace->told = 0;
        trace->count = left;
        return true;
    }
    size_t room = trace->room > 0 ? trace->room * 2 : ROOM_FIRST;
    struct dbal__event *events = dbal__realloc(trace->events, room * sizeof *events);
    if (events == NULL)
        return false;
    trace->events = events;
    trace->room = room;
    return true;
}

static void
note(dbal_pool *pool, const struct dbal__event *event)
{
    dbal__trace *trace = &pool->trace;
    if (trace->fn == NULL || !make_room(trace))
        return;
    event->journey->refs++;
    trace->events[trace->count] = *event;
    trace->events[trace->count++].error = dbal_error_ref(event->error);
    if (!dbal__task_is_queued(&trace->task))
        dbal__ready_push(&pool->loop->ready, &trace->task);
}

void
dbal__trace_init(dbal_pool *pool, dbal_trace_fn *fn, void *arg)
{
    pool->trace.fn = fn;
    pool->trace.arg = arg;
    dbal__task_init(&pool->trace.task, tell_some);
}

void
dbal__trace_fini(dbal_pool *pool)
{
    dbal__trace *trace = &pool->trace;
    dbal__list_remove(&trace->task.link);
    while (trace->told < trace->count)
        drop(&trace->events[trace->told++]);
    dbal__free(trace->events);
}

/* ---- phases ---- */

static void
begin(dbal_pool *pool, dbal__journey *journey, dbal_phase phase, int64_t at)
{
    journey->phase = phase;
    journey->since = at;
    note(pool, &(struct dbal__event){.journey = journey, .phase = phase, .begins = true, .at = at});
}

static void
end(dbal_pool *pool, dbal__journey *journey, int64_t at, int64_t rows, dbal_error *error)
{
    int64_t took = at > journey->since ? at - journey->since : 0; /* a test's clock stands still */
    if (journey->series != NULL)
        dbal__histogram_add(&journey->series->phases[journey->phase], took);
    note(pool, &(struct dbal__event){.journey = journey,
                                     .error = error,
                                     .phase = journey->phase,
                                     .at = at,
                                     .took = took,
                                     .rows = rows});
}

static int64_t
now_of(const dbal_pool *pool)
{
    return dbal__loop_now(pool->loop);
}

static dbal_phase
phase_of(const dbal__ticket *ticket)
{
    return ticket->job.kind == DBAL__JOB_RESET ? DBAL_PHASE_RESET : DBAL_PHASE_EXECUTE;
}

/* Its connection was asked whether it lives, before it began. */
static bool
ask_first(dbal__ticket *ticket)
{
    int64_t at = ticket->place == DBAL__PLACE_NOWHERE ? ticket->job.asked : 0;
    if (at == 0)
        return false;
    end(ticket->pool, ticket->journey, at, 0, NULL);
    begin(ticket->pool, ticket->journey, DBAL_PHASE_VALIDATE, at);
    return true;
}

static void
set_off(dbal__ticket *ticket, int64_t at)
{
    dbal__journey *journey = ticket->journey;
    ask_first(ticket);
    end(ticket->pool, journey, at, 0, NULL);
    journey->leg = UNDERWAY;
    begin(ticket->pool, journey, phase_of(ticket), at);
}

/* ---- of tickets ---- */

void
dbal__journey_begin(dbal__ticket *ticket, const dbal_connection *connection)
{
    dbal_pool *pool = ticket->pool;
    const dbal__ticket *session = connection != NULL ? connection->ticket : NULL;
    const char *label = ticket->label;
    if (session != NULL && (label == NULL || ticket->job.kind == DBAL__JOB_RESET))
        label = session->label;
    ticket->journey = make(pool, label, ticket->sql);
    if (ticket->journey == NULL)
        return;
    ticket->journey->id = ticket->job.number;
    ticket->journey->session = session != NULL ? session->job.number : 0;
    if (ticket->kind != DBAL__TICKET_SESSION)
        ticket->job.request.clock =
            dbal__pool_is_native(pool) ? &pool->loop->ready.clock : &dbal__clock_of_threads;
    begin(pool, ticket->journey, DBAL_PHASE_QUEUE, now_of(pool));
}

void
dbal__journey_handed(dbal__ticket *ticket)
{
    if (ticket->journey->leg == QUEUED && dbal__pool_is_native(ticket->pool))
        set_off(ticket, now_of(ticket->pool));
}

void
dbal__journey_granted(dbal__ticket *ticket)
{
    if (ticket->journey->leg != QUEUED)
        return;
    bool asked = ask_first(ticket);
    end(ticket->pool, ticket->journey, asked ? ticket->job.ended : now_of(ticket->pool), 0, NULL);
    ticket->journey->leg = OVER;
}

/* Whether it has begun, as far as its job tells: one that a thread has may be written to. */
static bool
has_begun(const dbal__ticket *ticket)
{
    return ticket->place == DBAL__PLACE_NOWHERE && ticket->job.began != 0;
}

/* When it ended: what is still with its connection is not waited for any longer. */
static int64_t
end_of(const dbal__ticket *ticket)
{
    bool back = ticket->place == DBAL__PLACE_NOWHERE && ticket->job.ended != 0;
    return back ? ticket->job.ended : now_of(ticket->pool);
}

void
dbal__journey_again(dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    dbal__journey *journey = ticket->journey;
    if (journey->leg == QUEUED && has_begun(ticket))
        set_off(ticket, ticket->job.began);
    if (journey->leg != UNDERWAY && !ask_first(ticket))
        return;
    end(pool, journey, end_of(ticket), 0, ticket->job.error);
    journey->leg = QUEUED;
    ticket->job.request.first_row = 0;
    begin(pool, journey, DBAL_PHASE_QUEUE, now_of(pool));
}

/* A thread has it, and will not be waited for: when it began is not known. */
static bool
is_left(const dbal__ticket *ticket)
{
    return ticket->place != DBAL__PLACE_NOWHERE &&
           atomic_load(&ticket->job.state) == DBAL__JOB_RUNNING &&
           ticket->job.kind != DBAL__JOB_GRANT;
}

static int64_t
rows_of(const dbal__ticket *ticket, dbal_outcome outcome)
{
    if (ticket->stream != NULL)
        return dbal__stream_rows(ticket);
    const dbal_result *result = dbal_outcome_result(outcome);
    return result != NULL ? (int64_t)dbal_result_row_count(result) : 0;
}

void
dbal__journey_end(dbal__ticket *ticket, dbal_outcome outcome)
{
    dbal_pool *pool = ticket->pool;
    dbal__journey *journey = ticket->journey;
    dbal_error *error = dbal_outcome_error(outcome);
    if (journey->leg == QUEUED && has_begun(ticket))
        set_off(ticket, ticket->job.began);
    else if (journey->leg == QUEUED && is_left(ticket))
        set_off(ticket, now_of(pool));
    else if (journey->leg == QUEUED)
        ask_first(ticket);
    if (journey->leg == OVER)
        return;
    int64_t at = end_of(ticket), first = 0;
    bool may_look = ticket->place == DBAL__PLACE_NOWHERE || dbal__pool_is_native(pool);
    if (may_look && ticket->kind != DBAL__TICKET_SESSION)
        first = ticket->job.request.first_row;
    if (first > at)
        at = first;
    if (journey->leg == UNDERWAY && first != 0) {
        end(pool, journey, first, 0, NULL);
        begin(pool, journey, DBAL_PHASE_FETCH, first);
        end(pool, journey, at, rows_of(ticket, outcome), error);
    } else {
        end(pool, journey, at, 0, error);
    }
    journey->leg = OVER;
}

/* ---- of connections ---- */

void
dbal__journey_connecting(dbal__slot *slot)
{
    dbal_pool *pool = slot->pool;
    slot->journey = make(pool, NULL, NULL);
    if (slot->journey == NULL)
        return;
    slot->journey->id = slot->number;
    slot->journey->leg = UNDERWAY;
    begin(pool, slot->journey, DBAL_PHASE_CONNECT, now_of(pool));
}

void
dbal__journey_connected(dbal__slot *slot, dbal_error *error)
{
    dbal__journey *journey = slot->journey;
    slot->journey = NULL;
    end(slot->pool, journey, now_of(slot->pool), 0, error);
    dbal__journey_unref(journey);
}
