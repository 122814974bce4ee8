/*
 * Linearizability of statements on pools: callers on two loops in two threads, with two pools each,
 * on one file. What each saw is recorded and must have one order that explains it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/sharing/history.h"
#include "tests/sharing/sharing.h"

enum { THREADS = 2, POOLS = 2, CALLERS = 5, MOST_EACH = 50, REGISTERS = HISTORY_REGISTERS };

/* One caller: asks, awaits the answer, asks again. */
typedef struct caller {
    dbal_pool *pool;
    chance luck;
    int left;
    operation done[MOST_EACH];
    int count;
} caller;

/* One thread with its loop. */
typedef struct side {
    pthread_t thread;
    unsigned number;
    caller callers[POOLS * CALLERS];
    dbal_pool_counts counts[POOLS];
} side;

static side sides[THREADS];
static atomic_uint_fast64_t ticks;
static operation_kind first_kind, last_kind; /* of what they ask for */
static int each;                             /* so many times */
static int registers;                        /* on so many */
static int callers;                          /* in each thread */

static uint64_t
tick(void)
{
    return atomic_fetch_add(&ticks, 1);
}

/* ---- asking ------------------------------------------------------------------------------------------ */

static const char *const statements[] = {
    [OPERATION_READ] = "select v from reg where id = $1",
    [OPERATION_ADD] = "update reg set v = v + $2 where id = $1 returning v",
    [OPERATION_SET] = "update reg set v = $2 where id = $1",
    [OPERATION_SWAP] = "update reg set v = $2 where id = $1 and v = $3",
    [OPERATION_TRANSFER] = "update reg set v = v + iif(id = $1, $2, -$2) where id in ($1, $3)"
                           " returning v",
    [OPERATION_DIFFERENCE] = "select (select v from reg where id = $1) - (select v from reg where"
                             " id = $2)",
    [OPERATION_SUM] = "select sum(v) from reg",
};

static const size_t parameters[] = {1, 2, 2, 3, 3, 2, 0};

static operation
choose(caller *self)
{
    operation one = {.kind = OPERATION_READ};
    unsigned kinds = (unsigned)last_kind - first_kind + 1;
    one.kind = first_kind + chance_below(&self->luck, kinds);
    if (first_kind == OPERATION_READ && chance_below(&self->luck, 2) == 0)
        one.kind = OPERATION_READ;
    one.at = (int)chance_below(&self->luck, (unsigned)registers);
    one.other = (one.at + 1 + (int)chance_below(&self->luck, REGISTERS - 1)) % REGISTERS;
    one.amount = 1 + chance_below(&self->luck, 3);
    one.expected = chance_below(&self->luck, 4);
    return one;
}

static dbal_deferred *
send(caller *self, const operation *one)
{
    bool binary = one->kind == OPERATION_DIFFERENCE;
    dbal_value values[] = {
        dbal_int64(one->at), dbal_int64(binary ? one->other : one->amount),
        dbal_int64(one->kind == OPERATION_TRANSFER ? one->other : one->expected)};
    return dbal_pool_query(self->pool, statements[one->kind],
                           (dbal_params){parameters[one->kind], values});
}

static dbal_outcome answer(dbal_outcome in, void *arg);

static void
ask(caller *self)
{
    if (self->left-- <= 0)
        return;
    operation *one = &self->done[self->count];
    *one = choose(self);
    one->called = tick();
    dbal_deferred_add_both(send(self, one), answer, self);
}

static dbal_outcome
answer(dbal_outcome in, void *arg)
{
    caller *self = arg;
    operation *one = &self->done[self->count];
    one->answered = tick();
    dbal_result *result = dbal_outcome_result(in);
    if (result == NULL) {
        self->left = -1000; /* seen by the count of what it did */
        return dbal_done();
    }
    one->answer = dbal_result_row_count(result) > 0 ? dbal_result_int64(result, 0, 0)
                                                    : dbal_result_affected(result);
    self->count++;
    ask(self);
    return dbal_done();
}

/* ---- a thread with its loop -------------------------------------------------------------------------- */

