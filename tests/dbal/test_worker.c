/* Lines, the workers that pull from them, and the crew that says how many are awake. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "dbal/crew.h"
#include "dbal/futex.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/chance.h"
#include "tests/lib/latch.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"

/* work that says who ran it, and when */
typedef struct piece {
    dbal__work work;
    atomic_int runs;
    unsigned order; /* the how-manieth piece it was */
    pthread_t thread;
    latch *begun, *go; /* may be NULL: tells that it runs, and waits */
    dbal__message message;
} piece;

static atomic_uint order;
static chance luck;

static void
run_piece(dbal__work *work, dbal__worker *worker)
{
    piece *one = DBAL__OF(work, piece, work);
    (void)worker;
    one->thread = pthread_self();
    one->order = atomic_fetch_add(&order, 1);
    if (one->begun != NULL)
        latch_open(one->begun);
    if (one->go != NULL)
        latch_wait(one->go);
    atomic_fetch_add(&one->runs, 1);
}

static piece
piece_of(latch *begun, latch *go)
{
    return (piece){.work = {NULL, run_piece}, .begun = begun, .go = go};
}

/* lines */

START_TEST(line_gives_the_oldest_first)
{
    dbal__line line;
    piece all[5];
    dbal__line_init(&line);
    ck_assert_ptr_null(dbal__line_pull(&line));
    for (int i = 0; i < 5; i++)
        all[i] = piece_of(NULL, NULL);
    for (int i = 0; i < 3; i++)
        dbal__line_push(&line, &all[i].work);
    ck_assert_ptr_eq(dbal__line_pull(&line), &all[0].work);
    dbal__line_push(&line, &all[3].work);
    dbal__line_push(&line, &all[4].work);
    ck_assert_uint_eq(dbal__line_count(&line), 4);
    for (int i = 1; i < 5; i++)
        ck_assert_ptr_eq(dbal__line_pull(&line), &all[i].work);
    ck_assert_ptr_null(dbal__line_pull(&line));
    ck_assert_uint_eq(dbal__line_count(&line), 0);
}
END_TEST

static void
link_in_order(piece *pieces, int count)
{
    for (int i = 0; i < count; i++) {
        pieces[i] = piece_of(NULL, NULL);
        pieces[i].work.next = i + 1 < count ? &pieces[i + 1].work : NULL;
    }
}

START_TEST(line_keeps_the_order_of_what_is_put_there_together)
{
    dbal__line line;
    piece all[9];
    dbal__line_init(&line);
    link_in_order(all, 9);
    dbal__line_push_all(&line, &all[0].work, &all[2].work, 3);
    ck_assert_ptr_eq(dbal__line_pull(&line), &all[0].work);
    dbal__line_push(&line, &all[3].work);
    dbal__line_push_all(&line, &all[4].work, &all[7].work, 4);
    dbal__line_push(&line, &all[8].work);
    ck_assert_uint_eq(dbal__line_count(&line), 8);
    ck_assert_uint_eq(dbal__line_last(&line), 9);
    for (unsigned i = 1; i < 9; i++) {
        ck_assert_ptr_eq(dbal__line_pull(&line), &all[i].work);
        ck_assert_uint_eq(all[i].work.ticket, i + 1);
    }
    ck_assert_ptr_null(dbal__line_pull(&line));
    ck_assert_uint_eq(dbal__line_count(&line), 0);
}
END_TEST

/* Those with a `begun`. */
static bool
is_marked(const dbal__work *work)
{
    return DBAL__OF(work, const piece, work)->begun != NULL;
}

