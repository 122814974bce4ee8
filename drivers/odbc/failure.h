/* What ODBC's diagnostic records say, as faults. */
#ifndef DBAL__ODBC_FAILURE_H
#define DBAL__ODBC_FAILURE_H

#include "connection.h"

/* Of what failed on a handle of a connection that is open, or of opening it. False, for returning. */
bool dbal__odbc_failure(dbal__odbc_connection *connection, SQLSMALLINT kind, SQLHANDLE handle,
                        dbal_fault *fault);
bool dbal__odbc_failure_statement(dbal__odbc_connection *connection, SQLHSTMT handle,
                                  dbal_fault *fault);

bool dbal__odbc_failure_memory(dbal_fault *fault);
bool dbal__odbc_failure_stopped(dbal_fault *fault);
/* The transaction is not what it was; see transaction.h. */
bool dbal__odbc_failure_spoilt(dbal_fault *fault);
bool dbal__odbc_failure_promise(dbal_fault *fault);

/* Whether the running request is to stop: its flag, or its time. */
bool dbal__odbc_is_stopped(const dbal__odbc_connection *connection);

#endif
