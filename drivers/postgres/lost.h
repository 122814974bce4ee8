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

/* The same for a statement that the server, whose last word is known, did not come to. */
void dbal__postgres_lost_before(dbal_fault *fault, const char *fatal);

#endif
