#include "setting.h"

#include <string.h>
#include <strings.h>

#include "meaning.h"
#include "scan.h"

typedef dbal__postgres_token token;

static const char name[] = "statement_timeout";

static bool
has(const char *text, size_t size, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; i++)
        if (strncasecmp(text + i, word, length) == 0)
            return true;
    return false;
}

/* SET [SESSION | LOCAL] name */
static dbal__postgres_sets
of_set(const char *cursor)
{
    token t = dbal__postgres_next(&cursor);
    bool local = dbal__postgres_is(t, "local");
    if (local || dbal__postgres_is(t, "session"))
        t = dbal__postgres_next(&cursor);
    if (!dbal__postgres_is_name(t, name))
        return DBAL__POSTGRES_SETS_NOT;
    return local ? DBAL__POSTGRES_SETS_LOCAL : DBAL__POSTGRES_SETS;
}

/* `cursor` stands behind the function's name; one that is not plainly another setting's may be it */
static bool
names_it(const char *cursor)
{
    if (!dbal__postgres_is_byte(dbal__postgres_next(&cursor), '('))
        return false;
    token t = dbal__postgres_next(&cursor);
    bool plain = t.kind == DBAL_SQL_STRING && *t.start == '\'' &&
                 dbal__postgres_is_byte(dbal__postgres_peek(cursor), ',');
    return !plain || has(t.start, t.size, name);
}

/* EXPLAIN ANALYZE and PREPARE may have one inside, too */
static dbal__postgres_sets
of_functions(const char *sql)
{
    const char *cursor = sql;
    token t = dbal__postgres_next(&cursor);
    for (; !dbal__postgres_is_end(t); t = dbal__postgres_next(&cursor)) {
        if (!dbal__postgres_is_name(t, "set_config") || !names_it(cursor))
            continue;
        return dbal__postgres_control_of(sql) == DBAL__POSTGRES_CHANGES_SESSION
                   ? DBAL__POSTGRES_SETS
                   : DBAL__POSTGRES_SETS_LOCAL;
    }
    return DBAL__POSTGRES_SETS_NOT;
}

dbal__postgres_sets
dbal__postgres_sets_of(const char *sql)
{
    const char *cursor = sql;
    token t = dbal__postgres_next(&cursor);
    while (t.kind == DBAL_SQL_SEMICOLON)
        t = dbal__postgres_next(&cursor);
    if (dbal__postgres_is(t, "set"))
        return of_set(cursor);
    if (dbal__postgres_is(t, "discard"))
        return DBAL__POSTGRES_SETS;
    if (dbal__postgres_is(t, "reset")) {
        t = dbal__postgres_next(&cursor);
        return dbal__postgres_is(t, "all") || dbal__postgres_is_name(t, name)
                   ? DBAL__POSTGRES_SETS
                   : DBAL__POSTGRES_SETS_NOT;
    }
    if (dbal__postgres_is(t, "do"))
        return has(cursor, strlen(cursor), name) || has(cursor, strlen(cursor), "set_config")
                   ? DBAL__POSTGRES_SETS
                   : DBAL__POSTGRES_SETS_NOT;
    return of_functions(sql);
}
