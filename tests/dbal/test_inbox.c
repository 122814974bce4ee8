/* The inbox: what many threads hand in arrives once, in order, and never unannounced. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>

#include "dbal/clock.h"
#include "dbal/inbox.h"
#include "dbal/list.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/chance.h"
#include "tests/lib/latch.h"
#include "tests/lib/suite.h"

typedef struct letter {
    dbal__message message;
    unsigned producer, number;
} letter;

static void
never_delivered(dbal__message *message)
{
    (void)message;
}

static void
letter_init(letter *one, unsigned producer, unsigned number)
{
    *one = (letter){.message = {NULL, never_delivered}, .producer = producer, .number = number};
}

static letter *
letter_of(dbal__message *message)
{
    return DBAL__OF(message, letter, message);
}

static bool
is_signalled(dbal__inbox *inbox, int milliseconds)
{
    struct pollfd one = {.fd = inbox->fd, .events = POLLIN};
    return poll(&one, 1, milliseconds) == 1;
}

static unsigned
length(dbal__message *message)
{
    unsigned count = 0;
    for (; message != NULL; message = message->next)
        count++;
    return count;
}

/* by one thread */

START_TEST(messages_are_taken_oldest_first_and_once)
{
    dbal__inbox *inbox = dbal__inbox_new();
    letter letters[3];
    ck_assert_ptr_null(dbal__inbox_take(inbox));
    for (unsigned i = 0; i < 3; i++) {
        letter_init(&letters[i], 0, i);
        ck_assert(dbal__inbox_push(inbox, &letters[i].message));
    }
    dbal__message *message = dbal__inbox_take(inbox);
    for (unsigned i = 0; i < 3; i++, message = message->next)
        ck_assert_ptr_eq(message, &letters[i].message);
    ck_assert_ptr_null(message);
    ck_assert_ptr_null(dbal__inbox_take(inbox));
    dbal__inbox_unref(inbox);
}
END_TEST

START_TEST(push_is_silent_and_wake_is_heard_until_acknowledged)
{
    dbal__inbox *inbox = dbal__inbox_new();
    letter one;
    letter_init(&one, 0, 0);
    dbal__inbox_push(inbox, &one.message);
    ck_assert(!is_signalled(inbox, 0));
    dbal__inbox_wake(inbox);
    dbal__inbox_wake(inbox);
    ck_assert(is_signalled(inbox, 0));
    dbal__inbox_acknowledge(inbox);
    ck_assert(!is_signalled(inbox, 0));
    dbal__inbox_acknowledge(inbox);
    dbal__inbox_wake(inbox);
    ck_assert(is_signalled(inbox, 0));
    ck_assert_uint_eq(length(dbal__inbox_take(inbox)), 1);
    dbal__inbox_unref(inbox);
}
END_TEST

START_TEST(closed_inbox_gives_the_rest_and_refuses)
{
    dbal__inbox *inbox = dbal__inbox_new();
    letter letters[3];
    for (unsigned i = 0; i < 3; i++)
        letter_init(&letters[i], 0, i);
    dbal__inbox_push(inbox, &letters[0].message);
    dbal__inbox_push(inbox, &letters[1].message);
    dbal__message *rest = dbal__inbox_close(inbox);
    ck_assert_ptr_eq(rest, &letters[0].message);
    ck_assert_ptr_eq(rest->next, &letters[1].message);
    ck_assert_ptr_null(rest->next->next);
    ck_assert(!dbal__inbox_push(inbox, &letters[2].message));
    ck_assert_ptr_null(dbal__inbox_take(inbox));
    ck_assert_ptr_null(dbal__inbox_close(inbox));
    ck_assert(!dbal__inbox_push(inbox, &letters[2].message));
    dbal__inbox_wake(inbox);
    dbal__inbox_unref(inbox);
}
END_TEST

START_TEST(descriptor_lives_as_long_as_the_last_reference)
{
    alloc_fault_install();
    dbal__inbox *inbox = dbal__inbox_new();
    int fd = inbox->fd;
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert_ptr_eq(dbal__inbox_ref(inbox), inbox);
    dbal__inbox_unref(inbox);
    ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
    dbal__inbox_unref(inbox);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    dbal__inbox_unref(NULL);
    ck_assert_int_eq(alloc_fault_live(), 0);
    alloc_fault_fail(1);
    ck_assert_ptr_null(dbal__inbox_new());
    alloc_fault_remove();
}
END_TEST

