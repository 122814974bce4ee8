/* A request's values as a prepared statement's parameters. */
#ifndef DBAL__MARIADB_BIND_H
#define DBAL__MARIADB_BIND_H

#include <stdbool.h>

#include <dbal/driver.h>

#include "statement.h"

/* Binds the values, which stay the request's. False with the fault set. */
bool dbal__mariadb_bind(dbal__mariadb_statement *statement, dbal_request *request,
                        dbal_fault *fault);

#endif
