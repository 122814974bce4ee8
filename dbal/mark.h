/*
 * Which request a worker process is at: a number in memory that it writes and the application reads. It
 * is there when the worker is not any more, and says then which of the requests it had was the last.
 */
#ifndef DBAL__MARK_H
#define DBAL__MARK_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct dbal__mark {
    _Atomic(uint64_t) begun; /* the newest that was, or 0 */
} dbal__mark;

/* Makes one, and its descriptor for the other process; NULL with errno set. */
dbal__mark *dbal__mark_make(int *ret_fd);
/* The other process's view of it; closes the descriptor. NULL with errno set. */
dbal__mark *dbal__mark_open(int fd);
/* Unmaps it; NULL is nothing. */
void dbal__mark_free(dbal__mark *mark);

#endif
