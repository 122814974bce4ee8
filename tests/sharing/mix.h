/* Random statements on a small database in which much can go wrong. */
#ifndef TESTS_SHARING_MIX_H
#define TESTS_SHARING_MIX_H

#include <dbal.h>

#include "tests/lib/chance.h"

extern const char mix_schema[];

typedef enum mix_kind {
    MIX_WRITE,    /* runs in the order in which it is asked for */
    MIX_ACT,      /* so does this, but what it answers depends on the file's state */
    MIX_READ,     /* gives one row at any time */
    MIX_HOLDS,    /* gives one row at any time, with a 1 */
    MIX_MISTAKEN, /* fails, at any time in the same way */
    MIX_KINDS
} mix_kind;

enum { MIX_VALUES = 3 };

typedef struct mix {
    mix_kind kind;
    char sql[400];
    dbal_value values[MIX_VALUES];
    size_t count;
} mix;

/* The next one. */
void mix_make(mix *one, chance *luck);
dbal_params mix_params(const mix *one);

#endif
