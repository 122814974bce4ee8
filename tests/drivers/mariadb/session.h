/* A pool on a real MariaDB server, with a database of its own for each test. */
#ifndef DBAL__TESTS_MARIADB_SESSION_H
#define DBAL__TESTS_MARIADB_SESSION_H

#include <check.h>
#include <dbal.h>

#include "tests/lib/loop_fixture.h"
#include "tests/lib/mariadb.h"

extern loop_fixture fixture;
extern dbal_pool *pool;
extern mariadb server;
extern mariadb_place place;

/* Runs a suite on a server of its own; what main returns. */
int session_main(Suite *suite);

/* A pool with settings behind the URL, "" for none. */
void session_begin(const char *settings);
void session_end(void);
/* One more on the same loop. */
dbal_pool *session_open(const char *settings);
/* One at any URL. */
dbal_pool *session_open_url(const char *url);

/* Runs a statement on the pool to its end. */
dbal_outcome run(const char *sql, dbal_params params);
/* Asserts that it worked. */
void run_ok(const char *sql, dbal_params params);
#define RUN(...) run_ok(__VA_ARGS__, DBAL_NO_PARAMS)
/* Asserts that it failed so. */
void run_fails(const char *sql, dbal_error_class error_class, const char *sqlstate);
int64_t run_number(const char *sql);

/* Asserts how a Deferred ends. */
void ends_well(dbal_deferred *deferred);
void ends_badly(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate);
void outcome_is(dbal_outcome outcome, dbal_error_class error_class, const char *sqlstate);

void add_config(Suite *suite);
void add_errors(Suite *suite);
void add_limits(Suite *suite);
void add_loss(Suite *suite);
void add_meaning(Suite *suite);
void add_older(Suite *suite);
void add_opening(Suite *suite);
void add_statements(Suite *suite);
void add_stops(Suite *suite);
void add_transactions(Suite *suite);
void add_types(Suite *suite);

#endif
