#include "failure.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "constraint.h"
#include "lite.h"
#include "message.h"
#include "secret.h"

typedef struct mapping {
    const char *sqlstate; /* or how it begins */
    dbal_error_class error_class;
    bool retryable, lost;
} mapping;

/* The first that fits is taken. */
static const mapping mappings[] = {
    {"40001", DBAL_ERROR_OPERATIONAL, true, false},
    {"40P01", DBAL_ERROR_OPERATIONAL, true, false},
    {"55P03", DBAL_ERROR_OPERATIONAL, true, false},
    {"40002", DBAL_ERROR_INTEGRITY, false, false},
    {"40003", DBAL_ERROR_OPERATIONAL, false, true}, /* nobody knows how it ended */
    {"44000", DBAL_ERROR_INTEGRITY, false, false},
    {"23", DBAL_ERROR_INTEGRITY, false, false},
    {"42", DBAL_ERROR_PROGRAMMING, false, false},
    {"07", DBAL_ERROR_PROGRAMMING, false, false},
    {"21", DBAL_ERROR_PROGRAMMING, false, false},
    {"3D", DBAL_ERROR_PROGRAMMING, false, false},
    {"3F", DBAL_ERROR_PROGRAMMING, false, false},
    {"22", DBAL_ERROR_DATA, false, false},
    {"25006", DBAL_ERROR_OPERATIONAL, false, false},
    {"25S01", DBAL_ERROR_OPERATIONAL, false, true}, /* … how the transaction did */
    {"24", DBAL_ERROR_INTERNAL, false, false},
    {"25", DBAL_ERROR_INTERNAL, false, false},
    {"0A", DBAL_ERROR_NOT_SUPPORTED, false, false},
    {"HYC00", DBAL_ERROR_NOT_SUPPORTED, false, false},
    {"IM001", DBAL_ERROR_NOT_SUPPORTED, false, false},
    {"HY001", DBAL_ERROR_NO_MEMORY, false, false},
    {"HY013", DBAL_ERROR_NO_MEMORY, false, false},
    /* of what was to stop nothing comes here: the database has ended it by itself */
    {"HY008", DBAL_ERROR_OPERATIONAL, false, false},
    {"57014", DBAL_ERROR_OPERATIONAL, false, false},
    {"HYT01", DBAL_ERROR_OPERATIONAL, false, true},
    {"57P", DBAL_ERROR_OPERATIONAL, false, true},
    {"08", DBAL_ERROR_OPERATIONAL, false, true},
    {"", DBAL_ERROR_OPERATIONAL, false, false},
};

/* One diagnostic record. */
typedef struct record {
    char sqlstate[6];
    SQLINTEGER native;
    char text[1024];
} record;

static mapping
map(const char *sqlstate)
{
    const mapping *m = mappings;
    while (strncmp(sqlstate, m->sqlstate, strlen(m->sqlstate)) != 0)
        m++;
    return *m;
}

bool
dbal__odbc_failure_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    return false;
}

bool
dbal__odbc_failure_stopped(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "stopped before its end");
    return false;
}

bool
dbal__odbc_failure_spoilt(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_INTERNAL, "25P02",
                   "a statement of the transaction failed: nothing of it is kept, and nothing runs "
                   "until it is rolled back");
    return false;
}

bool
dbal__odbc_failure_promise(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "25006",
                   "the statement may write, but was promised to be read-only");
    return false;
}

bool
dbal__odbc_is_stopped(const dbal__odbc_connection *c)
{
    struct timespec t;
    if (c->request == NULL)
        return false;
    if (dbal_request_stopped(c->request))
        return true;
    int64_t deadline = dbal_request_deadline(c->request);
    if (deadline == INT64_MAX)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec >= deadline;
}

/* ---- records ----------------------------------------------------------------------------------- */

/*
 * The first record that is no mere warning, or the first one, as where unixODBC cannot load a driver;
 * false when there is none.
 */
