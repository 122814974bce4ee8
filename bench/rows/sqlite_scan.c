/* A million rows in one result, held until it is whole and then freed. */
#include <dbal.h>
#include <ev.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../clock.h"
#include "../database.h"
#include "../place.h"
#include "../row.h"
#include "dbal/futex.h"

enum { ROWS = 1000000, BLOCK = 4096 };

static const char *const file = "scan.db";
static const char *const fill =
    "create table item (id integer not null, price double not null, name text not null);"
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000) "
    "insert into item select i, i * 1.25, printf('item number %08d', i) from n";
static const char *const all = "select id, price, name from item";

static struct ev_loop *dbal_ev;
static dbal_loop *loop;
static dbal_pool *pool;
static sqlite3 *db;
static sqlite3_stmt *stmt;

/* ---- by hand ---- */

typedef struct block {
    char *data;
    size_t size, room;
} block;

static inline void
take(block *to, const void *data, size_t size)
{
    if (__builtin_expect(to->room - to->size < size, 0)) {
        to->room = to->room == 0 ? BLOCK : to->room * 2;
        to->data = realloc(to->data, to->room);
        if (to->data == NULL)
            bench_fail("no memory");
    }
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static double
limit(void)
{
    double began = bench_clock();
    block rows = {NULL, 0, 0};
    int count = 0, code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(stmt, 0);
        double price = sqlite3_column_double(stmt, 1);
        const void *name = sqlite3_column_text(stmt, 2);
        size_t size = (size_t)sqlite3_column_bytes(stmt, 2);
        take(&rows, &id, sizeof id);
        take(&rows, &price, sizeof price);
        take(&rows, &size, sizeof size);
        take(&rows, name, size);
        count++;
    }
    sqlite3_reset(stmt);
    free(rows.data);
    if (code != SQLITE_DONE || count != ROWS)
        bench_fail("%d rows: %s", count, sqlite3_errmsg(db));
    return (bench_clock() - began) * 1e3;
}

/* ---- dbal ---- */

/*
 * The linker puts this between the program and what frees memory: a large result is freed by a
 * thread of dbal's, itself last.
 */
void __real_free(void *pointer);
void __wrap_free(void *pointer);

static atomic_uintptr_t awaited;
static atomic_int freed;

void
__wrap_free(void *pointer)
{
    bool is_it = pointer != NULL &&
                 atomic_load_explicit(&awaited, memory_order_relaxed) == (uintptr_t)pointer;
    __real_free(pointer);
    if (!is_it)
        return;
    atomic_store(&freed, 1);
    dbal__futex_wake(&freed);
}

static dbal_outcome
hold(dbal_outcome in, void *arg)
{
    *(dbal_result **)arg = dbal_result_ref(dbal_outcome_result(in));
    return in;
}

static double
dbal(void)
{
    dbal_result *rows = NULL;
    double began = bench_clock();
    atomic_store(&awaited, 0);
    atomic_store(&freed, 0);
    dbal_deferred_add_callback(dbal_pool_query(pool, all, DBAL_PARAMS()), hold, &rows);
    ev_run(dbal_ev, 0);
    if (dbal_result_row_count(rows) != ROWS)
        bench_fail("%zu rows", dbal_result_row_count(rows));
    atomic_store(&awaited, (uintptr_t)rows);
    dbal_result_unref(rows);
    while (atomic_load(&freed) == 0)
        dbal__futex_wait(&freed, 0, INT64_MAX);
    return (bench_clock() - began) * 1e3;
}

static void
begin(void)
{
    bench_database_make(file, fill);
    db = bench_database_open(file, "full");
    stmt = bench_database_prepare(db, all);
    dbal_ev = ev_loop_new(EVFLAG_AUTO);
    loop = dbal_loop_new(dbal_ev);
    pool = bench_database_pool(loop, file, "full");
}

static void
end(void)
{
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    dbal_loop_free(loop);
    ev_loop_destroy(dbal_ev);
}

extern const bench_row bench_sqlite_scan;
const bench_row bench_sqlite_scan = {"sqlite_scan", "ms", true, 0, begin, limit, dbal, end};
