/*
 * What another processor wrote last takes as long to come over as a hundred instructions, and each line
 * of its cache comes by itself: it is sent for before it is wanted.
 */
#ifndef DBAL__FETCH_H
#define DBAL__FETCH_H

#include <stddef.h>

enum { DBAL__CACHE_LINE = 64 };

/* What will be read only. What lies behind it need not be anybody's. */
static inline void
dbal__fetch(const void *place, size_t size)
{
    for (size_t at = 0; at < size; at += DBAL__CACHE_LINE)
        __builtin_prefetch((const char *)place + at, 0);
}

/* What will be written, too. */
static inline void
dbal__fetch_to_write(const void *place, size_t size)
{
    for (size_t at = 0; at < size; at += DBAL__CACHE_LINE)
        __builtin_prefetch((const char *)place + at, 1);
}

#endif
