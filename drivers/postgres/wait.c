#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

/* How long it takes until a stop is seen. */
enum { SLICE = 20, MILLISECOND = 1000000 };

int64_t
dbal__postgres_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

dbal__postgres_wait
dbal__postgres_wait_for(int fd, short events, int64_t deadline, const dbal_opening *opening)
{
    struct pollfd one = {.fd = fd, .events = events};
    for (;;) {
        if (dbal_opening_stopped(opening))
            return DBAL__POSTGRES_STOPPED;
        int64_t left = deadline - dbal__postgres_now();
        int slice = left <= 0                             ? 0
                    : left < (int64_t)SLICE * MILLISECOND ? (int)(left / MILLISECOND) + 1
                                                          : SLICE;
        int count = poll(&one, 1, slice);
        /* what is wrong with the descriptor, libpq finds out */
        if (count > 0 || (count < 0 && errno != EINTR))
            return DBAL__POSTGRES_READY;
        if (left <= 0)
            return DBAL__POSTGRES_TIMEOUT;
    }
}
