#include "dbal/url.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "dbal/alloc.h"

/*
 * A text that is shown may be no URL at all, or one whose password holds what it must not. So more
 * is taken out than would have to be: all from the first colon to the last `@`, wherever that is.
 */

static const char hidden[] = "***";

/* A run of bytes that is not to be shown. */
typedef struct range {
    const char *start, *end;
} range;

static int
hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) % 16 : -1;
}

/* The next character, %XX decoded, and how many bytes it took. */
static char
next_decoded(const char *text, size_t *ret_size)
{
    int high = *text == '%' ? hex_digit(text[1]) : -1;
    int low = high < 0 ? -1 : hex_digit(text[2]);
    *ret_size = low < 0 ? 1 : 3;
    return low < 0 ? *text : (char)(high * 16 + low);
}

static bool
is_name(const char *text, size_t size, const char *name)
{
    const char *end = text + size;
    for (; text < end && *name != '\0'; name++) {
        size_t step;
        char c = next_decoded(text, &step);
        if (strncasecmp(&c, name, 1) != 0)
            return false;
        text += step;
    }
    return text == end && *name == '\0';
}

static bool
is_secret(const char *name, size_t size)
{
    static const char *const secrets[] = {"password", "passfile", "sslpassword", "pwd"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (is_name(name, size, secrets[i]))
            return true;
    return false;
}

/* A value's end: an unescaped `&` in a password makes what looks like a parameter without value. */
static const char *
value_end(const char *value)
{
    const char *end = value + strcspn(value, "&");
    while (*end == '&') {
        size_t more = strcspn(end + 1, "&");
        if (memchr(end + 1, '=', more) != NULL)
            break;
        end += more + 1;
    }
    return end;
}

/*
 * The next secret parameter's value from here on; false when there is none. It may be one of a connection
 * string, in a URL that has such a thing or was meant to be one ("odbc:bank;PWD=…").
 */
static bool
find_value(const char *text, range *ret_range)
{
    static const char before[] = "?&;{";
    for (text = strpbrk(text, before); text != NULL; text = strpbrk(text, before)) {
        text++;
        size_t size = strcspn(text, "=?&;{");
        if (text[size] != '=' || !is_secret(text, size))
            continue;
        const char *value = text + size + 1;
        *ret_range = (range){value, value_end(value)};
        return true;
    }
    return false;
}

/* What stands between the first colon and the last `@`, to the left of which the user is. */
static bool
find_password(const char *rest, range *ret_range)
{
    const char *colon = strchr(rest, ':'), *at = strrchr(rest, '@');
    if (colon == NULL || at == NULL || at < colon)
        return false;
    *ret_range = (range){colon + 1, at};
    return true;
}

static char *
append(char *to, const char *from, const char *end)
{
    return from < end ? mempcpy(to, from, (size_t)(end - from)) : to;
}

/* Both kinds may overlap; each value's range begins behind the one before. */
static char *
write_shown(char *to, const char *text, range password)
{
    const char *from = text, *search = text;
    range value, next;
    bool has_value = find_value(search, &value);
    while (has_value || password.start != NULL) {
        bool take_password =
            password.start != NULL && (!has_value || password.start <= value.start);
        next = take_password ? password : value;
        if (take_password)
            password.start = NULL;
        else
            has_value = find_value(value.end, &value);
        if (next.start >= from) {
            to = append(to, from, next.start);
            to = mempcpy(to, hidden, sizeof hidden - 1);
        }
        if (next.end > from)
            from = next.end;
    }
    return append(to, from, text + strlen(text));
}

static size_t
scheme_size(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789+-.");
    return size > 0 && text[size] == ':' ? size + 1 : 0;
}

char *
dbal__url_redact(const char *text)
{
    size_t scheme = text != NULL ? scheme_size(text) : 0;
    if (scheme == 0)
        return dbal__strdup("(no URL)");
    range password = {NULL, NULL};
    find_password(text + scheme, &password);
    /* a hidden run has at least a byte before it that is its own */
    size_t size = strlen(text), room = size * (sizeof hidden - 1) + sizeof hidden;
    char *shown = dbal__alloc(room);
    if (shown == NULL)
        return NULL;
    *write_shown(shown, text, password) = '\0';
    return shown;
}
