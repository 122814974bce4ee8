/* What a loop says of itself: its log, its counters, what it measures. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbal/deferred.h"
#include "dbal/loop.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"

static loop_fixture fixture;
static struct ev_loop *ev;
static dbal_loop *loop;

static void
setup(void)
{
    loop_fixture_init(&fixture);
    ev = fixture.ev;
    loop = fixture.loop;
    trace_clear();
}

static void
teardown(void)
{
    loop_fixture_fini(&fixture);
}

static dbal_deferred *
make(void)
{
    return dbal_deferred_new(loop, NULL, NULL);
}

static dbal_loop_counts
counts(void)
{
    dbal_loop_counts all = {.size = sizeof all};
    dbal_loop_stats(loop, &all);
    return all;
}

static void
fire(void *deferred)
{
    dbal_deferred_fire(deferred, trace_text("x"));
}

/* the log */

static void
log_of_stderr(char *to, size_t size)
{
    FILE *file = tmpfile();
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    dbal_loop_unhold(loop);
    dbal__ready_log(&loop->ready, DBAL_LOG_WARNING, "a warning");
    dbal__ready_log(&loop->ready, DBAL_LOG_INFO, "mere information");
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    rewind(file);
    to[fread(to, 1, size - 1, file)] = '\0';
    fclose(file);
}

START_TEST(log_goes_where_it_is_sent_and_back_to_stderr)
{
    char text[1024];
    log_of_stderr(text, sizeof text);
    ck_assert_str_eq(text, "");
    ck_assert_uint_eq(fixture.log.count, 3);
    dbal_loop_set_log(loop, NULL, NULL);
    log_of_stderr(text, sizeof text);
    ck_assert_str_eq(text, "dbal: dbal_loop_unhold without a hold: ignored\ndbal: a warning\n");
    ck_assert_uint_eq(fixture.log.count, 3);
}
END_TEST

/* counters */

START_TEST(stats_fill_no_more_than_the_caller_has_room_for)
{
    struct {
        dbal_loop_counts counts;
        char behind[64];
    } box;
    memset(&box, 0x5a, sizeof box);
    fire(dbal_deferred_add_both(make(), trace_handle, "d"));
    dbal_loop_call(loop, trace_name, "call");
    ev_run(ev, 0);
    box.counts.size = offsetof(dbal_loop_counts, messages);
    dbal_loop_stats(loop, &box.counts);
    ck_assert_uint_eq(box.counts.size, offsetof(dbal_loop_counts, messages));
    ck_assert_uint_eq(box.counts.callbacks, 2);
    ck_assert_uint_eq(box.counts.messages, UINT64_C(0x5a5a5a5a5a5a5a5a));
    box.counts.size = sizeof box;
    dbal_loop_stats(loop, &box.counts);
    ck_assert_uint_eq(box.counts.messages, 1);
    ck_assert_uint_eq(box.counts.unsettled, 0);
    ck_assert_int_eq(box.behind[0], 0x5a);
}
END_TEST

static void
burn_cpu(void *arg)
{
    int64_t until = dbal__thread_cpu() + 50000000;
    (void)arg;
    while (dbal__thread_cpu() < until) {
    }
}

static dbal_outcome
burn_cpu_callback(dbal_outcome in, void *arg)
{
    burn_cpu(arg);
    return in;
}

START_TEST(time_inside_is_measured_without_the_applications_own)
{
    fire(dbal_deferred_add_both(make(), burn_cpu_callback, NULL));
    ev_run(ev, 0);
    ck_assert(counts().max_inside == 0);
    dbal_loop_measure(loop, true);
    fire(dbal_deferred_add_both(make(), burn_cpu_callback, NULL));
    dbal_deferred *d = dbal_deferred_add_finally(make(), burn_cpu, NULL);
    fire(d);
    ck_assert(dbal_loop_call(loop, burn_cpu, NULL));
    ev_run(ev, EVRUN_NOWAIT);
    ev_run(ev, 0);
    ck_assert_double_gt(counts().max_inside, 0);
    ck_assert_double_lt(counts().max_inside, 0.04);
}
END_TEST

static void
give_way(void *arg)
{
    (void)arg;
    poll(NULL, 0, 2);
}

static void
deliver_blocking(dbal__message *message)
{
    (void)message;
    give_way(NULL);
}

static void
run_message(void (*deliver)(dbal__message *message))
{
    dbal__message message = {NULL, deliver};
    uint64_t before = counts().messages;
    ck_assert(dbal__inbox_push(loop->inbox, &message));
    dbal__inbox_wake(loop->inbox);
    while (counts().messages == before)
        ev_run(ev, EVRUN_NOWAIT);
}

START_TEST(entry_that_blocks_is_counted_unless_the_application_did_it)
{
    /* valgrind's threads wait for one another all the time */
    if (getenv("DBAL_TEST_VALGRIND") != NULL)
        return;
    run_message(deliver_blocking);
    ck_assert_uint_eq(counts().blocked, 0);
    dbal_loop_measure(loop, true);
    run_message(deliver_blocking);
    ck_assert_uint_eq(counts().blocked, 1);
    dbal_loop_call(loop, give_way, NULL);
    fire(dbal_deferred_add_finally(make(), give_way, NULL));
    ev_run(ev, 0);
    ck_assert_uint_eq(counts().blocked, 1);
    dbal_loop_measure(loop, false);
    run_message(deliver_blocking);
    ck_assert_uint_eq(counts().blocked, 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("loop_stats");
    const TTest *const tests[] = {
        log_goes_where_it_is_sent_and_back_to_stderr,
        stats_fill_no_more_than_the_caller_has_room_for,
        time_inside_is_measured_without_the_applications_own,
        entry_that_blocks_is_counted_unless_the_application_did_it,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
