/*
 * A pool for months: requests that come in bursts and at night, sessions that are held, statements
 * that are cancelled, sizes that change, and a server that is slow, silent, full, gone or locked. All
 * of it in driven time and by one seed: DBAL_TEST_SEED plays it again, step by step. After each step
 * everything that is always true of a pool is looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/connection.h"
#include "pool/pool.h"
#include "tests/lib/chance.h"
#include "tests/lib/suite.h"
#include "tests/pool/driven_server.h"
#include "tests/pool/pool_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STEPS = 60000 };
#elif defined(__has_feature)
enum {
    STEPS = __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer) ? 60000 : 200000
};
#else
enum { STEPS = 200000 };
#endif
enum { OPS = 1024, RUNS = 10 };

static const double QUERY_TIMEOUT = 20, ACQUIRE_TIMEOUT = 10, CANCEL_TIMEOUT = 2, HELD_MOST = 300;
/* seconds in which a session has certainly ended, three runs of a transaction included */
static const double SESSION_MOST = 3 * (300 + 20 + 200);

/* Something that was asked for. */
typedef struct op {
    unsigned generation; /* how often this place was used */
    bool used, working;  /* working: its work has been called and has not ended */
    int settled;
    int64_t must_end_by;
    dbal_deferred *deferred, *release; /* references */
    dbal_connection *connection;
    unsigned number;   /* of the connection its work runs on; 0: nothing ran yet */
    dbal__timer timer; /* what its work does next */
    int64_t let_go_at;
} op;

typedef struct simulation {
    chance luck;
    op ops[OPS];
    unsigned runs[OPS]; /* of works: with the place, a session's number */
    size_t asked, settled, outcomes[32];
    int64_t began, now, next_request, next_traffic, next_mood;
    double gap; /* seconds from one request to the next, in the middle */
    uint64_t digest;
    uint64_t steps;
} simulation;

static simulation sim;

static unsigned
below(unsigned most)
{
    return chance_below(&sim.luck, most);
}

/* 0 to twice the mean, mostly */
static int64_t
soon(double mean)
{
    return dbal__after(sim.now, mean * (1 + below(2000)) / 1000);
}

static void
note(uint64_t what)
{
    sim.digest = (sim.digest ^ what) * UINT64_C(1099511628211);
}

static dbal__clock *
the_clock(void)
{
    return &dbal__ready_of(fixture.loop)->clock;
}

/* ---- what was asked for ---- */

static op *
take_op(double most)
{
    for (int i = 0; i < 8; i++) {
        op *one = &sim.ops[below(OPS)];
        if (one->used)
            continue;
        unsigned generation = one->generation + 1;
        *one = (op){.used = true, .generation = generation};
        one->must_end_by = most < 0 ? DBAL__NEVER : dbal__after(sim.now, most);
        return one;
    }
    return NULL;
}

static bool
may_fail_so(dbal_error_class why)
{
    return why == DBAL_ERROR_CANCELLED || why == DBAL_ERROR_TIMEOUT ||
           why == DBAL_ERROR_POOL_EXHAUSTED || why == DBAL_ERROR_QUEUE_FULL ||
           why == DBAL_ERROR_OPERATIONAL || why == DBAL_ERROR_APPLICATION;
}

static void
work_has_ended(op *one)
{
    dbal__clock_stop(the_clock(), &one->timer);
    if (one->release != NULL)
        dbal_deferred_unref(one->release);
    one->release = NULL;
    one->working = false;
}

static dbal_outcome
has_settled(dbal_outcome in, void *arg)
{
    op *one = arg;
    dbal_error *error = dbal_outcome_error(in);
    dbal_error_class why = error != NULL ? dbal_error_kind(error) : 0;
    ck_assert_int_eq(one->settled++, 0);
    ck_assert_msg(error == NULL || may_fail_so(why), "%s: %s", dbal_error_class_name(why),
                  dbal_error_message(error));
    sim.settled++;
    sim.outcomes[why]++;
    note((uint64_t)why << 32 | (uint64_t)(one - sim.ops));
    work_has_ended(one);
    dbal_deferred_unref(one->deferred);
    one->used = false;
    return dbal_done();
}

static void
follow(op *one, dbal_deferred *deferred)
{
    ck_assert_ptr_nonnull(deferred);
    sim.asked++;
    one->deferred = dbal_deferred_ref(deferred);
    dbal_deferred_add_both(deferred, has_settled, one);
}

/* ---- sessions ---- */

