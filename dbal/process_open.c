/* A worker's beginning and end: in a helper thread, which may wait for it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/clock.h"
#include "dbal/process.h"
#include <dbal/version.h>

/* How often one that waits looks whether it still should (ms). */
enum { SLICE = 100 };

/* How long a worker may take to close its connection, and one that is killed to be gone (s). */
static const double CLOSING_MOST = 10, DYING_MOST = 5;

static bool
is_stopped(const dbal__process *self)
{
    dbal_opening opening = {.stop = self->stop};
    return dbal_opening_stopped(&opening);
}

static int
slice(int64_t deadline)
{
    int64_t left = deadline - dbal__monotonic();
    if (deadline == DBAL__NEVER || left > (int64_t)SLICE * 1000000)
        return SLICE;
    return left > 0 ? (int)(left / 1000000) + 1 : 0;
}

/* Waits until its socket can be read or written. False: time is up, whatever there is. */
static bool
wait_for(dbal__process *self, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd one = {.fd = self->child.data, .events = events};
        int ready = poll(&one, 1, slice(deadline));
        if (is_stopped(self) || dbal__monotonic() >= deadline)
            return false;
        if (ready > 0)
            return true;
    }
}

static bool
write_all(dbal__process *self, int64_t deadline)
{
    while (dbal__process_flush(self)) {
        if (self->out.size == 0)
            return true;
        if (!wait_for(self, POLLOUT, deadline))
            return false;
    }
    return false;
}

/* ---- opening ------------------------------------------------------------------------------------- */

static bool
refuse(dbal_fault *fault, const char *format, const char *one, const char *two)
{
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001", format, one, two);
    return false;
}

/* It has ended, or is of no use and ends now. */
static bool
refuse_end(dbal__process *self, dbal_fault *fault)
{
    char how[120];
    if (self->reason[0] != '\0') {
        refuse(fault, "worker process %s %s", self->config->worker, self->reason);
        dbal_fault_set_retryable(fault, true);
        return false;
    }
    dbal__child_wait(&self->child, dbal__after(dbal__monotonic(), 0.5));
    dbal__child_describe(&self->child, how, sizeof how);
    refuse(fault, "worker process %s %s before its connection was open", self->config->worker, how);
    dbal_fault_set_retryable(fault, true);
    return false;
}

/* The next frame, whatever it takes. */
static bool
receive(dbal__process *self, int64_t deadline, dbal__frame *ret_frame, dbal__eye *ret_body,
        dbal_fault *fault)
{
    for (;;) {
        dbal__frame_state state = dbal__process_next(self, ret_frame, ret_body);
        if (state == DBAL__FRAME_WHOLE)
            return true;
        dbal__process_got got =
            state == DBAL__FRAME_BROKEN ? DBAL__PROCESS_GARBAGE : dbal__process_fill(self);
        if (got == DBAL__PROCESS_END || got == DBAL__PROCESS_GARBAGE)
            return refuse_end(self, fault);
        if (got == DBAL__PROCESS_NOTHING && !wait_for(self, POLLIN, deadline))
            return refuse(fault, "worker process %s had no connection within connect_timeout%s",
                          self->config->worker, "");
    }
}

static void
put_open(dbal__process *self, const dbal_opening *opening)
{
    const dbal__process_config *config = self->config;
    size_t begin = dbal__ink_begin(&self->out, DBAL__FRAME_OPEN, 0);
    dbal__parcel_greet(&self->out);
    dbal__ink_u32(&self->out, (uint32_t)getpid());
    dbal__ink_text(&self->out, config->url);
    dbal__ink_text(&self->out, config->directory);
    dbal__ink_u8(&self->out, config->pools_transactions);
    dbal__ink_u64(&self->out, (uint64_t)opening->deadline);
    dbal__ink_u32(&self->out, (uint32_t)opening->statement_cache);
    dbal__ink_u32(&self->out, (uint32_t)opening->prepare_after);
    dbal__ink_u8(&self->out, opening->again);
    dbal__ink_end(&self->out, begin);
}

static bool
no_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
    return false;
}

