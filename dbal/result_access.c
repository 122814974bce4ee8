/* Reading a result: by cell, with or without conversion. */
#include <math.h>
#include <string.h>

#include "dbal/error.h"
#include "dbal/result_layout.h"
#include "dbal/text.h"

size_t
dbal_result_row_count(const dbal_result *result)
{
    return result != NULL ? result->row_count : 0;
}

size_t
dbal_result_column_count(const dbal_result *result)
{
    return result != NULL ? result->column_count : 0;
}

const char *
dbal_result_column_name(const dbal_result *result, size_t column)
{
    return column < dbal_result_column_count(result) ? result->columns[column].name : "";
}

bool
dbal_result_column_index(const dbal_result *result, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < dbal_result_column_count(result); i++) {
        if (strcmp(result->columns[i].name, name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

dbal_type
dbal_result_column_type(const dbal_result *result, size_t column)
{
    return column < dbal_result_column_count(result) ? result->columns[column].type : DBAL_NULL;
}

int64_t
dbal_result_affected(const dbal_result *result)
{
    if (result == NULL)
        return 0;
    return result->has_affected ? result->affected : (int64_t)result->row_count;
}

int64_t
dbal_result_last_insert_id(const dbal_result *result)
{
    return result != NULL ? result->last_insert_id : 0;
}

/* the cell, or NULL out of range */
static const dbal__cell *
find(const dbal_result *result, size_t row, size_t column)
{
    if (result == NULL || row >= result->row_count || column >= result->column_count)
        return NULL;
    size_t index;
    unsigned chunk = dbal__result_chunk(row, &index);
    return &result->chunks[chunk][index * result->column_count + column];
}

static bool
has_bytes(const dbal__cell *at)
{
    return at->type == DBAL_TEXT || at->type == DBAL_BLOB || at->type == DBAL_NUMERIC ||
           at->type == DBAL_JSON || at->type == DBAL_UUID;
}

static bool
is_text(const dbal__cell *at)
{
    return has_bytes(at) && at->type != DBAL_BLOB && at->type != DBAL_UUID;
}

/* keeps the first error */
static void
leave(dbal_result *result, dbal_error *error)
{
    if (result == NULL || result->error != NULL) {
        dbal_error_unref(error);
        return;
    }
    result->error = error;
}

static void
leave_inexact(dbal_result *result, const dbal__cell *at, size_t row, size_t col, dbal_type wanted)
{
    leave(result,
          dbal__error_make(DBAL_ERROR_DATA, "22018", DBAL_EXECUTION_UNKNOWN,
                           "row %zu, column %zu (%s): its %s is not exactly %s %s", row, col,
                           result->columns[col].name, dbal_type_name((dbal_type)at->type),
                           wanted == DBAL_INT64 ? "an" : "a", dbal_type_name(wanted)));
}

/* the cell for a converting accessor; out of range leaves an error */
static const dbal__cell *
look(dbal_result *result, size_t row, size_t col)
{
    const dbal__cell *at = find(result, row, col);
    if (at == NULL && result != NULL)
        leave(result,
              dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_UNKNOWN,
                               "no row %zu, column %zu in a result of %zu rows and %zu columns",
                               row, col, result->row_count, result->column_count));
    return at;
}

bool
dbal_result_is_null(const dbal_result *result, size_t row, size_t column)
{
    const dbal__cell *at = find(result, row, column);
    return at == NULL || at->type == DBAL_NULL;
}

dbal_value
dbal_result_get(const dbal_result *result, size_t row, size_t column)
{
    const dbal__cell *at = find(result, row, column);
    dbal_value value = dbal_null();
    if (at == NULL)
        return value;
    value.type = (dbal_type)at->type;
    if (value.type == DBAL_UUID)
        memcpy(value.as.uuid, at->as.bytes, sizeof value.as.uuid);
    else if (has_bytes(at))
        value.as.bytes = (dbal_bytes){at->as.bytes, at->size};
    else if (value.type == DBAL_DOUBLE)
        value.as.real = at->as.real;
    else if (value.type == DBAL_BOOL)
        value.as.boolean = at->as.integer != 0;
    else
        value.as.integer = at->as.integer;
    return value;
}

/* an exact integer, if the cell is one in any spelling */
static bool
to_int64(const dbal__cell *at, int64_t *ret_integer)
{
    if (at->type == DBAL_DOUBLE) {
        double real = at->as.real;
        if (!(fabs(real) <= 9007199254740992.0) || real != floor(real))
            return false;
        *ret_integer = (int64_t)real;
        return true;
    }
    if (has_bytes(at) && !is_text(at))
        return false;
    if (is_text(at))
        return dbal__text_to_int64(at->as.bytes, at->size, ret_integer);
    *ret_integer = at->as.integer;
    return true;
}

int64_t
dbal_result_int64(dbal_result *result, size_t row, size_t column)
{
    const dbal__cell *at = look(result, row, column);
    int64_t integer = 0;
    if (at == NULL || at->type == DBAL_NULL)
        return 0;
    if (at->type == DBAL_INT64)
        return at->as.integer;
    if (!to_int64(at, &integer)) {
        leave_inexact(result, at, row, column, DBAL_INT64);
        return 0;
    }
    return integer;
}

static bool
to_double(const dbal__cell *at, double *ret_real)
{
    if (has_bytes(at) && !is_text(at))
        return false;
    if (is_text(at))
        return dbal__text_to_double(at->as.bytes, at->size, ret_real);
    if (at->as.integer > 9007199254740992 || at->as.integer < -9007199254740992)
        return false;
    *ret_real = (double)at->as.integer;
    return true;
}

double
dbal_result_double(dbal_result *result, size_t row, size_t column)
{
    const dbal__cell *at = look(result, row, column);
    double real = 0;
    if (at == NULL || at->type == DBAL_NULL)
        return 0;
    if (at->type == DBAL_DOUBLE)
        return at->as.real;
    if (!to_double(at, &real)) {
        leave_inexact(result, at, row, column, DBAL_DOUBLE);
        return 0;
    }
    return real;
}

bool
dbal_result_bool(dbal_result *result, size_t row, size_t column)
{
    const dbal__cell *at = look(result, row, column);
    bool boolean = false;
    if (at == NULL || at->type == DBAL_NULL)
        return false;
    if ((at->type == DBAL_BOOL || at->type == DBAL_INT64) &&
        (at->as.integer == 0 || at->as.integer == 1))
        return at->as.integer == 1;
    if (!is_text(at) || !dbal__text_to_bool(at->as.bytes, at->size, &boolean))
        leave_inexact(result, at, row, column, DBAL_BOOL);
    return boolean;
}

/* a moment of some type: stored so, or as its text */
static int64_t
moment(dbal_result *result, size_t row, size_t col, dbal_type type)
{
    const dbal__cell *at = look(result, row, col);
    int64_t value = 0;
    if (at == NULL || at->type == DBAL_NULL)
        return 0;
    if (at->type == (uint32_t)type)
        return at->as.integer;
    if (at->type != DBAL_TEXT || !dbal__text_to_moment(type, at->as.bytes, at->size, &value)) {
        leave_inexact(result, at, row, col, type);
        return 0;
    }
    return value;
}

int64_t
dbal_result_date(dbal_result *result, size_t row, size_t column)
{
    return moment(result, row, column, DBAL_DATE);
}

int64_t
dbal_result_time(dbal_result *result, size_t row, size_t column)
{
    return moment(result, row, column, DBAL_TIME);
}

int64_t
dbal_result_timestamp(dbal_result *result, size_t row, size_t column)
{
    return moment(result, row, column, DBAL_TIMESTAMP);
}

static size_t
spell(const dbal__cell *at, char *to)
{
    if (at->type == DBAL_DOUBLE)
        return dbal__text_of_double(to, at->as.real);
    if (at->type == DBAL_UUID)
        return dbal__text_of_uuid(to, (const uint8_t *)at->as.bytes);
    return dbal__text_of_integer(to, (dbal_type)at->type, at->as.integer);
}

/* where a text is kept with the result; NULL without memory, which is left as an error */
static char *
keep(dbal_result *result, size_t size)
{
    char *place = dbal__result_take(result, size + 1, false);
    if (place == NULL)
        leave(result, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    return place;
}

/* the text of what is not kept as text: as the driver writes it, if it has a way of its own */
static const char *
spell_kept(dbal_result *result, const dbal__cell *at, dbal_value value, const dbal__heading *column,
           size_t *ret_size)
{
    const dbal_columns *shared = result->shared_columns;
    dbal_speller *speller = shared != NULL ? shared->speller : NULL;
    char text[DBAL__TEXT_MAX];
    size_t size = speller != NULL ? speller(text, sizeof text, column->kind, value) : 0;
    if (size == 0 && at->type == DBAL_BLOB) {
        *ret_size = at->size;
        return at->as.bytes;
    }
    if (size == 0)
        size = spell(at, text);
    char *copy = keep(result, size);
    if (copy == NULL)
        return "";
    if (size < sizeof text)
        memcpy(copy, text, size + 1);
    else
        speller(copy, size + 1, column->kind, value);
    *ret_size = size;
    return copy;
}

const char *
dbal_result_textn(dbal_result *result, size_t row, size_t column, size_t *ret_size)
{
    const dbal__cell *at = look(result, row, column);
    const char *text = "";
    size_t size = 0;

    if (at != NULL && at->type != DBAL_NULL) {
        if (is_text(at)) {
            text = at->as.bytes;
            size = at->size;
        } else {
            text = spell_kept(result, at, dbal_result_get(result, row, column),
                              &result->columns[column], &size);
        }
    }
    if (ret_size != NULL)
        *ret_size = size;
    return text;
}

const char *
dbal_result_text(dbal_result *result, size_t row, size_t column)
{
    return dbal_result_textn(result, row, column, NULL);
}

dbal_bytes
dbal_result_blob(dbal_result *result, size_t row, size_t column)
{
    dbal_bytes bytes = {NULL, 0};
    const dbal__cell *at = look(result, row, column);
    if (at == NULL || at->type == DBAL_NULL)
        return bytes;
    if (!has_bytes(at)) {
        leave_inexact(result, at, row, column, DBAL_BLOB);
        return bytes;
    }
    bytes.data = at->as.bytes;
    bytes.size = at->size;
    return bytes;
}

dbal_error *
dbal_result_take_error(dbal_result *result)
{
    if (result == NULL)
        return NULL;
    dbal_error *error = result->error;
    result->error = NULL;
    return error;
}
