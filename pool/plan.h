/* What a session or transaction is to be, once there is a connection for it. */
#ifndef DBAL__PLAN_H
#define DBAL__PLAN_H

#include <stdbool.h>

#include <dbal/connection.h>

typedef enum dbal__scope_kind {
    DBAL__SCOPE_SESSION,
    DBAL__SCOPE_TRANSACTION,
    DBAL__SCOPE_SAVEPOINT
} dbal__scope_kind;

typedef struct dbal__plan {
    dbal__scope_kind kind;
    bool read_only, deferrable;
    dbal_isolation isolation;
    int retries;
    dbal_work *work;
    void *arg;
} dbal__plan;

#endif
