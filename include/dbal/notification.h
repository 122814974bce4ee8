/** @file notification.h  What the database tells those who listen (PostgreSQL's LISTEN and NOTIFY). */
#ifndef DBAL_NOTIFICATION_H
#define DBAL_NOTIFICATION_H

#include <dbal/deferred.h>

#ifdef __cplusplus
extern "C" {
#endif

/** See pool.h. */
typedef struct dbal_pool dbal_pool;

/** What is told. */
typedef enum dbal_notification_kind {
    DBAL_NOTIFICATION_LISTENING, /**< from now on nothing is missed: look at what is there already */
    DBAL_NOTIFICATION_MESSAGE,   /**< somebody has sent NOTIFY */
    DBAL_NOTIFICATION_GAP        /**< something may have been missed; LISTENING follows when the connection was lost */
} dbal_notification_kind;

/** What a listener is told; good until its function returns. */
typedef struct dbal_notification {
    dbal_notification_kind kind; /**< what it is */
    const char *channel;         /**< as it was given */
    const char *payload;         /**< of a MESSAGE, "" when it has none; else NULL */
    double gap;                  /**< of a GAP: seconds not listening; 0 when a message was lost for lack of memory */
    int pid;                     /**< of a MESSAGE: the process of the database that sent it; else 0 */
} dbal_notification;

/** Hears. Runs on the loop, and may cancel the listening or anything else. */
typedef void dbal_notification_fn(const dbal_notification *notification, void *arg);

/**
 * Listens on a channel. All that listens in a pool shares one connection beside the pool's own, which
 * is opened with the first and closed with the last. When it is lost, it is opened anew, with a
 * back-off, and the listener is told of the GAP and then, again, that it is LISTENING. Messages come
 * in the order in which their transactions were committed, also those of this program.
 *
 * It goes on, and keeps ev_run going, until it is cancelled or the pool is closed: both are its
 * success, and nothing is told after them. It fails when no connection can be had for a reason that
 * will not pass, or the database refuses to listen. Not every driver can, and none behind a gate with
 * threads: NOT_SUPPORTED, 0A000.
 *
 * @param pool     the pool
 * @param channel  its name as it is, in the case that it has (it is quoted): `LISTEN Jobs` of another
 *                 program listens on "jobs". UTF-8, copied
 * @param fn       runs for all that is told
 * @param arg      for fn
 * @return floating; a success without a value, or an error
 */
dbal_deferred *dbal_pool_listen(dbal_pool *pool, const char *channel, dbal_notification_fn *fn,
                                void *arg);

#ifdef __cplusplus
}
#endif
#endif
