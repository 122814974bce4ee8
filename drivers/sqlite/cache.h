/* Prepared statements by their text; the one not used for longest goes first. */
#ifndef DBAL__SQLITE_CACHE_H
#define DBAL__SQLITE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "meaning.h"

typedef struct dbal__sqlite_statement dbal__sqlite_statement;
struct dbal__sqlite_statement {
    dbal__sqlite_statement *newer, *older, *next; /* next: of its bucket */
    sqlite3_stmt *stmt;
    dbal__sqlite_meaning meaning;
    bool writes; /* needs the write token, breaks a promise to change nothing */
    bool cached;
    int parameters;
    int columns;          /* -1: not known before the first step */
    int prepared_again;   /* SQLite's count when the columns were looked at */
    dbal_type *types;     /* `columns` of them */
    dbal_columns *shared; /* names and types, for all its results */
    bool converts;        /* there are columns whose cells may become what they were declared as */
    uint64_t hash;
    size_t size;
    char text[]; /* not NUL-terminated */
};

typedef struct dbal__sqlite_cache {
    dbal__sqlite_statement **buckets;
    size_t mask; /* number of buckets - 1 */
    dbal__sqlite_statement *newest, *oldest;
    int count;
} dbal__sqlite_cache;

/* False without memory. */
bool dbal__sqlite_cache_init(dbal__sqlite_cache *cache, int expected);
/* Finalizes all. */
void dbal__sqlite_cache_fini(dbal__sqlite_cache *cache);

/* The statement, now the newest, or NULL. */
dbal__sqlite_statement *dbal__sqlite_cache_get(dbal__sqlite_cache *cache, const char *text,
                                               size_t size, uint64_t hash);
/* Adds one, and finalizes old ones until there are at most `most`, which is at least 1. */
void dbal__sqlite_cache_add(dbal__sqlite_cache *cache, dbal__sqlite_statement *statement, int most);

/* A statement that is in no cache; NULL without memory. */
dbal__sqlite_statement *dbal__sqlite_statement_new(const char *text, size_t size, uint64_t hash);
void dbal__sqlite_statement_free(dbal__sqlite_statement *statement);

#endif
