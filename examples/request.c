/*
 * A server's request that needs three answers at once. One client waits for its page; another goes
 * away before it is there, and what was begun for it is stopped.
 */
#include <dbal.h>
#include <ev.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct request {
    struct ev_loop *ev;
    ev_io hangup; /* the client sends nothing more: what can be read is its end */
    int client;
    dbal_deferred *work;
    const char **ret_outcome;
} request;

static void
respond(const request *r, const char *line)
{
    if (write(r->client, line, strlen(line)) < 0)
        perror("client");
}

static dbal_outcome
page(dbal_outcome in, void *arg)
{
    request *r = arg;
    char line[200];
    dbal_result *account = dbal_outcome_result(dbal_outcome_at(in, 0));
    dbal_result *rank = dbal_outcome_result(dbal_outcome_at(in, 1));
    dbal_result *total = dbal_outcome_result(dbal_outcome_at(in, 2));
    snprintf(line, sizeof line, "200 %s has %s of %s, and %s have more\n",
             dbal_result_text(account, 0, 0), dbal_result_text(account, 0, 1),
             dbal_result_text(total, 0, 0), dbal_result_text(rank, 0, 0));
    respond(r, line);
    *r->ret_outcome = "answered";
    return dbal_done();
}

static dbal_outcome
failed(dbal_outcome in, void *arg)
{
    request *r = arg;
    dbal_error *error = dbal_outcome_error(in);
    if (dbal_error_is(error, DBAL_ERROR_CANCELLED)) {
        *r->ret_outcome = "cancelled";
        return dbal_done(); /* nobody is there to be told */
    }
    fprintf(stderr, "%s\n", dbal_error_message(error));
    respond(r, "500\n");
    *r->ret_outcome = "failed";
    return dbal_done();
}

static void
finished(void *arg)
{
    request *r = arg;
    ev_io_stop(r->ev, &r->hangup);
    close(r->client);
    dbal_deferred_unref(r->work);
    free(r);
}

static void
on_hangup(struct ev_loop *ev, ev_io *watch, int events)
{
    request *r = watch->data;
    (void)events;
    ev_io_stop(ev, watch);
    dbal_deferred_cancel(r->work);
}

/* The total may take its time: `delay` rows are counted along with it. */
static void
on_request(dbal_loop *loop, dbal_pool *pool, request *r, int64_t id, int64_t delay)
{
    dbal_deferred *parts[] = {
        dbal_pool_query(pool, "select name, balance from account where id = $1",
                        DBAL_PARAMS(dbal_int64(id))),
        dbal_pool_query(pool,
                        "select count(*) from account"
                        " where balance > (select balance from account where id = $1)",
                        DBAL_PARAMS(dbal_int64(id))),
        dbal_pool_run(pool,
                      DBAL_QUERY(.sql = "with recursive n(i) as"
                                        " (select 1 union all select i + 1 from n where i < :delay)"
                                        " select sum(balance) from account"
                                        " where (select count(*) from n) > 0",
                                 .params = DBAL_PARAMS(dbal_named("delay", dbal_int64(delay))),
                                 .label = "total", .read_only = true))};
    ev_io_init(&r->hangup, on_hangup, r->client, EV_READ);
    r->hangup.data = r;
    ev_io_start(r->ev, &r->hangup);
    r->work = dbal_deferred_ref(dbal_gather(loop, DBAL_GATHER_OR_FAIL, 3, parts));
    dbal_deferred_add_callbacks(r->work, page, failed, r);
    dbal_deferred_add_finally(r->work, finished, r);
}

/* ---- the program: two clients ---- */

typedef struct site {
    dbal_loop *loop;
    dbal_pool *pool;
    int first, second; /* the clients' ends */
    const char *first_outcome, *second_outcome;
    ev_timer leave;
} site;

static int
connect_client(site *s, int64_t delay, const char **ret_outcome)
{
    int ends[2];
    request *r = calloc(1, sizeof *r);
    if (r == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        perror("client");
        exit(1);
    }
    *r = (request){.ev = EV_DEFAULT, .client = ends[0], .ret_outcome = ret_outcome};
    on_request(s->loop, s->pool, r, 1, delay);
    return ends[1];
}

static void
on_leave(struct ev_loop *ev, ev_timer *timer, int events)
{
    site *s = timer->data;
    (void)ev;
    (void)events;
    printf("the second client goes away\n");
    close(s->second);
}

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

static dbal_outcome
open_doors(dbal_outcome in, void *arg)
{
    site *s = arg;
    s->first = connect_client(s, 1, &s->first_outcome);
    s->second = connect_client(s, INT64_MAX, &s->second_outcome); /* would count for ever */
    ev_timer_init(&s->leave, on_leave, 0.1, 0);
    s->leave.data = s;
    ev_timer_start(EV_DEFAULT, &s->leave);
    return in;
}

static bool
show(site *s)
{
    char line[200] = "";
    if (s->first_outcome == NULL || s->second_outcome == NULL)
        return false;
    ssize_t size = read(s->first, line, sizeof line - 1);
    close(s->first);
    printf("the first client reads: %s", line);
    printf("the first request was %s, the second %s\n", s->first_outcome, s->second_outcome);
    return size > 0 && strncmp(line, "200 ", 4) == 0 && strcmp(s->first_outcome, "answered") == 0 &&
           strcmp(s->second_outcome, "cancelled") == 0;
}

int
main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "sqlite:bank.db";
    dbal_error *error = NULL;
    site s = {.loop = dbal_loop_new(EV_DEFAULT)};

    s.pool = dbal_pool_open(s.loop, url, NULL, &error);
    if (s.pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        dbal_loop_free(s.loop);
        return 1;
    }
    /* an error nobody handles is reported by the loop, so filling needs no errback here */
    dbal_deferred_add_callback(dbal_pool_session(s.pool, NULL, fill, NULL), open_doors, &s);
    ev_run(EV_DEFAULT, 0);
    dbal_loop_free(s.loop);
    return show(&s) ? 0 : 1;
}
