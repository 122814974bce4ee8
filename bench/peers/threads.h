/* Threads behind an event loop, the way a program has them that was written with neither haste nor tricks. */
#ifndef BENCH_PEERS_THREADS_H
#define BENCH_PEERS_THREADS_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>

enum { PEERS_THREADS_MOST = 16 };

typedef struct peers_job {
    struct peers_job *next;
} peers_job;

typedef struct peers_list {
    peers_job *first, **last;
} peers_list;

typedef struct peers_threads {
    struct ev_loop *loop;
    ev_async back;
    pthread_t all[PEERS_THREADS_MOST];
    int count;
    void (*live)(struct peers_threads *threads); /* in each thread: takes and returns jobs */
    void (*done)(peers_job *job);                /* on the loop */
    void *arg;
    pthread_mutex_t mutex;
    pthread_cond_t given;
    peers_list down, up; /* under the mutex */
    bool stopping;       /* likewise */
} peers_threads;

void peers_threads_begin(peers_threads *threads, int count);
void peers_threads_end(peers_threads *threads);
/* From the loop. */
void peers_threads_give(peers_threads *threads, peers_job *job);
/* In a thread: waits for a job; NULL at the end. */
peers_job *peers_threads_take(peers_threads *threads);
void peers_threads_return(peers_threads *threads, peers_job *job);

#endif
