/* Who may not use a loop: other threads, and the child of a fork. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dbal/deferred.h"
#include "dbal/loop.h"
#include "tests/lib/latch.h"
#include "tests/lib/loop_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trace.h"
#include <dbal/fanout.h>
#include <dbal/gate.h>
#include <dbal/pool.h>

/* The thread sanitizer's runtime does not like a fork while there are threads. */
#if defined(__SANITIZE_THREAD__)
enum { MAY_FORK = 0 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { MAY_FORK = 0 };
#else
enum { MAY_FORK = 1 };
#endif
#else
enum { MAY_FORK = 1 };
#endif

static loop_fixture fixture;
static dbal_loop *loop;
static dbal_gate *gate;
static dbal_pool *pool;

static void
setup(void)
{
    loop_fixture_init(&fixture);
    loop = fixture.loop;
    gate = dbal_gate_new(loop, 2, DBAL_GATE(.threads = 1), NULL);
    ck_assert_ptr_nonnull(gate);
    pool = dbal_pool_open(loop, "sqlite::memory:", NULL, NULL);
    ck_assert_ptr_nonnull(pool);
    trace_clear();
}

static void
teardown(void)
{
    loop_fixture_fini(&fixture);
}

static dbal_outcome
never(void *arg)
{
    (void)arg;
    trace_add("never");
    return dbal_done();
}

static dbal_outcome
answer(void *arg)
{
    (void)arg;
    return trace_text("answer");
}

static bool
is_interface(dbal_error *error)
{
    bool is = error != NULL && dbal_error_is(error, DBAL_ERROR_INTERFACE);
    dbal_error_unref(error);
    return is;
}

/*
 * Everything that is not allowed, each a line in the log. What did not go as it should is counted
 * and named on stderr: this runs where Check's own assertions may not.
 */
static unsigned
try_everything(void)
{
    unsigned wrong = 0;
    dbal_error *error = NULL;
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            wrong++;                                                                               \
            dprintf(STDERR_FILENO, "line %d: not %s\n", __LINE__, #condition);                     \
        }                                                                                          \
    } while (0)
#define REFUSED(call, name)                                                                        \
    do {                                                                                           \
        unsigned before = log_lines_count(&fixture.log, name);                                     \
        EXPECT(call);                                                                              \
        EXPECT(log_lines_count(&fixture.log, name) == before + 1);                                 \
    } while (0)
    REFUSED(dbal_deferred_new(loop, NULL, NULL) == NULL, "dbal_deferred_new refused");
    REFUSED(dbal_gather(loop, DBAL_GATHER_ALL, 0, NULL) == NULL, "dbal_gather refused");
    REFUSED(dbal_race(loop, 0, NULL) == NULL, "dbal_race refused");
    REFUSED(dbal_semaphore_new(loop, 1) == NULL, "dbal_semaphore_new refused");
    REFUSED(dbal_queue_new(loop, 1, 1) == NULL, "dbal_queue_new refused");
    REFUSED((dbal_loop_hold(loop), true), "dbal_loop_hold refused");
    REFUSED((dbal_loop_unhold(loop), true), "dbal_loop_unhold refused");
    REFUSED(dbal_loop_close(loop, 0) == NULL, "dbal_loop_close refused");
    REFUSED(dbal_gate_call(gate, NULL, never, NULL) == NULL, "dbal_gate_call refused");
    REFUSED(dbal_gate_close(gate) == NULL, "dbal_gate_close refused");
    REFUSED(dbal_gate_new(loop, 1, NULL, &error) == NULL, "dbal_gate_new refused");
    EXPECT(is_interface(error));
    error = NULL;
    REFUSED(dbal_pool_open(loop, "sqlite::memory:", NULL, &error) == NULL,
            "dbal_pool_open refused");
    EXPECT(is_interface(error));
    REFUSED(dbal_pool_query(pool, "select 1", DBAL_NO_PARAMS) == NULL, "dbal_pool_");
    REFUSED(dbal_pool_close(pool) == NULL, "dbal_pool_close refused");
    return wrong;
}

/* Nothing of it had an effect: gate, pool and loop go on. */
static void
expect_all_in_order(void)
{
    dbal_loop_counts counts = {.size = sizeof counts};
    dbal_loop_stats(loop, &counts);
    ck_assert_uint_eq(counts.unsettled, 0);
    ck_assert_uint_eq(loop->holds, 0);
    dbal_outcome outcome = loop_fixture_await(&fixture, dbal_gate_call(gate, NULL, answer, NULL));
    ck_assert_str_eq(trace_spell(outcome), "answer");
    outcome = loop_fixture_await(&fixture, dbal_pool_query(pool, "select 7", DBAL_NO_PARAMS));
    ck_assert_int_eq(dbal_result_int64(dbal_outcome_result(outcome), 0, 0), 7);
    dbal_outcome_clear(&outcome);
    TRACE_EQ("");
}

