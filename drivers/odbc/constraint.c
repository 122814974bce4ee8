#include "constraint.h"

#include <string.h>

static bool
copy(const char *name, size_t size, char *to, size_t room)
{
    if (size == 0 || size >= room)
        return false;
    memcpy(to, name, size);
    to[size] = '\0';
    return true;
}

bool
dbal__odbc_constraint_find(const char *message, char *to, size_t room)
{
    /* PostgreSQL: violates unique constraint "thing_pkey" */
    static const char quoted[] = "constraint \"", column[] = "in column \"";
    /* SQLite: UNIQUE constraint failed: thing.id (19) */
    static const char failed[] = "constraint failed: ";
    const char *at = strstr(message, quoted);
    if (at != NULL)
        at += sizeof quoted - 1;
    else if ((at = strstr(message, column)) != NULL)
        at += sizeof column - 1;
    if (at != NULL)
        return copy(at, strcspn(at, "\""), to, room);
    at = strstr(message, failed);
    if (at == NULL)
        return false;
    at += sizeof failed - 1;
    const char *end = strstr(at, " (");
    return copy(at, end != NULL ? (size_t)(end - at) : strlen(at), to, room);
}
