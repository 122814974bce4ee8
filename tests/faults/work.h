/*
 * Much work at once for a pool, each piece of which can be recognized afterwards: a key with a
 * fixed number of rows, which are there all or not at all.
 */
#ifndef TESTS_FAULTS_WORK_H
#define TESTS_FAULTS_WORK_H

#include <dbal.h>
#include <sqlite3.h>

#include "tests/lib/chance.h"

/* Every fourth key is a transaction of two statements and counts itself; others are one statement. */
static inline bool
work_is_transaction(int64_t key)
{
    return key % 4 == 3;
}

typedef struct work {
    dbal_pool *pool;
    int64_t next, last; /* keys; the last one that is asked for */
    int underway;
    chance luck;
    void (*acknowledged)(int64_t key, void *arg); /* it has been reported as done */
    void (*failed)(int64_t key, dbal_error *error, void *arg);
    void *arg;
} work;

/* Makes the tables, with small pages so that there are many, by SQLite itself. */
void work_make_tables(const char *path, bool wal);
/* Keeps so many pieces underway until the last one; they call back from the loop. */
void work_start(work *self, int many);
bool work_is_done(void *self);

/* Says of each key below a number whether it is there. */
void work_find(sqlite3 *outsider, bool *ret_there, int64_t below);
/* Asserts that no key is there in part, and that the transactions' count is right. */
void work_check(sqlite3 *outsider, const char *about);

#endif