static bool
start(dbal__process *self, const dbal_opening *opening, dbal_fault *fault)
{
    const dbal__process_config *config = self->config;
    self->in = dbal__alloc(DBAL__FRAME_INSIDE + sizeof(dbal__frame));
    put_open(self, opening);
    if (self->in == NULL || self->out.failed)
        return no_memory(fault);
    int code = dbal__child_start(&self->child, config->worker, config->environment);
    if (code == 0)
        return true;
    const char *why = strerrordesc_np(code);
    refuse(fault, "worker process %s cannot be started: %s", config->worker,
           why != NULL ? why : "unknown reason");
    dbal_fault_set_retryable(fault,
                             code == EAGAIN || code == ENOMEM || code == EMFILE || code == ENFILE);
    return false;
}

/* Its first words say who it is. */
static bool
get_greeting(dbal__process *self, int64_t deadline, dbal_fault *fault)
{
    dbal__frame frame;
    dbal__eye body;
    const char *version = NULL;
    if (!receive(self, deadline, &frame, &body, fault))
        return false;
    bool same = frame.kind == DBAL__FRAME_HELLO && dbal__parcel_greeted(&body, &version);
    if (!same)
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, "08001",
                       "worker process %s is of another version (%s) than this program (%s)",
                       self->config->worker, version != NULL ? version : "unknown", dbal_version());
    dbal__process_drop(self);
    return same;
}

static bool
refuse_sole(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000",
                   "the database is in the memory of whoever opens it: it would be gone with its "
                   "worker process. Use another gate than process");
    return false;
}

static bool
get_answer(dbal__process *self, dbal_opening *opening, dbal_fault *fault)
{
    dbal__frame frame;
    dbal__eye body;
    if (!receive(self, opening->deadline, &frame, &body, fault))
        return false;
    bool opened = frame.kind == DBAL__FRAME_OPENED && dbal__parcel_take_opening(&body, opening);
    bool failed = frame.kind == DBAL__FRAME_FAILED && dbal__parcel_take_error(&body, fault);
    if (frame.kind == DBAL__FRAME_DYING) {
        dbal__process_note_death(self, &body);
        refuse_end(self, fault);
    } else if (!opened && !failed) {
        refuse(fault, "worker process %s sent what is no answer to being opened%s",
               self->config->worker, "");
    }
    dbal__process_drop(self);
    if (opened && opening->sole)
        return refuse_sole(fault);
    return opened;
}

bool
dbal__process_open(void *connection, dbal_opening *opening, dbal_fault *fault)
{
    dbal__process *self = connection;
    *self = (dbal__process){.config = opening->config, .stop = opening->stop, .passed = -1};
    self->child.handle = self->child.watch = self->child.data = self->child.control = -1;
    bool open = start(self, opening, fault);
    if (open && !write_all(self, opening->deadline))
        open = refuse_end(self, fault);
    open = open && get_greeting(self, opening->deadline, fault) && get_answer(self, opening, fault);
    if (open) {
        self->peaceful = true;
        return true;
    }
    dbal__process_close(self);
    return false;
}

void
dbal__process_note_death(dbal__process *self, dbal__eye *body)
{
    uint32_t number = dbal__eye_u32(body), status = dbal__eye_u32(body);
    if (body->broken || number > 64)
        return;
    if (number != 0)
        self->child.told_signal = (int)number;
    else
        self->child.told_status = (int)(status & 0xff);
}

/* ---- closing ------------------------------------------------------------------------------------- */

/* Nothing is on its way: it can close its connection and end by itself. */
static void
await_end(dbal__process *self)
{
    int64_t deadline = dbal__after(dbal__monotonic(), CLOSING_MOST);
    while (!is_stopped(self) && dbal__monotonic() < deadline)
        if (dbal__child_wait(&self->child, dbal__after(dbal__monotonic(), (double)SLICE / 1000)))
            return;
}

void
dbal__process_close(void *connection)
{
    dbal__process *self = connection;
    dbal__child_unwatch(&self->child);
    if (self->child.pid != 0) {
        if (self->peaceful && self->state == DBAL__PROCESS_WORKS)
            await_end(self);
        dbal__child_kill(&self->child);
        dbal__child_wait(&self->child, dbal__after(dbal__monotonic(), DYING_MOST));
    }
    dbal__child_fini(&self->child);
    self->child.pid = 0;
    if (self->passed >= 0)
        close(self->passed);
    self->passed = -1;
    dbal__process_drop(self);
    dbal__ink_fini(&self->out);
    dbal__columns_memory_fini(&self->columns);
    dbal__free(self->in);
    self->in = NULL;
    dbal__free(self->flights);
    self->flights = NULL;
}
