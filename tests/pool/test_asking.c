/* before_connect: the program says where each connect goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", ""},   {"fake", "&level=0"},        {"fake", "&level=2"},
    {"native", ""}, {"native", "&pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0], MOVING = 2, NATIVE = 3, URL = 256 };

/* What the nth question is answered with, from 0; the last one in all that follow. */
typedef enum answer {
    SAME,
    OTHER,
    FAILS,
    WAITS,
    NEVER,
    CLOSES,
    GARBAGE,
    FOREIGN,
    WEAKER,
    RESULT
} answer;

typedef struct program {
    answer answers[4];
    int count, asked, cancelled;
    dbal_deferred *pending; /* its own reference; WAITS and NEVER */
    char given[URL];        /* the URL it was told last */
    char other[URL];
    seen inner;
} program;

static program hook;
static fake_script *second;

static void
open_gate(dbal_outcome outcome)
{
    dbal_deferred *pending = hook.pending;
    hook.pending = NULL;
    dbal_deferred_unref(pending);
    dbal_deferred_fire(pending, outcome);
}

static void
on_cancel(dbal_deferred *deferred, void *arg)
{
    (void)deferred;
    ++*(int *)arg;
}

static dbal_outcome
wait_for_it(void)
{
    hook.pending = dbal_deferred_ref(dbal_deferred_new(fixture.loop, on_cancel, &hook.cancelled));
    return dbal_wait(hook.pending);
}

static dbal_outcome
say(const char *url, void *arg)
{
    program *self = arg;
    int nth = self->asked++;
    if (nth >= self->count)
        nth = self->count - 1;
    snprintf(self->given, sizeof self->given, "%s", url);
    switch (self->answers[nth]) {
    case OTHER:
        return dbal_ok(strdup(self->other), free);
    case FAILS:
        return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "the vault is shut"));
    case WAITS:
    case NEVER:
        return wait_for_it();
    case CLOSES:
        watch(dbal_pool_close(pool), &self->inner);
        return dbal_done();
    case GARBAGE:
        return dbal_ok((void *)(uintptr_t) "no url", NULL);
    case FOREIGN:
        return dbal_ok((void *)(uintptr_t) "sqlite:pool", NULL);
    case WEAKER:
        return dbal_ok((void *)(uintptr_t) "native:pool?pipeline=off", NULL);
    case RESULT:
        return dbal_wait(ask("get"));
    default:
        return dbal_done();
    }
}

/* Where connections move between threads, there is one more of them than of these. */
static void
open_with(int target, int size, const char *parameters)
{
    char url[URL];
    dbal_error *error = NULL;
    bool moves = target == MOVING;
    int at = snprintf(url, sizeof url, "%s:pool?pool_max_size=%d%s%s", targets[target][0],
                      size + moves, targets[target][1], parameters);
    if (moves)
        snprintf(url + at, sizeof url - (size_t)at, "&pool_threads=%d", size);
    snprintf(hook.other, sizeof hook.other, "%s:second?%s", targets[target][0],
             targets[target][1] + (targets[target][1][0] != '\0'));
    pool = dbal_pool_open(fixture.loop, url,
                          DBAL_POOL_OPTIONS(.before_connect = say, .before_connect_arg = &hook),
                          &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
}

static void
until_asked(int count)
{
    while (hook.asked < count)
        settle();
}

static void
asking_init(void)
{
    pool_fixture_init();
    second = fake_script_get("second");
    fake_script_clear(second);
    fake_script_watch(second, fixture.ev);
    memset(&hook, 0, sizeof hook);
}

static void
asking_fini(void)
{
    fake_script_watch(second, NULL);
    pool_fixture_fini();
    ck_assert_int_eq(fake_script_count(second, &second->live), 0);
    if (hook.pending != NULL)
        open_gate(dbal_done()); /* too late */
}

/* ---- what it says is done ---- */

START_TEST(it_is_asked_before_each_connect)
{
    hook = (program){.answers = {SAME, OTHER, SAME}, .count = 3};
    open_with(_i, 1, "");
    good(ask("get"));
    ck_assert_int_eq(hook.asked, 1);
    ck_assert_int_eq(strncmp(hook.given, targets[_i][0], strlen(targets[_i][0])), 0);
    ck_assert_ptr_nonnull(strstr(hook.given, ":pool?pool_max_size"));
    ck_assert_int_eq(fake_script_count(script, &script->opens), 1);
    good(dbal_pool_drain(pool));
    good(ask("get"));
    ck_assert_int_eq(fake_script_count(second, &second->opens), 1);
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
    good(dbal_pool_drain(pool));
    good(ask("get"));
    ck_assert_int_eq(hook.asked, 3);
    ck_assert_str_eq(hook.given, hook.other);
    ck_assert_int_eq(fake_script_count(second, &second->opens), 2);
    ck_assert_uint_eq(counts_now().connect_errors, 0);
}
END_TEST

START_TEST(it_may_answer_later)
{
    seen one;
    hook = (program){.answers = {WAITS}, .count = 1};
    open_with(_i, 1, "");
    watch(ask("get"), &one);
    ck_assert_int_eq(hook.asked, 0); /* not inside the call */
    until_asked(1);
    settle();
    ck_assert_int_eq(fake_script_count(script, &script->opens), 0);
    ck_assert_int_eq(counts_now().connecting, 1);
    open_gate(dbal_ok(strdup(hook.other), free));
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0);
    ck_assert_int_eq(fake_script_count(second, &second->opens), 1);
    ck_assert_int_eq(fake_script_count(script, &script->opens), 0);
}
END_TEST

