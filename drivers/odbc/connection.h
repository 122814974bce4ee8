/* One connection: ODBC's handles, its statements, and its transaction. */
#ifndef DBAL__ODBC_CONNECTION_H
#define DBAL__ODBC_CONNECTION_H

#include <locale.h>
#include <pthread.h>
#include <stdbool.h>

#include <sql.h>
#include <sqlext.h>

#include "buffer.h"
#include "cache.h"
#include "config.h"

/* Databases whose ODBC drivers need to be known, see lite.h. */
typedef enum dbal__odbc_database {
    DBAL__ODBC_ANY,
    DBAL__ODBC_SQLITE,
    DBAL__ODBC_POSTGRESQL,
    DBAL__ODBC_MYSQL /* and MariaDB */
} dbal__odbc_database;

/* Seconds; see time_limit.h. */
typedef struct dbal__odbc_time_limit {
    bool known;      /* what `own` is */
    bool off;        /* the ODBC driver, or the session, cannot have another */
    SQLULEN own;     /* a handle's own, 0: none */
    SQLULEN present; /* that of the last statement, 0: its own */
} dbal__odbc_time_limit;

typedef struct dbal__odbc_connection {
    const dbal__odbc_config *config;
    SQLHENV environment;
    SQLHDBC handle;
    bool connected;
    dbal__odbc_database database;
    bool has_more; /* SQLMoreResults() is there */
    dbal__odbc_cache cache;
    dbal__odbc_buffer cell;
    locale_t plain; /* numbers with a point */

    /* what may be cancelled now, see cancel.h */
    bool has_lock;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    SQLHSTMT running; /* under the lock; SQL_NULL_HSTMT: nothing */
    uint64_t calls;   /* under the lock: that have ended */
    bool cancelled;   /* SQLCancel() was called; written under the lock while something runs */

    /* the transaction; see transaction.h */
    bool open, spoilt, read_only;
    SQLUINTEGER levels;       /* isolation levels that there are */
    SQLUINTEGER usual, level; /* the one by default, and now */

    dbal__odbc_time_limit time_limit;
    bool lasting;          /* the session was changed in a way that reset() cannot undo */
    bool writes;           /* the running one may write */
    dbal_request *request; /* the running one, or NULL */
} dbal__odbc_connection;

bool dbal__odbc_open(void *connection, dbal_opening *opening, dbal_fault *fault);
void dbal__odbc_close(void *connection);
bool dbal__odbc_run(void *connection, dbal_request *request, dbal_fault *fault);
void dbal__odbc_interrupt(void *connection);
bool dbal__odbc_ping(void *connection, dbal_fault *fault);
bool dbal__odbc_reset(void *connection, dbal_fault *fault);
bool dbal__odbc_in_transaction(void *connection);

#endif
