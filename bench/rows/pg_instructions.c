/*
 * Instructions of the program for a query, beside those of C written by hand, and beside dbal's own
 * where nobody can follow a query through its phases.
 */
#include "../canned.h"
#include "../counted.h"
#include "../row.h"

enum { QUERIES = 5000, PAIRS = 15 };

static const char *url;

static double
limit(void)
{
    return bench_counted_run("bench-instructions", "hand", url, QUERIES);
}

static double
dbal(void)
{
    return bench_counted_run("bench-instructions", "dbal", url, QUERIES);
}

static double
blind(void)
{
    return bench_counted_run("bench-instructions-blind", "dbal", url, QUERIES);
}

static void
begin(void)
{
    url = bench_canned_begin();
}

extern const bench_row bench_pg_client_instructions, bench_pool_trace_off;
const bench_row bench_pg_client_instructions = {
    "pg_client_instructions", "instr/query", true, PAIRS, begin, limit, dbal, bench_canned_end};
const bench_row bench_pool_trace_off = {
    "pool_trace_off", "instr/query", true, PAIRS, begin, blind, dbal, bench_canned_end};
