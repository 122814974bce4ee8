/* A worker on the loop: what is asked of it, what it answers, and how its end is noticed. */
#include <stdio.h>

#include "dbal/alloc.h"
#include "dbal/process.h"

/* Its socket, and what tells that it has ended. */
enum { DATA, WATCH };

/* Bytes that wait to be written; what else is asked stays as it is until there is room. */
enum { OUT_MOST = 256 * 1024 };

/* So much is read, and so much of rows taken, before others on the loop have their turn. */
enum { READ_MOST = 4, ROWS_BYTES = 256 * 1024 };

/* How long the end of one that has closed its socket is waited for (s). */
static const double PATIENCE = 0.1;

static dbal__process *
of(void *connection)
{
    return connection;
}

/* ---- what flies ---------------------------------------------------------------------------------- */

/* The one that the worker is at, or NULL. */
static dbal__flight *
front(const dbal__process *self)
{
    return self->flying > 0 ? &self->flights[self->first] : NULL;
}

static dbal__flight *
flight_at(const dbal__process *self, size_t index)
{
    return &self->flights[(self->first + index) % self->room];
}

static bool
grow(dbal__process *self)
{
    size_t room = self->room == 0 ? 8 : 2 * self->room;
    dbal__flight *flights = dbal__array(room, sizeof *flights);
    if (flights == NULL)
        return false;
    for (size_t i = 0; i < self->flying; i++)
        flights[i] = *flight_at(self, i);
    dbal__free(self->flights);
    self->flights = flights;
    self->first = 0;
    self->room = room;
    return true;
}

/*
 * The worker may be at it. It answers one before it begins the next: what stands behind one that is
 * not answered has not begun.
 */
static void
begins(dbal__process *self)
{
    dbal__flight *flight = front(self);
    if (self->written == 0)
        return;
    dbal_request_sent(flight->request);
    if (flight->cancelled)
        dbal__process_tell(self, DBAL__FRAME_CANCEL, flight->number);
}

static void
leave_front(dbal__process *self)
{
    self->first = (self->first + 1) % self->room;
    self->flying--;
    self->written--;
}

static void
leave(dbal__process *self, size_t at)
{
    for (size_t i = at; i + 1 < self->flying; i++)
        *flight_at(self, i) = *flight_at(self, i + 1);
    self->flying--;
    if (at < self->written)
        self->written--;
}

static const dbal_driver *
driver_of(const dbal__process *self)
{
    return self->config->driver;
}

/* ---- its end ------------------------------------------------------------------------------------- */

/* Where among those that it has is the one that it is at: those before it wait for their answers alone. */
static size_t
place_of_work(const dbal__process *self)
{
    uint64_t begun = dbal__child_begun(&self->child);
    for (size_t i = 1; i < self->written; i++)
        if (flight_at(self, i)->number == begun)
            return i;
    return 0;
}

/* It was killed since its driver cannot stop: that is what became of the statement that was cancelled. */
static void
finish_killed(dbal__process *self, bool drained)
{
    size_t last = place_of_work(self), at = 0;
    if (!self->killed || self->written == 0)
        return;
    /* it may have gone on to another before it died */
    while (at < last && !flight_at(self, at)->cancelled)
        at++;
    if (!flight_at(self, at)->cancelled)
        return;
    dbal_request *request = flight_at(self, at)->request;
    dbal_fault *fault = dbal_request_fault(request);
    bool never = drained && flight_at(self, at)->number > dbal__child_begun(&self->child);
    leave(self, at);
    dbal_fault_clear(fault);
    dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014",
                   "its worker process was killed, since driver %s cannot stop a statement",
                   driver_of(self)->name);
    dbal_fault_set_connection_lost(fault, true);
    dbal_fault_set_execution(fault, never ? DBAL_EXECUTION_NOT_SENT : DBAL_EXECUTION_UNKNOWN);
    dbal_request_finish(request, false);
}

/*
 * Which of them may have taken effect. Those before the one that it was at have ended, and only their
 * answers are lost: what can be run once more was never sent, as far as anybody can tell.
 */
static void
judge(dbal__process *self)
{
    uint64_t begun = dbal__child_begun(&self->child);
    for (size_t i = 0; i < self->written; i++) {
        dbal__flight *flight = flight_at(self, i);
        /* nor is the one it was at to blame when another was to be killed */
        bool guilty = flight->number == begun && (!self->killed || flight->cancelled);
        flight->request->sent = flight->number <= begun && (guilty || !flight->harmless);
    }
}

