/* Why a connection is gone. */
#ifndef DBAL__POSTGRES_LOST_H
#define DBAL__POSTGRES_LOST_H

#include <dbal/driver.h>

#include "libpq.h"
#include "notice.h"

/*
 * The best that is known: what the server said in its last message, or what libpq makes of the
 * silence. `fatal` is the SQLSTATE of an answer that was FATAL, or "".
 */
void dbal__postgres_lost(dbal_fault *fault, const PGconn *pg, const dbal__postgres_notices *notices,
                         const char *fatal);

/*
 * The same for a statement behind the one that was answered so. Certain: it was the server's own word,
 * which did not come to this one.
 */
void dbal__postgres_lost_before(dbal_fault *fault, const char *fatal, bool certain);

#endif
