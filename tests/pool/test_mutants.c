/*
 * Gates that break what they promise, one rule each: dbal's checks of entries find every one of them.
 * A pool is made for one level and its entries are held to a lower one, so that what it does with its
 * threads is wrong; what no pool can be made to do is done by hand.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "dbal/channel.h"
#include "dbal/runner.h"
#include "pool/pool.h"
#include "tests/lib/fake_config.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/lib/witness.h"
#include "tests/pool/pool_fixture.h"

#ifdef DBAL_CHECKS
static const bool CHECKED = true;
#else
static const bool CHECKED = false;
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned breaches;
static char operation[32], what[128];

static void
on_breach(const char *driver, const char *the_operation, const char *the_what, uintptr_t here,
          uintptr_t other)
{
    (void)driver, (void)here, (void)other;
    pthread_mutex_lock(&lock);
    if (breaches++ == 0) {
        snprintf(operation, sizeof operation, "%s", the_operation);
        snprintf(what, sizeof what, "%s", the_what);
    }
    pthread_mutex_unlock(&lock);
}

static void
setup(void)
{
    pool_fixture_init();
    breaches = 0;
    dbal__entry_set_breach(on_breach);
    witness_watch();
}

/* What was broken is not the next one's. */
static void
teardown(void)
{
    dbal__driver_entry *entry = dbal__driver_find("fake");
    pool_fixture_fini();
    dbal__entry_set_breach(NULL);
    witness_judge(3, true);
    entry->driver->blocking->library_exit();
    entry->initialized = false;
    entry->users = 0;
    memset(&entry->entry, 0, sizeof entry->entry);
}

/* The first breach was this one. */
static void
reported(const char *the_operation, const char *the_what)
{
    if (!CHECKED)
        return;
    ck_assert_uint_gt(breaches, 0);
    ck_assert_str_eq(operation, the_operation);
    ck_assert_msg(strstr(what, the_what) != NULL, "\"%s\" says nothing of \"%s\"", what, the_what);
}

/* The same; and the witness has seen it, too. */
static void
caught(const char *the_operation, const char *the_what, int level, bool parallel)
{
    ck_assert_uint_gt(witness_judge(level, parallel).violations, 0);
    reported(the_operation, the_what);
}

/* ---- pools ---- */

/* Made as its parameters say, and held to another level. */
static void
open_mutant(const char *parameters, int level)
{
    open_pool("fake", parameters);
    pool->entry_level = level;
}

/* Two statements at once, and a few behind them, in whatever connections and threads there are. */
static void
keep_busy(void)
{
    seen first, second;
    watch(ask("wait a"), &first);
    watch(ask("wait b"), &second);
    until_count(&script->waiting, 2);
    fake_script_open_gate(script, "b");
    until_settled(&second);
    fake_script_open_gate(script, "a");
    until_settled(&first);
    for (int i = 0; i < 3; i++)
        good(ask("get"));
}

/* What is not broken is not reported: neither by dbal nor by the witness. */
static const struct sane {
    const char *parameters;
    int level;
    bool parallel;
} sane[] = {
    {"level=1", 1, false},
    {"level=2&pool_threads=2", 2, false},
    {"level=3&pool_threads=2", 3, false},
    {"level=3&parallel=on&interrupt=off&pool_threads=2&pool_max_size=1", 3, true},
};

START_TEST(what_is_not_broken_is_not_reported)
{
    for (size_t i = 0; i < sizeof sane / sizeof sane[0]; i++) {
        witness_watch();
        open_pool("fake", sane[i].parameters);
        keep_busy();
        fake_script_close_gate(script, "a");
        fake_script_close_gate(script, "b");
        good(dbal_pool_close(pool));
        witness_report report = witness_judge(sane[i].level, sane[i].parallel);
        ck_assert_msg(report.violations == 0, "%s", report.first);
        ck_assert_uint_eq(breaches, 0);
    }
}
END_TEST

START_TEST(level_0_second_thread_in_the_driver)
{
    open_mutant("level=1&pool_max_size=2", 0);
    dbal_pool_resize(pool, 2, 2, NULL);
    until_connections(2);
    good(dbal_pool_close(pool));
    caught("open", "belongs to another thread", 0, false);
}
END_TEST

START_TEST(level_0_two_threads_at_once_in_the_driver)
{
    open_mutant("level=1&pool_max_size=2&pool_min_size=2", 1);
    good(dbal_pool_ready(pool));
    /* only from here on, so that it is not the second open that is found */
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next)
        DBAL__OF(link, dbal__slot, link)->channel->threadlevel = 0;
    seen first, second;
    watch(ask("wait a"), &first);
    watch(ask("wait a"), &second);
    until_count(&script->waiting, 2);
    fake_script_open_gate(script, "a");
    until_settled(&first);
    until_settled(&second);
    good(dbal_pool_close(pool));
    caught("run", "at the same time", 0, false);
}
END_TEST

START_TEST(level_1_connection_used_by_another_thread)
{
    open_mutant("level=2&pool_threads=2&pool_max_size=2&pool_min_size=2", 1);
    good(dbal_pool_ready(pool));
    keep_busy();
    good(dbal_pool_close(pool));
    caught("run", "belongs to another thread", 1, false);
}
END_TEST

