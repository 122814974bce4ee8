/* Statements that only read, some of which take long, on a connection that they share. */
#ifndef TESTS_FAULTS_POSTGRES_READS_H
#define TESTS_FAULTS_POSTGRES_READS_H

#include "tests/faults/postgres/fixture.h"

/* Statements of a turn, and where the odd one stands in it. */
enum { TURN = 20, FIRST = 0, MIDDLE = 9, LAST = TURN - 1, PLACES = 3 };
extern const int places[PLACES];

/* A test's own place, with the table t (n integer) that holds 7, and `pool` there: one connection. */
extern postgres_place place;
/* What takes long on a slow machine counts as quick there, too. */
extern const char reads_settings[];
/* Adds a test around which these are made, to be run so many times. */
void reads_add(Suite *suite, const TTest *test, int times);

dbal_deferred *read_plain(const char *sql);
/* With $1, or with $2 as well; a timeout of 0: none. */
dbal_deferred *read_one(const char *sql, int64_t value);
dbal_deferred *read_two(const char *sql, int64_t first, double second, double timeout);
/* With 1, and 0. */
dbal_deferred *read_as_one(const char *sql);
dbal_deferred *read_at_once(const char *sql);

/* Asked often enough for it to be known, and prepared; however it ends. */
void get_known(dbal_deferred *(*asked)(const char *sql), const char *sql);

#endif
