/* Time, as deadlines are given: CLOCK_MONOTONIC in nanoseconds. */
#ifndef DBAL__POSTGRES_WAIT_H
#define DBAL__POSTGRES_WAIT_H

#include <stdint.h>

#include <dbal/driver.h>

/* How a wait ended. */
typedef enum dbal__postgres_wait {
    DBAL__POSTGRES_READY,
    DBAL__POSTGRES_TIMEOUT,
    DBAL__POSTGRES_STOPPED /* the opening is not wanted any more */
} dbal__postgres_wait;

int64_t dbal__postgres_now(void);
/* Waits for events of poll(2) on a descriptor. */
dbal__postgres_wait dbal__postgres_wait_for(int fd, short events, int64_t deadline,
                                            const dbal_opening *opening);

#endif
