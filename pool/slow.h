/* What is slow, told to the log: slow_query and slow_acquire. */
#ifndef DBAL__SLOW_H
#define DBAL__SLOW_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dbal_pool dbal_pool;
typedef struct dbal__ticket dbal__ticket;

/* Lines of one kind in the running second. */
typedef struct dbal__slow_lines {
    int64_t until; /* the end of that second; 0: none runs */
    unsigned told;
    uint64_t hidden; /* that were too many */
} dbal__slow_lines;

typedef struct dbal__slow {
    int64_t least; /* of both; DBAL__NEVER: neither is told */
    int64_t query, acquire;
    dbal__slow_lines queries, acquires;
} dbal__slow;

void dbal__slow_init(dbal_pool *pool);
/* A statement has run, and took at least the least of both from asking to its end. */
void dbal__slow_ended(dbal__ticket *ticket);
/* A session got its connection, or a request for one ends in vain, after slow_acquire or more. */
void dbal__slow_waited(dbal__ticket *ticket, bool in_vain);
/* It did not end: its connection is given up. */
void dbal__slow_given_up(dbal__ticket *ticket);
/* By the pool's timer: tells how many lines were left out; when to look again. */
int64_t dbal__slow_look(dbal_pool *pool, int64_t now);

#endif
