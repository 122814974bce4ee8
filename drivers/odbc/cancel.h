/*
 * When a statement may be cancelled from another thread: while a call of ODBC works at it, and only
 * then. Between two calls SQLCancel() would close its cursor, or hit the next one.
 */
#ifndef DBAL__ODBC_CANCEL_H
#define DBAL__ODBC_CANCEL_H

#include "connection.h"

/* From here on it may be cancelled; whoever stopped it before has to be asked for now. */
void dbal__odbc_cancel_expose(dbal__odbc_connection *connection, SQLHSTMT handle);
/* When this has returned nobody cancels it any more: one who is at it is waited for. */
void dbal__odbc_cancel_cover(dbal__odbc_connection *connection);
/*
 * Before the next statement. The database may be told of a cancel by another connection, and notice it
 * when that statement has ended: let it hit one that nobody misses. In a transaction that may spoil it.
 */
void dbal__odbc_cancel_sweep(dbal__odbc_connection *connection);

#endif
