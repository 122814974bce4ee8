#include "bind.h"

#include <string.h>

#include "failure.h"
#include "moment.h"
#include "uuid.h"

/* Where one stands until the statement has run. */
struct dbal__odbc_bound {
    SQLLEN size;
    union {
        int64_t integer;
        double real;
        unsigned char bit;
        char text[DBAL__ODBC_MOMENT_MAX];
    } as;
};

/* What SQLBindParameter() is told of one. */
typedef struct binding {
    SQLSMALLINT kind, type; /* in C, in SQL */
    SQLULEN width;
    SQLSMALLINT digits;
    SQLPOINTER data;
} binding;

/* what is longer is a "long" type, which some drivers keep apart */
enum { LONG = 8000 };

static void
set_bytes(binding *b, dbal__odbc_bound *at, const dbal_value *value, bool binary)
{
    dbal_bytes bytes = value->as.bytes;
    bool is_long = bytes.size > LONG;
    b->kind = binary ? SQL_C_BINARY : SQL_C_CHAR;
    b->type = binary ? (is_long ? SQL_LONGVARBINARY : SQL_VARBINARY)
                     : (is_long ? SQL_LONGVARCHAR : SQL_VARCHAR);
    b->width = bytes.size != 0 ? bytes.size : 1;
    b->data = bytes.data != NULL ? (SQLPOINTER)(uintptr_t)bytes.data : at->as.text;
    at->size = (SQLLEN)bytes.size;
}

static void
set_text(binding *b, dbal__odbc_bound *at, SQLSMALLINT type, size_t size, SQLSMALLINT digits)
{
    *b = (binding){SQL_C_CHAR, type, size, digits, at->as.text};
    at->size = (SQLLEN)size;
}

/* exact: how many digits it has, and how many of them behind the point */
static void
set_numeric(binding *b, dbal__odbc_bound *at, const dbal_value *value)
{
    const char *text = value->as.bytes.data, *point = strchr(text, '.');
    size_t digits = 0;
    set_bytes(b, at, value, false);
    if (strspn(text, "+-.0123456789") != value->as.bytes.size)
        return; /* an exponent, NaN: as a text, which the database reads */
    for (const char *c = text; *c != '\0'; c++)
        digits += *c >= '0' && *c <= '9';
    b->type = SQL_NUMERIC;
    b->width = digits;
    b->digits = point != NULL ? (SQLSMALLINT)strlen(point + 1) : 0;
}

static bool
set_moment(binding *b, dbal__odbc_bound *at, const dbal_value *value)
{
    size_t size = dbal__odbc_moment_write(at->as.text, value->type, value->as.integer);
    SQLSMALLINT type = value->type == DBAL_DATE   ? SQL_TYPE_DATE
                       : value->type == DBAL_TIME ? SQL_TYPE_TIME
                                                  : SQL_TYPE_TIMESTAMP;
    set_text(b, at, type, size, value->type == DBAL_DATE ? 0 : 6);
    return size != 0;
}

static bool
set(binding *b, dbal__odbc_bound *at, const dbal_value *value)
{
    switch (value->type) {
    case DBAL_NULL:
        *b = (binding){SQL_C_CHAR, SQL_VARCHAR, 1, 0, at->as.text};
        at->size = SQL_NULL_DATA;
        return true;
    case DBAL_BOOL:
        at->as.bit = value->as.boolean;
        *b = (binding){SQL_C_BIT, SQL_BIT, 1, 0, &at->as.bit};
        return true;
    case DBAL_INT64:
        at->as.integer = value->as.integer;
        *b = (binding){SQL_C_SBIGINT, SQL_BIGINT, 19, 0, &at->as.integer};
        return true;
    case DBAL_DOUBLE:
        at->as.real = value->as.real;
        *b = (binding){SQL_C_DOUBLE, SQL_DOUBLE, 15, 0, &at->as.real};
        return true;
    case DBAL_NUMERIC:
        set_numeric(b, at, value);
        return true;
    case DBAL_UUID:
        dbal__odbc_uuid_write(at->as.text, value->as.uuid);
        set_text(b, at, SQL_GUID, 36, 0);
        return true;
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        return set_moment(b, at, value);
    default:
        set_bytes(b, at, value, value->type == DBAL_BLOB);
        return true;
    }
}

static bool
refuse(size_t index, dbal_type type, dbal_fault *fault)
{
    if (type == DBAL_ARRAY_INT64 || type == DBAL_ARRAY_TEXT)
        dbal_fault_set(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000",
                       "parameter %zu is an array, which ODBC does not have", index);
    else
        dbal_fault_set(fault, DBAL_ERROR_DATA, "22008",
                       "parameter %zu is a %s outside what ODBC can hold (years 0001 to 9999, "
                       "times within one day)",
                       index, dbal_type_name(type));
    return false;
}

static bool
bind_one(dbal__odbc_connection *c, SQLHSTMT handle, size_t index, const dbal_value *value,
         dbal__odbc_bound *at, dbal_fault *fault)
{
    binding b = {.digits = 0};
    bool array = value->type == DBAL_ARRAY_INT64 || value->type == DBAL_ARRAY_TEXT;
    if (array || !set(&b, at, value))
        return refuse(index, value->type, fault);
    SQLLEN room = at->size > 0 ? at->size : 0;
    SQLRETURN code = SQLBindParameter(handle, (SQLUSMALLINT)index, SQL_PARAM_INPUT, b.kind, b.type,
                                      b.width, b.digits, b.data, room, &at->size);
    return SQL_SUCCEEDED(code) || dbal__odbc_failure_statement(c, handle, fault);
}

bool
dbal__odbc_bind(dbal__odbc_connection *c, SQLHSTMT handle, dbal_request *request,
                dbal__odbc_bound **ret, dbal_fault *fault)
{
    size_t count = dbal_request_parameter_count(request);
    *ret = NULL;
    if (count == 0)
        return true;
    if (count > UINT16_MAX) {
        dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "54023",
                       "%zu parameters are more than ODBC can number", count);
        return false;
    }
    dbal__odbc_bound *bound = dbal_driver_alloc(count * sizeof *bound);
    if (bound == NULL)
        return dbal__odbc_failure_memory(fault);
    for (size_t i = 0; i < count; i++) {
        dbal_value value = dbal_request_parameter(request, i);
        if (!bind_one(c, handle, i + 1, &value, &bound[i], fault)) {
            dbal__odbc_unbind(handle, bound);
            return false;
        }
    }
    *ret = bound;
    return true;
}

void
dbal__odbc_unbind(SQLHSTMT handle, dbal__odbc_bound *bound)
{
    if (bound == NULL)
        return;
    SQLFreeStmt(handle, SQL_RESET_PARAMS);
    dbal_driver_free(bound);
}
