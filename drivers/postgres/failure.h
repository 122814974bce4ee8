/* What the server says of a failure, as a fault. */
#ifndef DBAL__POSTGRES_FAILURE_H
#define DBAL__POSTGRES_FAILURE_H

#include <dbal/driver.h>

#include "libpq.h"

/* Of five characters; NULL or "" for what libpq says without one. */
dbal_error_class dbal__postgres_failure_class(const char *sqlstate);

/*
 * A result that is an error, of a statement of the driver's own; `sql` (may be NULL) is its text,
 * for the position. NULL for a result that there was no memory for.
 */
void dbal__postgres_failure(dbal_fault *fault, const PGresult *result, const char *sql);
/* The same for a request: what the server quotes of its parameters is left out. */
void dbal__postgres_failure_of(dbal_fault *fault, const PGresult *result,
                               const dbal_request *request);

/* Whether it ends the connection. */
bool dbal__postgres_failure_is_fatal(const PGresult *result);
/*
 * Whether the server itself says it, which always says where in its source; what stands in between
 * makes up its own.
 */
bool dbal__postgres_failure_is_servers(const PGresult *result);

#endif
