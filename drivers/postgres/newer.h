/*
 * What libpq has had since 17, found by name when the program runs, so that a build against an older
 * one uses it all the same; and what libpq's own OpenSSL has, which is not linked here.
 */
#ifndef DBAL__POSTGRES_NEWER_H
#define DBAL__POSTGRES_NEWER_H

#include "libpq.h"

typedef struct dbal__postgres_cancel_conn dbal__postgres_cancel_conn; /* PGcancelConn */

/* Each may be NULL; of those for a cancel, all or none. */
typedef struct dbal__postgres_newer {
    int (*ssl_pending)(const void *ssl);
    int (*send_pipeline_sync)(PGconn *pg);
    int (*set_chunked_rows_mode)(PGconn *pg, int rows);
    int (*send_close_prepared)(PGconn *pg, const char *name);
    dbal__postgres_cancel_conn *(*cancel_create)(PGconn *pg);
    int (*cancel_start)(dbal__postgres_cancel_conn *cancel);
    PostgresPollingStatusType (*cancel_poll)(dbal__postgres_cancel_conn *cancel);
    int (*cancel_socket)(const dbal__postgres_cancel_conn *cancel);
    void (*cancel_finish)(dbal__postgres_cancel_conn *cancel);
} dbal__postgres_newer;

/* PGRES_TUPLES_CHUNK */
enum { DBAL__POSTGRES_TUPLES_CHUNK = 12 };

/* Looked for once; any thread. */
const dbal__postgres_newer *dbal__postgres_newer_get(void);

#endif
