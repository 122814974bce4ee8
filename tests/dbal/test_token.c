/* The token: one holder at a time, in the order of asking, whatever thread asks. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/clock.h"
#include "dbal/token.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/chance.h"
#include "tests/lib/latch.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"

typedef struct wish {
    dbal__claim *claim;
    const char *name;
} wish;

static dbal__inbox *inbox;
static dbal__token *token;

static void
granted(void *arg)
{
    trace_add("%s!", (const char *)arg);
}

static bool
ask_from(wish *one, const char *name, dbal__inbox *from)
{
    one->name = name;
    one->claim = dbal__claim_new(from, granted, (void *)(uintptr_t)name);
    ck_assert_ptr_nonnull(one->claim);
    return dbal__token_claim(token, one->claim);
}

static bool
ask(wish *one, const char *name)
{
    return ask_from(one, name, inbox);
}

/* It has been granted, or is the test's for another reason. */
static void
end(wish *one)
{
    dbal__claim_free(one->claim);
}

static void
deliver_all(dbal__inbox *from)
{
    dbal__message *message = dbal__inbox_take(from);
    while (message != NULL) {
        dbal__message *next = message->next;
        message->deliver(message);
        message = next;
    }
}

static void
setup(void)
{
    inbox = dbal__inbox_new();
    token = dbal__token_get("test", 4);
    ck_assert_ptr_nonnull(token);
    trace_clear();
}

static void
teardown(void)
{
    /* each test gives back what it was granted */
    wish one;
    ck_assert(ask(&one, "end"));
    dbal__token_release(token);
    end(&one);
    dbal__inbox_unref(inbox);
}

START_TEST(token_is_known_by_its_bytes)
{
    static const char same[] = {'t', 'e', 's', 't'};
    ck_assert_ptr_eq(dbal__token_get(same, 4), token);
    ck_assert_ptr_ne(dbal__token_get("tesT", 4), token);
    ck_assert_ptr_ne(dbal__token_get("tes", 3), token);
    ck_assert_ptr_ne(dbal__token_get("test\0", 5), token);
    ck_assert_ptr_eq(dbal__token_get("a\0b", 3), dbal__token_get("a\0b", 3));
    ck_assert_ptr_ne(dbal__token_get("a\0b", 3), dbal__token_get("a\0c", 3));
    ck_assert_ptr_eq(dbal__token_get("", 0), dbal__token_get("", 0));
}
END_TEST

START_TEST(token_without_memory_is_none)
{
    alloc_fault_install();
    alloc_fault_fail(1);
    ck_assert_ptr_null(dbal__token_get("never seen", 10));
    ck_assert_ptr_eq(dbal__token_get("test", 4), token);
    alloc_fault_remove();
}
END_TEST

START_TEST(claim_without_memory_is_none)
{
    alloc_fault_install();
    alloc_fault_fail(1);
    ck_assert_ptr_null(dbal__claim_new(inbox, granted, NULL));
    alloc_fault_remove();
    dbal__claim_free(NULL);
}
END_TEST

START_TEST(free_token_is_granted_at_once_and_silently)
{
    wish a;
    ck_assert(ask(&a, "a"));
    ck_assert(!dbal__claim_withdraw(a.claim));
    deliver_all(inbox);
    TRACE_EQ("");
    dbal__token_release(token);
    /* it may ask again */
    ck_assert(dbal__token_claim(token, a.claim));
    dbal__token_release(token);
    end(&a);
}
END_TEST

START_TEST(those_who_wait_are_granted_in_order)
{
    wish a, b, c, d;
    ck_assert(ask(&a, "a"));
    ck_assert(!ask(&b, "b"));
    ck_assert(!ask(&c, "c"));
    deliver_all(inbox);
    TRACE_EQ("");
    dbal__token_release(token);
    ck_assert(!ask(&d, "d"));
    deliver_all(inbox);
    TRACE_EQ("b!");
    dbal__token_release(token);
    dbal__token_release(token);
    deliver_all(inbox);
    TRACE_EQ("b! c! d!");
    dbal__token_release(token);
    end(&a), end(&b), end(&c), end(&d);
}
END_TEST

START_TEST(withdrawn_claim_is_passed_over_and_freed)
{
    wish a, b, c;
    alloc_fault_install();
    ask(&a, "a");
    ask(&b, "b");
    ask(&c, "c");
    ck_assert(dbal__claim_withdraw(b.claim));
    deliver_all(inbox);
    TRACE_EQ("");
    dbal__token_release(token);
    deliver_all(inbox);
    TRACE_EQ("c!");
    dbal__token_release(token);
    end(&a), end(&c);
    ck_assert_int_eq(alloc_fault_live(), 0);
    alloc_fault_remove();
}
END_TEST

