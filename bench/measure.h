/* Measures a row: runs of dbal and of its limit in turn, and what they come to. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "row.h"

typedef struct bench_figure {
    double limit, dbal;      /* medians */
    double ratio, low, high; /* median and quartiles of the pairs' ratios; higher is better */
    int pairs;
    double sync; /* seconds for one on this disk, where that matters; or 0 */
} bench_figure;

bench_figure bench_measure(const bench_row *row);

#endif
