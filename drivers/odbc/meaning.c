#include "meaning.h"

typedef dbal_sql_token token;
typedef dbal__odbc_meaning meaning;

static const char transaction[] = "dbal_pool_transaction()";
static const char savepoint[] = "dbal_connection_savepoint()";
static const char session[] = "dbal_pool_session()";

/* Strings, names in quotes and comments are written alike nearly everywhere. */
static token
next(const char **cursor)
{
    return dbal_sql_next(DBAL_DIALECT_POSTGRESQL, cursor);
}

static bool
is(token t, const char *word)
{
    return t.kind == DBAL_SQL_WORD && dbal_sql_token_is(t, word);
}

static bool
is_end(token t)
{
    return t.kind == DBAL_SQL_END || t.kind == DBAL_SQL_BROKEN || t.kind == DBAL_SQL_SEMICOLON;
}

/* A bare word that may change something somewhere in a query; a column may be called so, too. */
static bool
may_write(token t)
{
    static const char *const words[] = {"insert", "update", "delete", "merge", "into", "truncate"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is(t, words[i]))
            return true;
    return false;
}

static meaning
of_query(const char *cursor)
{
    for (token t = next(&cursor); t.kind != DBAL_SQL_END && t.kind != DBAL_SQL_BROKEN;
         t = next(&cursor))
        if (may_write(t))
            return (meaning){.verb = DBAL__ODBC_QUERY, .kinds = DBAL_SQL_WRITES};
    return (meaning){.verb = DBAL__ODBC_QUERY, .kinds = DBAL_SQL_READS};
}

static meaning
of_rollback(const char *cursor)
{
    token t = next(&cursor);
    if (is(t, "work") || is(t, "transaction") || is(t, "tran"))
        t = next(&cursor);
    if (is(t, "to"))
        return (meaning){DBAL__ODBC_ROLLBACK_TO, DBAL_SQL_SESSION, savepoint};
    return (meaning){DBAL__ODBC_ROLLBACK, DBAL_SQL_SESSION, transaction};
}

static meaning
of_create(const char *cursor)
{
    token t = next(&cursor);
    while (is(t, "or") || is(t, "replace") || is(t, "local") || is(t, "global"))
        t = next(&cursor);
    if (is(t, "temp") || is(t, "temporary"))
        return (meaning){DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session};
    return (meaning){.kinds = DBAL_SQL_WRITES | DBAL_SQL_UNSHARED};
}

/* without a value it shows one, or does something to the file */
static meaning
of_pragma(const char *cursor)
{
    for (token t = next(&cursor); !is_end(t); t = next(&cursor))
        if (t.kind == DBAL_SQL_OPERATOR && t.start[0] != '.')
            return (meaning){DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session};
    return (meaning){.kinds = DBAL_SQL_WRITES | DBAL_SQL_UNSHARED};
}

static const struct {
    const char *word;
    meaning meaning;
} simple[] = {
    {"insert", {DBAL__ODBC_CHANGE, DBAL_SQL_WRITES, NULL}},
    {"update", {DBAL__ODBC_CHANGE, DBAL_SQL_WRITES, NULL}},
    {"delete", {DBAL__ODBC_CHANGE, DBAL_SQL_WRITES, NULL}},
    {"merge", {DBAL__ODBC_CHANGE, DBAL_SQL_WRITES, NULL}},
    {"replace", {DBAL__ODBC_CHANGE, DBAL_SQL_WRITES, NULL}},
    {"begin", {DBAL__ODBC_BEGIN, DBAL_SQL_SESSION | DBAL_SQL_BEGINS, transaction}},
    {"start", {DBAL__ODBC_BEGIN, DBAL_SQL_SESSION | DBAL_SQL_BEGINS, transaction}},
    {"commit", {DBAL__ODBC_COMMIT, DBAL_SQL_SESSION, transaction}},
    {"end", {DBAL__ODBC_COMMIT, DBAL_SQL_SESSION, transaction}},
    {"abort", {DBAL__ODBC_ROLLBACK, DBAL_SQL_SESSION, transaction}},
    {"savepoint", {DBAL__ODBC_SAVEPOINT, DBAL_SQL_SESSION, savepoint}},
    {"save", {DBAL__ODBC_SAVEPOINT, DBAL_SQL_SESSION, savepoint}},
    {"release", {DBAL__ODBC_SAVEPOINT, DBAL_SQL_SESSION, savepoint}},
    {"set", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"reset", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"discard", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"use", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"attach", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"detach", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"declare", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"prepare", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"deallocate", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"listen", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"unlisten", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"lock", {DBAL__ODBC_SETTING, DBAL_SQL_SESSION | DBAL_SQL_UNSHARED, session}},
    {"show", {DBAL__ODBC_OTHER, DBAL_SQL_READS | DBAL_SQL_UNSHARED, NULL}},
    {"describe", {DBAL__ODBC_OTHER, DBAL_SQL_READS | DBAL_SQL_UNSHARED, NULL}},
};

meaning
dbal__odbc_meaning_of(const char *sql)
{
    const char *cursor = sql;
    token t = next(&cursor);
    while (t.kind == DBAL_SQL_SEMICOLON || (t.kind == DBAL_SQL_OPERATOR && t.start[0] == '('))
        t = next(&cursor);
    if (is(t, "select") || is(t, "values") || is(t, "with") || is(t, "table"))
        return of_query(cursor);
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++)
        if (is(t, simple[i].word))
            return simple[i].meaning;
    if (is(t, "rollback"))
        return of_rollback(cursor);
    if (is(t, "create"))
        return of_create(cursor);
    if (is(t, "pragma"))
        return of_pragma(cursor);
    return (meaning){.kinds = DBAL_SQL_WRITES | DBAL_SQL_UNSHARED};
}

dbal_sql_class
dbal__odbc_classify(const void *config, const char *sql)
{
    (void)config;
    meaning m = dbal__odbc_meaning_of(sql);
    return (dbal_sql_class){m.kinds, m.instead};
}

/* ---- BEGIN ------------------------------------------------------------------------------------ */

/* `cursor` stands behind ISOLATION */
static bool
read_level(const char **cursor, dbal_isolation *ret_isolation)
{
    if (!is(next(cursor), "level"))
        return false;
    token t = next(cursor);
    if (is(t, "serializable")) {
        *ret_isolation = DBAL_SERIALIZABLE;
        return true;
    }
    if (is(t, "repeatable")) {
        *ret_isolation = DBAL_REPEATABLE_READ;
        return is(next(cursor), "read");
    }
    *ret_isolation = DBAL_READ_COMMITTED;
    return is(t, "read") && is(next(cursor), "committed");
}

bool
dbal__odbc_meaning_begins(const char *sql, dbal__odbc_beginning *ret)
{
    const char *cursor = sql;
    *ret = (dbal__odbc_beginning){.isolation = DBAL_ISOLATION_DEFAULT};
    token t = next(&cursor);
    while (t.kind == DBAL_SQL_SEMICOLON)
        t = next(&cursor);
    for (t = next(&cursor); !is_end(t); t = next(&cursor)) {
        if (is(t, "isolation")) {
            if (!read_level(&cursor, &ret->isolation))
                return false;
        } else if (is(t, "read")) {
            token how = next(&cursor);
            ret->read_only = is(how, "only");
            if (!ret->read_only && !is(how, "write"))
                return false;
        } else if (!is(t, "transaction") && !is(t, "work") &&
                   !(t.kind == DBAL_SQL_OPERATOR && t.start[0] == ',')) {
            return false;
        }
    }
    return true;
}
