/*
 * A PostgreSQL server that knows one statement and has its answer ready, in a process of its own: it
 * costs nothing that a real one would, and answers the same way each time.
 */
#ifndef BENCH_CANNED_H
#define BENCH_CANNED_H

/* Starts it in a folder; as libpq and dbal take it. */
const char *bench_canned_begin(void);
void bench_canned_end(void);

#endif
