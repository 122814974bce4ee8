#include "cache.h"

#include <string.h>

#include <dbal/driver.h>

enum { BUCKETS_MIN = 16, BUCKETS_MAX = 1 << 16 };

bool
dbal__odbc_cache_init(dbal__odbc_cache *cache, int expected)
{
    size_t buckets = BUCKETS_MIN;
    while (buckets < BUCKETS_MAX && buckets < (size_t)(expected > 0 ? expected : 0))
        buckets *= 2;
    cache->buckets = dbal_driver_alloc(buckets * sizeof(dbal__odbc_statement *));
    cache->mask = buckets - 1;
    return cache->buckets != NULL;
}

void
dbal__odbc_cache_fini(dbal__odbc_cache *cache)
{
    for (dbal__odbc_statement *s = cache->newest, *older; s != NULL; s = older) {
        older = s->older;
        dbal__odbc_statement_free(s);
    }
    dbal_driver_free(cache->buckets);
    memset(cache, 0, sizeof *cache);
}

static dbal__odbc_statement **
bucket_of(dbal__odbc_cache *cache, uint64_t hash)
{
    return &cache->buckets[(hash ^ hash >> 32) & cache->mask];
}

static void
unlink_age(dbal__odbc_cache *cache, dbal__odbc_statement *s)
{
    *(s->newer != NULL ? &s->newer->older : &cache->newest) = s->older;
    *(s->older != NULL ? &s->older->newer : &cache->oldest) = s->newer;
}

static void
make_newest(dbal__odbc_cache *cache, dbal__odbc_statement *s)
{
    s->newer = NULL;
    s->older = cache->newest;
    *(s->older != NULL ? &s->older->newer : &cache->oldest) = s;
    cache->newest = s;
}

dbal__odbc_statement *
dbal__odbc_cache_get(dbal__odbc_cache *cache, const char *text, size_t size, uint64_t hash)
{
    dbal__odbc_statement *s = *bucket_of(cache, hash);
    while (s != NULL && (s->hash != hash || s->size != size || memcmp(s->text, text, size) != 0))
        s = s->next;
    if (s != NULL && s != cache->newest) {
        unlink_age(cache, s);
        make_newest(cache, s);
    }
    return s;
}

void
dbal__odbc_cache_remove(dbal__odbc_cache *cache, dbal__odbc_statement *s)
{
    dbal__odbc_statement **at = bucket_of(cache, s->hash);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    unlink_age(cache, s);
    cache->count--;
    s->cached = false;
}

void
dbal__odbc_cache_add(dbal__odbc_cache *cache, dbal__odbc_statement *s, int most)
{
    dbal__odbc_statement **bucket = bucket_of(cache, s->hash);
    s->next = *bucket;
    *bucket = s;
    s->cached = true;
    make_newest(cache, s);
    cache->count++;
    while (cache->count > most) {
        dbal__odbc_statement *old = cache->oldest;
        dbal__odbc_cache_remove(cache, old);
        dbal__odbc_statement_free(old);
    }
}

dbal__odbc_statement *
dbal__odbc_statement_new(const char *text, size_t size, uint64_t hash)
{
    dbal__odbc_statement *s = dbal_driver_alloc(sizeof *s + size);
    if (s == NULL)
        return NULL;
    memcpy(s->text, text, size);
    s->size = size;
    s->hash = hash;
    s->handle = SQL_NULL_HSTMT;
    return s;
}

void
dbal__odbc_statement_free(dbal__odbc_statement *s)
{
    if (s->handle != SQL_NULL_HSTMT)
        SQLFreeHandle(SQL_HANDLE_STMT, s->handle);
    dbal_driver_free(s);
}
