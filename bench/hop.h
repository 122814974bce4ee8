/* A hop to a worker thread and back, written by hand: a futex on the way down, an eventfd back. */
#ifndef BENCH_HOP_H
#define BENCH_HOP_H

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct bench_item {
    struct bench_item *next;
} bench_item;

typedef struct bench_hop {
    struct ev_loop *loop;
    ev_io watch;
    pthread_t thread;
    bench_item *fresh, **fresh_end;          /* given since the last flush, oldest first */
    void (*work)(bench_item *item);          /* in the thread */
    void (*done)(bench_item *item);          /* on the loop */
    void (*open)(void), (*close)(void);      /* in the thread, around a batch of several */
    _Alignas(64) _Atomic(bench_item *) down; /* oldest first; taken as a whole */
    atomic_int parked;
    atomic_bool stopping;
    _Alignas(64) _Atomic(bench_item *) up;
} bench_hop;

void bench_hop_begin(bench_hop *hop, struct ev_loop *loop, void (*work)(bench_item *item),
                     void (*done)(bench_item *item));
/* Before anything is given. What is shared is closed before any of it goes back. */
void bench_hop_share(bench_hop *hop, void (*open)(void), void (*close)(void));
void bench_hop_end(bench_hop *hop);

static inline void
bench_hop_give(bench_hop *hop, bench_item *item)
{
    item->next = NULL;
    *hop->fresh_end = item;
    hop->fresh_end = &item->next;
}

/* Hands down what was given; `done` may give, and what it gives is handed down after it. */
void bench_hop_flush(bench_hop *hop);

#endif