START_TEST(sleep_ends_with_a_wake_or_at_its_deadline)
{
    dbal__inbox *inbox = dbal__inbox_new();
    int64_t deadline = dbal__monotonic() + 2000000;
    dbal__inbox_sleep(inbox, deadline);
    ck_assert_int_ge(dbal__monotonic(), deadline);
    dbal__inbox_sleep(inbox, 0);
    dbal__inbox_wake(inbox);
    dbal__inbox_sleep(inbox, DBAL__NEVER);
    ck_assert(!is_signalled(inbox, 0));
    /* it has acknowledged: the next wake is heard again */
    dbal__inbox_wake(inbox);
    dbal__inbox_sleep(inbox, DBAL__NEVER);
    dbal__inbox_unref(inbox);
}
END_TEST

/* What another thread does while the loop is in the midst of acknowledging; see the build file. */

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);

static _Thread_local dbal__inbox *meddled;
static letter before_read, after_read;

ssize_t
__wrap_read(int fd, void *to, size_t size)
{
    dbal__inbox *inbox = meddled;
    if (inbox == NULL)
        return __real_read(fd, to, size);
    dbal__inbox_push(inbox, &before_read.message);
    dbal__inbox_wake(inbox);
    ssize_t got = __real_read(fd, to, size);
    dbal__inbox_push(inbox, &after_read.message);
    dbal__inbox_wake(inbox);
    return got;
}

START_TEST(wake_in_the_midst_of_acknowledging_is_heard)
{
    dbal__inbox *inbox = dbal__inbox_new();
    letter one, last;
    letter_init(&one, 0, 0);
    letter_init(&last, 0, 1);
    letter_init(&before_read, 1, 0);
    letter_init(&after_read, 2, 0);
    dbal__inbox_push(inbox, &one.message);
    dbal__inbox_wake(inbox);
    meddled = inbox;
    dbal__inbox_acknowledge(inbox);
    meddled = NULL;
    unsigned got = length(dbal__inbox_take(inbox));
    ck_assert(got == 3 || is_signalled(inbox, 0));
    got += length(dbal__inbox_take(inbox));
    ck_assert_uint_eq(got, 3);
    dbal__inbox_push(inbox, &last.message);
    dbal__inbox_wake(inbox);
    ck_assert(is_signalled(inbox, 0));
    dbal__inbox_unref(inbox);
}
END_TEST

/* by many */

enum { PRODUCERS = 4, LETTERS = 20000, BURST = 5 };

typedef struct producer {
    pthread_t thread;
    dbal__inbox *inbox;
    chance luck;
    unsigned number, count;
    letter *letters;
    bool refused;
} producer;

static chance luck;
static latch start = LATCH_INIT;

/* Wakes after each burst, as gate threads do. */
static void *
produce(void *arg)
{
    producer *one = arg;
    latch_wait(&start);
    for (unsigned i = 0; i < one->count;) {
        for (unsigned burst = 1 + chance_below(&one->luck, BURST); burst > 0 && i < one->count;
             burst--, i++)
            ck_assert(dbal__inbox_push(one->inbox, &one->letters[i].message));
        dbal__inbox_wake(one->inbox);
        if (chance_below(&one->luck, 16) == 0)
            sched_yield();
    }
    return NULL;
}

static void
producers_start(producer *all, dbal__inbox *inbox, unsigned count, void *(*run)(void *arg))
{
    chance_init(&luck);
    latch_close(&start);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        all[i] = (producer){.inbox = inbox, .number = i, .count = count};
        chance_split(&all[i].luck, &luck, i);
        all[i].letters = calloc(count, sizeof(letter));
        for (unsigned j = 0; j < count; j++)
            letter_init(&all[i].letters[j], i, j);
        ck_assert_int_eq(pthread_create(&all[i].thread, NULL, run, &all[i]), 0);
    }
    latch_open(&start);
}

static void
producers_join(producer *all)
{
    for (unsigned i = 0; i < PRODUCERS; i++) {
        pthread_join(all[i].thread, NULL);
        free(all[i].letters);
    }
}

