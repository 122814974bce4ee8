/* A hash of SQL text: fast, not meant to withstand an attacker. */
#ifndef DBAL__SQL_HASH_H
#define DBAL__SQL_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
dbal__sql_hash_load(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

/* Both halves of a 128-bit product, so that every bit of either has its part in the result. */
static inline uint64_t
dbal__sql_hash_mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = a;
    product *= b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t
dbal__sql_hash_short(const char *text, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, text, size < 8 ? size : 8);
    return word;
}

static inline uint64_t
dbal__sql_hash(const char *text, size_t size)
{
    const uint64_t one = UINT64_C(0x9e3779b97f4a7c15), two = UINT64_C(0xc2b2ae3d27d4eb4f);
    uint64_t hash = dbal__sql_hash_mix(size ^ one, two);
    size_t left = size;
    for (; left >= 16; left -= 16, text += 16)
        hash = dbal__sql_hash_mix(dbal__sql_hash_load(text) ^ one,
                                  dbal__sql_hash_load(text + 8) ^ hash);
    if (left > 8)
        hash = dbal__sql_hash_mix(dbal__sql_hash_load(text) ^ one,
                                  dbal__sql_hash_load(text + left - 8) ^ hash);
    else
        hash = dbal__sql_hash_mix(dbal__sql_hash_short(text, left) ^ one, hash ^ two);
    return dbal__sql_hash_mix(hash, one);
}

#endif
