#include "message.h"

#include <stdio.h>
#include <string.h>

/* "[unixODBC][Driver Manager]Data source name not found": who says so is of no use */
void
dbal__odbc_message_strip(char *text)
{
    char *at = text;
    while (*at == '[' && strchr(at, ']') != NULL)
        at = strchr(at, ']') + 1;
    memmove(text, at, strlen(at) + 1);
    /* "Key (card)=(4711) already exists.", and whole rows */
    char *detail = strstr(text, "\nDETAIL:");
    if (detail != NULL)
        *detail = '\0';
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
}

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

/* Behind an opening quote: the quote that closes a value, which may have quotes in it; or NULL. */
static const char *
closing(const char *text, char quote, const dbal_request *request)
{
    const char *last = strrchr(text, quote), *next = strchr(text, quote);
    if (last != NULL && in_parameters(text, (size_t)(last - text), request))
        return last;
    return next != NULL && in_parameters(text, (size_t)(next - text), request) ? next : NULL;
}

void
dbal__odbc_message_hide(const char *text, const dbal_request *request, char *to, size_t room)
{
    static const char gap[] = "…";
    size_t used = 0;
    while (*text != '\0' && used + sizeof gap + 2 < room) {
        bool opens = *text == '"' || *text == '\'';
        const char *end = opens ? closing(text + 1, *text, request) : NULL;
        if (end != NULL) {
            used += (size_t)snprintf(to + used, room - used, "%c%s%c", *text, gap, *text);
            text = end + 1;
        } else {
            to[used++] = *text++;
        }
    }
    to[used] = '\0';
}
