/* What PostgreSQL's rows on memory run, in bench-memory. */
#ifndef BENCH_PG_MEMORY_H
#define BENCH_PG_MEMORY_H

/* A connection, in bytes. */
double bench_pg_memory_hand(const char *url);
double bench_pg_memory_dbal(const char *url);
/* The most that the process ever had while it streamed a million rows, in bytes. */
double bench_pg_memory_fetch(const char *url);

#endif