START_TEST(withdrawn_as_the_last_leaves_the_token_free)
{
    wish a, b, c;
    ask(&a, "a");
    ask(&b, "b");
    ck_assert(dbal__claim_withdraw(b.claim));
    dbal__token_release(token);
    ck_assert(ask(&c, "c"));
    deliver_all(inbox);
    TRACE_EQ("");
    dbal__token_release(token);
    end(&a), end(&c);
}
END_TEST

START_TEST(granted_claim_cannot_be_withdrawn)
{
    wish a, b;
    ask(&a, "a");
    ask(&b, "b");
    ck_assert(!dbal__claim_withdraw(a.claim));
    dbal__token_release(token);
    /* on its way already */
    ck_assert(!dbal__claim_withdraw(b.claim));
    deliver_all(inbox);
    TRACE_EQ("b!");
    dbal__token_release(token);
    end(&a), end(&b);
}
END_TEST

START_TEST(claim_of_a_loop_that_ended_is_passed_over)
{
    dbal__inbox *gone = dbal__inbox_new();
    wish a, b, c;
    ask(&a, "a");
    ck_assert(!ask_from(&b, "b", gone));
    ask(&c, "c");
    ck_assert_ptr_null(dbal__inbox_close(gone));
    dbal__token_release(token);
    deliver_all(inbox);
    TRACE_EQ("c!");
    dbal__token_release(token);
    dbal__inbox_unref(gone);
    end(&a), end(&b), end(&c);
}
END_TEST

/* many threads, each a loop with claims of its own */

enum { LOOPS = 4, CLAIMS = 3, ROUNDS = 4000 };

typedef struct seeker seeker;

typedef struct want {
    dbal__claim *claim;
    seeker *by;
    bool out; /* asked for, and not granted yet */
} want;

struct seeker {
    pthread_t thread;
    dbal__inbox *inbox;
    chance luck;
    unsigned left, grants, withdrawals;
    want wants[CLAIMS];
};

static atomic_int holders;
static atomic_uint wrong;
static latch start = LATCH_INIT;

static void
hold_it(seeker *by)
{
    atomic_fetch_add(&wrong, atomic_fetch_add(&holders, 1) != 0);
    by->grants++;
    if (chance_below(&by->luck, 4) == 0)
        sched_yield();
    atomic_fetch_sub(&holders, 1);
    dbal__token_release(token);
}

static void
want_granted(void *arg)
{
    want *one = arg;
    atomic_fetch_add(&wrong, !one->out);
    one->out = false;
    hold_it(one->by);
}

static void
withdraw(seeker *by, want *one)
{
    if (!dbal__claim_withdraw(one->claim))
        return;
    by->withdrawals++;
    one->out = false;
    one->claim = dbal__claim_new(by->inbox, want_granted, one);
}

/* Asks for what it has not asked for, withdraws from what it has. */
static void
touch(seeker *by, want *one)
{
    if (one->out) {
        withdraw(by, one);
    } else if (by->left > 0) {
        by->left--;
        one->out = true;
        if (dbal__token_claim(token, one->claim)) {
            one->out = false;
            hold_it(by);
        }
    }
}

static bool
has_any_out(const seeker *by)
{
    for (int i = 0; i < CLAIMS; i++) {
        if (by->wants[i].out)
            return true;
    }
    return false;
}

static void *
seek(void *arg)
{
    seeker *by = arg;
    latch_wait(&start);
    while (by->left > 0) {
        touch(by, &by->wants[chance_below(&by->luck, CLAIMS)]);
        if (chance_below(&by->luck, 3) != 0)
            deliver_all(by->inbox);
    }
    int64_t deadline = dbal__after(dbal__monotonic(), 20);
    while (has_any_out(by) && dbal__monotonic() < deadline) {
        dbal__inbox_sleep(by->inbox, deadline);
        deliver_all(by->inbox);
    }
    return NULL;
}