static bool
all_are_back(void *arg)
{
    (void)arg;
    return dbal__list_empty(&pool->slots);
}

/* One limit for both: what the answer took is not left for the driver. */
START_TEST(its_time_is_that_of_the_connect)
{
    seen one;
    loop_fixture_drive(&fixture);
    hook = (program){.answers = {WAITS, SAME}, .count = 2};
    script->hang_open = script->stop_ends_open = true;
    open_with(_i, 1, "&pool_connect_timeout=8");
    watch(ask("get"), &one);
    until_asked(1);
    loop_fixture_advance(&fixture, 6);
    open_gate(dbal_done());
    until_count(&script->opens, 1);
    loop_fixture_advance(&fixture, 2.5);
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 0);
    loop_fixture_advance(&fixture, 0.6); /* and an eighth */
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    fake_script_open_gate(script, "open");
    loop_fixture_advance(&fixture, 1);
    until_settled(&one);
    good(dbal_pool_close(pool));
    loop_fixture_until(&fixture, all_are_back, NULL); /* the one that was given up too */
}
END_TEST

/* ---- what may go wrong ---- */

START_TEST(one_that_fails_is_a_connect_that_failed)
{
    hook = (program){.answers = {FAILS, SAME}, .count = 2};
    open_with(_i, 1, "");
    bad(ask("get"), DBAL_ERROR_APPLICATION, "", DBAL_EXECUTION_NOT_SENT,
        "before_connect: the vault is shut");
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    ck_assert_uint_eq(counts_now().failures_in_a_row, 1);
    ck_assert_int_eq(fake_script_count(script, &script->opens), 0);
    good(ask("get"));
    ck_assert_int_eq(hook.asked, 2);
}
END_TEST

START_TEST(a_failure_waits_before_the_next)
{
    loop_fixture_drive(&fixture);
    hook = (program){.answers = {FAILS, SAME}, .count = 2};
    open_with(_i, 1, "");
    seen one, other;
    watch(ask("get"), &one);
    until_settled(&one);
    watch(ask("get"), &other);
    settle();
    ck_assert_int_eq(hook.asked, 1);
    loop_fixture_advance(&fixture, 0.11);
    until_settled(&other);
    ck_assert_int_eq(other.error_class, 0);
}
END_TEST

START_TEST(one_that_never_answers_is_out_of_time)
{
    seen one;
    loop_fixture_drive(&fixture);
    hook = (program){.answers = {NEVER, SAME}, .count = 2};
    open_with(_i, 1, "");
    watch(ask("get"), &one);
    until_asked(1);
    loop_fixture_advance(&fixture, 19);
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 0);
    loop_fixture_advance(&fixture, 1.1);
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    ck_assert_uint_eq(
        log_lines_count(&fixture.log, "before_connect did not answer within connect_timeout"), 1);
    ck_assert_int_eq(hook.cancelled, 1);
    loop_fixture_advance(&fixture, 1); /* back-off */
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0);
    open_gate(dbal_ok(strdup(hook.other), free)); /* too late */
    settle();
    ck_assert_int_eq(fake_script_count(second, &second->opens), 0);
}
END_TEST

START_TEST(what_is_no_url_of_the_driver_is_refused)
{
    const struct {
        answer answer;
        const char *says;
    } wrong[] = {
        {GARBAGE, "before_connect: "},
        {FOREIGN, "before_connect: its URL is not one of driver "},
        {WEAKER, _i == NATIVE ? "changes what driver native can do" : "not one of driver fake"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (wrong[i].answer == WEAKER && _i > NATIVE)
            continue; /* that is what it is */
        hook = (program){.answers = {wrong[i].answer}, .count = 1};
        open_with(_i, 1, "");
        bad(ask("get"), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT, wrong[i].says);
        good(dbal_pool_close(pool));
    }
}
END_TEST

/* It waits for a connection of the pool that it is to open: a mistake, which ends by itself. */
START_TEST(one_that_waits_for_its_pool_is_out_of_time)
{
    seen one;
    loop_fixture_drive(&fixture);
    hook = (program){.answers = {RESULT, SAME}, .count = 2};
    open_with(_i, 1, "&pool_connect_timeout=2");
    watch(ask("get"), &one);
    until_asked(1);
    loop_fixture_advance(&fixture, 2.1);
    settle();
    ck_assert_uint_eq(counts_now().connect_errors, 1);
    loop_fixture_advance(&fixture, 1);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0);
}
END_TEST

