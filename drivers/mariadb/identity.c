#include "identity.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a server's clock says less how long it runs is when it was started, to the second, for good. */
static const char mariadb[] =
    "concat_ws(' ', @@hostname, @@port, @@server_id, unix_timestamp() - (select "
    "cast(variable_value as signed) from information_schema.global_status where variable_name = "
    "'uptime')), connection_id()";

/* MySQL has that in no place that all have; its short UUIDs begin with the second of the start */
static const char mysql[] =
    "concat_ws(' ', @@hostname, @@port, @@server_uuid, uuid_short() >> 24), connection_id()";

const char *
dbal__mariadb_identity_columns(MYSQL *connection)
{
    return mariadb_connection(connection) ? mariadb : mysql;
}

/*
 * The library was told half of a long number. One that is another was given by who stands between:
 * there nobody knows which server's a KILL would be.
 */
void
dbal__mariadb_identity_read(dbal__mariadb_identity *identity, MYSQL *connection, MYSQL_ROW cells)
{
    identity->server[0] = '\0';
    if (cells[0] == NULL || cells[1] == NULL || strlen(cells[0]) >= sizeof identity->server)
        return;
    identity->id = strtoul(cells[1], NULL, 10);
    if ((uint32_t)identity->id == (uint32_t)mysql_thread_id(connection))
        strcpy(identity->server, cells[0]);
}

bool
dbal__mariadb_identity_is(const dbal__mariadb_identity *identity, MYSQL *connection)
{
    dbal__mariadb_identity found = {.server = ""};
    char ask[sizeof mariadb + sizeof "select "];
    int size = snprintf(ask, sizeof ask, "select %s", dbal__mariadb_identity_columns(connection));
    if (identity->server[0] == '\0')
        return false;
    MYSQL_RES *result = mysql_real_query(connection, ask, (unsigned long)size) == 0
                            ? mysql_store_result(connection)
                            : NULL;
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    if (row != NULL)
        dbal__mariadb_identity_read(&found, connection, row);
    mysql_free_result(result);
    return strcmp(found.server, identity->server) == 0;
}
