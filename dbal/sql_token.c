#include "dbal/sql_token.h"

#include <string.h>

#include "dbal/sql_blank.h"
#include "dbal/sql_char.h"
#include "dbal/sql_quote.h"

/*
 * What SQLite takes for a variable. Wider than what dbal knows, so that one that dbal does not know
 * is seen, and refused, in place of being bound to nothing.
 */
static size_t
sqlite_variable_size(const char *text)
{
    size_t size = 1, named = 0;
    for (;; size++) {
        if (dbal__sql_is_word(text[size]))
            named++;
        else if (text[size] == ':' && text[size + 1] == ':')
            size++;
        else
            break;
    }
    return named != 0 ? size : 0;
}

static size_t
digits_size(const char *text)
{
    size_t size = 0;
    while (dbal__sql_is_digit(text[size]))
        size++;
    return size;
}

static size_t
dollar_size(const char *text)
{
    size_t digits = digits_size(text + 1);
    return digits != 0 ? digits + 1 : 0;
}

static size_t
colon_size(const char *text)
{
    size_t size = 1;
    if (dbal__sql_is_letter(text[1]))
        while (dbal__sql_is_name(text[size]))
            size++;
    return size > 1 ? size : 0;
}

static size_t
parameter_size(dbal_dialect dialect, const char *text)
{
    bool sqlite = dialect == DBAL_DIALECT_SQLITE;
    switch (*text) {
    case '$':
        return sqlite ? sqlite_variable_size(text) : dollar_size(text);
    case ':':
        return sqlite ? sqlite_variable_size(text) : colon_size(text);
    case '@':
    case '#':
        return sqlite ? sqlite_variable_size(text) : 0;
    case '?':
        /* PostgreSQL has operators of this name */
        return sqlite ? 1 + digits_size(text + 1) : dialect == DBAL_DIALECT_MYSQL ? 1 : 0;
    default:
        return 0;
    }
}

static size_t
word_size(const char *text)
{
    size_t size = 1;
    while (dbal__sql_is_word(text[size]))
        size++;
    return size;
}

/* Digits with `_` and letters of a base between them are near enough: nothing is computed here. */
static size_t
number_size(dbal_dialect dialect, const char *text)
{
    size_t size = 0;
    while (dbal__sql_is_digit(text[size]) || text[size] == '_')
        size++;
    if (text[size] == '.')
        do
            size++;
        while (dbal__sql_is_digit(text[size]) || text[size] == '_');
    if (text[size] == 'e' || text[size] == 'E') {
        size_t sign = text[size + 1] == '+' || text[size + 1] == '-' ? 1 : 0;
        size_t digits = digits_size(text + size + 1 + sign);
        if (digits != 0)
            size += 1 + sign + digits;
    }
    /* MySQL's names may begin with a digit */
    if (dialect == DBAL_DIALECT_MYSQL)
        while (dbal__sql_is_word(text[size]))
            size++;
    return size;
}

static bool
begins_number(const char *text)
{
    return dbal__sql_is_digit(text[0]) || (text[0] == '.' && dbal__sql_is_digit(text[1]));
}

static size_t
operator_size(dbal__sql_lexer *lexer, const char *text)
{
    size_t conditional = dbal__sql_conditional_size(lexer->dialect, text);
    if (conditional != 0) {
        lexer->conditional = true;
        return conditional;
    }
    if (lexer->conditional && text[0] == '*' && text[1] == '/') {
        lexer->conditional = false;
        return 2;
    }
    return text[0] == ':' && (text[1] == ':' || text[1] == '=') ? 2 : 1;
}

static dbal_sql_token
bare_token(dbal__sql_lexer *lexer, const char *text)
{
    dbal_dialect dialect = lexer->dialect;
    if (*text == ';')
        return (dbal_sql_token){DBAL_SQL_SEMICOLON, text, 1};
    size_t size = parameter_size(dialect, text);
    if (size != 0)
        return (dbal_sql_token){DBAL_SQL_PARAMETER, text, size};
    if (dbal__sql_is_letter(*text) || (*text == '$' && dialect == DBAL_DIALECT_MYSQL))
        return (dbal_sql_token){DBAL_SQL_WORD, text, word_size(text)};
    if (begins_number(text))
        return (dbal_sql_token){DBAL_SQL_NUMBER, text, number_size(dialect, text)};
    size = operator_size(lexer, text);
    return (dbal_sql_token){DBAL_SQL_OPERATOR, text, size};
}

static bool
is_comment(const dbal__sql_lexer *lexer, const char *text)
{
    return text[0] == '/' && text[1] == '*' &&
           dbal__sql_conditional_size(lexer->dialect, text) == 0;
}

dbal_sql_token
dbal__sql_lexer_next(dbal__sql_lexer *lexer)
{
    const char *text = dbal__sql_blank_skip(lexer->dialect, lexer->cursor);
    dbal_sql_token token = {DBAL_SQL_END, text, 0};
    if (*text == '\0')
        ;
    else if (is_comment(lexer, text)) /* one that ends would have been skipped */
        token = (dbal_sql_token){DBAL_SQL_BROKEN, text, strlen(text)};
    else if (!dbal__sql_quote_next(lexer->dialect, text, &token))
        token = bare_token(lexer, text);
    lexer->cursor = text + token.size;
    return token;
}

dbal_sql_token
dbal_sql_next(dbal_dialect dialect, const char **cursor)
{
    dbal__sql_lexer lexer = {dialect, *cursor, false};
    dbal_sql_token token = dbal__sql_lexer_next(&lexer);
    *cursor = lexer.cursor;
    return token;
}

bool
dbal_sql_token_is(dbal_sql_token token, const char *word)
{
    if (token.kind != DBAL_SQL_WORD)
        return false;
    for (size_t i = 0; i < token.size; i++)
        if (dbal__sql_lower(token.start[i]) !=
            word[i]) /* also where `word` ends: no token has NUL */
            return false;
    return word[token.size] == '\0';
}
