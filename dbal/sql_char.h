/* Classes of the bytes in SQL text; never the locale's. */
#ifndef DBAL__SQL_CHAR_H
#define DBAL__SQL_CHAR_H

#include <stdbool.h>

static inline bool
dbal__sql_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What a bare name begins with. */
static inline bool
dbal__sql_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

/* What a :name or a dollar quote's tag goes on with. */
static inline bool
dbal__sql_is_name(char c)
{
    return dbal__sql_is_letter(c) || dbal__sql_is_digit(c);
}

/* What a bare name goes on with. */
static inline bool
dbal__sql_is_word(char c)
{
    return dbal__sql_is_name(c) || c == '$';
}

static inline char
dbal__sql_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

#endif
