/* Gates that have a module: calls of its function in worker processes. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/scratch.h"
#include "tests/lib/suite.h"
#include "tests/process/process_fixture.h"

static dbal_gate *gate;
static char folder[SCRATCH_PATH];

static void
make_gate(int level, int threads)
{
    dbal_error *error = NULL;
    gate =
        dbal_gate_new(fixture.loop, level,
                      DBAL_GATE(.module = getenv("DBAL_TEST_MODULE"), .threads = threads), &error);
    ck_assert_msg(gate != NULL, "%s", dbal_error_message(error));
    ck_assert_str_eq(dbal_gate_name(gate), "process");
}

static dbal_deferred *
tell(const void *object, const char *text)
{
    return dbal_gate_call_module(gate, object, text, strlen(text));
}

static void
expect(dbal_deferred *deferred, const char *bytes, size_t size)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_bytes answer = dbal_result_blob(dbal_outcome_result(outcome), 0, 0);
    ck_assert_uint_eq(answer.size, size);
    ck_assert(size == 0 || memcmp(answer.data, bytes, size) == 0);
    dbal_outcome_clear(&outcome);
}

static void
refused(const dbal_gate_options *options, const char *text)
{
    dbal_error *error = NULL;
    ck_assert_ptr_null(dbal_gate_new(fixture.loop, 1, options, &error));
    ck_assert_msg(dbal_error_is(error, DBAL_ERROR_INTERFACE), "%s", dbal_error_message(error));
    ck_assert_msg(strstr(dbal_error_message(error), text) != NULL, "%s", dbal_error_message(error));
    dbal_error_unref(error);
}

START_TEST(bytes_go_there_and_back)
{
    size_t size = 3u << 20;
    char *much = malloc(size);
    ck_assert_ptr_nonnull(much);
    for (size_t i = 0; i < size; i++)
        much[i] = (char)(i * 7);
    much[0] = 'e';
    expect(tell(NULL, "ehello"), "hello", 5);
    expect(tell(NULL, "e"), "", 0);
    expect(dbal_gate_call_module(gate, NULL, "e\0a\0", 4), "\0a\0", 3);
    expect(dbal_gate_call_module(gate, NULL, much, size), much + 1, size - 1);
    free(much);
}
END_TEST

/* what the module keeps is there as long as its process */
START_TEST(an_object_keeps_its_worker)
{
    for (char i = 1; i <= 5; i++)
        expect(tell(&gate, "n"), &i, 1);
}
END_TEST

START_TEST(failures_say_why)
{
    bad(tell(NULL, "f"), DBAL_ERROR_APPLICATION, NULL, DBAL_EXECUTION_FAILED,
        "it was asked to fail");
    bad(tell(NULL, "?"), DBAL_ERROR_APPLICATION, NULL, DBAL_EXECUTION_FAILED, "says not why");
    bad(dbal_gate_call_module(gate, NULL, NULL, 0), DBAL_ERROR_APPLICATION, NULL,
        DBAL_EXECUTION_FAILED, "says not why");
    bad(dbal_gate_call_module(gate, NULL, NULL, 1), DBAL_ERROR_INTERFACE, NULL,
        DBAL_EXECUTION_NOT_SENT, "no bytes");
    expect(tell(NULL, "ego on"), "go on", 5);
}
END_TEST

START_TEST(a_crash_is_one_calls_alone)
{
    dbal_deferred *calls[6];
    for (size_t i = 0; i < 6; i++)
        calls[i] = dbal_deferred_ref(tell(NULL, i == 2 ? "c" : "ex"));
    for (size_t i = 0; i < 6; i++) {
        if (i == 2)
            bad(calls[i], DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, "killed");
        else
            expect(calls[i], "x", 1);
        dbal_deferred_unref(calls[i]);
    }
    ck_assert_uint_eq(log_lines_count(&fixture.log, "worker process"), 1);
}
END_TEST

typedef struct glance {
    ev_io watcher;
    bool seen;
} glance;

static void
on_readable(struct ev_loop *ev, ev_io *watcher, int events)
{
    (void)events;
    ((glance *)watcher->data)->seen = true;
    ev_io_stop(ev, watcher);
}

static bool
is_seen(void *arg)
{
    return ((glance *)arg)->seen;
}

/* A call that is under way, and hangs; referred to. */
static dbal_deferred *
hang_now(void)
{
    char fifo[SCRATCH_PATH + 8], text[SCRATCH_PATH + 16];
    glance one = {.seen = false};
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    snprintf(text, sizeof text, "h%s", fifo);
    unlink(fifo);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    int fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ev_io_init(&one.watcher, on_readable, fd, EV_READ);
    one.watcher.data = &one;
    ev_io_start(fixture.ev, &one.watcher);
    dbal_deferred *deferred =
        dbal_deferred_ref(dbal_gate_call_module(gate, NULL, text, strlen(text) + 1));
    loop_fixture_until(&fixture, is_seen, &one);
    close(fd);
    return deferred;
}