static void
run_callers(side *self, dbal_pool *const *pools)
{
    for (unsigned i = 0; i < POOLS * CALLERS; i++) {
        caller *one = &self->callers[i];
        memset(one, 0, sizeof *one);
        one->pool = pools[i % POOLS];
        one->left = each;
        chance_split(&one->luck, &luck, self->number * 100 + i);
    }
    for (int i = 0; i < callers; i++)
        ask(&self->callers[i]);
}

static void *
run_side(void *arg)
{
    side *self = arg;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_pool *pools[POOLS];
    char url[128];
    for (int i = 0; i < POOLS; i++) {
        snprintf(url, sizeof url, "sqlite://%s/bank?synchronous=off&pool_max_size=%d", folder,
                 1 + i);
        pools[i] = dbal_pool_open(loop, url, NULL, NULL);
    }
    run_callers(self, pools);
    ev_run(ev, 0);
    for (int i = 0; i < POOLS; i++)
        self->counts[i] = sharing_counts(pools[i]);
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    return NULL;
}

static operation all[THREADS * POOLS * CALLERS * MOST_EACH];
static size_t count;
static dbal_pool_counts sum;

static void
collect(const side *self)
{
    for (int i = 0; i < callers; i++) {
        const caller *one = &self->callers[i];
        ck_assert_msg(one->count == each, "seed %llu: a statement failed",
                      (unsigned long long)luck.seed);
        memcpy(all + count, one->done, (size_t)one->count * sizeof *all);
        count += (size_t)one->count;
    }
    for (int i = 0; i < POOLS; i++) {
        sum.shared_commits += self->counts[i].shared_commits;
        sum.shared_snapshots += self->counts[i].shared_snapshots;
    }
}

static void
make_registers(void)
{
    sqlite3 *outsider = outsider_open("bank");
    outsider_run(outsider,
                 "pragma journal_mode = wal;"
                 "create table if not exists reg(id integer primary key, v integer);"
                 "delete from reg; insert into reg values (0, 0), (1, 0), (2, 0), (3, 0)");
    sqlite3_close(outsider);
}