static dbal_outcome
ask_elsewhere(const char *url, void *arg)
{
    (void)url;
    return dbal_wait(dbal_pool_query(arg, "get", DBAL_NO_PARAMS));
}

START_TEST(a_result_is_no_url)
{
    fake_script_clear(fake_script_get("elsewhere"));
    dbal_pool *other = dbal_pool_open(fixture.loop, "fake:elsewhere", NULL, NULL);
    pool = dbal_pool_open(
        fixture.loop, "native:pool",
        DBAL_POOL_OPTIONS(.before_connect = ask_elsewhere, .before_connect_arg = other), NULL);
    bad(ask("get"), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT,
        "before_connect: a text, by dbal_ok()");
}
END_TEST

START_TEST(one_that_closes_the_pool)
{
    seen one;
    hook = (program){.answers = {CLOSES}, .count = 1};
    open_with(_i, 1, "");
    watch(ask("get"), &one);
    until_settled(&one);
    ck_assert_int_eq(one.error_class, 0); /* it was accepted before */
    until_settled(&hook.inner);
    ck_assert_int_eq(hook.inner.error_class, 0);
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
}
END_TEST

START_TEST(a_pool_is_closed_meanwhile)
{
    seen one, closed;
    loop_fixture_drive(&fixture);
    hook = (program){.answers = {NEVER}, .count = 1};
    open_with(_i, 1, "&pool_close_timeout=3");
    watch(ask("get"), &one);
    until_asked(1);
    watch(dbal_pool_close(pool), &closed);
    settle();
    ck_assert_int_eq(one.settled, 0); /* it was accepted before */
    loop_fixture_advance(&fixture, 3.1);
    until_settled(&closed);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_CLOSED);
    ck_assert_int_eq(closed.error_class, 0);
    ck_assert_uint_eq(counts_now().connect_errors, 0);
    ck_assert_int_eq(counts_now().connecting, 0);
    ck_assert_int_eq(hook.cancelled, 1);
}
END_TEST

START_TEST(a_pool_with_nothing_to_do_closes_at_once)
{
    seen closed, ready;
    hook = (program){.answers = {NEVER}, .count = 1};
    open_with(_i, 1, "");
    watch(dbal_pool_ready(pool), &ready);
    until_asked(1);
    watch(dbal_pool_close(pool), &closed);
    until_settled(&closed);
    ck_assert_int_eq(ready.error_class, DBAL_ERROR_CLOSED);
}
END_TEST

/* Before it was even asked, too. */
START_TEST(the_loops_end_ends_it)
{
    for (int asked = 0; asked < 2; asked++) {
        seen one;
        hook = (program){.answers = {NEVER}, .count = 1};
        open_with(_i, 1, "");
        watch(ask("get"), &one);
        if (asked)
            until_asked(1);
        dbal_loop_free(fixture.loop);
        ck_assert_int_eq(one.error_class, DBAL_ERROR_CLOSED);
        fixture.loop = dbal_loop_new(fixture.ev);
        dbal_loop_set_log(fixture.loop, log_lines_add, &fixture.log);
        if (hook.pending != NULL)
            open_gate(dbal_done());
    }
}
END_TEST

/* ---- the connection that listens ---- */

static void
hear(const dbal_notification *notification, void *arg)
{
    (void)notification;
    ++*(int *)arg; /* first, that it listens */
}

static bool
is_heard(void *arg)
{
    return *(int *)arg > 0;
}

START_TEST(the_connection_that_listens_is_asked_for)
{
    int heard = 0;
    seen end;
    hook = (program){.answers = {FAILS, WAITS, NEVER}, .count = 3};
    open_with(NATIVE, 1, "");
    watch(dbal_pool_listen(pool, "jobs", hear, &heard), &end);
    until_settled(&end);
    ck_assert_int_eq(end.error_class, DBAL_ERROR_APPLICATION);
    dbal_deferred *listening = dbal_deferred_ref(dbal_pool_listen(pool, "jobs", hear, &heard));
    watch(listening, &end);
    until_asked(2);
    open_gate(dbal_ok(strdup(hook.other), free));
    loop_fixture_until(&fixture, is_heard, &heard);
    ck_assert_int_eq(fake_script_count(second, &second->opens), 1);
    dbal_deferred_cancel(listening);
    dbal_deferred_unref(listening);
    until_settled(&end);
    /* it is not wanted any more while it is asked for */
    listening = dbal_deferred_ref(dbal_pool_listen(pool, "jobs", hear, &heard));
    watch(listening, &end);
    until_asked(3);
    dbal_deferred_cancel(listening);
    dbal_deferred_unref(listening);
    until_settled(&end);
    good(dbal_pool_close(pool));
    ck_assert_int_eq(fake_script_count(second, &second->opens), 1);
}
END_TEST

