/* Tokens of SQL text, taken one after the other with what has to be remembered in between. */
#ifndef DBAL__SQL_TOKEN_H
#define DBAL__SQL_TOKEN_H

#include <stdbool.h>

#include <dbal/driver.h>

typedef struct dbal__sql_lexer {
    dbal_dialect dialect;
    const char *cursor;
    bool conditional; /* inside MySQL's comment that is code, whose end is a token of its own */
} dbal__sql_lexer;

dbal_sql_token dbal__sql_lexer_next(dbal__sql_lexer *lexer);

/* An OPERATOR token of this one byte. */
static inline bool
dbal__sql_token_is_byte(dbal_sql_token token, char byte)
{
    return token.kind == DBAL_SQL_OPERATOR && token.size == 1 && *token.start == byte;
}

#endif