/* Records one history, from registers that are all 0. */
static void
record(operation_kind first, operation_kind last, int many, int on, int by)
{
    make_registers();
    first_kind = first;
    last_kind = last;
    each = many;
    registers = on;
    callers = by;
    count = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        sides[i].number = (unsigned)chance_next(&luck) % 1000 * THREADS + i;
        ck_assert_int_eq(pthread_create(&sides[i].thread, NULL, run_side, &sides[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(sides[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        collect(&sides[i]);
}

/* Registers that no statement sees together are looked at one by one: that is as good, and quick. */
static bool
each_is_linearizable(void)
{
    static operation some[HISTORY_MOST];
    bool is = true;
    for (int at = 0; at < REGISTERS; at++) {
        size_t some_count = 0;
        for (size_t i = 0; i < count; i++)
            if (all[i].at == at)
                some[some_count++] = all[i];
        is = is && history_is_linearizable(some, some_count);
    }
    return is;
}

START_TEST(each_register)
{
    memset(&sum, 0, sizeof sum);
    for (unsigned round = 0; round < chance_rounds(40); round++) {
        record(OPERATION_READ, OPERATION_SWAP, MOST_EACH, 2 + (int)round % 3, POOLS * CALLERS);
        ck_assert_msg(each_is_linearizable(), "seed %llu, round %u", (unsigned long long)luck.seed,
                      round);
    }
    ck_assert_uint_gt(sum.shared_commits, 0);
    ck_assert_uint_gt(sum.shared_snapshots, 0);
}
END_TEST

START_TEST(all_registers_together)
{
    for (unsigned round = 0; round < chance_rounds(10); round++) {
        record(OPERATION_READ, OPERATION_SUM, 10, REGISTERS, POOLS * 2);
        ck_assert_msg(history_is_linearizable(all, count), "seed %llu, round %u",
                      (unsigned long long)luck.seed, round);
    }
}
END_TEST

/* ---- what is none ------------------------------------------------------------------------------------ */

#define OPERATION(what, calls, answers, ...)                                                       \
    {                                                                                              \
        .kind = what, .called = calls, .answered = answers, __VA_ARGS__                            \
    }

START_TEST(what_no_order_explains)
{
    const operation stale[] = {
        OPERATION(OPERATION_ADD, 1, 2, .amount = 1, .answer = 1),
        OPERATION(OPERATION_READ, 3, 4, .answer = 0),
    };
    const operation overlapping[] = {
        OPERATION(OPERATION_ADD, 1, 4, .amount = 1, .answer = 1),
        OPERATION(OPERATION_READ, 2, 3, .answer = 0),
        OPERATION(OPERATION_READ, 5, 6, .answer = 1),
    };
    const operation back_again[] = {
        OPERATION(OPERATION_ADD, 1, 10, .amount = 1, .answer = 1),
        OPERATION(OPERATION_READ, 2, 3, .answer = 1),
        OPERATION(OPERATION_READ, 4, 5, .answer = 0),
    };
    const operation lost[] = {
        OPERATION(OPERATION_ADD, 1, 4, .amount = 1, .answer = 1),
        OPERATION(OPERATION_ADD, 2, 3, .amount = 1, .answer = 1),
    };
    const operation halves[] = {
        OPERATION(OPERATION_TRANSFER, 1, 10, .at = 1, .other = 2, .amount = 5, .answer = 5),
        OPERATION(OPERATION_DIFFERENCE, 2, 3, .at = 1, .other = 2, .answer = 5),
    };
    const operation twice[] = {
        OPERATION(OPERATION_SWAP, 1, 4, .expected = 0, .amount = 1, .answer = 1),
        OPERATION(OPERATION_SWAP, 2, 3, .expected = 0, .amount = 2, .answer = 1),
    };
    ck_assert(!history_is_linearizable(stale, 2));
    ck_assert(history_is_linearizable(overlapping, 3));
    ck_assert(!history_is_linearizable(back_again, 3));
    ck_assert(!history_is_linearizable(lost, 2));
    ck_assert(!history_is_linearizable(halves, 2));
    ck_assert(!history_is_linearizable(twice, 2));
}
END_TEST

/* A real history in which one answer is that of an older moment. */
START_TEST(a_read_that_saw_an_older_state)
{
    record(OPERATION_READ, OPERATION_ADD, MOST_EACH, 1, POOLS * CALLERS);
    ck_assert(each_is_linearizable());
    uint64_t written = UINT64_MAX;
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i].kind == OPERATION_ADD && all[i].answered < written)
            written = all[i].answered;
        if (all[i].kind == OPERATION_READ && all[i].called > all[last].called)
            last = i;
    }
    ck_assert_uint_gt(all[last].called, written);
    all[last].answer = 0;
    ck_assert(!each_is_linearizable());
}
END_TEST

/* A read in a snapshot that is older than a write that was reported is found out. */
START_TEST(a_snapshot_that_is_too_old)
{
    operation seen[2] = {{.kind = OPERATION_ADD, .amount = 4}, {.kind = OPERATION_READ}};
    make_registers();
    sqlite3 *outsider = outsider_open("bank");
    outsider_run(outsider, "begin");
    outsider_number(outsider, "select v from reg where id = 0");
    dbal_pool *pool = sharing_open(fixture.loop, "bank", "");
    seen[0].called = tick();
    seen[0].answer = number(pool, "update reg set v = v + 4 where id = 0 returning v");
    seen[0].answered = tick();
    seen[1].called = tick();
    seen[1].answer = number(pool, "select v from reg where id = 0");
    seen[1].answered = tick();
    ck_assert(history_is_linearizable(seen, 2));
    seen[1].answer = outsider_number(outsider, "select v from reg where id = 0");
    ck_assert(!history_is_linearizable(seen, 2));
    outsider_run(outsider, "commit");
    sqlite3_close(outsider);
    sharing_close(pool);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sharing, histories");
    sharing_add(suite, each_register);
    sharing_add(suite, all_registers_together);
    sharing_add(suite, what_no_order_explains);
    sharing_add(suite, a_read_that_saw_an_older_state);
    sharing_add(suite, a_snapshot_that_is_too_old);
    return suite_run(suite);
}
