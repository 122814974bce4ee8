/*
 * KILL QUERY from a second connection, which is made by the thread that waits for the first. It is
 * sent again until the statement has ended: one that arrives before the statement has begun is lost.
 * At another server its number would be somebody else's: nothing is sent before the second connection
 * was seen to be at the first one's.
 */
#ifndef DBAL__MARIADB_KILL_H
#define DBAL__MARIADB_KILL_H

#include <stdbool.h>
#include <stdint.h>

#include <mysql.h>

#include "config.h"
#include "identity.h"

typedef struct dbal__mariadb_kill {
    const dbal__mariadb_config *config;
    int host;                        /* where the first connection is */
    MYSQL *first;                    /* the first connection */
    dbal__mariadb_identity identity; /* its server, and its number there */
    MYSQL *mysql;                    /* the second, while there is one: at that server */
    int64_t since; /* when the running statement was first to be stopped, 0: not yet */
    int64_t pause;
    bool sent;   /* it may have reached the server: it may hit what comes next */
    bool doubts; /* nobody knows when one of them reaches the server */
} dbal__mariadb_kill;

/* Sends one. When to send the next, as a time; -1: the server cannot be told. */
int64_t dbal__mariadb_kill_send(dbal__mariadb_kill *self);
/* The statement has ended. Whether one that was sent may hit the next. */
bool dbal__mariadb_kill_end(dbal__mariadb_kill *self);

#endif
