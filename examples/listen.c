/*
 * A queue of jobs in a table: workers sleep until they are told of one, and take each once.
 *
 *   listen [URL [forever]]
 *
 * Puts a few jobs there itself, works until all are done and ends; with `forever` it works on what
 * others put there (insert into job values (1, '…'); notify jobs) until it gets SIGTERM or SIGINT.
 * SQLite has no LISTEN and says so.
 */
#include <dbal.h>
#include <ev.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { JOBS = 5 };

typedef struct worker {
    dbal_loop *loop;
    dbal_pool *pool;
    dbal_connection *connection;
    dbal_deferred *listening; /* a reference */
    bool busy, again;         /* at work; told of more meanwhile */
    bool put;                 /* its own jobs are there */
    bool forever;
    int done, status;
} worker;

static void look(worker *w);

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    worker *w = arg;
    fprintf(stderr, "%s\n", dbal_error_message(dbal_outcome_error(in)));
    w->status = 1;
    dbal_deferred_cancel(w->listening);
    return dbal_done();
}

/* ---- working ---- */

static dbal_outcome
work(dbal_outcome in, void *arg)
{
    worker *w = arg;
    dbal_result *rows = dbal_outcome_result(in);
    if (dbal_result_row_count(rows) == 0)
        return in; /* another one has it, or there is none */
    w->again = true;
    w->done++;
    printf("job %s: %s\n", dbal_result_text(rows, 0, 0), dbal_result_text(rows, 0, 1));
    return dbal_wait(dbal_connection_query(w->connection, "delete from job where id = $1",
                                           DBAL_PARAMS(dbal_int64(dbal_result_int64(rows, 0, 0)))));
}

/* Nobody else gets the job as long as the transaction lasts; if it fails, it is there again. */
static dbal_outcome
take(dbal_connection *connection, void *arg)
{
    worker *w = arg;
    w->connection = connection;
    return dbal_wait(dbal_deferred_add_callback(
        dbal_connection_query(connection,
                              "select id, what from job order by id for update skip locked limit 1",
                              DBAL_NO_PARAMS),
        work, w));
}

static void
looked(void *arg)
{
    worker *w = arg;
    w->busy = false;
    if (w->again)
        look(w);
    else if (!w->forever && w->done >= JOBS)
        dbal_deferred_cancel(w->listening); /* its end, and the program's */
}

static void
look(worker *w)
{
    w->again = w->busy;
    if (w->busy)
        return;
    w->busy = true;
    dbal_deferred *d = dbal_pool_transaction(w->pool, NULL, take, w);
    dbal_deferred_add_errback(d, complain, w);
    dbal_deferred_add_finally(d, looked, w);
}

/* ---- being told ---- */

/* The message comes with the commit: a job is never told of before it is there. */
static dbal_outcome
put_one(dbal_connection *connection, void *arg)
{
    dbal_connection_query(connection, "insert into job(id, what) values ($1, 'something to do')",
                          DBAL_PARAMS(dbal_int64(*(int *)arg)));
    return dbal_wait(dbal_connection_query(connection, "notify jobs", DBAL_NO_PARAMS));
}

static void
put_jobs(worker *w)
{
    static int ids[JOBS]; /* the works' arguments live longer than this call */
    w->put = true;
    for (int i = 0; i < JOBS; i++) {
        ids[i] = i + 1;
        dbal_deferred_add_errback(dbal_pool_transaction(w->pool, NULL, put_one, &ids[i]), complain,
                                  w);
    }
}

/* LISTENING: what is there already was not told of. GAP: something may have been missed. */
static void
told(const dbal_notification *notification, void *arg)
{
    worker *w = arg;
    if (notification->kind == DBAL_NOTIFICATION_GAP)
        fprintf(stderr, "nothing was heard for %.1f s\n", notification->gap);
    if (notification->kind == DBAL_NOTIFICATION_LISTENING && !w->forever && !w->put)
        put_jobs(w);
    look(w);
}

static dbal_outcome
listen_on(dbal_outcome in, void *arg)
{
    worker *w = arg;
    (void)in;
    w->listening = dbal_deferred_ref(dbal_pool_listen(w->pool, "jobs", told, w));
    return dbal_wait(w->listening);
}

/* ---- the program ---- */

static dbal_outcome
prepare(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_script(connection,
                                            "create table if not exists job(id integer primary key,"
                                            " what text not null)"));
}

static void
on_signal(struct ev_loop *ev, ev_signal *watch, int events)
{
    (void)events;
    ev_ref(ev);
    ev_signal_stop(ev, watch);
    dbal_loop_close(watch->data, 10); /* ends the listening; a job at work may take 10 s */
}

static void
on_signals(dbal_loop *loop, ev_signal *watches)
{
    static const int signals[] = {SIGTERM, SIGINT};
    for (int i = 0; i < 2; i++) {
        ev_signal_init(&watches[i], on_signal, signals[i]);
        watches[i].data = loop;
        ev_signal_start(EV_DEFAULT, &watches[i]);
        ev_unref(EV_DEFAULT); /* waiting for it keeps nothing alive */
    }
}

int
main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "postgresql:///bank";
    worker w = {.loop = dbal_loop_new(EV_DEFAULT)};
    dbal_error *error = NULL;
    ev_signal watches[2];

    w.forever = argc > 2 && strcmp(argv[2], "forever") == 0;
    w.pool = dbal_pool_open(w.loop, url, NULL, &error);
    if (w.pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        dbal_loop_free(w.loop);
        return 1;
    }
    on_signals(w.loop, watches);
    dbal_deferred *d = dbal_pool_session(w.pool, NULL, prepare, NULL);
    dbal_deferred_add_callback(d, listen_on, &w);
    dbal_deferred_add_errback(d, complain, &w);
    ev_run(EV_DEFAULT, 0);
    printf("%d jobs done\n", w.done);
    dbal_deferred_unref(w.listening);
    dbal_loop_free(w.loop);
    return w.status;
}