START_TEST(sweep_takes_out_what_fits)
{
    enum { ALL = 6 };
    /* which of them, as bits: none, one at each place, several, the last, all */
    static const unsigned marks[] = {0, 1, 8, 32, 0x15, 0x2a, 0x38, 0x3f};
    latch mark;
    for (size_t at = 0; at < sizeof marks / sizeof marks[0]; at++) {
        dbal__line line;
        piece all[ALL], last = piece_of(NULL, NULL);
        dbal__line_init(&line);
        for (int i = 0; i < ALL; i++) {
            all[i] = piece_of((marks[at] >> i & 1) != 0 ? &mark : NULL, NULL);
            dbal__line_push(&line, &all[i].work);
        }
        dbal__work *swept = dbal__line_sweep(&line, is_marked);
        dbal__line_push(&line, &last.work);
        for (int i = 0; i < ALL; i++) {
            if (all[i].begun == NULL)
                continue;
            ck_assert_ptr_eq(swept, &all[i].work);
            swept = swept->next;
        }
        ck_assert_ptr_null(swept);
        for (int i = 0; i < ALL; i++) {
            if (all[i].begun == NULL)
                ck_assert_ptr_eq(dbal__line_pull(&line), &all[i].work);
        }
        ck_assert_uint_eq(dbal__line_count(&line), 1);
        ck_assert_ptr_eq(dbal__line_pull(&line), &last.work);
        ck_assert_uint_eq(dbal__line_count(&line), 0);
    }
}
END_TEST

START_TEST(sweep_gives_up_while_another_pulls)
{
    dbal__line line;
    latch mark;
    piece one = piece_of(&mark, NULL);
    dbal__line_init(&line);
    ck_assert_ptr_null(dbal__line_sweep(&line, is_marked));
    dbal__line_push(&line, &one.work);
    dbal__lock_take(&line.lock);
    ck_assert_ptr_null(dbal__line_sweep(&line, is_marked));
    dbal__lock_leave(&line.lock);
    ck_assert_ptr_eq(dbal__line_sweep(&line, is_marked), &one.work);
}
END_TEST

enum { PUSHERS = 3, PULLERS = 3, PIECES = 30000, TOGETHER = 5 };

typedef struct ware {
    dbal__work work;
    unsigned pusher, number;
} ware;

typedef struct side {
    pthread_t thread;
    dbal__line *line;
    unsigned number, count;
    ware *wares;
    atomic_uint *left;
    chance luck;
    unsigned sum;
} side;

static void *
push_side(void *arg)
{
    side *one = arg;
    for (unsigned i = 0; i < one->count; i++)
        one->wares[i] = (ware){.pusher = one->number, .number = i};
    for (unsigned first = 0, some; first < one->count; first += some) {
        some = 1 + chance_below(&one->luck, TOGETHER);
        if (some > one->count - first)
            some = one->count - first;
        ware *wares = one->wares + first;
        for (unsigned i = 0; i + 1 < some; i++)
            wares[i].work.next = &wares[i + 1].work;
        dbal__line_push_all(one->line, &wares[0].work, &wares[some - 1].work, some);
    }
    return NULL;
}

/* Some of them, which may be taken before those ahead of them. */
static bool
is_fourth(const dbal__work *work)
{
    return DBAL__OF(work, const ware, work)->number % 4 == 3;
}

/* Of each pusher's others, one puller sees later ones only. */
static void *
pull_side(void *arg)
{
    side *one = arg;
    unsigned last[PUSHERS] = {0};
    while (atomic_load(one->left) > 0) {
        bool sweeps = chance_below(&one->luck, 8) == 0;
        dbal__work *next,
            *work = sweeps ? dbal__line_sweep(one->line, is_fourth) : dbal__line_pull(one->line);
        for (; work != NULL; work = next) {
            ware *got = DBAL__OF(work, ware, work);
            next = sweeps ? work->next : NULL;
            if (!is_fourth(work)) {
                one->sum += got->number + 1 <= last[got->pusher];
                last[got->pusher] = got->number + 1;
            }
            one->count++;
            atomic_fetch_sub(one->left, 1);
        }
    }
    return NULL;
}

