/* A transfer between two accounts: a transaction that is retried, with a savepoint inside. */
#include <dbal.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct transfer {
    int64_t from, to, amount;
    dbal_connection *connection;
} transfer;

static int refused, moved;

static dbal_outcome
audit(dbal_connection *connection, void *arg)
{
    transfer *t = arg;
    return dbal_wait(dbal_connection_query(connection, "insert into audit(amount) values ($1)",
                                           DBAL_PARAMS(dbal_int64(t->amount))));
}

static dbal_outcome
ignore(dbal_outcome in, void *arg)
{
    (void)in;
    (void)arg;
    return dbal_done();
}

static dbal_outcome
credited(dbal_outcome in, void *arg)
{
    transfer *t = arg;
    (void)in;
    /* the transfer stands even when the audit fails */
    return dbal_wait(dbal_deferred_add_errback(dbal_connection_savepoint(t->connection, audit, t),
                                               ignore, NULL));
}

static dbal_outcome
debited(dbal_outcome in, void *arg)
{
    transfer *t = arg;
    (void)in;
    return dbal_wait(dbal_connection_query(
        t->connection, "update account set balance = balance + $1 where id = $2",
        DBAL_PARAMS(dbal_int64(t->amount), dbal_int64(t->to))));
}

static dbal_outcome
check(dbal_outcome in, void *arg)
{
    transfer *t = arg;
    dbal_result *rows = dbal_outcome_result(in);
    if (dbal_result_row_count(rows) == 0)
        return dbal_fail(
            dbal_error_new(DBAL_ERROR_APPLICATION, "no account %lld", (long long)t->from));
    int64_t balance = dbal_result_int64(rows, 0, 0);
    dbal_error *bad = dbal_result_take_error(rows);
    if (bad != NULL)
        return dbal_fail(bad);
    if (balance < t->amount)
        return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "insufficient funds"));
    return dbal_wait(dbal_connection_query(
        t->connection, "update account set balance = balance - $1 where id = $2",
        DBAL_PARAMS(dbal_int64(t->amount), dbal_int64(t->from))));
}

static dbal_outcome
body(dbal_connection *connection, void *arg)
{
    transfer *t = arg;
    t->connection = connection;
    dbal_deferred *d = dbal_connection_query(
        connection, "select balance from account where id = $1", DBAL_PARAMS(dbal_int64(t->from)));
    dbal_deferred_add_callback(d, check, t);
    dbal_deferred_add_callback(d, debited, t);
    dbal_deferred_add_callback(d, credited, t);
    return dbal_wait(d);
}

static dbal_deferred *
start_transfer(dbal_pool *pool, int64_t from, int64_t to, int64_t amount)
{
    transfer *t = malloc(sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (transfer){from, to, amount, NULL};
    return dbal_deferred_add_finally(
        dbal_pool_transaction(pool, DBAL_TRANSACTION(.isolation = DBAL_SERIALIZABLE, .retries = 3),
                              body, t),
        free, t);
}

static dbal_outcome
done(dbal_outcome in, void *arg)
{
    (void)in;
    printf("moved %s\n", (const char *)arg);
    moved++;
    return dbal_done();
}

static dbal_outcome
failed(dbal_outcome in, void *arg)
{
    printf("refused %s: %s\n", (const char *)arg, dbal_error_message(dbal_outcome_error(in)));
    refused++;
    return dbal_done();
}

static dbal_outcome
fill(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_script(
        connection, "create table if not exists account(id integer primary key, name text, "
                    "balance integer);"
                    "create table if not exists audit(id integer primary key, amount integer);"
                    "delete from account; delete from audit;"
                    "insert into account values (1, 'Ada', 250), (2, 'Bob', 40), (3, 'Cyd', 120)"));
}

static dbal_outcome
total(dbal_outcome in, void *arg)
{
    *(long long *)arg = dbal_result_int64(dbal_outcome_result(in), 0, 0);
    return in;
}

int
main(int argc, char **argv)
{
    dbal_loop *loop = dbal_loop_new(EV_DEFAULT);
    dbal_error *error = NULL;
    dbal_pool *pool = dbal_pool_open(loop, argc > 1 ? argv[1] : "sqlite:bank.db", NULL, &error);
    long long sum = 0;

    if (pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        dbal_loop_free(loop);
        return 1;
    }
    dbal_pool_session(pool, NULL, fill, NULL);
    ev_run(EV_DEFAULT, 0);
    /* all three at once: the pool and the database keep them apart */
    dbal_deferred_add_callbacks(start_transfer(pool, 1, 2, 100), done, failed,
                                "100 from Ada to Bob");
    dbal_deferred_add_callbacks(start_transfer(pool, 3, 1, 20), done, failed, "20 from Cyd to Ada");
    dbal_deferred_add_callbacks(start_transfer(pool, 2, 3, 999), done, failed,
                                "999 from Bob to Cyd");
    ev_run(EV_DEFAULT, 0);
    dbal_deferred_add_callback(
        dbal_pool_query(pool, "select sum(balance) from account", DBAL_NO_PARAMS), total, &sum);
    ev_run(EV_DEFAULT, 0);
    printf("%lld in all accounts\n", sum);
    dbal_loop_free(loop);
    return moved == 2 && refused == 1 && sum == 410 ? 0 : 1;
}
