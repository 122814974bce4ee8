/* Two loops in two threads, each with its own pool, and a third thread that asks them. */
#include <dbal.h>
#include <ev.h>
#include <pthread.h>
#include <stdio.h>

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

static dbal_outcome
ask(void *arg)
{
    side *self = arg;
    return dbal_wait(dbal_pool_query(self->pool, "select 6 * 7", DBAL_PARAMS()));
}

static void
stop(void *arg)
{
    side *self = arg;
    dbal_loop_unhold(self->loop);
    dbal_loop_close(self->loop, 5);
}

int
main(int argc, char **argv)
{
    side sides[2];
    long long sum = 0;

    for (int i = 0; i < 2; i++) {
        side *one = &sides[i];
        one->ev = ev_loop_new(0);
        one->loop = dbal_loop_new(one->ev);
        one->pool = dbal_pool_open(one->loop, argc > 1 ? argv[1] : "sqlite::memory:", NULL, NULL);
        if (one->pool == NULL)
            return 1;
        dbal_loop_hold(one->loop);
        pthread_create(&one->thread, NULL, serve, one);
    }
    for (int i = 0; i < 2; i++) {
        dbal_outcome answer = dbal_loop_await(sides[i].loop, ask, &sides[i]);
        if (answer.kind == DBAL_OUTCOME_VALUE)
            sum += dbal_result_int64(dbal_outcome_result(answer), 0, 0);
        else
            puts(dbal_error_message(dbal_outcome_error(answer)));
        dbal_outcome_clear(&answer);
    }
    for (int i = 0; i < 2; i++) {
        dbal_loop_call(sides[i].loop, stop, &sides[i]);
        pthread_join(sides[i].thread, NULL);
        dbal_loop_free(sides[i].loop);
        ev_loop_destroy(sides[i].ev);
    }
    printf("two answers: %lld\n", sum);
    return sum == 84 ? 0 : 1;
}
