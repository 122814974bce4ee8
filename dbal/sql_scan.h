/* Finds the parameters of one statement, and what makes it none. */
#ifndef DBAL__SQL_SCAN_H
#define DBAL__SQL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/driver.h>

/* One `$n` or `:name` in the text. */
typedef struct dbal__sql_use {
    uint32_t start, size;
    uint32_t number; /* which parameter, from 0; of a :name not yet known */
} dbal__sql_use;

typedef struct dbal__sql_uses {
    dbal__sql_use *items;
    size_t count, room;
    bool named;
} dbal__sql_uses;

/* Fills a zeroed `uses`, to be freed also on failure. False with the fault set. */
bool dbal__sql_uses_find(dbal__sql_uses *uses, dbal_dialect dialect, const char *text,
                         dbal_fault *fault);
void dbal__sql_uses_fini(dbal__sql_uses *uses);

#endif
