/* Prepared statements by their text; the one not used for longest goes first. */
#ifndef DBAL__ODBC_CACHE_H
#define DBAL__ODBC_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sql.h>

typedef struct dbal__odbc_statement dbal__odbc_statement;
struct dbal__odbc_statement {
    dbal__odbc_statement *newer, *older, *next; /* next: of its bucket */
    SQLHSTMT handle;
    SQLULEN limit; /* of its time, in seconds; 0: its own */
    bool cached;
    uint64_t hash;
    size_t size;
    char text[]; /* not NUL-terminated */
};

typedef struct dbal__odbc_cache {
    dbal__odbc_statement **buckets;
    size_t mask; /* number of buckets - 1 */
    dbal__odbc_statement *newest, *oldest;
    int count;
} dbal__odbc_cache;

/* False without memory. */
bool dbal__odbc_cache_init(dbal__odbc_cache *cache, int expected);
/* Frees all; before their connection is closed. */
void dbal__odbc_cache_fini(dbal__odbc_cache *cache);

/* The statement, now the newest, or NULL. */
dbal__odbc_statement *dbal__odbc_cache_get(dbal__odbc_cache *cache, const char *text, size_t size,
                                           uint64_t hash);
/* Adds one, and frees old ones until there are at most `most`, which is at least 1. */
void dbal__odbc_cache_add(dbal__odbc_cache *cache, dbal__odbc_statement *statement, int most);
/* Takes one out, which is not freed. */
void dbal__odbc_cache_remove(dbal__odbc_cache *cache, dbal__odbc_statement *statement);

/* A statement without a handle that is in no cache; NULL without memory. */
dbal__odbc_statement *dbal__odbc_statement_new(const char *text, size_t size, uint64_t hash);
void dbal__odbc_statement_free(dbal__odbc_statement *statement);

#endif
