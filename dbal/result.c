#include "dbal/result.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/fetch.h"
#include "dbal/result_layout.h"

enum { ARENA_FIRST = 4096, ARENA_MOST = 1 << 20 };

/* From here on freeing takes long enough to be sent away. */
enum { LARGE = 256 * 1024 };

dbal_result *
dbal__result_new(size_t max_bytes)
{
    dbal_result *result = dbal__alloc(sizeof *result);
    if (result == NULL)
        return NULL;
    memset(result, 0, offsetof(dbal_result, inside));
    result->chunks = &result->first_chunk;
    dbal__result_renew(result, max_bytes);
    return result;
}

bool
dbal__result_can_renew(const dbal_result *result)
{
    return result->chunks == &result->first_chunk && result->arenas == NULL &&
           result->error == NULL;
}

void
dbal__result_renew(dbal_result *result, size_t max_bytes)
{
    atomic_init(&result->refs, 1);
    result->has_affected = false;
    result->column_count = result->column_room = 0;
    result->columns = NULL;
    result->row_count = 0;
    result->affected = result->last_insert_id = 0;
    result->max_bytes = max_bytes;
    result->bytes = sizeof *result;
    result->next_cell = result->row_end = result->chunk_end = NULL;
    result->at = (char *)result->inside;
    result->end = result->at + sizeof result->inside;
    result->next = NULL;
    result->first_chunk = NULL;
}

void *
dbal__result_grow(dbal_result *result, size_t size)
{
    size_t room = result->bytes < ARENA_FIRST ? ARENA_FIRST : result->bytes;
    if (room > ARENA_MOST)
        room = ARENA_MOST;
    bool own = size > room / 4;
    if (own)
        room = size;
    dbal__arena *fresh = dbal__alloc(sizeof *fresh + room);
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

static bool
columns_grow(dbal_result *result)
{
    size_t room = result->column_room == 0 ? 4 : result->column_room * 2;
    dbal__heading *columns = dbal__result_take(result, room * sizeof *columns, true);
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
    char *copy = dbal__result_take(result, size, false);
    if (copy == NULL)
        return DBAL__NO_MEMORY;
    memcpy(copy, name, size);
    result->columns[result->column_count++] = (dbal__heading){copy, type, 0};
    return DBAL__FITS;
}

dbal__refusal
dbal__result_use_columns(dbal_result *result, dbal_columns *columns)
{
    if (result->row_count != 0 || result->next_cell != NULL || result->column_count != 0)
        return DBAL__MISMATCHED;
    if (result->shared_columns != columns) {
        dbal_columns_unref(result->shared_columns);
        result->shared_columns = dbal__columns_ref(columns);
    }
    result->columns = columns->headings;
    result->column_count = result->column_room = columns->count; /* more would be a copy */
    return DBAL__FITS;
}

dbal_result *
dbal__result_like(const dbal_result *result)
{
    dbal_result *other = dbal__result_new(result->max_bytes);
    bool shared =
        result->shared_columns != NULL && result->columns == result->shared_columns->headings;
    if (other != NULL && shared) {
        dbal__result_use_columns(other, result->shared_columns);
        if (result->reaper != NULL)
            dbal__result_set_reaper(other, result->reaper);
        return other;
    }
    for (size_t i = 0; other != NULL && i < result->column_count; i++) {
        if (dbal__result_add_column(other, result->columns[i].name, result->columns[i].type) !=
            DBAL__FITS)
            other = dbal_result_unref(other);
    }
    if (other != NULL && result->reaper != NULL)
        dbal__result_set_reaper(other, result->reaper);
    return other;
}

/* Most results have few rows, and need no table of chunks. */
static bool
chunks_make(dbal_result *result)
{
    if (result->chunks != &result->first_chunk)
        return true; /* there was no memory for the chunk itself */
    dbal__cell **chunks = dbal__zalloc(DBAL__CHUNKS * sizeof(dbal__cell *));
    if (chunks == NULL)
        return false;
    chunks[0] = result->first_chunk;
    result->chunks = chunks;
    result->bytes += DBAL__CHUNKS * sizeof(dbal__cell *);
    return true;
}

/* room for the rows from row_count on */
static dbal__refusal
chunk_add(dbal_result *result)
{
    size_t index;
    unsigned chunk = dbal__result_chunk(result->row_count, &index);
    if (chunk >= DBAL__CHUNKS)
        return DBAL__TOO_LARGE;
    if (chunk == 1 && !chunks_make(result))
        return DBAL__NO_MEMORY;
    size_t cells = ((size_t)DBAL__FIRST_ROWS << chunk) * result->column_count;
    /* only a part of a large chunk may ever be touched, so it is counted row by row */
    dbal__cell *fresh = chunk == 0 ? dbal__result_take(result, cells * sizeof *fresh, true)
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
    result->bytes += result->column_count * sizeof(dbal__cell);
    return result->bytes <= result->max_bytes ? DBAL__FITS : DBAL__TOO_LARGE;
}

/* the next cell of the row that is being built; begins a row when there is none */
static inline dbal__cell *
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
    dbal__cell *at = cell_next(result, &refusal);
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
    dbal__cell *at = cell_next(result, &refusal);
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
    if (size >= UINT32_MAX ||
        size > result->max_bytes -
                   (result->bytes < result->max_bytes ? result->bytes : result->max_bytes))
        return DBAL__TOO_LARGE;
    dbal__cell *at = cell_next(result, &refusal);
    if (at == NULL)
        return refusal;
    char *copy = dbal__result_take(result, size + 1, false);
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
dbal__result_fetch(const dbal_result *result)
{
    dbal__fetch(result, DBAL__RESULT_BEGIN);
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
    if (result->chunks != &result->first_chunk) {
        for (unsigned i = 1; i < DBAL__CHUNKS && result->chunks[i] != NULL; i++)
            dbal__free(result->chunks[i]);
        dbal__free(result->chunks);
    }
    while (result->arenas != NULL) {
        dbal__arena *next = result->arenas->next;
        dbal__free(result->arenas);
        result->arenas = next;
    }
    dbal_error_unref(result->error);
    dbal_columns_unref(result->shared_columns);
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
    if (result == NULL)
        return NULL;
    /* nobody can come by another reference while this is the only one */
    if (atomic_load_explicit(&result->refs, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&result->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    if (result->reaper != NULL)
        result->reaper->take(result->reaper, result);
    else
        dbal__result_destroy(result);
    return NULL;
}
