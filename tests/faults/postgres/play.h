/* Statements one after the other, each with a time of its own, and what they give. */
#ifndef TESTS_FAULTS_POSTGRES_PLAY_H
#define TESTS_FAULTS_POSTGRES_PLAY_H

#include "tests/faults/postgres/fixture.h"

/* Settings of a pool with one connection, without and with threads. */
extern const char *const gates[];
enum { GATES = 2 };

/* What a Deferred ends with. */
seen finished(dbal_deferred *deferred);
/* Asserts that it works, or that it fails and was not executed. */
void works(dbal_deferred *deferred);
void fails(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate);
/* On the pool, with such a time, 0: none. */
dbal_deferred *timed(const char *sql, double timeout);

/* One statement of a session, and what it gives: a text, "" for anything, or '!' and a SQLSTATE. */
typedef struct line {
    const char *sql;
    double timeout;
    const char *gives;
} line;

typedef struct script {
    const line *at; /* until one without sql */
    bool fails;     /* the last one is the work's end */
    dbal_connection *connection;
} script;

/* The work of a session or transaction; the argument is a script. */
dbal_outcome play(dbal_connection *connection, void *arg);
/* Asserts that all lines are played. */
void in_session(const line *lines);
void in_transaction(const line *lines);

/* suite_add() with the fixture, so many times. */
void play_add(Suite *suite, const TTest *test, int times);

#endif
