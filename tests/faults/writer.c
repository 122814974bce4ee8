/*
 * A program that writes until it is killed: faults-writer URL FIRST-KEY SEED. Each key goes to its
 * standard output, as a line, once the pool has reported it.
 */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/faults/work.h"

static void
tell(int64_t key, void *arg)
{
    char line[32];
    int size = snprintf(line, sizeof line, "%lld\n", (long long)key);
    (void)arg;
    if (write(STDOUT_FILENO, line, (size_t)size) != size)
        _exit(3);
}

static void
give_up(int64_t key, dbal_error *error, void *arg)
{
    (void)arg;
    fprintf(stderr, "%lld: %s\n", (long long)key, dbal_error_message(error));
    _exit(4);
}

int
main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    struct ev_loop *ev = ev_default_loop(0);
    dbal_loop *loop = dbal_loop_new(ev);
    work todo = {.next = strtoll(argv[2], NULL, 10), .acknowledged = tell, .failed = give_up};
    todo.last = todo.next + 100000;
    todo.luck.seed = todo.luck.state = strtoull(argv[3], NULL, 10);
    todo.pool = loop != NULL ? dbal_pool_open(loop, argv[1], NULL, NULL) : NULL;
    if (todo.pool == NULL)
        return 2;
    work_start(&todo, 12);
    ev_run(ev, 0);
    return 5; /* nobody has killed it */
}
