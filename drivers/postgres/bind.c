#include "bind.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "element.h"
#include "moment.h"
#include "type.h"

/*
 * The server takes no message of 1 GB, and ends the session over one. What is around the values is
 * counted too; a statement's name and the like are the small rest.
 */
static const size_t MOST_BYTES = 0x3fffffff - 0x10000;

/* Memory beyond this is given back when it is not needed the next time. */
enum { KEPT = 64 * 1024 };

/* ---- faults -------------------------------------------------------------------------------- */

static bool
refuse(dbal_fault *fault)
{
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    return false;
}

static bool
refuse_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "no memory for a statement's parameters");
    return refuse(fault);
}

static bool
refuse_nul(dbal_fault *fault, int index, dbal_type type)
{
    dbal_fault_set(fault, DBAL_ERROR_DATA, "22021",
                   "parameter %d is a %s that holds a NUL byte, which PostgreSQL cannot store",
                   index + 1, dbal_type_name(type));
    dbal_fault_set_hint(fault, "bytes are for bytea columns: dbal_blob()");
    return refuse(fault);
}

static bool
refuse_size(dbal_fault *fault, int index)
{
    dbal_fault_set(fault, DBAL_ERROR_DATA, "54000",
                   "parameter %d makes the statement's parameters larger than PostgreSQL takes "
                   "(%zu bytes)",
                   index + 1, MOST_BYTES);
    return refuse(fault);
}

static bool
refuse_range(dbal_fault *fault, int index, dbal_type type)
{
    dbal_fault_set(fault, DBAL_ERROR_DATA, "22008",
                   "parameter %d is a %s outside what PostgreSQL can hold", index + 1,
                   dbal_type_name(type));
    return refuse(fault);
}

/* ---- memory -------------------------------------------------------------------------------- */

/* room for so many parameters in all four arrays, which are one block */
static bool
make_room(dbal__postgres_bound *bound, int count)
{
    if (count <= bound->room)
        return true;
    int room = count < 16 ? 16 : count;
    size_t each = sizeof *bound->values + sizeof *bound->types + sizeof *bound->lengths +
                  sizeof *bound->formats;
    const char **values = dbal_driver_alloc((size_t)room * each);
    if (values == NULL)
        return false;
    dbal_driver_free(bound->values);
    bound->values = values;
    bound->types = (Oid *)(values + room);
    bound->lengths = (int *)(bound->types + room);
    bound->formats = bound->lengths + room;
    bound->room = room;
    return true;
}

static bool
make_bytes(dbal__postgres_bound *bound, size_t size)
{
    if (size <= bound->bytes_room && (bound->bytes_room <= KEPT || size > KEPT))
        return true;
    size_t room = size < 256 ? 256 : size;
    char *bytes = dbal_driver_alloc(room);
    if (bytes == NULL)
        return size <= bound->bytes_room;
    dbal_driver_free(bound->bytes);
    bound->bytes = bytes;
    bound->bytes_room = room;
    return true;
}

void
dbal__postgres_bound_fini(dbal__postgres_bound *bound)
{
    dbal_driver_free(bound->values);
    dbal_driver_free(bound->bytes);
    *bound = (dbal__postgres_bound){0};
}

/* ---- how much ------------------------------------------------------------------------------ */

/* at most: with quotes, a comma, and a backslash before each byte */
static size_t
literal_room(dbal_bytes elements)
{
    dbal_bytes element;
    size_t room = 3;
    while (dbal__postgres_element_next(&elements, &element))
        room += element.data == NULL ? 5 : 2 * element.size + 3;
    return room;
}

/* bytes that a value needs in `bound->bytes`; 0 for one that is sent from where it is */
static size_t
room_for(const dbal_value *value)
{
    switch (value->type) {
    case DBAL_BOOL:
        return 1;
    case DBAL_DATE:
        return 4;
    case DBAL_INT64:
    case DBAL_DOUBLE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        return 8;
    case DBAL_UUID:
        return 16;
    case DBAL_ARRAY_INT64:
        return value->as.bytes.size > MOST_BYTES ? SIZE_MAX / 2 : 20 + 12 * value->as.bytes.size;
    case DBAL_ARRAY_TEXT:
        return literal_room(value->as.bytes);
    default:
        return 0;
    }
}

