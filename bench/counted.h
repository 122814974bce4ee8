/* Instructions of a program for a query, counted by callgrind beside a server with canned answers. */
#ifndef BENCH_COUNTED_H
#define BENCH_COUNTED_H

/* One run of a program like bench-instructions: what is said to it, and how many queries. */
double bench_counted_run(const char *program, const char *whose, const char *url, int queries);

#endif
