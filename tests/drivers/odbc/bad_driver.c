/*
 * An ODBC driver that misbehaves as a statement says: "select 'x' -- WORD". Its answer to all is one
 * row with one text, "row". Its own functions must not call each other: unixODBC's would be taken.
 */
#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* Of an environment, a connection or a statement. */
typedef struct object {
    char words[256];   /* of the statement; of a connection: its string */
    char sqlstate[6];  /* what the last call failed with, "": with nothing */
    char message[900]; /* … and said */
    int fetched, portions;
} object;

static int
is_told(const object *self, const char *word)
{
    const char *at = strstr(self->words, "-- ");
    return at != NULL && strstr(at, word) != NULL;
}

static SQLRETURN
fail(object *self, const char *sqlstate, const char *message)
{
    snprintf(self->sqlstate, sizeof self->sqlstate, "%s", sqlstate);
    snprintf(self->message, sizeof self->message, "%s", message);
    return SQL_ERROR;
}

/* ---- handles ---- */

EXPORT SQLRETURN
SQLAllocHandle(SQLSMALLINT type, SQLHANDLE parent, SQLHANDLE *ret)
{
    (void)type, (void)parent;
    *ret = calloc(1, sizeof(object));
    return *ret != NULL ? SQL_SUCCESS : SQL_ERROR;
}

