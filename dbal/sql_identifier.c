#include "dbal/sql.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/sql_utf8.h"

static size_t
count_of(const char *name, size_t size, char wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += name[i] == wanted;
    return count;
}

char *
dbal__sql_quote_identifier(dbal_dialect dialect, const char *name, size_t size)
{
    if (memchr(name, '\0', size) != NULL || !dbal__utf8_valid(name, size))
        return NULL;
    char quote = dialect == DBAL_DIALECT_MYSQL ? '`' : '"';
    char *quoted = dbal__alloc(size + count_of(name, size, quote) + 3);
    if (quoted == NULL)
        return NULL;
    char *to = quoted;
    *to++ = quote;
    for (size_t i = 0; i < size; i++) {
        if (name[i] == quote)
            *to++ = quote;
        *to++ = name[i];
    }
    *to++ = quote;
    *to = '\0';
    return quoted;
}
