#include "tests/lib/fake_server.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

size_t
fake_value_bytes(const dbal_value *value, const void **ret_data)
{
    switch (value->type) {
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_JSON:
        *ret_data = value->as.bytes.data;
        return value->as.bytes.size;
    default:
        *ret_data = NULL;
        return 0;
    }
}

/* ---- writing ---- */

static bool
write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = send(fd, data, size, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

/* The first bytes of an answer come in very small pieces, so that none ends where a frame does. */
static void
flush(void *arg)
{
    static const size_t sizes[] = {1, 3, 17, 2, 90, 5};
    fake_server *self = arg;
    size_t at = 0;
    pthread_mutex_lock(&self->lock);
    for (int i = 0; i < 6 && at < self->size; i++) {
        size_t piece = sizes[self->pieces++ % 6];
        if (piece > self->size - at)
            piece = self->size - at;
        if (!write_all(self->out, self->buffer + at, piece))
            break;
        at += piece;
    }
    write_all(self->out, self->buffer + at, self->size - at);
    pthread_mutex_unlock(&self->lock);
    self->size = 0;
}

/* In another's thread: between two frames of this one's. */
static void
tell(void *arg, const char *channel, const char *payload)
{
    fake_server *self = arg;
    size_t first = strlen(channel) + 1, second = strlen(payload) + 1;
    fake_frame frame = {.kind = FAKE_TOLD, .size = (uint32_t)(first + second), .integer = 4711};
    pthread_mutex_lock(&self->lock);
    if (write_all(self->out, (const char *)&frame, sizeof frame) &&
        write_all(self->out, channel, first))
        write_all(self->out, payload, second);
    pthread_mutex_unlock(&self->lock);
}

static void
put(fake_server *self, const void *data, size_t size)
{
    if (size == 0)
        return;
    while (self->room - self->size < size) {
        self->room = self->room > 0 ? self->room * 2 : 8192;
        self->buffer = realloc(self->buffer, self->room);
        if (self->buffer == NULL)
            abort();
    }
    memcpy(self->buffer + self->size, data, size);
    self->size += size;
}

/* In another's thread. */
static void
lose(void *arg)
{
    fake_server *self = arg;
    shutdown(self->out, SHUT_RDWR);
}

/* From now on answers go through another socket. What was sent through the old one still counts. */
static void
swap(fake_server *self)
{
    int ends[2];
    while (atomic_load(&self->spare) >= 0 && !atomic_load(&self->closing))
        sched_yield(); /* the client has not taken the one before */
    if (self->in_count == FAKE_SOCKETS ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    atomic_store(&self->spare, ends[0]);
    flush(self);
    pthread_mutex_lock(&self->lock);
    self->in[self->in_count++] = ends[1];
    self->out = ends[1];
    pthread_mutex_unlock(&self->lock);
}

static bool
emit(void *arg, const fake_frame *frame, const void *data)
{
    fake_server *self = arg;
    put(self, frame, sizeof *frame);
    put(self, data, frame->size);
    if (frame->kind == FAKE_SWAP)
        swap(self);
    else if (self->size >= 4096)
        flush(self);
    return true;
}

/* ---- reading ---- */

/* From the first socket until its end, then from the next. False: there is no more. */
static bool
read_all(fake_server *self, void *to, size_t size)
{
    char *at = to;
    while (size > 0) {
        ssize_t got = read(self->in[0], at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (self->in_count == 1)
                return false;
            close(self->in[0]);
            memmove(self->in, self->in + 1, (size_t)--self->in_count * sizeof self->in[0]);
            continue;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static bool
read_values(fake_server *self, dbal_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const void *old;
        if (!read_all(self, &values[i], sizeof values[i]))
            return false;
        size_t size = fake_value_bytes(&values[i], &old);
        if (old == NULL)
            continue;
        char *bytes = malloc(size + 1);
        if (bytes == NULL)
            abort();
        values[i].as.bytes.data = bytes;
        if (!read_all(self, bytes, size)) {
            values[i + 1].type = DBAL_NULL;
            return false;
        }
    }
    return true;
}

static void
free_values(dbal_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const void *data;
        fake_value_bytes(&values[i], &data);
        free((void *)(uintptr_t)data);
    }
    free(values);
}

/* Of a copy. */
static int64_t
read_piece(void *arg, char *data, size_t size)
{
    fake_server *self = arg;
    fake_piece *piece = &self->piece;
    while (piece->size == 0) {
        if (!read_all(self, piece, sizeof *piece))
            return FAKE_READ_GONE;
        if (piece->kind == FAKE_PIECE_END)
            return FAKE_READ_END;
        if (piece->kind == FAKE_PIECE_ABORT)
            break;
    }
    size_t part = piece->size < size - 1 ? piece->size : size - 1;
    if (!read_all(self, data, part))
        return FAKE_READ_GONE;
    data[part] = '\0';
    piece->size -= (uint32_t)part;
    if (piece->kind != FAKE_PIECE_ABORT)
        return (int64_t)part;
    return FAKE_READ_ABORT;
}

/* ---- the thread ---- */

static bool
is_stopped(void *arg)
{
    fake_server *self = arg;
    return atomic_load(&self->closing) || atomic_load(&self->stops[self->number % FAKE_STOPS]);
}

static bool
is_closed(void *arg)
{
    return atomic_load(&((fake_server *)arg)->closing);
}

static void
answer(fake_server *self, const fake_ask *ask, const char *sql, const dbal_value *values)
{
    fake_call call = {.sql = sql,
                      .values = values,
                      .count = ask->count,
                      .read_only = ask->read_only,
                      .needs_token = self->config->token,
                      .has_token = ask->has_token,
                      .stopped = is_stopped,
                      .closed = is_closed,
                      .emit = emit,
                      .read = read_piece,
                      .flush = flush,
                      .arg = self};
    self->number = ask->number;
    fake_session_run(&self->session, &call);
    atomic_store(&self->stops[ask->number % FAKE_STOPS], false);
}

/* One statement. False: the connection is over. */
static bool
serve(fake_server *self)
{
    fake_ask ask;
    if (!read_all(self, &ask, sizeof ask))
        return false;
    char *sql = malloc(ask.sql_size);
    dbal_value *values = calloc(ask.count + 1, sizeof *values);
    if (sql == NULL || values == NULL)
        abort();
    bool whole = read_all(self, sql, ask.sql_size) && read_values(self, values, ask.count);
    if (whole)
        answer(self, &ask, sql, values);
    free_values(values, ask.count);
    free(sql);
    if (!whole)
        return false;
    /* the last frame tells how it ended; one that was lost has none */
    bool lost = self->session.lost;
    flush(self);
    return !lost;
}

static void *
live(void *arg)
{
    fake_server *self = arg;
    while (serve(self)) {
    }
    fake_hearer_end(&self->session.hearer, self->session.script);
    /* the client must see the end now, not when it is joined */
    for (int i = 0; i < self->in_count; i++)
        shutdown(self->in[i], SHUT_RDWR);
    return NULL;
}

int
fake_server_start(fake_server *self, const fake_config *config)
{
    int ends[2];
    memset(self, 0, sizeof *self);
    self->config = config;
    self->session.script = config->script;
    self->session.hearer.tell = tell;
    self->session.hearer.lose = lose;
    self->session.hearer.arg = self;
    pthread_mutex_init(&self->lock, NULL);
    atomic_init(&self->spare, -1);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    self->in[self->in_count++] = self->out = ends[1];
    if (pthread_create(&self->thread, NULL, live, self) == 0)
        return ends[0];
    close(ends[0]);
    close(ends[1]);
    return -1;
}

void
fake_server_stop(fake_server *self)
{
    pthread_join(self->thread, NULL);
    for (int i = 0; i < self->in_count; i++)
        close(self->in[i]);
    int spare = atomic_load(&self->spare);
    if (spare >= 0)
        close(spare);
    free(self->buffer);
}
