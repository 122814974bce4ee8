#include "cancel.h"

#include <time.h>

void
dbal__odbc_cancel_expose(dbal__odbc_connection *c, SQLHSTMT handle)
{
    pthread_mutex_lock(&c->lock);
    c->running = handle;
    pthread_mutex_unlock(&c->lock);
}

void
dbal__odbc_cancel_cover(dbal__odbc_connection *c)
{
    pthread_mutex_lock(&c->lock);
    c->running = SQL_NULL_HSTMT;
    c->calls++;
    pthread_cond_broadcast(&c->ended);
    pthread_mutex_unlock(&c->lock);
}

static struct timespec
later(int64_t nanoseconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += nanoseconds;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/*
 * SQLCancel() does nothing to a call that has not begun, which nobody can see from outside: it is
 * called again while that goes on. The lock is given up only to wait, so that none of them comes when
 * the call has ended.
 */
void
dbal__odbc_interrupt(void *connection)
{
    enum { TIMES = 6 };
    dbal__odbc_connection *c = connection;
    int64_t wait = 5000000;
    pthread_mutex_lock(&c->lock);
    uint64_t call = c->calls;
    for (int i = 0; i < TIMES && c->running != SQL_NULL_HSTMT && c->calls == call; i++, wait *= 2) {
        struct timespec until = later(wait);
        SQLCancel(c->running);
        c->cancelled = true;
        while (c->calls == call && pthread_cond_timedwait(&c->ended, &c->lock, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&c->lock);
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

void
dbal__odbc_cancel_sweep(dbal__odbc_connection *c)
{
    if (!c->cancelled || c->database == DBAL__ODBC_SQLITE)
        return;
    c->cancelled = false;
    bool ok = execute(c, "select 1");
    c->spoilt = c->spoilt || (c->open && !ok);
    /* one that the ODBC driver had begun for a cursor of its own may have been left behind */
    if (!ok && !c->open)
        execute(c, "rollback");
}