/* `drained`: all that it has ever said was read. */
static void
lose(dbal__process *self, bool drained)
{
    char how[120];
    if (self->state == DBAL__PROCESS_LOST)
        return;
    self->state = DBAL__PROCESS_LOST;
    if (drained)
        judge(self);
    finish_killed(self, drained);
    /* what it answered was not read to the end: any of them may have begun */
    for (size_t i = 0; !drained && i < self->written; i++)
        dbal_request_sent(flight_at(self, i)->request);
    dbal__child_describe(&self->child, how, sizeof how);
    dbal_fault *fault = dbal_host_lost(self->host);
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08006", "worker process %d of driver %s %s",
                   (int)self->child.pid, driver_of(self)->name,
                   self->reason[0] != '\0' ? self->reason : how);
    dbal_fault_set_connection_lost(fault, true);
    dbal_fault_set_retryable(fault, true);
}

/* Nothing it says is worth anything any more. */
static void
condemn(dbal__process *self, const char *what)
{
    if (self->reason[0] == '\0')
        snprintf(self->reason, sizeof self->reason, "%s", what);
    dbal__child_kill(&self->child);
    lose(self, false);
}

/* Its socket has closed; what it died of is known in a moment. */
static void
await_end(dbal__process *self)
{
    if (self->state != DBAL__PROCESS_WORKS)
        return;
    self->state = DBAL__PROCESS_ENDS;
    dbal_host_unwatch(self->host, DATA);
    self->watched = 0;
    bool ended = dbal__child_has_ended(&self->child);
    /* one that has closed its socket and lives on is of no use */
    if (!ended)
        dbal__child_kill(&self->child);
    if (ended || self->child.watch < 0)
        lose(self, true);
    else
        dbal_host_timer(self->host, PATIENCE);
}

/* ---- what is watched ----------------------------------------------------------------------------- */

static void
watch(dbal__process *self)
{
    if (self->state != DBAL__PROCESS_WORKS)
        return;
    unsigned events = self->paused || self->unpacking ? 0 : DBAL_READABLE;
    if (self->out.size != 0)
        events |= DBAL_WRITABLE;
    if (events == self->watched)
        return;
    self->watched = events;
    if (events == 0)
        dbal_host_unwatch(self->host, DATA);
    else
        dbal_host_watch(self->host, DATA, self->child.data, events);
}

/* ---- what is asked ------------------------------------------------------------------------------- */

/* It was not sent, and is not going to be. */
static void
take_back(dbal__process *self, size_t at, dbal_error_class error_class, const char *sqlstate,
          const char *why)
{
    dbal_request *request = flight_at(self, at)->request;
    dbal_fault *fault = dbal_request_fault(request);
    leave(self, at);
    self->peaceful = self->flying == 0;
    dbal_fault_set(fault, error_class, sqlstate, "%s", why);
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    dbal_request_finish(request, false);
}

/*
 * Whether it can be run once more without anybody noticing: it was promised to change nothing, or its
 * driver lets reads share a snapshot and so knows them.
 */
static bool
is_harmless(const dbal__process *self, const dbal__job *job)
{
    const dbal_request *request = &job->request;
    if (job->kind != DBAL__JOB_STATEMENT || request->sql == NULL || request->in_order ||
        request->has_token || request->deliver != NULL ||
        request->sql->sql_class.kinds != DBAL_SQL_READS)
        return false;
    unsigned can = driver_of(self)->capabilities(self->config->config);
    return request->read_only || (can & DBAL_CAN_SHARE_SNAPSHOT) != 0;
}

