#include "pool/histograms.h"

#include <math.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/sql_hash.h"
#include "dbal/sql_utf8.h"
#include "pool/pool.h"

/* Twice as many places as labels: the one that a hash says, or the next one that is free. */
enum { PLACES = 2 * DBAL__LABELS };
static const int64_t FIRST_BOUND = 1000; /* nanoseconds */

struct dbal__histograms {
    dbal__series none, other;
    size_t count;
    dbal__series *series[DBAL__LABELS];
    unsigned char places[PLACES]; /* 1 and more: of the series before that number; 0: free */
};

dbal__histograms *
dbal__histograms_new(void)
{
    dbal__histograms *self = dbal__zalloc(sizeof *self);
    if (self != NULL)
        strcpy(self->other.label, "other");
    return self;
}

void
dbal__histograms_free(dbal__histograms *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        dbal__free(self->series[i]);
    dbal__free(self);
}

static dbal__series *
add(dbal__histograms *self, const char *label, size_t size, uint64_t hash)
{
    dbal__series *one = self->count < DBAL__LABELS ? dbal__zalloc(sizeof *one) : NULL;
    if (one == NULL)
        return NULL;
    memcpy(one->label, label, size);
    one->hash = hash;
    self->series[self->count++] = one;
    return one;
}

/* What is no UTF-8 would be told apart here, and be the same for whoever reads it. */
static const char *
cleanse(const char *label, size_t size, char *room)
{
    for (size_t i = 0; i < size; i++)
        room[i] = (unsigned char)label[i] < 0x80 ? label[i] : '?';
    return room;
}

dbal__series *
dbal__histograms_get(dbal__histograms *self, const char *label)
{
    if (label == NULL || label[0] == '\0')
        return &self->none;
    char cleaned[DBAL__LABEL_ROOM];
    size_t size = dbal__utf8_clip(label, strlen(label), DBAL__LABEL_ROOM - 1);
    if (size == 0)
        return &self->none; /* nothing of it is left */
    if (!dbal__utf8_valid(label, size))
        label = cleanse(label, size, cleaned);
    if (size == strlen(self->other.label) && memcmp(label, self->other.label, size) == 0)
        return &self->other;
    uint64_t hash = dbal__sql_hash(label, size);
    size_t at = hash % PLACES;
    for (; self->places[at] != 0; at = (at + 1) % PLACES) {
        dbal__series *one = self->series[self->places[at] - 1];
        if (one->hash == hash && memcmp(one->label, label, size) == 0 && one->label[size] == '\0')
            return one;
    }
    dbal__series *one = add(self, label, size, hash);
    if (one == NULL)
        return &self->other;
    self->places[at] = (unsigned char)self->count;
    return one;
}

const dbal__series *
dbal__histograms_at(const dbal__histograms *self, size_t index)
{
    if (index < 2)
        return index == 0 ? &self->none : &self->other;
    return index - 2 < self->count ? self->series[index - 2] : NULL;
}

/* ---- one of them ---- */

int64_t
dbal__histogram_bound(size_t bucket)
{
    return FIRST_BOUND << bucket;
}

void
dbal__histogram_add(dbal__histogram *histogram, int64_t nanoseconds)
{
    uint64_t took = nanoseconds > 0 ? (uint64_t)nanoseconds : 0;
    size_t bucket = 0;
    if (took > (uint64_t)FIRST_BOUND)
        bucket = 64 - (size_t)__builtin_clzll((took - 1) / (uint64_t)FIRST_BOUND);
    if (bucket >= DBAL_HISTOGRAM_BUCKETS)
        bucket = DBAL_HISTOGRAM_BUCKETS - 1;
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum += took;
}

/* ---- for the program ---- */

static void
tell(dbal_pool *pool, const dbal_histogram *told, dbal_histogram_fn *fn, void *arg)
{
    dbal__ready *ready = &pool->loop->ready;
    if (fn == NULL)
        return;
    dbal__loop_enter(pool->loop); /* so that it does not free it */
    dbal__ready_app_enter(ready);
    fn(told, arg);
    dbal__ready_app_leave(ready);
    dbal__loop_leave(pool->loop);
}

size_t
dbal_pool_histograms(dbal_pool *pool, dbal_histogram_fn *fn, void *arg)
{
    double bounds[DBAL_HISTOGRAM_BUCKETS];
    const dbal__series *series;
    size_t count = 0;
    if (!dbal__loop_check(pool->loop, "dbal_pool_histograms") || pool->histograms == NULL)
        return 0;
    for (size_t i = 0; i + 1 < DBAL_HISTOGRAM_BUCKETS; i++)
        bounds[i] = (double)dbal__histogram_bound(i) / 1e9;
    bounds[DBAL_HISTOGRAM_BUCKETS - 1] = INFINITY;
    /* series only become more, and stay where they are: fn may do what it likes */
    for (size_t i = 0; (series = dbal__histograms_at(pool->histograms, i)) != NULL; i++) {
        for (int phase = 0; phase < DBAL_PHASES; phase++) {
            dbal__histogram histogram = series->phases[phase];
            dbal_histogram told = {
                .size = sizeof told,
                .label = series->label,
                .phase = (dbal_phase)phase,
                .bucket_count = DBAL_HISTOGRAM_BUCKETS,
                .bounds = bounds,
                .buckets = histogram.buckets,
                .count = histogram.count,
                .sum = (double)histogram.sum / 1e9,
            };
            if (histogram.count == 0)
                continue;
            count++;
            tell(pool, &told, fn, arg);
        }
    }
    return count;
}
