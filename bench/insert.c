#include "insert.h"

#include <string.h>

#include "clock.h"
#include "database.h"
#include "place.h"

enum { FAILING = 100 }; /* one in so many */

static const char *const hand_file = "insert-hand.db", *const dbal_file = "insert-dbal.db";
static const char *const fill =
    "create table item (id integer primary key, code integer not null, name text not null)";
/* its first row has the code that is to meet it */
static const char *const fill_failing =
    "create table item (id integer primary key, code integer not null unique, name text not null);"
    "insert into item (code, name) values (0, 'item number 00000000')";
const char bench_insert_sql[] = "insert into item (code, name) values ($1, $2)";
const char bench_insert_name[] = "item number 00000000";

/* ---- what is to come, and what came -------------------------------------------------------------- */

void
bench_insert_start(bench_insert_run *run, int inserts)
{
    run->to_give = run->to_answer = inserts;
    run->made = run->ids = run->failed = 0;
}

int64_t
bench_insert_code(bench_insert_run *run)
{
    run->to_give--;
    return run->failing && run->to_give % FAILING == 0 ? 0 : ++run->code;
}

void
bench_insert_made(bench_insert_run *run, int64_t changed, int64_t id)
{
    run->made += changed;
    run->ids += id;
    run->to_answer--;
}

void
bench_insert_failed(bench_insert_run *run)
{
    run->failed++;
    run->to_answer--;
}

void
bench_insert_check(bench_insert_run *run, int inserts)
{
    int64_t failed = run->failing ? inserts / FAILING : 0, made = inserts - failed;
    /* each id once: the file holds those of the runs before, and nothing is ever deleted */
    int64_t ids = made * run->total + made * (made + 1) / 2;
    run->total += made;
    if (run->to_answer != 0 || run->made != made || run->failed != failed || run->ids != ids)
        bench_fail("the inserts made something else");
}

void
bench_insert_make(const char *file, bench_insert_run *run, const bench_insert_kind *kind)
{
    bench_database_make(file, kind->failing ? fill_failing : fill);
    *run = (bench_insert_run){.failing = kind->failing, .total = kind->failing ? 1 : 0};
}

/* ---- by hand ------------------------------------------------------------------------------------- */

void
bench_insert_open(bench_insert_hand *hand, const bench_insert_kind *kind)
{
    bench_insert_make(hand_file, &hand->run, kind);
    hand->db = bench_database_open(hand_file, kind->synchronous);
    hand->insert = bench_database_prepare(hand->db, bench_insert_sql);
    hand->begin = bench_database_prepare(hand->db, "begin immediate");
    hand->commit = bench_database_prepare(hand->db, "commit");
}

void
bench_insert_close(bench_insert_hand *hand)
{
    sqlite3_finalize(hand->insert);
    sqlite3_finalize(hand->begin);
    sqlite3_finalize(hand->commit);
    sqlite3_close(hand->db);
}

void
bench_insert_step(const bench_insert_hand *hand, bench_insert *insert)
{
    sqlite3_stmt *stmt = hand->insert;
    sqlite3_bind_int64(stmt, 1, insert->code);
    sqlite3_bind_text(stmt, 2, bench_insert_name, sizeof bench_insert_name - 1, SQLITE_STATIC);
    int code = sqlite3_step(stmt);
    if (code != SQLITE_DONE && code != SQLITE_CONSTRAINT_UNIQUE)
        bench_fail("%s", sqlite3_errmsg(hand->db));
    insert->failed = code != SQLITE_DONE;
    insert->changed = sqlite3_changes(hand->db);
    insert->id = sqlite3_last_insert_rowid(hand->db);
    sqlite3_reset(stmt);
}

void
bench_insert_answer(bench_insert_run *run, const bench_insert *insert)
{
    if (insert->failed)
        bench_insert_failed(run);
    else
        bench_insert_made(run, insert->changed, insert->id);
}

double
bench_insert_plain_rate(bench_insert_hand *hand, int inserts)
{
    bench_insert_run *run = &hand->run;
    bench_insert insert;
    double began = bench_clock();
    bench_insert_start(run, inserts);
    while (run->to_give > 0) {
        insert.code = bench_insert_code(run);
        bench_insert_step(hand, &insert);
        bench_insert_answer(run, &insert);
    }
    double took = bench_clock() - began;
    bench_insert_check(run, inserts);
    return inserts / took;
}

/* ---- dbal ---------------------------------------------------------------------------------------- */

static void query(bench_insert_dbal *dbal);

static void
go_on(bench_insert_dbal *dbal)
{
    if (dbal->run.to_give > 0)
        query(dbal);
    else if (dbal->run.to_answer == 0)
        ev_break(dbal->ev, EVBREAK_ONE);
}

static dbal_outcome
made(dbal_outcome in, void *arg)
{
    bench_insert_dbal *dbal = arg;
    const dbal_result *result = dbal_outcome_result(in);
    bench_insert_made(&dbal->run, dbal_result_affected(result), dbal_result_last_insert_id(result));
    go_on(dbal);
    return in;
}

static dbal_outcome
failed(dbal_outcome in, void *arg)
{
    bench_insert_dbal *dbal = arg;
    const dbal_error *error = dbal_outcome_error(in);
    if (!dbal->run.failing || strcmp(dbal_error_sqlstate(error), "23505") != 0)
        bench_fail("%s", dbal_error_message(error));
    bench_insert_failed(&dbal->run);
    go_on(dbal);
    return dbal_done();
}

static void
query(bench_insert_dbal *dbal)
{
    dbal_params row = DBAL_PARAMS(dbal_int64(bench_insert_code(&dbal->run)),
                                  dbal_textn(bench_insert_name, sizeof bench_insert_name - 1));
    dbal_deferred_add_callbacks(dbal_pool_query(dbal->pool, bench_insert_sql, row), made, failed,
                                dbal);
}

void
bench_insert_dbal_begin(bench_insert_dbal *dbal, const bench_insert_kind *kind)
{
    bench_insert_make(dbal_file, &dbal->run, kind);
    dbal->ev = ev_loop_new(EVFLAG_AUTO);
    dbal->loop = dbal_loop_new(dbal->ev);
    dbal->pool = bench_database_pool(dbal->loop, dbal_file, kind->synchronous);
}

void
bench_insert_dbal_end(bench_insert_dbal *dbal)
{
    dbal_loop_free(dbal->loop);
    ev_loop_destroy(dbal->ev);
}

double
bench_insert_dbal_rate(bench_insert_dbal *dbal, int inserts, int flight)
{
    double began = bench_clock();
    bench_insert_start(&dbal->run, inserts);
    for (int i = 0; i < flight; i++)
        query(dbal);
    ev_run(dbal->ev, 0);
    double took = bench_clock() - began;
    bench_insert_check(&dbal->run, inserts);
    return inserts / took;
}
