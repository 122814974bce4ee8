#include "tests/faults/work.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/faults.h"

static const char add[] = "insert into thing(key, part, text) values ($1, $2, $3), "
                          "($1, $2 + 1, $3), ($1, $2 + 2, $3)";

typedef struct piece {
    work *of;
    int64_t key;
    int size;
} piece;

void
work_make_tables(const char *where, bool wal)
{
    sqlite3 *outsider = outsider_open(where);
    outsider_run(outsider, "pragma page_size = 1024");
    outsider_run(outsider, wal ? "pragma journal_mode = wal" : "pragma journal_mode = delete");
    outsider_run(outsider, "create table thing(key integer, part integer, text, "
                           "primary key (key, part)) without rowid;"
                           "create index thing_text on thing(text);"
                           "create table counted(n integer); insert into counted values (0)");
    ck_assert_int_eq(sqlite3_close(outsider), SQLITE_OK);
}

static dbal_deferred *
add_rows(dbal_connection *connection, const piece *self, int part)
{
    static const char text[200] = {[0 ... 198] = 'x'};
    dbal_params params = DBAL_PARAMS(dbal_int64(self->key), dbal_int64(part),
                                     dbal_text(text + sizeof text - 1 - self->size));
    return connection != NULL ? dbal_connection_query(connection, add, params)
                              : dbal_pool_query(self->of->pool, add, params);
}

static dbal_outcome
transact(dbal_connection *connection, void *arg)
{
    const piece *self = arg;
    add_rows(connection, self, 0);
    dbal_connection_query(connection, "update counted set n = n + 1", DBAL_NO_PARAMS);
    return dbal_wait(add_rows(connection, self, 3));
}

static void start_one(work *self);

static dbal_outcome
ended(dbal_outcome in, void *arg)
{
    piece *self = arg;
    work *of = self->of;
    if (in.kind == DBAL_OUTCOME_VALUE)
        of->acknowledged(self->key, of->arg);
    else
        of->failed(self->key, dbal_outcome_error(in), of->arg);
    free(self);
    of->underway--;
    start_one(of);
    return dbal_done();
}

static void
start_one(work *self)
{
    if (self->next > self->last)
        return;
    piece *one = malloc(sizeof *one);
    if (one == NULL)
        abort(); /* Check is not there to ask in every program */
    *one = (piece){self, self->next++, (int)chance_below(&self->luck, 120)};
    self->underway++;
    dbal_deferred *deferred = work_is_transaction(one->key)
                                  ? dbal_pool_transaction(self->pool, NULL, transact, one)
                                  : add_rows(NULL, one, 0);
    dbal_deferred_add_both(deferred, ended, one);
}

void
work_start(work *self, int many)
{
    for (int i = 0; i < many; i++)
        start_one(self);
}

bool
work_is_done(void *arg)
{
    const work *self = arg;
    return self->underway == 0 && self->next > self->last;
}

void
work_find(sqlite3 *outsider, bool *ret_there, int64_t below)
{
    sqlite3_stmt *stmt = NULL;
    memset(ret_there, 0, (size_t)below * sizeof *ret_there);
    int code = sqlite3_prepare_v2(outsider, "select distinct key from thing", -1, &stmt, NULL);
    while (code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        int64_t key = sqlite3_column_int64(stmt, 0);
        ck_assert_int_ge(key, 0);
        if (key < below)
            ret_there[key] = true;
    }
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
}

void
work_check(sqlite3 *outsider, const char *about)
{
    outsider_check(outsider, about);
    int64_t parts = outsider_number(
        outsider, "select count(*) from (select 1 from thing group by key having count(*) != "
                  "iif(key % 4 = 3, 6, 3))");
    ck_assert_msg(parts == 0, "%s: %d are there in part", about, (int)parts);
    int64_t counted = outsider_number(outsider, "select n from counted");
    int64_t there =
        outsider_number(outsider, "select count(distinct key) from thing where key % 4 = 3");
    ck_assert_msg(counted == there, "%s: %d transactions counted, %d there", about, (int)counted,
                  (int)there);
}