static bool
has_bytes(dbal_type type)
{
    return type == DBAL_TEXT || type == DBAL_BLOB || type == DBAL_NUMERIC || type == DBAL_JSON;
}

/* what all of them need together; false when it is too much */
static bool
measure(const dbal_request *request, int count, size_t *ret_room, dbal_fault *fault)
{
    size_t room = 0, sent = 0;
    for (int i = 0; i < count; i++) {
        dbal_value value = dbal_request_parameter(request, (size_t)i);
        size_t size = has_bytes(value.type) ? value.as.bytes.size : room_for(&value);
        if (size > MOST_BYTES || (sent += size + 8) > MOST_BYTES)
            return refuse_size(fault, i);
        if (!has_bytes(value.type))
            room += size;
    }
    *ret_room = room;
    return true;
}

/* ---- values -------------------------------------------------------------------------------- */

static char *
put32(char *to, uint32_t number)
{
    uint32_t big = htobe32(number);
    return (char *)memcpy(to, &big, sizeof big) + sizeof big;
}

static char *
put64(char *to, uint64_t number)
{
    uint64_t big = htobe64(number);
    return (char *)memcpy(to, &big, sizeof big) + sizeof big;
}

/* one dimension, from 1 on, without NULLs; none at all when it is empty */
static char *
put_integers(char *to, dbal_bytes integers)
{
    const char *from = integers.data;
    to = put32(to, integers.size != 0);
    to = put32(to, 0);
    to = put32(to, DBAL__POSTGRES_INT8);
    if (integers.size == 0)
        return to;
    to = put32(to, (uint32_t)integers.size);
    to = put32(to, 1);
    for (size_t i = 0; i < integers.size; i++) {
        uint64_t integer;
        memcpy(&integer, from + i * sizeof integer, sizeof integer);
        to = put64(put32(to, sizeof integer), integer);
    }
    return to;
}

static char *
put_quoted(char *to, dbal_bytes bytes)
{
    const char *text = bytes.data;
    *to++ = '"';
    for (size_t i = 0; i < bytes.size; i++) {
        if (text[i] == '"' || text[i] == '\\')
            *to++ = '\\';
        *to++ = text[i];
    }
    *to++ = '"';
    return to;
}

/* {"a","b",NULL}: the server makes it an array of whatever stands there */
static char *
put_literal(char *to, dbal_bytes elements)
{
    dbal_bytes element;
    *to++ = '{';
    for (bool more = false; dbal__postgres_element_next(&elements, &element); more = true) {
        if (more)
            *to++ = ',';
        if (element.data != NULL)
            to = put_quoted(to, element);
        else
            to = (char *)memcpy(to, "NULL", 4) + 4;
    }
    *to++ = '}';
    *to++ = '\0';
    return to;
}

/* PostgreSQL counts from 2000; its smallest and largest numbers mean infinity */
static bool
put_moment(char **to, dbal_type type, int64_t value)
{
    int64_t moment;
    switch (type) {
    case DBAL_DATE:
        if (__builtin_sub_overflow(value, DBAL__POSTGRES_EPOCH, &moment) || moment <= INT32_MIN ||
            moment >= INT32_MAX)
            return false;
        *to = put32(*to, (uint32_t)moment);
        return true;
    case DBAL_TIME:
        if (value < 0 || value > DBAL__POSTGRES_DAY)
            return false;
        *to = put64(*to, (uint64_t)value);
        return true;
    default:
        if (__builtin_sub_overflow(value, DBAL__POSTGRES_EPOCH * DBAL__POSTGRES_DAY, &moment) ||
            moment == INT64_MIN)
            return false;
        *to = put64(*to, (uint64_t)moment);
        return true;
    }
}

/* what is written behind `to`, in binary; where it ends */
static char *
put(char *to, const dbal_value *value)
{
    uint64_t bits;
    switch (value->type) {
    case DBAL_BOOL:
        *to++ = value->as.boolean;
        return to;
    case DBAL_DOUBLE:
        memcpy(&bits, &value->as.real, sizeof bits);
        return put64(to, bits);
    case DBAL_UUID:
        return (char *)memcpy(to, value->as.uuid, 16) + 16;
    case DBAL_ARRAY_INT64:
        return put_integers(to, value->as.bytes);
    default:
        return put64(to, (uint64_t)value->as.integer);
    }
}

