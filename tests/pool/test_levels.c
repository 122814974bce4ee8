/*
 * Random schedules of a pool at every threadlevel: statements, sessions, transactions, cancels,
 * timeouts, new sizes, drains, pauses and the end, at any moment. A witness in the driver sees each
 * entry, and judges whether the level was kept to; dbal's own checks must have nothing to say either.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dbal/entry.h"
#include "tests/lib/chance.h"
#include "tests/lib/suite.h"
#include "tests/lib/witness.h"
#include "tests/pool/pool_fixture.h"

enum { ROUNDS = 200, OPS = 40, STEPS = 80 };

/* Which level, through which gate. */
typedef struct mode {
    const char *parameters;
    int level;
    bool parallel, moves;
} mode;

static const mode modes[] = {
    {"level=0", 0, false, false},
    {"level=0&token=on&sharing=on", 0, false, false},
    {"level=1", 1, false, false},
    {"level=1&token=on&sharing=on", 1, false, false},
    {"level=1&pool_gate=driver-thread", 1, false, false},
    {"level=2", 2, false, false},
    {"level=2&interrupt=blunt", 2, false, true},
    {"level=2&token=on&sharing=on", 2, false, true},
    {"level=3", 3, false, false},
    {"level=3&token=on", 3, false, true},
    {"level=3&parallel=on&interrupt=off", 3, true, true},
    {"level=3&parallel=on&interrupt=off&token=on", 3, true, true},
};
enum { MODES = sizeof modes / sizeof modes[0] };

typedef struct op {
    dbal_deferred *deferred; /* a reference while it lives */
    seen end;
    unsigned statements; /* of a session */
    bool fails;
} op;

static chance luck;
static op ops[OPS];
static int begun;
static atomic_uint breaches;
static char breach_text[200];

static void
on_breach(const char *driver, const char *operation, const char *what, uintptr_t here,
          uintptr_t other)
{
    (void)here, (void)other;
    if (atomic_fetch_add(&breaches, 1) == 0)
        snprintf(breach_text, sizeof breach_text, "%s, %s: %s", driver, operation, what);
}

static void
setup(void)
{
    pool_fixture_init();
    atomic_store(&breaches, 0);
    dbal__entry_set_breach(on_breach);
    chance_init(&luck);
}

static void
teardown(void)
{
    pool_fixture_fini();
    dbal__entry_set_breach(NULL);
}

static bool
chance_is(unsigned percent)
{
    return chance_below(&luck, 100) < percent;
}

/* ---- what is asked for ---- */

static const char *
any_sql(void)
{
    static const char *const texts[] = {"get", "add 1", "rows 20",     "wait g",
                                        "get", "add 2", "fail '23505'"};
    return texts[chance_below(&luck, sizeof texts / sizeof texts[0])];
}

static dbal_outcome
handled(dbal_outcome in, void *arg)
{
    (void)arg, (void)in;
    return dbal_done();
}

static dbal_outcome
work(dbal_connection *connection, void *arg)
{
    op *self = arg;
    dbal_deferred *last = NULL;
    for (unsigned i = 0; i < self->statements; i++) {
        const char *sql = chance_is(10) ? "setting" : any_sql();
        last = dbal_connection_query(connection, sql, DBAL_NO_PARAMS);
        dbal_deferred_add_both(last, handled, NULL);
    }
    if (self->fails)
        return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "as it was to be"));
    return last != NULL ? dbal_wait(last) : dbal_done();
}

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream, (void)rows, (void)arg;
    return chance_is(20) ? DBAL_STOP : DBAL_CONTINUE;
}

static dbal_deferred *
ask_one(op *self, double timeout)
{
    switch (chance_below(&luck, 6)) {
    case 0:
        return dbal_pool_transaction(pool, DBAL_TRANSACTION(.timeout = timeout), work, self);
    case 1:
        return dbal_pool_session(pool, DBAL_SESSION(.timeout = timeout), work, self);
    case 2:
        return dbal_pool_stream(pool, DBAL_QUERY(.sql = "rows 300", .timeout = timeout), take,
                                NULL);
    default:
        return dbal_pool_run(pool, DBAL_QUERY(.sql = any_sql(), .timeout = timeout));
    }
}

static void
on_gone(void *arg)
{
    op *self = arg;
    self->deferred = dbal_deferred_unref(self->deferred);
}

