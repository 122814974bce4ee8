/* Who holds a pool's connections: for errors, for the log, and for the program. */
#ifndef DBAL__HOLDERS_H
#define DBAL__HOLDERS_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/error.h>

typedef struct dbal_pool dbal_pool;
typedef struct dbal__ticket dbal__ticket;
struct dbal_connection;

/* What is known of a pool that stands still. */
typedef struct dbal__watch {
    uint64_t stirs; /* counts whatever sessions do */
    uint64_t seen;  /* that at the last look */
    int64_t look_at;
    bool waited; /* something waited at the last look */
    bool told;   /* that it stands still */
} dbal__watch;

/* A session has got its connection. */
void dbal__watch_granted(struct dbal_connection *connection);
/* By the pool's timer: tells what is to be told; when to look again. */
int64_t dbal__watch_look(dbal_pool *pool, int64_t now);
/* The error of one that waited for acquire_timeout: what an operator wants to know. */
dbal_error *dbal__holders_exhausted(const dbal__ticket *ticket);

#endif
