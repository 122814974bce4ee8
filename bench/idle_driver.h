/* A driver that does nothing, so that all that is measured is the pool. */
#ifndef BENCH_IDLE_DRIVER_H
#define BENCH_IDLE_DRIVER_H

#include <dbal.h>

/* A pool that keeps so many connections open. */
dbal_pool *bench_idle_driver_pool(dbal_loop *loop, int connections);
/* The same on the gate `loop`: what is asked for has ended when it is handed down. */
dbal_pool *bench_idle_driver_loop_pool(dbal_loop *loop, int connections);

#endif
