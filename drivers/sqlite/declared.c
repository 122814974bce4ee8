#include "declared.h"

#include <stddef.h>
#include <string.h>

#include "moment.h"

/* the first whose word is part of the declaration; SQLite's affinities are found the same way */
static const struct {
    const char *word;
    dbal_type type;
} declared[] = {
    {"interval", DBAL_TEXT}, /* holds "int" */
    {"point", DBAL_NULL},    {"int", DBAL_INT64},           {"char", DBAL_TEXT},
    {"clob", DBAL_TEXT},     {"text", DBAL_TEXT},           {"blob", DBAL_BLOB},
    {"real", DBAL_DOUBLE},   {"floa", DBAL_DOUBLE},         {"doub", DBAL_DOUBLE},
    {"bool", DBAL_BOOL},     {"timestamp", DBAL_TIMESTAMP}, {"datetime", DBAL_TIMESTAMP},
    {"date", DBAL_DATE},     {"time", DBAL_TIME},           {"json", DBAL_JSON},
    {"uuid", DBAL_UUID},     {"numeric", DBAL_NUMERIC},     {"decimal", DBAL_NUMERIC},
};

static bool
contains(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (; *text != '\0'; text++) {
        size_t same = 0;
        while (same < size && (text[same] | 0x20) == word[same])
            same++;
        if (same == size)
            return true;
    }
    return false;
}

dbal_type
dbal__sqlite_declared_type(const char *declaration)
{
    if (declaration == NULL)
        return DBAL_NULL;
    for (size_t i = 0; i < sizeof declared / sizeof declared[0]; i++)
        if (contains(declaration, declared[i].word))
            return declared[i].type;
    return DBAL_NULL;
}

bool
dbal__sqlite_declared_converts(dbal_type type)
{
    return type == DBAL_BOOL || type == DBAL_DATE || type == DBAL_TIME || type == DBAL_TIMESTAMP ||
           type == DBAL_UUID || type == DBAL_JSON;
}

static bool
truth(sqlite3_value *cell, dbal_value *ret_value)
{
    if (sqlite3_value_type(cell) != SQLITE_INTEGER)
        return false;
    sqlite3_int64 integer = sqlite3_value_int64(cell);
    *ret_value = dbal_bool(integer == 1);
    return integer == 0 || integer == 1;
}

/* as bind.c writes it, or its sixteen bytes */
static bool
uuid(sqlite3_value *cell, dbal_value *ret_value)
{
    ret_value->type = DBAL_UUID;
    if (sqlite3_value_type(cell) == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_value_text(cell);
        return text != NULL &&
               dbal__sqlite_uuid_read(text, (size_t)sqlite3_value_bytes(cell), ret_value->as.uuid);
    }
    if (sqlite3_value_type(cell) != SQLITE_BLOB || sqlite3_value_bytes(cell) != 16)
        return false;
    const void *bytes = sqlite3_value_blob(cell);
    if (bytes == NULL)
        return false; /* a zeroblob(), and no memory to write it out */
    memcpy(ret_value->as.uuid, bytes, 16);
    return true;
}

bool
dbal__sqlite_declared_value(sqlite3_value *cell, dbal_type type, dbal_value *ret_value)
{
    ret_value->name = NULL;
    if (type == DBAL_BOOL)
        return truth(cell, ret_value);
    if (type == DBAL_UUID)
        return uuid(cell, ret_value);
    if (!dbal__sqlite_declared_converts(type) || sqlite3_value_type(cell) != SQLITE_TEXT)
        return false;
    const char *text = (const char *)sqlite3_value_text(cell);
    size_t size = (size_t)sqlite3_value_bytes(cell);
    if (text == NULL)
        return false;
    ret_value->type = type;
    if (type != DBAL_JSON)
        return dbal__sqlite_moment_read(type, text, size, &ret_value->as.integer);
    ret_value->as.bytes = (dbal_bytes){text, size};
    return true;
}
