#include "ready.h"

static void
drain(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    bench_ready *ready = watcher->data;
    bench_task *task;
    (void)loop, (void)events;
    while ((task = ready->first) != NULL) {
        ready->first = task->next;
        if (ready->first == NULL)
            ready->last = &ready->first;
        task->run(task);
    }
}

void
bench_ready_begin(bench_ready *ready, struct ev_loop *loop)
{
    ready->first = NULL;
    ready->last = &ready->first;
    ev_prepare_init(&ready->prepare, drain);
    ready->prepare.data = ready;
    ev_prepare_start(loop, &ready->prepare);
}

void
bench_ready_end(bench_ready *ready, struct ev_loop *loop)
{
    ev_prepare_stop(loop, &ready->prepare);
}
