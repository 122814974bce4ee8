/* How much memory the process has for itself. */
#ifndef BENCH_RESIDENT_H
#define BENCH_RESIDENT_H

/*
 * In pages of the usual size from now on: with large ones the kernel would give a new stack or heap
 * hundreds of times what it asked for, or not, as it pleases.
 */
void bench_resident_begin(void);
/* Bytes of heap, stacks and data that are really there. */
double bench_resident(void);

/*
 * What malloc has given out, by all threads. Pages say less where much of what is given out is not
 * touched: then they depend on what was there before.
 */
void bench_heap_begin(void);
double bench_heap(void);

#endif
