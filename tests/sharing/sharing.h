/*
 * Two databases that are asked the same, one by a pool whose statements share snapshots and commits,
 * one by a pool where each runs by itself; and what is needed to tell them apart.
 */
#ifndef TESTS_SHARING_SHARING_H
#define TESTS_SHARING_SHARING_H

#include <check.h>
#include <dbal.h>
#include <sqlite3.h>

#include "tests/lib/chance.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/scratch.h"

extern loop_fixture fixture;
extern chance luck;
extern char folder[SCRATCH_PATH];

/* A folder of its own and a loop. */
void sharing_before(void);
void sharing_after(void);
void sharing_add(Suite *suite, const TTest *test);

/* The path of a database in the folder; good until the next call but three. */
const char *sharing_path(const char *name);
/* A pool on it, with such URL parameters, ready. */
dbal_pool *sharing_open(dbal_loop *loop, const char *name, const char *parameters);
void sharing_close(dbal_pool *pool);
dbal_pool_counts sharing_counts(const dbal_pool *pool);

/* SQLite itself, as another program has it. */
sqlite3 *outsider_open(const char *name);
void outsider_run(sqlite3 *outsider, const char *sql);
int64_t outsider_number(sqlite3 *outsider, const char *sql);
/* Everything that is in a database, as text, to be freed; asserts that it is whole. */
char *outsider_dump(sqlite3 *outsider);

/* Awaits; fails the test when it failed. */
void good(dbal_deferred *deferred);
int64_t number(dbal_pool *pool, const char *sql);

/* All of an outcome that a program can see, as text, to be freed. */
char *answer_of(dbal_outcome outcome);

/* True so many times in a hundred. */
bool likely(unsigned percent);

#endif
