#include "transaction.h"

#include "failure.h"

static bool
set_attribute(dbal__odbc_connection *c, SQLINTEGER attribute, SQLUINTEGER value)
{
    return SQL_SUCCEEDED(
        SQLSetConnectAttr(c->handle, attribute, (SQLPOINTER)(uintptr_t)value, SQL_IS_UINTEGER));
}

static bool
fail(dbal__odbc_connection *c, dbal_fault *fault)
{
    return dbal__odbc_failure(c, SQL_HANDLE_DBC, c->handle, fault);
}

/* ---- isolation --------------------------------------------------------------------------------- */

void
dbal__odbc_transaction_learn(dbal__odbc_connection *c)
{
    SQLUINTEGER levels = 0, usual = 0;
    if (!SQL_SUCCEEDED(
            SQLGetInfo(c->handle, SQL_TXN_ISOLATION_OPTION, &levels, sizeof levels, NULL)) ||
        !SQL_SUCCEEDED(
            SQLGetInfo(c->handle, SQL_DEFAULT_TXN_ISOLATION, &usual, sizeof usual, NULL)))
        levels = usual = 0;
    c->levels = levels;
    c->usual = c->level = usual;
}

/* The weakest there is that is as strong as asked for; 0: there is none. */
static SQLUINTEGER
choose(const dbal__odbc_connection *c, dbal_isolation isolation)
{
    static const SQLUINTEGER levels[] = {SQL_TXN_READ_COMMITTED, SQL_TXN_REPEATABLE_READ,
                                         SQL_TXN_SERIALIZABLE};
    if (isolation == DBAL_ISOLATION_DEFAULT)
        return c->usual;
    size_t least = isolation == DBAL_SERIALIZABLE ? 2 : isolation == DBAL_REPEATABLE_READ ? 1 : 0;
    for (size_t i = least; i < sizeof levels / sizeof levels[0]; i++)
        if ((c->levels & levels[i]) != 0)
            return levels[i];
    return 0;
}

static bool
set_level(dbal__odbc_connection *c, SQLUINTEGER level)
{
    if (level == c->level)
        return true;
    if (!set_attribute(c, SQL_ATTR_TXN_ISOLATION, level))
        return false;
    c->level = level;
    return true;
}

static bool
prepare_level(dbal__odbc_connection *c, dbal_isolation isolation, dbal_fault *fault)
{
    SQLUINTEGER level = choose(c, isolation);
    if (level == 0 && isolation != DBAL_ISOLATION_DEFAULT) {
        dbal_fault_set(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000",
                       "the database has no isolation level that is as strong");
        return false;
    }
    return set_level(c, level) || fail(c, fault);
}

/* ---- beginning and ending ---------------------------------------------------------------------- */

bool
dbal__odbc_transaction_begin(dbal__odbc_connection *c, const dbal__odbc_beginning *beginning,
                             dbal_fault *fault)
{
    if (c->open) {
        dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "25001", "a transaction is open already");
        return false;
    }
    if (!prepare_level(c, beginning->isolation, fault))
        return false;
    if (!set_attribute(c, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF))
        return fail(c, fault);
    c->open = true;
    c->spoilt = false;
    c->read_only = beginning->read_only;
    return true;
}

/* When nothing is open any more: statements stand by themselves again. */
static bool
settle(dbal__odbc_connection *c)
{
    c->open = c->spoilt = c->read_only = false;
    return set_attribute(c, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_ON) && set_level(c, c->usual);
}

/* of no more use */
static bool
give_up(dbal_fault *fault, const char *text)
{
    if (!dbal_fault_is_set(fault))
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08000", "%s", text);
    dbal_fault_set_connection_lost(fault, true);
    return false;
}

static bool
end(dbal__odbc_connection *c, SQLSMALLINT how)
{
    return SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, c->handle, how));
}

static bool
execute(dbal__odbc_connection *c, const char *sql)
{
    SQLHSTMT handle = SQL_NULL_HSTMT;
    bool ok = SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, c->handle, &handle)) &&
              SQL_SUCCEEDED(SQLExecDirect(handle, (SQLCHAR *)(uintptr_t)sql, SQL_NTS));
    if (handle != SQL_NULL_HSTMT)
        SQLFreeHandle(SQL_HANDLE_STMT, handle);
    return ok;
}

/*
 * SQLite ends a transaction by itself when a write in it is interrupted, or says ROLLBACK. Its ODBC
 * driver does not notice, and would never leave it: it gets another one to roll back.
 */
static bool
roll_back(dbal__odbc_connection *c, dbal_fault *fault)
{
    if (end(c, SQL_ROLLBACK))
        return true;
    fail(c, fault);
    if (c->database != DBAL__ODBC_SQLITE || !execute(c, "begin") || !end(c, SQL_ROLLBACK))
        return false;
    dbal_fault_clear(fault);
    return true;
}

bool
dbal__odbc_transaction_rollback(dbal__odbc_connection *c, dbal_fault *fault)
{
    bool rolled_back = roll_back(c, fault);
    /* turned on with one open, autocommit would commit it */
    if (rolled_back && settle(c))
        return true;
    c->open = false;
    return give_up(fault, "the ODBC driver does not leave its transaction");
}

bool
dbal__odbc_transaction_commit(dbal__odbc_connection *c, dbal_fault *fault)
{
    if (c->spoilt)
        return dbal__odbc_failure_spoilt(fault);
    if (end(c, SQL_COMMIT)) {
        if (settle(c))
            return true;
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08000",
                       "the ODBC driver does not leave its transaction");
        dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
        return give_up(fault, "");
    }
    fail(c, fault);
    if (!end(c, SQL_ROLLBACK)) {
        c->open = false;
        /* neither was done, as far as the ODBC driver knows: it may have been committed */
        dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
        dbal_fault_set_retryable(fault, false);
        return give_up(fault, "");
    }
    return settle(c) ? false : give_up(fault, "");
}
