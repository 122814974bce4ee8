#include "time_limit.h"

#include <string.h>
#include <time.h>

/* Seconds; what is longer has no limit. */
enum { MOST = 1 << 20 };

/* A little more than there are, since the server's clock may be faster than this one. 0: none. */
static SQLULEN
rest_of(int64_t now, int64_t deadline)
{
    static const int64_t second = 1000000000;
    if (deadline == INT64_MAX)
        return 0;
    int64_t rest = deadline > now ? deadline - now : 0;
    rest += rest / 128;
    rest = (rest + second - 1) / second;
    return rest > MOST ? 0 : rest > 1 ? (SQLULEN)rest : 1;
}

SQLULEN
dbal__odbc_time_limit_for(SQLULEN own, SQLULEN present, int64_t now, int64_t deadline)
{
    SQLULEN rest = rest_of(now, deadline), wanted = 1;
    SQLULEN in_force = present != 0 ? present : own;
    if (rest == 0)
        return 0;
    if (rest <= in_force && in_force / 4 <= rest)
        return present;
    while (wanted < rest)
        wanted *= 2;
    return own != 0 && wanted >= own ? 0 : wanted;
}

static SQLRETURN
set(SQLHSTMT handle, SQLULEN seconds)
{
    return SQLSetStmtAttr(handle, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)seconds, SQL_IS_UINTEGER);
}

/*
 * PostgreSQL's ODBC driver sets the session's statement_timeout, and takes that back by setting it to 0:
 * neither is right where the role, the database or the server has one.
 */
static bool
has_none(dbal__odbc_connection *c)
{
    char text[16] = "";
    SQLLEN size = 0;
    SQLHSTMT handle = SQL_NULL_HSTMT;
    bool ok = SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, c->handle, &handle)) &&
              SQL_SUCCEEDED(SQLExecDirect(handle, (SQLCHAR *)"show statement_timeout", SQL_NTS)) &&
              SQL_SUCCEEDED(SQLFetch(handle)) &&
              SQL_SUCCEEDED(SQLGetData(handle, 1, SQL_C_CHAR, text, sizeof text, &size));
    if (handle != SQL_NULL_HSTMT)
        SQLFreeHandle(SQL_HANDLE_STMT, handle);
    return ok && strcmp(text, "0") == 0;
}

/* What the ODBC driver's own settings have given the handle is not to be exceeded. */
static void
learn(dbal__odbc_connection *c, SQLHSTMT handle)
{
    dbal__odbc_time_limit *limit = &c->time_limit;
    SQLULEN own = 0;
    limit->known = true;
    limit->off =
        !SQL_SUCCEEDED(SQLGetStmtAttr(handle, SQL_ATTR_QUERY_TIMEOUT, &own, sizeof own, NULL)) ||
        (c->database == DBAL__ODBC_POSTGRESQL && !has_none(c));
    limit->own = own;
}

/* SQLite's ODBC driver takes it and does nothing; MySQL's put it above the session's own. */
static bool
is_of_use(const dbal__odbc_connection *c)
{
    return c->database != DBAL__ODBC_SQLITE && c->database != DBAL__ODBC_MYSQL &&
           !c->time_limit.off;
}

void
dbal__odbc_time_limit_apply(dbal__odbc_connection *c, dbal__odbc_statement *s)
{
    dbal__odbc_time_limit *limit = &c->time_limit;
    struct timespec t;
    int64_t deadline = dbal_request_deadline(c->request);
    /*
     * What the program has set for its session is its own matter. What PostgreSQL's ODBC driver sets in a
     * transaction is undone with it, and it does not notice: there it sets none, and what was in force it
     * takes back with the first statement, before it begins.
     */
    if (c->lasting || (c->open && c->database == DBAL__ODBC_POSTGRESQL))
        deadline = INT64_MAX;
    if (!limit->known && deadline != INT64_MAX && is_of_use(c))
        learn(c, s->handle);
    if (!limit->known || !is_of_use(c))
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    SQLULEN wanted = dbal__odbc_time_limit_for(
        limit->own, limit->present, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec, deadline);
    limit->present = wanted;
    if (wanted == s->limit)
        return;
    s->limit = wanted;
    if (set(s->handle, wanted != 0 ? wanted : limit->own) == SQL_SUCCESS)
        return;
    /* refused, or taken otherwise than asked */
    set(s->handle, limit->own);
    s->limit = limit->present = 0;
    limit->off = true;
}
