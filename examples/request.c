/* A request that needs three answers at once, and a client that goes away before they are there. */
#include <dbal.h>
#include <ev.h>
#include <stdio.h>

typedef struct request {
    dbal_deferred *work;
    const char *outcome;
} request;

static dbal_outcome
page(dbal_outcome in, void *arg)
{
    request *r = arg;
    for (size_t i = 0; i < dbal_outcome_count(in); i++)
        printf("part %zu: %s\n", i,
               dbal_result_text(dbal_outcome_result(dbal_outcome_at(in, i)), 0, 0));
    r->outcome = "answered";
    return dbal_done();
}

static dbal_outcome
failed(dbal_outcome in, void *arg)
{
    request *r = arg;
    dbal_error *error = dbal_outcome_error(in);
    r->outcome = dbal_error_is(error, DBAL_ERROR_CANCELLED) ? "cancelled" : "failed";
    if (!dbal_error_is(error, DBAL_ERROR_CANCELLED))
        fprintf(stderr, "500 %s\n", dbal_error_message(error));
    return dbal_done();
}

static void
finished(void *arg)
{
    request *r = arg;
    r->work = dbal_deferred_unref(r->work);
}

static void
on_request(dbal_loop *loop, dbal_pool *pool, request *r, const char *third)
{
    dbal_deferred *parts[] = {
        dbal_pool_query(pool, "select 'hello'", DBAL_NO_PARAMS),
        dbal_pool_query(pool, "select $1", DBAL_PARAMS(dbal_text("world"))),
        dbal_pool_run(pool, DBAL_QUERY(.sql = third,
                                       .params = DBAL_PARAMS(dbal_named("n", dbal_int64(3))),
                                       .timeout = 20, .label = "third part"))};
    r->work = dbal_deferred_ref(dbal_gather(loop, DBAL_GATHER_OR_FAIL, 3, parts));
    dbal_deferred_add_callbacks(r->work, page, failed, r);
    dbal_deferred_add_finally(r->work, finished, r);
}

static void
on_disconnect(struct ev_loop *ev, ev_timer *timer, int events)
{
    request *r = timer->data;
    (void)ev;
    (void)events;
    dbal_deferred_cancel(r->work);
}

int
main(int argc, char **argv)
{
    dbal_loop *loop = dbal_loop_new(EV_DEFAULT);
    dbal_error *error = NULL;
    dbal_pool *pool = dbal_pool_open(loop, argc > 1 ? argv[1] : "sqlite::memory:", NULL, &error);
    request patient = {0}, gone = {0};
    ev_timer disconnect;

    if (pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        dbal_loop_free(loop);
        return 1;
    }
    on_request(loop, pool, &patient, "select :n + 1");
    ev_run(EV_DEFAULT, 0);
    /* this one would count for ever */
    on_request(
        loop, pool, &gone,
        "with recursive n(i) as (select :n union all select i + 1 from n) select max(i) from n");
    ev_timer_init(&disconnect, on_disconnect, 0.05, 0);
    disconnect.data = &gone;
    ev_timer_start(EV_DEFAULT, &disconnect);
    ev_run(EV_DEFAULT, 0);
    printf("first request: %s, second: %s\n", patient.outcome, gone.outcome);
    dbal_loop_free(loop);
    return patient.outcome[0] == 'a' && gone.outcome[0] == 'c' ? 0 : 1;
}
