/*
 * A file or pipe into a table and back out: COPY, at the speed of the slower side. While the database
 * is behind nothing is read; memory stays the same however much there is.
 *
 *   copy [URL [FILE]]
 *
 * FILE has CSV lines of id,name,balance; without it 100,000 lines are made up. SQLite has no COPY and
 * says so.
 */
#include <dbal.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { LINES = 100000 };

/* ---- who has the lines ---- */

typedef struct source {
    ev_io writable;
    int next;
    char line[64];
    int size, written;
} source;

/* Makes up lines as long as the pipe takes them. */
static void
on_writable(struct ev_loop *ev, ev_io *watch, int events)
{
    source *s = watch->data;
    (void)events;
    for (;;) {
        if (s->written == s->size && s->next == LINES)
            break;
        if (s->written == s->size) {
            s->next++;
            s->size = snprintf(s->line, sizeof s->line, "%d,Account %d,%d\n", s->next, s->next,
                               s->next % 1000);
            s->written = 0;
        }
        ssize_t n = write(watch->fd, s->line + s->written, (size_t)(s->size - s->written));
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break; /* nobody reads any more */
        s->written += (int)n;
    }
    ev_io_stop(ev, watch);
    close(watch->fd);
}

/* ---- into the table ---- */

typedef struct import {
    struct ev_loop *ev;
    dbal_pool *pool;
    ev_io readable;
    dbal_copy *copy;
    unsigned waits;
    long copied, lines; /* into the table, and out of it */
    int status;
} import;

static void
on_readable(struct ev_loop *ev, ev_io *watch, int events)
{
    import *self = watch->data;
    char bytes[65536];
    ssize_t n = read(watch->fd, bytes, sizeof bytes);
    (void)events;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0 && dbal_copy_write(self->copy, bytes, (size_t)n))
        return;
    ev_io_stop(ev, watch); /* until there is room again, or for good */
    if (n == 0)
        dbal_copy_end(self->copy);
    else if (n < 0)
        dbal_copy_abort(self->copy, "the file cannot be read");
}

static void
room(dbal_copy *copy, void *arg)
{
    import *self = arg;
    self->copy = copy;
    self->waits++;
    ev_io_start(self->ev, &self->readable);
}

static void
finished(void *arg)
{
    import *self = arg;
    ev_io_stop(self->ev, &self->readable);
    close(self->readable.fd);
    self->copy = NULL;
}

static dbal_outcome
copy_in(dbal_outcome in, void *arg)
{
    (void)in;
    import *self = arg;
    return dbal_wait(dbal_pool_copy_in(
        self->pool, "copy account(id, name, balance) from stdin (format csv)", room, self));
}

/* ---- and out of it ---- */

static dbal_flow
take(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    import *self = arg;
    const char *bytes = data;
    (void)stream;
    for (size_t i = 0; i < size; i++)
        self->lines += bytes[i] == '\n';
    return DBAL_CONTINUE; /* DBAL_PAUSE would hold the database back */
}

static dbal_outcome
copy_out(dbal_outcome in, void *arg)
{
    import *self = arg;
    self->copied = (long)dbal_result_affected(dbal_outcome_result(in));
    return dbal_wait(
        dbal_pool_copy_out(self->pool, "copy account to stdout (format csv)", take, self));
}

/* ---- the program ---- */

static dbal_outcome
prepare(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_script(
        connection, "create table if not exists account(id integer primary key,"
                    " name text not null, balance integer not null);"
                    "delete from account"));
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    import *self = arg;
    fprintf(stderr, "%s\n", dbal_error_message(dbal_outcome_error(in)));
    self->status = 1;
    return dbal_done();
}

static bool
open_source(source *s, int *ret_fd, const char *file)
{
    int ends[2];
    if (file != NULL)
        return (*ret_fd = open(file, O_RDONLY | O_CLOEXEC)) >= 0;
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
        return false;
    *ret_fd = ends[0];
    ev_io_init(&s->writable, on_writable, ends[1], EV_WRITE);
    s->writable.data = s;
    ev_io_start(EV_DEFAULT, &s->writable);
    return true;
}

int
main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "postgresql:///bank";
    dbal_loop *loop = dbal_loop_new(EV_DEFAULT);
    dbal_error *error = NULL;
    source s = {.next = 0};
import self = {.ev = EV_DEFAULT, .pool = dbal_pool_open(loop, url, NULL, & error) };
    int fd = -1;

    signal(SIGPIPE, SIG_IGN); /* a pipe that nobody reads any more is an error of write() */
    if (self.pool == NULL || !open_source(&s, &fd, argc > 2 ? argv[2] : NULL)) {
        fprintf(stderr, "%s\n", self.pool == NULL ? dbal_error_message(error) : "no such file");
        dbal_error_unref(error);
        dbal_loop_free(loop);
        return 1;
    }
    ev_io_init(&self.readable, on_readable, fd, EV_READ);
    self.readable.data = &self;
    dbal_deferred *d = dbal_pool_session(self.pool, NULL, prepare, NULL);
    dbal_deferred_add_callback(d, copy_in, &self);
    dbal_deferred_add_callback(d, copy_out, &self);
    dbal_deferred_add_errback(d, complain, &self);
    dbal_deferred_add_finally(d, finished, &self);
    ev_run(EV_DEFAULT, 0);
    if (self.status == 0)
        printf("%ld rows in, %ld lines out; writing waited for room %u times\n", self.copied,
               self.lines, self.waits - 1);
    dbal_loop_free(loop);
    return self.status == 0 && self.copied == self.lines ? 0 : 1;
}
