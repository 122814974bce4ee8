/*
 * A program whose worker hangs, and which has a child that has inherited its sockets. Says who they
 * are: itself, the worker, the child; and waits to be killed.
 */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/process/trouble.h"
#include <dbal.h>

static dbal_outcome
tell(dbal_outcome in, void *arg)
{
    long long worker = dbal_result_int64(dbal_outcome_result(in), 0, 0);
    pid_t child = fork();
    if (child == 0) {
        /* whoever reads the line need not wait for this one */
        close(STDOUT_FILENO);
        for (;;)
            pause();
    }
    printf("%d %lld %d\n", (int)getpid(), worker, (int)child);
    fflush(stdout);
    dbal_pool_query(arg, "hang", DBAL_NO_PARAMS);
    return in;
}

int
main(void)
{
    if (!dbal_driver_register(&trouble_driver, NULL))
        return EXIT_FAILURE;
    dbal_loop *loop = dbal_loop_new(EV_DEFAULT);
    dbal_pool *pool = dbal_pool_open(loop, "trouble:?pool_gate=process", NULL, NULL);
    if (pool == NULL)
        return EXIT_FAILURE;
    dbal_deferred_add_callback(dbal_pool_query(pool, "pid", DBAL_NO_PARAMS), tell, pool);
    ev_run(EV_DEFAULT, 0);
    return EXIT_SUCCESS;
}
