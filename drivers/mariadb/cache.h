/* Prepared statements by their text; the one not used for longest goes first. */
#ifndef DBAL__MARIADB_CACHE_H
#define DBAL__MARIADB_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statement.h"

typedef struct dbal__mariadb_cache {
    dbal__mariadb_statement **buckets;
    size_t mask; /* number of buckets - 1 */
    dbal__mariadb_statement *newest, *oldest;
    int count;
} dbal__mariadb_cache;

/* False without memory. */
bool dbal__mariadb_cache_init(dbal__mariadb_cache *cache, int expected);
/* Closes all. */
void dbal__mariadb_cache_fini(dbal__mariadb_cache *cache);
/* Closes the oldest until there are at most so many. */
void dbal__mariadb_cache_trim(dbal__mariadb_cache *cache, int most);

/* The statement, now the newest, or NULL. */
dbal__mariadb_statement *dbal__mariadb_cache_get(dbal__mariadb_cache *cache, const char *text,
                                                 size_t size, uint64_t hash);
void dbal__mariadb_cache_add(dbal__mariadb_cache *cache, dbal__mariadb_statement *statement);
/* Takes one out that is in it, and does not close it. */
void dbal__mariadb_cache_remove(dbal__mariadb_cache *cache, dbal__mariadb_statement *statement);

#endif
