#include "meaning.h"

#include <string.h>

#include "config.h"
#include "function.h"
#include "scan.h"

typedef dbal__postgres_token token;
typedef dbal__postgres_meaning meaning;

static const char transaction[] = "dbal_pool_transaction()";
static const char savepoint[] = "dbal_connection_savepoint()";
static const char session[] = "dbal_pool_session()";
static const char stream[] = "dbal_pool_stream()";
static const char listener[] = "dbal_pool_listen()";
static const char returning[] = "insert … returning";
static const char query[] = "dbal_pool_query(), which prepares statements by itself";

enum {
    READS = DBAL_SQL_READS,
    WRITES = DBAL_SQL_WRITES,
    SESSION = DBAL_SQL_SESSION,
    ALONE = DBAL_SQL_UNSHARED
};

/* ---- statements that read or change rows --------------------------------------------------- */

/* FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE, FOR KEY SHARE: it locks rows, which is written down */
static bool
locks_rows(const char *cursor)
{
    token t = dbal__postgres_next(&cursor);
    if (dbal__postgres_is(t, "no"))
        t = dbal__postgres_next(&cursor);
    if (dbal__postgres_is(t, "key"))
        t = dbal__postgres_next(&cursor);
    return dbal__postgres_is(t, "update") || dbal__postgres_is(t, "share");
}

static bool
is_change(token t)
{
    return dbal__postgres_is(t, "insert") || dbal__postgres_is(t, "update") ||
           dbal__postgres_is(t, "delete") || dbal__postgres_is(t, "merge");
}

/* `cursor` stands behind it: such a word may also be the name of a column */
static bool
changes_rows(token t, const char *cursor)
{
    if (!is_change(t))
        return false;
    token after = dbal__postgres_peek(cursor);
    if (dbal__postgres_is(t, "update"))
        return (after.kind == DBAL_SQL_WORD && !dbal__postgres_is(after, "from")) ||
               after.kind == DBAL_SQL_IDENTIFIER;
    return dbal__postgres_is(after, dbal__postgres_is(t, "delete") ? "from" : "into");
}

/* SELECT … INTO [TEMPORARY] makes a table; `cursor` stands behind INTO */
static unsigned
into(const char *cursor)
{
    token t = dbal__postgres_next(&cursor);
    bool temporary = dbal__postgres_is(t, "temp") || dbal__postgres_is(t, "temporary") ||
                     dbal__postgres_is(t, "local") || dbal__postgres_is(t, "global");
    return WRITES | ALONE | (temporary ? SESSION : 0);
}

static meaning
of_kinds(unsigned kinds)
{
    meaning m = {.kinds = kinds & ~(unsigned)DBAL__POSTGRES_SEQUENCE};
    if ((kinds & WRITES) == 0)
        m.kinds |= READS;
    if ((kinds & SESSION) != 0) {
        m.control = DBAL__POSTGRES_CHANGES_SESSION;
        m.instead = session;
    } else if ((kinds & (DBAL__POSTGRES_SEQUENCE | WRITES)) == DBAL__POSTGRES_SEQUENCE) {
        /* what writes may well have asked the sequence itself */
        m.kinds |= SESSION;
        m.instead = returning;
    }
    return m;
}

/* whether a statement may begin behind the parenthesis that follows `before` */
static bool
opens_statement(token before, bool outer)
{
    return before.kind == DBAL_SQL_END || dbal__postgres_is(before, "as") ||
           dbal__postgres_is(before, "materialized") ||
           (dbal__postgres_is_byte(before, '(') && outer);
}

/*
 * Reads a query to its end for what tells that it does more than it seems to. A verb that changes
 * rows is one at its beginning, behind WITH's tables, or first between the parentheses there.
 */
static meaning
of_query(const char *cursor)
{
    unsigned kinds = 0, depth = 0;
    bool opens = false;
    token before = {.kind = DBAL_SQL_END};
    token t = dbal__postgres_next(&cursor);
    for (; !dbal__postgres_is_end(t); before = t, t = dbal__postgres_next(&cursor)) {
        bool starts = before.kind == DBAL_SQL_END ||
                      (dbal__postgres_is_byte(before, '(') && opens) ||
                      (depth == 0 && dbal__postgres_is_byte(before, ')'));
        if (dbal__postgres_is_byte(t, '(')) {
            opens = opens_statement(before, opens);
            depth++;
        } else if (dbal__postgres_is_byte(t, ')')) {
            depth -= depth != 0;
        } else if (starts && changes_rows(t, cursor)) {
            kinds |= WRITES;
        } else if (dbal__postgres_is(t, "for") && locks_rows(cursor)) {
            kinds |= WRITES;
        } else if (dbal__postgres_is(t, "into") && !dbal__postgres_is(before, "insert") &&
                   !dbal__postgres_is(before, "merge")) {
            kinds |= into(cursor);
        } else {
            kinds |= dbal__postgres_function_kinds(t, cursor);
        }
    }
    return of_kinds(kinds);
}

