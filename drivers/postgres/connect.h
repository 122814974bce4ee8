/* Connects: names resolved, one PGconn per address, every attempt's reason kept. */
#ifndef DBAL__POSTGRES_CONNECT_H
#define DBAL__POSTGRES_CONNECT_H

#include "config.h"
#include "libpq.h"
#include "notice.h"

/*
 * In a helper thread; blocks, until the opening's deadline at most, or until it is stopped. NULL
 * with the fault set, which says why each attempt failed and tells no password. The PGconn is
 * logged in, in blocking mode and without a pipeline; its notices go where they are told, which
 * has to live longer, or nowhere with NULL.
 */
PGconn *dbal__postgres_connect(const dbal__postgres_config *config, dbal_opening *opening,
                               dbal__postgres_notices *notices, dbal_fault *fault);

#endif
