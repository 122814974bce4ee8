#include "threads.h"

#include <stddef.h>

#include "../place.h"

static void
append(peers_list *list, peers_job *job)
{
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
}

static void
empty(peers_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void
on_back(struct ev_loop *loop, ev_async *watcher, int events)
{
    peers_threads *threads = watcher->data;
    (void)loop, (void)events;
    pthread_mutex_lock(&threads->mutex);
    peers_job *job = threads->up.first;
    empty(&threads->up);
    pthread_mutex_unlock(&threads->mutex);
    while (job != NULL) {
        peers_job *next = job->next;
        threads->done(job);
        job = next;
    }
}

static void *
live(void *arg)
{
    peers_threads *threads = arg;
    threads->live(threads);
    return NULL;
}

void
peers_threads_begin(peers_threads *threads, int count)
{
    threads->count = count;
    threads->stopping = false;
    empty(&threads->down);
    empty(&threads->up);
    pthread_mutex_init(&threads->mutex, NULL);
    pthread_cond_init(&threads->given, NULL);
    ev_async_init(&threads->back, on_back);
    threads->back.data = threads;
    ev_async_start(threads->loop, &threads->back);
    for (int i = 0; i < count; i++) {
        if (pthread_create(&threads->all[i], NULL, live, threads) != 0)
            bench_fail("no thread");
    }
}

void
peers_threads_end(peers_threads *threads)
{
    pthread_mutex_lock(&threads->mutex);
    threads->stopping = true;
    pthread_cond_broadcast(&threads->given);
    pthread_mutex_unlock(&threads->mutex);
    for (int i = 0; i < threads->count; i++)
        pthread_join(threads->all[i], NULL);
    ev_async_stop(threads->loop, &threads->back);
    pthread_cond_destroy(&threads->given);
    pthread_mutex_destroy(&threads->mutex);
}

void
peers_threads_give(peers_threads *threads, peers_job *job)
{
    pthread_mutex_lock(&threads->mutex);
    append(&threads->down, job);
    pthread_cond_signal(&threads->given);
    pthread_mutex_unlock(&threads->mutex);
}

peers_job *
peers_threads_take(peers_threads *threads)
{
    pthread_mutex_lock(&threads->mutex);
    while (threads->down.first == NULL && !threads->stopping)
        pthread_cond_wait(&threads->given, &threads->mutex);
    peers_job *job = threads->down.first;
    if (job != NULL) {
        threads->down.first = job->next;
        if (job->next == NULL)
            threads->down.last = &threads->down.first;
    }
    pthread_mutex_unlock(&threads->mutex);
    return job;
}

void
peers_threads_return(peers_threads *threads, peers_job *job)
{
    pthread_mutex_lock(&threads->mutex);
    append(&threads->up, job);
    pthread_mutex_unlock(&threads->mutex);
    ev_async_send(threads->loop, &threads->back);
}
