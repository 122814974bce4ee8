#include "reason.h"

#include <stddef.h>
#include <string.h>

#include <errmsg.h>
#include <mysqld_error.h>

#define DATA DBAL_ERROR_DATA
#define INTEGRITY DBAL_ERROR_INTEGRITY
#define OPERATIONAL DBAL_ERROR_OPERATIONAL
#define PROGRAMMING DBAL_ERROR_PROGRAMMING
#define UNSUPPORTED DBAL_ERROR_NOT_SUPPORTED
#define NO_MEMORY DBAL_ERROR_NO_MEMORY

/* Some numbers that Connector/C's header has under other names, or not at all. */
enum {
    NO_SUCH_CONSTRAINT_ROOM = 1586, /* a duplicate entry, with the key's name */
    CHECK_FAILED = 4025,
    JSON_BAD = 4038,
    READ_ONLY_TRANSACTION = 1792,
    READ_ONLY_SERVER = 1290,
    READ_ONLY_MODE = 1836,
    IDLE_TRANSACTION_GONE = 4031
};

/* The server's SQLSTATE is one for many things; these are the ones that other databases tell apart. */
static const struct {
    unsigned code;
    dbal__mariadb_reason reason;
} numbers[] = {
    {ER_DUP_ENTRY, {INTEGRITY, "23505", false, true}},
    {NO_SUCH_CONSTRAINT_ROOM, {INTEGRITY, "23505", false, true}},
    {ER_DUP_KEY, {INTEGRITY, "23505", false, false}},
    {ER_BAD_NULL_ERROR, {INTEGRITY, "23502", false, false}},
    {ER_NO_DEFAULT_FOR_FIELD, {INTEGRITY, "23502", false, false}},
    {ER_NO_REFERENCED_ROW, {INTEGRITY, "23503", false, false}},
    {ER_ROW_IS_REFERENCED, {INTEGRITY, "23503", false, false}},
    {ER_NO_REFERENCED_ROW_2, {INTEGRITY, "23503", false, false}},
    {ER_ROW_IS_REFERENCED_2, {INTEGRITY, "23503", false, false}},
    {CHECK_FAILED, {INTEGRITY, "23514", false, false}},
    {ER_PARSE_ERROR, {PROGRAMMING, "42601", false, false}},
    {ER_SYNTAX_ERROR, {PROGRAMMING, "42601", false, false}},
    {ER_EMPTY_QUERY, {PROGRAMMING, "42601", false, false}},
    {ER_NO_SUCH_TABLE, {PROGRAMMING, "42P01", false, false}},
    {ER_BAD_TABLE_ERROR, {PROGRAMMING, "42P01", false, false}},
    {ER_UNKNOWN_TABLE, {PROGRAMMING, "42P01", false, false}},
    {ER_BAD_FIELD_ERROR, {PROGRAMMING, "42703", false, false}},
    {ER_NON_UNIQ_ERROR, {PROGRAMMING, "42702", false, false}},
    {ER_TABLE_EXISTS_ERROR, {PROGRAMMING, "42P07", false, false}},
    {ER_DUP_FIELDNAME, {PROGRAMMING, "42701", false, false}},
    {ER_CANT_DROP_FIELD_OR_KEY, {PROGRAMMING, "42704", false, false}},
    {ER_BAD_DB_ERROR, {PROGRAMMING, "3D000", false, false}},
    {ER_NO_DB_ERROR, {PROGRAMMING, "3D000", false, false}},
    {ER_DB_CREATE_EXISTS, {PROGRAMMING, "42P04", false, false}},
    {ER_DBACCESS_DENIED_ERROR, {PROGRAMMING, "42501", false, false}},
    {ER_TABLEACCESS_DENIED_ERROR, {PROGRAMMING, "42501", false, false}},
    {ER_COLUMNACCESS_DENIED_ERROR, {PROGRAMMING, "42501", false, false}},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, {PROGRAMMING, "42501", false, false}},
    {ER_ACCESS_DENIED_ERROR, {OPERATIONAL, "28000", false, false}},
    {ER_CON_COUNT_ERROR, {OPERATIONAL, "53300", true, false}},
    {ER_TOO_MANY_USER_CONNECTIONS, {OPERATIONAL, "53300", true, false}},
    {ER_USER_LIMIT_REACHED, {OPERATIONAL, "53300", true, false}},
    {ER_LOCK_WAIT_TIMEOUT, {OPERATIONAL, "55P03", true, false}},
    {ER_LOCK_DEADLOCK, {OPERATIONAL, "40001", true, false}},
    {ER_CHECKREAD, {OPERATIONAL, "40001", true, false}},
    {ER_QUERY_INTERRUPTED, {OPERATIONAL, "57014", false, false}},
    {DBAL__MARIADB_STATEMENT_TIME, {OPERATIONAL, "57014", false, false}},
    {ER_CONNECTION_KILLED, {OPERATIONAL, "57P01", false, false}},
    {IDLE_TRANSACTION_GONE, {OPERATIONAL, "57P01", false, false}},
    {ER_SERVER_SHUTDOWN, {OPERATIONAL, "57P01", false, false}},
    {ER_NET_PACKET_TOO_LARGE, {DATA, "54000", false, false}},
    {CR_NET_PACKET_TOO_LARGE, {DATA, "54000", false, false}},
    {READ_ONLY_TRANSACTION, {OPERATIONAL, "25006", false, false}},
    {READ_ONLY_SERVER, {OPERATIONAL, "25006", false, false}},
    {READ_ONLY_MODE, {OPERATIONAL, "25006", false, false}},
    {ER_DATA_TOO_LONG, {DATA, "22001", false, false}},
    {ER_WARN_DATA_OUT_OF_RANGE, {DATA, "22003", false, false}},
    {ER_DATA_OUT_OF_RANGE, {DATA, "22003", false, true}},
    {ER_TRUNCATED_WRONG_VALUE, {DATA, "22007", false, true}},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, {DATA, "22007", false, true}},
    {ER_WRONG_VALUE_FOR_TYPE, {DATA, "22007", false, true}},
    {ER_DIVISION_BY_ZERO, {DATA, "22012", false, false}},
    {ER_WARN_NULL_TO_NOTNULL, {DATA, "22004", false, false}},
    {WARN_DATA_TRUNCATED, {DATA, "22001", false, false}},
    {ER_INVALID_CHARACTER_STRING, {DATA, "22021", false, true}},
    {JSON_BAD, {DATA, "22032", false, false}},
    {ER_UNSUPPORTED_PS, {UNSUPPORTED, "0A000", false, false}},
    {ER_NEED_REPREPARE, {OPERATIONAL, "55006", true, false}},
    {ER_MAX_PREPARED_STMT_COUNT_REACHED, {OPERATIONAL, "53400", false, false}},
    {ER_RECORD_FILE_FULL, {OPERATIONAL, "53100", false, false}},
    {ER_DISK_FULL, {OPERATIONAL, "53100", false, false}},
    {ER_OUTOFMEMORY, {OPERATIONAL, "53200", false, false}},
    {ER_OUT_OF_RESOURCES, {OPERATIONAL, "53200", false, false}},
    {CR_OUT_OF_MEMORY, {NO_MEMORY, "53200", false, false}},
    {CR_CONNECTION_ERROR, {OPERATIONAL, "08001", true, false}},
    {CR_CONN_HOST_ERROR, {OPERATIONAL, "08001", true, false}},
    {CR_UNKNOWN_HOST, {OPERATIONAL, "08001", true, false}},
    {CR_SERVER_GONE_ERROR, {OPERATIONAL, "08006", false, false}},
    {CR_SERVER_LOST, {OPERATIONAL, "08006", false, false}},
    {CR_SERVER_LOST_EXTENDED, {OPERATIONAL, "08006", false, false}},
    {CR_SSL_CONNECTION_ERROR, {OPERATIONAL, "08001", false, false}},
    {CR_COMMANDS_OUT_OF_SYNC, {DBAL_ERROR_INTERNAL, "08P01", false, false}},
};

static const struct {
    char state[3];
    dbal_error_class error_class;
} classes[] = {
    {"07", PROGRAMMING}, {"0A", UNSUPPORTED}, {"20", PROGRAMMING}, {"21", PROGRAMMING},
    {"22", DATA},        {"23", INTEGRITY},   {"24", PROGRAMMING}, {"34", PROGRAMMING},
    {"3D", PROGRAMMING}, {"3F", PROGRAMMING}, {"42", PROGRAMMING}, {"44", INTEGRITY},
};

dbal__mariadb_reason
dbal__mariadb_reason_of(unsigned code, const char *sqlstate)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].code == code)
            return numbers[i].reason;
    dbal__mariadb_reason reason = {OPERATIONAL, sqlstate, false, false};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strncmp(sqlstate, classes[i].state, 2) == 0)
            reason.error_class = classes[i].error_class;
    return reason;
}
