#include "rows.h"

#include <string.h>

#include "decode.h"
#include "moment.h"
#include "spell.h"
#include "type.h"

/* ---- columns ------------------------------------------------------------------------------- */

/* whether count, names and types are still the same */
static bool
fits(const dbal__postgres_columns *columns, const PGresult *result)
{
    const char *name = columns->names;
    if (columns->count != PQnfields(result))
        return false;
    for (int i = 0; i < columns->count; i++) {
        if (columns->items[i].type != PQftype(result, i) || strcmp(name, PQfname(result, i)) != 0)
            return false;
        name += strlen(name) + 1;
    }
    return true;
}

/* the same statement may send its rows in text at one time and in binary at another */
static void
learn_formats(dbal__postgres_columns *columns, const PGresult *result)
{
    for (int i = 0; i < columns->count; i++) {
        dbal__postgres_column *column = &columns->items[i];
        int format = PQfformat(result, i);
        if (column->format == format)
            continue;
        column->format = (uint8_t)format;
        column->reader = (uint8_t)dbal__postgres_type_reader(column->type, format);
    }
}

static bool
learn_items(dbal__postgres_columns *columns, const PGresult *result)
{
    columns->items = dbal_driver_alloc((size_t)columns->count * sizeof *columns->items);
    if (columns->items == NULL)
        return false;
    columns->binary_possible = true;
    for (int i = 0; i < columns->count; i++) {
        Oid type = PQftype(result, i);
        int format = PQfformat(result, i);
        columns->items[i] = (dbal__postgres_column){
            type, (uint8_t)format, (uint8_t)dbal__postgres_type_reader(type, format)};
        columns->binary_possible = columns->binary_possible && dbal__postgres_type_is_binary(type);
    }
    return true;
}

static bool
learn_names(dbal__postgres_columns *columns, const PGresult *result)
{
    size_t size = 0;
    for (int i = 0; i < columns->count; i++)
        size += strlen(PQfname(result, i)) + 1;
    char *at = columns->names = dbal_driver_alloc(size);
    if (at == NULL)
        return false;
    for (int i = 0; i < columns->count; i++) {
        const char *name = PQfname(result, i);
        size = strlen(name) + 1;
        memcpy(at, name, size);
        at += size;
    }
    return true;
}

/* what the results have in common */
static bool
learn_shared(dbal__postgres_columns *columns)
{
    size_t count = (size_t)columns->count;
    const char **names = dbal_driver_alloc(count * sizeof *names);
    dbal_type *types = dbal_driver_alloc(count * sizeof *types);
    uint32_t *kinds = dbal_driver_alloc(count * sizeof *kinds);
    bool ok = names != NULL && types != NULL && kinds != NULL;
    const char *name = columns->names;
    for (size_t i = 0; ok && i < count; i++) {
        names[i] = name;
        types[i] = dbal__postgres_type(columns->items[i].type);
        kinds[i] = columns->items[i].type;
        name += strlen(name) + 1;
    }
    columns->shared = ok ? dbal_columns_new(count, names, types) : NULL;
    if (columns->shared != NULL)
        dbal_columns_spell(columns->shared, dbal__postgres_spell, kinds);
    dbal_driver_free(names);
    dbal_driver_free(types);
    dbal_driver_free(kinds);
    return columns->shared != NULL;
}

bool
dbal__postgres_columns_learn(dbal__postgres_columns *columns, const PGresult *result)
{
    if (fits(columns, result)) {
        learn_formats(columns, result);
        return true;
    }
    dbal__postgres_columns fresh = {.count = PQnfields(result)};
    if (fresh.count != 0 &&
        (!learn_items(&fresh, result) || !learn_names(&fresh, result) || !learn_shared(&fresh))) {
        dbal__postgres_columns_fini(&fresh);
        return false;
    }
    dbal__postgres_columns_fini(columns);
    *columns = fresh;
    return true;
}

void
dbal__postgres_columns_fini(dbal__postgres_columns *columns)
{
    dbal_columns_unref(columns->shared);
    dbal_driver_free(columns->items);
    dbal_driver_free(columns->names);
    *columns = (dbal__postgres_columns){0};
}

/* ---- cells in text ------------------------------------------------------------------------- */

static bool
take_text(dbal_request *request, dbal_type type, const char *data, int size)
{
    return dbal_request_bytes(request, type, data, (size_t)size);
}

static bool
take_bytea_text(dbal_request *request, const char *data, size_t size, dbal_fault *fault)
{
    uint8_t small[512];
    uint8_t *bytes = size <= sizeof small ? small : dbal_driver_alloc(size);
    size_t count;
    if (bytes == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "no memory for a blob of %zu bytes",
                       size / 2);
        return false;
    }
    bool ok = dbal__postgres_decode_bytea(data, size, bytes, &count)
                  ? dbal_request_bytes(request, DBAL_BLOB, bytes, count)
                  : dbal_request_bytes(request, DBAL_TEXT, data, size);
    if (bytes != small)
        dbal_driver_free(bytes);
    return ok;
}

