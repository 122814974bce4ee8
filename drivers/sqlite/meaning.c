#include "meaning.h"

#include <stdlib.h>
#include <string.h>

typedef dbal_sql_token token;

/* The next token; a byte order mark, which SQLite takes for white space, is passed over. */
static token
next(const char **cursor)
{
    for (;;) {
        token t = dbal_sql_next(DBAL_DIALECT_SQLITE, cursor);
        while (t.kind == DBAL_SQL_WORD && t.size >= 3 && memcmp(t.start, "\xef\xbb\xbf", 3) == 0) {
            t.start += 3;
            t.size -= 3;
        }
        if (t.kind != DBAL_SQL_WORD || t.size != 0)
            return t;
    }
}

static token
peek(const char *cursor)
{
    return next(&cursor);
}

static bool
is(token t, const char *word)
{
    return t.kind == DBAL_SQL_WORD && dbal_sql_token_is(t, word);
}

static bool
starts_with(token t, char byte)
{
    return t.kind == DBAL_SQL_OPERATOR && t.start[0] == byte;
}

static char
lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* a name, quoted or not, whatever its case */
static bool
is_named(token t, const char *name)
{
    if (t.kind == DBAL_SQL_IDENTIFIER || t.kind == DBAL_SQL_STRING) {
        if (t.size < 2)
            return false;
        t.start++;
        t.size -= 2;
    } else if (t.kind != DBAL_SQL_WORD) {
        return false;
    }
    size_t size = strlen(name);
    if (t.size != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (lower(t.start[i]) != name[i])
            return false;
    return true;
}

static dbal__sqlite_meaning
session(dbal__sqlite_verb verb, const char *instead)
{
    return (dbal__sqlite_meaning){.verb = verb, .kinds = DBAL_SQL_SESSION, .instead = instead};
}

/* ---- PRAGMA -------------------------------------------------------------------------------- */

/* PRAGMAs whose argument chooses what to show */
static const char *const shows[] = {
    "table_info",       "table_xinfo",       "table_list",
    "index_list",       "index_info",        "index_xinfo",
    "foreign_key_list", "foreign_key_check", "integrity_check",
    "quick_check",      "database_list",     "collation_list",
    "function_list",    "module_list",       "pragma_list",
    "compile_options",  "data_version",      "freelist_count",
    "page_count",       "shrink_memory",     NULL,
};

/* PRAGMAs that do something to the file, with and without an argument */
static const char *const acts[] = {"optimize", "wal_checkpoint", "incremental_vacuum", NULL};

/* PRAGMAs whose value is kept in the file, not in the session */
static const char *const kept[] = {"user_version", "application_id", NULL};

static const struct {
    const char *name, *instead;
} in_url[] = {
    {"cache_size", "the URL parameter cache_size"},
    {"synchronous", "the URL parameter synchronous"},
    {"foreign_keys", "the URL parameter foreign_keys"},
};

static bool
is_one_of(token name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (is_named(name, *names))
            return true;
    return false;
}

static dbal__sqlite_meaning
pragma_setting(token name)
{
    dbal__sqlite_meaning meaning = session(DBAL__SQLITE_PRAGMA, "dbal_pool_session()");
    if (is_one_of(name, kept)) {
        meaning.kinds |= DBAL_SQL_WRITES | DBAL_SQL_UNSHARED;
        return meaning;
    }
    meaning.lasts = true;
    for (size_t i = 0; i < sizeof in_url / sizeof in_url[0]; i++)
        if (is_named(name, in_url[i].name))
            meaning.instead = in_url[i].instead;
    return meaning;
}

/* `cursor` stands behind "busy_timeout =" or "busy_timeout(", which is `before` */
static dbal__sqlite_meaning
busy_timeout(token before, const char *cursor)
{
    dbal__sqlite_meaning meaning =
        session(DBAL__SQLITE_BUSY_TIMEOUT, "the URL parameter busy_timeout");
    token value = next(&cursor);
    bool negative = starts_with(value, '-');
    if (negative || starts_with(value, '+'))
        value = next(&cursor);
    meaning.has_value = true;
    bool digits = value.size > 0 && value.start[0] >= '0' && value.start[0] <= '9';
    if (!negative && digits)
        meaning.milliseconds = strtoll(value.start, NULL, 10);
    if (starts_with(before, '(') && starts_with(peek(cursor), ')'))
        next(&cursor);
    meaning.goes_on = !dbal__sqlite_meaning_is_empty(cursor);
    return meaning;
}

static dbal__sqlite_meaning
pragma(const char *cursor)
{
    dbal__sqlite_meaning reads = {.verb = DBAL__SQLITE_PRAGMA,
                                  .kinds = DBAL_SQL_READS | DBAL_SQL_UNSHARED};
    token name = next(&cursor);
    if (starts_with(peek(cursor), '.')) {
        next(&cursor);
        name = next(&cursor);
    }
    token behind = next(&cursor);
    bool has_value = behind.kind == DBAL_SQL_OPERATOR;
    if (is_named(name, "busy_timeout")) {
        if (has_value)
            return busy_timeout(behind, cursor);
        reads.verb = DBAL__SQLITE_BUSY_TIMEOUT;
        bool ends = behind.kind == DBAL_SQL_END || behind.kind == DBAL_SQL_SEMICOLON;
        reads.goes_on = !ends || !dbal__sqlite_meaning_is_empty(cursor);
        return reads;
    }
    if (is_one_of(name, acts)) {
        reads.kinds = DBAL_SQL_WRITES | DBAL_SQL_UNSHARED;
        return reads;
    }
    if (!has_value || is_one_of(name, shows))
        return reads;
    if (!is_named(name, "journal_mode"))
        return pragma_setting(name);
    return (dbal__sqlite_meaning){.verb = DBAL__SQLITE_PRAGMA,
                                  .kinds = DBAL_SQL_REFUSED,
                                  .instead = "the URL parameter journal_mode"};
}

/* ---- the other statements -------------------------------------------------------------------- */

static dbal__sqlite_meaning
begin(const char *cursor)
{
    dbal__sqlite_meaning meaning = session(DBAL__SQLITE_BEGIN, "dbal_pool_transaction()");
    meaning.kinds |= DBAL_SQL_BEGINS;
    token how = next(&cursor);
    if (is(how, "immediate") || is(how, "exclusive"))
        meaning.kinds |= DBAL_SQL_WRITES;
    return meaning;
}

static dbal__sqlite_meaning
rollback(const char *cursor)
{
    token t = next(&cursor);
    if (is(t, "transaction"))
        t = next(&cursor);
    if (is(t, "to"))
        return session(DBAL__SQLITE_SAVEPOINT, "dbal_connection_savepoint()");
    return session(DBAL__SQLITE_ROLLBACK, "dbal_pool_transaction()");
}

static bool
creates_temporary(const char *cursor)
{
    token t = next(&cursor);
    if (is(t, "temp") || is(t, "temporary"))
        return true;
    while (is(t, "unique") || is(t, "virtual") || is(t, "table") || is(t, "index") ||
           is(t, "view") || is(t, "trigger") || is(t, "if") || is(t, "not") || is(t, "exists"))
        t = next(&cursor);
    return is_named(t, "temp") && starts_with(next(&cursor), '.');
}

static dbal__sqlite_meaning
schema(const char *cursor, bool creates)
{
    dbal__sqlite_meaning meaning = {.verb = DBAL__SQLITE_SCHEMA,
                                    .kinds = DBAL_SQL_WRITES | DBAL_SQL_UNSHARED};
    if (!creates || !creates_temporary(cursor))
        return meaning;
    meaning.kinds = DBAL_SQL_SESSION | DBAL_SQL_UNSHARED;
    meaning.instead = "dbal_pool_session()";
    meaning.lasts = true;
    return meaning;
}

static dbal__sqlite_meaning
vacuum(const char *cursor)
{
    token t = next(&cursor);
    if (t.kind != DBAL_SQL_END && t.kind != DBAL_SQL_SEMICOLON && !is(t, "into"))
        t = next(&cursor);
    if (is(t, "into"))
        return (dbal__sqlite_meaning){.verb = DBAL__SQLITE_COPY,
                                      .kinds = DBAL_SQL_READS | DBAL_SQL_UNSHARED};
    return schema(cursor, false);
}

/* moves behind the parenthesis that closes the one in `t`, an operator of one or more bytes */
static token
skip_parentheses(token t, const char **cursor)
{
    int depth = 0;
    for (; t.kind != DBAL_SQL_END && t.kind != DBAL_SQL_BROKEN; t = next(cursor)) {
        for (size_t i = 0; t.kind == DBAL_SQL_OPERATOR && i < t.size; i++)
            depth += t.start[i] == '(' ? 1 : t.start[i] == ')' ? -1 : 0;
        if (depth <= 0)
            return t;
    }
    return t;
}

/* the verb behind WITH's tables: name [(columns)] AS [[NOT] MATERIALIZED] (select) [, …] */
static token
verb_after_with(const char **cursor)
{
    token name = next(cursor);
    if (is(name, "recursive") && !is(peek(*cursor), "as"))
        name = next(cursor);
    for (;;) {
        token t = next(cursor);
        if (starts_with(t, '(')) {
            skip_parentheses(t, cursor);
            t = next(cursor);
        }
        if (!is(t, "as"))
            return t;
        t = next(cursor);
        while (is(t, "not") || is(t, "materialized"))
            t = next(cursor);
        t = skip_parentheses(t, cursor);
        t = next(cursor);
        if (!starts_with(t, ','))
            return t;
        next(cursor);
    }
}

/* what a word begins; `cursor` stands behind it */
static dbal__sqlite_meaning
of_word(token t, const char *cursor)
{
    static const struct {
        const char *word;
        dbal__sqlite_meaning meaning;
    } simple[] = {
        {"select", {DBAL__SQLITE_READ, DBAL_SQL_READS, NULL, false, false, 0}},
        {"values", {DBAL__SQLITE_READ, DBAL_SQL_READS, NULL, false, false, 0}},
        {"insert", {DBAL__SQLITE_INSERT, DBAL_SQL_WRITES, NULL, false, false, 0}},
        {"replace", {DBAL__SQLITE_INSERT, DBAL_SQL_WRITES, NULL, false, false, 0}},
        {"update", {DBAL__SQLITE_CHANGE, DBAL_SQL_WRITES, NULL, false, false, 0}},
        {"delete", {DBAL__SQLITE_CHANGE, DBAL_SQL_WRITES, NULL, false, false, 0}},
        {"commit",
         {DBAL__SQLITE_COMMIT, DBAL_SQL_SESSION, "dbal_pool_transaction()", false, false, 0}},
        {"end",
         {DBAL__SQLITE_COMMIT, DBAL_SQL_SESSION, "dbal_pool_transaction()", false, false, 0}},
        {"savepoint",
         {DBAL__SQLITE_SAVEPOINT, DBAL_SQL_SESSION, "dbal_connection_savepoint()", false, false,
          0}},
        {"release",
         {DBAL__SQLITE_RELEASE, DBAL_SQL_SESSION, "dbal_connection_savepoint()", false, false, 0}},
        {"attach", {DBAL__SQLITE_ATTACH, DBAL_SQL_SESSION, "dbal_pool_session()", true, false, 0}},
        {"detach", {DBAL__SQLITE_ATTACH, DBAL_SQL_SESSION, "dbal_pool_session()", true, false, 0}},
    };
    static const char *const changes_schema[] = {"drop", "alter", "reindex", "analyze"};

    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++)
        if (is(t, simple[i].word))
            return simple[i].meaning;
    for (size_t i = 0; i < sizeof changes_schema / sizeof changes_schema[0]; i++)
        if (is(t, changes_schema[i]))
            return schema(cursor, false);
    if (is(t, "create"))
        return schema(cursor, true);
    if (is(t, "vacuum"))
        return vacuum(cursor);
    if (is(t, "begin"))
        return begin(cursor);
    if (is(t, "rollback"))
        return rollback(cursor);
    if (is(t, "pragma"))
        return pragma(cursor);
    /* no statement begins so: SQLite says where it goes wrong */
    return (dbal__sqlite_meaning){.kinds = DBAL_SQL_READS | DBAL_SQL_UNSHARED};
}

