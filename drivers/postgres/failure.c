#include "failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"
#include "secret.h"

/* ---- classes ------------------------------------------------------------------------------- */

static bool
is(const char *sqlstate, const char *code)
{
    return strncmp(sqlstate, code, strlen(code)) == 0;
}

dbal_error_class
dbal__postgres_failure_class(const char *sqlstate)
{
    /* the whole code before its class; what is not here is OPERATIONAL */
    static const struct {
        const char *code;
        dbal_error_class error_class;
    } classes[] = {
        {"25006", DBAL_ERROR_OPERATIONAL}, /* a server that has become a standby, say */
        {"25P03", DBAL_ERROR_OPERATIONAL}, /* a time-out of the server's */
        {"44000", DBAL_ERROR_INTEGRITY},   /* WITH CHECK OPTION */
        {"0A", DBAL_ERROR_NOT_SUPPORTED},  {"22", DBAL_ERROR_DATA},
        {"23", DBAL_ERROR_INTEGRITY},      {"42", DBAL_ERROR_PROGRAMMING},
        {"P0", DBAL_ERROR_PROGRAMMING},    {"0L", DBAL_ERROR_PROGRAMMING},
        {"0P", DBAL_ERROR_PROGRAMMING},    {"10", DBAL_ERROR_PROGRAMMING},
        {"20", DBAL_ERROR_PROGRAMMING},    {"21", DBAL_ERROR_PROGRAMMING},
        {"26", DBAL_ERROR_PROGRAMMING},    {"34", DBAL_ERROR_PROGRAMMING},
        {"3D", DBAL_ERROR_PROGRAMMING},    {"3F", DBAL_ERROR_PROGRAMMING},
        {"44", DBAL_ERROR_PROGRAMMING},    {"24", DBAL_ERROR_INTERNAL},
        {"25", DBAL_ERROR_INTERNAL},       {"2B", DBAL_ERROR_INTERNAL},
        {"2D", DBAL_ERROR_INTERNAL},       {"XX", DBAL_ERROR_INTERNAL},
    };
    if (sqlstate == NULL)
        return DBAL_ERROR_OPERATIONAL;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (is(sqlstate, classes[i].code))
            return classes[i].error_class;
    return DBAL_ERROR_OPERATIONAL;
}

/* serialization failure, deadlock, a lock that was not to be had in time */
static bool
is_retryable(const char *sqlstate)
{
    return is(sqlstate, "40001") || is(sqlstate, "40P01") || is(sqlstate, "55P03");
}

/* ---- parts of an error --------------------------------------------------------------------- */

static const char *
field(const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);
    return text != NULL ? text : "";
}

/* the server counts characters, from 1; the program's place is a byte, from 1, and 0 is unknown */
static int
position_in(const char *sql, const char *text)
{
    long characters = strtol(text, NULL, 10);
    const char *at = sql;
    if (sql == NULL || characters < 1)
        return 0;
    for (; characters > 1 && *at != '\0'; characters--)
        do
            at++;
        while (((unsigned char)*at & 0xc0) == 0x80);
    return characters == 1 ? (int)(at - sql) + 1 : 0;
}

static void
set_position(dbal_fault *fault, const PGresult *result, const char *sql)
{
    dbal_fault_set_position(fault, position_in(sql, field(result, PG_DIAG_STATEMENT_POSITION)));
}

/* its name, or "table.column" where a column may not be NULL, which has none */
static void
set_constraint(dbal_fault *fault, const PGresult *result)
{
    const char *name = field(result, PG_DIAG_CONSTRAINT_NAME);
    const char *table = field(result, PG_DIAG_TABLE_NAME);
    const char *column = field(result, PG_DIAG_COLUMN_NAME);
    char path[2 * 256];
    size_t room = sizeof path - 2, size = strnlen(table, 255);
    if (name[0] != '\0' || column[0] == '\0') {
        dbal_fault_set_constraint(fault, name[0] != '\0' ? name : NULL);
        return;
    }
    memcpy(path, table, size);
    path[size++] = '.';
    size_t rest = strnlen(column, room - size);
    memcpy(path + size, column, rest);
    path[size + rest] = '\0';
    dbal_fault_set_constraint(fault, path);
}

/* The detail of a violated constraint shows the row. */
static void
set_detail(dbal_fault *fault, const PGresult *result, const dbal_request *request,
           const char *sqlstate)
{
    char shown[DBAL__POSTGRES_SECRET_ROOM];
    const char *detail = field(result, PG_DIAG_MESSAGE_DETAIL);
    if (detail[0] == '\0')
        return;
    if (!is(sqlstate, "23"))
        dbal__postgres_secret_hide(detail, request, is(sqlstate, "22"), shown);
    else if (!dbal__postgres_secret_key(detail, shown))
        return;
    dbal_fault_set_detail(fault, shown);
}

