/* A driver that does nothing, so that all that is measured is the pool. */
#ifndef BENCH_IDLE_DRIVER_H
#define BENCH_IDLE_DRIVER_H

#include <dbal.h>

dbal_pool *bench_idle_driver_pool(dbal_loop *loop);

#endif
