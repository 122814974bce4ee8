/* The first program: asks a database something and prints the answer, without stalling its loop. */
#include <dbal.h>
#include <ev.h>
#include <stdio.h>

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
ask(dbal_outcome in, void *arg)
{
    dbal_pool *pool = arg;
    (void)in;
    return dbal_wait(dbal_pool_query(pool, "select name, balance from account where balance > $1",
                                     DBAL_PARAMS(dbal_int64(100))));
}

static dbal_outcome
show(dbal_outcome in, void *arg)
{
    dbal_result *rows = dbal_outcome_result(in);
    (void)arg;
    for (size_t i = 0; i < dbal_result_row_count(rows); i++)
        printf("%s has %lld\n", dbal_result_text(rows, i, 0),
               (long long)dbal_result_int64(rows, i, 1));
    return in; /* pass it on */
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    int *status = arg;
    fprintf(stderr, "%s\n", dbal_error_message(dbal_outcome_error(in)));
    *status = 1;
    return dbal_done(); /* handled */
}

int
main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "sqlite:bank.db";
    dbal_loop *loop = dbal_loop_new(EV_DEFAULT);
    dbal_error *error = NULL;
    dbal_pool *pool = dbal_pool_open(loop, url, NULL, &error);
    int status = 0;

    if (pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        dbal_loop_free(loop);
        return 1;
    }
    dbal_deferred *d = dbal_pool_session(pool, NULL, fill, NULL);
    dbal_deferred_add_callback(d, ask, pool);
    dbal_deferred_add_callback(d, show, NULL);
    dbal_deferred_add_errback(d, complain, &status);
    ev_run(EV_DEFAULT, 0); /* returns when nothing is left to wait for */
    dbal_loop_free(loop);
    return status;
}
