#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_integer(const MYSQL_FIELD *field)
{
    dbal__mariadb_kind kind = dbal__mariadb_kind_of(field, false);
    return kind == DBAL__MARIADB_INTEGER;
}

static bool
tell_columns(dbal_request *request, const MYSQL_FIELD *fields, unsigned columns)
{
    for (unsigned i = 0; i < columns; i++)
        if (!dbal_request_column(request, fields[i].name,
                                 is_integer(&fields[i]) ? DBAL_INT64 : DBAL_TEXT))
            return false;
    return true;
}

static bool
tell_row(dbal_request *request, const MYSQL_FIELD *fields, unsigned columns, MYSQL_ROW row,
         const unsigned long *lengths)
{
    for (unsigned i = 0; i < columns; i++) {
        bool told = row[i] == NULL ? dbal_request_null(request)
                    : is_integer(&fields[i])
                        ? dbal_request_integer(request, DBAL_INT64, strtoll(row[i], NULL, 10))
                        : dbal_request_bytes(request, DBAL_TEXT, row[i], lengths[i]);
        if (!told)
            return false;
    }
    return dbal_request_row(request);
}

static dbal__mariadb_taken
take_rows(MYSQL *mysql, MYSQL_RES *result, dbal_request *request)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    unsigned columns = mysql_num_fields(result);
    MYSQL_ROW row;
    if (!tell_columns(request, fields, columns))
        return DBAL__MARIADB_REFUSED;
    while ((row = mysql_fetch_row(result)) != NULL)
        if (!tell_row(request, fields, columns, row, mysql_fetch_lengths(result)))
            return DBAL__MARIADB_REFUSED;
    return mysql_errno(mysql) == 0 ? DBAL__MARIADB_TAKEN : DBAL__MARIADB_FAILED;
}

/* What comes behind the first rows, of a procedure. */
static bool
drop_others(MYSQL *mysql)
{
    int more;
    while ((more = mysql_next_result(mysql)) == 0)
        mysql_free_result(mysql_use_result(mysql));
    return more < 0;
}

dbal__mariadb_taken
dbal__mariadb_text(dbal__mariadb_connection *self, const char *sql, size_t size,
                   dbal_request *request)
{
    self->was_sent = true;
    if (mysql_real_query(self->mysql, sql, (unsigned long)size) != 0)
        return DBAL__MARIADB_FAILED;
    MYSQL_RES *result = mysql_use_result(self->mysql);
    if (result == NULL && mysql_errno(self->mysql) != 0)
        return DBAL__MARIADB_FAILED;
    dbal__mariadb_taken taken = DBAL__MARIADB_TAKEN;
    if (result != NULL)
        taken = take_rows(self->mysql, result, request);
    mysql_free_result(result);
    /* behind an error nothing comes, and to ask for it would forget the error */
    if (taken != DBAL__MARIADB_FAILED && !drop_others(self->mysql) && taken == DBAL__MARIADB_TAKEN)
        taken = DBAL__MARIADB_FAILED;
    return taken;
}

bool
dbal__mariadb_command(dbal__mariadb_connection *self, const char *sql)
{
    if (mysql_real_query(self->mysql, sql, strlen(sql)) != 0)
        return false;
    mysql_free_result(mysql_use_result(self->mysql));
    return mysql_errno(self->mysql) == 0;
}
