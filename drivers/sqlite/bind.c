#include "bind.h"

#include "failure.h"
#include "moment.h"

/* Bytes are SQLITE_STATIC: the request outlives the run, and bindings are cleared before it ends. */
static int
bind_text(sqlite3_stmt *stmt, int index, dbal_bytes bytes)
{
    const char *data = bytes.data != NULL ? bytes.data : "";
    return sqlite3_bind_text64(stmt, index, data, bytes.size, SQLITE_STATIC, SQLITE_UTF8);
}

/* an empty blob is not NULL, which is what SQLite makes of a NULL pointer */
static int
bind_blob(sqlite3_stmt *stmt, int index, dbal_bytes bytes)
{
    if (bytes.size == 0)
        return sqlite3_bind_zeroblob(stmt, index, 0);
    return sqlite3_bind_blob64(stmt, index, bytes.data, bytes.size, SQLITE_STATIC);
}

static int
bind_uuid(sqlite3_stmt *stmt, int index, const uint8_t *uuid)
{
    char text[37];
    dbal__sqlite_uuid_text(uuid, text);
    return sqlite3_bind_text(stmt, index, text, 36, SQLITE_TRANSIENT);
}

/* SQLITE_MISMATCH: the moment is one that SQLite cannot hold */
static int
bind_moment(sqlite3_stmt *stmt, int index, dbal_type type, int64_t value)
{
    char text[DBAL__SQLITE_MOMENT_MAX];
    size_t size = dbal__sqlite_moment_text(type, value, text);
    if (size == 0)
        return SQLITE_MISMATCH;
    return sqlite3_bind_text(stmt, index, text, (int)size, SQLITE_TRANSIENT);
}

/* SQLITE_NOTFOUND: SQLite has no such type */
static int
bind_value(sqlite3_stmt *stmt, int index, const dbal_value *value)
{
    switch (value->type) {
    case DBAL_NULL:
        return sqlite3_bind_null(stmt, index);
    case DBAL_BOOL:
        return sqlite3_bind_int(stmt, index, value->as.boolean);
    case DBAL_INT64:
        return sqlite3_bind_int64(stmt, index, value->as.integer);
    case DBAL_DOUBLE:
        return sqlite3_bind_double(stmt, index, value->as.real);
    case DBAL_TEXT:
    case DBAL_NUMERIC: /* as text, so that only a column's own affinity can round it */
    case DBAL_JSON:
        return bind_text(stmt, index, value->as.bytes);
    case DBAL_BLOB:
        return bind_blob(stmt, index, value->as.bytes);
    case DBAL_UUID:
        return bind_uuid(stmt, index, value->as.uuid);
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        return bind_moment(stmt, index, value->type, value->as.integer);
    default:
        return SQLITE_NOTFOUND;
    }
}

static bool
fail(dbal__sqlite_connection *c, int index, const dbal_value *value, int code, dbal_fault *fault)
{
    if (code == SQLITE_MISMATCH) {
        dbal_fault_set(fault, DBAL_ERROR_DATA, "22008",
                       "parameter %d is a %s outside what SQLite can hold (years 0000 to 9999, "
                       "times within one day)",
                       index, dbal_type_name(value->type));
    } else if (code == SQLITE_NOTFOUND) {
        dbal_fault_set(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000",
                       "parameter %d is an array, which SQLite does not have", index);
        dbal_fault_set_hint(fault, "pass a JSON array and write: in (select value from "
                                   "json_each($1))");
    } else if (code == SQLITE_TOOBIG) {
        dbal_fault_set(fault, DBAL_ERROR_DATA, "54000",
                       "parameter %d is longer than SQLite allows (%d bytes)", index,
                       sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, -1));
        dbal_fault_set_vendor_code(fault, code);
    } else {
        dbal__sqlite_failure_step(c, code, DBAL__SQLITE_OTHER, false, fault);
    }
    return false;
}

/* A number, which SQLite copies into the place that the next one takes. */
static bool
is_plain(dbal_type type)
{
    return type == DBAL_NULL || type == DBAL_BOOL || type == DBAL_INT64 || type == DBAL_DOUBLE;
}

bool
dbal__sqlite_bind(dbal__sqlite_connection *c, sqlite3_stmt *stmt, dbal_request *request,
                  bool *ret_borrowed, dbal_fault *fault)
{
    int count = (int)dbal_request_parameter_count(request);
    *ret_borrowed = false;
    for (int i = 0; i < count; i++) {
        dbal_value value = dbal_request_parameter(request, (size_t)i);
        *ret_borrowed = *ret_borrowed || !is_plain(value.type);
        int code = bind_value(stmt, i + 1, &value);
        if (code != SQLITE_OK)
            return fail(c, i + 1, &value, code, fault);
    }
    return true;
}
