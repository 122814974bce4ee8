/* Error numbers: classes, SQLSTATEs, and whether to try again. */
#ifndef DBAL__MARIADB_REASON_H
#define DBAL__MARIADB_REASON_H

#include <stdbool.h>

#include <dbal/driver.h>

/* The server has ended it by max_statement_time; no header of the library's has its name. */
enum { DBAL__MARIADB_STATEMENT_TIME = 1969 };

typedef struct dbal__mariadb_reason {
    dbal_error_class error_class;
    const char *sqlstate;
    bool retryable;
    bool shows_value; /* the first text in quotes in its message is a value */
} dbal__mariadb_reason;

/* By the number, or else by the server's SQLSTATE, which it may refer to. */
dbal__mariadb_reason dbal__mariadb_reason_of(unsigned code, const char *sqlstate);

#endif
