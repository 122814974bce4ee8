/*
 * The program's function for a fresh connection, on_connect: a session on it before anybody else has
 * it, which belongs to the connect. It runs once more when the connection was made as new.
 */
#ifndef DBAL__HOOK_H
#define DBAL__HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/error.h>
#include <dbal/pool.h>

typedef struct dbal__slot dbal__slot;
struct dbal_connection;

/* While it runs. */
typedef struct dbal__hook {
    dbal__slot *slot;                   /* NULL: it is gone */
    struct dbal_connection *connection; /* a reference */
    int64_t until;                      /* connect_timeout */
    bool unwanted; /* the pool has closed the connection meanwhile, or knows that it is lost */
} dbal__hook;

/* ---- on_acquire, on_release and on_close, which are told and asked nothing ---- */

/* Its work is about to begin: for the first time, or once more. */
void dbal__hook_acquired(struct dbal_connection *connection);
/* It is about to give its connection back. */
void dbal__hook_released(struct dbal_connection *connection);
/* Calls one of them. */
void dbal__hook_tell(dbal_pool *pool, dbal_connection_hook *hook, uint64_t number,
                     int64_t opened_at, const char *label);

/* ---- on_connect ---- */

/* Begins, with so many seconds for it (negative: no limit). The slot is opened or fails by it. */
void dbal__hook_begin(dbal__slot *slot, double limit);
/* Its connection is lost, or given up, and counts no more: it may take a while to end. The error is borrowed. */
void dbal__hook_lost(dbal__slot *slot, dbal_error *error);

#endif
