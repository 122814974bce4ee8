/* Where a part of some values ends. */
#ifndef BENCH_QUANTILE_H
#define BENCH_QUANTILE_H

/* Sorts the values; 0.5 is the median. Between two of them by proportion. */
double bench_quantile(double *values, int count, double part);

#endif
