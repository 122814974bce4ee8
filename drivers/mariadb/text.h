/*
 * A statement by its text alone: what begins and ends transactions and sets the session, and what
 * the server does not prepare.
 */
#ifndef DBAL__MARIADB_TEXT_H
#define DBAL__MARIADB_TEXT_H

#include <stdbool.h>

#include "connection.h"
#include "rows.h"

/* Sends it and takes the request's rows, whose cells are integers and texts. The handle knows what failed. */
dbal__mariadb_taken dbal__mariadb_text(dbal__mariadb_connection *self, const char *sql, size_t size,
                                       dbal_request *request);
/* One that gives no rows, or whose rows are of no interest; false: the handle knows why. */
bool dbal__mariadb_command(dbal__mariadb_connection *self, const char *sql);

#endif