START_TEST(line_between_many_threads_loses_and_doubles_nothing)
{
    dbal__line line;
    side pushers[PUSHERS], pullers[PULLERS];
    unsigned count = chance_rounds(PIECES), pulled = 0, disorder = 0;
    atomic_uint left;
    chance_init(&luck);
    dbal__line_init(&line);
    atomic_init(&left, count * PUSHERS);
    for (unsigned i = 0; i < PULLERS; i++) {
        pullers[i] = (side){.line = &line, .left = &left};
        chance_split(&pullers[i].luck, &luck, i);
        pthread_create(&pullers[i].thread, NULL, pull_side, &pullers[i]);
    }
    for (unsigned i = 0; i < PUSHERS; i++) {
        pushers[i] = (side){.line = &line, .number = i, .count = count};
        pushers[i].wares = calloc(count, sizeof(ware));
        chance_split(&pushers[i].luck, &luck, PULLERS + i);
        pthread_create(&pushers[i].thread, NULL, push_side, &pushers[i]);
    }
    for (unsigned i = 0; i < PULLERS; i++) {
        pthread_join(pullers[i].thread, NULL);
        pulled += pullers[i].count;
        disorder += pullers[i].sum;
    }
    for (unsigned i = 0; i < PUSHERS; i++) {
        pthread_join(pushers[i].thread, NULL);
        free(pushers[i].wares);
    }
    ck_assert_msg(pulled == count * PUSHERS && disorder == 0,
                  "seed %" PRIu64 ": %u pulled, %u out of order", luck.seed, pulled, disorder);
    ck_assert_uint_eq(dbal__line_count(&line), 0);
    ck_assert_ptr_null(dbal__line_pull(&line));
}
END_TEST

/* workers */

static dbal__line shared;
static latch begun = LATCH_INIT, go = LATCH_INIT;

static void
setup(void)
{
    dbal__line_init(&shared);
    latch_close(&begun);
    latch_close(&go);
    atomic_store(&order, 0);
}

static void
teardown(void)
{
}

static dbal__worker *
start(bool held)
{
    dbal__worker *worker = dbal__worker_start(&shared, held, "dbal-test", NULL);
    ck_assert_ptr_nonnull(worker);
    return worker;
}

static void
end(dbal__worker *worker)
{
    dbal__worker_stop(worker);
    ck_assert(dbal__worker_wait(worker, DBAL__NEVER));
    dbal__worker_release(worker);
}

/* Once it has nothing to do a worker parks by itself. */
static void
wait_parked(const dbal__worker *worker)
{
    int64_t deadline = dbal__after(dbal__monotonic(), 30);
    while (!dbal__worker_is_parked(worker)) {
        ck_assert_int_lt(dbal__monotonic(), deadline);
        sched_yield();
    }
}

START_TEST(worker_runs_its_own_work_before_shared_work)
{
    dbal__worker *worker = start(false);
    piece first = piece_of(&begun, &go), own[3], common[3];
    dbal__worker_push(worker, &first.work);
    latch_wait(&begun);
    for (int i = 0; i < 3; i++) {
        common[i] = piece_of(NULL, NULL);
        dbal__line_push(&shared, &common[i].work);
        own[i] = piece_of(NULL, NULL);
        dbal__worker_push(worker, &own[i].work);
    }
    latch_open(&go);
    end(worker);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(own[i].order, 1 + i);
        ck_assert_uint_eq(common[i].order, 4 + i);
    }
}
END_TEST

START_TEST(held_worker_leaves_the_shared_line_alone)
{
    dbal__worker *worker = start(true);
    piece common = piece_of(NULL, NULL), own = piece_of(NULL, NULL);
    dbal__line_push(&shared, &common.work);
    dbal__worker_push(worker, &own.work);
    wait_parked(worker);
    dbal__worker_wake(worker);
    end(worker);
    ck_assert_int_eq(atomic_load(&own.runs), 1);
    ck_assert_int_eq(atomic_load(&common.runs), 0);
    ck_assert_uint_eq(dbal__line_count(&shared), 1);
    ck_assert_ptr_eq(dbal__line_pull(&shared), &common.work);
}
END_TEST

