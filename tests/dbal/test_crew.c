/* The crew: how many of those that pull from one line are awake. */
#include <sched.h>

#include "dbal/crew.h"
#include "dbal/futex.h"
#include "tests/lib/chance.h"
#include "tests/lib/latch.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"

enum { WORKERS = 3 };

/* work that comes back to the crew, on the loop */
typedef struct piece {
    dbal__work work;
    dbal__message message;
    dbal__worker *by;
    latch *begun, *go; /* may be NULL: tells that it runs, and waits */
    bool back;
} piece;

static loop_fixture fixture;
static dbal__crew crew;
static dbal__worker *workers[WORKERS];
static unsigned wanted;
static latch begun = LATCH_INIT, go = LATCH_INIT;

static void
run_piece(dbal__work *work, dbal__worker *worker)
{
    piece *one = DBAL__OF(work, piece, work);
    one->by = worker;
    if (one->begun != NULL)
        latch_open(one->begun);
    if (one->go != NULL)
        latch_wait(one->go);
    dbal__worker_publish(worker, fixture.loop->inbox, &one->message, true);
}

static void
come_back(dbal__message *message)
{
    piece *one = DBAL__OF(message, piece, message);
    one->back = true;
    dbal__crew_returned(&crew);
}

static piece
piece_of(latch *piece_begun, latch *piece_go)
{
    return (piece){.work = {NULL, run_piece},
                   .message = {NULL, come_back},
                   .begun = piece_begun,
                   .go = piece_go};
}

static bool
is_back(void *one)
{
    return ((piece *)one)->back;
}

/* Work of a worker's own does not go through the crew. */
static void
run_own(dbal__work *work, dbal__worker *worker)
{
    piece *one = DBAL__OF(work, piece, work);
    (void)worker;
    latch_open(one->begun);
    latch_wait(one->go);
}

static void
wait_parked(const dbal__worker *worker)
{
    int64_t deadline = dbal__after(dbal__monotonic(), 30);
    while (!dbal__worker_is_parked(worker)) {
        ck_assert_int_lt(dbal__monotonic(), deadline);
        sched_yield();
    }
}

static unsigned
taken(int i)
{
    return atomic_load(&workers[i]->taken);
}

static void
count_wanted(dbal__crew *one)
{
    ck_assert_ptr_eq(one, &crew);
    wanted++;
}

static dbal__worker *
join(bool held)
{
    dbal__worker *worker = dbal__worker_start(&crew.line, held, "dbal-test", NULL);
    ck_assert_ptr_nonnull(worker);
    dbal__crew_join(&crew, worker);
    wait_parked(worker);
    return worker;
}

static void
setup(void)
{
    loop_fixture_init(&fixture);
    /* nothing here is a Deferred that would keep the loop going */
    dbal_loop_hold(fixture.loop);
    dbal__crew_init(&crew, fixture.loop, count_wanted);
    wanted = 0;
    latch_close(&begun);
    latch_close(&go);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = join(false);
}

static void
teardown(void)
{
    latch_open(&go);
    for (int i = 0; i < WORKERS; i++) {
        dbal__worker_stop(workers[i]);
        ck_assert(dbal__worker_wait(workers[i], DBAL__NEVER));
        dbal__crew_leave(&crew, workers[i]);
        dbal__worker_release(workers[i]);
    }
    ck_assert(dbal__list_empty(&crew.workers));
    ck_assert_uint_eq(crew.outstanding, 0);
    dbal__crew_fini(&crew);
    loop_fixture_fini(&fixture);
}

START_TEST(work_that_ends_soon_needs_one_worker)
{
    unsigned rounds = chance_rounds(500), most = 0, all = 0;
    for (unsigned i = rounds; i > 0; i--) {
        piece one = piece_of(NULL, NULL);
        dbal__crew_push(&crew, &one.work);
        loop_fixture_until(&fixture, is_back, &one);
    }
    /* one that the system lets wait is helped by another */
    for (int i = 0; i < WORKERS; i++) {
        all += taken(i);
        most = taken(i) > most ? taken(i) : most;
    }
    ck_assert_uint_eq(all, rounds);
    ck_assert_uint_gt(most * 2, rounds);
    ck_assert(!crew.timer.active);
}
END_TEST

START_TEST(one_push_wakes_one_worker)
{
    piece one = piece_of(&begun, &go);
    dbal__crew_push(&crew, &one.work);
    latch_wait(&begun);
    ck_assert(!dbal__worker_is_parked(workers[0]));
    ck_assert(dbal__worker_is_parked(workers[1]));
    ck_assert(dbal__worker_is_parked(workers[2]));
    latch_open(&go);
    loop_fixture_until(&fixture, is_back, &one);
}
END_TEST