START_TEST(level_1_connection_closed_by_another_thread)
{
    open_mutant("level=2&pool_threads=2&pool_max_size=2", 1);
    seen first, second;
    /* the first connection is the first thread's, and the second the second's */
    watch(ask("wait a"), &first);
    watch(ask("wait b"), &second);
    until_count(&script->waiting, 2);
    fake_script_open_gate(script, "b");
    until_settled(&second);
    fake_script_open_gate(script, "a");
    until_settled(&first);
    ck_assert_uint_eq(breaches, 0);
    /* of the connections the second was used last, of the threads the first */
    good(dbal_pool_close(pool));
    caught("close", "belongs to another thread", 1, false);
}
END_TEST

START_TEST(level_2_two_threads_at_once_in_one_connection)
{
    open_mutant("level=3&parallel=on&interrupt=off&pool_threads=2&pool_max_size=1", 2);
    keep_busy();
    good(dbal_pool_close(pool));
    caught("run", "another thread is inside at the same time", 2, false);
}
END_TEST

START_TEST(level_3_two_threads_at_once_where_statements_are_not_parallel)
{
    open_mutant("level=3&parallel=on&interrupt=off&pool_threads=2&pool_max_size=1", 2);
    keep_busy();
    good(dbal_pool_close(pool));
    caught("run", "another thread is inside at the same time", 3, false);
}
END_TEST

/* ---- by hand ---- */

/* A connection that anybody may enter who likes to. */
typedef struct hand {
    dbal__channel channel;
    dbal__runner runner;
    void *config;
} hand;

static void
take_up(hand *self, int level)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_url *url = dbal__url_new("fake:pool?level=3&parallel=on", &fault);
    memset(self, 0, sizeof *self);
    self->config = fake_configure(url, &fault);
    dbal__url_free(url);
    ck_assert(dbal__channel_init(&self->channel, NULL, fixture.loop, dbal__driver_find("fake")));
    ck_assert(dbal__runner_init(&self->runner, &self->channel, false));
    self->channel.threadlevel = level;
    self->channel.opening.config = self->config;
    self->runner.interruptible = true;
}

static void
lay_down(hand *self)
{
    dbal__runner_fini(&self->runner);
    dbal__channel_fini(&self->channel);
    fake_configure_free(self->config);
}

static void
open_by_hand(hand *self)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    ck_assert(dbal__channel_enter_open(&self->channel, &fault));
}

static void
close_by_hand(hand *self)
{
    dbal__channel_enter_close(&self->channel);
}

static void
use(hand *self, const char *name)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__runner_enter(&self->runner, name);
    self->channel.driver->driver->blocking->ping(self->channel.connection, &fault);
    dbal__runner_leave(&self->runner);
}

static const dbal_blocking *
face(const hand *self)
{
    return self->channel.driver->driver->blocking;
}

/* A call that lasts until the gate "share" is opened. */
static void *
use_for_long(void *arg)
{
    hand *self = arg;
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_request request;
    memset(&request, 0, sizeof request);
    dbal__runner_enter(&self->runner, "share_begin");
    face(self)->share_begin(self->channel.connection, DBAL_SHARE_SNAPSHOT, &request, &fault);
    dbal__runner_leave(&self->runner);
    return NULL;
}

static void *
close_for_long(void *arg)
{
    close_by_hand(arg);
    return NULL;
}

/* Runs it in another thread, until it is at its gate. */
static pthread_t
start(void *(*fn)(void *arg), hand *self)
{
    pthread_t thread;
    pthread_create(&thread, NULL, fn, self);
    until_count(&script->waiting, 1);
    return thread;
}

static void
end(pthread_t thread, const char *gate)
{
    fake_script_open_gate(script, gate);
    pthread_join(thread, NULL);
}

/* It interrupts, whatever runs. */
static void
interrupt_by_hand(hand *self)
{
    atomic_store(&self->runner.current, 1);
    dbal__runner_interrupt(&self->runner, 1);
    atomic_store(&self->runner.current, 0);
}

START_TEST(by_hand_nothing_is_broken)
{
    hand one, other;
    take_up(&one, 3);
    take_up(&other, 3);
    open_by_hand(&one);
    open_by_hand(&other);
    script->hang_share = true;
    pthread_t thread = start(use_for_long, &one);
    use(&one, "ping");
    interrupt_by_hand(&one);
    end(thread, "share");
    close_by_hand(&other);
    close_by_hand(&one);
    ck_assert_msg(breaches == 0, "%s: %s", operation, what);
    witness_report report = witness_judge(3, true);
    ck_assert_msg(report.violations == 0, "%s", report.first);
    lay_down(&one);
    lay_down(&other);
}
END_TEST

START_TEST(level_3_close_while_a_statement_runs)
{
    hand one;
    take_up(&one, 3);
    open_by_hand(&one);
    script->hang_share = true;
    pthread_t thread = start(use_for_long, &one);
    close_by_hand(&one);
    end(thread, "share");
    caught("close", "something runs", 3, true);
    lay_down(&one);
}
END_TEST

