#include "tests/sharing/sharing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

loop_fixture fixture;
chance luck;
char folder[SCRATCH_PATH];

void
sharing_before(void)
{
    scratch_make(folder, "sharing");
    chance_init(&luck);
    loop_fixture_init(&fixture);
}

static const char *const names[] = {"one", "two", "other", "on", "off", "bank"};
static const char *const kinds[] = {"", "-wal", "-shm", "-journal"};

void
sharing_after(void)
{
    loop_fixture_fini(&fixture);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t j = 0; j < sizeof kinds / sizeof kinds[0]; j++) {
            char path[128];
            snprintf(path, sizeof path, "%s%s", sharing_path(names[i]), kinds[j]);
            unlink(path);
        }
    ck_assert_msg(rmdir(folder) == 0, "something is left in %s", folder);
}

void
sharing_add(Suite *suite, const TTest *test)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, 600);
    tcase_add_checked_fixture(one, sharing_before, sharing_after);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
}

const char *
sharing_path(const char *name)
{
    static char paths[4][96];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

dbal_pool *
sharing_open(dbal_loop *loop, const char *name, const char *parameters)
{
    char url[256];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "sqlite://%s?%s", sharing_path(name), parameters);
    dbal_pool *pool = dbal_pool_open(loop, url, NULL, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
    if (loop == fixture.loop)
        good(dbal_pool_ready(pool));
    return pool;
}

void
sharing_close(dbal_pool *pool)
{
    good(dbal_pool_close(pool));
}

dbal_pool_counts
sharing_counts(const dbal_pool *pool)
{
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    return counts;
}

void
good(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "seed %llu: %s",
                  (unsigned long long)luck.seed, dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
}

int64_t
number(dbal_pool *pool, const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_pool_query(pool, sql, DBAL_NO_PARAMS));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

bool
likely(unsigned percent)
{
    return chance_below(&luck, 100) < percent;
}

/* ---- an outcome as text ---------------------------------------------------------------------------- */

static void
print_cell(FILE *out, dbal_value value)
{
    switch (value.type) {
    case DBAL_NULL:
        fputs(" null", out);
        break;
    case DBAL_INT64:
        fprintf(out, " %lld", (long long)value.as.integer);
        break;
    case DBAL_DOUBLE:
        fprintf(out, " %a", value.as.real);
        break;
    default:
        fprintf(out, " %d:%zu:%.*s", (int)value.type, value.as.bytes.size, (int)value.as.bytes.size,
                (const char *)value.as.bytes.data);
        break;
    }
}

static void
print_result(FILE *out, const dbal_result *result)
{
    size_t columns = dbal_result_column_count(result);
    fprintf(out, "affected %lld, id %lld;", (long long)dbal_result_affected(result),
            (long long)dbal_result_last_insert_id(result));
    for (size_t i = 0; i < columns; i++)
        fprintf(out, " %s(%d)", dbal_result_column_name(result, i),
                (int)dbal_result_column_type(result, i));
    for (size_t row = 0; row < dbal_result_row_count(result); row++) {
        fputs(" |", out);
        for (size_t i = 0; i < columns; i++)
            print_cell(out, dbal_result_get(result, row, i));
    }
}

static const char *
text_or(const char *text)
{
    return text != NULL ? text : "-";
}

/* Without its position: SQLite loses that when it finds its schema old. */
static void
print_error(FILE *out, const dbal_error *error)
{
    fprintf(out, "%s %s %d execution %d%s%s, constraint %s, detail %s, hint %s: %s",
            dbal_error_class_name(dbal_error_kind(error)), dbal_error_sqlstate(error),
            dbal_error_vendor_code(error), (int)dbal_error_execution(error),
            dbal_error_retryable(error) ? " retryable" : "",
            dbal_error_connection_lost(error) ? " lost" : "", text_or(dbal_error_constraint(error)),
            text_or(dbal_error_detail(error)), text_or(dbal_error_hint(error)),
            dbal_error_message(error));
}

char *
answer_of(dbal_outcome outcome)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    if (dbal_outcome_error(outcome) != NULL)
        print_error(out, dbal_outcome_error(outcome));
    else if (dbal_outcome_result(outcome) != NULL)
        print_result(out, dbal_outcome_result(outcome));
    else
        fputs("done", out);
    fclose(out);
    return text;
}

/* ---- SQLite itself ----------------------------------------------------------------------------------- */

sqlite3 *
outsider_open(const char *name)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(sharing_path(name), &db), SQLITE_OK);
    return db;
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
    sqlite3_stmt *stmt;
    ck_assert_int_eq(sqlite3_prepare_v2(outsider, sql, -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static int
dump_rows(sqlite3 *db, const char *sql, FILE *out)
{
    sqlite3_stmt *stmt;
    int rows = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return -1;
    for (; sqlite3_step(stmt) == SQLITE_ROW; rows++) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            fprintf(out, "%d:%s ", sqlite3_column_type(stmt, i),
                    sqlite3_column_text(stmt, i) != NULL
                        ? (const char *)sqlite3_column_text(stmt, i)
                        : "null");
        fputc('\n', out);
    }
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    return rows;
}

static void
check_whole(sqlite3 *db)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(dump_rows(db, "pragma integrity_check", out), 1);
    int broken = dump_rows(db, "pragma foreign_key_check", out);
    fclose(out);
    ck_assert_msg(broken == 0 && strcmp(text, "3:ok \n") == 0, "seed %llu: %s",
                  (unsigned long long)luck.seed, text);
    free(text);
}

char *
outsider_dump(sqlite3 *db)
{
    char *text = NULL;
    size_t size;
    sqlite3_stmt *tables;
    check_whole(db);
    FILE *out = open_memstream(&text, &size);
    dump_rows(db, "select type, name, sql from sqlite_schema order by name", out);
    sqlite3_prepare_v2(db, "select name from sqlite_schema where type = 'table' order by name", -1,
                       &tables, NULL);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(tables, 0);
        char *by_rowid = sqlite3_mprintf("select rowid, * from \"%w\" order by rowid", name);
        char *by_key = sqlite3_mprintf("select * from \"%w\"", name);
        fprintf(out, "%s\n", name);
        if (dump_rows(db, by_rowid, out) < 0)
            ck_assert_int_ge(dump_rows(db, by_key, out), 0);
        sqlite3_free(by_rowid);
        sqlite3_free(by_key);
    }
    sqlite3_finalize(tables);
    fclose(out);
    return text;
}
