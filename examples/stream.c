/*
 * A large answer to a slow reader: rows are written to a pipe as it takes them. While the pipe is
 * full the stream is paused, and the database held back.
 */
#include <dbal.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { ROWS = 100000, LINE = 64 };

/* ---- the writing side ---- */

typedef struct sender {
    struct ev_loop *ev;
    dbal_pool *pool;
    ev_io writable;
    dbal_stream *stream;
    dbal_result *rows; /* the batch that is being written */
    size_t row, pauses;
    char line[LINE];
    size_t size, written; /* of the line */
    bool failed;
} sender;

static void
format_row(sender *s)
{
    int size = snprintf(s->line, sizeof s->line, "%s,%s,%s\n", dbal_result_text(s->rows, s->row, 0),
                        dbal_result_text(s->rows, s->row, 1), dbal_result_text(s->rows, s->row, 2));
    s->size = size < LINE ? (size_t)size : LINE - 1;
    s->written = 0;
    s->row++;
}

/* Writes on until the batch is done; false when the pipe is full or broken. */
static bool
write_rows(sender *s)
{
    for (;;) {
        while (s->written < s->size) {
            ssize_t n = write(s->writable.fd, s->line + s->written, s->size - s->written);
            if (n < 0) {
                s->failed = s->failed || errno != EAGAIN;
                return false;
            }
            s->written += (size_t)n;
        }
        if (s->row == dbal_result_row_count(s->rows)) {
            s->rows = dbal_result_unref(s->rows);
            return true;
        }
        format_row(s);
    }
}

static void
on_writable(struct ev_loop *ev, ev_io *watch, int events)
{
    sender *s = watch->data;
    (void)events;
    if (!write_rows(s) && !s->failed)
        return;
    ev_io_stop(ev, watch);
    dbal_stream_resume(s->stream);
}

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    sender *s = arg;
    if (s->failed)
        return DBAL_STOP;
    s->stream = stream;
    s->rows = dbal_result_ref(rows);
    s->row = 0;
    if (write_rows(s))
        return DBAL_CONTINUE;
    if (s->failed)
        return DBAL_STOP;
    s->pauses++;
    ev_io_start(s->ev, &s->writable);
    return DBAL_PAUSE;
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    sender *s = arg;
    fprintf(stderr, "%s\n", dbal_error_message(dbal_outcome_error(in)));
    s->failed = true;
    return dbal_done();
}

static void
finished(void *arg)
{
    sender *s = arg;
    ev_io_stop(s->ev, &s->writable);
    s->rows = dbal_result_unref(s->rows);
    close(s->writable.fd); /* tells the reader */
}

/* ---- the slow reader ---- */

typedef struct reader {
    ev_timer turn;
    int fd;
    size_t lines, bytes;
} reader;

/* A little at a time. */
static void
on_turn(struct ev_loop *ev, ev_timer *timer, int events)
{
    reader *r = timer->data;
    char bytes[4096];
    ssize_t n = read(r->fd, bytes, sizeof bytes);
    (void)events;
    for (ssize_t i = 0; i < n; i++)
        r->lines += bytes[i] == '\n';
    r->bytes += n > 0 ? (size_t)n : 0;
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        ev_timer_stop(ev, timer);
        close(r->fd);
    }
}

/* ---- the program ---- */

static dbal_outcome
fill(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_script(
        connection, "create table if not exists account(id integer primary key,"
                    " name text not null, balance integer not null);"
                    "insert into account(id, name, balance)"
                    " values (1, 'Ada', 250), (2, 'Bob', 40), (3, 'Cyd', 120)"
                    " on conflict do nothing"));
}

/* Three accounts, told of again and again. */
static dbal_outcome
send_rows(dbal_outcome in, void *arg)
{
    sender *s = arg;
    (void)in;
    return dbal_wait(
        dbal_pool_stream(s->pool,
                         DBAL_QUERY(.sql = "with recursive n(i) as"
                                           " (select 1 union all select i + 1 from n where i < $1)"
                                           " select n.i, a.name, a.balance from n"
                                           " join account a on a.id = n.i % 3 + 1",
                                    .params = DBAL_PARAMS(dbal_int64(ROWS)), .read_only = true),
                         take, s));
}

static void
start(sender *s, reader *r, const int *ends)
{
    ev_io_init(&s->writable, on_writable, ends[1], EV_WRITE);
    s->writable.data = s;
    r->fd = ends[0];
    ev_timer_init(&r->turn, on_turn, 0.001, 0.001);
    r->turn.data = r;
    ev_timer_start(s->ev, &r->turn);

    dbal_deferred *d = dbal_pool_session(s->pool, NULL, fill, NULL);
    dbal_deferred_add_callback(d, send_rows, s);
    dbal_deferred_add_errback(d, complain, s);
    dbal_deferred_add_finally(d, finished, s);
}

int
main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "sqlite:bank.db";
    dbal_loop *loop = dbal_loop_new(EV_DEFAULT);
    dbal_error *error = NULL;
    sender s = {.ev = EV_DEFAULT, .pool = dbal_pool_open(loop, url, NULL, &error)};
    reader r = {.lines = 0};
    int ends[2];

    if (s.pool == NULL || pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        fprintf(stderr, "%s\n", s.pool == NULL ? dbal_error_message(error) : "no pipe");
        dbal_error_unref(error);
        dbal_loop_free(loop);
        return 1;
    }
    start(&s, &r, ends);
    ev_run(EV_DEFAULT, 0);
    printf("%zu rows, %zu bytes; the stream was paused %zu times\n", r.lines, r.bytes, s.pauses);
    dbal_loop_free(loop);
    return !s.failed && r.lines == ROWS && s.pauses > 0 ? 0 : 1;
}
