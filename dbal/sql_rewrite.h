/* A statement's parameters written the way its driver wants them. */
#ifndef DBAL__SQL_REWRITE_H
#define DBAL__SQL_REWRITE_H

#include <stdint.h>

#include "dbal/sql.h"
#include "dbal/sql_scan.h"

/* One parameter in the program's text and in the driver's: first byte, and the byte behind it. */
typedef struct dbal__sql_edit {
    uint32_t source, source_end, text, text_end;
} dbal__sql_edit;

/* Sets text, size and edits, from source and its numbered uses. False without memory. */
bool dbal__sql_rewrite(dbal__sql *sql, dbal_paramstyle style, const dbal__sql_uses *uses);

#endif
