/*
 * Rows: their columns, how many they are, and for each cell a byte for its type and what belongs to
 * it: nothing, eight bytes, or a length and so many bytes.
 */
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/parcel.h"
#include "dbal/result_layout.h"

/* A statement has no more columns than that in any database. */
enum { COLUMNS_MOST = 65535 };

static const dbal__cell *
row_at(const dbal_result *rows, size_t row)
{
    size_t index;
    unsigned chunk = dbal__result_chunk(row, &index);
    return rows->chunks[chunk] + index * rows->column_count;
}

static void
put_columns(dbal__ink *ink, const dbal_result *rows)
{
    const dbal_columns *shared = rows->shared_columns;
    bool spelled = shared != NULL && rows->columns == shared->headings && shared->speller != NULL;
    size_t begin = ink->size;
    dbal__ink_u32(ink, 0);
    dbal__ink_u32(ink, (uint32_t)rows->column_count);
    dbal__ink_u8(ink, spelled);
    for (size_t i = 0; i < rows->column_count; i++) {
        dbal__ink_u8(ink, (uint8_t)rows->columns[i].type);
        dbal__ink_u32(ink, spelled ? rows->columns[i].kind : 0);
        dbal__ink_text(ink, rows->columns[i].name);
    }
    uint32_t size = (uint32_t)(ink->size - begin - sizeof size);
    if (!ink->failed)
        memcpy(ink->data + begin, &size, sizeof size);
}

static void
put_bytes(dbal__ink *ink, const dbal__cell *cell)
{
    char *place = dbal__ink_reserve(ink, 1 + sizeof cell->size + cell->size);
    if (place == NULL)
        return;
    place[0] = (char)cell->type;
    memcpy(place + 1, &cell->size, sizeof cell->size);
    memcpy(place + 1 + sizeof cell->size, cell->as.bytes, cell->size);
}

static void
put_number(dbal__ink *ink, const dbal__cell *cell)
{
    char *place = dbal__ink_reserve(ink, 1 + sizeof cell->as);
    if (place == NULL)
        return;
    place[0] = (char)cell->type;
    memcpy(place + 1, &cell->as, sizeof cell->as);
}

static void
put_cell(dbal__ink *ink, const dbal__cell *cell)
{
    switch ((dbal_type)cell->type) {
    case DBAL_NULL:
        dbal__ink_u8(ink, DBAL_NULL);
        break;
    case DBAL_BOOL:
    case DBAL_INT64:
    case DBAL_DOUBLE:
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        put_number(ink, cell);
        break;
    default:
        put_bytes(ink, cell);
        break;
    }
}

void
dbal__parcel_put_rows(dbal__ink *ink, const dbal_result *rows)
{
    put_columns(ink, rows);
    dbal__ink_u64(ink, rows->row_count);
    for (size_t row = 0; row < rows->row_count; row++) {
        const dbal__cell *cell = row_at(rows, row);
        for (size_t i = 0; i < rows->column_count; i++)
            put_cell(ink, &cell[i]);
    }
}

/* ---- reading ------------------------------------------------------------------------------------- */

void
dbal__columns_memory_fini(dbal__columns_memory *memory)
{
    dbal__free(memory->written);
    dbal_columns_unref(memory->columns);
    *memory = (dbal__columns_memory){.written = NULL};
}

/* What is read of columns. */
typedef struct reading {
    const char **names;
    dbal_type *types;
    uint32_t *kinds;
} reading;

static bool
read_columns(dbal__eye *eye, size_t count, bool spelled, const reading *to)
{
    for (size_t i = 0; i < count; i++) {
        unsigned type = dbal__eye_u8(eye);
        to->types[i] = (dbal_type)type;
        to->kinds[i] = dbal__eye_u32(eye);
        to->names[i] = dbal__eye_text(eye);
        if (to->names[i] == NULL || type > DBAL_JSON || (to->kinds[i] != 0 && !spelled))
            return false;
    }
    return dbal__eye_left(eye) == 0;
}

/* NULL without memory, or with *ret_broken. */
static dbal_columns *
make_columns(dbal__eye *eye, size_t count, dbal_speller *speller, bool *ret_broken)
{
    dbal_columns *columns = NULL;
    reading to = {dbal__array(count + 1, sizeof *to.names),
                  dbal__array(count + 1, sizeof *to.types),
                  dbal__array(count + 1, sizeof *to.kinds)};
    if (to.names != NULL && to.types != NULL && to.kinds != NULL) {
        *ret_broken = !read_columns(eye, count, speller != NULL, &to);
        columns = *ret_broken ? NULL : dbal_columns_new(count, to.names, to.types);
    }
    if (columns != NULL && speller != NULL)
        dbal_columns_spell(columns, speller, to.kinds);
    dbal__free(to.names);
    dbal__free(to.types);
    dbal__free(to.kinds);
    return columns;
}