START_TEST(worker_held_no_more_takes_what_is_on_the_shared_line)
{
    dbal__worker *worker = start(true);
    piece common = piece_of(&begun, NULL);
    dbal__line_push(&shared, &common.work);
    wait_parked(worker);
    atomic_store(&worker->held, false);
    dbal__worker_wake(worker);
    latch_wait(&begun);
    end(worker);
    ck_assert_int_eq(atomic_load(&common.runs), 1);
}
END_TEST

START_TEST(stopped_worker_ends_its_own_line_first)
{
    dbal__worker *worker = start(false);
    piece first = piece_of(&begun, &go), own[20];
    dbal__worker_push(worker, &first.work);
    latch_wait(&begun);
    for (int i = 0; i < 20; i++) {
        own[i] = piece_of(NULL, NULL);
        dbal__worker_push(worker, &own[i].work);
    }
    dbal__worker_stop(worker);
    ck_assert(!dbal__worker_wait(worker, dbal__after(dbal__monotonic(), 0.001)));
    latch_open(&go);
    ck_assert(dbal__worker_wait(worker, DBAL__NEVER));
    dbal__worker_release(worker);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(own[i].order, i + 1);
}
END_TEST

static sigset_t blocked;

static void
look_at_signals(dbal__work *work, dbal__worker *worker)
{
    (void)work;
    (void)worker;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
}

START_TEST(worker_blocks_signals_and_its_maker_does_not)
{
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    dbal__worker *worker = start(false);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    dbal__work look = {NULL, look_at_signals};
    dbal__worker_push(worker, &look);
    end(worker);
    for (int i = 1; i < SIGRTMAX; i++) {
        ck_assert_int_eq(sigismember(&before, i), sigismember(&after, i));
        if (i != SIGKILL && i != SIGSTOP && (i < 32 || i >= SIGRTMIN))
            ck_assert_msg(sigismember(&blocked, i) == 1, "signal %d", i);
    }
}
END_TEST

START_TEST(worker_that_is_let_go_frees_itself_when_it_comes_back)
{
    alloc_fault_install();
    dbal__worker *worker = start(false);
    piece hangs = piece_of(&begun, &go);
    dbal__worker_push(worker, &hangs.work);
    latch_wait(&begun);
    dbal__worker_stop(worker);
    ck_assert(!dbal__worker_wait(worker, 0));
    dbal__worker_release(worker);
    ck_assert_int_eq(alloc_fault_live(), 1);
    latch_open(&go);
    while (alloc_fault_live() != 0)
        sched_yield();
    alloc_fault_remove();
}
END_TEST

START_TEST(worker_without_memory_is_none)
{
    alloc_fault_install();
    alloc_fault_fail(1);
    ck_assert_ptr_null(dbal__worker_start(&shared, false, "dbal-test", NULL));
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_int_eq(alloc_fault_live(), 0);
    alloc_fault_remove();
}
END_TEST

/* Pushes at the very moment at which the worker falls asleep. */
START_TEST(no_work_is_left_lying_before_a_sleeping_worker)
{
    dbal__worker *worker = start(false);
    chance_init(&luck);
    for (unsigned round = chance_rounds(20000); round > 0; round--) {
        piece one = piece_of(NULL, NULL);
        int64_t deadline = dbal__after(dbal__monotonic(), 20);
        if (chance_below(&luck, 2)) {
            dbal__worker_push(worker, &one.work);
        } else {
            dbal__line_push(&shared, &one.work);
            dbal__worker_wake(worker);
        }
        while (atomic_load(&one.runs) == 0)
            ck_assert_msg(dbal__monotonic() < deadline, "seed %" PRIu64 ": %u left", luck.seed,
                          round);
        for (unsigned i = chance_below(&luck, 300); i > 0; i--)
            atomic_load(&one.runs);
    }
    end(worker);
}
END_TEST

/* what comes back from a worker */

static void
publish_piece(dbal__work *work, dbal__worker *worker)
{
    piece *one = DBAL__OF(work, piece, work);
    run_piece(work, worker);
    dbal__worker_publish(worker, worker->owner, &one->message, false);
}

