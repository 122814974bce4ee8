#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "failure.h"
#include "wait.h"

static bool
fail(dbal__sqlite_connection *c, int code, dbal_fault *fault)
{
    dbal__sqlite_failure_step(c, code, DBAL__SQLITE_ROLLBACK, false, fault);
    return false;
}

/* one text out of a query, allocated by SQLite; NULL when it gives no row */
static char *
one_text(dbal__sqlite_connection *c, const char *sql)
{
    sqlite3_stmt *stmt;
    char *text = NULL;
    if (sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return NULL;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        text = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return text;
}

/* runs what a query writes, one statement a time, until it writes nothing more */
static int
run_written(dbal__sqlite_connection *c, const char *query)
{
    int code = SQLITE_OK;
    char *sql;
    while (code == SQLITE_OK && (sql = one_text(c, query)) != NULL) {
        code = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
        sqlite3_free(sql);
    }
    return code;
}

/*
 * A database in memory lives in its only connection, which therefore must not be closed: what a
 * session left is taken away piece by piece. Settings that no URL parameter has stay as they are.
 */
static int
tidy(dbal__sqlite_connection *c)
{
    int code = run_written(
        c,
        "select printf('drop %s temp.\"%w\"', type, name) from temp.sqlite_schema where type in "
        "('table', 'view', 'trigger') and name not like 'sqlite\\_%' escape '\\' order by type = "
        "'table' limit 1");
    if (code == SQLITE_OK)
        code = run_written(c, "select printf('detach \"%w\"', name) from pragma_database_list "
                              "where name not in ('main', 'temp') limit 1");
    return code == SQLITE_OK ? dbal__sqlite_setup(c) : code;
}

bool
dbal__sqlite_reset(void *connection, dbal_fault *fault)
{
    dbal__sqlite_connection *c = connection;
    int code = SQLITE_OK;
    c->tx_lost = false;
    c->busy_timeout = c->config->busy_timeout;
    if (sqlite3_get_autocommit(c->db) == 0)
        code = sqlite3_exec(c->db, "rollback", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return fail(c, code, fault);
    if (!c->lasting)
        return true;
    if (!c->config->memory) {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, NULL,
                       "the session left settings, temporary tables or attached databases behind");
        return false;
    }
    c->lasting = false;
    code = tidy(c);
    return code == SQLITE_OK || fail(c, code, fault);
}
