/* Blocks of packed values on their way to another process. */
#include <string.h>

#include "dbal/value.h"

/* Bytes behind the table that a value takes; UINT64_MAX when no value is so long. */
static uint64_t
extent(const dbal__packed *packed)
{
    if (packed->size > UINT64_MAX / 16)
        return UINT64_MAX;
    switch ((dbal_type)packed->type) {
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_JSON:
        return packed->size + 1;
    case DBAL_UUID:
        return 16;
    case DBAL_ARRAY_INT64:
        return packed->size * sizeof(int64_t);
    case DBAL_ARRAY_TEXT:
        return packed->size;
    default:
        return 0;
    }
}

size_t
dbal__packed_size(const void *block, size_t count)
{
    const dbal__packed *table = block;
    uint64_t size = count * sizeof *table;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = extent(&table[i]);
        if (bytes != 0 && table[i].word + bytes > size)
            size = table[i].word + bytes;
    }
    return (size_t)(size + 7) & ~(size_t)7;
}

/* each element a length and so many bytes */
static bool
texts_are_sound(const char *at, uint64_t left)
{
    while (left != 0) {
        uint32_t size;
        if (left < sizeof size)
            return false;
        memcpy(&size, at, sizeof size);
        at += sizeof size;
        left -= sizeof size;
        if (size == UINT32_MAX)
            continue;
        if (size > left)
            return false;
        at += size;
        left -= size;
    }
    return true;
}

static bool
is_sound(const char *block, uint64_t size, const dbal__packed *packed)
{
    uint64_t bytes = extent(packed), at = packed->word;
    if (packed->type > DBAL_ARRAY_TEXT)
        return false;
    bool has_place = bytes != 0 || packed->type == DBAL_ARRAY_INT64 ||
                     packed->type == DBAL_ARRAY_TEXT; /* also an empty one has */
    if (!has_place)
        return true;
    if (bytes > size || at > size - bytes)
        return false;
    switch ((dbal_type)packed->type) {
    case DBAL_TEXT:
    case DBAL_NUMERIC:
    case DBAL_JSON:
    case DBAL_BLOB:
        return block[at + packed->size] == '\0';
    case DBAL_ARRAY_INT64:
        return at % sizeof(int64_t) == 0;
    case DBAL_ARRAY_TEXT:
        return texts_are_sound(block + at, packed->size);
    default:
        return true;
    }
}

bool
dbal__packed_is_sound(const void *block, size_t size, size_t count)
{
    const dbal__packed *table = block;
    if (count > size / sizeof *table)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_sound(block, size, &table[i]))
            return false;
    return true;
}
