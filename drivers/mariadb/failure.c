#include "failure.h"

#include <stdio.h>
#include <string.h>

#include <errmsg.h>
#include <mysqld_error.h>

#include "message.h"
#include "reason.h"

void
dbal__mariadb_failure_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
}

void
dbal__mariadb_failure_stopped(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "stopped before its end");
}

void
dbal__mariadb_failure_promise(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "25006",
                   "the statement writes, but was promised to be read-only");
}

void
dbal__mariadb_failure_lost(dbal_fault *fault, bool sent)
{
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08006", "the connection to MariaDB was lost");
    dbal_fault_set_connection_lost(fault, true);
    dbal_fault_set_execution(fault, sent ? DBAL_EXECUTION_UNKNOWN : DBAL_EXECUTION_NOT_SENT);
}

bool
dbal__mariadb_failure_is_lost(unsigned code)
{
    switch (code) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_COMMANDS_OUT_OF_SYNC: /* nothing that is asked of it would work any more */
    case CR_MALFORMED_PACKET:
    case CR_SSL_CONNECTION_ERROR:
    case CR_NET_PACKET_TOO_LARGE:
    case ER_NET_PACKET_TOO_LARGE:
    case ER_CONNECTION_KILLED:
    case ER_SERVER_SHUTDOWN:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case ER_NET_PACKETS_OUT_OF_ORDER:
    case ER_NET_UNCOMPRESS_ERROR:
    case 4031: /* it was idle in a transaction for too long */
        return true;
    default:
        return false;
    }
}

static void
set_place(dbal_fault *fault, dbal__mariadb_error error, const dbal_request *request)
{
    size_t size;
    const char *sql = request != NULL ? dbal_request_sql(request, &size) : NULL;
    if (sql != NULL && (error.code == ER_PARSE_ERROR || error.code == ER_SYNTAX_ERROR))
        dbal_fault_set_position(fault, dbal__mariadb_message_position(error.message, sql));
}

void
dbal__mariadb_failure(dbal_fault *fault, dbal__mariadb_error error, const dbal_request *request)
{
    char text[512], name[128];
    dbal__mariadb_reason reason = dbal__mariadb_reason_of(error.code, error.sqlstate);
    bool lost = dbal__mariadb_failure_is_lost(error.code);
    /* the one message that shows a value without quotes */
    const char *message = error.code == ER_NO_PARTITION_FOR_GIVEN_VALUE
                              ? "Table has no partition for the value"
                              : error.message;
    dbal__mariadb_message_hide(message, request, reason.shows_value, text, sizeof text);
    dbal_fault_set(fault, reason.error_class, reason.sqlstate, "%s", text);
    dbal_fault_set_vendor_code(fault, (int)error.code);
    dbal_fault_set_retryable(fault, reason.retryable);
    if (reason.error_class == DBAL_ERROR_INTEGRITY &&
        dbal__mariadb_message_constraint(error.message, name, sizeof name))
        dbal_fault_set_constraint(fault, name);
    set_place(fault, error, request);
    if (!lost)
        return;
    dbal_fault_set_connection_lost(fault, true);
    /* the server says before it does anything that a packet is too large */
    bool refused = error.code == CR_NET_PACKET_TOO_LARGE || error.code == ER_NET_PACKET_TOO_LARGE;
    dbal_fault_set_execution(fault, refused ? DBAL_EXECUTION_FAILED : DBAL_EXECUTION_UNKNOWN);
}

void
dbal__mariadb_failure_open(dbal_fault *fault, dbal__mariadb_error error, const char *where)
{
    dbal__mariadb_reason reason = dbal__mariadb_reason_of(error.code, error.sqlstate);
    bool lost = dbal__mariadb_failure_is_lost(error.code);
    dbal_fault_set(fault, reason.error_class, lost ? "08001" : reason.sqlstate,
                   "cannot connect to MariaDB at %s: %s", where, error.message);
    dbal_fault_set_vendor_code(fault, (int)error.code);
    dbal_fault_set_retryable(fault, reason.retryable || lost);
}
