/*
 * The native fake: statements go down a socket and their answers come back in pieces, several at a
 * time. Its blocking run, for gates with threads, does the words itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/fake_driver.h"
#include "tests/lib/fake_server.h"

enum { PENDING = 1024, CHUNK = 16384 };

typedef struct bytes {
    char *data;
    size_t size, room, done; /* done: of size, taken already */
} bytes;

/* A statement whose answer has not come. */
typedef struct pending {
    dbal_request *request;
    uint64_t start; /* where in all that was ever to be sent it begins */
    bool refused;   /* its sink takes no more */
    bool loading;   /* the server takes the data of a copy */
    bool asleep;    /* there is none, until it is resumed */
} pending;

typedef struct connection connection;

/* What a helper thread was asked to do; outlives its connection if need be. */
typedef struct errand {
    connection *of; /* NULL when that is gone */
    fake_script *script;
} errand;

struct connection {
    const fake_config *config;
    fake_server *server;
    int fd;
    dbal_host *host;
    bytes in, out;
    uint64_t sent;   /* bytes that have left */
    uint64_t queued; /* bytes ever put into `out` */
    pending asked[PENDING];
    uint32_t first, next; /* numbers of the oldest one and of the next */
    unsigned watched;
    bool held;  /* until a wake, a timer or a helper */
    bool ended; /* the server has closed */
    errand *errand;
    /* the blocking face */
    dbal_request *request;
    dbal_fault *fault;
    bool failed;
};

static void process(connection *self);

static void
grow(bytes *some, size_t size)
{
    if (some->done > 0) {
        memmove(some->data, some->data + some->done, some->size - some->done);
        some->size -= some->done;
        some->done = 0;
    }
    while (some->room - some->size < size) {
        some->room = some->room > 0 ? some->room * 2 : CHUNK;
        some->data = realloc(some->data, some->room);
        if (some->data == NULL)
            abort();
    }
}

static void
put(connection *self, const void *data, size_t size)
{
    if (size == 0)
        return;
    grow(&self->out, size);
    memcpy(self->out.data + self->out.size, data, size);
    self->out.size += size;
    self->queued += size;
}

/* ---- opening and closing, in a helper thread ---- */

static bool
open_fake(void *arg, dbal_opening *opening, dbal_fault *fault)
{
    connection *self = arg;
    const fake_config *config = opening->config;
    if (!fake_begin_open(config, opening, fault))
        return false;
    self->config = config;
    self->server = malloc(sizeof *self->server);
    if (self->server == NULL)
        abort();
    self->fd = fake_server_start(self->server, config);
    if (self->fd < 0) {
        free(self->server);
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001", "the fake's server does not start");
        return false;
    }
    fake_describe(config, opening);
    fake_script_add(config->script, &config->script->live, 1);
    return true;
}

static void
close_fake(void *arg)
{
    connection *self = arg;
    fake_script *script = self->config->script;
    atomic_store(&self->server->closing, true);
    fake_script_rouse(script);
    close(self->fd);
    fake_server_stop(self->server);
    fake_begin_close(self->config);
    free(self->server);
    free(self->in.data);
    free(self->out.data);
    fake_script_add(script, &script->live, -1);
    fake_script_add(script, &script->closes, 1);
}

/* ---- on the loop ---- */

static void
watch(connection *self, bool anew)
{
    pending *first = &self->asked[self->first % PENDING];
    bool full = self->first != self->next && dbal_request_full(first->request);
    unsigned wanted = (full || self->ended ? 0u : DBAL_READABLE) |
                      (self->out.done < self->out.size ? DBAL_WRITABLE : 0u);
    if (wanted == self->watched && !anew)
        return;
    self->watched = wanted;
    if (wanted != 0)
        dbal_host_watch(self->host, 0, self->fd, wanted);
    else
        dbal_host_unwatch(self->host, 0);
}

static void
mark_sent(connection *self)
{
    for (uint32_t number = self->first; number != self->next; number++) {
        pending *one = &self->asked[number % PENDING];
        if (one->start < self->sent)
            dbal_request_sent(one->request);
    }
}

