#include "message.h"

#include <stdio.h>
#include <string.h>

static bool
is_bytes(dbal_type type)
{
    return type == DBAL_TEXT || type == DBAL_BLOB || type == DBAL_JSON || type == DBAL_NUMERIC;
}

static bool
in_parameters(const char *part, size_t size, const dbal_request *request)
{
    size_t count = request != NULL && size != 0 ? dbal_request_parameter_count(request) : 0;
    for (size_t i = 0; i < count; i++) {
        dbal_value value = dbal_request_parameter(request, i);
        if (is_bytes(value.type) && value.as.bytes.size != 0 &&
            memmem(value.as.bytes.data, value.as.bytes.size, part, size) != NULL)
            return true;
    }
    return false;
}

/*
 * Behind the opening quote: where the closing one is. A value may hold quotes itself, so that the
 * closing one is the last before words that follow it, or before the end.
 */
static const char *
closing(const char *text, bool value)
{
    static const char *const behind[] = {"' for key '", "' for column ", "' in '",
                                         "' for function"};
    for (size_t i = 0; value && i < sizeof behind / sizeof behind[0]; i++) {
        const char *found = strstr(text, behind[i]), *next = found;
        while (next != NULL && (next = strstr(next + 1, behind[i])) != NULL)
            found = next;
        if (found != NULL)
            return found;
    }
    return value ? strrchr(text, '\'') : strchr(text, '\'');
}

void
dbal__mariadb_message_hide(const char *message, const dbal_request *request, bool first, char *to,
                           size_t room)
{
    size_t used = 0;
    to[0] = '\0';
    while (*message != '\0' && used + 8 < room) {
        const char *end = *message == '\'' ? closing(message + 1, first) : NULL;
        if (end != NULL &&
            (first || in_parameters(message + 1, (size_t)(end - message - 1), request))) {
            used += (size_t)snprintf(to + used, room - used, "'…'");
            message = end + 1;
            first = false;
        } else if (end != NULL && (size_t)(end - message) < room - used - 2) {
            memcpy(to + used, message, (size_t)(end - message + 1));
            used += (size_t)(end - message + 1);
            message = end + 1;
            to[used] = '\0';
        } else {
            to[used++] = *message++;
            to[used] = '\0';
        }
    }
}

/* What stands between two texts. */
static bool
between(const char *message, const char *before, const char *behind, char *to, size_t room)
{
    const char *name = strstr(message, before), *next = name;
    /* the last: what is before it may be a value */
    while (next != NULL && (next = strstr(next + 1, before)) != NULL)
        name = next;
    if (name == NULL)
        return false;
    name += strlen(before);
    const char *end = strstr(name, behind);
    if (end == NULL)
        return false;
    snprintf(to, room, "%.*s", (int)(end - name), name);
    return true;
}

bool
dbal__mariadb_message_constraint(const char *message, char *to, size_t room)
{
    return between(message, " for key '", "'", to, room) ||
           between(message, "CONSTRAINT `", "`", to, room) ||
           between(message, "Column '", "'", to, room) ||
           between(message, "Field '", "'", to, room);
}

/* "… near 'REST OF THE TEXT' at line 1": up to eighty characters of it */
int
dbal__mariadb_message_position(const char *message, const char *sql)
{
    static const char before[] = "near '", behind[] = "' at line ";
    const char *near = strstr(message, before), *end = NULL;
    for (const char *next = message; (next = strstr(next, behind)) != NULL; next++)
        end = next;
    if (near == NULL || end == NULL || end < near)
        return 0;
    near += sizeof before - 1;
    size_t size = (size_t)(end - near), length = strlen(sql);
    if (size == 0)
        return (int)length;
    /* what is not cut off is the end of the text */
    if (size <= length && memcmp(sql + length - size, near, size) == 0)
        return (int)(length - size) + 1;
    const char *found = memmem(sql, length, near, size);
    return found != NULL ? (int)(found - sql) + 1 : 0;
}