/* ---- memory ---- */

static dbal_outcome
count(dbal_outcome in, void *arg)
{
    (void)in;
    (*(int *)arg)++;
    return dbal_done();
}

static dbal_outcome
pass_on(dbal_outcome in, void *arg)
{
    (void)arg;
    return in;
}

static dbal_outcome
say_later(const char *url, void *arg)
{
    dbal_loop *loop = *(dbal_loop **)arg;
    bool first = strstr(url, "second") == NULL;
    dbal_deferred *later = dbal_deferred_new(loop, NULL, NULL);
    dbal_deferred *chain = dbal_deferred_add_callback(later, pass_on, NULL);
    dbal_outcome outcome = dbal_wait(chain);
    const char *other =
        first ? strncmp(url, "fake", 4) == 0 ? "fake:second" : "native:second" : NULL;
    dbal_deferred_fire(later, dbal_ok((void *)(uintptr_t)other, NULL));
    return outcome;
}

static void
scenario(void *arg)
{
    int asked = 0, settled = 0;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    log_lines log = {.count = 0};
    dbal_loop *loop = dbal_loop_new(ev);
    pool = NULL;
    if (loop != NULL) {
        dbal_loop_set_log(loop, log_lines_add, &log);
        pool = dbal_pool_open(
            loop, arg, DBAL_POOL_OPTIONS(.before_connect = say_later, .before_connect_arg = &loop),
            NULL);
    }
    for (int i = 0; pool != NULL && i < 3; i++) {
        dbal_deferred *one = ask("get");
        asked += one != NULL;
        dbal_deferred_add_both(one, count, &settled);
    }
    if (pool != NULL) {
        dbal_deferred *end = dbal_pool_close(pool);
        asked += end != NULL;
        dbal_deferred_add_both(end, count, &settled);
        ev_run(ev, 0);
    }
    dbal_loop_free(loop);
    ck_assert_int_eq(settled, asked);
    ev_loop_destroy(ev);
}

START_TEST(without_memory)
{
    static const char *const urls[] = {"fake:pool?pool_max_size=1",
                                       "fake:pool?pool_max_size=2&level=2&pool_threads=1",
                                       "native:pool?pool_max_size=1"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        alloc_fault_install();
        alloc_fault_sweep(scenario, (void *)(uintptr_t)urls[i]);
        alloc_fault_remove();
    }
}
END_TEST

static void
add(Suite *suite, const TTest *test, int first, int end)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, asking_init, asking_fini);
    tcase_set_timeout(one, 60);
    tcase_add_loop_test(one, test, first, end);
    suite_add_tcase(suite, one);
}

static void
register_fakes(void)
{
    fake_drivers_register();
    fake_script_clear(fake_script_get("pool"));
    fake_script_clear(fake_script_get("second"));
}

int
main(void)
{
    Suite *suite = suite_create("asking");
    add(suite, it_is_asked_before_each_connect, 0, TARGETS);
    add(suite, it_may_answer_later, 0, TARGETS);
    /* where one thread serves all it would be given up for all tests */
    add(suite, its_time_is_that_of_the_connect, 0, 1);
    add(suite, its_time_is_that_of_the_connect, MOVING, TARGETS);
    add(suite, one_that_fails_is_a_connect_that_failed, 0, TARGETS);
    add(suite, a_failure_waits_before_the_next, 0, TARGETS);
    add(suite, one_that_never_answers_is_out_of_time, 0, TARGETS);
    add(suite, what_is_no_url_of_the_driver_is_refused, 0, TARGETS);
    add(suite, one_that_waits_for_its_pool_is_out_of_time, 0, TARGETS);
    add(suite, a_result_is_no_url, 0, 1);
    add(suite, one_that_closes_the_pool, 0, TARGETS);
    add(suite, a_pool_is_closed_meanwhile, 0, TARGETS);
    add(suite, a_pool_with_nothing_to_do_closes_at_once, 0, TARGETS);
    add(suite, the_loops_end_ends_it, 0, TARGETS);
    add(suite, the_connection_that_listens_is_asked_for, 0, 1);
    suite_add(suite, without_memory, register_fakes, NULL);
    return suite_run(suite);
}