/* EXPLAIN only shows; but a PRAGMA is run while it is prepared, EXPLAIN or not */
static dbal__sqlite_meaning
explain(const char *cursor)
{
    token t = next(&cursor);
    if (is(t, "query")) {
        next(&cursor);
        t = next(&cursor);
    }
    if (is(t, "pragma"))
        return pragma(cursor);
    return (dbal__sqlite_meaning){.verb = DBAL__SQLITE_READ,
                                  .kinds = DBAL_SQL_READS | DBAL_SQL_UNSHARED};
}

/* ---- what statements call -------------------------------------------------------------------- */

/* the call that answers what a function of the session would, or NULL; `cursor` stands behind its name */
static const char *
instead_of(token t, const char *cursor)
{
    bool rowid = is(t, "last_insert_rowid");
    if (!rowid && !is(t, "changes") && !is(t, "total_changes"))
        return NULL;
    token opening = next(&cursor);
    if (!starts_with(opening, '('))
        return NULL;
    token closing = opening.size > 1 ? opening : next(&cursor);
    if (opening.size > 1 ? opening.start[1] != ')' : !starts_with(closing, ')'))
        return NULL;
    return rowid ? "dbal_result_last_insert_id()" : "dbal_result_affected()";
}

/* SQLite takes a text for a name where only a table's can stand; this is what such a place is behind */
static bool
is_before_table(token t)
{
    return is(t, "from") || is(t, "join") || is(t, "in") || starts_with(t, '.');
}

