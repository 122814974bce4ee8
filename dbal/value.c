#include "dbal/value.h"

#include <string.h>

/* text and what is kept as text */
static dbal_value
text_value(dbal_type type, const char *text, size_t size)
{
    dbal_value value = {.type = type, .as = {.bytes = {text, size}}};
    return value;
}

static dbal_value
text_or_null(dbal_type type, const char *text)
{
    return text != NULL ? text_value(type, text, strlen(text)) : dbal_null();
}

static dbal_value
integer_value(dbal_type type, int64_t integer)
{
    dbal_value value = {.type = type, .as = {.integer = integer}};
    return value;
}

dbal_value
dbal_null(void)
{
    dbal_value value = {.type = DBAL_NULL, .as = {.integer = 0}};
    return value;
}

dbal_value
dbal_bool(bool boolean)
{
    dbal_value value = {.type = DBAL_BOOL, .as = {.integer = 0}};
    value.as.boolean = boolean;
    return value;
}

dbal_value
dbal_int64(int64_t integer)
{
    return integer_value(DBAL_INT64, integer);
}

dbal_value
dbal_double(double real)
{
    dbal_value value = {.type = DBAL_DOUBLE, .as = {.real = real}};
    return value;
}

dbal_value
dbal_text(const char *text)
{
    return text_or_null(DBAL_TEXT, text);
}

dbal_value
dbal_textn(const char *text, size_t size)
{
    return text_value(DBAL_TEXT, text, size);
}

dbal_value
dbal_blob(const void *data, size_t size)
{
    return text_value(DBAL_BLOB, data, size);
}

dbal_value
dbal_numeric(const char *text)
{
    return text_or_null(DBAL_NUMERIC, text);
}

dbal_value
dbal_date(int64_t days)
{
    return integer_value(DBAL_DATE, days);
}

dbal_value
dbal_time(int64_t microseconds)
{
    return integer_value(DBAL_TIME, microseconds);
}

dbal_value
dbal_timestamp(int64_t microseconds)
{
    return integer_value(DBAL_TIMESTAMP, microseconds);
}

dbal_value
dbal_uuid(const uint8_t *bytes)
{
    dbal_value value = {.type = DBAL_UUID};
    memcpy(value.as.uuid, bytes, sizeof value.as.uuid);
    return value;
}

dbal_value
dbal_json(const char *text)
{
    return text_or_null(DBAL_JSON, text);
}

dbal_value
dbal_array_int64(const int64_t *values, size_t count)
{
    dbal_value value = {.type = DBAL_ARRAY_INT64, .as = {.bytes = {values, count}}};
    return value;
}

dbal_value
dbal_array_text(const char *const *values, size_t count)
{
    dbal_value value = {.type = DBAL_ARRAY_TEXT, .as = {.bytes = {values, count}}};
    return value;
}

dbal_value
dbal_named(const char *name, dbal_value value)
{
    value.name = name;
    return value;
}

const char *
dbal_type_name(dbal_type type)
{
    static const char *const names[] = {
        [DBAL_NULL] = "null",
        [DBAL_BOOL] = "bool",
        [DBAL_INT64] = "int64",
        [DBAL_DOUBLE] = "double",
        [DBAL_TEXT] = "text",
        [DBAL_BLOB] = "blob",
        [DBAL_NUMERIC] = "numeric",
        [DBAL_DATE] = "date",
        [DBAL_TIME] = "time",
        [DBAL_TIMESTAMP] = "timestamp",
        [DBAL_UUID] = "uuid",
        [DBAL_JSON] = "json",
        [DBAL_ARRAY_INT64] = "array of int64",
        [DBAL_ARRAY_TEXT] = "array of text",
    };
    if ((unsigned)type >= sizeof names / sizeof names[0])
        return "unknown";
    return names[type];
}

/* bytes that follow the table for one value, rounded up so that the next is aligned */
static size_t
payload_size(const dbal_value *value)
{
    const char *const *texts = value->as.bytes.data;
    size_t size = 0;

    switch (value->type) {
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_JSON:
        size = value->as.bytes.size + 1;
        break;
    case DBAL_UUID:
        size = sizeof value->as.uuid;
        break;
    case DBAL_ARRAY_INT64:
        size = value->as.bytes.size * sizeof(int64_t);
        break;
    case DBAL_ARRAY_TEXT:
        for (size_t i = 0; i < value->as.bytes.size; i++)
            size += sizeof(uint32_t) + (texts[i] != NULL ? strlen(texts[i]) : 0);
        break;
    default:
        return 0;
    }
    return (size + 7) & ~(size_t)7;
}