START_TEST(many_threads_have_one_holder_and_lose_no_claim)
{
    static seeker all[LOOPS];
    chance luck;
    unsigned rounds = chance_rounds(ROUNDS);
    chance_init(&luck);
    atomic_store(&wrong, 0);
    latch_close(&start);
    for (unsigned i = 0; i < LOOPS; i++) {
        all[i] = (seeker){.inbox = dbal__inbox_new(), .left = rounds};
        chance_split(&all[i].luck, &luck, i);
        for (int j = 0; j < CLAIMS; j++) {
            all[i].wants[j].by = &all[i];
            all[i].wants[j].claim = dbal__claim_new(all[i].inbox, want_granted, &all[i].wants[j]);
        }
        ck_assert_int_eq(pthread_create(&all[i].thread, NULL, seek, &all[i]), 0);
    }
    latch_open(&start);
    for (unsigned i = 0; i < LOOPS; i++)
        pthread_join(all[i].thread, NULL);
    for (unsigned i = 0; i < LOOPS; i++) {
        ck_assert_msg(!has_any_out(&all[i]) && all[i].grants + all[i].withdrawals == rounds,
                      "seed %" PRIu64 ": %u granted and %u withdrawn of %u", luck.seed,
                      all[i].grants, all[i].withdrawals, rounds);
        for (int j = 0; j < CLAIMS; j++)
            dbal__claim_free(all[i].wants[j].claim);
        dbal__inbox_unref(all[i].inbox);
    }
    ck_assert_msg(atomic_load(&wrong) == 0, "seed %" PRIu64 ": %u", luck.seed, atomic_load(&wrong));
}
END_TEST

static void *
get_token(void *arg)
{
    latch_wait(&start);
    return dbal__token_get(arg, strlen(arg));
}

START_TEST(many_threads_that_ask_first_get_one_token)
{
    for (unsigned round = chance_rounds(100); round > 0; round--) {
        pthread_t threads[LOOPS];
        void *got[LOOPS];
        char name[32];
        snprintf(name, sizeof name, "first %u", round);
        latch_close(&start);
        for (int i = 0; i < LOOPS; i++)
            pthread_create(&threads[i], NULL, get_token, name);
        latch_open(&start);
        for (int i = 0; i < LOOPS; i++)
            pthread_join(threads[i], &got[i]);
        for (int i = 0; i < LOOPS; i++)
            ck_assert_ptr_eq(got[i], got[0]);
    }
}
END_TEST

/*
 * One releases at the very moment at which another asks, with nobody else whose asking would make
 * up for it.
 */
enum { MEETINGS = 20000 };

static atomic_uint releaser_at, asker_at;
static atomic_bool given_up;

static void
wait_at(atomic_uint *mine, atomic_uint *other, unsigned round)
{
    atomic_store(mine, round);
    while (atomic_load(other) < round && !atomic_load(&given_up))
        sched_yield();
}

static void
idle(unsigned steps)
{
    while (steps-- > 0)
        atomic_load(&given_up);
}

static void *
release_again_and_again(void *arg)
{
    chance mine;
    chance_split(&mine, arg, 1);
    for (unsigned round = 1; round <= chance_rounds(MEETINGS); round++) {
        wait_at(&releaser_at, &asker_at, 2 * round - 1);
        idle(chance_below(&mine, 40));
        dbal__token_release(token);
        wait_at(&releaser_at, &asker_at, 2 * round);
    }
    return NULL;
}

static bool
ask_and_wait(dbal__claim *claim)
{
    if (dbal__token_claim(token, claim))
        return true;
    int64_t deadline = dbal__after(dbal__monotonic(), 10);
    trace_clear();
    while (*trace == '\0' && dbal__monotonic() < deadline) {
        dbal__inbox_sleep(inbox, deadline);
        deliver_all(inbox);
    }
    return *trace != '\0';
}

START_TEST(token_released_as_another_asks_is_not_left_lying)
{
    chance luck;
    pthread_t releaser;
    wish one;
    chance_init(&luck);
    atomic_store(&releaser_at, 0);
    atomic_store(&asker_at, 0);
    atomic_store(&given_up, false);
    ck_assert(ask(&one, "a"));
    pthread_create(&releaser, NULL, release_again_and_again, &luck);
    unsigned rounds = chance_rounds(MEETINGS), round = 1;
    for (; round <= rounds && !atomic_load(&given_up); round++) {
        wait_at(&asker_at, &releaser_at, 2 * round - 1);
        idle(chance_below(&luck, 40));
        atomic_store(&given_up, !ask_and_wait(one.claim));
        wait_at(&asker_at, &releaser_at, 2 * round);
    }
    pthread_join(releaser, NULL);
    ck_assert_msg(!atomic_load(&given_up), "seed %" PRIu64 ": round %u of %u", luck.seed, round,
                  rounds);
    dbal__token_release(token);
    end(&one);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("token");
    const TTest *const tests[] = {
        token_is_known_by_its_bytes,
        token_without_memory_is_none,
        claim_without_memory_is_none,
        free_token_is_granted_at_once_and_silently,
        those_who_wait_are_granted_in_order,
        withdrawn_claim_is_passed_over_and_freed,
        withdrawn_as_the_last_leaves_the_token_free,
        granted_claim_cannot_be_withdrawn,
        claim_of_a_loop_that_ended_is_passed_over,
        many_threads_have_one_holder_and_lose_no_claim,
        many_threads_that_ask_first_get_one_token,
        token_released_as_another_asks_is_not_left_lying,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
