/* Functions that do more than to compute something. */
#ifndef DBAL__POSTGRES_FUNCTION_H
#define DBAL__POSTGRES_FUNCTION_H

#include "scan.h"

/* Beside dbal_sql_kind: it asks for what a sequence gave to this session before. */
enum { DBAL__POSTGRES_SEQUENCE = 1 << 16 };

/* What it means that this token stands in a query, `cursor` behind it; 0 for nothing. */
unsigned dbal__postgres_function_kinds(dbal__postgres_token t, const char *cursor);

#endif