/* ---- one parameter ------------------------------------------------------------------------- */

/*
 * The type it is sent as. None for what is text: the server then takes it for what stands around
 * it, a text, a date, a UUID or JSON alike.
 */
static Oid
type_of(dbal_type type)
{
    switch (type) {
    case DBAL_BOOL:
        return DBAL__POSTGRES_BOOL;
    case DBAL_INT64:
        return DBAL__POSTGRES_INT8;
    case DBAL_DOUBLE:
        return DBAL__POSTGRES_FLOAT8;
    case DBAL_BLOB:
        return DBAL__POSTGRES_BYTEA;
    case DBAL_NUMERIC:
        return DBAL__POSTGRES_NUMERIC;
    case DBAL_DATE:
        return DBAL__POSTGRES_DATE;
    case DBAL_TIME:
        return DBAL__POSTGRES_TIME;
    case DBAL_TIMESTAMP: /* fits timestamp too, the session's time zone being UTC */
        return DBAL__POSTGRES_TIMESTAMPTZ;
    case DBAL_UUID:
        return DBAL__POSTGRES_UUID;
    case DBAL_ARRAY_INT64:
        return DBAL__POSTGRES_INT8_ARRAY;
    default:
        return 0;
    }
}

/* libpq measures what is sent in text by its NUL, so that it would be cut at one inside */
static bool
bind_text(dbal__postgres_bound *bound, int index, const dbal_value *value, dbal_fault *fault)
{
    const char *text = value->as.bytes.data != NULL ? value->as.bytes.data : "";
    if (memchr(text, '\0', value->as.bytes.size) != NULL)
        return refuse_nul(fault, index, value->type);
    bound->values[index] = text;
    bound->lengths[index] = (int)value->as.bytes.size;
    bound->formats[index] = 0;
    return true;
}

static void
bind_blob(dbal__postgres_bound *bound, int index, dbal_bytes bytes)
{
    bound->values[index] = bytes.data != NULL ? bytes.data : ""; /* NULL would be an SQL NULL */
    bound->lengths[index] = (int)bytes.size;
    bound->formats[index] = 1;
}

/* `at` is where its bytes go, if they do not stay where they are */
static bool
bind_value(dbal__postgres_bound *bound, int index, const dbal_value *value, char **at,
           dbal_fault *fault)
{
    char *start = *at;
    bound->types[index] = type_of(value->type);
    bound->values[index] = start;
    bound->formats[index] = 1;
    switch (value->type) {
    case DBAL_NULL:
        bound->values[index] = NULL;
        bound->lengths[index] = bound->formats[index] = 0;
        return true;
    case DBAL_TEXT:
    case DBAL_NUMERIC:
    case DBAL_JSON:
        return bind_text(bound, index, value, fault);
    case DBAL_BLOB:
        bind_blob(bound, index, value->as.bytes);
        return true;
    case DBAL_ARRAY_TEXT:
        *at = put_literal(start, value->as.bytes);
        bound->formats[index] = 0;
        bound->lengths[index] = (int)(*at - start) - 1; /* without its NUL */
        return true;
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        if (!put_moment(at, value->type, value->as.integer))
            return refuse_range(fault, index, value->type);
        break;
    default:
        *at = put(start, value);
        break;
    }
    bound->lengths[index] = (int)(*at - start);
    return true;
}

bool
dbal__postgres_bind(dbal__postgres_bound *bound, const dbal_request *request, dbal_fault *fault)
{
    size_t given = dbal_request_parameter_count(request), room;
    if (given > DBAL__POSTGRES_MOST_PARAMETERS) {
        dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "54023",
                       "the statement has %zu parameters, more than the %d that are possible",
                       given, DBAL__POSTGRES_MOST_PARAMETERS);
        return refuse(fault);
    }
    int count = (int)given;
    bound->count = 0;
    if (!measure(request, count, &room, fault))
        return false;
    if (!make_room(bound, count) || !make_bytes(bound, room))
        return refuse_memory(fault);
    char *at = bound->bytes;
    for (int i = 0; i < count; i++) {
        dbal_value value = dbal_request_parameter(request, (size_t)i);
        if (!bind_value(bound, i, &value, &at, fault))
            return false;
    }
    bound->count = count;
    return true;
}
