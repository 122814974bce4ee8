/* A primary that becomes a standby behind a name or a proxy that keeps its connections. */
#include <string.h>

#include "connection.h"

bool
dbal__postgres_is_standby(const dbal__postgres_connection *self)
{
    /* told by servers from 14 on, also when it changes */
    const char *value = PQparameterStatus(self->pg, "in_hot_standby");
    return value != NULL && strcmp(value, "on") == 0;
}

void
dbal__postgres_look_for_demotion(dbal__postgres_connection *self, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    /* a transaction that was begun to read only is refused so by a primary too */
    if (state == NULL || strcmp(state, "25006") != 0 || self->standby ||
        !dbal__postgres_is_standby(self))
        return;
    self->standby = true;
    dbal_host_log(self->host, true, "the server has become a standby: it is left");
    dbal_host_worn(self->host);
}
