/* SQL as tokens, in PostgreSQL's dialect. */
#ifndef DBAL__POSTGRES_SCAN_H
#define DBAL__POSTGRES_SCAN_H

#include <stdbool.h>
#include <string.h>

#include <dbal/driver.h>

typedef dbal_sql_token dbal__postgres_token;

static inline dbal__postgres_token
dbal__postgres_next(const char **cursor)
{
    return dbal_sql_next(DBAL_DIALECT_POSTGRESQL, cursor);
}

static inline dbal__postgres_token
dbal__postgres_peek(const char *cursor)
{
    return dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &cursor);
}

/* a word that is not quoted, given in lower case */
static inline bool
dbal__postgres_is(dbal__postgres_token t, const char *word)
{
    return dbal_sql_token_is(t, word);
}

/* a name, quoted or not */
static inline bool
dbal__postgres_is_name(dbal__postgres_token t, const char *name)
{
    if (t.kind != DBAL_SQL_IDENTIFIER)
        return dbal_sql_token_is(t, name);
    return t.size == strlen(name) + 2 && memcmp(t.start + 1, name, t.size - 2) == 0;
}

/* an operator or bracket of one byte */
static inline bool
dbal__postgres_is_byte(dbal__postgres_token t, char byte)
{
    return t.kind == DBAL_SQL_OPERATOR && t.size == 1 && *t.start == byte;
}

static inline bool
dbal__postgres_is_end(dbal__postgres_token t)
{
    return t.kind == DBAL_SQL_END || t.kind == DBAL_SQL_BROKEN;
}

#endif
