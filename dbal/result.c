#include "dbal/result.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/text.h"

/*
 * Rows lie in chunks, each twice the one before, so that a cell is found by arithmetic and nothing
 * is ever moved: chunk k holds FIRST_ROWS << k rows. Bytes lie in an arena. The first of both is
 * inside the result, so that a small one is a single allocation.
 */
enum { FIRST_ROWS = 4, CHUNKS = 40, INSIDE = 448, ARENA_FIRST = 4096, ARENA_MOST = 1 << 20 };

/* From here on freeing takes long enough to be sent away. */
enum { LARGE = 256 * 1024 };

typedef struct cell {
    uint32_t type;
    uint32_t size;
    union {
        int64_t integer;
        double real;
        const char *bytes;
    } as;
} cell;

typedef struct heading {
    const char *name;
    dbal_type type;
} heading;

typedef struct arena {
    struct arena *next;
    max_align_t data[];
} arena;

struct dbal_result {
    atomic_uint refs;
    bool has_affected;
    size_t column_count, column_room;
    heading *columns;
    size_t row_count;
    int64_t affected, last_insert_id;
    size_t bytes, max_bytes;
    cell *next_cell, *row_end, *chunk_end; /* the row being built */
    char *at, *end;                        /* free room in the arena */
    arena *arenas;
    dbal_error *error; /* the first that an accessor left */
    dbal__reaper *reaper;
    dbal_result *next; /* among the dead */
    cell *chunks[CHUNKS];
    max_align_t inside[INSIDE / sizeof(max_align_t)];
};

dbal_result *
dbal__result_new(size_t max_bytes)
{
    dbal_result *result = dbal__alloc(sizeof *result);
    if (result == NULL)
        return NULL;
    memset(result, 0, offsetof(dbal_result, inside));
    atomic_init(&result->refs, 1);
    result->max_bytes = max_bytes;
    result->bytes = sizeof *result;
    result->at = (char *)result->inside;
    result->end = result->at + sizeof result->inside;
    return result;
}

/* A new arena with room for `size` more bytes; small requests share one that doubles each time. */
static void *
arena_grow(dbal_result *result, size_t size)
{
    size_t room = result->bytes < ARENA_FIRST ? ARENA_FIRST : result->bytes;
    if (room > ARENA_MOST)
        room = ARENA_MOST;
    bool own = size > room / 4;
    if (own)
        room = size;
    arena *fresh = dbal__alloc(sizeof *fresh + room);
    if (fresh == NULL)
        return NULL;
    fresh->next = result->arenas;
    result->arenas = fresh;
    result->bytes += sizeof *fresh + room;
    if (own)
        return fresh->data;
    result->at = (char *)fresh->data + size;
    result->end = (char *)fresh->data + room;
    return fresh->data;
}

/* `size` bytes, aligned when asked */
static inline void *
arena_take(dbal_result *result, size_t size, bool aligned)
{
    if (aligned)
        result->at = (char *)(((uintptr_t)result->at + 7) & ~(uintptr_t)7);
    if (result->at < result->end && (size_t)(result->end - result->at) >= size) {
        char *place = result->at;
        result->at += size;
        return place;
    }
    return arena_grow(result, aligned ? (size + 7) & ~(size_t)7 : size);
}

static bool
columns_grow(dbal_result *result)
{
    size_t room = result->column_room == 0 ? 4 : result->column_room * 2;
    heading *columns = arena_take(result, room * sizeof *columns, true);
    if (columns == NULL)
        return false;
    if (result->column_count != 0)
        memcpy(columns, result->columns, result->column_count * sizeof *columns);
    result->columns = columns;
    result->column_room = room;
    return true;
}

