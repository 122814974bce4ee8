/* Figures on memory, each of a process of its own, which starts with an empty heap. */
#ifndef BENCH_MEMORY_RUN_H
#define BENCH_MEMORY_RUN_H

/* Bytes, as bench-memory has them; `url` is a server's, or NULL. */
double bench_memory_run(const char *what, const char *whose, const char *url);

#endif
