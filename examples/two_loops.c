/*
 * Two loops in two threads, each with a pool of its own on one database, and a third thread that
 * asks them. From a thread that is not the loop's, only dbal_loop_call() and dbal_loop_await() may
 * be used; through them, everything.
 */
#include <dbal.h>
#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { SIDES = 2, DEPOSITS = 50 };

typedef struct side {
    struct ev_loop *ev;
    dbal_loop *loop;
    dbal_pool *pool;
    pthread_t thread;
} side;

static void *
serve(void *arg)
{
    side *self = arg;
    ev_run(self->ev, 0);
    return NULL;
}

/* ---- what runs on a loop ---- */

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
prepare(void *arg)
{
    side *self = arg;
    return dbal_wait(dbal_pool_session(self->pool, NULL, fill, NULL));
}

static dbal_outcome
balance(void *arg)
{
    side *self = arg;
    return dbal_wait(
        dbal_pool_query(self->pool, "select balance from account where id = 2", DBAL_PARAMS()));
}

static dbal_outcome
deposit(void *arg)
{
    side *self = arg;
    dbal_deferred *all[DEPOSITS];
    for (int i = 0; i < DEPOSITS; i++)
        all[i] = dbal_pool_query(
            self->pool, "update account set balance = balance + 1 where id = 2", DBAL_PARAMS());
    return dbal_wait(dbal_gather(self->loop, DBAL_GATHER_OR_FAIL, DEPOSITS, all));
}

static void
stop(void *arg)
{
    side *self = arg;
    dbal_loop_unhold(self->loop);
    dbal_loop_close(self->loop, 5);
}

/* ---- what runs on threads of the program's own ---- */

/* Runs something on a side's loop and waits for it; false when it failed. */
static bool
await(side *on, dbal_outcome (*make)(void *), int64_t *ret_number)
{
    dbal_outcome outcome = dbal_loop_await(on->loop, make, on);
    bool good = outcome.kind == DBAL_OUTCOME_VALUE;
    if (!good)
        fprintf(stderr, "%s\n", dbal_error_message(dbal_outcome_error(outcome)));
    else if (ret_number != NULL)
        *ret_number = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return good;
}

static void *
ask_for_deposits(void *arg)
{
    return await(arg, deposit, NULL) ? arg : NULL;
}

/* Deposits through both sides at the same time. */
static bool
deposit_twice(side *sides)
{
    pthread_t other;
    void *good = NULL;
    if (pthread_create(&other, NULL, ask_for_deposits, &sides[1]) != 0)
        return false;
    bool mine = await(&sides[0], deposit, NULL);
    pthread_join(other, &good);
    return mine && good != NULL;
}

static bool
work(side *sides)
{
    int64_t before = 0, after = 0;
    if (!await(&sides[0], prepare, NULL) || !await(&sides[0], balance, &before) ||
        !deposit_twice(sides) || !await(&sides[1], balance, &after))
        return false;
    printf("Bob had %lld; after %d deposits through %d loops he has %lld\n", (long long)before,
           SIDES * DEPOSITS, SIDES, (long long)after);
    return after == before + SIDES * DEPOSITS;
}

/* ---- beginning and end ---- */

static bool
start(side *self, const char *url)
{
    dbal_error *error = NULL;
    self->ev = ev_loop_new(0);
    self->loop = dbal_loop_new(self->ev);
    self->pool = dbal_pool_open(self->loop, url, NULL, &error);
    if (self->pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        return false;
    }
    dbal_loop_hold(self->loop); /* other threads will call */
    if (pthread_create(&self->thread, NULL, serve, self) == 0)
        return true;
    dbal_loop_unhold(self->loop);
    return false;
}

static void
finish(side *self, bool running)
{
    if (running) {
        dbal_loop_call(self->loop, stop, self);
        pthread_join(self->thread, NULL);
    }
    dbal_loop_free(self->loop);
    ev_loop_destroy(self->ev);
}

int
main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "sqlite:bank.db";
    side sides[SIDES];
    int started = 0;

    while (started < SIDES && start(&sides[started], url))
        started++;
    bool good = started == SIDES && work(sides);
    for (int i = 0; i < SIDES && i <= started; i++)
        finish(&sides[i], i < started);
    return good ? 0 : 1;
}
