#include "lite.h"

#include <string.h>

/* SQLite's result codes, frozen since 2004: https://sqlite.org/rescode.html */
enum {
    ERROR = 1,
    BUSY = 5,
    LOCKED = 6,
    NO_MEMORY = 7,
    READ_ONLY = 8,
    INTERRUPT = 9,
    IO_ERROR = 10,
    CORRUPT = 11,
    FULL = 13,
    CANNOT_OPEN = 14,
    TOO_BIG = 18,
    CONSTRAINT = 19,
    MISMATCH = 20,
    NOT_A_DATABASE = 26
};

static const struct {
    SQLINTEGER native;
    const char *text; /* in the message, or "" */
    const char *sqlstate;
} states[] = {
    {CONSTRAINT, "UNIQUE", "23505"},
    {CONSTRAINT, "PRIMARY KEY", "23505"},
    {CONSTRAINT, "NOT NULL", "23502"},
    {CONSTRAINT, "FOREIGN KEY", "23503"},
    {CONSTRAINT, "CHECK", "23514"},
    {CONSTRAINT, "", "23000"},
    {ERROR, "syntax error", "42601"},
    {ERROR, "incomplete input", "42601"},
    {ERROR, "unrecognized token", "42601"},
    {ERROR, "no such table", "42P01"},
    {ERROR, "no such column", "42703"},
    {ERROR, "no such function", "42883"},
    {ERROR, "", "42000"},
    {BUSY, "", "55P03"},
    {LOCKED, "", "55P03"},
    {NO_MEMORY, "", "HY001"},
    {READ_ONLY, "", "25006"},
    {INTERRUPT, "", "57014"},
    {IO_ERROR, "", "58030"},
    {CORRUPT, "", "XX001"},
    {FULL, "", "53100"},
    {CANNOT_OPEN, "", "58030"},
    {TOO_BIG, "", "22001"},
    {MISMATCH, "", "42804"},
    {NOT_A_DATABASE, "", "XX001"},
};

const char *
dbal__odbc_lite_sqlstate(const char *sqlstate, SQLINTEGER native, const char *text)
{
    if (strcmp(sqlstate, "HY000") != 0)
        return sqlstate;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (states[i].native == native && strstr(text, states[i].text) != NULL)
            return states[i].sqlstate;
    return sqlstate;
}
