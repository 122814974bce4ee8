#include "tests/sharing/crowd.h"

#include <stdio.h>
#include <string.h>

#include "tests/sharing/hold.h"
#include "tests/sharing/sharing.h"

member crowd[CROWD];
dbal_pool *pool;
static int asked;
static dbal_pool_counts shared_before;

/* $1: the row, $2: how much of it */
static const struct {
    const char *sql;
    int64_t much; /* 0: it has no $2 */
} statements[CROWD_KINDS] = {
    [CROWD_PLAIN] = {"insert into t values ($1, 0)", 0},
    [CROWD_HELD] = {"insert into t values ($1 + hold(0), 0)", 0},
    [CROWD_LONG] = {"with recursive i(n) as (select hold(0) union all select n + 1 from i where n <"
                    " $2) insert into t select iif(n = 0, $1, $1 + 100 + n), 1 from i",
                    1000000},
    [CROWD_ENDLESS] = {"with recursive i(n) as (select hold($1) union all select n + 1 from i where"
                       " n < $2) insert into t select n, 1 from i where n = $1",
                       INT64_MAX - 1},
    [CROWD_ROLLBACK] = {"insert or rollback into t values (hold($1), 0)", 0},
    [CROWD_LARGE] = {"insert into t values ($1, zeroblob($2))", 1},
    [CROWD_READ] = {"select count(*) from t where id = $1", 0},
    [CROWD_READ_HELD] = {"select hold($1)", 0},
};

static dbal_outcome
settle(dbal_outcome in, void *arg)
{
    member *one = arg;
    dbal_error *error = dbal_outcome_error(in);
    ck_assert_int_eq(one->settled++, 0);
    if (error != NULL) {
        one->error_class = dbal_error_kind(error);
        one->execution = dbal_error_execution(error);
        one->retryable = dbal_error_retryable(error);
        one->lost = dbal_error_connection_lost(error);
        snprintf(one->sqlstate, sizeof one->sqlstate, "%s", dbal_error_sqlstate(error));
    }
    return dbal_done();
}

/* How much, when nobody waits. */
static const int64_t little = 3;

static dbal_deferred *
ask(crowd_kind kind, int64_t id, int64_t much, double seconds)
{
    dbal_value values[] = {dbal_int64(id), dbal_int64(much)};
    return dbal_pool_run(pool, DBAL_QUERY(.sql = statements[kind].sql, .timeout = seconds,
                                          .params = {statements[kind].much != 0 ? 2 : 1, values}));
}

static void
add(int at, dbal_deferred *deferred)
{
    asked++;
    crowd[at].deferred = dbal_deferred_ref(deferred);
    dbal_deferred_add_both(deferred, settle, &crowd[at]);
}

void
crowd_ask(int at, crowd_kind kind, int id, double seconds)
{
    add(at, ask(kind, id, statements[kind].much, seconds));
}

void
crowd_ask_large(int at, int bytes)
{
    add(at, ask(CROWD_LARGE, at, bytes, 0));
}

/* ---- a pool that knows its statements --------------------------------------------------------------- */

/* Only what is known to be quick joins others: asks until all of a burst have shared. */
static void
learn(crowd_kind kind)
{
    enum { BURST = 4, MOST = 10000 }; /* on a busy machine they are slow for a while */
    uint64_t before = 0;
    int bursts = 0;
    do {
        dbal_deferred *all[BURST];
        before = sharing_counts(pool).shared_writes;
        for (int i = 0; i < BURST; i++)
            all[i] = ask(kind, (1 + kind) * INT64_C(10000000) + bursts * 1000 + i * 200, little, 0);
        good(dbal_gather(fixture.loop, DBAL_GATHER_OR_FAIL, BURST, all));
        ck_assert_int_lt(bursts++, MOST);
    } while (sharing_counts(pool).shared_writes < before + BURST);
}

void
crowd_open(const char *parameters)
{
    sqlite3 *outsider = outsider_open("one");
    outsider_run(outsider, "create table t (id integer primary key, more)");
    sqlite3_close(outsider);
    memset(crowd, 0, sizeof crowd);
    asked = 0;
    hold_init();
    pool = sharing_open(fixture.loop, "one", parameters);
    for (int kind = 0; kind < CROWD_WRITES; kind++)
        learn((crowd_kind)kind);
    good(dbal_pool_query(pool, "delete from t", DBAL_NO_PARAMS));
    good(dbal_pool_query(pool, "insert into t values (-1, 0)", DBAL_NO_PARAMS));
    shared_before = sharing_counts(pool);
    hold_close();
}

dbal_pool_counts
crowd_counts(void)
{
    dbal_pool_counts counts = sharing_counts(pool);
    counts.shared_commits -= shared_before.shared_commits;
    counts.shared_writes -= shared_before.shared_writes;
    counts.undone_writes -= shared_before.undone_writes;
    return counts;
}

static bool
all_settled(void *arg)
{
    int settled = 0;
    (void)arg;
    for (int i = 0; i < CROWD; i++)
        settled += crowd[i].settled;
    return settled >= asked;
}

void
crowd_await(void)
{
    loop_fixture_until(&fixture, all_settled, NULL);
}

void
crowd_close(void)
{
    for (int i = 0; i < CROWD; i++)
        dbal_deferred_unref(crowd[i].deferred);
    sharing_close(pool);
    sqlite3 *outsider = outsider_open("one");
    ck_assert_int_eq(outsider_number(outsider, "select count(*) from pragma_integrity_check"), 1);
    sqlite3_close(outsider);
    remove(sharing_path("one"));
}

static bool
is_there(int at)
{
    char sql[64];
    snprintf(sql, sizeof sql, "select count(*) from t where id = %d", at);
    return number(pool, sql) == 1;
}

void
crowd_succeeded(int at)
{
    ck_assert_msg(crowd[at].error_class == 0, "%d: %s %s", at,
                  dbal_error_class_name(crowd[at].error_class), crowd[at].sqlstate);
    ck_assert(is_there(at));
}

void
crowd_failed(int at, dbal_error_class error_class, const char *sqlstate, dbal_execution execution)
{
    ck_assert_msg(crowd[at].error_class == error_class, "%d: %s %s", at,
                  dbal_error_class_name(crowd[at].error_class), crowd[at].sqlstate);
    ck_assert_str_eq(crowd[at].sqlstate, sqlstate);
    ck_assert_int_eq(crowd[at].execution, execution);
    ck_assert(!is_there(at));
}

void
crowd_agrees(int at)
{
    bool there = is_there(at);
    ck_assert_msg(
        crowd[at].error_class == 0 ? there
                                   : crowd[at].execution == DBAL_EXECUTION_UNKNOWN || !there,
        "%d: %s %s, and its row is%s there", at, dbal_error_class_name(crowd[at].error_class),
        crowd[at].sqlstate, there ? "" : " not");
}