static bool
read_record(const dbal__odbc_connection *c, SQLSMALLINT kind, SQLHANDLE handle, record *ret,
            bool warnings)
{
    SQLCHAR state[6] = "";
    for (SQLSMALLINT i = 1; i < 16; i++) {
        SQLSMALLINT size = 0;
        SQLCHAR *text = (SQLCHAR *)ret->text;
        text[0] = '\0';
        if (!SQL_SUCCEEDED(
                SQLGetDiagRec(kind, handle, i, state, &ret->native, text, sizeof ret->text, &size)))
            return false;
        bool warning = memcmp(state, "01", 2) == 0 || memcmp(state, "00", 2) == 0;
        if (warning && !warnings)
            continue;
        memcpy(ret->sqlstate, warning ? (c->connected ? "HY000" : "IM003") : (char *)state, 5);
        ret->sqlstate[5] = '\0';
        ret->text[sizeof ret->text - 1] = '\0';
        /* no driver should show one, but who knows; before anything is taken out of the middle of it */
        dbal__odbc_secret_hide(c->config->secrets, ret->text,
                               strlen(ret->text) == sizeof ret->text - 1);
        dbal__odbc_message_strip(ret->text);
        return true;
    }
    return false;
}

/* as far as the ODBC driver knows without asking */
static bool
is_dead(const dbal__odbc_connection *c)
{
    SQLUINTEGER dead = SQL_CD_FALSE;
    return c->connected &&
           SQL_SUCCEEDED(
               SQLGetConnectAttr(c->handle, SQL_ATTR_CONNECTION_DEAD, &dead, sizeof dead, NULL)) &&
           dead == SQL_CD_TRUE;
}

static void
set_lost(dbal_fault *fault)
{
    dbal_fault_set_connection_lost(fault, true);
    dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
}

static void
set(dbal__odbc_connection *c, const record *r, dbal_fault *fault)
{
    const char *sqlstate = r->sqlstate;
    char name[128], text[sizeof r->text];
    if (c->database == DBAL__ODBC_SQLITE)
        sqlstate = dbal__odbc_lite_sqlstate(sqlstate, r->native, r->text);
    mapping m = map(sqlstate);
    if (strcmp(sqlstate, "HY008") == 0)
        sqlstate = "57014";
    dbal__odbc_message_hide(r->text, c->request, text, sizeof text);
    dbal_fault_set(fault, m.error_class, sqlstate, "%s", text);
    dbal_fault_set_vendor_code(fault, (int)r->native);
    dbal_fault_set_retryable(fault, m.retryable);
    if (m.error_class == DBAL_ERROR_INTEGRITY &&
        dbal__odbc_constraint_find(r->text, name, sizeof name))
        dbal_fault_set_constraint(fault, name);
    if (c->connected && (m.lost || is_dead(c)))
        set_lost(fault);
}

bool
dbal__odbc_failure(dbal__odbc_connection *c, SQLSMALLINT kind, SQLHANDLE handle, dbal_fault *fault)
{
    record r = {.native = 0};
    bool said = read_record(c, kind, handle, &r, false) || read_record(c, kind, handle, &r, true);
    bool dead = is_dead(c) || (said && c->connected && map(r.sqlstate).lost);
    if (dbal__odbc_is_stopped(c) && !dead) {
        dbal__odbc_failure_stopped(fault);
        dbal_fault_set_vendor_code(fault, (int)r.native);
    } else if (said) {
        set(c, &r, fault);
    } else {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "HY000",
                       "the ODBC driver failed and does not say why");
        if (dead)
            set_lost(fault);
    }
    return false;
}

bool
dbal__odbc_failure_statement(dbal__odbc_connection *c, SQLHSTMT handle, dbal_fault *fault)
{
    return dbal__odbc_failure(c, SQL_HANDLE_STMT, handle, fault);
}
