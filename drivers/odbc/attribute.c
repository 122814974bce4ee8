#include "attribute.h"

#include <string.h>

/* what the standard allows in no name */
static const char special[] = "[]{}(),;?*=!@";

bool
dbal__odbc_attribute_is_name(const char *name)
{
    return name[0] != '\0' && name[0] != ' ' && strpbrk(name, special) == NULL;
}

/*
 * Only what would end a value, or be lost: the standard would have them around all that is special, but
 * drivers that do not read braces take them for a part of the value, of a password with a "!" say.
 */
static bool
needs_braces(const char *value)
{
    size_t size = strlen(value);
    return size != 0 &&
           (strpbrk(value, ";{}") != NULL || value[0] == ' ' || value[size - 1] == ' ');
}

size_t
dbal__odbc_attribute_room(const char *name, const char *value)
{
    return strlen(name) + 2 * strlen(value) + sizeof "={};" - 1;
}

char *
dbal__odbc_attribute_write(char *to, const char *name, const char *value)
{
    bool braces = needs_braces(value);
    to = stpcpy(to, name);
    *to++ = '=';
    if (braces)
        *to++ = '{';
    for (; *value != '\0'; value++) {
        *to++ = *value;
        if (*value == '}')
            *to++ = '}';
    }
    if (braces)
        *to++ = '}';
    *to++ = ';';
    return to;
}
