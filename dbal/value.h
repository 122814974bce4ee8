/* Values packed into one flat block without pointers, which a thread or a process can be handed. */
#ifndef DBAL__VALUE_H
#define DBAL__VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/value.h>

/*
 * A packed value: numbers inside, bytes by their offset in the block. Texts are followed by a NUL
 * byte. An array of texts is, for each element, a 32-bit length (UINT32_MAX: NULL) and its bytes.
 */
typedef struct dbal__packed {
    uint32_t type;
    uint32_t reserved;
    uint64_t word; /* integer, bits of the double, or offset */
    uint64_t size; /* bytes; elements for arrays of integers */
} dbal__packed;

/* Bytes that `count` values take when packed in that order (order NULL: as they are). */
size_t dbal__pack_size(const dbal_value *values, const uint32_t *order, size_t count);
/* Packs them into `block`, which is aligned for a pointer. */
void dbal__pack(void *block, const dbal_value *values, const uint32_t *order, size_t count);
/* The value at `index`; its bytes point into the block. */
dbal_value dbal__unpack(const void *block, size_t index);
/* Bytes of a block with so many values. */
size_t dbal__packed_size(const void *block, size_t count);
/* Whether a block that came from elsewhere, aligned for a pointer, is one of so many values. */
bool dbal__packed_is_sound(const void *block, size_t size, size_t count);

#endif
