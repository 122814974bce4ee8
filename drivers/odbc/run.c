#include "bind.h"
#include "cancel.h"
#include "connection.h"
#include "failure.h"
#include "meaning.h"
#include "rows.h"
#include "time_limit.h"
#include "transaction.h"

/* ---- preparing --------------------------------------------------------------------------------- */

/* SQLite's ODBC driver keeps a column's first type for as long as the statement lives. */
static bool
may_cache(const dbal__odbc_connection *c, dbal__odbc_verb verb)
{
    return verb == DBAL__ODBC_CHANGE ||
           (verb == DBAL__ODBC_QUERY && c->database != DBAL__ODBC_SQLITE);
}

/*
 * What is run once need not be prepared; and PostgreSQL's ODBC driver sees that a statement is about a
 * savepoint, which it has some of its own beside, only in one that was not.
 */
static bool
is_direct(const dbal__odbc_connection *c, dbal__odbc_verb verb)
{
    return verb != DBAL__ODBC_QUERY && verb != DBAL__ODBC_CHANGE &&
           dbal_request_parameter_count(c->request) == 0;
}

static bool
prepare(dbal__odbc_connection *c, dbal__odbc_statement *s, dbal__odbc_verb verb, dbal_fault *fault)
{
    SQLCHAR *sql = (SQLCHAR *)(uintptr_t)dbal_request_sql(c->request, NULL);
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, c->handle, &s->handle))) {
        s->handle = SQL_NULL_HSTMT;
        return dbal__odbc_failure(c, SQL_HANDLE_DBC, c->handle, fault);
    }
    /* {braces} are the program's own, not ODBC's */
    SQLSetStmtAttr(s->handle, SQL_ATTR_NOSCAN, (SQLPOINTER)SQL_NOSCAN_ON, SQL_IS_UINTEGER);
    return is_direct(c, verb) || SQL_SUCCEEDED(SQLPrepare(s->handle, sql, (SQLINTEGER)s->size)) ||
           dbal__odbc_failure_statement(c, s->handle, fault);
}

/* out of the cache, or new; NULL with the fault set */
static dbal__odbc_statement *
get_statement(dbal__odbc_connection *c, dbal__odbc_verb verb, dbal_fault *fault)
{
    size_t size;
    const char *sql = dbal_request_sql(c->request, &size);
    uint64_t hash = dbal_request_hash(c->request);
    int most = dbal_request_statement_cache(c->request);
    dbal__odbc_statement *s = dbal__odbc_cache_get(&c->cache, sql, size, hash);
    if (s != NULL)
        return s;
    s = dbal__odbc_statement_new(sql, size, hash);
    if (s == NULL) {
        dbal__odbc_failure_memory(fault);
        return NULL;
    }
    if (!prepare(c, s, verb, fault)) {
        dbal__odbc_statement_free(s);
        return NULL;
    }
    if (most > 0 && may_cache(c, verb))
        dbal__odbc_cache_add(&c->cache, s, most);
    return s;
}

/* What failed is prepared anew next time: tables may have changed since. */
static void
put_statement(dbal__odbc_connection *c, dbal__odbc_statement *s, bool ok)
{
    if (s->cached && ok) {
        SQLFreeStmt(s->handle, SQL_CLOSE);
        return;
    }
    if (s->cached)
        dbal__odbc_cache_remove(&c->cache, s);
    dbal__odbc_statement_free(s);
}

/* ---- running ----------------------------------------------------------------------------------- */

static bool
check_parameters(dbal__odbc_connection *c, SQLHSTMT handle, dbal_fault *fault)
{
    SQLSMALLINT wanted = 0;
    size_t given = dbal_request_parameter_count(c->request);
    bool known = SQL_SUCCEEDED(SQLNumParams(handle, &wanted));
    unsigned count = (SQLUSMALLINT)wanted; /* up to 65535, whatever its type says */
    if (!known || count == given)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "07001",
                   "the statement has %u parameters, and %zu values were given", count, given);
    return false;
}

/* Results behind the first. An error that is met there is the statement's, as in a procedure. */
static bool
drop_others(dbal__odbc_connection *c, SQLHSTMT handle, dbal_fault *fault)
{
    SQLRETURN code = c->has_more ? SQL_SUCCESS : SQL_NO_DATA;
    for (bool first = true; SQL_SUCCEEDED(code); first = false) {
        dbal__odbc_cancel_expose(c, handle);
        /* what has no others has come to its end, and was not stopped */
        code = !first && dbal__odbc_is_stopped(c) ? SQL_ERROR : SQLMoreResults(handle);
        dbal__odbc_cancel_cover(c);
    }
    if (code == SQL_NO_DATA)
        return true;
    return dbal__odbc_failure_statement(c, handle, fault);
}