static void
begin_op(void)
{
    if (begun == OPS)
        return;
    op *self = &ops[begun++];
    *self = (op){.statements = chance_below(&luck, 5), .fails = chance_is(20)};
    double timeout = chance_is(15) ? 1e-6 + 0.0002 * chance_below(&luck, 10) : 0;
    self->deferred = dbal_deferred_ref(ask_one(self, timeout));
    watch(self->deferred, &self->end);
    dbal_deferred_add_finally(self->deferred, on_gone, self);
}

static void
cancel_one(void)
{
    if (begun == 0)
        return;
    op *one = &ops[chance_below(&luck, (unsigned)begun)];
    if (one->deferred != NULL)
        dbal_deferred_cancel(one->deferred);
}

/* ---- what becomes of the pool ---- */

static void
disturb(const mode *how)
{
    switch (chance_below(&luck, 8)) {
    case 0:
        dbal_deferred_add_both(dbal_pool_drain(pool), handled, NULL);
        break;
    case 1:
        dbal_deferred_add_both(dbal_pool_pause(pool), handled, NULL);
        break;
    case 2:
        if (how->moves)
            dbal_pool_resize(pool, (int)chance_below(&luck, 2), 1 + (int)chance_below(&luck, 6),
                             NULL);
        break;
    case 3:
        fake_script_close_gate(script, "g");
        break;
    case 4:
        fake_script_open_gate(script, "g");
        break;
    default:
        cancel_one();
    }
}

static void
open_one(const mode *how)
{
    char parameters[200];
    int size = 1 + (int)chance_below(&luck, 4);
    unsigned least = how->parallel ? (unsigned)size : chance_below(&luck, (unsigned)size + 1);
    int used = snprintf(parameters, sizeof parameters, "%s&pool_max_size=%d&pool_min_size=%u",
                        how->parameters, size, least);
    if (how->moves)
        snprintf(parameters + used, sizeof parameters - (size_t)used, "&pool_threads=%u",
                 1 + chance_below(&luck, how->parallel ? 4 : (unsigned)size));
    fake_script_clear(script);
    script->fail_open_from = script->fail_open_to =
        chance_is(5) ? 1 + (int)chance_below(&luck, 3) : 0;
    witness_watch();
    open_pool("fake", parameters);
    begun = 0;
}

static bool
all_settled(void *arg)
{
    (void)arg;
    for (int i = 0; i < begun; i++) {
        if (ops[i].deferred != NULL)
            return false;
    }
    return true;
}

static void
run_schedule(const mode *how)
{
    open_one(how);
    for (unsigned i = 0, most = chance_below(&luck, STEPS); i < most; i++) {
        if (chance_is(60))
            begin_op();
        if (chance_is(20))
            disturb(how);
        if (chance_is(30))
            ev_run(fixture.ev, EVRUN_NOWAIT);
        if (chance_is(10))
            dbal_pool_resume(pool);
    }
    fake_script_open_gate(script, "g");
    good(dbal_pool_close(pool));
    loop_fixture_until(&fixture, all_settled, NULL);
    for (int i = 0; i < begun; i++)
        ck_assert_int_eq(ops[i].end.settled, 1);
}

START_TEST(no_schedule_breaks_a_level)
{
    const mode *how = &modes[_i];
    size_t calls = 0;
    unsigned moved = 0, together = 0;
    unsigned rounds = chance_rounds(ROUNDS);
    for (unsigned round = 0; round < rounds; round++) {
        run_schedule(how);
        witness_report report = witness_judge(how->level, how->parallel);
        ck_assert_msg(report.violations == 0, "%s, seed %llu, round %u: %s", how->parameters,
                      (unsigned long long)luck.seed, round, report.first);
        ck_assert_msg(atomic_load(&breaches) == 0, "%s, seed %llu, round %u: %s", how->parameters,
                      (unsigned long long)luck.seed, round, breach_text);
        calls += report.calls;
        moved += report.most > 1;
        together += report.together > 1;
    }
    ck_assert_uint_gt(calls, rounds);
    if (rounds < ROUNDS)
        return; /* of so few perhaps none did */
    /* what is allowed was made use of, or nothing of this was proven */
    ck_assert_msg((moved > 0) == how->moves, "%u moved, seed %llu", moved,
                  (unsigned long long)luck.seed);
    ck_assert_msg((together > 0) == how->parallel, "%u together, seed %llu", together,
                  (unsigned long long)luck.seed);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("levels");
    TCase *tests = tcase_create("no_schedule_breaks_a_level");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 230);
    tcase_add_loop_test(tests, no_schedule_breaks_a_level, 0, MODES);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
