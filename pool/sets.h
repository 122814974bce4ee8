/* Parameter sets of a batch, packed one behind the other and given back as they are used. */
#ifndef DBAL__SETS_H
#define DBAL__SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/value.h>

typedef struct dbal__sets {
    struct dbal__sets_chunk *first, *last;
} dbal__sets;

/* Adds one, its values in that order; see dbal__pack(). False without memory. */
bool dbal__sets_add(dbal__sets *sets, const dbal_value *values, const uint32_t *order,
                    size_t count);
/* The first set that has not been dropped; there is one. Its block and the bytes of it. */
const void *dbal__sets_first(const dbal__sets *sets, size_t *ret_size);
void dbal__sets_drop_first(dbal__sets *sets);
void dbal__sets_fini(dbal__sets *sets);

#endif