static void on_work(dbal__timer *timer);

static int64_t
session_of(const op *one)
{
    unsigned place = (unsigned)(one - sim.ops);
    return (int64_t)sim.runs[place] * OPS + place;
}

static bool
may_follow(int64_t last, int64_t next)
{
    const op *one = &sim.ops[last % OPS];
    return last == 0 || last == next || session_of(one) != last || !one->working;
}

static void
works(int64_t session, unsigned connection)
{
    op *one = &sim.ops[session % OPS];
    if (session_of(one) != session)
        return; /* its work has run again, or is over */
    if (one->number == 0)
        one->number = connection;
    ck_assert_uint_eq(one->number, connection);
}

static void
act_again(op *one)
{
    dbal__clock_start(the_clock(), &one->timer, soon(below(50) == 0 ? 40 : 0.05), on_work);
}

static void
ask_within(op *whose)
{
    op *one = take_op(QUERY_TIMEOUT + CANCEL_TIMEOUT * 2);
    if (one == NULL)
        return;
    if (below(20) == 0)
        follow(one, dbal_connection_query(whose->connection, "setting", DBAL_NO_PARAMS));
    else
        follow(one, dbal_connection_query(whose->connection, "work $1",
                                          DBAL_PARAMS(dbal_int64(session_of(whose)))));
}

static void
on_work(dbal__timer *timer)
{
    op *one = DBAL__OF(timer, op, timer);
    dbal_deferred *release = one->release;
    if (sim.now < one->let_go_at && below(4) != 0) {
        ask_within(one);
        act_again(one);
        return;
    }
    one->release = NULL;
    one->working = false;
    dbal_deferred_fire(release, below(20) == 0
                                    ? dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "enough"))
                                    : dbal_done());
}

/* Its session has been stopped: by a timeout, by us, or since the connection is lost. */
static void
work_is_cancelled(dbal_deferred *deferred, void *arg)
{
    op *one = arg;
    (void)deferred;
    one->working = false;
    dbal__clock_stop(the_clock(), &one->timer);
}

static dbal_outcome
begin_work(dbal_connection *connection, void *arg)
{
    op *one = arg;
    ck_assert(!one->working && one->settled == 0);
    work_has_ended(one);
    sim.runs[one - sim.ops]++;
    one->number = 0;
    one->working = true;
    one->connection = connection;
    one->let_go_at = dbal__after(sim.now, HELD_MOST);
    one->release = dbal_deferred_new(fixture.loop, work_is_cancelled, one);
    act_again(one);
    return dbal_wait(one->release);
}

/* ---- what the program does ---- */

static void
ask_query(void)
{
    double timeout = below(4) == 0 ? 0.02 * (1 + below(1000)) : QUERY_TIMEOUT;
    op *one = take_op(timeout + CANCEL_TIMEOUT * 2);
    if (one != NULL)
        follow(one, dbal_pool_run(pool, DBAL_QUERY(.sql = "look", .timeout = timeout)));
}

static void
ask_session(void)
{
    op *one = take_op(ACQUIRE_TIMEOUT + SESSION_MOST);
    if (one == NULL)
        return;
    double timeout = below(4) == 0 ? 1 + below(30) : 0;
    if (below(2) == 0)
        follow(one, dbal_pool_session(pool, DBAL_SESSION(.timeout = timeout), begin_work, one));
    else
        follow(one, dbal_pool_transaction(pool, DBAL_TRANSACTION(.timeout = timeout, .retries = 2),
                                          begin_work, one));
}

static void
cancel_one(void)
{
    for (int i = 0; i < 50; i++) {
        op *one = &sim.ops[below(OPS)];
        if (!one->used)
            continue;
        dbal_deferred_cancel(one->deferred);
        return;
    }
}

static void
change_pool(unsigned what)
{
    op *one = what < 2 ? take_op(-1) : NULL;
    if (what == 0 && one != NULL)
        follow(one, dbal_pool_drain(pool));
    else if (what == 1 && one != NULL)
        follow(one, dbal_pool_pause(pool));
    else if (what < 4)
        dbal_pool_resume(pool);
    else
        ck_assert(dbal_pool_resize(pool, (int)below(2), 1 + (int)below(what == 4 ? 12 : 6), NULL));
}

static void
request(void)
{
    unsigned what = below(1000);
    if (pool->paused && below(10) == 0)
        dbal_pool_resume(pool);
    else if (what < 12)
        change_pool(what / 2);
    else if (what < 40)
        cancel_one();
    else if (what < 200)
        ask_session();
    else
        ask_query();
    sim.next_request = soon(sim.gap);
}