static void
flush(connection *self)
{
    while (self->out.done < self->out.size) {
        ssize_t written = send(self->fd, self->out.data + self->out.done,
                               self->out.size - self->out.done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written <= 0)
            break;
        self->out.done += (size_t)written;
        self->sent += (uint64_t)written;
    }
    mark_sent(self);
}

static void
fetch(connection *self)
{
    for (int i = 0; i < 16 && !self->ended; i++) {
        grow(&self->in, CHUNK);
        ssize_t got = recv(self->fd, self->in.data + self->in.size, CHUNK, MSG_DONTWAIT);
        if (got > 0)
            self->in.size += (size_t)got;
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            self->ended = true;
        else
            return;
    }
}

static void
swap(connection *self)
{
    int spare = atomic_exchange(&self->server->spare, -1);
    dup2(spare, self->fd); /* another socket under the same number */
    close(spare);
    self->ended = false;
    watch(self, true);
}

static void
in_helper(void *arg)
{
    errand *one = arg;
    fake_script_add(one->script, &one->script->errands, 1);
    if (one->script->hang_errand)
        fake_script_wait(one->script, "errand", NULL, NULL, false);
}

static void
helper_done(void *arg)
{
    errand *one = arg;
    connection *self = one->of;
    free(one);
    if (self == NULL)
        return;
    self->errand = NULL;
    self->held = false;
    process(self);
}

static void
send_errand(connection *self)
{
    self->errand = malloc(sizeof *self->errand);
    if (self->errand == NULL)
        abort();
    *self->errand = (errand){self, self->config->script};
    self->held = dbal_host_offload(self->host, in_helper, helper_done, self->errand);
    if (self->held)
        return;
    fake_script_add(self->config->script, &self->config->script->errands_refused, 1);
    free(self->errand);
    self->errand = NULL;
}

/* ---- copies ---- */

static void
put_piece(connection *self, fake_piece_kind kind, const void *data, size_t size)
{
    fake_piece piece = {.kind = kind, .size = (uint32_t)size};
    put(self, &piece, sizeof piece);
    put(self, data, size);
}

/* Data for the first one, as long as what was sent before has left. */
static void
feed(connection *self)
{
    pending *one = &self->asked[self->first % PENDING];
    while (self->first != self->next && one->loading && !one->asleep &&
           self->out.done == self->out.size) {
        const void *data = NULL;
        size_t size = 0;
        dbal_copy_step step = dbal_request_copy_next(one->request, &data, &size);
        one->asleep = step == DBAL_COPY_WAIT;
        one->loading = step == DBAL_COPY_DATA || one->asleep;
        if (!one->asleep)
            put_piece(self,
                      step == DBAL_COPY_DATA  ? FAKE_PIECE_DATA
                      : step == DBAL_COPY_END ? FAKE_PIECE_END
                                              : FAKE_PIECE_ABORT,
                      data, size);
        flush(self);
    }
}

/* ---- answers ---- */

static void
finish(connection *self, const fake_frame *frame)
{
    if (self->asked[self->first % PENDING].loading) {
        put_piece(self, FAKE_PIECE_ABORT, NULL, 0); /* the server waits for an end */
        flush(self);
    }
    pending one = self->asked[self->first++ % PENDING];
    fake_script_add(self->config->script, &self->config->script->flying, -1);
    dbal_host_in_transaction(self->host, frame->in_transaction);
    if (frame->soiled || frame->cleaned)
        dbal_host_dirty(self->host, frame->soiled);
    dbal_request_finish(one.request, frame->kind == FAKE_DONE && !one.refused);
}

static void
stop_at_server(connection *self, uint32_t number)
{
    atomic_store(&self->server->stops[number % FAKE_STOPS], true);
    fake_script_rouse(self->config->script);
}