/* Of a copy: the line of the data, and the column. */
static void
set_place(dbal_fault *fault, const PGresult *result)
{
    char place[200], detail[DBAL__POSTGRES_SECRET_ROOM + sizeof place + 2];
    char shown[DBAL__POSTGRES_SECRET_ROOM];
    if (!dbal__postgres_place(field(result, PG_DIAG_CONTEXT), place, sizeof place))
        return;
    bool key = dbal__postgres_secret_key(field(result, PG_DIAG_MESSAGE_DETAIL), shown);
    snprintf(detail, sizeof detail, "%s%s%s", place, key ? ": " : "", key ? shown : "");
    dbal_fault_set_detail(fault, detail);
}

static void
set_hint(dbal_fault *fault, const PGresult *result, const dbal_request *request)
{
    char shown[DBAL__POSTGRES_SECRET_ROOM];
    const char *hint = field(result, PG_DIAG_MESSAGE_HINT);
    if (hint[0] == '\0')
        return;
    dbal__postgres_secret_hide(hint, request, false, shown);
    dbal_fault_set_hint(fault, shown);
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* what libpq itself says has no SQLSTATE: the connection is gone */
static void
set_lost(dbal_fault *fault, const PGresult *result)
{
    const char *text = PQresultErrorMessage(result);
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
        size--;
    if (size > DBAL__POSTGRES_SECRET_ROOM)
        size = DBAL__POSTGRES_SECRET_ROOM;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08006", "%.*s", (int)size,
                   size != 0 ? text : "");
    dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
    dbal_fault_set_connection_lost(fault, true);
}

bool
dbal__postgres_failure_is_fatal(const PGresult *result)
{
    /* poolers and old servers have the one that may be translated alone */
    const char *severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity[0] == '\0')
        severity = field(result, PG_DIAG_SEVERITY);
    return is(severity, "FATAL") || is(severity, "PANIC");
}

bool
dbal__postgres_failure_is_servers(const PGresult *result)
{
    return PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION) != NULL;
}

/*
 * After a FATAL the server closes; what it had begun may be done. So may what a pooler has passed on and
 * given up then, which it calls an error like any other (PgBouncer's query_timeout).
 */
static bool
is_last_word(const PGresult *result, const char *sqlstate)
{
    return dbal__postgres_failure_is_fatal(result) ||
           (is(sqlstate, "08") && !dbal__postgres_failure_is_servers(result));
}

static void
set(dbal_fault *fault, const PGresult *result, const char *sql, const dbal_request *request)
{
    char message[DBAL__POSTGRES_SECRET_ROOM];
    const char *sqlstate = field(result, PG_DIAG_SQLSTATE);
    /* one that has a place is about the SQL's own text */
    const dbal_request *quoted =
        field(result, PG_DIAG_STATEMENT_POSITION)[0] == '\0' ? request : NULL;
    bool lost = is_last_word(result, sqlstate), unknown = lost || is(sqlstate, "40003");

    dbal__postgres_secret_hide(field(result, PG_DIAG_MESSAGE_PRIMARY), quoted, is(sqlstate, "22"),
                               message);
    bool copies = request != NULL && dbal_request_copy(request) != DBAL_COPY_NONE;
    if (copies)
        dbal__postgres_place_hide(field(result, PG_DIAG_CONTEXT), message, sizeof message);
    dbal_fault_set(fault, dbal__postgres_failure_class(sqlstate), sqlstate, "%s", message);
    set_detail(fault, result, quoted, sqlstate);
    if (copies)
        set_place(fault, result);
    set_hint(fault, result, quoted);
    set_constraint(fault, result);
    set_position(fault, result, sql);
    dbal_fault_set_connection_lost(fault, lost);
    dbal_fault_set_retryable(fault, !unknown && is_retryable(sqlstate));
    if (unknown)
        dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
}

static void
explain(dbal_fault *fault, const PGresult *result, const char *sql, const dbal_request *request)
{
    if (result == NULL)
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "no memory for the server's answer");
    else if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
        dbal_fault_set(fault, DBAL_ERROR_INTERNAL, "25P02",
                       "the statement was not executed, because one before it failed");
    else if (PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL)
        set_lost(fault, result);
    else
        set(fault, result, sql, request);
}

void
dbal__postgres_failure(dbal_fault *fault, const PGresult *result, const char *sql)
{
    explain(fault, result, sql, NULL);
}

void
dbal__postgres_failure_of(dbal_fault *fault, const PGresult *result, const dbal_request *request)
{
    explain(fault, result, dbal_request_sql(request, NULL), request);
}
