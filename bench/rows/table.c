#include "table.h"

#include <stddef.h>

/* in the order they are measured in */
#define ROWS(ROW)                                                                                  \
    ROW(sqlite_point_1)                                                                            \
    ROW(sqlite_point_64)                                                                           \
    ROW(sqlite_point_64_hop)                                                                       \
    ROW(sqlite_point_64_slow)                                                                      \
    ROW(sqlite_scan)                                                                               \
    ROW(sqlite_insert_full)                                                                        \
    ROW(sqlite_insert_full_group)                                                                  \
    ROW(sqlite_insert_full_failing)                                                                \
    ROW(sqlite_insert_full_1)                                                                      \
    ROW(sqlite_insert_normal)                                                                      \
    ROW(sqlite_connection_memory)                                                                  \
    ROW(sqlite_statement_memory)                                                                   \
    ROW(pg_point_64)                                                                               \
    ROW(pg_point_64_cpu)                                                                           \
    ROW(pg_pool_64)                                                                                \
    ROW(pg_pool_64_cpu)                                                                            \
    ROW(pg_point_64_read_only)                                                                     \
    ROW(pg_transaction_64)                                                                         \
    ROW(pg_point_1)                                                                                \
    ROW(pg_point_1_cpu)                                                                            \
    ROW(pg_loop_vs_thread)                                                                         \
    ROW(pg_fetch)                                                                                  \
    ROW(pg_fetch_cpu)                                                                              \
    ROW(pg_insert_100k)                                                                            \
    ROW(pg_copy_in)                                                                                \
    ROW(pg_client_instructions)                                                                    \
    ROW(pg_connection_memory)                                                                      \
    ROW(pg_fetch_memory)                                                                           \
    ROW(gate_hop_64)                                                                               \
    ROW(gate_cost_thread_64)                                                                       \
    ROW(gate_cost_thread_1)                                                                        \
    ROW(gate_cost_driver_thread_64)                                                                \
    ROW(gate_cost_driver_thread_1)                                                                 \
    ROW(gate_cost_process_64)                                                                      \
    ROW(gate_cost_process_1)                                                                       \
    ROW(gate_worker_death)                                                                         \
    ROW(deferred_chain)                                                                            \
    ROW(pool_idle_acquire)                                                                         \
    ROW(pool_contended)                                                                            \
    ROW(pool_over_deferreds)                                                                       \
    ROW(pool_10k_waiters)                                                                          \
    ROW(pool_trace_off)                                                                            \
    ROW(pool_idle_connection_memory)                                                               \
    ROW(pool_queued_memory)

#define DECLARE(NAME) extern const bench_row bench_##NAME;
#define POINT_TO(NAME) &bench_##NAME,

ROWS(DECLARE)

const bench_row *const bench_rows[] = {ROWS(POINT_TO) NULL};
