#include "tests/faults/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/suite.h"

loop_fixture fixture;
dbal_pool *pool;
char folder[SCRATCH_PATH], path[96];

void
faults_remove(const char *where)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char file[160];
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(file, sizeof file, "%s%s", where, ends[i]);
        unlink(file);
    }
}

void
faults_before(void)
{
    fault_vfs_register();
    fault_vfs_heal();
    scratch_make(folder, "faults");
    snprintf(path, sizeof path, "%s/test.db", folder);
    loop_fixture_init(&fixture);
    pool = NULL;
}

void
faults_after(void)
{
    loop_fixture_fini(&fixture);
    fault_vfs_heal();
    disk_log_clear();
    faults_remove(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

void
faults_add(Suite *suite, const TTest *test)
{
    suite_add(suite, test, faults_before, faults_after);
}

void
open_plain_pool(const char *parameters)
{
    char url[320];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "sqlite:%s?%s", path, parameters);
    pool = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(pool != NULL, "%s: %s", url, dbal_error_message(error));
}

void
open_pool(const char *parameters)
{
    char text[160];
    snprintf(text, sizeof text, "vfs=faulty%s%s", parameters[0] != '\0' ? "&" : "", parameters);
    open_plain_pool(text);
}

void
close_pool(void)
{
    good(dbal_pool_close(pool));
}

void
good(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
}

void
bad_outcome(dbal_outcome outcome, const char *sqlstate, const char *words)
{
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(error != NULL, "there was no failure, instead of %s", sqlstate);
    const char *message = dbal_error_message(error), *hint = dbal_error_hint(error);
    ck_assert_msg(strcmp(dbal_error_sqlstate(error), sqlstate) == 0, "%s instead of %s: %s",
                  dbal_error_sqlstate(error), sqlstate, message);
    ck_assert_msg(strstr(message, words) != NULL || (hint != NULL && strstr(hint, words) != NULL),
                  "no \"%s\" in \"%s\", hint \"%s\"", words, message, hint != NULL ? hint : "");
    dbal_outcome_clear(&outcome);
}

void
bad(dbal_deferred *deferred, const char *sqlstate, const char *words)
{
    bad_outcome(loop_fixture_await(&fixture, deferred), sqlstate, words);
}

dbal_deferred *
ask(const char *sql)
{
    return dbal_pool_query(pool, sql, DBAL_NO_PARAMS);
}

int64_t
number(const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, ask(sql));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s: %s", sql,
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

sqlite3 *
outsider_open(const char *where)
{
    sqlite3 *outsider;
    ck_assert_int_eq(sqlite3_open(where, &outsider), SQLITE_OK);
    return outsider;
}

void
outsider_run(sqlite3 *outsider, const char *sql)
{
    char *message = NULL;
    int code = sqlite3_exec(outsider, sql, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", sql, message);
}

int64_t
outsider_number(sqlite3 *outsider, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(outsider, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    ck_assert_msg(code == SQLITE_ROW, "%s: %s", sql, sqlite3_errmsg(outsider));
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

void
outsider_check(sqlite3 *outsider, const char *about)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(outsider, "pragma integrity_check", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    ck_assert_msg(code == SQLITE_ROW, "%s: %s", about, sqlite3_errmsg(outsider));
    const char *said = (const char *)sqlite3_column_text(stmt, 0);
    ck_assert_msg(strcmp(said, "ok") == 0, "%s: %s", about, said);
    sqlite3_finalize(stmt);
}
