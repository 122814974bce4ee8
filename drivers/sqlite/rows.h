/* Columns and rows on their way into a request's sink. */
#ifndef DBAL__SQLITE_ROWS_H
#define DBAL__SQLITE_ROWS_H

#include "connection.h"

typedef enum dbal__sqlite_taken {
    DBAL__SQLITE_TAKEN,
    DBAL__SQLITE_REFUSED,  /* the sink wants no more, for a reason of its own */
    DBAL__SQLITE_NO_MEMORY /* SQLite's or ours */
} dbal__sqlite_taken;

/* Tells the sink the columns, after the first step: before, a schema change could be missed. */
dbal__sqlite_taken dbal__sqlite_rows_columns(dbal__sqlite_statement *statement,
                                             dbal_request *request);

/* Hands over the row that the statement stands on. */
dbal__sqlite_taken dbal__sqlite_rows_take(sqlite3_stmt *stmt, int columns, dbal_request *request);
/* The same, with each cell as its column was declared, where it fits. */
dbal__sqlite_taken dbal__sqlite_rows_take_declared(const dbal__sqlite_statement *statement,
                                                   dbal_request *request);

#endif
