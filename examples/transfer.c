/* A transfer between two accounts: a transaction that is retried, with a savepoint inside. */
#include <dbal.h>
#include <ev.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct transfer {
    int64_t from, to, amount;
    dbal_connection *connection;
} transfer;

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

/* ---- the program ---- */

typedef struct bank {
    dbal_loop *loop;
    dbal_pool *pool;
    int moved, refused;
    long long before, after;
    bool failed;
} bank;

/* A transfer's caption goes with the counters through one argument. */
typedef struct order {
    bank *bank;
    const char *what;
    int64_t from, to, amount;
} order;

static dbal_outcome
done(dbal_outcome in, void *arg)
{
    order *o = arg;
    (void)in;
    printf("moved %s\n", o->what);
    o->bank->moved++;
    return dbal_done();
}

static dbal_outcome
refused(dbal_outcome in, void *arg)
{
    order *o = arg;
    dbal_error *error = dbal_outcome_error(in);
    if (!dbal_error_is(error, DBAL_ERROR_APPLICATION))
        return in; /* not the bank's answer: something is broken */
    printf("refused %s: %s\n", o->what, dbal_error_message(error));
    o->bank->refused++;
    return dbal_done();
}

static dbal_outcome
fill(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_script(
        connection, "create table if not exists account(id integer primary key,"
                    " name text not null, balance integer not null);"
                    "create table if not exists audit(amount integer not null);"
                    "insert into account(id, name, balance)"
                    " values (1, 'Ada', 250), (2, 'Bob', 40), (3, 'Cyd', 120)"
                    " on conflict (id) do update set balance = excluded.balance"));
}

static dbal_deferred *
total(bank *b)
{
    return dbal_pool_query(b->pool, "select sum(balance) from account", DBAL_NO_PARAMS);
}

static dbal_outcome
count_before(dbal_outcome in, void *arg)
{
    bank *b = arg;
    (void)in;
    return dbal_wait(total(b));
}

/* All three at once: the pool and the database keep them apart. */
static dbal_outcome
transfer_all(dbal_outcome in, void *arg)
{
    bank *b = arg;
    static order orders[] = {{NULL, "100 from Ada to Bob", 1, 2, 100},
                             {NULL, "20 from Cyd to Ada", 3, 1, 20},
                             {NULL, "999 from Bob to Cyd", 2, 3, 999}};
    dbal_deferred *all[3];

    b->before = dbal_result_int64(dbal_outcome_result(in), 0, 0);
    for (int i = 0; i < 3; i++) {
        order *o = &orders[i];
        o->bank = b;
        all[i] = start_transfer(b->pool, o->from, o->to, o->amount);
        dbal_deferred_add_callbacks(all[i], done, refused, o);
    }
    return dbal_wait(dbal_gather(b->loop, DBAL_GATHER_OR_FAIL, 3, all));
}

static dbal_outcome
count_after(dbal_outcome in, void *arg)
{
    bank *b = arg;
    (void)in;
    return dbal_wait(total(b));
}

static dbal_outcome
show(dbal_outcome in, void *arg)
{
    bank *b = arg;
    b->after = dbal_result_int64(dbal_outcome_result(in), 0, 0);
    printf("%lld in all accounts before, %lld after\n", b->before, b->after);
    return dbal_done();
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    bank *b = arg;
    fprintf(stderr, "%s\n", dbal_error_message(dbal_outcome_error(in)));
    b->failed = true;
    return dbal_done();
}

int
main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "sqlite:bank.db";
    dbal_error *error = NULL;
    bank b = {.loop = dbal_loop_new(EV_DEFAULT)};

    b.pool = dbal_pool_open(b.loop, url, NULL, &error);
    if (b.pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        dbal_loop_free(b.loop);
        return 1;
    }
    dbal_deferred *d = dbal_pool_session(b.pool, NULL, fill, NULL);
    dbal_deferred_add_callback(d, count_before, &b);
    dbal_deferred_add_callback(d, transfer_all, &b);
    dbal_deferred_add_callback(d, count_after, &b);
    dbal_deferred_add_callback(d, show, &b);
    dbal_deferred_add_errback(d, complain, &b);
    ev_run(EV_DEFAULT, 0);
    dbal_loop_free(b.loop);
    return !b.failed && b.moved == 2 && b.refused == 1 && b.before == b.after ? 0 : 1;
}
