#include <errno.h>
#include <strings.h>
#include <time.h>

#include "connection.h"
#include "failure.h"
#include "transaction.h"

static bool
set_up(dbal__odbc_connection *c)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool ok = pthread_cond_init(&c->ended, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    c->has_lock = ok && pthread_mutex_init(&c->lock, NULL) == 0;
    if (ok && !c->has_lock)
        pthread_cond_destroy(&c->ended);
    c->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return c->has_lock && c->plain != (locale_t)0;
}

/* ---- the session ------------------------------------------------------------------------------- */

static bool
allocate(dbal__odbc_connection *c)
{
    return SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &c->environment)) &&
           SQL_SUCCEEDED(
               SQLSetEnvAttr(c->environment, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0)) &&
           SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, c->environment, &c->handle));
}

/* the seconds left, at least one: 0 would mean for ever */
static SQLULEN
seconds_until(int64_t deadline)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t left = deadline - ((int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
    return left < 1000000000 ? 1 : (SQLULEN)(left / 1000000000);
}

static bool
log_in(dbal__odbc_connection *c, const dbal_opening *opening)
{
    SQLCHAR *string = (SQLCHAR *)(uintptr_t)c->config->string;
    SQLSMALLINT size = 0;
    if (opening->deadline != INT64_MAX)
        SQLSetConnectAttr(c->handle, SQL_ATTR_LOGIN_TIMEOUT,
                          (SQLPOINTER)seconds_until(opening->deadline), SQL_IS_UINTEGER);
    c->connected =
        SQL_SUCCEEDED(SQLDriverConnect(c->handle, NULL, string, (SQLSMALLINT)c->config->size, NULL,
                                       0, &size, SQL_DRIVER_NOPROMPT));
    return c->connected;
}

static void
know_database(dbal__odbc_connection *c)
{
    char name[64] = "";
    SQLSMALLINT size = 0;
    static const struct {
        const char *name;
        dbal__odbc_database database;
    } known[] = {{"SQLite", DBAL__ODBC_SQLITE},
                 {"PostgreSQL", DBAL__ODBC_POSTGRESQL},
                 {"MySQL", DBAL__ODBC_MYSQL},
                 {"MariaDB", DBAL__ODBC_MYSQL}};
    if (!SQL_SUCCEEDED(SQLGetInfo(c->handle, SQL_DBMS_NAME, name, sizeof name, &size)))
        name[0] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(name, known[i].name) == 0)
            c->database = known[i].database;
    SQLUSMALLINT has_more = SQL_FALSE;
    c->has_more = SQL_SUCCEEDED(SQLGetFunctions(c->handle, SQL_API_SQLMORERESULTS, &has_more)) &&
                  has_more == SQL_TRUE;
}

bool
dbal__odbc_open(void *connection, dbal_opening *opening, dbal_fault *fault)
{
    dbal__odbc_connection *c = connection;
    c->config = opening->config;
    if (!set_up(c) || !dbal__odbc_cache_init(&c->cache, opening->statement_cache) || !allocate(c)) {
        dbal__odbc_failure_memory(fault);
        dbal__odbc_close(c);
        return false;
    }
    if (!log_in(c, opening)) {
        dbal__odbc_failure(c, SQL_HANDLE_DBC, c->handle, fault);
        dbal__odbc_close(c);
        return false;
    }
    know_database(c);
    dbal__odbc_transaction_learn(c);
    return true;
}

void
dbal__odbc_close(void *connection)
{
    dbal__odbc_connection *c = connection;
    dbal__odbc_cache_fini(&c->cache);
    if (c->connected) {
        /* with a transaction open SQLDisconnect() refuses */
        if (c->open)
            SQLEndTran(SQL_HANDLE_DBC, c->handle, SQL_ROLLBACK);
        SQLDisconnect(c->handle);
    }
    if (c->handle != SQL_NULL_HDBC)
        SQLFreeHandle(SQL_HANDLE_DBC, c->handle);
    if (c->environment != SQL_NULL_HENV)
        SQLFreeHandle(SQL_HANDLE_ENV, c->environment);
    dbal__odbc_buffer_fini(&c->cell);
    if (c->plain != (locale_t)0)
        freelocale(c->plain);
    if (c->has_lock) {
        pthread_mutex_destroy(&c->lock);
        pthread_cond_destroy(&c->ended);
    }
}

/* ---- its state --------------------------------------------------------------------------------- */

bool
dbal__odbc_ping(void *connection, dbal_fault *fault)
{
    dbal__odbc_connection *c = connection;
    SQLHSTMT handle = SQL_NULL_HSTMT;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, c->handle, &handle)))
        return dbal__odbc_failure(c, SQL_HANDLE_DBC, c->handle, fault);
    bool ok = SQL_SUCCEEDED(SQLExecDirect(handle, (SQLCHAR *)"select 1", SQL_NTS)) ||
              dbal__odbc_failure_statement(c, handle, fault);
    SQLFreeHandle(SQL_HANDLE_STMT, handle);
    return ok;
}

bool
dbal__odbc_reset(void *connection, dbal_fault *fault)
{
    dbal__odbc_connection *c = connection;
    if (c->open && !dbal__odbc_transaction_rollback(c, fault))
        return false;
    if (!c->lasting)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, NULL,
                   "the session left settings or temporary tables behind, and ODBC has no call "
                   "that makes it as new");
    return false;
}

bool
dbal__odbc_in_transaction(void *connection)
{
    return ((dbal__odbc_connection *)connection)->open;
}
