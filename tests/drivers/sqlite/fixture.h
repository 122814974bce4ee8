/* A database in a folder of its own, and the driver's table called directly on it. */
#ifndef DBAL__TESTS_SQLITE_FIXTURE_H
#define DBAL__TESTS_SQLITE_FIXTURE_H

#include <check.h>
#include <sqlite3.h>

#include "dbal/note.h"
#include "dbal/request.h"
#include "drivers/sqlite/sqlite.h"
#include "tests/lib/scratch.h"

typedef struct database {
    char folder[SCRATCH_PATH], path[96];
    void *config, *connection; /* connection: NULL while it is not open */
    dbal_opening opening;
    dbal_notes notes;     /* of the last opening */
    dbal_request request; /* the last one */
    dbal_result *result;  /* of the last request, or NULL */
    dbal_error *error;    /* of the last failure, or NULL */
    bool needs_token;     /* the last request wanted the write token */
    /* how requests are made */
    bool has_token, read_only;
    int64_t deadline;
    int statement_cache;
    size_t max_result_bytes, batch_rows;
    bool (*deliver)(dbal_request *request, dbal_result *batch);
} database;

/* called by the driver's naps, see fixture.c; NULL: nothing */
extern void (*database_on_nap)(void);

void database_init(database *db);
void database_fini(database *db);

/* A URL, configured; NULL parameters: none. Asserts. */
void database_configure(database *db, const char *path, const char *parameters);
/* Opens what was configured. False with `error` set. */
bool database_try_open(database *db);
void database_open(database *db, const char *parameters);
void database_close(database *db);

/* Runs a statement in the driver's spelling (?1). */
bool ask(database *db, const char *sql, dbal_params params);
/* Copies it to a path. */
bool back_up(database *db, const char *target);
/* Asserts that it worked. */
void ask_ok(database *db, const char *sql, dbal_params params);
#define ASK(db, ...) ask_ok(db, __VA_ARGS__, DBAL_NO_PARAMS)
/* Asserts that it failed so. */
void ask_fails(database *db, const char *sql, dbal_params params, dbal_error_class error_class,
               const char *sqlstate);
void expect_error(const dbal_error *error, dbal_error_class error_class, const char *sqlstate);
/* Asserts the first cell's integer. */
void ask_int64(database *db, const char *sql, int64_t expected);

/* A connection of SQLite's own to the same file, as another program has one. */
sqlite3 *outsider_open(database *db);
void outsider_run(sqlite3 *outsider, const char *sql);

int64_t now(void);

Suite *backup_suite(void);
Suite *config_suite(void);
Suite *meaning_suite(void);
Suite *open_suite(void);
Suite *option_suite(void);
Suite *types_suite(void);
Suite *failure_suite(void);
Suite *statement_suite(void);
Suite *transaction_suite(void);
Suite *stop_suite(void);
Suite *share_suite(void);
Suite *log_suite(void);

#endif
