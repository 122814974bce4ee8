/* A request's parameters on their way into a statement. */
#ifndef DBAL__SQLITE_BIND_H
#define DBAL__SQLITE_BIND_H

#include "connection.h"

/*
 * Binds all; the values stay the request's. False with the fault set. *ret_borrowed, in any case:
 * the statement points at some of them, or holds copies that it should not keep.
 */
bool dbal__sqlite_bind(dbal__sqlite_connection *c, sqlite3_stmt *stmt, dbal_request *request,
                       bool *ret_borrowed, dbal_fault *fault);

#endif
