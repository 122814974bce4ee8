#include "table.h"

#include <stddef.h>

extern const bench_row bench_sqlite_point_1, bench_sqlite_scan, bench_gate_hop_64,
    bench_deferred_chain, bench_pool_idle_acquire;

const bench_row *const bench_rows[] = {
    &bench_sqlite_point_1, &bench_sqlite_scan,       &bench_gate_hop_64,
    &bench_deferred_chain, &bench_pool_idle_acquire, NULL,
};
