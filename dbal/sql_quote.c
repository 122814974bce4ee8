#include "dbal/sql_quote.h"

#include <string.h>

#include "dbal/sql_char.h"

/* Bytes of a literal's prefix (the E of E'…'); 0 when there is none. */
static size_t
prefix_size(dbal_dialect dialect, const char *text)
{
    char first = dbal__sql_lower(text[0]);
    if (dialect == DBAL_DIALECT_POSTGRESQL && first == 'u' && text[1] == '&')
        return text[2] == '\'' || text[2] == '"' ? 2 : 0;
    if (first == '\0' || text[1] != '\'')
        return 0;
    static const char *const prefixes[] = {
        [DBAL_DIALECT_SQLITE] = "x",
        [DBAL_DIALECT_POSTGRESQL] = "ebxn",
        [DBAL_DIALECT_MYSQL] = "xbn",
    };
    return strchr(prefixes[dialect], first) != NULL ? 1 : 0;
}

/* Behind the closing quote; NULL when there is none. A doubled quote stands for itself. */
static const char *
quote_end(const char *open, bool backslash)
{
    char quote = *open;
    for (const char *at = open + 1; *at != '\0'; at++) {
        if (*at == '\\' && backslash) {
            if (*++at == '\0')
                return NULL;
        } else if (*at == quote) {
            if (at[1] != quote)
                return at + 1;
            at++;
        }
    }
    return NULL;
}

/*
 * In PostgreSQL a string goes on behind a line break: the quote that does so, or NULL. It matters
 * for E'…' alone, whose continuation has backslashes too.
 */
static const char *
continuation(const char *text)
{
    bool broke_line = false;
    for (;; text++) {
        if (text[0] == '-' && text[1] == '-')
            text += strcspn(text, "\r\n");
        if (*text == '\n' || *text == '\r')
            broke_line = true;
        else if (*text != ' ' && *text != '\t' && *text != '\f')
            return broke_line && *text == '\'' ? text : NULL;
    }
}

static const char *
escape_string_end(const char *open)
{
    for (;;) {
        const char *end = quote_end(open, true);
        const char *more = end != NULL ? continuation(end) : NULL;
        if (more == NULL)
            return end;
        open = more;
    }
}

/* Bytes of `$tag$`; 0 when it is none. */
static size_t
tag_size(const char *text)
{
    size_t size = 1;
    if (dbal__sql_is_letter(text[1]))
        while (dbal__sql_is_name(text[size]))
            size++;
    return text[size] == '$' ? size + 1 : 0;
}

static const char *
dollar_quote_end(const char *open, size_t tag)
{
    const char *at = open + tag;
    while ((at = strchr(at, '$')) != NULL) {
        if (strncmp(at, open, tag) == 0)
            return at + tag;
        at++;
    }
    return NULL;
}

static bool
take(dbal_sql_token_kind kind, const char *start, const char *end, dbal_sql_token *ret_token)
{
    if (end == NULL)
        *ret_token = (dbal_sql_token){DBAL_SQL_BROKEN, start, strlen(start)};
    else
        *ret_token = (dbal_sql_token){kind, start, (size_t)(end - start)};
    return true;
}

static bool
next_string(dbal_dialect dialect, const char *text, const char *open, dbal_sql_token *ret_token)
{
    const char *end = dialect == DBAL_DIALECT_POSTGRESQL && dbal__sql_lower(*text) == 'e'
                          ? escape_string_end(open)
                          : quote_end(open, dialect == DBAL_DIALECT_MYSQL);
    return take(DBAL_SQL_STRING, text, end, ret_token);
}

static bool
next_dollar_quote(const char *text, dbal_sql_token *ret_token)
{
    size_t tag = tag_size(text);
    return tag != 0 && take(DBAL_SQL_STRING, text, dollar_quote_end(text, tag), ret_token);
}

static bool
next_bracketed(const char *text, dbal_sql_token *ret_token)
{
    const char *close = strchr(text, ']');
    return take(DBAL_SQL_IDENTIFIER, text, close != NULL ? close + 1 : NULL, ret_token);
}

bool
dbal__sql_quote_next(dbal_dialect dialect, const char *text, dbal_sql_token *ret_token)
{
    const char *open = text + prefix_size(dialect, text);
    switch (*open) {
    case '"':
        if (dialect != DBAL_DIALECT_MYSQL)
            return take(DBAL_SQL_IDENTIFIER, text, quote_end(open, false), ret_token);
        return next_string(dialect, text, open, ret_token);
    case '\'':
        return next_string(dialect, text, open, ret_token);
    case '`':
        return dialect != DBAL_DIALECT_POSTGRESQL &&
               take(DBAL_SQL_IDENTIFIER, text, quote_end(open, false), ret_token);
    case '[':
        return dialect == DBAL_DIALECT_SQLITE && next_bracketed(text, ret_token);
    case '$':
        return dialect == DBAL_DIALECT_POSTGRESQL && next_dollar_quote(text, ret_token);
    default:
        return false;
    }
}
