#include "statement.h"

#include <string.h>

dbal__mariadb_statement *
dbal__mariadb_statement_new(const char *text, size_t size, uint64_t hash)
{
    dbal__mariadb_statement *s = dbal_driver_alloc(sizeof *s + size);
    if (s == NULL)
        return NULL;
    memcpy(s->text, text, size);
    s->size = size;
    s->hash = hash;
    return s;
}

bool
dbal__mariadb_statement_reserve(dbal__mariadb_statement *s, int parameters)
{
    s->parameters = parameters;
    if (parameters == 0)
        return true;
    s->given = dbal_driver_alloc((size_t)parameters * sizeof *s->given);
    s->slots = dbal_driver_alloc((size_t)parameters * sizeof *s->slots);
    return s->given != NULL && s->slots != NULL;
}

void
dbal__mariadb_statement_forget_columns(dbal__mariadb_statement *s)
{
    for (int i = 0; i < s->columns; i++)
        dbal_driver_free(s->cells[i].data);
    dbal_driver_free(s->cells);
    dbal_driver_free(s->taken);
    dbal_driver_free(s->names);
    dbal_columns_unref(s->shared);
    s->cells = NULL;
    s->taken = NULL;
    s->names = NULL;
    s->shared = NULL;
    s->columns = 0;
}

void
dbal__mariadb_statement_free(dbal__mariadb_statement *s)
{
    if (s->stmt != NULL)
        mysql_stmt_close(s->stmt);
    dbal__mariadb_statement_forget_columns(s);
    dbal_driver_free(s->given);
    dbal_driver_free(s->slots);
    dbal_driver_free(s);
}
