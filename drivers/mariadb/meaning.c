#include "meaning.h"

#include <string.h>

#include "function.h"
#include "scan.h"

typedef dbal__mariadb_token token;
typedef dbal__mariadb_meaning meaning;

static const char transaction[] = "dbal_pool_transaction()";
static const char savepoint[] = "dbal_connection_savepoint()";
static const char session[] = "dbal_pool_session()";
static const char stream[] = "dbal_pool_stream()";
static const char query[] = "dbal_pool_query(), which prepares statements by itself";

enum {
    READS = DBAL_SQL_READS,
    WRITES = DBAL_SQL_WRITES,
    SESSION = DBAL_SQL_SESSION,
    LOCAL = DBAL_SQL_LOCAL,
    ALONE = DBAL_SQL_UNSHARED
};

static meaning
plain(unsigned kinds)
{
    return (meaning){.kinds = kinds};
}

static meaning
belongs(dbal__mariadb_control control, unsigned more, const char *instead)
{
    return (meaning){.control = control, .kinds = SESSION | more, .instead = instead};
}

/* DDL and what else ends the open transaction as if it were committed. */
static meaning
commits_by_itself(unsigned more)
{
    return (meaning){.control = DBAL__MARIADB_COMMITS_BY_ITSELF,
                     .kinds = WRITES | ALONE | more,
                     .instead = (more & SESSION) != 0 ? session : NULL};
}

/* What stands behind ANALYZE, EXPLAIN or SET STATEMENT, so many of them deep at most. */
enum { DEEPEST = 16 };
static meaning of_inner(const char *sql, int depth);

/* ---- statements that read or change rows ---------------------------------------------------- */

/* FOR UPDATE | SHARE, or LOCK IN SHARE MODE: it locks rows */
static bool
locks_rows(token t, const char *cursor)
{
    token next = dbal__mariadb_next(&cursor);
    if (dbal__mariadb_is(t, "for"))
        return dbal__mariadb_is(next, "update") || dbal__mariadb_is(next, "share");
    return dbal__mariadb_is(t, "lock") && dbal__mariadb_is(next, "in") &&
           dbal__mariadb_is(dbal__mariadb_next(&cursor), "share");
}

/* SELECT … INTO OUTFILE | DUMPFILE 'file' */
static bool
writes_file(token t, const char *cursor)
{
    token next = dbal__mariadb_peek(cursor);
    return dbal__mariadb_is(t, "into") &&
           (dbal__mariadb_is(next, "outfile") || dbal__mariadb_is(next, "dumpfile"));
}

/* What follows WITH's tables: a word of a statement that is not between parentheses. */
static bool
changes_rows(token before, token t, unsigned depth)
{
    return depth == 0 && dbal__mariadb_is_byte(before, ')') &&
           (dbal__mariadb_is(t, "update") || dbal__mariadb_is(t, "delete"));
}

/* To the end, for what tells that it does more than it seems to; `kinds` is what its verb tells. */
static meaning
of_query(dbal__mariadb_control control, unsigned kinds, const char *cursor)
{
    meaning m = {.control = control, .kinds = kinds};
    unsigned depth = 0;
    token before = {.kind = DBAL_SQL_END};
    for (token t = dbal__mariadb_next(&cursor); !dbal__mariadb_is_end(t);
         before = t, t = dbal__mariadb_next(&cursor)) {
        if (dbal__mariadb_is_byte(t, '('))
            depth++;
        else if (dbal__mariadb_is_byte(t, ')'))
            depth -= depth != 0;
        else if (locks_rows(t, cursor) || writes_file(t, cursor) || changes_rows(before, t, depth))
            m.kinds |= WRITES;
        else
            m.kinds |= dbal__mariadb_function_kinds(before, t, cursor, &m.instead);
    }
    if ((m.kinds & WRITES) == 0)
        m.kinds |= READS;
    return m;
}