dbal__refusal
dbal__result_add_column(dbal_result *result, const char *name, dbal_type type)
{
    if (result->row_count != 0 || result->next_cell != NULL)
        return DBAL__MISMATCHED;
    if (result->column_count == result->column_room && !columns_grow(result))
        return DBAL__NO_MEMORY;
    size_t size = strlen(name) + 1;
    char *copy = arena_take(result, size, false);
    if (copy == NULL)
        return DBAL__NO_MEMORY;
    memcpy(copy, name, size);
    result->columns[result->column_count++] = (heading){copy, type};
    return DBAL__FITS;
}

dbal_result *
dbal__result_like(const dbal_result *result)
{
    dbal_result *other = dbal__result_new(result->max_bytes);
    for (size_t i = 0; other != NULL && i < result->column_count; i++) {
        if (dbal__result_add_column(other, result->columns[i].name, result->columns[i].type) !=
            DBAL__FITS)
            other = dbal_result_unref(other);
    }
    if (other != NULL && result->reaper != NULL)
        dbal__result_set_reaper(other, result->reaper);
    return other;
}

/* which chunk a row is in, and its place there */
static inline unsigned
chunk_of(size_t row, size_t *ret_index)
{
    size_t group = row / FIRST_ROWS + 1;
    unsigned chunk = 63u - (unsigned)__builtin_clzll(group);
    *ret_index = row - (((size_t)1 << chunk) - 1) * FIRST_ROWS;
    return chunk;
}

/* room for the rows from row_count on */
static dbal__refusal
chunk_add(dbal_result *result)
{
    size_t index;
    unsigned chunk = chunk_of(result->row_count, &index);
    if (chunk >= CHUNKS)
        return DBAL__TOO_LARGE;
    size_t cells = ((size_t)FIRST_ROWS << chunk) * result->column_count;
    /* only a part of a large chunk may ever be touched, so it is counted row by row */
    cell *fresh = chunk == 0 ? arena_take(result, cells * sizeof *fresh, true)
                             : dbal__alloc(cells * sizeof *fresh);
    if (fresh == NULL)
        return DBAL__NO_MEMORY;
    result->chunks[chunk] = fresh;
    result->next_cell = fresh;
    result->chunk_end = fresh + cells;
    return DBAL__FITS;
}

static dbal__refusal
row_begin(dbal_result *result)
{
    if (result->column_count == 0)
        return DBAL__MISMATCHED;
    if (result->next_cell == result->chunk_end) {
        dbal__refusal refusal = chunk_add(result);
        if (refusal != DBAL__FITS)
            return refusal;
    }
    result->row_end = result->next_cell + result->column_count;
    result->bytes += result->column_count * sizeof(cell);
    return result->bytes <= result->max_bytes ? DBAL__FITS : DBAL__TOO_LARGE;
}

/* the next cell of the row that is being built; begins a row when there is none */
static inline cell *
cell_next(dbal_result *result, dbal__refusal *ret_refusal)
{
    if (__builtin_expect(result->row_end == NULL, 0)) {
        *ret_refusal = row_begin(result);
        if (*ret_refusal != DBAL__FITS)
            return NULL;
    } else if (__builtin_expect(result->next_cell == result->row_end, 0)) {
        *ret_refusal = DBAL__MISMATCHED;
        return NULL;
    }
    return result->next_cell++;
}

dbal__refusal
dbal__result_add_integer(dbal_result *result, dbal_type type, int64_t integer)
{
    dbal__refusal refusal = DBAL__FITS;
    cell *at = cell_next(result, &refusal);
    if (at != NULL) {
        at->type = (uint32_t)type;
        at->size = 0;
        at->as.integer = integer;
    }
    return refusal;
}

dbal__refusal
dbal__result_add_real(dbal_result *result, double real)
{
    dbal__refusal refusal = DBAL__FITS;
    cell *at = cell_next(result, &refusal);
    if (at != NULL) {
        at->type = DBAL_DOUBLE;
        at->size = 0;
        at->as.real = real;
    }
    return refusal;
}

