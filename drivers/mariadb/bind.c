#include "bind.h"

#include <math.h>
#include <string.h>

#include "failure.h"
#include "moment.h"

static void
bind_bytes(MYSQL_BIND *to, enum enum_field_types type, const void *data, size_t size)
{
    to->buffer_type = type;
    to->buffer = (void *)(uintptr_t)(data != NULL ? data : "");
    to->buffer_length = (unsigned long)size;
}

static bool
bind_moment(MYSQL_BIND *to, dbal__mariadb_slot *slot, const dbal_value *value)
{
    to->buffer_type = value->type == DBAL_DATE   ? MYSQL_TYPE_DATE
                      : value->type == DBAL_TIME ? MYSQL_TYPE_TIME
                                                 : MYSQL_TYPE_DATETIME;
    to->buffer = &slot->moment;
    return dbal__mariadb_moment_of(value->type, value->as.integer, &slot->moment);
}

static void
bind_uuid(MYSQL_BIND *to, dbal__mariadb_slot *slot, const uint8_t *uuid)
{
    dbal__mariadb_uuid_text(uuid, slot->text);
    bind_bytes(to, MYSQL_TYPE_STRING, slot->text, 36);
}

static void
bind_number(MYSQL_BIND *to, dbal__mariadb_slot *slot, const dbal_value *value)
{
    switch (value->type) {
    case DBAL_BOOL:
        slot->integer = value->as.boolean;
        to->buffer_type = MYSQL_TYPE_TINY; /* its first byte, on the machines that dbal knows */
        break;
    case DBAL_DOUBLE:
        slot->real = value->as.real;
        to->buffer_type = MYSQL_TYPE_DOUBLE;
        break;
    default:
        slot->integer = value->as.integer;
        to->buffer_type = MYSQL_TYPE_LONGLONG;
    }
    to->buffer = slot;
}

/*
 * What MariaDB holds in a decimal. Of what it does not it would make, without a word, 0 or the nearest
 * that it does; a text it takes as a number too, or says what is wrong with it.
 */
static bool
is_decimal(dbal_bytes number)
{
    enum { DIGITS = 65, FRACTION = 38 };
    const char *at = number.data, *end = at + number.size, *point = NULL;
    size_t digits = 0;
    at += at < end && (*at == '-' || *at == '+');
    for (; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && point == NULL)); at++) {
        if (*at == '.')
            point = at;
        else
            digits++;
    }
    size_t fraction = point != NULL ? (size_t)(end - point - 1) : 0;
    return at == end && digits != 0 && digits <= DIGITS && fraction <= FRACTION;
}

static bool
refuse(int index, const dbal_value *value, dbal_fault *fault)
{
    if (value->type == DBAL_DOUBLE)
        dbal_fault_set(fault, DBAL_ERROR_DATA, "22003",
                       "parameter %d is infinite or not a number, which MariaDB does not have",
                       index);
    else if (value->type == DBAL_DATE || value->type == DBAL_TIME || value->type == DBAL_TIMESTAMP)
        dbal_fault_set(fault, DBAL_ERROR_DATA, "22008",
                       "parameter %d is a %s outside what MariaDB can hold (years 0000 to 9999, "
                       "times within one day)",
                       index, dbal_type_name(value->type));
    else {
        dbal_fault_set(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000",
                       "parameter %d is an array, which MariaDB does not have", index);
        dbal_fault_set_hint(fault, "pass a JSON array and write: in (select v from json_table($1, "
                                   "'$[*]' columns (v bigint path '$')) as list)");
    }
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    return false;
}

static bool
bind_value(MYSQL_BIND *to, dbal__mariadb_slot *slot, const dbal_value *value)
{
    switch (value->type) {
    case DBAL_NULL:
        to->buffer_type = MYSQL_TYPE_NULL;
        return true;
    case DBAL_DOUBLE:
        bind_number(to, slot, value);
        return isfinite(value->as.real);
    case DBAL_BOOL:
    case DBAL_INT64:
        bind_number(to, slot, value);
        return true;
    case DBAL_TEXT:
    case DBAL_JSON:
        bind_bytes(to, MYSQL_TYPE_STRING, value->as.bytes.data, value->as.bytes.size);
        return true;
    case DBAL_NUMERIC:
        bind_bytes(to, is_decimal(value->as.bytes) ? MYSQL_TYPE_NEWDECIMAL : MYSQL_TYPE_STRING,
                   value->as.bytes.data, value->as.bytes.size);
        return true;
    case DBAL_BLOB:
        bind_bytes(to, MYSQL_TYPE_BLOB, value->as.bytes.data, value->as.bytes.size);
        return true;
    case DBAL_UUID:
        bind_uuid(to, slot, value->as.uuid);
        return true;
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        return bind_moment(to, slot, value);
    default:
        return false;
    }
}

static bool
has_all_values(const dbal__mariadb_statement *s, const dbal_request *request, dbal_fault *fault)
{
    size_t given = dbal_request_parameter_count(request);
    if (given == (size_t)s->parameters)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "07001",
                   "the statement has %d parameters, and %zu values were given", s->parameters,
                   given);
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    return false;
}

bool
dbal__mariadb_bind(dbal__mariadb_statement *s, dbal_request *request, dbal_fault *fault)
{
    if (!has_all_values(s, request, fault))
        return false;
    if (s->parameters == 0)
        return true;
    memset(s->given, 0, (size_t)s->parameters * sizeof *s->given);
    for (int i = 0; i < s->parameters; i++) {
        dbal_value value = dbal_request_parameter(request, (size_t)i);
        if (!bind_value(&s->given[i], &s->slots[i], &value))
            return refuse(i + 1, &value, fault);
    }
    if (mysql_stmt_bind_param(s->stmt, s->given) == 0)
        return true;
    dbal__mariadb_failure_memory(fault);
    return false;
}

/*
 * The server would not only refuse what is more, but close the connection, often before anybody has
 * read why.
 */
bool
dbal__mariadb_bind_fits(const dbal_request *request, size_t packet, dbal_fault *fault)
{
    size_t count = dbal_request_parameter_count(request), text, values = 0;
    dbal_request_sql(request, &text);
    if (packet == 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        dbal_value value = dbal_request_parameter(request, i);
        if (value.type == DBAL_TEXT || value.type == DBAL_BLOB || value.type == DBAL_JSON)
            values += value.as.bytes.size;
    }
    if (text < packet && values < packet)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_DATA, "54000",
                   "the statement or its values take more than the %zu bytes that the server takes "
                   "at once (max_allowed_packet)",
                   packet);
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    return false;
}