/* numbers and moments that fit become such; what does not stays text */
static bool
take_from_text(dbal_request *request, dbal__postgres_reader reader, const char *data, int length)
{
    size_t size = (size_t)length;
    int64_t integer;
    double real;
    bool boolean;
    uint8_t uuid[16];

    switch (reader) {
    case DBAL__POSTGRES_READ_BOOL_TEXT:
        if (dbal__postgres_decode_bool(data, size, &boolean))
            return dbal_request_integer(request, DBAL_BOOL, boolean);
        break;
    case DBAL__POSTGRES_READ_INTEGER_TEXT:
        if (dbal__postgres_decode_integer(data, size, &integer))
            return dbal_request_integer(request, DBAL_INT64, integer);
        break;
    case DBAL__POSTGRES_READ_FLOAT4_TEXT:
        if (dbal__postgres_decode_real4(data, size, &real))
            return dbal_request_real(request, real);
        break;
    case DBAL__POSTGRES_READ_FLOAT8_TEXT:
        if (dbal__postgres_decode_real(data, size, &real))
            return dbal_request_real(request, real);
        break;
    case DBAL__POSTGRES_READ_DATE_TEXT:
        if (dbal__postgres_date_read(data, size, &integer))
            return dbal_request_integer(request, DBAL_DATE, integer);
        break;
    case DBAL__POSTGRES_READ_TIME_TEXT:
        if (dbal__postgres_time_read(data, size, &integer))
            return dbal_request_integer(request, DBAL_TIME, integer);
        break;
    case DBAL__POSTGRES_READ_TIMESTAMP_TEXT:
        if (dbal__postgres_timestamp_read(data, size, &integer))
            return dbal_request_integer(request, DBAL_TIMESTAMP, integer);
        break;
    case DBAL__POSTGRES_READ_UUID_TEXT:
        if (dbal__postgres_decode_uuid(data, size, uuid))
            return dbal_request_bytes(request, DBAL_UUID, uuid, sizeof uuid);
        break;
    default:
        break;
    }
    return dbal_request_bytes(request, DBAL_TEXT, data, size);
}

/* ---- cells in binary ----------------------------------------------------------------------- */

/* the server has written something else than its documentation says */
static bool
spoiled(dbal_fault *fault, dbal__postgres_reader reader, int size)
{
    dbal_fault_set(fault, DBAL_ERROR_INTERNAL, "08P01",
                   "the server has sent a cell that is none of its column's type "
                   "(%d bytes in binary, form %d)",
                   size, (int)reader);
    return false;
}

static inline bool
take_bool(dbal_request *request, unsigned char byte, dbal_fault *fault)
{
    return byte <= 1 ? dbal_request_integer(request, DBAL_BOOL, byte)
                     : spoiled(fault, DBAL__POSTGRES_READ_BOOL, 1);
}

static bool
take_time(dbal_request *request, int64_t time, dbal_fault *fault)
{
    return time >= 0 && time <= DBAL__POSTGRES_DAY ? dbal_request_integer(request, DBAL_TIME, time)
                                                   : spoiled(fault, DBAL__POSTGRES_READ_TIME, 8);
}

static bool
take_date(dbal_request *request, int32_t days)
{
    if (__builtin_expect(days != INT32_MAX && days != INT32_MIN, 1))
        return dbal_request_integer(request, DBAL_DATE, days + DBAL__POSTGRES_EPOCH);
    const char *text = days > 0 ? "infinity" : "-infinity";
    return dbal_request_bytes(request, DBAL_TEXT, text, strlen(text));
}

/* what 64 bits cannot hold when counted from 1970 is told as text, infinity among it */
static bool
take_late(dbal_request *request, int64_t moment, bool zone)
{
    char text[DBAL__POSTGRES_MOMENT_MAX];
    if (moment == INT64_MAX)
        return dbal_request_bytes(request, DBAL_TEXT, "infinity", 8);
    int64_t days = moment / DBAL__POSTGRES_DAY;
    size_t size = dbal__postgres_timestamp_write(text, days + DBAL__POSTGRES_EPOCH,
                                                 moment - days * DBAL__POSTGRES_DAY, zone);
    return dbal_request_bytes(request, DBAL_TEXT, text, size);
}

static bool
take_timestamp(dbal_request *request, int64_t moment, bool zone)
{
    int64_t since_1970;
    if (__builtin_expect(moment == INT64_MIN, 0))
        return dbal_request_bytes(request, DBAL_TEXT, "-infinity", 9);
    if (__builtin_add_overflow(moment, DBAL__POSTGRES_EPOCH * DBAL__POSTGRES_DAY, &since_1970))
        return take_late(request, moment, zone);
    return dbal_request_integer(request, DBAL_TIMESTAMP, since_1970);
}

