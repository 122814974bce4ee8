#include "type.h"

#include <string.h>

enum { BINARY = 63 /* the number of the collation of bytes */ };

static bool
has_attribute(const MYSQL_FIELD *field, enum mariadb_field_attr_t attribute, const char *value)
{
    MARIADB_CONST_STRING text = {NULL, 0};
    return mariadb_field_attr(&text, field, attribute) == 0 && text.length == strlen(value) &&
           memcmp(text.str, value, text.length) == 0;
}

bool
dbal__mariadb_is_json(const MYSQL_FIELD *field)
{
    return has_attribute(field, MARIADB_FIELD_ATTR_FORMAT_NAME, "json");
}

static dbal__mariadb_kind
kind_of_string(const MYSQL_FIELD *field)
{
    if (dbal__mariadb_is_json(field))
        return DBAL__MARIADB_JSON;
    if (has_attribute(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "uuid"))
        return DBAL__MARIADB_UUID;
    if (has_attribute(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "inet4") ||
        has_attribute(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "inet6"))
        return DBAL__MARIADB_STRING;
    return field->charsetnr == BINARY ? DBAL__MARIADB_BYTES : DBAL__MARIADB_STRING;
}

dbal__mariadb_kind
dbal__mariadb_kind_of(const MYSQL_FIELD *field, bool truth)
{
    switch (field->type) {
    case MYSQL_TYPE_NULL:
        return DBAL__MARIADB_NOTHING;
    case MYSQL_TYPE_TINY:
        return truth && field->length == 1 ? DBAL__MARIADB_TRUTH : DBAL__MARIADB_INTEGER;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_YEAR:
        return DBAL__MARIADB_INTEGER;
    case MYSQL_TYPE_LONGLONG:
        return (field->flags & UNSIGNED_FLAG) != 0 ? DBAL__MARIADB_UNSIGNED : DBAL__MARIADB_INTEGER;
    case MYSQL_TYPE_FLOAT:
        return DBAL__MARIADB_SINGLE;
    case MYSQL_TYPE_DOUBLE:
        return DBAL__MARIADB_DOUBLE;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return DBAL__MARIADB_DECIMAL;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return DBAL__MARIADB_DATE;
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2:
        return DBAL__MARIADB_TIME;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2:
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2:
        return DBAL__MARIADB_MOMENT;
    case MYSQL_TYPE_BIT:
        return DBAL__MARIADB_BITS;
    case MYSQL_TYPE_JSON:
        return DBAL__MARIADB_JSON;
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
        return DBAL__MARIADB_STRING;
    case MYSQL_TYPE_GEOMETRY:
        return DBAL__MARIADB_BYTES;
    default:
        return kind_of_string(field);
    }
}

static const struct {
    dbal_type type;
    enum enum_field_types buffer;
} kinds[] = {
    [DBAL__MARIADB_NOTHING] = {DBAL_NULL, MYSQL_TYPE_STRING},
    [DBAL__MARIADB_INTEGER] = {DBAL_INT64, MYSQL_TYPE_LONGLONG},
    [DBAL__MARIADB_UNSIGNED] = {DBAL_INT64, MYSQL_TYPE_LONGLONG},
    [DBAL__MARIADB_TRUTH] = {DBAL_BOOL, MYSQL_TYPE_LONGLONG},
    [DBAL__MARIADB_SINGLE] = {DBAL_DOUBLE, MYSQL_TYPE_FLOAT},
    [DBAL__MARIADB_DOUBLE] = {DBAL_DOUBLE, MYSQL_TYPE_DOUBLE},
    [DBAL__MARIADB_DECIMAL] = {DBAL_NUMERIC, MYSQL_TYPE_STRING},
    [DBAL__MARIADB_STRING] = {DBAL_TEXT, MYSQL_TYPE_STRING},
    [DBAL__MARIADB_BYTES] = {DBAL_BLOB, MYSQL_TYPE_BLOB},
    [DBAL__MARIADB_BITS] = {DBAL_INT64, MYSQL_TYPE_BLOB},
    [DBAL__MARIADB_JSON] = {DBAL_JSON, MYSQL_TYPE_STRING},
    [DBAL__MARIADB_UUID] = {DBAL_UUID, MYSQL_TYPE_STRING},
    [DBAL__MARIADB_DATE] = {DBAL_DATE, MYSQL_TYPE_DATE},
    [DBAL__MARIADB_TIME] = {DBAL_TIME, MYSQL_TYPE_TIME},
    [DBAL__MARIADB_MOMENT] = {DBAL_TIMESTAMP, MYSQL_TYPE_DATETIME},
};

dbal_type
dbal__mariadb_type_of(dbal__mariadb_kind kind)
{
    return kinds[kind].type;
}

enum enum_field_types
dbal__mariadb_buffer_of(dbal__mariadb_kind kind)
{
    return kinds[kind].buffer;
}
