/* What is measured: one row of the table. */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H

#include <stdbool.h>

typedef struct bench_row {
    const char *name;
    const char *unit;
    bool cost; /* the less the better; otherwise a rate */
    int pairs; /* 0: as many as usual */
    void (*begin)(void);
    /* One run of each, in the row's unit. Without a limit the row is a figure only. */
    double (*limit)(void);
    double (*dbal)(void);
    void (*end)(void);
    bool syncs; /* its target supposes a disk as in disk.h */
} bench_row;

#endif
