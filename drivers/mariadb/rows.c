#include "rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "moment.h"

/* A cell's memory at first, and what is kept of it. */
enum { ROOM = 64, KEPT = 65536 };

/* ---- columns ------------------------------------------------------------------------------------- */

static bool
is_bytes(dbal__mariadb_kind kind)
{
    enum enum_field_types type = dbal__mariadb_buffer_of(kind);
    return type == MYSQL_TYPE_STRING || type == MYSQL_TYPE_BLOB;
}

/*
 * Where the library copies what it was told of columns it forgets which are JSON. What the server
 * says when it has prepared a statement is in the statement, and what it says when it has prepared
 * it again, since its tables have changed, is in the connection.
 */
static dbal__mariadb_kind
kind_of(const dbal__mariadb_statement *s, int column, bool truth)
{
    const MYSQL *mysql = s->stmt->mysql;
    dbal__mariadb_kind kind = dbal__mariadb_kind_of(&s->stmt->fields[column], truth);
    bool told = mysql->fields != NULL && (unsigned)column < mysql->field_count;
    return kind == DBAL__MARIADB_STRING && told && dbal__mariadb_is_json(&mysql->fields[column])
               ? DBAL__MARIADB_JSON
               : kind;
}

/* Names and kinds, one behind the other: what a later execution's are held against. */
static size_t
describe(const dbal__mariadb_statement *s, int columns, bool truth, char *to)
{
    size_t size = 0;
    for (int i = 0; i < columns; i++) {
        const MYSQL_FIELD *field = &s->stmt->fields[i];
        if (to != NULL) {
            to[size] = (char)kind_of(s, i, truth);
            memcpy(to + size + 1, field->name, field->name_length);
            to[size + 1 + field->name_length] = '\0';
        }
        size += field->name_length + 2;
    }
    return size;
}

/* The server prepares a statement again when its tables have changed, and says so nowhere else. */
static bool
is_known(const dbal__mariadb_statement *s, int columns, bool truth)
{
    if (s->shared == NULL || s->columns != columns)
        return false;
    const char *at = s->names;
    for (int i = 0; i < columns; i++) {
        const MYSQL_FIELD *field = &s->stmt->fields[i];
        size_t size = field->name_length;
        if (at[0] != (char)kind_of(s, i, truth) || strlen(at + 1) != size ||
            memcmp(at + 1, field->name, size) != 0)
            return false;
        at += size + 2;
    }
    return true;
}

static bool
learn_names(dbal__mariadb_statement *s)
{
    const char **names = dbal_driver_alloc((size_t)s->columns * sizeof *names);
    dbal_type *types = dbal_driver_alloc((size_t)s->columns * sizeof *types);
    const char *at = s->names;
    for (int i = 0; i < s->columns && names != NULL && types != NULL; i++) {
        names[i] = at + 1;
        types[i] = dbal__mariadb_type_of(s->cells[i].kind);
        at += strlen(at + 1) + 2;
    }
    if (names != NULL && types != NULL)
        s->shared = dbal_columns_new((size_t)s->columns, names, types);
    dbal_driver_free(names);
    dbal_driver_free(types);
    return s->shared != NULL;
}

static bool
bind_columns(dbal__mariadb_statement *s)
{
    for (int i = 0; i < s->columns; i++) {
        dbal__mariadb_cell *cell = &s->cells[i];
        MYSQL_BIND *bind = &s->taken[i];
        bool bytes = is_bytes(cell->kind);
        *bind = (MYSQL_BIND){.buffer_type = dbal__mariadb_buffer_of(cell->kind),
                             .buffer = bytes ? cell->data : (void *)&cell->as,
                             .buffer_length = bytes ? cell->room : sizeof cell->as,
                             .length = &cell->length,
                             .is_null = &cell->is_null,
                             .error = &cell->is_cut,
                             .is_unsigned = cell->kind == DBAL__MARIADB_UNSIGNED};
    }
    s->bound = mysql_stmt_bind_result(s->stmt, s->taken) == 0;
    return s->bound;
}

static bool
learn_cells(dbal__mariadb_statement *s, int columns, bool truth)
{
    s->names_size = describe(s, columns, truth, NULL);
    s->names = dbal_driver_alloc(s->names_size);
    s->cells = dbal_driver_alloc((size_t)columns * sizeof *s->cells);
    s->taken = dbal_driver_alloc((size_t)columns * sizeof *s->taken);
    if (s->names == NULL || s->cells == NULL || s->taken == NULL)
        return false;
    s->columns = columns;
    describe(s, columns, truth, s->names);
    for (int i = 0; i < columns; i++) {
        dbal__mariadb_cell *cell = &s->cells[i];
        cell->kind = kind_of(s, i, truth);
        if (!is_bytes(cell->kind))
            continue;
        cell->data = dbal_driver_alloc(ROOM);
        if (cell->data == NULL)
            return false;
        cell->room = ROOM;
    }
    return true;
}

dbal__mariadb_taken
dbal__mariadb_rows_begin(dbal__mariadb_statement *s, dbal_request *request, bool truth)
{
    int columns = (int)mysql_stmt_field_count(s->stmt);
    bool known = is_known(s, columns, truth);
    s->bound = false;
    if (!known) {
        s->stale = s->shared != NULL;
        dbal__mariadb_statement_forget_columns(s);
        known = learn_cells(s, columns, truth) && learn_names(s);
    }
    /* each execution forgets what was bound */
    if (!known || !bind_columns(s))
        return DBAL__MARIADB_NO_MEMORY;
    return dbal_request_columns(request, s->shared) ? DBAL__MARIADB_TAKEN : DBAL__MARIADB_REFUSED;
}

/* ---- cells ----------------------------------------------------------------------------------------- */

