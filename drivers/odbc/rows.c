#include "rows.h"

#include "cancel.h"
#include "failure.h"
#include "type.h"

/* KEPT: of the memory that cells go through, from one result to the next */
enum { NAME = 512, KEPT = 65536 };

static dbal__odbc_end
fail(dbal__odbc_connection *c, SQLHSTMT handle, dbal__odbc_taken taken, dbal_fault *fault)
{
    if (taken == DBAL__ODBC_NO_MEMORY)
        dbal__odbc_failure_memory(fault);
    else if (taken == DBAL__ODBC_FAILED)
        dbal__odbc_failure_statement(c, handle, fault);
    else if (taken == DBAL__ODBC_NONSENSE)
        dbal_fault_set(
            fault, DBAL_ERROR_OPERATIONAL, "HY000",
            "the ODBC driver tells of a cell's length what cannot be: none of its row is "
            "believed");
    else if (dbal_request_satisfied(c->request))
        return DBAL__ODBC_END_SATISFIED;
    else if (dbal__odbc_is_stopped(c))
        dbal__odbc_failure_stopped(fault);
    /* it was executed: only its rows are missing */
    bool ours = taken == DBAL__ODBC_NO_MEMORY || dbal__odbc_is_stopped(c);
    if (ours && c->writes && dbal_fault_is_set(fault))
        dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
    return DBAL__ODBC_END_FAILED;
}

/* Their types each time anew: an ODBC driver may find others when the statement runs again. */
static dbal__odbc_taken
tell_columns(dbal__odbc_connection *c, SQLHSTMT handle, SQLSMALLINT columns, dbal_type *types)
{
    for (SQLSMALLINT i = 0; i < columns; i++) {
        char name[NAME] = "";
        SQLSMALLINT size, type, digits, nullable;
        SQLULEN width;
        if (!SQL_SUCCEEDED(SQLDescribeCol(handle, (SQLUSMALLINT)(i + 1), (SQLCHAR *)name,
                                          sizeof name, &size, &type, &width, &digits, &nullable)))
            return DBAL__ODBC_FAILED;
        types[i] = dbal__odbc_type_of(type);
        if (!dbal_request_column(c->request, name, types[i]))
            return DBAL__ODBC_REFUSED;
    }
    return DBAL__ODBC_TAKEN;
}

/* SQLite's ODBC driver has the rows already, and would free them under our feet. */
static SQLRETURN
fetch(dbal__odbc_connection *c, SQLHSTMT handle)
{
    if (c->database == DBAL__ODBC_SQLITE)
        return dbal__odbc_is_stopped(c) ? SQL_ERROR : SQLFetch(handle);
    dbal__odbc_cancel_expose(c, handle);
    SQLRETURN code = dbal__odbc_is_stopped(c) ? SQL_ERROR : SQLFetch(handle);
    dbal__odbc_cancel_cover(c);
    return code;
}

/* one after the other, until there are no more */
static dbal__odbc_taken
take_rows(dbal__odbc_connection *c, SQLHSTMT handle, SQLSMALLINT columns, const dbal_type *types)
{
    for (;;) {
        SQLRETURN code = fetch(c, handle);
        if (code == SQL_NO_DATA)
            return DBAL__ODBC_TAKEN;
        if (!SQL_SUCCEEDED(code))
            return DBAL__ODBC_FAILED;
        for (SQLSMALLINT i = 0; i < columns; i++) {
            dbal__odbc_taken taken =
                dbal__odbc_cell_take(c, handle, (SQLUSMALLINT)(i + 1), types[i]);
            if (taken != DBAL__ODBC_TAKEN)
                return taken;
        }
        if (!dbal_request_row(c->request))
            return DBAL__ODBC_REFUSED;
    }
}

dbal__odbc_end
dbal__odbc_rows(dbal__odbc_connection *c, SQLHSTMT handle, SQLSMALLINT columns, dbal_fault *fault)
{
    dbal_type *types = dbal_driver_alloc((size_t)columns * sizeof *types);
    if (types == NULL)
        return fail(c, handle, DBAL__ODBC_NO_MEMORY, fault);
    dbal__odbc_taken taken = tell_columns(c, handle, columns, types);
    if (taken == DBAL__ODBC_TAKEN)
        taken = take_rows(c, handle, columns, types);
    dbal_driver_free(types);
    dbal__odbc_buffer_trim(&c->cell, KEPT);
    return taken == DBAL__ODBC_TAKEN ? DBAL__ODBC_END_ALL : fail(c, handle, taken, fault);
}
