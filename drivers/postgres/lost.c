#include "lost.h"

#include <string.h>

/* A libpq message is several lines, the first of which says what happened. */
static int
first_line(const char *message)
{
    return (int)strcspn(message, "\n");
}

void
dbal__postgres_lost(dbal_fault *fault, const PGconn *pg, const dbal__postgres_notices *notices,
                    const char *fatal)
{
    const char *message = PQerrorMessage(pg);
    if (fatal[0] != '\0')
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, fatal, "the server ended the connection");
    else if (notices->end_sqlstate[0] != '\0')
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, notices->end_sqlstate, "%s",
                       notices->end_text);
    else if (message[0] != '\0')
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08006", "%.*s", first_line(message),
                       message);
    else
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08006", "the connection was lost");
    dbal_fault_set_connection_lost(fault, true);
}

void
dbal__postgres_lost_before(dbal_fault *fault, const char *fatal, bool certain)
{
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, fatal,
                   certain ? "the server ended the connection before it came to this statement"
                           : "the connection was ended from in between");
    dbal_fault_set_connection_lost(fault, true);
    dbal_fault_set_execution(fault, certain ? DBAL_EXECUTION_NOT_SENT : DBAL_EXECUTION_UNKNOWN);
}