/* ---- transactions and sessions -------------------------------------------------------------- */

/* ROLLBACK [WORK] TO …, or the end of a transaction */
static meaning
rolls_back(const char *cursor, int depth)
{
    (void)depth;
    token t = dbal__mariadb_next(&cursor);
    if (dbal__mariadb_is(t, "work"))
        t = dbal__mariadb_next(&cursor);
    if (dbal__mariadb_is(t, "to"))
        return belongs(DBAL__MARIADB_STEPS, 0, savepoint);
    return belongs(DBAL__MARIADB_ROLLS_BACK, 0, transaction);
}

/* START TRANSACTION; others of that verb are the administrator's */
static meaning
starts(const char *cursor, int depth)
{
    (void)depth;
    if (dbal__mariadb_is(dbal__mariadb_peek(cursor), "transaction"))
        return belongs(DBAL__MARIADB_BEGINS, DBAL_SQL_BEGINS, transaction);
    return commits_by_itself(0);
}

/* BEGIN [WORK], or BEGIN NOT ATOMIC, which is a program: it may set anything, as those below */
static meaning
begins(const char *cursor, int depth)
{
    (void)depth;
    if (dbal__mariadb_is(dbal__mariadb_peek(cursor), "not"))
        return belongs(DBAL__MARIADB_PLAIN, WRITES | ALONE, session);
    return belongs(DBAL__MARIADB_BEGINS, DBAL_SQL_BEGINS, transaction);
}

/* SET STATEMENT name = value, … FOR statement */
static meaning
for_one(const char *cursor, int depth)
{
    unsigned parentheses = 0;
    for (token t = dbal__mariadb_next(&cursor); !dbal__mariadb_is_end(t);
         t = dbal__mariadb_next(&cursor)) {
        if (dbal__mariadb_is_byte(t, '('))
            parentheses++;
        else if (dbal__mariadb_is_byte(t, ')'))
            parentheses -= parentheses != 0;
        else if (parentheses == 0 && dbal__mariadb_is(t, "for"))
            return of_inner(cursor, depth + 1);
    }
    return plain(WRITES | ALONE);
}

/* In whatever quotes, or in a mere text: then nothing is lost but a backstop. */
static bool
sets_limit(const char *cursor)
{
    return strcasestr(cursor, "max_statement_time") != NULL;
}

/* SET ROLE name, also behind other settings */
static bool
sets_role(const char *cursor)
{
    bool begins = true;
    for (token t = dbal__mariadb_next(&cursor); !dbal__mariadb_is_end(t);
         t = dbal__mariadb_next(&cursor)) {
        if (begins && dbal__mariadb_is(t, "role"))
            return true;
        begins = dbal__mariadb_is_byte(t, ',');
    }
    return false;
}

static meaning
sets(const char *cursor, int depth)
{
    const char *all = cursor;
    token t = dbal__mariadb_next(&cursor);
    if (dbal__mariadb_is(t, "statement"))
        return for_one(cursor, depth);
    dbal__mariadb_control sets = sets_role(all)    ? DBAL__MARIADB_SETS_ROLE
                                 : sets_limit(all) ? DBAL__MARIADB_SETS_LIMIT
                                                   : DBAL__MARIADB_SETS;
    if (dbal__mariadb_is(t, "global"))
        return (meaning){.control = sets, .kinds = WRITES | SESSION, .instead = session};
    if (dbal__mariadb_is(t, "password") || dbal__mariadb_is(t, "default"))
        return commits_by_itself(0);
    if (dbal__mariadb_is(t, "transaction"))
        return belongs(DBAL__MARIADB_SETS, LOCAL, transaction);
    return belongs(sets, 0, session);
}

/* ---- DDL ---------------------------------------------------------------------------------------- */

