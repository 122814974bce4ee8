#include "dbal/sql_extent.h"

#include "dbal/sql.h"
#include "dbal/sql_token.h"

/* How far behind MySQL's CREATE its object is looked for; DEFINER = … stands before it. */
enum { HEAD_MOST = 24 };

void
dbal__sql_extent_init(dbal__sql_extent *extent, dbal_dialect dialect)
{
    *extent = (dbal__sql_extent){.dialect = dialect};
}

static bool
is_one_of(dbal_sql_token token, const char *const *words)
{
    for (; *words != NULL; words++)
        if (dbal_sql_token_is(token, *words))
            return true;
    return false;
}

static dbal__sql_body
after_start(const dbal__sql_extent *extent, dbal_sql_token token)
{
    static const char *const before[] = {"explain", "query", "plan", NULL};
    if (dbal_sql_token_is(token, "create"))
        return DBAL__SQL_BODY_CREATE;
    if (is_one_of(token, before))
        return DBAL__SQL_BODY_START;
    /* CREATE may stand in a comment that MySQL runs */
    return extent->dialect == DBAL_DIALECT_MYSQL && token.kind == DBAL_SQL_OPERATOR
               ? DBAL__SQL_BODY_START
               : DBAL__SQL_BODY_NONE;
}

static dbal__sql_body
after_mysql_create(dbal__sql_extent *extent, dbal_sql_token token)
{
    static const char *const routines[] = {"trigger", "procedure", "function", "event", NULL};
    if (is_one_of(token, routines))
        return DBAL__SQL_BODY_ROUTINE;
    return ++extent->head < HEAD_MOST ? DBAL__SQL_BODY_CREATE : DBAL__SQL_BODY_NONE;
}

static dbal__sql_body
after_create(dbal__sql_extent *extent, dbal_sql_token token)
{
    static const char *const between[] = {"or", "replace", "temp", "temporary", NULL};
    static const char *const functions[] = {"function", "procedure", NULL};
    if (extent->dialect == DBAL_DIALECT_MYSQL)
        return after_mysql_create(extent, token);
    if (is_one_of(token, between))
        return DBAL__SQL_BODY_CREATE;
    if (extent->dialect == DBAL_DIALECT_SQLITE)
        return dbal_sql_token_is(token, "trigger") ? DBAL__SQL_BODY_TRIGGER : DBAL__SQL_BODY_NONE;
    if (is_one_of(token, functions))
        return DBAL__SQL_BODY_FUNCTION;
    return dbal_sql_token_is(token, "rule") ? DBAL__SQL_BODY_RULE : DBAL__SQL_BODY_NONE;
}

/* SQLite: `ending` once END came where a statement would begin; END is a name's too elsewhere. */
static void
feed_trigger(dbal__sql_extent *extent, dbal_sql_token token)
{
    bool begins =
        extent->previous.kind == DBAL_SQL_SEMICOLON || dbal_sql_token_is(extent->previous, "begin");
    extent->ending = extent->depth > 0 && begins && dbal_sql_token_is(token, "end");
    if (dbal_sql_token_is(token, "begin"))
        extent->depth = 1;
}

static void
feed_rule(dbal__sql_extent *extent, dbal_sql_token token)
{
    if (dbal__sql_token_is_byte(token, '('))
        extent->depth++;
    else if (dbal__sql_token_is_byte(token, ')') && extent->depth > 0)
        extent->depth--;
}

/* END closes BEGIN or CASE; END IF and its like close what was not counted. */
static void
feed_block(dbal__sql_extent *extent, dbal_sql_token token)
{
    static const char *const uncounted[] = {"if", "loop", "while", "repeat", NULL};
    bool ending = extent->ending;
    extent->ending = dbal_sql_token_is(token, "end");
    if (ending && !is_one_of(token, uncounted) && extent->depth > 0)
        extent->depth--;
    if (extent->body == DBAL__SQL_BODY_FUNCTION) {
        if (dbal_sql_token_is(token, "atomic") && dbal_sql_token_is(extent->previous, "begin"))
            extent->depth++;
    } else if (dbal_sql_token_is(token, "begin")) {
        extent->depth++;
    }
    if (dbal_sql_token_is(token, "case") && extent->depth > 0 && !ending)
        extent->depth++;
}

bool
dbal__sql_extent_feed(dbal__sql_extent *extent, dbal_sql_token token)
{
    bool semicolon = token.kind == DBAL_SQL_SEMICOLON, ends = semicolon;
    switch (extent->body) {
    case DBAL__SQL_BODY_START:
        extent->body = after_start(extent, token);
        break;
    case DBAL__SQL_BODY_CREATE:
        extent->body = after_create(extent, token);
        break;
    case DBAL__SQL_BODY_NONE:
        break;
    case DBAL__SQL_BODY_TRIGGER:
        ends = semicolon && (extent->depth == 0 || extent->ending);
        feed_trigger(extent, token);
        break;
    case DBAL__SQL_BODY_RULE:
        feed_rule(extent, token);
        ends = semicolon && extent->depth == 0;
        break;
    case DBAL__SQL_BODY_FUNCTION:
    case DBAL__SQL_BODY_ROUTINE:
        feed_block(extent, token);
        ends = semicolon && extent->depth == 0;
        break;
    }
    extent->previous = token;
    return ends;
}

/* The first token that is no `;`. */
static dbal_sql_token
first_token(dbal__sql_lexer *lexer)
{
    dbal_sql_token token;
    do
        token = dbal__sql_lexer_next(lexer);
    while (token.kind == DBAL_SQL_SEMICOLON);
    return token;
}

bool
dbal__sql_split(dbal_dialect dialect, const char **cursor, const char **ret_start, size_t *ret_size)
{
    dbal__sql_lexer lexer = {dialect, *cursor, false};
    dbal_sql_token token = first_token(&lexer);
    if (token.kind == DBAL_SQL_END) {
        *cursor = lexer.cursor;
        return false;
    }
    dbal__sql_extent extent;
    dbal__sql_extent_init(&extent, dialect);
    const char *start = token.start, *end = token.start;
    while (token.kind != DBAL_SQL_END && !dbal__sql_extent_feed(&extent, token)) {
        end = token.start + token.size;
        token = dbal__sql_lexer_next(&lexer);
    }
    *cursor = lexer.cursor;
    *ret_start = start;
    *ret_size = (size_t)(end - start);
    return true;
}
