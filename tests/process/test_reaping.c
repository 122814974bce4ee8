/*
 * Whoever else takes the status of children: libev's default loop, the program itself, or the kernel
 * since nobody wants it. A worker's death is noticed all the same, and no zombie stays.
 */
#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/suite.h"
#include "tests/process/process_fixture.h"
#include "tests/process/trouble.h"

enum { DEFAULT_LOOP, IGNORED, REAPED_BY_THE_PROGRAM, REAPERS };

static dbal_outcome outcome;
static bool settled;

static void
reap(int number)
{
    int code = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    errno = code;
}

static dbal_outcome
keep(dbal_outcome in, void *arg)
{
    struct ev_loop *ev = arg;
    outcome = in;
    if (in.kind == DBAL_OUTCOME_ERROR)
        dbal_error_ref(in.pointer);
    else
        dbal_result_ref(in.pointer);
    settled = true;
    ev_break(ev, EVBREAK_ALL);
    return dbal_done();
}

static void
run_to_its_end(struct ev_loop *ev, const char *sql)
{
    settled = false;
    dbal_deferred_add_both(dbal_pool_query(pool, sql, DBAL_NO_PARAMS), keep, ev);
    while (!settled)
        ev_run(ev, 0);
}

static void
set_up_reaper(int who)
{
    if (who == IGNORED)
        signal(SIGCHLD, SIG_IGN);
    if (who == REAPED_BY_THE_PROGRAM) {
        struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART};
        sigaction(SIGCHLD, &action, NULL);
    }
}

START_TEST(its_death_is_noticed_whoever_takes_its_status)
{
    struct ev_loop *ev = _i == DEFAULT_LOOP ? ev_default_loop(0) : ev_loop_new(0);
    log_lines log = {.count = 0};
    struct sigaction before;
    sigaction(SIGCHLD, NULL, &before);
    set_up_reaper(_i);
    ck_assert(dbal_driver_register(&trouble_driver, NULL));
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_loop_set_log(loop, log_lines_add, &log);
    pool = dbal_pool_open(loop, "trouble:?pool_gate=process&pool_max_size=1", NULL, NULL);
    ck_assert_ptr_nonnull(pool);
    for (int i = 0; i < 5; i++) {
        static const char *const deaths[] = {"crash", "kill 9", "segv", "exit 3", "kill 9"};
        static const char *const says[] = {"signal 6", " of driver trouble ", "signal 11",
                                           "status 3", " of driver trouble "};
        run_to_its_end(ev, deaths[i]);
        ck_assert_int_eq(outcome.kind, DBAL_OUTCOME_ERROR);
        const char *message = dbal_error_message(dbal_outcome_error(outcome));
        ck_assert_msg(strstr(message, says[i]) != NULL, "%s", message);
        ck_assert_int_eq(dbal_error_execution(outcome.pointer), DBAL_EXECUTION_UNKNOWN);
        dbal_error_unref(outcome.pointer);
        run_to_its_end(ev, "value 4");
        ck_assert_int_eq(outcome.kind, DBAL_OUTCOME_VALUE);
        dbal_result_unref(outcome.pointer);
    }
    dbal_loop_free(loop);
    await_no_children();
    ev_loop_destroy(ev);
    sigaction(SIGCHLD, &before, NULL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("reaping");
    TCase *tcase = tcase_create("reaping");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, its_death_is_noticed_whoever_takes_its_status, 0, REAPERS);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
