/* A ready list drained from an ev_prepare: the least that calls callbacks from a loop. */
#ifndef BENCH_READY_H
#define BENCH_READY_H

#include <ev.h>
#include <stddef.h>

typedef struct bench_task {
    struct bench_task *next;
    void (*run)(struct bench_task *task);
} bench_task;

typedef struct bench_ready {
    ev_prepare prepare;
    bench_task *first, **last;
} bench_ready;

void bench_ready_begin(bench_ready *ready, struct ev_loop *loop);
void bench_ready_end(bench_ready *ready, struct ev_loop *loop);

static inline void
bench_ready_push(bench_ready *ready, bench_task *task)
{
    task->next = NULL;
    *ready->last = task;
    ready->last = &task->next;
}

#endif