/* A cell that was longer than its room is fetched once more. */
static dbal__mariadb_taken
fetch_whole(dbal__mariadb_statement *s, int column)
{
    dbal__mariadb_cell *cell = &s->cells[column];
    char *data = dbal_driver_realloc(cell->data, cell->length);
    if (data == NULL)
        return DBAL__MARIADB_NO_MEMORY;
    cell->data = data;
    cell->room = cell->length;
    s->taken[column].buffer = data;
    s->taken[column].buffer_length = cell->room;
    MYSQL_BIND whole = s->taken[column];
    return mysql_stmt_fetch_column(s->stmt, &whole, (unsigned)column, 0) == 0
               ? DBAL__MARIADB_TAKEN
               : DBAL__MARIADB_FAILED;
}

static bool
give_unsigned(dbal_request *request, uint64_t value)
{
    char text[24];
    if (value <= INT64_MAX)
        return dbal_request_integer(request, DBAL_INT64, (int64_t)value);
    int size = snprintf(text, sizeof text, "%" PRIu64, value);
    return dbal_request_bytes(request, DBAL_NUMERIC, text, (size_t)size);
}

/* The most significant byte comes first. */
static bool
give_bits(dbal_request *request, const dbal__mariadb_cell *cell)
{
    uint64_t value = 0;
    for (unsigned long i = 0; i < cell->length; i++)
        value = value << 8 | (uint8_t)cell->data[i];
    return give_unsigned(request, value);
}

static bool
give_moment(dbal_request *request, const dbal__mariadb_cell *cell)
{
    dbal_type type = dbal__mariadb_type_of(cell->kind);
    int64_t value;
    char text[DBAL__MARIADB_MOMENT_MAX];
    if (dbal__mariadb_moment_value(type, &cell->as.moment, &value))
        return dbal_request_integer(request, type, value);
    size_t size = dbal__mariadb_moment_text(type, &cell->as.moment, text);
    return dbal_request_bytes(request, DBAL_TEXT, text, size);
}

static bool
give_uuid(dbal_request *request, const dbal__mariadb_cell *cell)
{
    uint8_t uuid[16];
    if (dbal__mariadb_uuid_read(cell->data, cell->length, uuid))
        return dbal_request_bytes(request, DBAL_UUID, uuid, sizeof uuid);
    return dbal_request_bytes(request, DBAL_TEXT, cell->data, cell->length);
}

static bool
give_truth(dbal_request *request, int64_t value)
{
    bool plain = value == 0 || value == 1;
    return dbal_request_integer(request, plain ? DBAL_BOOL : DBAL_INT64, value);
}

static bool
give(dbal_request *request, const dbal__mariadb_cell *cell)
{
    switch (cell->kind) {
    case DBAL__MARIADB_INTEGER:
        return dbal_request_integer(request, DBAL_INT64, cell->as.integer);
    case DBAL__MARIADB_UNSIGNED:
        return give_unsigned(request, (uint64_t)cell->as.integer);
    case DBAL__MARIADB_TRUTH:
        return give_truth(request, cell->as.integer);
    case DBAL__MARIADB_SINGLE:
        return dbal_request_real(request, (double)cell->as.single);
    case DBAL__MARIADB_DOUBLE:
        return dbal_request_real(request, cell->as.real);
    case DBAL__MARIADB_DATE:
    case DBAL__MARIADB_TIME:
    case DBAL__MARIADB_MOMENT:
        return give_moment(request, cell);
    case DBAL__MARIADB_UUID:
        return give_uuid(request, cell);
    case DBAL__MARIADB_BITS:
        return give_bits(request, cell);
    case DBAL__MARIADB_NOTHING:
        return dbal_request_null(request);
    default:
        return dbal_request_bytes(request, dbal__mariadb_type_of(cell->kind), cell->data,
                                  cell->length);
    }
}

dbal__mariadb_taken
dbal__mariadb_rows_take(dbal__mariadb_statement *s, dbal_request *request)
{
    bool grown = false;
    for (int i = 0; i < s->columns; i++) {
        dbal__mariadb_cell *cell = &s->cells[i];
        if (!cell->is_null && is_bytes(cell->kind) && cell->length > cell->room) {
            dbal__mariadb_taken whole = fetch_whole(s, i);
            if (whole != DBAL__MARIADB_TAKEN)
                return whole;
            grown = true;
        }
        if (!(cell->is_null ? dbal_request_null(request) : give(request, cell)))
            return DBAL__MARIADB_REFUSED;
    }
    /* not before: binding anew forgets where in the row the other columns are */
    if (grown && mysql_stmt_bind_result(s->stmt, s->taken) != 0)
        return DBAL__MARIADB_FAILED;
    return dbal_request_row(request) ? DBAL__MARIADB_TAKEN : DBAL__MARIADB_REFUSED;
}

bool
dbal__mariadb_rows_drain(dbal__mariadb_statement *s)
{
    /* what the library has of the columns may be their memory of before fetch_whole() */
    if (!s->bound || mysql_stmt_bind_result(s->stmt, s->taken) != 0) {
        mysql_stmt_free_result(s->stmt);
        return mysql_errno(s->stmt->mysql) == 0;
    }
    int code = 0;
    while (code == 0 || code == MYSQL_DATA_TRUNCATED)
        code = mysql_stmt_fetch(s->stmt);
    return code == MYSQL_NO_DATA;
}

void
dbal__mariadb_rows_end(dbal__mariadb_statement *s)
{
    for (int i = 0; i < s->columns; i++) {
        dbal__mariadb_cell *cell = &s->cells[i];
        char *less = cell->room > KEPT ? dbal_driver_realloc(cell->data, KEPT) : NULL;
        if (less != NULL) {
            cell->data = less;
            cell->room = KEPT;
        }
    }
}
