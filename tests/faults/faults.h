/* A database in a folder of its own, a pool on it, and what a test asks of both. */
#ifndef TESTS_FAULTS_FAULTS_H
#define TESTS_FAULTS_FAULTS_H

#include <check.h>
#include <dbal.h>
#include <sqlite3.h>

#include "tests/faults/fault_vfs.h"
#include "tests/lib/chance.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/scratch.h"

extern loop_fixture fixture;
extern dbal_pool *pool;
extern char folder[SCRATCH_PATH], path[96];

/* A folder, a loop, and no pool yet; all rules of the VFS are gone. */
void faults_before(void);
void faults_after(void);
void faults_add(Suite *suite, const TTest *test);

/* Removes the files of a database and its folder, should it be one that a test has made. */
void faults_remove(const char *where);

/* Opens `pool` on the path, over the VFS "faulty", with such parameters ("" for none). */
void open_pool(const char *parameters);
/* The same without that VFS. */
void open_plain_pool(const char *parameters);
void close_pool(void);

void good(dbal_deferred *deferred);
/* Asserts that it failed so, and that its message or hint has such words in it. */
void bad(dbal_deferred *deferred, const char *sqlstate, const char *words);
void bad_outcome(dbal_outcome outcome, const char *sqlstate, const char *words);
/* One statement without parameters, to its end. */
dbal_deferred *ask(const char *sql);
/* The one integer that it gives. */
int64_t number(const char *sql);

/* SQLite itself, as another program has it. */
sqlite3 *outsider_open(const char *where);
void outsider_run(sqlite3 *outsider, const char *sql);
int64_t outsider_number(sqlite3 *outsider, const char *sql);
/* Asserts that the database is whole. */
void outsider_check(sqlite3 *outsider, const char *about);

#endif
