/*
 * How long the phases of statements took, by their labels. Bounded whatever the program uses as
 * labels: the first ones have histograms of their own, all others one together.
 */
#ifndef DBAL__HISTOGRAMS_H
#define DBAL__HISTOGRAMS_H

#include <stddef.h>
#include <stdint.h>

#include <dbal/trace.h>

enum { DBAL__LABELS = 64, DBAL__LABEL_ROOM = 64 };

typedef struct dbal__histogram {
    uint64_t buckets[DBAL_HISTOGRAM_BUCKETS];
    uint64_t count, sum; /* sum: nanoseconds */
} dbal__histogram;

/* Those of one label. */
typedef struct dbal__series {
    char label[DBAL__LABEL_ROOM];
    uint64_t hash;
    dbal__histogram phases[DBAL_PHASES];
} dbal__series;

typedef struct dbal__histograms dbal__histograms;

/* NULL without memory. */
dbal__histograms *dbal__histograms_new(void);
void dbal__histograms_free(dbal__histograms *self);
/* Those that count for a label, which may be NULL; they live as long as the pool's. */
dbal__series *dbal__histograms_get(dbal__histograms *self, const char *label);
/* One more; what is below 0 counts as 0. */
void dbal__histogram_add(dbal__histogram *histogram, int64_t nanoseconds);
/* Each label's, from 0: without a label, of all others, then those of the labels. NULL: no more. */
const dbal__series *dbal__histograms_at(const dbal__histograms *self, size_t index);
/* A bucket's bound in nanoseconds; not of the last one, which has none. */
int64_t dbal__histogram_bound(size_t bucket);

#endif
