/* One connection: the client library's handle, its statements, and how the running one is stopped. */
#ifndef DBAL__MARIADB_CONNECTION_H
#define DBAL__MARIADB_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <mysql.h>

#include "cache.h"
#include "config.h"
#include "kill.h"
#include "time_limit.h"
#include "wait.h"

/* How a transaction ended that nobody has ended. */
typedef enum dbal__mariadb_ended {
    DBAL__MARIADB_NOT_ENDED,
    DBAL__MARIADB_UNDONE, /* by the server, after an error */
    DBAL__MARIADB_KEPT,   /* by a statement in it that commits by itself */
    DBAL__MARIADB_GONE    /* by a program that ran in it: nobody knows which */
} dbal__mariadb_ended;

typedef struct dbal__mariadb_connection {
    MYSQL *mysql;
    const dbal__mariadb_config *config;
    dbal__mariadb_cache cache;
    dbal__mariadb_kill kill;
    int stop_fd;               /* an eventfd: the running statement is to stop */
    dbal__mariadb_ended ended; /* until ROLLBACK or COMMIT */
    bool lost;                 /* it is of no more use */
    bool moved;                /* another database was chosen */
    bool in_role;              /* a role was taken on, or laid down */
    size_t packet;             /* the most bytes that the server takes at once, 0: nobody knows */
    dbal__mariadb_time_limit time_limit;
    bool was_sent;         /* the server may have the running statement */
    dbal_request *request; /* the running one */
} dbal__mariadb_connection;

bool dbal__mariadb_open(void *connection, dbal_opening *opening, dbal_fault *fault);
void dbal__mariadb_close(void *connection);
bool dbal__mariadb_run(void *connection, dbal_request *request, dbal_fault *fault);
void dbal__mariadb_interrupt(void *connection);
bool dbal__mariadb_ping(void *connection, dbal_fault *fault);
bool dbal__mariadb_reset(void *connection, dbal_fault *fault);
bool dbal__mariadb_in_transaction(void *connection);

/* Sends what a session begins with, now or once more; false: the handle knows why. */
bool dbal__mariadb_setup(dbal__mariadb_connection *self);
/* Whether the server says that a transaction is open. */
bool dbal__mariadb_is_in_transaction(const dbal__mariadb_connection *self);

#endif
