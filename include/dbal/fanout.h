/** @file fanout.h  A semaphore and a bounded queue, for an application's own fan-out. */
#ifndef DBAL_FANOUT_H
#define DBAL_FANOUT_H

#include <stddef.h>

#include <dbal/deferred.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A counter of permits that is waited for in order (Twisted DeferredSemaphore). Belongs to its
 * loop's thread. Cancelling a Deferred that waits takes it out of the line.
 */
typedef struct dbal_semaphore dbal_semaphore;

/** Makes one. @param loop its loop @param permits at least 1 @return NULL when permits is less or without memory */
dbal_semaphore *dbal_semaphore_new(dbal_loop *loop, int permits);
/** Takes a permit. @param semaphore its semaphore @return floating; a success is a permit, to be given back by dbal_semaphore_release() */
dbal_deferred *dbal_semaphore_acquire(dbal_semaphore *semaphore);
/** Gives a permit back; the first in line gets it. More than were acquired: logged and ignored. @param semaphore its semaphore */
void dbal_semaphore_release(dbal_semaphore *semaphore);
/** Runs work with a permit, given back when its outcome has settled. @param semaphore its semaphore @param work runs from the loop @param arg for work @return floating; work's outcome */
dbal_deferred *dbal_semaphore_run(dbal_semaphore *semaphore, dbal_outcome (*work)(void *arg), void *arg);
/** Ends it; whoever waits fails with CLOSED. @param semaphore may be NULL; NULL must also be passed nowhere else */
void dbal_semaphore_free(dbal_semaphore *semaphore);

/**
 * A bounded queue of outcomes (Twisted DeferredQueue). Belongs to its loop's thread.
 */
typedef struct dbal_queue dbal_queue;

/** Makes one. @param loop its loop @param size outcomes held at most; 0: no bound @param backlog getters waiting at most; 0: no bound @return NULL without memory */
dbal_queue *dbal_queue_new(dbal_loop *loop, size_t size, size_t backlog);
/** Puts an outcome in, or hands it to the first getter. @param queue its queue @param outcome taken over, also when refused @return false when full */
bool dbal_queue_put(dbal_queue *queue, dbal_outcome outcome);
/** Takes the first outcome. @param queue its queue @return floating; fails with QUEUE_FULL when the backlog is reached */
dbal_deferred *dbal_queue_get(dbal_queue *queue);
/** Outcomes held. @param queue its queue */
size_t dbal_queue_count(const dbal_queue *queue);
/** Ends it; getters fail with CLOSED, what it held is freed. @param queue may be NULL */
void dbal_queue_free(dbal_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