/* a PRAGMA that acts, read from as a table: for SQLite that is a SELECT like any other */
static bool
is_acting_table(token before, token t)
{
    static const char prefix[] = "pragma_";
    const size_t size = sizeof prefix - 1;
    bool text = t.kind == DBAL_SQL_STRING;
    if (text && !is_before_table(before))
        return false;
    if (text || t.kind == DBAL_SQL_IDENTIFIER) {
        t.start++;
        t.size -= 2;
    } else if (t.kind != DBAL_SQL_WORD) {
        return false;
    }
    token first = {.kind = DBAL_SQL_WORD, .start = t.start, .size = size};
    if (t.size <= size || !is_named(first, prefix))
        return false;
    token name = {.kind = DBAL_SQL_WORD, .start = t.start + size, .size = t.size - size};
    return is_one_of(name, acts);
}

static void
look_for_calls(dbal__sqlite_meaning *meaning, const char *cursor)
{
    token before = {.kind = DBAL_SQL_END};
    for (token t = next(&cursor); t.kind != DBAL_SQL_END && t.kind != DBAL_SQL_BROKEN;
         before = t, t = next(&cursor)) {
        const char *instead = instead_of(t, cursor);
        if (instead != NULL && meaning->instead == NULL) {
            meaning->kinds |= DBAL_SQL_SESSION;
            meaning->instead = instead;
        }
        if (is_acting_table(before, t))
            meaning->kinds =
                (meaning->kinds & ~(unsigned)DBAL_SQL_READS) | DBAL_SQL_WRITES | DBAL_SQL_UNSHARED;
    }
}

dbal__sqlite_meaning
dbal__sqlite_meaning_of(const char *sql)
{
    const char *cursor = sql;
    token t = next(&cursor);
    while (t.kind == DBAL_SQL_SEMICOLON)
        t = next(&cursor);
    if (is(t, "explain"))
        return explain(cursor);
    if (is(t, "with"))
        t = verb_after_with(&cursor);
    dbal__sqlite_meaning meaning = of_word(t, cursor);
    bool may_call = meaning.verb == DBAL__SQLITE_READ || meaning.verb == DBAL__SQLITE_INSERT ||
                    meaning.verb == DBAL__SQLITE_CHANGE;
    if (may_call)
        look_for_calls(&meaning, sql);
    return meaning;
}

bool
dbal__sqlite_meaning_is_empty(const char *sql)
{
    token t = next(&sql);
    while (t.kind == DBAL_SQL_SEMICOLON)
        t = next(&sql);
    return t.kind == DBAL_SQL_END;
}

dbal_sql_class
dbal__sqlite_classify(const void *config, const char *sql)
{
    (void)config;
    dbal__sqlite_meaning meaning = dbal__sqlite_meaning_of(sql);
    return (dbal_sql_class){meaning.kinds, meaning.instead};
}
