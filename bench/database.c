#include "database.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { URL = BENCH_PATH * 3 + 64 };

static void
execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        bench_fail("%s", sqlite3_errmsg(db));
}

static sqlite3 *
open_file(const char *name)
{
    char path[BENCH_PATH];
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    bench_place_path(name, path);
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK)
        bench_fail("%s: %s", path, sqlite3_errmsg(db));
    execute(db, "pragma journal_mode = wal; pragma cache_size = -65536; pragma foreign_keys = on");
    return db;
}

/* And what belongs to it; there need not be one. */
static void
remove_file(const char *name)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[BENCH_PATH], one[BENCH_PATH + 8];
    bench_place_path(name, path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(one, sizeof one, "%s%s", path, ends[i]);
        unlink(one);
    }
}

void
bench_database_make(const char *name, const char *fill)
{
    remove_file(name);
    sqlite3 *db = open_file(name);
    execute(db, "pragma synchronous = off; begin");
    execute(db, fill);
    execute(db, "commit; pragma wal_checkpoint(truncate)");
    sqlite3_close(db);
}

sqlite3 *
bench_database_open(const char *name, const char *synchronous)
{
    char pragma[64];
    sqlite3 *db = open_file(name);
    sqlite3_extended_result_codes(db, 1);
    execute(db, "pragma trusted_schema = off; pragma mmap_size = 0; pragma cell_size_check = on");
    snprintf(pragma, sizeof pragma, "pragma synchronous = %s", synchronous);
    execute(db, pragma);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return db;
}

sqlite3_stmt *
bench_database_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        bench_fail("%s", sqlite3_errmsg(db));
    return stmt;
}

/* Everything but ASCII letters, digits and what paths are made of, as %XX. */
void
bench_database_escape(const char *path, char to[BENCH_PATH * 3])
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    for (; *path != '\0'; path++) {
        if (strchr(plain, *path) != NULL)
            *to++ = *path;
        else
            to += sprintf(to, "%%%02X", (unsigned char)*path);
    }
    *to = '\0';
}

dbal_pool *
bench_database_pool(dbal_loop *loop, const char *name, const char *synchronous)
{
    return bench_database_pool_with(loop, name, synchronous, NULL);
}

dbal_pool *
bench_database_pool_with(dbal_loop *loop, const char *name, const char *synchronous,
                         const dbal_pool_options *options)
{
    char path[BENCH_PATH], escaped[BENCH_PATH * 3], url[URL];
    bench_place_path(name, path);
    bench_database_escape(path, escaped);
    snprintf(url, sizeof url, "sqlite:%s?cache_size=64M&synchronous=%s", escaped, synchronous);
    dbal_error *error = NULL;
    dbal_pool *pool = dbal_pool_open(loop, url, options, &error);
    if (pool == NULL)
        bench_fail("%s", dbal_error_message(error));
    return pool;
}
