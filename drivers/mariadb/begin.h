/* The statement that begins a transaction. */
#ifndef DBAL__MARIADB_BEGIN_H
#define DBAL__MARIADB_BEGIN_H

#include <dbal/driver.h>

/* See dbal_driver.begin. */
const char *dbal__mariadb_begin(const void *config, dbal_isolation isolation, bool read_only,
                                bool deferrable, dbal_fault *fault);

/*
 * MariaDB sets the isolation by one statement and begins by another. Where the text is one that
 * dbal__mariadb_begin() has given: the first, and the second in *ret_then. Else NULL.
 */
const char *dbal__mariadb_begin_first(const char *sql, const char **ret_then);

#endif
