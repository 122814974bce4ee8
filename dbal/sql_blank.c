#include "dbal/sql_blank.h"

#include <stdbool.h>
#include <string.h>

#include "dbal/sql_char.h"

static bool
is_space(dbal_dialect dialect, char c)
{
    switch (c) {
    case ' ':
    case '\t':
    case '\n':
    case '\r':
    case '\f':
        return true;
    case '\v':
        return dialect != DBAL_DIALECT_SQLITE;
    default:
        return false;
    }
}

static bool
is_line_comment(dbal_dialect dialect, const char *text)
{
    if (text[0] == '#')
        return dialect == DBAL_DIALECT_MYSQL;
    if (text[0] != '-' || text[1] != '-')
        return false;
    /* in MySQL `1--1` is a subtraction */
    unsigned char next = (unsigned char)text[2];
    return dialect != DBAL_DIALECT_MYSQL || next <= ' ' || next == 0x7f;
}

static const char *
line_end(dbal_dialect dialect, const char *text)
{
    return text + strcspn(text, dialect == DBAL_DIALECT_POSTGRESQL ? "\r\n" : "\n");
}

/* Behind the comment that begins here; NULL when it never ends. */
static const char *
comment_end(dbal_dialect dialect, const char *text)
{
    size_t depth = 1;
    text += 2;
    while (*text != '\0') {
        if (text[0] == '*' && text[1] == '/') {
            text += 2;
            if (--depth == 0)
                return text;
        } else if (dialect == DBAL_DIALECT_POSTGRESQL && text[0] == '/' && text[1] == '*') {
            text += 2;
            depth++;
        } else {
            text++;
        }
    }
    return NULL;
}

size_t
dbal__sql_conditional_size(dbal_dialect dialect, const char *text)
{
    if (dialect != DBAL_DIALECT_MYSQL || text[0] != '/' || text[1] != '*')
        return 0;
    size_t size = text[2] == '!' ? 3 : text[2] == 'M' && text[3] == '!' ? 4 : 0;
    if (size == 0)
        return 0;
    for (int digits = 0; digits < 6 && dbal__sql_is_digit(text[size]); digits++)
        size++;
    return size;
}

/* Behind one run of white space or one comment; the same place when there is none. */
static const char *
skip_one(dbal_dialect dialect, const char *text)
{
    if (is_space(dialect, *text))
        return text + 1;
    if (is_line_comment(dialect, text))
        return line_end(dialect, text);
    if (text[0] == '/' && text[1] == '*' && dbal__sql_conditional_size(dialect, text) == 0) {
        const char *end = comment_end(dialect, text);
        return end != NULL ? end : text;
    }
    /* SQLite takes a byte order mark for white space */
    if (dialect == DBAL_DIALECT_SQLITE && strncmp(text, "\xef\xbb\xbf", 3) == 0)
        return text + 3;
    return text;
}

const char *
dbal__sql_blank_skip(dbal_dialect dialect, const char *text)
{
    for (;;) {
        const char *next = skip_one(dialect, text);
        if (next == text)
            return text;
        text = next;
    }
}
