#include "cache.h"

#include <string.h>

enum { BUCKETS_MIN = 16, BUCKETS_MAX = 1 << 16 };

bool
dbal__mariadb_cache_init(dbal__mariadb_cache *cache, int expected)
{
    size_t buckets = BUCKETS_MIN;
    while (buckets < BUCKETS_MAX && buckets < (size_t)(expected > 0 ? expected : 0))
        buckets *= 2;
    cache->buckets = dbal_driver_alloc(buckets * sizeof *cache->buckets);
    cache->mask = buckets - 1;
    return cache->buckets != NULL;
}

void
dbal__mariadb_cache_fini(dbal__mariadb_cache *cache)
{
    dbal__mariadb_cache_trim(cache, 0);
    dbal_driver_free(cache->buckets);
    *cache = (dbal__mariadb_cache){0};
}

static dbal__mariadb_statement **
bucket_of(dbal__mariadb_cache *cache, uint64_t hash)
{
    return &cache->buckets[(hash ^ hash >> 32) & cache->mask];
}

static void
unlink_age(dbal__mariadb_cache *cache, dbal__mariadb_statement *s)
{
    *(s->newer != NULL ? &s->newer->older : &cache->newest) = s->older;
    *(s->older != NULL ? &s->older->newer : &cache->oldest) = s->newer;
}

static void
make_newest(dbal__mariadb_cache *cache, dbal__mariadb_statement *s)
{
    s->newer = NULL;
    s->older = cache->newest;
    *(s->older != NULL ? &s->older->newer : &cache->oldest) = s;
    cache->newest = s;
}

dbal__mariadb_statement *
dbal__mariadb_cache_get(dbal__mariadb_cache *cache, const char *text, size_t size, uint64_t hash)
{
    dbal__mariadb_statement *s = *bucket_of(cache, hash);
    while (s != NULL && (s->hash != hash || s->size != size || memcmp(s->text, text, size) != 0))
        s = s->next;
    if (s != NULL && s != cache->newest) {
        unlink_age(cache, s);
        make_newest(cache, s);
    }
    return s;
}

void
dbal__mariadb_cache_remove(dbal__mariadb_cache *cache, dbal__mariadb_statement *s)
{
    dbal__mariadb_statement **at = bucket_of(cache, s->hash);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    unlink_age(cache, s);
    cache->count--;
    s->cached = false;
}

void
dbal__mariadb_cache_add(dbal__mariadb_cache *cache, dbal__mariadb_statement *s)
{
    dbal__mariadb_statement **bucket = bucket_of(cache, s->hash);
    s->next = *bucket;
    *bucket = s;
    s->cached = true;
    make_newest(cache, s);
    cache->count++;
}

void
dbal__mariadb_cache_trim(dbal__mariadb_cache *cache, int most)
{
    while (cache->count > most) {
        dbal__mariadb_statement *s = cache->oldest;
        dbal__mariadb_cache_remove(cache, s);
        dbal__mariadb_statement_free(s);
    }
}
