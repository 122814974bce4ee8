/* Callers that never rest: each asks its pool for one thing after the other. */
#ifndef TESTS_LIB_LOAD_H
#define TESTS_LIB_LOAD_H

#include <dbal.h>

typedef struct load {
    dbal_pool *pool;
    const char *read, *write;
    bool over;
    int callers, asked, done, failed;
    char why[400]; /* the first failure */
} load;

/* Reads, writes and transactions of both, in turn, from so many callers at once. */
void load_begin(load *self, dbal_pool *pool, int callers, const char *read, const char *write);
/* No more is asked for; it is over when `callers` is 0. */
void load_end(load *self);

#endif