/* ---- the others ---------------------------------------------------------------------------- */

static meaning
belongs(dbal__postgres_control control, const char *instead)
{
    return (meaning){.control = control, .kinds = SESSION, .instead = instead};
}

static meaning
plain(unsigned kinds)
{
    return (meaning){.kinds = kinds};
}

/* COMMIT | ROLLBACK [WORK | TRANSACTION] [AND [NO] CHAIN], TO [SAVEPOINT] name, or PREPARED 'id' */
static meaning
ends(dbal__postgres_control control, const char *cursor)
{
    token t = dbal__postgres_next(&cursor);
    if (dbal__postgres_is(t, "prepared"))
        return plain(WRITES | ALONE);
    if (dbal__postgres_is(t, "work") || dbal__postgres_is(t, "transaction"))
        t = dbal__postgres_next(&cursor);
    if (control == DBAL__POSTGRES_ROLLS_BACK && dbal__postgres_is(t, "to"))
        return belongs(DBAL__POSTGRES_ROLLS_BACK_TO, savepoint);
    meaning m = belongs(control, transaction);
    m.chains =
        dbal__postgres_is(t, "and") && dbal__postgres_is(dbal__postgres_next(&cursor), "chain");
    return m;
}

/* of a transaction, or of a session */
static meaning
sets(const char *cursor)
{
    token t = dbal__postgres_next(&cursor);
    bool local = dbal__postgres_is(t, "local") || dbal__postgres_is(t, "transaction") ||
                 dbal__postgres_is(t, "constraints");
    return belongs(DBAL__POSTGRES_CHANGES_SESSION, local ? transaction : session);
}

static meaning
prepares(const char *cursor)
{
    token t = dbal__postgres_next(&cursor);
    if (dbal__postgres_is(t, "transaction"))
        return belongs(DBAL__POSTGRES_PREPARES, transaction);
    return belongs(DBAL__POSTGRES_CHANGES_SESSION, query);
}

/* behind FROM or TO: through the connection, or a file or program of the server's */
static meaning
copies_place(const char *cursor, bool in, bool changes)
{
    token place = dbal__postgres_next(&cursor);
    unsigned kinds = ALONE | (in || changes ? WRITES : READS);
    if (!dbal__postgres_is(place, "stdin") && !dbal__postgres_is(place, "stdout"))
        return plain(kinds);
    return (meaning){.control = DBAL__POSTGRES_COPIES,
                     .kinds = kinds | (in ? DBAL_SQL_COPY_IN : DBAL_SQL_COPY_OUT)};
}

/* COPY name [(columns)] FROM, or name [(columns)] | (query) TO */
static meaning
copies(const char *cursor)
{
    unsigned depth = 0;
    bool changes = false;
    token t = dbal__postgres_next(&cursor);
    for (; !dbal__postgres_is_end(t); t = dbal__postgres_next(&cursor)) {
        if (dbal__postgres_is_byte(t, '('))
            depth++;
        else if (dbal__postgres_is_byte(t, ')'))
            depth -= depth != 0;
        else if (depth != 0)
            changes = changes || changes_rows(t, cursor);
        else if (dbal__postgres_is(t, "from") || dbal__postgres_is(t, "to"))
            return copies_place(cursor, dbal__postgres_is(t, "from"), changes);
    }
    return plain(READS | ALONE);
}

/* CREATE [OR REPLACE] [GLOBAL | LOCAL] TEMP …, or anything in the schema pg_temp */
static bool
is_temporary(const char *cursor)
{
    token t = dbal__postgres_next(&cursor);
    while (dbal__postgres_is(t, "or") || dbal__postgres_is(t, "replace") ||
           dbal__postgres_is(t, "global") || dbal__postgres_is(t, "local"))
        t = dbal__postgres_next(&cursor);
    if (dbal__postgres_is(t, "temp") || dbal__postgres_is(t, "temporary"))
        return true;
    /* its name comes behind a few words: UNLOGGED TABLE IF NOT EXISTS, say */
    for (int words = 0; words < 6 && t.kind == DBAL_SQL_WORD; words++) {
        if (dbal__postgres_is_name(t, "pg_temp"))
            break;
        t = dbal__postgres_next(&cursor);
    }
    return dbal__postgres_is_name(t, "pg_temp") &&
           dbal__postgres_is_byte(dbal__postgres_next(&cursor), '.');
}

