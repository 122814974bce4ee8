#include "secret.h"

#include <string.h>

/* what a password is called, maybe with more before or behind ("sslpassword") */
static const char *const names[] = {"pwd", "password"};

/* A text of so many bytes. */
static char *
write(char *to, const char *value, size_t size)
{
    if (size == 0)
        return to;
    to = mempcpy(to, value, size);
    *to++ = '\0';
    if (memchr(value, '}', size) == NULL)
        return to;
    for (; size > 0; value++, size--) {
        *to++ = *value;
        if (*value == '}')
            *to++ = '}';
    }
    *to++ = '\0';
    return to;
}

size_t
dbal__odbc_secret_room(const char *value)
{
    return 3 * strlen(value) + 2;
}

/* "x;PWD=y", "{password=y}": to where the value ends, or the whole does. */
static char *
write_inner(char *to, const char *value, const char *name)
{
    while ((value = strcasestr(value, name)) != NULL) {
        value += strcspn(value, "=; ");
        value += strspn(value, " ");
        if (*value != '=')
            continue;
        value += 1 + strspn(value + 1, " {'\"");
        size_t size = strcspn(value, "; }'\"");
        to = write(to, value, size);
        value += size;
    }
    return to;
}

char *
dbal__odbc_secret_write(char *to, const char *name, const char *value)
{
    enum { NAMES = sizeof names / sizeof names[0] };
    for (size_t i = 0; i < NAMES; i++)
        if (strcasestr(name, names[i]) != NULL)
            return write(to, value, strlen(value));
    for (size_t i = 0; i < NAMES; i++)
        to = write_inner(to, value, names[i]);
    return to;
}

/* Of a text that ends in the middle of it. */
static size_t
size_of_beginning(const char *text, size_t size, const char *secret)
{
    size_t most = strlen(secret) - 1;
    for (size_t part = most < size ? most : size; part > 0; part--)
        if (memcmp(text + size - part, secret, part) == 0)
            return part;
    return 0;
}

enum { LONGEST = 1024 };

/* One may hold another, or overlap with it: all are looked for before any is written over. */
void
dbal__odbc_secret_hide(const char *list, char *text, bool cut)
{
    bool hidden[LONGEST] = {false};
    size_t size = strnlen(text, LONGEST);
    for (; *list != '\0'; list += strlen(list) + 1) {
        size_t length = strlen(list);
        const char *at = strstr(text, list);
        for (; at != NULL && (size_t)(at - text) + length <= size; at = strstr(at + 1, list))
            memset(hidden + (at - text), true, length);
        size_t part = cut ? size_of_beginning(text, size, list) : 0;
        memset(hidden + size - part, true, part);
    }
    for (size_t i = 0; i < size; i++)
        if (hidden[i])
            text[i] = '*';
}