START_TEST(one_that_hangs_is_killed_when_it_is_cancelled)
{
    dbal_deferred *deferred = hang_now();
    dbal_deferred_cancel(deferred);
    bad(deferred, DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_UNKNOWN, "");
    dbal_deferred_unref(deferred);
    expect(tell(NULL, "eon"), "on", 2);
    ck_assert_uint_eq(fixture.log.count, 0);
}
END_TEST

/* level 1: what waits for its own worker waits, others do not */
START_TEST(one_that_waits_never_runs_once_it_is_cancelled)
{
    dbal_deferred *hangs = hang_now(), *waits[8];
    for (size_t i = 0; i < 8; i++) /* one worker is left, with one call in it */
        waits[i] = dbal_deferred_ref(tell(NULL, "n"));
    dbal_deferred_cancel(waits[7]);
    bad(waits[7], DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_NOT_SENT, "");
    for (char i = 0; i < 7; i++)
        expect(waits[(int)i], (char[]){(char)(i + 1)}, 1);
    for (size_t i = 0; i < 8; i++)
        dbal_deferred_unref(waits[i]);
    dbal_deferred_cancel(hangs);
    bad(hangs, DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_UNKNOWN, "");
    dbal_deferred_unref(hangs);
}
END_TEST

START_TEST(closing_waits_for_what_runs_and_drops_what_waits)
{
    dbal_deferred *first = dbal_deferred_ref(tell(&gate, "efirst"));
    expect(first, "first", 5);
    dbal_deferred_unref(first);
    dbal_deferred *runs = dbal_deferred_ref(tell(&gate, "eruns"));
    dbal_deferred *waits = dbal_deferred_ref(tell(&gate, "ewaits"));
    dbal_deferred *closed = dbal_deferred_ref(dbal_gate_close(gate));
    bad(waits, DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT, "");
    expect(runs, "runs", 4);
    good(closed);
    bad(tell(NULL, "e"), DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT, "");
    dbal_deferred_unref(runs);
    dbal_deferred_unref(waits);
    dbal_deferred_unref(closed);
    await_no_children();
}
END_TEST

START_TEST(what_hangs_is_killed_when_closing_has_waited)
{
    dbal_deferred *hangs = hang_now();
    loop_fixture_drive(&fixture);
    dbal_deferred *closed = dbal_deferred_ref(dbal_gate_close(gate));
    loop_fixture_advance(&fixture, 16);
    good(closed);
    bad(hangs, DBAL_ERROR_CANCELLED, NULL, DBAL_EXECUTION_UNKNOWN, "");
    ck_assert_uint_eq(log_lines_count(&fixture.log, "its process is killed"), 1);
    dbal_deferred_unref(hangs);
    dbal_deferred_unref(closed);
}
END_TEST

/* its teardown looks for processes that are left */
START_TEST(the_loop_may_end_while_one_hangs)
{
    dbal_deferred_unref(hang_now());
    dbal_deferred_unref(dbal_deferred_ref(tell(NULL, "e")));
}
END_TEST

START_TEST(bad_options_are_refused)
{
    const char *module = getenv("DBAL_TEST_MODULE");
    refused(DBAL_GATE(.module = "/nowhere/at/all.so"), "/nowhere/at/all.so: No such file");
    refused(DBAL_GATE(.module = module, .library = "x"), "library");
    refused(DBAL_GATE(.module = module, .threads = -1), "threads");
    dbal_gate *plain = dbal_gate_new(fixture.loop, 1, NULL, NULL);
    bad(dbal_gate_call_module(plain, NULL, "e", 1), DBAL_ERROR_INTERFACE, NULL,
        DBAL_EXECUTION_NOT_SENT, "no module");
    bad(dbal_gate_call(gate, NULL, (dbal_outcome(*)(void *))abort, NULL), DBAL_ERROR_INTERFACE,
        NULL, DBAL_EXECUTION_NOT_SENT, "dbal_gate_call_module()");
}
END_TEST

static void
fails_with_module(const char *file, const char *says)
{
    dbal_error *error = NULL;
    gate = dbal_gate_new(fixture.loop, 0, DBAL_GATE(.module = file), &error);
    ck_assert_msg(gate != NULL, "%s", dbal_error_message(error));
    for (int i = 0; i < 2; i++) /* once more, from the beginning */
        bad(tell(NULL, "e"), DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT, says);
}