/* CREATE [OR REPLACE] TEMPORARY, DROP TEMPORARY */
static meaning
defines(const char *cursor, int depth)
{
    (void)depth;
    token t = dbal__mariadb_next(&cursor);
    while (dbal__mariadb_is(t, "or") || dbal__mariadb_is(t, "replace"))
        t = dbal__mariadb_next(&cursor);
    if (dbal__mariadb_is(t, "temporary"))
        return belongs(DBAL__MARIADB_PLAIN, WRITES | ALONE, session);
    return commits_by_itself(0);
}

/* FLUSH TABLES … WITH READ LOCK | FOR EXPORT holds locks */
static meaning
flushes(const char *cursor, int depth)
{
    (void)depth;
    for (token t = dbal__mariadb_next(&cursor); !dbal__mariadb_is_end(t);
         t = dbal__mariadb_next(&cursor))
        if (dbal__mariadb_is(t, "lock") || dbal__mariadb_is(t, "export"))
            return commits_by_itself(SESSION);
    return commits_by_itself(0);
}

/* ---- what tells something --------------------------------------------------------------------- */

/* SHOW WARNINGS | ERRORS | COUNT(*) …: of the statement before */
static meaning
shows(const char *cursor, int depth)
{
    (void)depth;
    token t = dbal__mariadb_next(&cursor);
    bool last = dbal__mariadb_is(t, "warnings") || dbal__mariadb_is(t, "errors") ||
                dbal__mariadb_is(t, "count");
    return last ? belongs(DBAL__MARIADB_PLAIN, READS | ALONE, session) : plain(READS | ALONE);
}

/* ANALYZE [FORMAT = JSON] statement runs it; ANALYZE TABLE is of another kind */
static meaning
analyzes(const char *cursor, int depth)
{
    token t = dbal__mariadb_peek(cursor);
    const char *behind = cursor;
    if (dbal__mariadb_is(t, "table") || dbal__mariadb_is(t, "local") ||
        dbal__mariadb_is(t, "no_write_to_binlog"))
        return commits_by_itself(0);
    if (dbal__mariadb_is(t, "format"))
        for (int i = 0; i < 3; i++)
            dbal__mariadb_next(&behind);
    meaning m = of_inner(behind, depth + 1);
    m.kinds |= ALONE;
    return m;
}

static meaning
explains(const char *cursor, int depth)
{
    token t = dbal__mariadb_peek(cursor);
    return dbal__mariadb_is(t, "analyze") ? of_inner(cursor, depth + 1) : plain(READS | ALONE);
}

/* ---- the verb --------------------------------------------------------------------------------- */