/* The executed statement's answer. What only reads need not come to its end. */
static bool
take_answer(dbal__odbc_connection *c, SQLHSTMT handle, dbal_fault *fault)
{
    SQLSMALLINT columns = 0;
    SQLLEN rows = -1;
    if (!SQL_SUCCEEDED(SQLNumResultCols(handle, &columns)))
        return dbal__odbc_failure_statement(c, handle, fault);
    if (columns > 0) {
        dbal__odbc_end end = dbal__odbc_rows(c, handle, columns, fault);
        return end != DBAL__ODBC_END_FAILED &&
               ((end == DBAL__ODBC_END_SATISFIED && !c->writes) || drop_others(c, handle, fault));
    }
    if (SQL_SUCCEEDED(SQLRowCount(handle, &rows)) && rows >= 0)
        dbal_request_affected(c->request, rows);
    return drop_others(c, handle, fault);
}

/*
 * Of what was executed, and whose answer has failed. By itself it may have been committed, or a part of
 * it as in a procedure, whatever the error is. In a transaction it is spoilt, and undone with it.
 */
static void
doubt(const dbal__odbc_connection *c, dbal_fault *fault)
{
    if (!c->writes || !dbal_fault_is_set(fault) || (c->open && !dbal__odbc_is_stopped(c)))
        return;
    dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
    dbal_fault_set_retryable(fault, false);
}

static SQLRETURN
call(dbal__odbc_connection *c, SQLHSTMT handle, bool direct)
{
    size_t size;
    SQLCHAR *sql = (SQLCHAR *)(uintptr_t)dbal_request_sql(c->request, &size);
    return direct ? SQLExecDirect(handle, sql, (SQLINTEGER)size) : SQLExecute(handle);
}

static bool
execute(dbal__odbc_connection *c, SQLHSTMT handle, bool direct, dbal_fault *fault)
{
    dbal__odbc_cancel_expose(c, handle);
    bool stopped = dbal__odbc_is_stopped(c);
    SQLRETURN code = stopped ? SQL_ERROR : call(c, handle, direct);
    dbal__odbc_cancel_cover(c);
    if (stopped)
        return dbal__odbc_failure_stopped(fault);
    /* NO_DATA: an UPDATE that met no row */
    if (!SQL_SUCCEEDED(code) && code != SQL_NO_DATA)
        return dbal__odbc_failure_statement(c, handle, fault);
    if (take_answer(c, handle, fault))
        return true;
    doubt(c, fault);
    return false;
}

static bool
run_statement(dbal__odbc_connection *c, dbal__odbc_verb verb, dbal_fault *fault)
{
    dbal__odbc_bound *bound = NULL;
    dbal__odbc_statement *s = get_statement(c, verb, fault);
    if (s == NULL)
        return false;
    bool direct = is_direct(c, verb);
    bool ok = (direct || check_parameters(c, s->handle, fault)) &&
              dbal__odbc_bind(c, s->handle, c->request, &bound, fault);
    if (ok) {
        dbal__odbc_time_limit_apply(c, s);
        ok = execute(c, s->handle, direct, fault);
        dbal__odbc_unbind(s->handle, bound);
    }
    put_statement(c, s, ok);
    return ok;
}

static bool
begin(dbal__odbc_connection *c, dbal_fault *fault)
{
    dbal__odbc_beginning beginning;
    if (dbal__odbc_meaning_begins(dbal_request_sql(c->request, NULL), &beginning))
        return dbal__odbc_transaction_begin(c, &beginning, fault);
    dbal_fault_set(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000",
                   "ODBC begins a transaction by a call, which has an isolation level and nothing "
                   "else");
    return false;
}

static bool
run(dbal__odbc_connection *c, dbal_fault *fault)
{
    dbal__odbc_meaning m = dbal__odbc_meaning_of(dbal_request_sql(c->request, NULL));
    if (m.verb == DBAL__ODBC_ROLLBACK)
        return !c->open || dbal__odbc_transaction_rollback(c, fault);
    if (dbal__odbc_is_stopped(c))
        return dbal__odbc_failure_stopped(fault);
    if (m.verb == DBAL__ODBC_BEGIN)
        return begin(c, fault);
    if (m.verb == DBAL__ODBC_COMMIT)
        return !c->open || dbal__odbc_transaction_commit(c, fault);
    if (c->spoilt && m.verb != DBAL__ODBC_ROLLBACK_TO)
        return dbal__odbc_failure_spoilt(fault);
    c->writes = (m.kinds & DBAL_SQL_WRITES) != 0;
    if (c->writes && (c->read_only || dbal_request_read_only(c->request)))
        return dbal__odbc_failure_promise(fault);
    c->lasting = c->lasting || m.verb == DBAL__ODBC_SETTING;
    bool ok = run_statement(c, m.verb, fault);
    if (c->open && (!ok || m.verb == DBAL__ODBC_ROLLBACK_TO))
        c->spoilt = !ok;
    return ok;
}

bool
dbal__odbc_run(void *connection, dbal_request *request, dbal_fault *fault)
{
    dbal__odbc_connection *c = connection;
    dbal__odbc_cancel_sweep(c);
    c->request = request;
    bool ok = run(c, fault);
    c->request = NULL;
    return ok;
}