static const dbal_value *
pick(const dbal_value *values, const uint32_t *order, size_t index)
{
    return &values[order != NULL ? order[index] : index];
}

size_t
dbal__pack_size(const dbal_value *values, const uint32_t *order, size_t count)
{
    size_t size = count * sizeof(dbal__packed);
    for (size_t i = 0; i < count; i++)
        size += payload_size(pick(values, order, i));
    return size;
}

static size_t
pack_texts(char *to, const char *const *texts, size_t count)
{
    char *at = to;
    for (size_t i = 0; i < count; i++) {
        uint32_t size = texts[i] != NULL ? (uint32_t)strlen(texts[i]) : UINT32_MAX;
        memcpy(at, &size, sizeof size);
        at += sizeof size;
        if (texts[i] != NULL) {
            memcpy(at, texts[i], size);
            at += size;
        }
    }
    return (size_t)(at - to);
}

/* writes one value's bytes; gives back what its size field says */
static size_t
pack_payload(char *to, const dbal_value *value)
{
    switch (value->type) {
    case DBAL_UUID:
        memcpy(to, value->as.uuid, sizeof value->as.uuid);
        return sizeof value->as.uuid;
    case DBAL_ARRAY_INT64:
        if (value->as.bytes.size != 0)
            memcpy(to, value->as.bytes.data, value->as.bytes.size * sizeof(int64_t));
        return value->as.bytes.size;
    case DBAL_ARRAY_TEXT:
        return pack_texts(to, value->as.bytes.data, value->as.bytes.size);
    default:
        if (value->as.bytes.size != 0)
            memcpy(to, value->as.bytes.data, value->as.bytes.size);
        to[value->as.bytes.size] = '\0';
        return value->as.bytes.size;
    }
}

void
dbal__pack(void *block, const dbal_value *values, const uint32_t *order, size_t count)
{
    dbal__packed *table = block;
    size_t offset = count * sizeof *table;

    for (size_t i = 0; i < count; i++) {
        const dbal_value *value = pick(values, order, i);
        size_t size = payload_size(value);
        table[i] = (dbal__packed){.type = (uint32_t)value->type};
        if (size != 0) {
            table[i].word = offset;
            /* what is behind it up to the next: another process may see it */
            memset((char *)block + offset + size - sizeof(uint64_t), 0, sizeof(uint64_t));
            table[i].size = pack_payload((char *)block + offset, value);
            offset += size;
        } else if (value->type == DBAL_BOOL) {
            table[i].word = value->as.boolean;
        } else if (value->type == DBAL_DOUBLE) {
            memcpy(&table[i].word, &value->as.real, sizeof value->as.real);
        } else if (value->type == DBAL_ARRAY_INT64 || value->type == DBAL_ARRAY_TEXT) {
            table[i].word = offset; /* an empty one; no pointer may get into the block */
        } else {
            table[i].word = (uint64_t)value->as.integer;
        }
    }
}

static dbal_value
unpack_uuid(const char *bytes)
{
    dbal_value value = {.type = DBAL_UUID};
    memcpy(value.as.uuid, bytes, sizeof value.as.uuid);
    return value;
}

/* Each is made where the caller wants it: one made here and then copied would have to be waited for. */
dbal_value
dbal__unpack(const void *block, size_t index)
{
    const dbal__packed *packed = (const dbal__packed *)block + index;
    dbal_type type = (dbal_type)packed->type;
    double real;

    switch (type) {
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_JSON:
    case DBAL_ARRAY_INT64:
    case DBAL_ARRAY_TEXT:
        return (dbal_value){.type = type,
                            .as.bytes = {(const char *)block + packed->word, packed->size}};
    case DBAL_UUID:
        return unpack_uuid((const char *)block + packed->word);
    case DBAL_BOOL:
        return (dbal_value){.type = type, .as.boolean = packed->word != 0};
    case DBAL_DOUBLE:
        memcpy(&real, &packed->word, sizeof real);
        return (dbal_value){.type = type, .as.real = real};
    default:
        return (dbal_value){.type = type, .as.integer = (int64_t)packed->word};
    }
}
