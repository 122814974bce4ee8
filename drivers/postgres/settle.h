/* Makes a session that has just begun write texts as the driver reads them. */
#ifndef DBAL__POSTGRES_SETTLE_H
#define DBAL__POSTGRES_SETTLE_H

#include "config.h"
#include "libpq.h"
#include "reason.h"
#include "wait.h"

/*
 * Mostly there is nothing to do, since all was said at the login; but the environment, an old
 * server or a pooler may have it otherwise. False with the reason, within the deadline.
 */
bool dbal__postgres_settle(PGconn *conn, const dbal__postgres_config *config, int64_t deadline,
                           const dbal_opening *opening, dbal__postgres_reason *reason);

/*
 * One statement that does it again behind DISCARD ALL, which goes back to what the environment, the role
 * and the database say: the server has told meanwhile what that is. "" when there is nothing to do,
 * NULL without memory; of dbal_driver_alloc().
 */
char *dbal__postgres_settle_again(PGconn *conn, const dbal__postgres_config *config);

#endif
