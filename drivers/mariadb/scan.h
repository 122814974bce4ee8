/* SQL as tokens, in MariaDB's dialect. */
#ifndef DBAL__MARIADB_SCAN_H
#define DBAL__MARIADB_SCAN_H

#include <stdbool.h>

#include <dbal/driver.h>

typedef dbal_sql_token dbal__mariadb_token;

/* What stands between the marks of a conditional comment is code. */
static inline bool
dbal__mariadb_is_mark(dbal__mariadb_token t)
{
    return t.kind == DBAL_SQL_OPERATOR && t.size >= 3 && t.start[0] == '/' && t.start[1] == '*';
}

static inline dbal__mariadb_token
dbal__mariadb_next(const char **cursor)
{
    dbal__mariadb_token t;
    do
        t = dbal_sql_next(DBAL_DIALECT_MYSQL, cursor);
    while (dbal__mariadb_is_mark(t));
    return t;
}

static inline dbal__mariadb_token
dbal__mariadb_peek(const char *cursor)
{
    return dbal__mariadb_next(&cursor);
}

/* a word that is not quoted, given in lower case */
static inline bool
dbal__mariadb_is(dbal__mariadb_token t, const char *word)
{
    return dbal_sql_token_is(t, word);
}

/* an operator or bracket of one byte */
static inline bool
dbal__mariadb_is_byte(dbal__mariadb_token t, char byte)
{
    return t.kind == DBAL_SQL_OPERATOR && t.size == 1 && *t.start == byte;
}

static inline bool
dbal__mariadb_is_end(dbal__mariadb_token t)
{
    return t.kind == DBAL_SQL_END || t.kind == DBAL_SQL_BROKEN;
}

#endif
