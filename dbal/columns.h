/* Columns that many results of one statement have in common. */
#ifndef DBAL__COLUMNS_H
#define DBAL__COLUMNS_H

#include <stdatomic.h>
#include <stddef.h>

#include <dbal/driver.h>

typedef struct dbal__heading {
    const char *name;
    dbal_type type;
} dbal__heading;

struct dbal_columns {
    atomic_uint refs;
    size_t count;
    dbal__heading headings[]; /* and behind them their names */
};

dbal_columns *dbal__columns_ref(dbal_columns *columns);

#endif