/* It looks at the line before it sleeps, so nobody else need be woken. */
START_TEST(work_is_left_to_a_worker_that_is_awake)
{
    piece one = piece_of(NULL, NULL);
    /* as if it had just ended something */
    atomic_store(&workers[0]->parked, 0);
    dbal__crew_push(&crew, &one.work);
    ck_assert(dbal__worker_is_parked(workers[1]));
    ck_assert(dbal__worker_is_parked(workers[2]));
    ck_assert(!crew.timer.active);
    dbal__futex_wake(&workers[0]->parked);
    loop_fixture_until(&fixture, is_back, &one);
    ck_assert_ptr_eq(one.by, workers[0]);
}
END_TEST

/* The loop's own timer notices, without another push. */
START_TEST(work_behind_slow_work_wakes_another_worker)
{
    piece slow = piece_of(&begun, &go), next = piece_of(NULL, NULL);
    dbal__crew_push(&crew, &slow.work);
    latch_wait(&begun);
    dbal__crew_push(&crew, &next.work);
    loop_fixture_until(&fixture, is_back, &next);
    ck_assert(!slow.back);
    ck_assert_ptr_ne(next.by, slow.by);
    latch_open(&go);
    loop_fixture_until(&fixture, is_back, &slow);
    ck_assert(!crew.timer.active);
}
END_TEST

START_TEST(work_behind_a_workers_own_work_wakes_another_worker)
{
    piece own = piece_of(&begun, &go), next = piece_of(NULL, NULL);
    own.work.run = run_own;
    dbal__worker_push(workers[0], &own.work);
    latch_wait(&begun);
    dbal__crew_push(&crew, &next.work);
    loop_fixture_until(&fixture, is_back, &next);
    ck_assert_ptr_ne(next.by, workers[0]);
    latch_open(&go);
    wait_parked(workers[0]); /* until then it uses what is on this stack */
}
END_TEST

static bool
is_wanted(void *arg)
{
    (void)arg;
    return wanted > 0;
}

START_TEST(one_more_is_wanted_when_all_are_busy)
{
    piece slow[WORKERS], next = piece_of(NULL, NULL);
    latch here[WORKERS] = {LATCH_INIT, LATCH_INIT, LATCH_INIT};
    for (int i = 0; i < WORKERS; i++) {
        slow[i] = piece_of(&here[i], &go);
        dbal__crew_push(&crew, &slow[i].work);
    }
    for (int i = 0; i < WORKERS; i++)
        loop_fixture_until(&fixture, latch_opened, &here[i]);
    wanted = 0; /* one that the system let wait on its way here looked busy */
    dbal__crew_push(&crew, &next.work);
    loop_fixture_until(&fixture, is_wanted, NULL);
    latch_open(&go);
    loop_fixture_until(&fixture, is_back, &next);
    for (int i = 0; i < WORKERS; i++)
        loop_fixture_until(&fixture, is_back, &slow[i]);
}
END_TEST

START_TEST(held_workers_are_neither_woken_nor_counted)
{
    piece one = piece_of(NULL, NULL);
    atomic_store(&workers[0]->held, true);
    atomic_store(&workers[1]->held, true);
    ck_assert_ptr_eq(dbal__crew_parked(&crew), workers[2]);
    dbal__crew_push(&crew, &one.work);
    loop_fixture_until(&fixture, is_back, &one);
    ck_assert_ptr_eq(one.by, workers[2]);
    wait_parked(workers[2]);
    atomic_store(&workers[2]->held, true);
    ck_assert_ptr_null(dbal__crew_parked(&crew));
    one = piece_of(NULL, NULL);
    dbal__crew_push(&crew, &one.work);
    ck_assert_uint_eq(wanted, 1);
    atomic_store(&workers[1]->held, false);
    dbal__crew_rouse(&crew);
    loop_fixture_until(&fixture, is_back, &one);
    ck_assert_ptr_eq(one.by, workers[1]);
}
END_TEST

START_TEST(worker_that_left_is_not_woken)
{
    piece one = piece_of(NULL, NULL);
    dbal__crew_leave(&crew, workers[0]);
    dbal__crew_push(&crew, &one.work);
    loop_fixture_until(&fixture, is_back, &one);
    ck_assert_ptr_eq(one.by, workers[1]);
    dbal__crew_join(&crew, workers[0]);
}
END_TEST

