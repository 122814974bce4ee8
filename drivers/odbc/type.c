#include "type.h"

#include <sqlext.h>

dbal_type
dbal__odbc_type_of(SQLSMALLINT type)
{
    switch (type) {
    case SQL_BIT:
        return DBAL_BOOL;
    case SQL_TINYINT:
    case SQL_SMALLINT:
    case SQL_INTEGER:
    case SQL_BIGINT:
        return DBAL_INT64;
    case SQL_REAL:
    case SQL_FLOAT:
    case SQL_DOUBLE:
        return DBAL_DOUBLE;
    case SQL_DECIMAL:
    case SQL_NUMERIC:
        return DBAL_NUMERIC;
    case SQL_BINARY:
    case SQL_VARBINARY:
    case SQL_LONGVARBINARY:
        return DBAL_BLOB;
    case SQL_TYPE_DATE:
    case SQL_DATE: /* of ODBC 2 */
        return DBAL_DATE;
    case SQL_TYPE_TIME:
    case SQL_TIME:
        return DBAL_TIME;
    case SQL_TYPE_TIMESTAMP:
    case SQL_TIMESTAMP:
        return DBAL_TIMESTAMP;
    case SQL_GUID:
        return DBAL_UUID;
    default:
        return DBAL_TEXT;
    }
}