/* ---- what is always true ---- */

static void
check_slots(void)
{
    int open = 0, opening = 0, held = 0, hanging = 0, all = 0;
    bool idle = false;
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        all++;
        open += slot->state == DBAL__SLOT_OPEN;
        opening += slot->state == DBAL__SLOT_OPENING;
        hanging += slot->channel->given_up;
        held += slot->held;
        idle = idle || dbal__slot_is_idle(slot);
        /* a session's first and its connection's last moment have no other's in them */
        ck_assert(!slot->held || slot->connection != NULL || slot->state != DBAL__SLOT_OPEN);
    }
    ck_assert_int_eq(open, pool->open);
    ck_assert_int_eq(opening, pool->connecting);
    ck_assert_int_eq(held, pool->held);
    ck_assert_int_eq(hanging, pool->hanging);
    ck_assert_int_le(server.live, all);
    /* one more while one is replaced; above the limit only what cannot go yet */
    ck_assert_int_le(open + opening, pool->limit + 1 > held + 1 ? pool->limit + 1 : held + 1);
    ck_assert_msg(!idle || !pool->serves || dbal__list_empty(&pool->waiting),
                  "something waits, and a connection is idle");
}

/* What is wanted is looked at again when it is gone. */
static bool
is_closing_one(void)
{
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state == DBAL__SLOT_CLOSING && !slot->channel->given_up)
            return true;
    }
    return false;
}

/* What waits is waited for: a connect, a pause before one, or one of those at work. */
static void
check_waiting(void)
{
    size_t waiting = 0;
    for (dbal__list *link = pool->waiting.next; link != &pool->waiting; link = link->next)
        waiting++;
    ck_assert_uint_eq(waiting, pool->waiting_count);
    ck_assert_uint_le(waiting, 300 + OPS); /* what was handed down comes back, too */
    if (waiting > 0 && pool->connecting == 0 && pool->open < pool->limit && !is_closing_one())
        ck_assert_msg(!dbal__slots_may_connect(pool),
                      "%zu wait for nothing, with %d open and %d held of %d", waiting, pool->open,
                      pool->held, pool->limit);
}

/* All is asked for and settles once, in its time; a session that holds a connection is at work. */
static void
check_ops(void)
{
    size_t unsettled = 0;
    for (int i = 0; i < OPS; i++) {
        const op *one = &sim.ops[i];
        if (!one->used)
            continue;
        unsettled++;
        ck_assert_msg(sim.now <= one->must_end_by, "one was forgotten");
    }
    ck_assert_uint_eq(sim.asked, sim.settled + unsettled);
}

static void
check(void)
{
    check_slots();
    check_waiting();
    if (sim.steps % 64 == 0)
        check_ops();
    note((uint64_t)pool->open << 16 | (uint64_t)pool->waiting_count);
}

/* ---- time ---- */