static void
apply(connection *self, const fake_frame *frame, const char *data)
{
    pending *one = &self->asked[self->first % PENDING];
    if (!one->refused &&
        !fake_frame_apply(frame, data, one->request, dbal_request_fault(one->request))) {
        one->refused = true;
        stop_at_server(self, self->first);
    }
    if (frame->kind == FAKE_DONE || frame->kind == FAKE_FAILED)
        finish(self, frame);
    else if (frame->kind == FAKE_SWAP)
        swap(self);
    else if (frame->kind == FAKE_ERRAND)
        send_errand(self);
    else if (frame->kind == FAKE_LOAD)
        one->loading = dbal_request_copy(one->request) == DBAL_COPY_IN;
    else if (frame->kind == FAKE_EARLY || frame->kind == FAKE_TICK)
        self->held = true;
    if (frame->kind == FAKE_EARLY)
        dbal_host_wake(self->host);
    else if (frame->kind == FAKE_TICK)
        dbal_host_timer(self->host, 0.01);
}

/* One frame. False: it is not whole, or the answer's consumer is behind. */
static bool
take_frame(connection *self)
{
    size_t have = self->in.size - self->in.done;
    fake_frame frame;
    if (self->held || have < sizeof frame ||
        (self->first != self->next &&
         dbal_request_full(self->asked[self->first % PENDING].request)))
        return false;
    memcpy(&frame, self->in.data + self->in.done, sizeof frame);
    if (have < sizeof frame + frame.size)
        return false;
    const char *data = self->in.data + self->in.done + sizeof frame;
    self->in.done += sizeof frame + frame.size;
    if (frame.kind == FAKE_TOLD)
        dbal_host_notify(self->host, data, data + strlen(data) + 1, (int)frame.integer);
    else
        apply(self, &frame, data);
    return true;
}

static void
process(connection *self)
{
    while (take_frame(self)) {
    }
    feed(self);
    bool full =
        self->first != self->next && dbal_request_full(self->asked[self->first % PENDING].request);
    if (self->ended && !self->held && !full)
        dbal_fault_set(dbal_host_lost(self->host), DBAL_ERROR_OPERATIONAL, "08006",
                       "the fake's server has closed the connection");
    else
        watch(self, false);
}

static void
attach(void *arg, dbal_host *host)
{
    connection *self = arg;
    self->host = host;
    watch(self, true);
}

static void
detach(void *arg)
{
    connection *self = arg;
    int left = (int)(self->next - self->first);
    fake_script_add(self->config->script, &self->config->script->flying, -left);
    self->first = self->next;
    self->host = NULL;
    if (self->errand != NULL)
        self->errand->of = NULL;
    self->errand = NULL;
}

static void
put_values(connection *self, const dbal_request *request)
{
    for (size_t i = 0; i < dbal_request_parameter_count(request); i++) {
        const void *data;
        dbal_value value = dbal_request_parameter(request, i);
        size_t size = fake_value_bytes(&value, &data);
        put(self, &value, sizeof value);
        put(self, data, size);
    }
}

static void
send_ask(connection *self, dbal_request *request, const char *sql, size_t size)
{
    if (self->next - self->first == PENDING)
        abort();
    fake_ask ask = {.number = self->next,
                    .sql_size = (uint32_t)size + 1,
                    .count = (uint32_t)dbal_request_parameter_count(request),
                    .read_only = dbal_request_read_only(request),
                    .has_token = dbal_request_has_token(request)};
    self->asked[self->next++ % PENDING] = (pending){.request = request, .start = self->queued};
    fake_script_add(self->config->script, &self->config->script->flying, 1);
    put(self, &ask, sizeof ask);
    put(self, sql, size + 1);
    put_values(self, request);
    flush(self);
    watch(self, false);
}

static void
submit(void *arg, dbal_request *request)
{
    size_t size;
    const char *sql = dbal_request_sql(request, &size);
    send_ask(arg, request, sql, size);
}

static void
reset(void *arg, dbal_request *request)
{
    send_ask(arg, request, "reset", 5);
}

static void
step(void *arg, int slot, unsigned events)
{
    connection *self = arg;
    if (slot == DBAL_SLOT_WAKE || slot == DBAL_SLOT_TIMER)
        self->held = self->errand != NULL;
    if ((events & DBAL_WRITABLE) != 0)
        flush(self);
    if ((events & DBAL_READABLE) != 0)
        fetch(self);
    process(self);
}

