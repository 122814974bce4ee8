#include "function.h"

#include <string.h>

typedef dbal__mariadb_token token;

static const char session[] = "dbal_pool_session()";

static const struct {
    const char *name;
    unsigned kinds;
    const char *instead;
} functions[] = {
    {"get_lock", DBAL_SQL_SESSION, session},
    {"release_lock", DBAL_SQL_SESSION, session},
    {"release_all_locks", DBAL_SQL_SESSION, session},
    {"last_insert_id", DBAL_SQL_SESSION, "dbal_result_last_insert_id()"},
    {"found_rows", DBAL_SQL_SESSION, session},
    {"row_count", DBAL_SQL_SESSION, "dbal_result_affected()"},
    {"lastval", DBAL_SQL_SESSION, session},
    {"nextval", DBAL_SQL_WRITES, NULL},
    {"setval", DBAL_SQL_WRITES, NULL},
};

static bool
is_function(token t, const char *cursor)
{
    return t.kind == DBAL_SQL_WORD && dbal__mariadb_is_byte(dbal__mariadb_peek(cursor), '(');
}

/* @name, but neither @@name nor 'user'@'host' */
static bool
is_variable(token before, token t, const char *cursor)
{
    if (!dbal__mariadb_is_byte(t, '@') || dbal__mariadb_is_byte(before, '@') ||
        before.kind == DBAL_SQL_STRING || before.kind == DBAL_SQL_IDENTIFIER)
        return false;
    return !dbal__mariadb_is_byte(dbal__mariadb_peek(cursor), '@');
}

/* NEXT VALUE FOR sequence, PREVIOUS VALUE FOR sequence */
static bool
is_sequence(token t, const char *cursor, const char *word)
{
    return dbal__mariadb_is(t, word) && dbal__mariadb_is(dbal__mariadb_next(&cursor), "value") &&
           dbal__mariadb_is(dbal__mariadb_next(&cursor), "for");
}

unsigned
dbal__mariadb_function_kinds(token before, token t, const char *cursor, const char **ret_instead)
{
    if (is_variable(before, t, cursor)) {
        *ret_instead = session;
        return DBAL_SQL_SESSION;
    }
    if (t.kind != DBAL_SQL_WORD || strchr("FGLNPRSflgnprs", *t.start) == NULL)
        return 0;
    if (is_sequence(t, cursor, "next"))
        return DBAL_SQL_WRITES;
    if (is_sequence(t, cursor, "previous")) {
        *ret_instead = session;
        return DBAL_SQL_SESSION;
    }
    if (!is_function(t, cursor))
        return 0;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (!dbal__mariadb_is(t, functions[i].name))
            continue;
        if (functions[i].instead != NULL)
            *ret_instead = functions[i].instead;
        return functions[i].kinds;
    }
    return 0;
}
