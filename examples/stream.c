/* A large result to a slow reader: rows come in batches, and no faster than they are taken. */
#include <dbal.h>
#include <ev.h>
#include <stdio.h>

typedef struct slow_reader {
    ev_timer timer; /* stands for a socket that is writable only now and then */
    struct ev_loop *ev;
    dbal_stream *stream;
    size_t rows, pauses;
} slow_reader;

static void
ready(struct ev_loop *ev, ev_timer *timer, int events)
{
    slow_reader *reader = timer->data;
    (void)ev;
    (void)events;
    dbal_stream_resume(reader->stream);
}

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    slow_reader *reader = arg;
    reader->stream = stream;
    reader->rows += dbal_result_row_count(rows);
    if (reader->rows % 4096 != 0)
        return DBAL_CONTINUE;
    reader->pauses++;
    ev_timer_set(&reader->timer, 0.002, 0);
    ev_timer_start(reader->ev, &reader->timer);
    return DBAL_PAUSE;
}

static void
finished(void *arg)
{
    slow_reader *reader = arg;
    ev_timer_stop(reader->ev, &reader->timer);
    reader->stream = NULL;
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s\n", dbal_error_message(dbal_outcome_error(in)));
    return dbal_done();
}

int
main(int argc, char **argv)
{
    dbal_loop *loop = dbal_loop_new(EV_DEFAULT);
    dbal_error *error = NULL;
    dbal_pool *pool = dbal_pool_open(loop, argc > 1 ? argv[1] : "sqlite::memory:", NULL, &error);
    slow_reader reader = {.ev = EV_DEFAULT};

    if (pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        dbal_loop_free(loop);
        return 1;
    }
    ev_timer_init(&reader.timer, ready, 0, 0);
    reader.timer.data = &reader;
    dbal_deferred *d = dbal_pool_stream(
        pool,
        DBAL_QUERY(.sql =
                       "with recursive n(i) as (select 1 union all select i + 1 from n where i < "
                       "100000) select i, i * i from n",
                   .read_only = true),
        take, &reader);
    dbal_deferred_add_errback(d, complain, NULL);
    dbal_deferred_add_finally(d, finished, &reader);
    ev_run(EV_DEFAULT, 0);
    printf("%zu rows, held back %zu times\n", reader.rows, reader.pauses);
    dbal_loop_free(loop);
    return reader.rows == 100000 && reader.pauses > 0 ? 0 : 1;
}
