/* SQLite files, and how both sides open them. */
#ifndef BENCH_DATABASE_H
#define BENCH_DATABASE_H

#include <dbal.h>
#include <sqlite3.h>

#include "place.h"

/* Makes a file, anew if there was one, with what `fill` (SQL) puts into it. */
void bench_database_make(const char *name, const char *fill);
/* Opens it by hand, set as dbal's driver sets it; `synchronous` is the pragma's word. */
sqlite3 *bench_database_open(const char *name, const char *synchronous);
sqlite3_stmt *bench_database_prepare(sqlite3 *db, const char *sql);
/* A pool on the same file, with the same settings. */
dbal_pool *bench_database_pool(dbal_loop *loop, const char *name, const char *synchronous);
/* A path as it stands in a URL. */
void bench_database_escape(const char *path, char to[BENCH_PATH * 3]);
/* The same with settings of one's own. */
dbal_pool *bench_database_pool_with(dbal_loop *loop, const char *name, const char *synchronous,
                                    const dbal_pool_options *options);

#endif