static void
move_to(int64_t at)
{
    dbal_loop *loop = fixture.loop;
    if (at > sim.now)
        sim.now = at;
    the_clock()->driven_now = sim.now;
    for (bool again = true; again;) {
        dbal__loop_enter(loop);
        dbal__loop_settle(loop);
        dbal__loop_leave(loop);
        again = !dbal__list_empty(&loop->after_poll);
        if (again)
            ev_run(fixture.ev, EVRUN_NOWAIT);
    }
    sim.steps++;
    check();
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void
change_traffic(void)
{
    static const double gaps[] = {1800, 1800, 60, 2, 0.003};
    unsigned which = below(5);
    sim.gap = gaps[which];
    sim.next_request = soon(sim.gap);
    sim.next_traffic = soon(which == 4 ? 2 : which == 3 ? 600 : 80000);
}

static void
change_mood(void)
{
    driven_mood mood = server.mood == DRIVEN_WELL ? 1 + below(DRIVEN_MOODS - 1) : DRIVEN_WELL;
    driven_server_change(mood);
    sim.next_mood = soon(mood != DRIVEN_WELL ? 300 : below(2) == 0 ? 1000 : 60000);
}

static void
step(void)
{
    int64_t next = least(dbal__clock_next(the_clock()), sim.next_request);
    next = least(next, least(sim.next_traffic, sim.next_mood));
    if (next > sim.now)
        sim.now = the_clock()->driven_now = next;
    dbal__loop_enter(fixture.loop);
    if (sim.now >= sim.next_request)
        request();
    if (sim.now >= sim.next_traffic)
        change_traffic();
    if (sim.now >= sim.next_mood)
        change_mood();
    dbal__loop_leave(fixture.loop);
    move_to(next);
}

/* ---- one run ---- */

static void
quiet(void *arg, dbal_log_level level, const char *message)
{
    (void)arg, (void)level, (void)message;
}

static void
begin(uint64_t seed)
{
    char url[512];
    dbal_error *error = NULL;
    memset(&sim, 0, sizeof sim);
    sim.luck = (chance){.seed = seed, .state = seed};
    loop_fixture_init(&fixture);
    dbal_loop_set_log(fixture.loop, quiet, NULL);
    loop_fixture_drive(&fixture);
    sim.began = sim.now = the_clock()->driven_now = INT64_C(1000000000000);
    chance luck;
    chance_split(&luck, &sim.luck, 1);
    server.may_follow = may_follow;
    server.works = works;
    driven_server_begin(&luck, the_clock());
    snprintf(
        url, sizeof url,
        "driven:x?pool_max_size=%u&pool_min_size=%u&pool_query_timeout=%g&pool_acquire_timeout="
        "%g&pool_cancel_timeout=%g&pool_connect_timeout=15&pool_max_waiting=300&pool_"
        "idle_timeout=%u&pool_leak_after=60&pool_fail_fast=%s&pool_pipeline_depth=%u",
        2 + below(6), below(3), QUERY_TIMEOUT, ACQUIRE_TIMEOUT, CANCEL_TIMEOUT, 60 + below(600),
        below(2) ? "on" : "off", below(2) ? 64 : 1 + below(4));
    pool = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
    pool->jitter = seed;
    sim.next_mood = soon(10000);
    change_traffic();
}

/* All is well again: everything settles, and the pool closes. */
static void
end(void)
{
    driven_server_change(DRIVEN_WELL);
    dbal_pool_resume(pool);
    for (int64_t until = dbal__after(sim.now, 2 * SESSION_MOST); sim.settled < sim.asked;) {
        int64_t next = least(dbal__clock_next(the_clock()), until);
        ck_assert_msg(next < until, "%zu never settled", sim.asked - sim.settled);
        move_to(next);
    }
    check_ops();
    ck_assert_int_eq(pool->held, 0);
    seen closed;
    watch(dbal_pool_close(pool), &closed);
    for (int i = 0; closed.settled == 0 || server.errands > 0; i++) {
        ck_assert_int_lt(i, 10000);
        move_to(least(dbal__clock_next(the_clock()), dbal__after(sim.now, 1)));
    }
    ck_assert_int_eq(server.live, 0);
    loop_fixture_fini(&fixture);
}

static uint64_t
simulate(uint64_t seed, unsigned steps)
{
    begin(seed);
    while (sim.steps < steps)
        step();
    end();
    return sim.digest;
}

/* Tells the seed of whatever fails. */
static uint64_t
told(void)
{
    chance luck;
    chance_init(&luck);
    fprintf(stderr, "simulation: DBAL_TEST_SEED=%llu\n", (unsigned long long)luck.seed);
    return luck.seed;
}

/* Each with settings of its own. */
START_TEST(months_of_good_and_bad_days)
{
    unsigned steps = chance_rounds(STEPS) / RUNS;
    simulate(told() + (unsigned)_i, steps);
    fprintf(stderr, "simulation: %u steps, %.0f days, %zu requests, %zu of them good\n", steps,
            (double)(sim.now - sim.began) / 86400e9, sim.asked, sim.outcomes[0]);
    /* a short run may see little but one bad day */
    ck_assert_uint_gt(sim.outcomes[0], steps < 10000 ? 0 : sim.asked / 4);
}
END_TEST

START_TEST(a_seed_plays_the_same_again)
{
    uint64_t seed = told(), first = simulate(seed, 5000);
    ck_assert_uint_eq(simulate(seed, 5000), first);
    ck_assert_uint_ne(simulate(seed + 1, 5000), first);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("simulation");
    TCase *months = tcase_create("months_of_good_and_bad_days");
    tcase_set_timeout(months, 60);
    tcase_add_checked_fixture(months, driven_server_register, NULL);
    tcase_add_loop_test(months, months_of_good_and_bad_days, 0, RUNS);
    suite_add_tcase(suite, months);
    suite_add(suite, a_seed_plays_the_same_again, driven_server_register, NULL);
    return suite_run(suite);
}
