/*
 * Point selects in child processes, written by hand: a socket to each, keys down, answers back, each way
 * as many at a time as there are.
 */
#ifndef BENCH_CHILDREN_H
#define BENCH_CHILDREN_H

#include <ev.h>

#include "point.h"

typedef struct bench_children bench_children;

/* Forks so many, before any thread is started; each has a connection of its own to the file. */
bench_children *bench_children_new(int count);
void bench_children_free(bench_children *children);
/* Queries a second, with so many in flight in all. */
double bench_children_rate(bench_children *children, int queries, int flight);

#endif