static meaning
creates(const char *cursor)
{
    if (!is_temporary(cursor))
        return plain(WRITES | ALONE);
    meaning m = belongs(DBAL__POSTGRES_CHANGES_SESSION, session);
    m.kinds |= WRITES | ALONE;
    return m;
}

/* ---- EXPLAIN ------------------------------------------------------------------------------- */

/* the value of an option between parentheses: on unless it is said to be off */
static bool
is_off(token t)
{
    return dbal__postgres_is(t, "off") || dbal__postgres_is(t, "false") ||
           (t.kind == DBAL_SQL_NUMBER && t.size == 1 && *t.start == '0') ||
           (t.kind == DBAL_SQL_STRING &&
            (strncmp(t.start, "'off'", 5) == 0 || strncmp(t.start, "'false'", 7) == 0));
}

/* behind the opening one; whether ANALYZE is among the options */
static bool
options_analyze(const char **cursor)
{
    bool analyzes = false;
    unsigned depth = 1;
    token t = dbal__postgres_next(cursor);
    for (; !dbal__postgres_is_end(t); t = dbal__postgres_next(cursor)) {
        if (dbal__postgres_is_byte(t, '('))
            depth++;
        else if (dbal__postgres_is_byte(t, ')') && --depth == 0)
            break;
        else if (dbal__postgres_is(t, "analyze") || dbal__postgres_is(t, "analyse"))
            analyzes = !is_off(dbal__postgres_peek(*cursor));
    }
    return analyzes;
}

/* moves over EXPLAIN's options; whether the statement is executed */
static bool
analyzes(const char **cursor)
{
    bool yes = false;
    const char *behind = *cursor;
    token t = dbal__postgres_next(&behind);
    if (dbal__postgres_is_byte(t, '(')) {
        token first = dbal__postgres_peek(behind);
        /* EXPLAIN (SELECT …) has no options */
        if (dbal__postgres_is(first, "select") || dbal__postgres_is(first, "values") ||
            dbal__postgres_is(first, "with") || dbal__postgres_is(first, "table") ||
            dbal__postgres_is_byte(first, '('))
            return false;
        yes = options_analyze(&behind);
        *cursor = behind;
        return yes;
    }
    while (dbal__postgres_is(t, "analyze") || dbal__postgres_is(t, "analyse") ||
           dbal__postgres_is(t, "verbose")) {
        yes = yes || !dbal__postgres_is(t, "verbose");
        *cursor = behind;
        t = dbal__postgres_next(&behind);
    }
    return yes;
}

static meaning
explains(const char *cursor)
{
    if (analyzes(&cursor)) {
        meaning m = dbal__postgres_meaning_of(cursor);
        m.kinds |= ALONE;
        return m;
    }
    if (dbal__postgres_is(dbal__postgres_peek(cursor), "execute"))
        return belongs(DBAL__POSTGRES_CHANGES_SESSION, query);
    return plain(READS | ALONE);
}

/* ---- the verb ------------------------------------------------------------------------------ */

static const struct {
    const char *verb;
    dbal__postgres_control control;
    unsigned kinds;
    const char *instead;
} simple[] = {
    {"begin", DBAL__POSTGRES_BEGINS, SESSION | DBAL_SQL_BEGINS, transaction},
    {"start", DBAL__POSTGRES_BEGINS, SESSION | DBAL_SQL_BEGINS, transaction},
    {"savepoint", DBAL__POSTGRES_SAVEPOINTS, SESSION, savepoint},
    {"release", DBAL__POSTGRES_RELEASES, SESSION, savepoint},
    {"reset", DBAL__POSTGRES_CHANGES_SESSION, SESSION, session},
    {"discard", DBAL__POSTGRES_DISCARDS, SESSION | ALONE, session},
    {"load", DBAL__POSTGRES_CHANGES_SESSION, SESSION | ALONE, session},
    {"listen", DBAL__POSTGRES_CHANGES_SESSION, SESSION, listener},
    {"unlisten", DBAL__POSTGRES_CHANGES_SESSION, SESSION, listener},
    {"execute", DBAL__POSTGRES_CHANGES_SESSION, SESSION | WRITES | ALONE, query},
    {"deallocate", DBAL__POSTGRES_DISCARDS, SESSION, query},
    {"declare", DBAL__POSTGRES_CHANGES_SESSION, SESSION, stream},
    {"fetch", DBAL__POSTGRES_CHANGES_SESSION, SESSION, stream},
    {"move", DBAL__POSTGRES_CHANGES_SESSION, SESSION, stream},
    {"close", DBAL__POSTGRES_CHANGES_SESSION, SESSION, stream},
    {"lock", DBAL__POSTGRES_PLAIN, SESSION, transaction},
    {"notify", DBAL__POSTGRES_PLAIN, WRITES, NULL},
    {"show", DBAL__POSTGRES_PLAIN, READS | ALONE, NULL},
};

