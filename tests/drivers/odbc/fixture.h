/* Pools on ODBC, with unixODBC's files and a folder of the test's own. */
#ifndef TESTS_DRIVERS_ODBC_FIXTURE_H
#define TESTS_DRIVERS_ODBC_FIXTURE_H

#include <check.h>
#include <dbal.h>

#include "tests/lib/loop_fixture.h"
#include "tests/lib/odbc.h"
#include "tests/lib/postgres.h"

extern loop_fixture fixture;
extern dbal_pool *pool; /* the one that was opened last */
extern postgres server; /* made in main() */

void before(void);
void after(void);

/* Opens one; the error, owned, when that or its first connection fails; NULL: it is ready. */
dbal_error *open_pool(const char *url);
/* On a new database of SQLite's, with more parameters ("" or "&…"); asserts. */
void open_sqlite(const char *parameters);
/* On the server, with more parameters; asserts. */
void open_postgres(const char *parameters);

/* With another entry of odbcinst.ini. */
void open_postgres_by(const char *driver, const char *parameters);

/* On the ODBC driver that misbehaves, see bad_driver.c; asserts. */
void open_bad(void);

/* Asserts a success; the outcome is the caller's. */
dbal_outcome ask(const char *sql, dbal_params params);
void run(const char *sql);
void fails(const char *sql, dbal_error_class error_class, const char *sqlstate);
void expect(dbal_outcome outcome, dbal_error_class error_class, const char *sqlstate);

void add_bad(Suite *suite);
void add_config(Suite *suite);
void add_failure(Suite *suite);
void add_limits(Suite *suite);
void add_meaning(Suite *suite);
void add_transaction(Suite *suite);
void add_types(Suite *suite);

#endif