/* One timer is about as dear as a quick query: with nothing outstanding there is none. */
START_TEST(crew_without_work_needs_no_timer)
{
    piece slow = piece_of(&begun, &go), next = piece_of(NULL, NULL);
    dbal__crew_push(&crew, &slow.work);
    dbal__crew_push(&crew, &next.work);
    latch_open(&go);
    loop_fixture_until(&fixture, is_back, &slow);
    loop_fixture_until(&fixture, is_back, &next);
    ck_assert(!crew.timer.active);
    ck_assert_int_eq(dbal__clock_next(&fixture.loop->ready.clock), DBAL__NEVER);
}
END_TEST

START_TEST(bursts_of_work_all_come_back)
{
    enum { BURST = 64 };
    static piece all[BURST];
    chance luck;
    chance_init(&luck);
    for (unsigned round = chance_rounds(100); round > 0; round--) {
        unsigned count = 1 + chance_below(&luck, BURST);
        for (unsigned i = 0; i < count; i++) {
            all[i] = piece_of(NULL, NULL);
            dbal__crew_push(&crew, &all[i].work);
        }
        for (unsigned i = 0; i < count; i++)
            loop_fixture_until(&fixture, is_back, &all[i]);
        ck_assert_uint_eq(crew.outstanding, 0);
    }
}
END_TEST

/* Nobody takes anything here: all workers are held. */
static void
hold_all(void)
{
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&workers[i]->held, true);
}

static void
let_all_go(piece *pieces, int count)
{
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&workers[i]->held, false);
    dbal__crew_rouse(&crew);
    for (int i = 0; i < count; i++)
        loop_fixture_until(&fixture, is_back, &pieces[i]);
}

START_TEST(first_of_a_turn_goes_on_the_line_at_once_and_the_rest_at_its_end)
{
    piece all[5];
    hold_all();
    for (int i = 0; i < 5; i++) {
        all[i] = piece_of(NULL, NULL);
        dbal__crew_gather(&crew, &all[i].work);
    }
    ck_assert_uint_eq(dbal__line_count(&crew.line), 1);
    ck_assert_uint_eq(dbal__crew_waiting(&crew), 5);
    ck_assert_uint_eq(crew.outstanding, 5);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    ck_assert_uint_eq(dbal__line_count(&crew.line), 5);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(all[i].work.ticket, i + 1);
    let_all_go(all, 5);
    ck_assert_uint_eq(crew.outstanding, 0);
}
END_TEST

START_TEST(long_turn_does_not_keep_back_what_is_asked_for_in_it)
{
    enum { MANY = 200 };
    static piece all[MANY];
    size_t kept = 0;
    hold_all();
    for (unsigned i = 0; i < MANY; i++) {
        all[i] = piece_of(NULL, NULL);
        dbal__crew_gather(&crew, &all[i].work);
        size_t back = dbal__crew_waiting(&crew) - dbal__line_count(&crew.line);
        kept = back > kept ? back : kept;
    }
    ck_assert_uint_gt(kept, 0);
    ck_assert_uint_lt(kept, 32);
    let_all_go(all, MANY);
}
END_TEST

START_TEST(nothing_overtakes_what_is_gathered)
{
    piece all[3];
    hold_all();
    for (int i = 0; i < 3; i++)
        all[i] = piece_of(NULL, NULL);
    dbal__crew_gather(&crew, &all[0].work);
    dbal__crew_gather(&crew, &all[1].work);
    dbal__crew_push(&crew, &all[2].work);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(all[i].work.ticket, i + 1);
    let_all_go(all, 3);
}
END_TEST

START_TEST(gathered_work_wakes_a_worker)
{
    piece one = piece_of(NULL, NULL), slow = piece_of(&begun, &go), next = piece_of(NULL, NULL);
    dbal__crew_gather(&crew, &slow.work);
    latch_wait(&begun);
    dbal__crew_gather(&crew, &one.work);
    dbal__crew_gather(&crew, &next.work);
    loop_fixture_until(&fixture, is_back, &one);
    loop_fixture_until(&fixture, is_back, &next);
    ck_assert(!slow.back);
    latch_open(&go);
    loop_fixture_until(&fixture, is_back, &slow);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("crew");
    const TTest *const tests[] = {
        work_that_ends_soon_needs_one_worker,
        one_push_wakes_one_worker,
        work_is_left_to_a_worker_that_is_awake,
        work_behind_slow_work_wakes_another_worker,
        work_behind_a_workers_own_work_wakes_another_worker,
        one_more_is_wanted_when_all_are_busy,
        held_workers_are_neither_woken_nor_counted,
        worker_that_left_is_not_woken,
        crew_without_work_needs_no_timer,
        bursts_of_work_all_come_back,
        first_of_a_turn_goes_on_the_line_at_once_and_the_rest_at_its_end,
        long_turn_does_not_keep_back_what_is_asked_for_in_it,
        nothing_overtakes_what_is_gathered,
        gathered_work_wakes_a_worker,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
