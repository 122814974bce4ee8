/* Columns that many results of one statement have in common. */
#ifndef DBAL__COLUMNS_H
#define DBAL__COLUMNS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/driver.h>

typedef struct dbal__heading {
    const char *name;
    dbal_type type;
    uint32_t kind; /* the speller's */
} dbal__heading;

struct dbal_columns {
    atomic_uint refs;
    size_t count;
    dbal_speller *speller;    /* NULL: cells are written as dbal does */
    dbal__heading headings[]; /* and behind them their names */
};

dbal_columns *dbal__columns_ref(dbal_columns *columns);

#endif
