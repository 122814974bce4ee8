/* Time, in seconds. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

double bench_clock(void);
/* What all threads of the program have had of the processors, in the kernel too. */
double bench_cpu(void);

#endif