START_TEST(level_3_statement_while_it_is_being_closed)
{
    hand one;
    take_up(&one, 3);
    open_by_hand(&one);
    script->hang_close = true;
    pthread_t thread = start(close_for_long, &one);
    use(&one, "ping");
    end(thread, "close");
    caught("ping", "is being closed", 3, true);
    lay_down(&one);
}
END_TEST

START_TEST(level_3_interrupt_while_it_is_being_closed)
{
    hand one;
    take_up(&one, 3);
    open_by_hand(&one);
    script->hang_close = true;
    pthread_t thread = start(close_for_long, &one);
    interrupt_by_hand(&one);
    end(thread, "close");
    caught("interrupt", "is being closed", 3, true);
    lay_down(&one);
}
END_TEST

START_TEST(interrupt_of_what_does_not_run)
{
    hand one;
    take_up(&one, 1);
    open_by_hand(&one);
    interrupt_by_hand(&one);
    close_by_hand(&one);
    reported("interrupt", "nothing runs");
    lay_down(&one);
}
END_TEST

START_TEST(used_before_it_is_open)
{
    hand one;
    take_up(&one, 2);
    use(&one, "ping");
    open_by_hand(&one);
    close_by_hand(&one);
    caught("ping", "is not open", 2, false);
    lay_down(&one);
}
END_TEST

START_TEST(used_after_it_was_closed)
{
    hand one;
    take_up(&one, 2);
    open_by_hand(&one);
    close_by_hand(&one);
    use(&one, "ping");
    caught("ping", "is closed", 2, false);
    lay_down(&one);
}
END_TEST

START_TEST(closed_twice)
{
    hand one, other;
    take_up(&one, 2);
    take_up(&other, 2);
    open_by_hand(&other); /* which keeps the library */
    open_by_hand(&one);
    close_by_hand(&one);
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__driver_use(one.channel.driver, 2, &fault);
    fake_script_add(script, &script->live, 1); /* the fake counts it twice, too */
    close_by_hand(&one);
    close_by_hand(&other);
    caught("close", "is closed", 2, false);
    lay_down(&one);
    lay_down(&other);
}
END_TEST

START_TEST(entered_again_from_inside)
{
    hand one;
    take_up(&one, 2);
    open_by_hand(&one);
    dbal__runner_enter(&one.runner, "run");
    witness_enter(one.channel.connection, WITNESS_USE);
    use(&one, "ping");
    witness_leave(one.channel.connection, WITNESS_USE, true);
    dbal__runner_leave(&one.runner);
    close_by_hand(&one);
    caught("ping", "from inside", 2, false);
    lay_down(&one);
}
END_TEST

START_TEST(library_set_up_twice)
{
    hand one, other;
    take_up(&one, 2);
    take_up(&other, 2);
    open_by_hand(&one);
    one.channel.driver->initialized = false; /* it forgets */
    open_by_hand(&other);
    close_by_hand(&other);
    close_by_hand(&one);
    caught("library_init", "set up already", 2, false);
    lay_down(&one);
    lay_down(&other);
}
END_TEST

START_TEST(library_taken_down_under_a_connection)
{
    hand one;
    take_up(&one, 2);
    open_by_hand(&one);
    dbal__driver_unuse(one.channel.driver, 2); /* it counts wrong */
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__driver_use(one.channel.driver, 2, &fault);
    close_by_hand(&one);
    caught("library_exit", "connections are open", 2, false);
    lay_down(&one);
}
END_TEST

START_TEST(level_0_library_taken_down)
{
    hand one;
    take_up(&one, 2);
    open_by_hand(&one);
    one.channel.threadlevel = 0; /* it takes what is told of one level for another */
    dbal__entry_close_begin(&one.channel.driver->entry, &one.channel.entry, 0, "fake");
    face(&one)->close(one.channel.connection);
    dbal__entry_close_end(&one.channel.driver->entry, &one.channel.entry, 0);
    dbal__entry_library_begin(&one.channel.driver->entry, 0, "fake", false);
    face(&one)->library_exit();
    dbal__entry_library_end(&one.channel.driver->entry, 0, false);
    caught("library_exit", "stays set up", 0, false);
    lay_down(&one);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("mutants");
    const TTest *const tests[] = {
        what_is_not_broken_is_not_reported,
        level_0_second_thread_in_the_driver,
        level_0_two_threads_at_once_in_the_driver,
        level_1_connection_used_by_another_thread,
        level_1_connection_closed_by_another_thread,
        level_2_two_threads_at_once_in_one_connection,
        level_3_two_threads_at_once_where_statements_are_not_parallel,
        by_hand_nothing_is_broken,
        level_3_close_while_a_statement_runs,
        level_3_statement_while_it_is_being_closed,
        level_3_interrupt_while_it_is_being_closed,
        interrupt_of_what_does_not_run,
        used_before_it_is_open,
        used_after_it_was_closed,
        closed_twice,
        entered_again_from_inside,
        library_set_up_twice,
        library_taken_down_under_a_connection,
        level_0_library_taken_down,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