EXPORT SQLRETURN
SQLFreeHandle(SQLSMALLINT type, SQLHANDLE handle)
{
    (void)type;
    free(handle);
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLSetEnvAttr(SQLHENV handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER size)
{
    (void)handle, (void)attribute, (void)value, (void)size;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLSetConnectAttr(SQLHDBC handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER size)
{
    (void)handle, (void)attribute, (void)value, (void)size;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLGetConnectAttr(SQLHDBC handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER room,
                  SQLINTEGER *ret_size)
{
    (void)attribute, (void)value, (void)room, (void)ret_size;
    return fail(handle, "HYC00", "there is no such attribute");
}

EXPORT SQLRETURN
SQLSetStmtAttr(SQLHSTMT handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER size)
{
    (void)handle, (void)attribute, (void)value, (void)size;
    return SQL_SUCCESS;
}

/* unixODBC asks for the descriptors that a statement has by itself. */
EXPORT SQLRETURN
SQLGetStmtAttr(SQLHSTMT handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER room,
               SQLINTEGER *ret_size)
{
    (void)room, (void)ret_size;
    if (attribute != SQL_ATTR_APP_ROW_DESC && attribute != SQL_ATTR_APP_PARAM_DESC &&
        attribute != SQL_ATTR_IMP_ROW_DESC && attribute != SQL_ATTR_IMP_PARAM_DESC)
        return fail(handle, "HYC00", "there is no such attribute");
    *(SQLHANDLE *)value = handle;
    return SQL_SUCCESS;
}

/* ---- connections ---- */

/* With "Say=TEXT" in its string it does not connect, and says the text. */
EXPORT SQLRETURN
SQLDriverConnect(SQLHDBC handle, SQLHWND window, SQLCHAR *string, SQLSMALLINT size, SQLCHAR *to,
                 SQLSMALLINT room, SQLSMALLINT *ret_size, SQLUSMALLINT completion)
{
    (void)window, (void)size, (void)to, (void)room, (void)ret_size, (void)completion;
    const char *say = strstr((const char *)string, "Say=");
    return say != NULL ? fail(handle, "28000", say) : SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLDisconnect(SQLHDBC handle)
{
    (void)handle;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLGetInfo(SQLHDBC handle, SQLUSMALLINT what, SQLPOINTER to, SQLSMALLINT room,
           SQLSMALLINT *ret_size)
{
    if (what != SQL_DRIVER_ODBC_VER && what != SQL_DBMS_NAME)
        return fail(handle, "HYC00", "nobody knows");
    int size = snprintf(to, (size_t)room, what == SQL_DBMS_NAME ? "Bad" : "03.00");
    if (ret_size != NULL)
        *ret_size = (SQLSMALLINT)size;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLEndTran(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT how)
{
    (void)type, (void)handle, (void)how;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLGetDiagRec(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT number, SQLCHAR *sqlstate,
              SQLINTEGER *ret_native, SQLCHAR *text, SQLSMALLINT room, SQLSMALLINT *ret_size)
{
    const object *self = handle;
    (void)type;
    if (number != 1 || self->sqlstate[0] == '\0')
        return SQL_NO_DATA;
    memcpy(sqlstate, self->sqlstate, 6);
    *ret_native = 7;
    *ret_size = (SQLSMALLINT)strlen(self->message);
    int size = snprintf((char *)text, (size_t)room, "%s", self->message);
    return size < room ? SQL_SUCCESS : SQL_SUCCESS_WITH_INFO;
}

/* unixODBC reads no record of a driver that has not this too. */
EXPORT SQLRETURN
SQLGetDiagField(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT number, SQLSMALLINT what,
                SQLPOINTER to, SQLSMALLINT room, SQLSMALLINT *ret_size)
{
    (void)type, (void)handle, (void)number, (void)what, (void)to, (void)room, (void)ret_size;
    return SQL_NO_DATA;
}

/* ---- statements ---- */

EXPORT SQLRETURN
SQLPrepare(SQLHSTMT handle, SQLCHAR *sql, SQLINTEGER size)
{
    object *self = handle;
    snprintf(self->words, sizeof self->words, "%.*s", (int)size, (const char *)sql);
    return SQL_SUCCESS;
}

static SQLRETURN
execute(object *self)
{
    self->fetched = self->portions = 0;
    return is_told(self, "refuse") ? fail(self, "HY000", "refused") : SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLExecute(SQLHSTMT handle)
{
    return execute(handle);
}

EXPORT SQLRETURN
SQLExecDirect(SQLHSTMT handle, SQLCHAR *sql, SQLINTEGER size)
{
    object *self = handle;
    (void)size;
    snprintf(self->words, sizeof self->words, "%s", (const char *)sql);
    return execute(self);
}

EXPORT SQLRETURN
SQLFreeStmt(SQLHSTMT handle, SQLUSMALLINT what)
{
    (void)handle, (void)what;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLNumParams(SQLHSTMT handle, SQLSMALLINT *ret)
{
    (void)handle;
    *ret = 0;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLNumResultCols(SQLHSTMT handle, SQLSMALLINT *ret)
{
    if (is_told(handle, "no-columns"))
        return fail(handle, "HY000", "nobody knows its columns");
    *ret = is_told(handle, "no-rows") ? 0 : 1;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLRowCount(SQLHSTMT handle, SQLLEN *ret)
{
    (void)handle;
    *ret = 1;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLDescribeCol(SQLHSTMT handle, SQLUSMALLINT column, SQLCHAR *name, SQLSMALLINT room,
               SQLSMALLINT *ret_size, SQLSMALLINT *ret_type, SQLULEN *ret_width,
               SQLSMALLINT *ret_digits, SQLSMALLINT *ret_nullable)
{
    (void)column;
    *ret_size = (SQLSMALLINT)snprintf((char *)name, (size_t)room, "c");
    *ret_type = is_told(handle, "binary")   ? SQL_VARBINARY
                : is_told(handle, "double") ? SQL_DOUBLE
                                            : SQL_VARCHAR;
    *ret_width = 10;
    *ret_digits = 0;
    *ret_nullable = SQL_NULLABLE;
    return SQL_SUCCESS;
}

EXPORT SQLRETURN
SQLFetch(SQLHSTMT handle)
{
    object *self = handle;
    if (is_told(self, "fail-fetch"))
        return fail(self, "HY000", "no row comes");
    if (is_told(self, "roll-back-fetch"))
        return fail(self, "40001", "undone");
    return self->fetched++ == 0 ? SQL_SUCCESS : SQL_NO_DATA;
}

EXPORT SQLRETURN
SQLMoreResults(SQLHSTMT handle)
{
    return is_told(handle, "fail-more") ? fail(handle, "HY000", "no more comes") : SQL_NO_DATA;
}

/* "size=N": the length that it tells of. "truncated": it says that there is more. */
EXPORT SQLRETURN
SQLGetData(SQLHSTMT handle, SQLUSMALLINT column, SQLSMALLINT kind, SQLPOINTER to, SQLLEN room,
           SQLLEN *ret_size)
{
    object *self = handle;
    const char *size = strstr(self->words, "size=");
    int has_more = is_told(self, "truncated") && self->portions < 2;
    (void)column;
    if (is_told(self, "fail-data"))
        return fail(self, "HY000", "no cell comes");
    if (self->portions++ != 0 && !is_told(self, "truncated"))
        return SQL_NO_DATA;
    if (kind == SQL_C_DOUBLE) {
        memset(to, 0, sizeof(double));
        *ret_size = size != NULL ? strtoll(size + 5, NULL, 10) : (SQLLEN)sizeof(double);
        return SQL_SUCCESS;
    }
    if (has_more) {
        memset(to, 'x', (size_t)room);
        if (kind == SQL_C_CHAR)
            ((char *)to)[room - 1] = '\0';
    } else {
        memcpy(to, "row", 4);
    }
    *ret_size =
        size != NULL && (has_more || !is_told(self, "truncated")) ? strtoll(size + 5, NULL, 10) : 3;
    return has_more ? SQL_SUCCESS_WITH_INFO : SQL_SUCCESS;
}
