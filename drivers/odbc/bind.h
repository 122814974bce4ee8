/* A request's parameters as ODBC's. */
#ifndef DBAL__ODBC_BIND_H
#define DBAL__ODBC_BIND_H

#include "connection.h"

typedef struct dbal__odbc_bound dbal__odbc_bound;

/* Binds them all; *ret is what they stand in, to be freed when the statement has run; NULL for none.
 * False with the fault set. */
bool dbal__odbc_bind(dbal__odbc_connection *connection, SQLHSTMT handle, dbal_request *request,
                     dbal__odbc_bound **ret, dbal_fault *fault);
/* Nothing of it is bound any more. */
void dbal__odbc_unbind(SQLHSTMT handle, dbal__odbc_bound *bound);

#endif
