/* One cell on its way into a request's sink. */
#ifndef DBAL__ODBC_CELL_H
#define DBAL__ODBC_CELL_H

#include "connection.h"

typedef enum dbal__odbc_taken {
    DBAL__ODBC_TAKEN,
    DBAL__ODBC_REFUSED,   /* the sink wants no more, for a reason of its own */
    DBAL__ODBC_NO_MEMORY, /* ours */
    DBAL__ODBC_NONSENSE,  /* the ODBC driver tells of a length that cannot be */
    DBAL__ODBC_FAILED     /* the ODBC driver's records say why */
} dbal__odbc_taken;

/*
 * Of the row that the statement stands on; columns from 1, each once, from left to right.
 *
 * Nearly all is read as text, which loses nothing: a TIME_STRUCT has no fractions, and an integer may
 * be unsigned. A text that is not what its column was said to be is given as a text.
 */
dbal__odbc_taken dbal__odbc_cell_take(dbal__odbc_connection *connection, SQLHSTMT handle,
                                      SQLUSMALLINT column, dbal_type type);

#endif
