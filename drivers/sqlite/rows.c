#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "declared.h"

/* ---- columns ----------------------------------------------------------------------------------- */

/* the declared types; false without memory */
static bool
learn_types(dbal__sqlite_statement *s, int columns)
{
    if (columns != 0) {
        dbal_type *types = dbal_driver_realloc(s->types, (size_t)columns * sizeof *types);
        if (types == NULL)
            return false;
        s->types = types;
    }
    s->converts = false;
    for (int i = 0; i < columns; i++) {
        s->types[i] = dbal__sqlite_declared_type(sqlite3_column_decltype(s->stmt, i));
        s->converts = s->converts || dbal__sqlite_declared_converts(s->types[i]);
    }
    return true;
}

/* False without memory. */
static bool
learn_names(dbal__sqlite_statement *s, int columns)
{
    if (columns == 0)
        return true;
    const char **names = dbal_driver_alloc((size_t)columns * sizeof *names);
    bool ok = names != NULL;
    for (int i = 0; i < columns && ok; i++)
        ok = (names[i] = sqlite3_column_name(s->stmt, i)) != NULL;
    dbal_columns *shared = ok ? dbal_columns_new((size_t)columns, names, s->types) : NULL;
    dbal_driver_free(names);
    if (shared == NULL)
        return false;
    dbal_columns_unref(s->shared);
    s->shared = shared;
    return true;
}

/* Kept until SQLite compiles the statement again; false without memory. */
static bool
learn_columns(dbal__sqlite_statement *s)
{
    int prepared_again = sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
    if (s->columns >= 0 && s->prepared_again == prepared_again)
        return true;
    int columns = sqlite3_column_count(s->stmt);
    s->columns = -1;
    if (!learn_types(s, columns) || !learn_names(s, columns))
        return false;
    s->columns = columns;
    s->prepared_again = prepared_again;
    return true;
}

dbal__sqlite_taken
dbal__sqlite_rows_columns(dbal__sqlite_statement *s, dbal_request *request)
{
    if (!learn_columns(s))
        return DBAL__SQLITE_NO_MEMORY;
    if (s->columns == 0)
        return DBAL__SQLITE_TAKEN;
    return dbal_request_columns(request, s->shared) ? DBAL__SQLITE_TAKEN : DBAL__SQLITE_REFUSED;
}

/* ---- cells --------------------------------------------------------------------------------------- */

/* TEXT comes before its size, since asking for it may change its encoding */
static dbal__sqlite_taken
take_text(sqlite3_value *cell, dbal_request *request)
{
    const unsigned char *data = sqlite3_value_text(cell);
    if (data == NULL)
        return DBAL__SQLITE_NO_MEMORY;
    size_t size = (size_t)sqlite3_value_bytes(cell);
    return dbal_request_bytes(request, DBAL_TEXT, data, size) ? DBAL__SQLITE_TAKEN
                                                              : DBAL__SQLITE_REFUSED;
}

/* a blob of size 0 has no pointer, as has one there was no memory for */
static dbal__sqlite_taken
take_blob(sqlite3_value *cell, dbal_request *request)
{
    const void *data = sqlite3_value_blob(cell);
    size_t size = (size_t)sqlite3_value_bytes(cell);
    if (data == NULL && size != 0)
        return DBAL__SQLITE_NO_MEMORY;
    return dbal_request_bytes(request, DBAL_BLOB, data, size) ? DBAL__SQLITE_TAKEN
                                                              : DBAL__SQLITE_REFUSED;
}

static inline dbal__sqlite_taken
take_cell(sqlite3_value *cell, dbal_request *request)
{
    bool taken;
    switch (sqlite3_value_type(cell)) {
    case SQLITE_INTEGER:
        taken = dbal_request_integer(request, DBAL_INT64, sqlite3_value_int64(cell));
        break;
    case SQLITE_TEXT:
        return take_text(cell, request);
    case SQLITE_FLOAT:
        taken = dbal_request_real(request, sqlite3_value_double(cell));
        break;
    case SQLITE_BLOB:
        return take_blob(cell, request);
    default:
        taken = dbal_request_null(request);
        break;
    }
    return taken ? DBAL__SQLITE_TAKEN : DBAL__SQLITE_REFUSED;
}

dbal__sqlite_taken
dbal__sqlite_rows_take(sqlite3_stmt *stmt, int columns, dbal_request *request)
{
    for (int i = 0; i < columns; i++) {
        /*
         * The value itself, and not sqlite3_column_int64() and its kin, which look the cell up once
         * more each; nobody else uses the connection meanwhile.
         */
        dbal__sqlite_taken taken = take_cell(sqlite3_column_value(stmt, i), request);
        if (__builtin_expect(taken != DBAL__SQLITE_TAKEN, 0))
            return taken;
    }
    return dbal_request_row(request) ? DBAL__SQLITE_TAKEN : DBAL__SQLITE_REFUSED;
}

/* A cell that has become what its column was declared as. */
static bool
give(dbal_request *request, const dbal_value *value)
{
    if (value->type == DBAL_UUID)
        return dbal_request_bytes(request, DBAL_UUID, value->as.uuid, sizeof value->as.uuid);
    if (value->type == DBAL_JSON)
        return dbal_request_bytes(request, DBAL_JSON, value->as.bytes.data, value->as.bytes.size);
    return dbal_request_integer(request, value->type,
                                value->type == DBAL_BOOL ? value->as.boolean : value->as.integer);
}

dbal__sqlite_taken
dbal__sqlite_rows_take_declared(const dbal__sqlite_statement *s, dbal_request *request)
{
    for (int i = 0; i < s->columns; i++) {
        sqlite3_value *cell = sqlite3_column_value(s->stmt, i);
        dbal_value value;
        dbal__sqlite_taken taken = DBAL__SQLITE_TAKEN;
        if (!dbal__sqlite_declared_value(cell, s->types[i], &value))
            taken = take_cell(cell, request);
        else if (!give(request, &value))
            taken = DBAL__SQLITE_REFUSED;
        if (taken != DBAL__SQLITE_TAKEN)
            return taken;
    }
    return dbal_request_row(request) ? DBAL__SQLITE_TAKEN : DBAL__SQLITE_REFUSED;
}