static void *
use_elsewhere(void *arg)
{
    *(unsigned *)arg = try_everything();
    return NULL;
}

static void
expect_refused_elsewhere(void)
{
    pthread_t thread;
    unsigned wrong = 1;
    ck_assert_int_eq(pthread_create(&thread, NULL, use_elsewhere, &wrong), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(log_lines_count(&fixture.log, "use dbal_loop_call"), 0);
}

START_TEST(other_threads_are_refused_before_the_loop_runs_and_after)
{
    expect_refused_elsewhere();
    expect_all_in_order();
    memset(&fixture.log, 0, sizeof fixture.log);
    expect_refused_elsewhere();
    expect_all_in_order();
}
END_TEST

/* the thread that last entered ev_run */

static void *
run_elsewhere(void *arg)
{
    (void)arg;
    ev_run(fixture.ev, 0);
    dbal_deferred *d = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_both(d, trace_handle, "elsewhere");
    dbal_deferred_fire(d, trace_text("x"));
    ev_run(fixture.ev, 0);
    return NULL;
}

START_TEST(loop_belongs_to_the_thread_that_last_ran_it)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run_elsewhere, NULL);
    pthread_join(thread, NULL);
    TRACE_EQ("elsewhere=x");
    ck_assert_uint_eq(fixture.log.count, 0);
    /* its maker is a stranger now, until it runs it itself */
    ck_assert_uint_eq(try_everything(), 0);
    trace_clear();
    ev_run(fixture.ev, EVRUN_NOWAIT);
    expect_all_in_order();
}
END_TEST

/* the child of a fork */

/* What the child's exit status says; each bit something that went wrong. */
enum { BAD_CALLS = 1, BAD_LOOP_CALL = 2, BAD_FREE = 4, BAD_NEW_LOOP = 8, BAD_RUN = 16 };

static bool
makes_a_loop_of_its_own(void)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *own = dbal_loop_new(ev);
    dbal_deferred *d = dbal_deferred_new(own, NULL, NULL);
    dbal_deferred_add_both(d, trace_handle, "child");
    dbal_deferred_fire(d, trace_text("x"));
    ev_run(ev, 0);
    dbal_loop_free(own);
    ev_loop_destroy(ev);
    return strcmp(trace, "child=x") == 0;
}

static void
call_never(void *arg)
{
    never(arg);
}

static int
be_the_child(void)
{
    int status = 0;
    dbal_outcome outcome = dbal_loop_await(loop, never, NULL);
    if (try_everything() != 0 || log_lines_count(&fixture.log, "parent of this process") == 0)
        status |= BAD_CALLS;
    if (dbal_loop_call(loop, call_never, NULL) || dbal_outcome_error(outcome) == NULL)
        status |= BAD_LOOP_CALL;
    /* its watchers are still there, but must do nothing */
    ev_loop_fork(fixture.ev);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    if (*trace != '\0')
        status |= BAD_RUN;
    dbal_loop_free(loop);
    if (log_lines_count(&fixture.log, "dbal_loop_free refused") != 1 ||
        fcntl(loop->inbox->fd, F_GETFD) == -1)
        status |= BAD_FREE;
    if (!makes_a_loop_of_its_own())
        status |= BAD_NEW_LOOP;
    return status;
}

/* With a Deferred that is ready, a message on its way and a call that has returned. */
static void
fork_and_go_on(void)
{
    dbal_deferred *ready = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred_add_both(ready, trace_handle, "ready");
    dbal_deferred_fire(ready, trace_text("x"));
    dbal_loop_call(loop, trace_name, "call");
    pid_t child = fork();
    if (child == 0)
        _exit(be_the_child());
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child's status is %#x",
                  status);
    ck_assert_uint_eq(fixture.log.count, 0);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    TRACE_EQ("ready=x call");
    trace_clear();
    expect_all_in_order();
}

START_TEST(child_of_a_fork_is_refused_and_closes_nothing)
{
    if (!MAY_FORK)
        return;
    /* with threads, connections and all */
    expect_all_in_order();
    fork_and_go_on();
    fork_and_go_on();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("foreign");
    const TTest *const tests[] = {
        other_threads_are_refused_before_the_loop_runs_and_after,
        loop_belongs_to_the_thread_that_last_ran_it,
        child_of_a_fork_is_refused_and_closes_nothing,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
