#include "attribute.h"

#include <string.h>

/* what ends a value, or means something at its beginning */
static const char special[] = "[]{}(),;?*=!@";

bool
dbal__odbc_attribute_is_name(const char *name)
{
    return name[0] != '\0' && name[0] != ' ' && strpbrk(name, special) == NULL;
}

static bool
needs_braces(const char *value)
{
    size_t size = strlen(value);
    return size != 0 &&
           (strpbrk(value, special) != NULL || value[0] == ' ' || value[size - 1] == ' ');
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