static void
cancel(void *arg, dbal_request *request)
{
    connection *self = arg;
    fake_script_add(self->config->script, &self->config->script->interrupts, 1);
    for (uint32_t number = self->first; number != self->next; number++) {
        if (self->asked[number % PENDING].request == request)
            stop_at_server(self, number);
    }
}

static void
resume(void *arg, dbal_request *request)
{
    connection *self = arg;
    if (self->asked[self->first % PENDING].request == request)
        self->asked[self->first % PENDING].asleep = false;
    /* not from inside: the caller is in the middle of handing out rows */
    dbal_host_wake(self->host);
}

/* ---- the blocking face ---- */

static bool
is_stopped(void *arg)
{
    return dbal_request_stopped(((connection *)arg)->request);
}

static bool
emit(void *arg, const fake_frame *frame, const void *data)
{
    connection *self = arg;
    if (frame->kind == FAKE_LOST) {
        dbal_fault_set(self->fault, DBAL_ERROR_OPERATIONAL, "08006",
                       "the fake lost its connection");
        dbal_fault_set_connection_lost(self->fault, true);
        dbal_fault_set_execution(self->fault, DBAL_EXECUTION_UNKNOWN);
    }
    bool more = fake_frame_apply(frame, data, self->request, self->fault);
    self->failed = self->failed || !more || frame->kind == FAKE_FAILED || frame->kind == FAKE_LOST;
    return more;
}

static bool
run_fake(void *arg, dbal_request *request, dbal_fault *fault)
{
    connection *self = arg;
    size_t count = dbal_request_parameter_count(request);
    dbal_value *values = calloc(count + 1, sizeof *values);
    if (values == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        values[i] = dbal_request_parameter(request, i);
    self->request = request;
    self->fault = fault;
    self->failed = false;
    fake_call call = {.sql = dbal_request_sql(request, NULL),
                      .values = values,
                      .count = count,
                      .read_only = dbal_request_read_only(request),
                      .needs_token = self->config->token,
                      .has_token = dbal_request_has_token(request),
                      .polls = true,
                      .stopped = is_stopped,
                      .emit = emit,
                      .arg = self};
    fake_session_run(&self->server->session, &call);
    free(values);
    return !self->failed;
}

static bool
in_transaction(void *arg)
{
    return ((connection *)arg)->server->session.in_transaction;
}

/* ---- the table ---- */

static const char *
version(void)
{
    return "1";
}

static unsigned
capabilities(const void *config)
{
    unsigned can = DBAL_CAN_CANCEL | DBAL_CAN_STREAM | DBAL_CAN_SAVEPOINT |
                   DBAL_CAN_LAST_INSERT_ID | DBAL_CAN_COPY | DBAL_CAN_NOTIFY;
    return can | (fake_config_of(config)->pipeline ? DBAL_CAN_PIPELINE : 0u);
}

static const char *const schemes[] = {"native", NULL};

static const dbal_blocking blocking = {
    .size = sizeof(dbal_blocking),
    .open = open_fake,
    .close = close_fake,
    .run = run_fake,
    .in_transaction = in_transaction,
};

static const dbal_native native = {
    .size = sizeof(dbal_native),
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .step = step,
    .cancel = cancel,
    .resume = resume,
    .reset = reset,
};

const dbal_driver fake_native_driver = {
    .size = sizeof(dbal_driver),
    .abi = DBAL_DRIVER_ABI,
    .name = "native",
    .schemes = schemes,
    .settings = fake_settings,
    .dialect = DBAL_DIALECT_POSTGRESQL,
    .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
    .connection_size = sizeof(connection),
    .version = version,
    .configure = fake_configure,
    .configure_free = fake_configure_free,
    .threadlevel = fake_threadlevel,
    .capabilities = capabilities,
    .classify = fake_classify,
    .begin = fake_begin,
    .blocking = &blocking,
    .native = &native,
};
