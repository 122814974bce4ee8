/* A PostgreSQL server of the program's own, on a Unix socket; it goes when the program does. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <libpq-fe.h>

/* Starts it, unless it is there. */
void bench_server_begin(void);
/* As libpq and dbal take it. */
const char *bench_server_url(void);
/* Removes it, if it is there. */
void bench_server_end(void);

/* A connection by hand; ends the program when there is none. */
PGconn *bench_server_connect(const char *url);
/* Runs what has no parameters and waits for it. */
void bench_server_execute(PGconn *pg, const char *sql);
/* The one integer that a query gives. */
long long bench_server_number(PGconn *pg, const char *sql);

#endif