static bool
is_query(token t)
{
    return dbal__postgres_is(t, "select") || dbal__postgres_is(t, "values") ||
           dbal__postgres_is(t, "with") || dbal__postgres_is(t, "table") || is_change(t);
}

/* `cursor` stands behind the verb */
static meaning
of_verb(token t, const char *cursor)
{
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++)
        if (dbal__postgres_is(t, simple[i].verb))
            return (meaning){.control = simple[i].control,
                             .kinds = simple[i].kinds,
                             .instead = simple[i].instead};
    if (dbal__postgres_is(t, "commit") || dbal__postgres_is(t, "end"))
        return ends(DBAL__POSTGRES_COMMITS, cursor);
    if (dbal__postgres_is(t, "rollback") || dbal__postgres_is(t, "abort"))
        return ends(DBAL__POSTGRES_ROLLS_BACK, cursor);
    if (dbal__postgres_is(t, "set"))
        return sets(cursor);
    if (dbal__postgres_is(t, "prepare"))
        return prepares(cursor);
    if (dbal__postgres_is(t, "copy"))
        return copies(cursor);
    if (dbal__postgres_is(t, "create"))
        return creates(cursor);
    if (dbal__postgres_is(t, "explain"))
        return explains(cursor);
    /* DDL, CALL, DO, VACUUM … or nothing that PostgreSQL knows: it says where it goes wrong */
    return plain(WRITES | ALONE);
}

meaning
dbal__postgres_meaning_of(const char *sql)
{
    const char *cursor = sql, *start = sql;
    token t = dbal__postgres_next(&cursor);
    while (t.kind == DBAL_SQL_SEMICOLON) {
        start = cursor;
        t = dbal__postgres_next(&cursor);
    }
    while (dbal__postgres_is_byte(t, '('))
        t = dbal__postgres_next(&cursor);
    if (t.kind == DBAL_SQL_END)
        return plain(READS | ALONE);
    return is_query(t) ? of_query(start) : of_verb(t, cursor);
}

dbal__postgres_control
dbal__postgres_control_of(const char *sql)
{
    return dbal__postgres_meaning_of(sql).control;
}

/* ---- what lasts ------------------------------------------------------------------------------ */

static const char pooled[] =
    "a server without a pooler in between: with pool_pooler=transaction what a session keeps is "
    "lost with its transaction";

static bool
has_words(const char *cursor, const char *first, const char *second)
{
    token before = {.kind = DBAL_SQL_END}, t = dbal__postgres_next(&cursor);
    for (; !dbal__postgres_is_end(t); before = t, t = dbal__postgres_next(&cursor))
        if (dbal__postgres_is(t, second) && dbal__postgres_is(before, first))
            return true;
    return false;
}

/* Of what belongs to a session: SET LOCAL, LOCK, a cursor, a table ON COMMIT DROP, currval() … */
static bool
ends_with_its_transaction(const meaning *m, const char *sql)
{
    if (m->control == DBAL__POSTGRES_PLAIN || m->instead == transaction)
        return true;
    return m->instead == stream ? !has_words(sql, "with", "hold")
                                : has_words(sql, "commit", "drop");
}

dbal_sql_class
dbal__postgres_classify(const void *config, const char *sql)
{
    const dbal__postgres_config *c = config;
    meaning m = dbal__postgres_meaning_of(sql);
    dbal_sql_class class = {m.kinds, m.instead};
    bool discards = m.control == DBAL__POSTGRES_DISCARDS;
    bool changes = m.control == DBAL__POSTGRES_CHANGES_SESSION || discards ||
                   m.control == DBAL__POSTGRES_PLAIN;
    if ((m.kinds & SESSION) == 0 || !changes)
        return class;
    if (!discards && ends_with_its_transaction(&m, sql))
        class.kinds |= DBAL_SQL_LOCAL;
    else if (c != NULL && c->pooler)
        class = (dbal_sql_class){m.kinds | DBAL_SQL_REFUSED, pooled};
    return class;
}
