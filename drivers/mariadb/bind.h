/* A request's values as a prepared statement's parameters. */
#ifndef DBAL__MARIADB_BIND_H
#define DBAL__MARIADB_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

#include "statement.h"

/* Binds the values, which stay the request's: as many as are wanted. False with the fault set. */
bool dbal__mariadb_bind(dbal__mariadb_statement *statement, dbal_request *request,
                        dbal_fault *fault);
/* Whether the text and the values are less than the server takes at once, 0: nobody knows; else the fault is set. */
bool dbal__mariadb_bind_fits(const dbal_request *request, size_t packet, dbal_fault *fault);

#endif