START_TEST(a_module_that_is_none_says_so)
{
    char file[SCRATCH_PATH + 16];
    snprintf(file, sizeof file, "%s/100%% no.so", folder);
    FILE *text = fopen(file, "w");
    ck_assert_ptr_nonnull(text);
    fputs("no module", text);
    fclose(text);
    fails_with_module(file, "100% no.so: ");
    fails_with_module(getenv("DBAL_TEST_NO_MODULE"), "it has no function dbal_module_call");
}
END_TEST

/* Those that are there do what others might have done; only what needs the missing one fails. */
START_TEST(a_worker_that_cannot_be_started_is_done_without)
{
    char file[SCRATCH_PATH + 16], command[SCRATCH_PATH + 600];
    static const char objects[64];
    int failed = 0;
    snprintf(file, sizeof file, "%s/module.so", folder);
    snprintf(command, sizeof command, "cp %s %s", getenv("DBAL_TEST_MODULE"), file);
    ck_assert_int_eq(system(command), 0);
    gate = dbal_gate_new(fixture.loop, 1, DBAL_GATE(.module = file, .threads = 2), NULL);
    expect(tell(NULL, "ehere"), "here", 4);
    ck_assert_int_eq(unlink(file), 0);
    dbal_deferred *calls[8];
    for (int i = 0; i < 8; i++)
        calls[i] = dbal_deferred_ref(tell(NULL, "ehere"));
    for (int i = 0; i < 8; i++) {
        expect(calls[i], "here", 4);
        dbal_deferred_unref(calls[i]);
    }
    for (int i = 0; i < 64; i++) {
        dbal_outcome outcome = loop_fixture_await(&fixture, tell(&objects[i], "e"));
        failed += dbal_outcome_error(outcome) != NULL;
        dbal_outcome_clear(&outcome);
    }
    ck_assert_int_gt(failed, 0); /* those of the other */
    ck_assert_int_lt(failed, 64);
}
END_TEST

START_TEST(too_many_wait)
{
    dbal_gate *narrow = dbal_gate_new(
        fixture.loop, 1,
        DBAL_GATE(.module = getenv("DBAL_TEST_MODULE"), .threads = 1, .max_waiting = 1), NULL);
    dbal_deferred *one = dbal_deferred_ref(dbal_gate_call_module(narrow, NULL, "ea", 2));
    bad(dbal_gate_call_module(narrow, NULL, "eb", 2), DBAL_ERROR_QUEUE_FULL, NULL,
        DBAL_EXECUTION_NOT_SENT, "max_waiting");
    expect(one, "a", 1);
    dbal_deferred_unref(one);
}
END_TEST

static void
count_end(void *arg)
{
    ++*(unsigned *)arg;
}

/* Each call settles once, whatever it comes to. */
static void
everything(void *arg)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    unsigned ended = 0;
    if (loop != NULL) {
        dbal_loop_set_log(loop, log_lines_add, arg);
        dbal_gate *made = dbal_gate_new(
            loop, 1, DBAL_GATE(.module = getenv("DBAL_TEST_MODULE"), .threads = 1), NULL);
        const char *const calls[] = {"ea", "f", "eb"};
        for (size_t i = 0; made != NULL && i < 3; i++)
            dbal_deferred_add_finally(dbal_gate_call_module(made, NULL, calls[i], 2), count_end,
                                      &ended);
        ev_run(ev, 0);
        dbal_loop_free(loop);
        ck_assert_uint_eq(ended, made != NULL ? 3 : 0);
    }
    ev_loop_destroy(ev);
}

START_TEST(nothing_is_lost_without_memory)
{
    static log_lines log;
    alloc_fault_sweep(everything, &log);
}
END_TEST

static void
setup(void)
{
    scratch_make(folder, "module");
    process_fixture_init();
    make_gate(1, 2);
}

static void
teardown(void)
{
    process_fixture_fini();
    scratch_remove(folder);
}

int
main(void)
{
    Suite *suite = suite_create("modules");
    const TTest *tests[] = {bytes_go_there_and_back,
                            an_object_keeps_its_worker,
                            failures_say_why,
                            a_crash_is_one_calls_alone,
                            one_that_hangs_is_killed_when_it_is_cancelled,
                            one_that_waits_never_runs_once_it_is_cancelled,
                            closing_waits_for_what_runs_and_drops_what_waits,
                            what_hangs_is_killed_when_closing_has_waited,
                            the_loop_may_end_while_one_hangs,
                            bad_options_are_refused,
                            a_module_that_is_none_says_so,
                            a_worker_that_cannot_be_started_is_done_without,
                            too_many_wait,
                            nothing_is_lost_without_memory};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