START_TEST(inbox_is_woken_when_its_worker_falls_asleep_or_has_many)
{
    enum { MANY = 200, BATCH = 32 };
    dbal__inbox *inbox = dbal__inbox_new();
    dbal__worker *worker = dbal__worker_start(NULL, false, "dbal-test", inbox);
    piece all[MANY], hangs = piece_of(NULL, &go);
    hangs.work.run = run_piece;
    for (int i = 0; i < MANY; i++) {
        all[i] = piece_of(NULL, NULL);
        all[i].work.run = publish_piece;
    }
    dbal__worker_push(worker, &all[0].work);
    dbal__inbox_sleep(inbox, DBAL__NEVER);
    ck_assert_ptr_eq(dbal__inbox_take(inbox), &all[0].message);
    /* many, and then one that never parks: those before it are told of */
    for (int i = 1; i < MANY; i++)
        dbal__worker_push(worker, &all[i].work);
    dbal__worker_push(worker, &hangs.work);
    int64_t deadline = dbal__after(dbal__monotonic(), 30);
    unsigned got = 0;
    /* all but what is less than a batch, however often it slept in between */
    while (got < MANY - BATCH) {
        dbal__inbox_sleep(inbox, deadline);
        ck_assert_int_lt(dbal__monotonic(), deadline);
        for (dbal__message *one = dbal__inbox_take(inbox); one != NULL; one = one->next)
            got++;
    }
    latch_open(&go);
    end(worker);
    for (dbal__message *one = dbal__inbox_take(inbox); one != NULL; one = one->next)
        got++;
    ck_assert_uint_eq(got, MANY - 1);
    dbal__inbox_unref(inbox);
}
END_TEST

/* Results of one worker go to two inboxes by turns; none may wait for the other's. */
START_TEST(worker_tells_one_inbox_before_it_turns_to_another)
{
    dbal__inbox *inboxes[] = {dbal__inbox_new(), dbal__inbox_new()};
    dbal__worker *worker = dbal__worker_start(NULL, false, "dbal-test", inboxes[0]);
    piece one = piece_of(NULL, NULL), other = piece_of(&begun, &go);
    one.work.run = publish_piece;
    other.work.run = publish_piece;
    dbal__worker_push(worker, &one.work);
    dbal__inbox_sleep(inboxes[0], DBAL__NEVER);
    wait_parked(worker);
    atomic_store(&worker->owner, inboxes[1]);
    dbal__worker_push(worker, &other.work);
    latch_wait(&begun);
    latch_open(&go);
    dbal__inbox_sleep(inboxes[1], DBAL__NEVER);
    ck_assert_ptr_eq(dbal__inbox_take(inboxes[0]), &one.message);
    ck_assert_ptr_eq(dbal__inbox_take(inboxes[1]), &other.message);
    end(worker);
    ck_assert_uint_eq(atomic_load(&inboxes[0]->refs), 1);
    ck_assert_uint_eq(atomic_load(&inboxes[1]->refs), 1);
    dbal__inbox_unref(inboxes[0]);
    dbal__inbox_unref(inboxes[1]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("worker");
    const TTest *const tests[] = {
        line_gives_the_oldest_first,
        line_keeps_the_order_of_what_is_put_there_together,
        sweep_takes_out_what_fits,
        sweep_gives_up_while_another_pulls,
        line_between_many_threads_loses_and_doubles_nothing,
        worker_runs_its_own_work_before_shared_work,
        held_worker_leaves_the_shared_line_alone,
        worker_held_no_more_takes_what_is_on_the_shared_line,
        stopped_worker_ends_its_own_line_first,
        worker_blocks_signals_and_its_maker_does_not,
        worker_that_is_let_go_frees_itself_when_it_comes_back,
        worker_without_memory_is_none,
        no_work_is_left_lying_before_a_sleeping_worker,
        inbox_is_woken_when_its_worker_falls_asleep_or_has_many,
        worker_tells_one_inbox_before_it_turns_to_another,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
