#include "dbal/sql.h"

#include <inttypes.h>
#include <string.h>

#include "dbal/sql_refusal.h"
#include "dbal/sql_utf8.h"

static int
shown(const char *name)
{
    return (int)dbal__utf8_clip(name, strlen(name), DBAL__SQL_SHOWN);
}

#define REFUSE(fault, hint, ...)                                                                   \
    (dbal__sql_refuse(fault, DBAL_ERROR_PROGRAMMING, "07001", 0, hint, __VA_ARGS__), false)

static const char *
plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* $n: value i is parameter numbers[i], and parameters come in their order. */
static bool
match_numbers(const dbal__sql *sql, dbal_params params, uint32_t *ret_order, dbal_fault *fault)
{
    for (size_t i = 0; i < params.count; i++) {
        const char *name = params.values[i].name;
        if (name != NULL && dbal__utf8_valid(name, strlen(name)))
            return REFUSE(fault, NULL,
                          "parameter %zu is named %.*s, but the statement has no :name", i + 1,
                          shown(name), name);
        if (name != NULL)
            return REFUSE(fault, NULL, "parameter %zu has a name, but the statement has no :name",
                          i + 1);
    }
    if (params.count != sql->param_count)
        return REFUSE(fault, NULL, "the statement has %zu parameter%s, but %zu %s given",
                      sql->param_count, plural(sql->param_count), params.count,
                      params.count == 1 ? "was" : "were");
    for (size_t i = 0; i < sql->value_count; i++)
        ret_order[i] = sql->numbers != NULL ? sql->numbers[i] : (uint32_t)i;
    return true;
}

/* Most programs give names in the order of the statement: look there first. */
static uint32_t
number_of_name(const dbal__sql *sql, const char *name, size_t index)
{
    if (index < sql->param_count && strcmp(sql->names[index], name) == 0)
        return (uint32_t)index;
    return dbal__sql_names_find(&sql->index, name, strlen(name));
}

static bool
refuse_unknown(const char *name, size_t index, dbal_fault *fault)
{
    const char *hint = *name == ':' ? "dbal_named() takes the name without its colon" : NULL;
    if (!dbal__utf8_valid(name, strlen(name)))
        return REFUSE(fault, hint, "parameter %zu has a name that the statement has not",
                      index + 1);
    return REFUSE(fault, hint, "the statement has no parameter :%.*s", shown(name), name);
}

/* Sets order[n] to the index of the value for parameter n. */
static bool
place_names(const dbal__sql *sql, dbal_params params, uint32_t *order, dbal_fault *fault)
{
    for (size_t i = 0; i < sql->param_count; i++)
        order[i] = UINT32_MAX;
    for (size_t i = 0; i < params.count; i++) {
        const char *name = params.values[i].name;
        if (name == NULL)
            return REFUSE(fault, "give each parameter its name with dbal_named()",
                          "parameter %zu has no name, but the statement's parameters have", i + 1);
        uint32_t number = number_of_name(sql, name, i);
        if (number == UINT32_MAX)
            return refuse_unknown(name, i, fault);
        if (order[number] != UINT32_MAX)
            return REFUSE(fault, NULL, "the parameter :%.*s is given twice", shown(name), name);
        order[number] = (uint32_t)i;
    }
    for (size_t i = 0; i < sql->param_count; i++)
        if (order[i] == UINT32_MAX)
            return REFUSE(fault, NULL, "the parameter :%.*s is missing", shown(sql->names[i]),
                          sql->names[i]);
    return true;
}

static bool
match_names(const dbal__sql *sql, dbal_params params, uint32_t *ret_order, dbal_fault *fault)
{
    if (!place_names(sql, params, ret_order, fault))
        return false;
    if (sql->numbers == NULL)
        return true;
    /* from the back, in place: names are numbered by first use, so numbers[i] <= i */
    for (size_t i = sql->value_count; i-- > 0;)
        ret_order[i] = ret_order[sql->numbers[i]];
    return true;
}

static bool
check_bytes(dbal_bytes bytes, size_t index, dbal_fault *fault)
{
    if (bytes.data != NULL || bytes.size == 0)
        return true;
    dbal__sql_refuse(fault, DBAL_ERROR_INTERFACE, "HY009", 0, NULL,
                     "parameter %zu has a size but no data", index + 1);
    return false;
}

static bool
check_text(const char *text, size_t size, size_t index, dbal_fault *fault)
{
    size_t valid = dbal__utf8_span(text, size);
    if (valid == size)
        return true;
    dbal__sql_refuse(fault, DBAL_ERROR_DATA, "22021", 0, "send bytes that are no text as a blob",
                     "parameter %zu is not UTF-8 at its byte %zu", index + 1, valid + 1);
    return false;
}

static bool
check_array(const dbal_value *value, bool possible, size_t index, dbal_fault *fault)
{
    if (!possible) {
        dbal__sql_refuse(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000", 0, NULL,
                         "parameter %zu is an array, and this database has none", index + 1);
        return false;
    }
    if (value->type != DBAL_ARRAY_TEXT)
        return true;
    const char *const *items = value->as.bytes.data;
    for (size_t i = 0; i < value->as.bytes.size; i++)
        if (items[i] != NULL && !check_text(items[i], strlen(items[i]), index, fault))
            return false;
    return true;
}

/* As the caller may have filled the type from something else, it may be any number. */
static bool
check_value(const dbal_value *value, bool arrays, size_t index, dbal_fault *fault)
{
    switch (value->type) {
    case DBAL_NULL:
    case DBAL_BOOL:
    case DBAL_INT64:
    case DBAL_DOUBLE:
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
    case DBAL_UUID:
        return true;
    case DBAL_TEXT:
    case DBAL_NUMERIC:
    case DBAL_JSON:
        return check_bytes(value->as.bytes, index, fault) &&
               check_text(value->as.bytes.data, value->as.bytes.size, index, fault);
    case DBAL_BLOB:
        return check_bytes(value->as.bytes, index, fault);
    case DBAL_ARRAY_INT64:
    case DBAL_ARRAY_TEXT:
        return check_bytes(value->as.bytes, index, fault) &&
               check_array(value, arrays, index, fault);
    }
    dbal__sql_refuse(fault, DBAL_ERROR_INTERFACE, "HY004", 0, NULL,
                     "parameter %zu has an unknown type, %d", index + 1, (int)value->type);
    return false;
}

static bool
can_array(const dbal_driver *driver, const void *config)
{
    return driver->capabilities != NULL && (driver->capabilities(config) & DBAL_CAN_ARRAY) != 0;
}

bool
dbal__sql_bind(const dbal__sql *sql, const dbal_driver *driver, const void *config,
               dbal_params params, uint32_t *ret_order, dbal_fault *fault)
{
    if (params.count != 0 && params.values == NULL) {
        dbal__sql_refuse(fault, DBAL_ERROR_INTERFACE, "HY009", 0, NULL,
                         "the parameters have a count but no values");
        return false;
    }
    if (sql->names != NULL ? !match_names(sql, params, ret_order, fault)
                           : !match_numbers(sql, params, ret_order, fault))
        return false;
    if (params.count == 0)
        return true;
    bool arrays = can_array(driver, config);
    for (size_t i = 0; i < params.count; i++)
        if (!check_value(&params.values[i], arrays, i, fault))
            return false;
    return true;
}
