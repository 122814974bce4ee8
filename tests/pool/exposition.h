/* A strict reader of Prometheus' text format, 0.0.4, as dbal_pool_metrics() may write it. */
#ifndef TESTS_POOL_EXPOSITION_H
#define TESTS_POOL_EXPOSITION_H

#include <stddef.h>

enum { EXPOSITION_SAMPLES = 8192, EXPOSITION_LABELS = 8, EXPOSITION_TEXT = 128 };

typedef struct exposition_label {
    char name[EXPOSITION_TEXT], value[EXPOSITION_TEXT]; /* the value without escapes */
} exposition_label;

typedef struct exposition_sample {
    char family[EXPOSITION_TEXT], name[EXPOSITION_TEXT];
    exposition_label labels[EXPOSITION_LABELS];
    int label_count;
    double value;
} exposition_sample;

typedef struct exposition {
    size_t count;
    exposition_sample samples[EXPOSITION_SAMPLES];
} exposition;

/*
 * Reads a text. NULL, or what is wrong with it: a line that does not follow the grammar, a family
 * without HELP and TYPE before its samples, with more than one, or in two places, a sample that is
 * there twice, a counter whose name does not end in _total, a histogram whose buckets go down,
 * do not end with +Inf, or do not fit its count.
 */
const char *exposition_read(exposition *self, const char *text);
/* The value of the one sample of this name with these labels, `a="1",b="2"`, whatever others it has. */
double exposition_value(const exposition *self, const char *name, const char *labels);
const char *exposition_label_of(const exposition_sample *sample, const char *name);

#endif