/* bytes that a value of this form has; -1: any number */
static inline int
size_of(dbal__postgres_reader reader)
{
    static const signed char sizes[DBAL__POSTGRES_READ_NOTHING + 1] = {
        [DBAL__POSTGRES_READ_BOOL] = 1,        [DBAL__POSTGRES_READ_INT2] = 2,
        [DBAL__POSTGRES_READ_INT4] = 4,        [DBAL__POSTGRES_READ_INT8] = 8,
        [DBAL__POSTGRES_READ_OID] = 4,         [DBAL__POSTGRES_READ_FLOAT4] = 4,
        [DBAL__POSTGRES_READ_FLOAT8] = 8,      [DBAL__POSTGRES_READ_DATE] = 4,
        [DBAL__POSTGRES_READ_TIME] = 8,        [DBAL__POSTGRES_READ_TIMESTAMP] = 8,
        [DBAL__POSTGRES_READ_TIMESTAMPTZ] = 8, [DBAL__POSTGRES_READ_UUID] = 16,
    };
    return sizes[reader];
}

static inline bool
take_fixed(dbal_request *request, dbal__postgres_reader reader, const char *data, dbal_fault *fault)
{
    switch (reader) {
    case DBAL__POSTGRES_READ_INT8:
        return dbal_request_integer(request, DBAL_INT64, (int64_t)dbal__postgres_decode64(data));
    case DBAL__POSTGRES_READ_INT4:
        return dbal_request_integer(request, DBAL_INT64, (int32_t)dbal__postgres_decode32(data));
    case DBAL__POSTGRES_READ_INT2:
        return dbal_request_integer(request, DBAL_INT64, (int16_t)dbal__postgres_decode16(data));
    case DBAL__POSTGRES_READ_OID:
        return dbal_request_integer(request, DBAL_INT64, dbal__postgres_decode32(data));
    case DBAL__POSTGRES_READ_BOOL:
        return take_bool(request, (unsigned char)*data, fault);
    case DBAL__POSTGRES_READ_FLOAT8:
        return dbal_request_real(request, dbal__postgres_decode_float8(data));
    case DBAL__POSTGRES_READ_FLOAT4:
        return dbal_request_real(request, dbal__postgres_decode_float4(data));
    case DBAL__POSTGRES_READ_DATE:
        return take_date(request, (int32_t)dbal__postgres_decode32(data));
    case DBAL__POSTGRES_READ_TIME:
        return take_time(request, (int64_t)dbal__postgres_decode64(data), fault);
    case DBAL__POSTGRES_READ_TIMESTAMP:
        return take_timestamp(request, (int64_t)dbal__postgres_decode64(data), false);
    case DBAL__POSTGRES_READ_TIMESTAMPTZ:
        return take_timestamp(request, (int64_t)dbal__postgres_decode64(data), true);
    default:
        return dbal_request_bytes(request, DBAL_UUID, data, 16);
    }
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* one that is not NULL */
static inline bool
take_cell(dbal_request *request, dbal__postgres_reader reader, const char *data, int size,
          dbal_fault *fault)
{
    if (reader == DBAL__POSTGRES_READ_TEXT)
        return take_text(request, DBAL_TEXT, data, size);
    int fixed = size_of(reader);
    if (fixed != 0)
        return size == fixed ? take_fixed(request, reader, data, fault)
                             : spoiled(fault, reader, size);
    switch (reader) {
    case DBAL__POSTGRES_READ_NUMERIC:
        return take_text(request, DBAL_NUMERIC, data, size);
    case DBAL__POSTGRES_READ_JSON:
        return take_text(request, DBAL_JSON, data, size);
    case DBAL__POSTGRES_READ_BYTEA:
        return take_text(request, DBAL_BLOB, data, size);
    case DBAL__POSTGRES_READ_JSONB: /* a version, which has only ever been 1 */
        return size >= 1 && *data == 1 ? take_text(request, DBAL_JSON, data + 1, size - 1)
                                       : spoiled(fault, reader, size);
    case DBAL__POSTGRES_READ_BYTEA_TEXT:
        return take_bytea_text(request, data, (size_t)size, fault);
    case DBAL__POSTGRES_READ_NOTHING:
        return spoiled(fault, reader, size);
    default:
        return take_from_text(request, reader, data, size);
    }
}

static inline bool
take_row(const dbal__postgres_columns *columns, const PGresult *result, int row,
         dbal_request *request, dbal_fault *fault)
{
    const int count = columns->count;
    for (int i = 0; i < count; i++) {
        int size = PQgetlength(result, row, i);
        /* NULL has no length; nor has an empty text */
        bool taken = size == 0 && PQgetisnull(result, row, i)
                         ? dbal_request_null(request)
                         : take_cell(request, (dbal__postgres_reader)columns->items[i].reader,
                                     PQgetvalue(result, row, i), size, fault);
        if (__builtin_expect(!taken, 0))
            return false;
    }
    return dbal_request_row(request);
}

bool
dbal__postgres_rows_take(const dbal__postgres_columns *columns, const PGresult *result, int from,
                         int to, bool first, dbal_request *request, dbal_fault *fault)
{
    if (columns->count == 0)
        return true;
    if (first && !dbal_request_columns(request, columns->shared))
        return false;
    for (int i = from; i < to; i++)
        if (!take_row(columns, result, i, request, fault))
            return false;
    return true;
}
