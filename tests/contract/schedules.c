/*
 * Random schedules: whatever is asked for, cancelled and timed out in whatever order, each request
 * settles exactly once, and the database holds what was reported.
 */
#include <stdlib.h>

#include "tests/contract/contract.h"
#include "tests/lib/chance.h"

enum { AT_ONCE = 40 };

typedef enum op_kind { QUERY, ROWS, WRITE, TRANSACTION, SESSION, STREAM, FAILING, KINDS } op_kind;

typedef struct op {
    op_kind kind;
    int64_t amount; /* what it adds when it succeeds */
    bool fails, in_savepoint, pauses;
    int settled;
    dbal_deferred *deferred; /* a reference while it lives */
    dbal_stream *stream;
} op;

static chance luck;
static op *ops;
static int live;
static int64_t sure, maybe; /* added for certain, and perhaps */

/* True so many times in a hundred. */
static bool
chance_is(unsigned percent)
{
    return chance_below(&luck, 100) < percent;
}

/* ---- what came of it ---- */

static dbal_outcome
on_settled(dbal_outcome in, void *arg)
{
    op *self = arg;
    dbal_error *error = dbal_outcome_error(in);
    ck_assert_int_eq(self->settled++, 0);
    self->stream = NULL;
    live--;
    if (error == NULL)
        sure += self->amount;
    else if (dbal_error_execution(error) == DBAL_EXECUTION_UNKNOWN)
        maybe += self->amount;
    ck_assert_msg(error != NULL || !self->fails, "seed %llu", (unsigned long long)luck.seed);
    return dbal_done();
}

static void
on_gone(void *arg)
{
    op *self = arg;
    self->deferred = dbal_deferred_unref(self->deferred);
}

/* ---- asking ---- */

static dbal_outcome
inner(dbal_connection *connection, void *arg)
{
    op *self = arg;
    dbal_deferred *write =
        dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(self->amount)));
    if (self->fails)
        return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "as it was to be"));
    if (self->amount % 2 == 0)
        return dbal_wait(write);
    return dbal_wait(dbal_connection_query(connection, SQL(get), DBAL_NO_PARAMS));
}

static dbal_outcome
outer(dbal_connection *connection, void *arg)
{
    op *self = arg;
    if (self->in_savepoint)
        return dbal_wait(dbal_connection_savepoint(connection, inner, self));
    return inner(connection, self);
}

static dbal_outcome
read_in_session(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, SQL(get), DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, SQL(echo), DBAL_PARAMS(dbal_int64(1))));
}

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    op *self = arg;
    (void)rows;
    self->stream = self->pauses ? stream : NULL;
    return self->pauses ? DBAL_PAUSE : chance_is(10) ? DBAL_STOP : DBAL_CONTINUE;
}

static dbal_deferred *
ask(op *self, double timeout)
{
    dbal_params rows = DBAL_PARAMS(dbal_int64(chance_below(&luck, 3000)));
    switch (self->kind) {
    case QUERY:
        return dbal_pool_run(
            pool,
            DBAL_QUERY(.sql = SQL(echo), .params = DBAL_PARAMS(dbal_int64(1)), .timeout = timeout));
    case ROWS:
        return dbal_pool_run(pool,
                             DBAL_QUERY(.sql = SQL(rows), .params = rows, .timeout = timeout));
    case WRITE:
        return dbal_pool_run(pool, DBAL_QUERY(.sql = SQL(add),
                                              .params = DBAL_PARAMS(dbal_int64(self->amount)),
                                              .timeout = timeout));
    case TRANSACTION:
        return dbal_pool_transaction(pool, DBAL_TRANSACTION(.timeout = timeout), outer, self);
    case SESSION:
        return dbal_pool_session(pool, DBAL_SESSION(.timeout = timeout), read_in_session, self);
    case STREAM:
        return dbal_pool_stream(
            pool, DBAL_QUERY(.sql = SQL(rows), .params = rows, .timeout = timeout), take, self);
    default:
        return dbal_pool_run(pool, DBAL_QUERY(.sql = SQL(duplicate), .timeout = timeout));
    }
}

/* Who has no words for something is not asked for it. */
static bool
is_possible(op_kind kind)
{
    const contract_sql *sql = target->sql;
    bool writes = sql->add != NULL && sql->get != NULL;
    const bool possible[KINDS] = {
        [QUERY] = sql->echo != NULL,
        [ROWS] = sql->rows != NULL,
        [WRITE] = writes,
        [TRANSACTION] = writes && sql->begin != NULL,
        [SESSION] = sql->get != NULL && sql->echo != NULL,
        [STREAM] = sql->rows != NULL,
        [FAILING] = sql->duplicate != NULL,
    };
    return possible[kind];
}

static void
begin(op *self)
{
    do
        self->kind = (op_kind)chance_below(&luck, KINDS);
    while (!is_possible(self->kind));
    self->amount =
        self->kind == WRITE || self->kind == TRANSACTION ? 1 + (int64_t)chance_below(&luck, 9) : 0;
    self->fails = self->kind == FAILING || (self->kind == TRANSACTION && chance_is(30));
    self->in_savepoint = chance_is(30);
    self->pauses = chance_is(50);
    double timeout = chance_is(15) ? 0.0001 * chance_below(&luck, 30) + 1e-6 : 0;
    live++;
    self->deferred = dbal_deferred_ref(ask(self, timeout));
    dbal_deferred_add_both(self->deferred, on_settled, self);
    dbal_deferred_add_finally(self->deferred, on_gone, self);
}

/* ---- the schedule ---- */

static void
disturb(int begun)
{
    op *one = &ops[chance_below(&luck, (unsigned)begun)];
    if (chance_is(50))
        dbal_deferred_cancel(one->deferred);
    else
        dbal_stream_resume(one->stream);
}

static void
resume_all(int begun)
{
    for (int i = 0; i < begun; i++)
        dbal_stream_resume(ops[i].stream);
}

static bool
none_lives(void *arg)
{
    resume_all(*(int *)arg);
    return live == 0;
}

static bool
few_live(void *arg)
{
    resume_all(*(int *)arg);
    return live < AT_ONCE / 2;
}

START_TEST(every_request_settles_once_and_truly)
{
    int rounds = (int)chance_rounds(400);
    if (!is_possible(QUERY) && !is_possible(ROWS))
        SQL(rows);
    chance_init(&luck);
    ops = calloc((size_t)rounds, sizeof *ops);
    ck_assert_ptr_nonnull(ops);
    live = 0;
    sure = maybe = 0;
    for (int i = 0; i < rounds;) {
        begin(&ops[i++]);
        if (chance_is(30))
            disturb(i);
        if (chance_is(20))
            ev_run(fixture.ev, EVRUN_NOWAIT);
        if (live >= AT_ONCE)
            loop_fixture_until(&fixture, few_live, &i);
    }
    loop_fixture_until(&fixture, none_lives, &rounds);
    for (int i = 0; i < rounds; i++)
        ck_assert_int_eq(ops[i].settled, 1);
    int64_t value = is_possible(WRITE) ? value_now() : 0;
    ck_assert_msg(value >= sure && value <= sure + maybe, "seed %llu: %lld, not %lld to %lld",
                  (unsigned long long)luck.seed, (long long)value, (long long)sure,
                  (long long)(sure + maybe));
    free(ops);
}
END_TEST

void
add_schedules(Suite *suite)
{
    contract_add(suite, every_request_settles_once_and_truly);
}
