/* Columns and rows on their way into a request's sink. */
#ifndef DBAL__ODBC_ROWS_H
#define DBAL__ODBC_ROWS_H

#include "cell.h"

/* How a result ended. */
typedef enum dbal__odbc_end {
    DBAL__ODBC_END_ALL,       /* all rows were given */
    DBAL__ODBC_END_SATISFIED, /* the consumer has all it wants */
    DBAL__ODBC_END_FAILED     /* the fault is set, unless the sink knows why */
} dbal__odbc_end;

/* Of an executed statement that has columns. */
dbal__odbc_end dbal__odbc_rows(dbal__odbc_connection *connection, SQLHSTMT handle,
                               SQLSMALLINT columns, dbal_fault *fault);

#endif
