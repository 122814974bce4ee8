#include "place.h"

#include <stdio.h>
#include <string.h>

/* The context's first line, which is of the innermost thing. */
static size_t
first_line(const char *context)
{
    return strcspn(context, "\n");
}

/* The value with its quotes, at the end of the line; NULL when there is none. */
static const char *
value_in(const char *context, size_t *ret_size)
{
    size_t size = first_line(context);
    const char *value = strstr(context, ": \"");
    if (value == NULL || value + 3 >= context + size || context[size - 1] != '"')
        return NULL;
    *ret_size = size - (size_t)(value + 2 - context);
    return value + 2;
}

bool
dbal__postgres_place(const char *context, char *to, size_t room)
{
    size_t size = first_line(context), value_size;
    const char *value = value_in(context, &value_size);
    if (strncmp(context, "COPY ", 5) != 0)
        return false;
    if (value != NULL)
        size = (size_t)(value - 2 - context);
    snprintf(to, room, "%.*s", (int)(size < room ? size : room - 1), context);
    return true;
}

void
dbal__postgres_place_hide(const char *context, char *message, size_t room)
{
    size_t size, rest;
    const char *value = value_in(context, &size);
    char *found = NULL;
    if (value == NULL || size < 3)
        return;
    for (char *at = message; found == NULL && (at = strchr(at, '"')) != NULL; at++)
        if (strncmp(at, value, size) == 0)
            found = at;
    static const char hidden[] = "\"…\"";
    if (found == NULL || strlen(message) - size + sizeof hidden > room)
        return;
    rest = strlen(found + size) + 1;
    memmove(found + sizeof hidden - 1, found + size, rest);
    memcpy(found, hidden, sizeof hidden - 1);
}