/* The next that was not written yet; it goes when there is no memory to write it. */
static void
write_next(dbal__process *self)
{
    dbal__flight *flight = flight_at(self, self->written);
    size_t before = self->out.size;
    dbal__job *job = DBAL__OF(flight->request, dbal__job, request);
    flight->number = ++self->last;
    flight->harmless = job->may_wait = is_harmless(self, job);
    dbal__parcel_put_request(&self->out, job, flight->number);
    if (self->out.failed) {
        self->out.failed = false;
        self->out.size = before;
        take_back(self, self->written, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        return;
    }
    if (self->written++ == 0)
        begins(self);
}

static void
flush(dbal__process *self)
{
    bool alive = true;
    if (self->state != DBAL__PROCESS_WORKS || self->killed)
        return; /* what is not written was not sent, and goes elsewhere */
    do {
        while (self->written < self->flying && self->out.size - self->out_at < OUT_MOST)
            write_next(self);
        alive = dbal__process_flush(self);
    } while (alive && self->out.size == 0 && self->written < self->flying);
    /* one that is gone may have said something before */
    if (!alive) {
        self->out.size = 0;
        self->out_at = 0;
    }
    watch(self);
}

/* ---- answers ------------------------------------------------------------------------------------- */

static bool
is_old(const dbal__process *self)
{
    int64_t memory = self->config->max_memory, statements = self->config->max_statements;
    return (statements > 0 && self->statements >= (uint64_t)statements) ||
           (memory > 0 && self->verdict.memory > (uint64_t)memory);
}

/* The request is the core's again. */
static void
finish(dbal__process *self)
{
    dbal_request *request = front(self)->request;
    dbal__job *job = DBAL__OF(request, dbal__job, request);
    const dbal__verdict *verdict = &self->verdict;
    leave_front(self);
    self->peaceful = self->flying == 0;
    self->statements++;
    job->upkeep_wanted = (dbal_upkeep)verdict->upkeep;
    if (is_old(self))
        dbal_host_worn(self->host);
    if (job->kind == DBAL__JOB_UPKEEP || job->kind == DBAL__JOB_RESET)
        request->result = dbal_result_unref(request->result);
    if (verdict->needs_token)
        dbal_fault_set_needs_token(&request->fault);
    dbal_host_in_transaction(self->host, verdict->in_transaction);
    dbal_request_finish(request, verdict->ok);
    begins(self);
}

static void
end_rows(dbal__process *self)
{
    self->unpacking = false;
    dbal__process_drop(self);
    if (self->frame.kind == DBAL__FRAME_DONE)
        finish(self);
    else
        dbal__process_tell(self, DBAL__FRAME_MORE, front(self)->number);
}

/* Its consumer, or its limit, wants no more of them: what still comes is passed over. */
static void
ignore(dbal__process *self)
{
    dbal__flight *flight = front(self);
    if (!flight->ignored)
        dbal__process_tell(
            self, dbal_request_satisfied(flight->request) ? DBAL__FRAME_ENOUGH : DBAL__FRAME_CANCEL,
            flight->number);
    flight->ignored = true;
}

/* Some more of the rows. */
static void
unpack(dbal__process *self, dbal__unpacking how)
{
    dbal_request *request = front(self)->request;
    if (how == DBAL__UNPACKING)
        how = dbal__unpacker_go_on(&self->rows, request, ROWS_BYTES);
    if (how == DBAL__UNPACKING_BROKEN) {
        condemn(self, "sent rows that are none");
        return;
    }
    if (how == DBAL__UNPACKING_STOPS)
        ignore(self);
    if (how != DBAL__UNPACKING) {
        self->paused = how == DBAL__UNPACKED && dbal_request_full(request) &&
                       self->frame.kind == DBAL__FRAME_ROWS;
        if (!self->paused)
            end_rows(self);
    } else if (dbal_request_full(request)) {
        self->paused = true;
    } else {
        dbal_host_wake(self->host);
    }
}

static void
take_rows(dbal__process *self, dbal__eye body)
{
    if (front(self)->ignored) {
        end_rows(self);
        return;
    }
    self->unpacking = true;
    unpack(self, dbal__unpacker_begin(&self->rows, body, front(self)->request,
                                      driver_of(self)->speller, &self->columns));
}

/* What comes with a success besides rows. */
static void
take_done(dbal__process *self, dbal__eye body)
{
    dbal__verdict *verdict = &self->verdict;
    dbal_request *request = front(self)->request;
    if (!dbal__parcel_take_verdict(&body, verdict) ||
        (verdict->needs_token && request->has_token)) {
        condemn(self, "sent an answer that is none");
        return;
    }
    if (!verdict->ok) {
        if (!verdict->needs_token && !dbal__parcel_take_error(&body, &request->fault)) {
            condemn(self, "sent an error that is none");
            return;
        }
        end_rows(self);
        return;
    }
    if (verdict->has_affected)
        dbal_request_affected(request, verdict->affected);
    if (verdict->last_insert_id != 0)
        dbal_request_last_insert_id(request, verdict->last_insert_id);
    if (dbal__eye_left(&body) == 0)
        end_rows(self);
    else
        take_rows(self, body);
}

static void
take_frame(dbal__process *self, dbal__eye body)
{
    const dbal__frame *frame = &self->frame;
    bool mine = self->written > 0 && frame->number == front(self)->number;
    if (frame->kind == DBAL__FRAME_DYING) {
        dbal__process_note_death(self, &body);
        dbal__process_drop(self);
    } else if (mine && frame->kind == DBAL__FRAME_DONE) {
        take_done(self, body);
    } else if (mine && frame->kind == DBAL__FRAME_ROWS && front(self)->request->deliver != NULL) {
        take_rows(self, body);
    } else {
        condemn(self, "answered what nobody asked");
    }
}

/* All frames that are whole. */
static void
take_frames(dbal__process *self)
{
    dbal__eye body;
    while (self->state == DBAL__PROCESS_WORKS && !self->unpacking && !self->paused) {
        dbal__frame_state state = dbal__process_next(self, &self->frame, &body);
        if (state == DBAL__FRAME_BROKEN)
            condemn(self, "sent what is no frame");
        if (state != DBAL__FRAME_WHOLE)
            return;
        take_frame(self, body);
    }
}

/*
 * How much there is decides only when the others have their turn: what is left in the socket announces
 * itself. What has been read does not, and so is taken in any case.
 */
static void
read_answers(dbal__process *self, bool to_the_end)
{
    take_frames(self);
    for (int i = 0; to_the_end || i < READ_MOST; i++) {
        if (self->state != DBAL__PROCESS_WORKS || self->unpacking || self->paused)
            return;
        dbal__process_got got = dbal__process_fill(self);
        if (got == DBAL__PROCESS_GARBAGE)
            condemn(self, "sent garbage");
        else if (got == DBAL__PROCESS_END)
            await_end(self);
        if (got != DBAL__PROCESS_SOME)
            return;
        take_frames(self);
    }
}

/* ---- the face ------------------------------------------------------------------------------------ */

static void
attach(void *connection, dbal_host *host)
{
    dbal__process *self = of(connection);
    self->host = host;
    watch(self);
    if (self->child.watch >= 0)
        dbal_host_watch(host, WATCH, self->child.watch, DBAL_READABLE);
}

static void
detach(void *connection)
{
    dbal__process *self = of(connection);
    /* given up: what it has answered was not read, and any of them may have begun */
    for (size_t i = 0; self->state != DBAL__PROCESS_LOST && i < self->written; i++)
        dbal_request_sent(flight_at(self, i)->request);
    self->flying = self->written = 0;
    self->unpacking = self->paused = false;
    dbal__process_drop(self);
    dbal__child_unwatch(&self->child);
}

static void
submit(void *connection, dbal_request *request)
{
    dbal__process *self = of(connection);
    if (self->flying == self->room && !grow(self)) {
        dbal_fault *fault = dbal_request_fault(request);
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
        dbal_request_finish(request, false);
        return;
    }
    *flight_at(self, self->flying++) = (dbal__flight){.request = request};
    self->peaceful = false;
    if (self->flying == 1)
        flush(self); /* the worker has nothing else to do */
    else
        dbal_host_wake(self->host); /* what else is asked in this turn goes together */
}

/* Its own end is what wakes us: what it has said before counts, and then it is over. */
static void
on_end(dbal__process *self)
{
    read_answers(self, true);
    if (self->state == DBAL__PROCESS_LOST)
        return;
    bool drained = !self->unpacking && !self->paused;
    dbal__child_has_ended(&self->child);
    /* rows of an answer that is whole are still to be taken, if somebody wants them */
    if (self->unpacking && !self->paused && self->frame.kind == DBAL__FRAME_DONE)
        return;
    lose(self, drained);
}

static void
step(void *connection, int slot, unsigned events)
{
    dbal__process *self = of(connection);
    if (slot == DBAL_SLOT_TIMER) {
        lose(self, true);
        return;
    }
    if (slot == DBAL_SLOT_WAKE || (slot == DATA && (events & DBAL_WRITABLE) != 0))
        flush(self);
    if (slot == DBAL_SLOT_WAKE && self->unpacking && !self->paused)
        unpack(self, DBAL__UNPACKING);
    if (slot == WATCH)
        on_end(self);
    else
        read_answers(self, false);
    watch(self);
}

static void
resume(void *connection, dbal_request *request)
{
    dbal__process *self = of(connection);
    if (!self->paused || self->flying == 0 || front(self)->request != request)
        return;
    self->paused = false;
    if (self->unpacking && self->rows.rows > 0)
        unpack(self, DBAL__UNPACKING);
    else if (self->unpacking)
        end_rows(self);
    read_answers(self, false);
    watch(self);
}

static void
cancel(void *connection, dbal_request *request)
{
    dbal__process *self = of(connection);
    const unsigned stoppable = DBAL_CAN_CANCEL | DBAL_CAN_INTERRUPT;
    size_t at = 0;
    while (at < self->flying && flight_at(self, at)->request != request)
        at++;
    if (at == self->flying || self->state != DBAL__PROCESS_WORKS)
        return;
    if (at >= self->written) {
        take_back(self, at, DBAL_ERROR_CANCELLED, "57014", "stopped before it was sent");
        return;
    }
    dbal__flight *flight = flight_at(self, at);
    flight->cancelled = true;
    /* what stands behind another is stopped before it begins, and what has ended needs no end */
    if (at == place_of_work(self) &&
        (driver_of(self)->capabilities(self->config->config) & stoppable) == 0) {
        self->killed = true;
        dbal__child_kill(&self->child); /* its end is what wakes us */
        return;
    }
    dbal__process_tell(self, DBAL__FRAME_CANCEL, flight->number);
}

#define FACE                                                                                       \
    .size = sizeof(dbal_native), .attach = attach, .detach = detach, .submit = submit,             \
    .step = step, .cancel = cancel, .resume = resume

const dbal_native dbal__process_native = {FACE, .reset = submit};
const dbal_native dbal__process_native_without_reset = {FACE};