/* Counts what was taken; each producer's must come in its order. */
static unsigned
tick_off(dbal__message *message, unsigned *seen)
{
    unsigned count = 0;
    for (; message != NULL; message = message->next, count++) {
        letter *one = letter_of(message);
        ck_assert_msg(one->number == seen[one->producer],
                      "seed %" PRIu64 ": producer %u's letter %u came when %u was due", luck.seed,
                      one->producer, one->number, seen[one->producer]);
        seen[one->producer]++;
    }
    return count;
}

START_TEST(no_letter_and_no_wake_is_ever_lost)
{
    dbal__inbox *inbox = dbal__inbox_new();
    producer all[PRODUCERS];
    unsigned seen[PRODUCERS] = {0}, count = chance_rounds(LETTERS), left = count * PRODUCERS;
    producers_start(all, inbox, count, produce);
    while (left > 0) {
        /* the loop sleeps until it is told; a lost wake-up shows here */
        ck_assert_msg(is_signalled(inbox, 20000),
                      "seed %" PRIu64 ": %u are left and nobody says so", luck.seed, left);
        dbal__inbox_acknowledge(inbox);
        left -= tick_off(dbal__inbox_take(inbox), seen);
    }
    producers_join(all);
    dbal__inbox_unref(inbox);
}
END_TEST

/* Pushes until it is refused, and counts what was not. */
static void *
produce_until_refused(void *arg)
{
    producer *one = arg;
    unsigned count = 0;
    latch_wait(&start);
    while (count < one->count && dbal__inbox_push(one->inbox, &one->letters[count].message)) {
        count++;
        dbal__inbox_wake(one->inbox);
    }
    one->refused = count < one->count;
    one->count = count;
    return NULL;
}

START_TEST(close_in_the_midst_loses_nothing_that_was_accepted)
{
    for (unsigned round = chance_rounds(50); round > 0; round--) {
        dbal__inbox *inbox = dbal__inbox_new();
        producer all[PRODUCERS];
        unsigned seen[PRODUCERS] = {0};
        producers_start(all, inbox, LETTERS / 10, produce_until_refused);
        for (unsigned i = chance_below(&luck, 50); i > 0; i--)
            tick_off(dbal__inbox_take(inbox), seen);
        dbal__message *rest = dbal__inbox_close(inbox);
        for (unsigned i = 0; i < PRODUCERS; i++)
            pthread_join(all[i].thread, NULL);
        tick_off(rest, seen);
        ck_assert_ptr_null(dbal__inbox_take(inbox));
        for (unsigned i = 0; i < PRODUCERS; i++) {
            ck_assert_msg(seen[i] == all[i].count, "seed %" PRIu64 ": %u of %u", luck.seed, seen[i],
                          all[i].count);
            free(all[i].letters);
        }
        dbal__inbox_unref(inbox);
    }
}
END_TEST

/* The last reference may be anybody's. */
static void *
push_late(void *arg)
{
    producer *one = arg;
    latch_wait(&start);
    one->refused = !dbal__inbox_push(one->inbox, &one->letters[0].message);
    dbal__inbox_wake(one->inbox);
    dbal__inbox_unref(one->inbox);
    return NULL;
}

START_TEST(thread_that_comes_back_late_finds_a_closed_inbox)
{
    dbal__inbox *inbox = dbal__inbox_new();
    producer all[PRODUCERS];
    for (unsigned i = 0; i < PRODUCERS; i++)
        dbal__inbox_ref(inbox);
    ck_assert_ptr_null(dbal__inbox_close(inbox));
    producers_start(all, inbox, 1, push_late);
    dbal__inbox_unref(inbox);
    producers_join(all);
    for (unsigned i = 0; i < PRODUCERS; i++)
        ck_assert(all[i].refused);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("inbox");
    const TTest *const tests[] = {
        messages_are_taken_oldest_first_and_once,
        push_is_silent_and_wake_is_heard_until_acknowledged,
        closed_inbox_gives_the_rest_and_refuses,
        descriptor_lives_as_long_as_the_last_reference,
        sleep_ends_with_a_wake_or_at_its_deadline,
        wake_in_the_midst_of_acknowledging_is_heard,
        no_letter_and_no_wake_is_ever_lost,
        close_in_the_midst_loses_nothing_that_was_accepted,
        thread_that_comes_back_late_finds_a_closed_inbox,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], NULL, NULL);
    return suite_run(suite);
}
