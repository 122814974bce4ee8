/* Rows of a prepared statement on their way up. */
#ifndef DBAL__MARIADB_ROWS_H
#define DBAL__MARIADB_ROWS_H

#include <stdbool.h>

#include <dbal/driver.h>

#include "statement.h"

typedef enum dbal__mariadb_taken {
    DBAL__MARIADB_TAKEN,
    DBAL__MARIADB_REFUSED, /* the request takes no more */
    DBAL__MARIADB_NO_MEMORY,
    DBAL__MARIADB_FAILED /* the statement's handle knows why */
} dbal__mariadb_taken;

/* Tells the columns of what was executed. @param truth  see dbal__mariadb_kind_of() */
dbal__mariadb_taken dbal__mariadb_rows_begin(dbal__mariadb_statement *statement,
                                             dbal_request *request, bool truth);
/* Takes the row that was fetched. */
dbal__mariadb_taken dbal__mariadb_rows_take(dbal__mariadb_statement *statement,
                                            dbal_request *request);
/* Reads over what is left of one that was given up. Whether it ended well. */
bool dbal__mariadb_rows_drain(dbal__mariadb_statement *statement);
/* Behind the last: gives back what unusually large cells took. */
void dbal__mariadb_rows_end(dbal__mariadb_statement *statement);

#endif
