/*
 * Writes that are asked for at once on the database "one" and share a commit: each adds the row of
 * its number to the table t. What is reported of one and what it did must agree.
 */
#ifndef TESTS_SHARING_CROWD_H
#define TESTS_SHARING_CROWD_H

#include <dbal.h>

enum { CROWD = 6 };

/* Statements that are known to be quick, so that they share. */
typedef enum crowd_kind {
    CROWD_PLAIN,
    CROWD_HELD,     /* held, see hold.h, before it adds its row */
    CROWD_LONG,     /* held, and goes on for long then, until it is stopped say */
    CROWD_ENDLESS,  /* the same without an end */
    CROWD_ROLLBACK, /* held, and ends the transaction when its row is there already */
    CROWD_LARGE,    /* with so many bytes in its row */
    CROWD_WRITES,
    CROWD_READ = CROWD_WRITES,
    CROWD_READ_HELD,
    CROWD_KINDS
} crowd_kind;

typedef struct member {
    dbal_deferred *deferred;
    int settled;
    dbal_error_class error_class; /* 0: a success */
    dbal_execution execution;
    bool retryable, lost;
    char sqlstate[6];
} member;

extern member crowd[CROWD];
extern dbal_pool *pool;

/* The database with its table, and a pool on it with such parameters. Rows: -1. */
void crowd_open(const char *parameters);
void crowd_close(void);
/* What the crowd shared, without what went before. */
dbal_pool_counts crowd_counts(void);

/* Asks for one that adds the row `id`; seconds: its timeout, or 0. */
void crowd_ask(int at, crowd_kind kind, int id, double seconds);
void crowd_ask_large(int at, int bytes);
/* Runs the loop until all that were asked for have settled, each once. */
void crowd_await(void);

/* Asserts of a member that it succeeded, or how it failed, and that its row is there, or is not. */
void crowd_succeeded(int at);
void crowd_failed(int at, dbal_error_class error_class, const char *sqlstate,
                  dbal_execution execution);
/* Asserts only that what was reported is true. */
void crowd_agrees(int at);

#endif
