/* How long something took. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

/* Seconds, from some beginning. */
double bench_clock(void);

#endif
