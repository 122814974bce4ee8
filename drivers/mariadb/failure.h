/* What the client library's errors are to dbal. */
#ifndef DBAL__MARIADB_FAILURE_H
#define DBAL__MARIADB_FAILURE_H

#include <stdbool.h>

#include <dbal/driver.h>

/* An error of the client library's or the server's; the texts are the handle's. */
typedef struct dbal__mariadb_error {
    unsigned code; /* 0: none */
    const char *sqlstate, *message;
} dbal__mariadb_error;

/* Of a running statement; `request`: whose values are not to be shown, and whose text is. */
void dbal__mariadb_failure(dbal_fault *fault, dbal__mariadb_error error,
                           const dbal_request *request);
/* Of opening; `where` is the host in words. */
void dbal__mariadb_failure_open(dbal_fault *fault, dbal__mariadb_error error, const char *where);
/* Whether the connection is gone with it. */
bool dbal__mariadb_failure_is_lost(unsigned code);

void dbal__mariadb_failure_memory(dbal_fault *fault);
void dbal__mariadb_failure_stopped(dbal_fault *fault);
void dbal__mariadb_failure_promise(dbal_fault *fault);
/* `sent`: the server may have had the statement. */
void dbal__mariadb_failure_lost(dbal_fault *fault, bool sent);

#endif