dbal__refusal
dbal__result_add_bytes(dbal_result *result, dbal_type type, const void *data, size_t size)
{
    dbal__refusal refusal = DBAL__FITS;
    if (size >= UINT32_MAX || size > result->max_bytes - (result->bytes < result->max_bytes
                                                              ? result->bytes
                                                              : result->max_bytes))
        return DBAL__TOO_LARGE;
    cell *at = cell_next(result, &refusal);
    if (at == NULL)
        return refusal;
    char *copy = arena_take(result, size + 1, false);
    if (copy == NULL)
        return DBAL__NO_MEMORY;
    if (size != 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    at->type = (uint32_t)type;
    at->size = (uint32_t)size;
    at->as.bytes = copy;
    return DBAL__FITS;
}

dbal__refusal
dbal__result_end_row(dbal_result *result)
{
    if (result->row_end == NULL || result->next_cell != result->row_end)
        return DBAL__MISMATCHED;
    result->row_end = NULL;
    result->row_count++;
    return DBAL__FITS;
}

void
dbal__result_set_affected(dbal_result *result, int64_t rows)
{
    result->affected = rows;
    result->has_affected = true;
}

bool
dbal__result_has_affected(const dbal_result *result)
{
    return result->has_affected;
}

void
dbal__result_set_last_insert_id(dbal_result *result, int64_t id)
{
    result->last_insert_id = id;
}

size_t
dbal__result_bytes(const dbal_result *result)
{
    return result->bytes;
}

void
dbal__result_set_reaper(dbal_result *result, dbal__reaper *reaper)
{
    dbal__reaper *old = result->reaper;
    reaper->ref(reaper);
    result->reaper = reaper;
    if (old != NULL)
        old->unref(old);
}

bool
dbal__result_is_large(const dbal_result *result)
{
    return result->bytes >= LARGE;
}

void
dbal__result_set_next(dbal_result *result, dbal_result *next)
{
    result->next = next;
}

dbal_result *
dbal__result_next(const dbal_result *result)
{
    return result->next;
}

void
dbal__result_destroy(dbal_result *result)
{
    for (unsigned i = 1; i < CHUNKS && result->chunks[i] != NULL; i++)
        dbal__free(result->chunks[i]);
    while (result->arenas != NULL) {
        arena *next = result->arenas->next;
        dbal__free(result->arenas);
        result->arenas = next;
    }
    dbal_error_unref(result->error);
    dbal__free(result);
}

dbal_result *
dbal_result_ref(dbal_result *result)
{
    if (result != NULL)
        atomic_fetch_add_explicit(&result->refs, 1, memory_order_relaxed);
    return result;
}

dbal_result *
dbal_result_unref(dbal_result *result)
{
    if (result == NULL ||
        atomic_fetch_sub_explicit(&result->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    dbal__reaper *reaper = result->reaper;
    if (reaper == NULL) {
        dbal__result_destroy(result);
        return NULL;
    }
    result->reaper = NULL;
    reaper->take(reaper, result);
    reaper->unref(reaper);
    return NULL;
}

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
static const cell *
find(const dbal_result *result, size_t row, size_t column)
{
    if (result == NULL || row >= result->row_count || column >= result->column_count)
        return NULL;
    size_t index;
    unsigned chunk = chunk_of(row, &index);
    return &result->chunks[chunk][index * result->column_count + column];
}

static bool
has_bytes(const cell *at)
{
    return at->type == DBAL_TEXT || at->type == DBAL_BLOB || at->type == DBAL_NUMERIC ||
           at->type == DBAL_JSON || at->type == DBAL_UUID;
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
leave_inexact(dbal_result *result, const cell *at, size_t row, size_t col, dbal_type wanted)
{
    leave(result, dbal__error_make(DBAL_ERROR_DATA, "22018", DBAL_EXECUTION_NOT_SENT,
                                   "row %zu, column %zu (%s): its %s is not exactly a %s", row, col,
                                   result->columns[col].name, dbal_type_name((dbal_type)at->type),
                                   dbal_type_name(wanted)));
}

/* the cell for a converting accessor; out of range leaves an error */
static const cell *
look(dbal_result *result, size_t row, size_t col)
{
    const cell *at = find(result, row, col);
    if (at == NULL && result != NULL)
        leave(result,
              dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                               "no row %zu, column %zu in a result of %zu rows and %zu columns",
                               row, col, result->row_count, result->column_count));
    return at;
}

bool
dbal_result_is_null(const dbal_result *result, size_t row, size_t column)
{
    const cell *at = find(result, row, column);
    return at == NULL || at->type == DBAL_NULL;
}

dbal_value
dbal_result_get(const dbal_result *result, size_t row, size_t column)
{
    const cell *at = find(result, row, column);
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
to_int64(const cell *at, int64_t *ret_integer)
{
    if (at->type == DBAL_DOUBLE) {
        double real = at->as.real;
        if (!(fabs(real) <= 9007199254740992.0) || real != floor(real))
            return false;
        *ret_integer = (int64_t)real;
        return true;
    }
    if (at->type == DBAL_UUID || at->type == DBAL_BLOB)
        return false;
    if (has_bytes(at))
        return dbal__text_to_int64(at->as.bytes, at->size, ret_integer);
    *ret_integer = at->as.integer;
    return true;
}

int64_t
dbal_result_int64(dbal_result *result, size_t row, size_t column)
{
    const cell *at = look(result, row, column);
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
to_double(const cell *at, double *ret_real)
{
    if (at->type == DBAL_UUID || at->type == DBAL_BLOB)
        return false;
    if (has_bytes(at))
        return dbal__text_to_double(at->as.bytes, at->size, ret_real);
    if (at->as.integer > 9007199254740992 || at->as.integer < -9007199254740992)
        return false;
    *ret_real = (double)at->as.integer;
    return true;
}

double
dbal_result_double(dbal_result *result, size_t row, size_t column)
{
    const cell *at = look(result, row, column);
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
    const cell *at = look(result, row, column);
    bool boolean = false;
    if (at == NULL || at->type == DBAL_NULL)
        return false;
    if ((at->type == DBAL_BOOL || at->type == DBAL_INT64) &&
        (at->as.integer == 0 || at->as.integer == 1))
        return at->as.integer == 1;
    if (!has_bytes(at) || !dbal__text_to_bool(at->as.bytes, at->size, &boolean))
        leave_inexact(result, at, row, column, DBAL_BOOL);
    return boolean;
}

/* a moment of some type: stored so, or as its text */
static int64_t
moment(dbal_result *result, size_t row, size_t col, dbal_type type)
{
    const cell *at = look(result, row, col);
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

/* a number's or moment's text, kept with the result */
static const char *
spell(dbal_result *result, const cell *at, size_t *ret_size)
{
    char text[DBAL__TEXT_MAX];
    size_t size;

    if (at->type == DBAL_DOUBLE)
        size = dbal__text_of_double(text, at->as.real);
    else if (at->type == DBAL_UUID)
        size = dbal__text_of_uuid(text, (const uint8_t *)at->as.bytes);
    else
        size = dbal__text_of_integer(text, (dbal_type)at->type, at->as.integer);
    char *copy = arena_take(result, size + 1, false);
    if (copy == NULL) {
        leave(result, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
        return "";
    }
    memcpy(copy, text, size + 1);
    *ret_size = size;
    return copy;
}

const char *
dbal_result_textn(dbal_result *result, size_t row, size_t column, size_t *ret_size)
{
    const cell *at = look(result, row, column);
    const char *text = "";
    size_t size = 0;

    if (at != NULL && at->type != DBAL_NULL) {
        if (has_bytes(at) && at->type != DBAL_UUID) {
            text = at->as.bytes;
            size = at->size;
        } else {
            text = spell(result, at, &size);
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
    const cell *at = look(result, row, column);
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