static const struct {
    const char *verb;
    meaning (*reads)(const char *cursor, int depth); /* what follows tells, or NULL */
    meaning meaning;
} verbs[] = {
    {"begin", begins, {0}},
    {"start", starts, {0}},
    {"commit", NULL, {DBAL__MARIADB_COMMITS, SESSION, transaction}},
    {"rollback", rolls_back, {0}},
    {"savepoint", NULL, {DBAL__MARIADB_STEPS, SESSION, savepoint}},
    {"release", NULL, {DBAL__MARIADB_STEPS, SESSION, savepoint}},
    {"set", sets, {0}},
    {"use", NULL, {DBAL__MARIADB_MOVES, SESSION, "the database in the URL"}},
    {"lock", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, SESSION | WRITES | ALONE, session}},
    {"unlock", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, SESSION | WRITES | ALONE, session}},
    {"xa", NULL, {DBAL__MARIADB_PLAIN, SESSION | WRITES | ALONE, session}},
    {"prepare", NULL, {DBAL__MARIADB_PLAIN, SESSION, query}},
    {"execute", NULL, {DBAL__MARIADB_PLAIN, SESSION | WRITES | ALONE, query}},
    {"deallocate", NULL, {DBAL__MARIADB_PLAIN, SESSION, query}},
    {"handler", NULL, {DBAL__MARIADB_PLAIN, SESSION | ALONE, stream}},
    {"get", NULL, {DBAL__MARIADB_PLAIN, SESSION | ALONE, session}},
    {"if", NULL, {DBAL__MARIADB_PLAIN, SESSION | WRITES | ALONE, session}},
    {"case", NULL, {DBAL__MARIADB_PLAIN, SESSION | WRITES | ALONE, session}},
    {"while", NULL, {DBAL__MARIADB_PLAIN, SESSION | WRITES | ALONE, session}},
    {"loop", NULL, {DBAL__MARIADB_PLAIN, SESSION | WRITES | ALONE, session}},
    {"repeat", NULL, {DBAL__MARIADB_PLAIN, SESSION | WRITES | ALONE, session}},
    {"for", NULL, {DBAL__MARIADB_PLAIN, SESSION | WRITES | ALONE, session}},
    {"create", defines, {0}},
    {"drop", defines, {0}},
    {"flush", flushes, {0}},
    {"alter", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"rename", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"truncate", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"grant", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"revoke", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"check", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"optimize", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"repair", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"cache", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"reset", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"install", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"uninstall", NULL, {DBAL__MARIADB_COMMITS_BY_ITSELF, WRITES | ALONE, NULL}},
    {"analyze", analyzes, {0}},
    {"explain", explains, {0}},
    {"describe", explains, {0}},
    {"desc", explains, {0}},
    {"show", shows, {0}},
    {"help", NULL, {DBAL__MARIADB_HELPS, READS | ALONE, NULL}},
    {"checksum", NULL, {DBAL__MARIADB_PLAIN, READS | ALONE, NULL}},
};

/* Rows are read or changed; 0 in `kinds`: read. */
static const struct {
    const char *verb;
    dbal__mariadb_control control;
    unsigned kinds;
} queries[] = {
    {"select", DBAL__MARIADB_PLAIN, 0},       {"values", DBAL__MARIADB_PLAIN, 0},
    {"with", DBAL__MARIADB_PLAIN, 0},         {"table", DBAL__MARIADB_PLAIN, 0},
    {"do", DBAL__MARIADB_PLAIN, 0},           {"insert", DBAL__MARIADB_MAKES, WRITES},
    {"replace", DBAL__MARIADB_MAKES, WRITES}, {"update", DBAL__MARIADB_PLAIN, WRITES},
    {"delete", DBAL__MARIADB_PLAIN, WRITES},
};

static meaning
of_verb(token t, const char *cursor, int depth)
{
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        if (dbal__mariadb_is(t, queries[i].verb))
            return of_query(queries[i].control, queries[i].kinds, cursor);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (dbal__mariadb_is(t, verbs[i].verb))
            return verbs[i].reads != NULL ? verbs[i].reads(cursor, depth) : verbs[i].meaning;
    /* a program with a label before it */
    if (dbal__mariadb_is_byte(dbal__mariadb_peek(cursor), ':'))
        return belongs(DBAL__MARIADB_PLAIN, WRITES | ALONE, session);
    /* CALL, LOAD, KILL … or nothing that MariaDB knows: it says where it goes wrong */
    return plain(WRITES | ALONE);
}

static meaning
of_inner(const char *sql, int depth)
{
    const char *cursor = sql;
    if (depth > DEEPEST)
        return plain(WRITES | ALONE);
    token t = dbal__mariadb_next(&cursor);
    while (t.kind == DBAL_SQL_SEMICOLON || dbal__mariadb_is_byte(t, '('))
        t = dbal__mariadb_next(&cursor);
    if (t.kind == DBAL_SQL_END)
        return plain(READS | ALONE);
    return of_verb(t, cursor, depth);
}

meaning
dbal__mariadb_meaning_of(const char *sql)
{
    return of_inner(sql, 0);
}

dbal_sql_class
dbal__mariadb_classify(const void *config, const char *sql)
{
    (void)config;
    meaning m = dbal__mariadb_meaning_of(sql);
    return (dbal_sql_class){m.kinds, m.instead};
}
