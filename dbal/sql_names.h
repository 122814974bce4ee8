/* The different names among a statement's parameters, in the order of their first use. */
#ifndef DBAL__SQL_NAMES_H
#define DBAL__SQL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbal/sql_scan.h"

typedef struct dbal__sql_names {
    const char **items; /* with the texts behind them, in one piece */
    size_t count;
    uint32_t *slots; /* a hash table: an index into items, or UINT32_MAX */
    size_t mask;
} dbal__sql_names;

/* Numbers the uses by their names. False without memory. */
bool dbal__sql_names_init(dbal__sql_names *names, const char *text, dbal__sql_uses *uses);
void dbal__sql_names_fini(dbal__sql_names *names);
/* The name's number, or UINT32_MAX. */
uint32_t dbal__sql_names_find(const dbal__sql_names *names, const char *name, size_t size);

#endif
