/*
 * What is left of a statement's deadline, as SQL_ATTR_QUERY_TIMEOUT: a backstop for what no cancel
 * reaches. It never comes before the deadline: whole seconds, a power of two of them, so that an ODBC
 * driver that tells the server of each change has few of them.
 */
#ifndef DBAL__ODBC_TIME_LIMIT_H
#define DBAL__ODBC_TIME_LIMIT_H

#include "connection.h"

/*
 * Before a statement is executed. The first on a connection that has a deadline asks what the handle's
 * own limit is, and of PostgreSQL what the session's is.
 */
void dbal__odbc_time_limit_apply(dbal__odbc_connection *connection,
                                 dbal__odbc_statement *statement);

/*
 * The limit in seconds for what must end then: never less than there are, and never more than `own`; 0:
 * `own`, which is 0 for none. `present` is what the one before had, in the same way.
 */
SQLULEN dbal__odbc_time_limit_for(SQLULEN own, SQLULEN present, int64_t now, int64_t deadline);

#endif
