/* Functions and variables whose use makes a query more than a query. */
#ifndef DBAL__MARIADB_FUNCTION_H
#define DBAL__MARIADB_FUNCTION_H

#include "scan.h"

/* Kinds that a token adds, and what to use instead; `cursor` stands behind it. */
unsigned dbal__mariadb_function_kinds(dbal__mariadb_token before, dbal__mariadb_token token,
                                      const char *cursor, const char **ret_instead);

#endif