/* Keeps them for the next time; they stay as they were without memory. */
static void
remember(dbal__columns_memory *memory, const void *written, size_t size, dbal_columns *columns)
{
    char *copy = dbal__alloc(size);
    dbal__columns_memory_fini(memory);
    if (copy == NULL)
        return;
    memcpy(copy, written, size);
    *memory = (dbal__columns_memory){copy, size, dbal__columns_ref(columns)};
}

/* A reference; NULL without memory, or with *ret_broken. */
static dbal_columns *
get_columns(const char *written, size_t size, dbal_speller *speller, dbal__columns_memory *memory,
            bool *ret_broken)
{
    if (memory->columns != NULL && memory->size == size &&
        memcmp(memory->written, written, size) == 0)
        return dbal__columns_ref(memory->columns);
    dbal__eye eye = {written, written + size, false};
    uint32_t count = dbal__eye_u32(&eye);
    bool spelled = dbal__eye_u8(&eye) != 0;
    *ret_broken = eye.broken || count > COLUMNS_MOST || (spelled && speller == NULL);
    if (*ret_broken)
        return NULL;
    dbal_columns *columns = make_columns(&eye, count, spelled ? speller : NULL, ret_broken);
    if (columns != NULL)
        remember(memory, written, size, columns);
    return columns;
}

/* A stream's request has them from its first batch on. */
static dbal__unpacking
tell_columns(dbal_request *request, dbal_columns *columns)
{
    size_t known = dbal_result_column_count(request->result);
    if (known != 0)
        return known == columns->count ? DBAL__UNPACKING : DBAL__UNPACKING_BROKEN;
    if (columns->count == 0)
        return DBAL__UNPACKING;
    return dbal_request_columns(request, columns) ? DBAL__UNPACKING : DBAL__UNPACKING_STOPS;
}

dbal__unpacking
dbal__unpacker_begin(dbal__unpacker *unpacker, dbal__eye eye, dbal_request *request,
                     dbal_speller *speller, dbal__columns_memory *memory)
{
    bool broken = false;
    uint32_t size = dbal__eye_u32(&eye);
    const char *written = dbal__eye_bytes(&eye, size);
    uint64_t rows = dbal__eye_u64(&eye);
    if (eye.broken)
        return DBAL__UNPACKING_BROKEN;
    dbal_columns *columns = get_columns(written, size, speller, memory, &broken);
    if (broken)
        return DBAL__UNPACKING_BROKEN;
    if (columns == NULL) {
        dbal__request_refuse(request, DBAL__NO_MEMORY);
        return DBAL__UNPACKING_STOPS;
    }
    *unpacker = (dbal__unpacker){eye, rows, columns->count};
    dbal__unpacking how = tell_columns(request, columns);
    if (columns->count == 0 && rows != 0)
        how = DBAL__UNPACKING_BROKEN;
    dbal_columns_unref(columns);
    return how;
}

static bool
take_number(dbal__eye *eye, dbal_request *request, dbal_type type)
{
    if (type == DBAL_DOUBLE) {
        double real = dbal__eye_double(eye);
        return !eye->broken && dbal_request_real(request, real);
    }
    int64_t integer = (int64_t)dbal__eye_u64(eye);
    return !eye->broken && dbal_request_integer(request, type, integer);
}

static bool
take_bytes(dbal__eye *eye, dbal_request *request, dbal_type type)
{
    uint32_t size = dbal__eye_u32(eye);
    const void *data = dbal__eye_bytes(eye, size);
    if (data != NULL && type == DBAL_UUID && size != 16)
        eye->broken = true;
    return !eye->broken && dbal_request_bytes(request, type, data, size);
}

/* False: it is broken, or not wanted. */
static bool
take_cell(dbal__eye *eye, dbal_request *request)
{
    unsigned type = dbal__eye_u8(eye);
    switch (type) {
    case DBAL_NULL:
        return !eye->broken && dbal_request_null(request);
    case DBAL_BOOL:
    case DBAL_INT64:
    case DBAL_DOUBLE:
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        return take_number(eye, request, (dbal_type)type);
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_UUID:
    case DBAL_JSON:
        return take_bytes(eye, request, (dbal_type)type);
    default:
        eye->broken = true;
        return false;
    }
}

static bool
take_row(dbal__unpacker *unpacker, dbal_request *request)
{
    for (size_t i = 0; i < unpacker->columns; i++)
        if (!take_cell(&unpacker->eye, request))
            return false;
    return dbal_request_row(request);
}

dbal__unpacking
dbal__unpacker_go_on(dbal__unpacker *unpacker, dbal_request *request, size_t bytes)
{
    const char *begin = unpacker->eye.at;
    while (unpacker->rows > 0 && (size_t)(unpacker->eye.at - begin) < bytes) {
        unpacker->rows--;
        if (!take_row(unpacker, request))
            return unpacker->eye.broken ? DBAL__UNPACKING_BROKEN : DBAL__UNPACKING_STOPS;
    }
    if (unpacker->rows > 0)
        return DBAL__UNPACKING;
    return dbal__eye_left(&unpacker->eye) == 0 ? DBAL__UNPACKED : DBAL__UNPACKING_BROKEN;
}
