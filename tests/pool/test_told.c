/* on_acquire, on_release and on_close: who is told of which connection, and what may be done there. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", ""}, {"fake", "&level=0"}, {"fake", "&level=2"}, {"native", ""}};
enum { TARGETS = sizeof targets / sizeof targets[0], MOVING = 2, TEXT = 256, DRAINS = 8 };

typedef enum kind { ACQUIRE, RELEASE, CLOSE, KINDS } kind;

/* What was told, as "a:label r:label c", and what is done when it is. */
typedef struct program {
    char text[TEXT];
    int count[KINDS];
    uint64_t last;     /* id */
    uint64_t held;     /* the id of the connection of the one session that there is */
    kind closes, asks; /* there the pool is closed, or asked; KINDS: nowhere */
    seen drained[DRAINS];
    int drains;
    bool changes; /* each time the pool is drained and resized, and the loop freed */
    seen inner;
    bool mute; /* nothing is written down, and sessions may be many */
} program;

static program hook;

static void
change_all(void)
{
    dbal_error *error = NULL;
    ck_assert(dbal_pool_resize(pool, 0, 3, &error));
    if (hook.drains < DRAINS)
        watch(dbal_pool_drain(pool), &hook.drained[hook.drains++]);
    dbal_loop_free(fixture.loop);
}

static void
hear(kind what, const dbal_connection_info *connection)
{
    char one[64];
    ck_assert_uint_eq(connection->size, sizeof *connection);
    ck_assert_double_ge(connection->age, 0);
    hook.count[what]++;
    hook.last = connection->id;
    if (hook.mute)
        return;
    if (what == ACQUIRE)
        hook.held = connection->id;
    else if (what == RELEASE)
        ck_assert_uint_eq(connection->id, hook.held);
    snprintf(one, sizeof one, "%c%s%s ", "arc"[what], connection -> label != NULL ? ":" : "",
             connection->label != NULL ? connection->label : "");
    strncat(hook.text, one, TEXT - strlen(hook.text) - 1);
    if (hook.closes == what && hook.inner.settled == 0 && hook.count[what] == 1)
        watch(dbal_pool_close(pool), &hook.inner);
    if (hook.changes)
        change_all();
    if (hook.asks == what && hook.count[what] == 1)
        watch(dbal_pool_query(pool, "get", DBAL_NO_PARAMS), &hook.inner);
}

static void
acquired(const dbal_connection_info *connection, void *arg)
{
    ck_assert_ptr_eq(arg, &hook);
    hear(ACQUIRE, connection);
}

static void
released(const dbal_connection_info *connection, void *arg)
{
    ck_assert_ptr_eq(arg, &hook);
    hear(RELEASE, connection);
}

static void
closed(const dbal_connection_info *connection, void *arg)
{
    ck_assert_ptr_eq(arg, &hook);
    hear(CLOSE, connection);
}

static dbal_outcome
run_one(dbal_connection *connection, void *arg)
{
    return dbal_wait(dbal_connection_query(connection, arg, DBAL_NO_PARAMS));
}

#define TOLD .on_acquire = acquired, .on_release = released, .on_close = closed, .hook_arg = &hook

/* Where connections move between threads, there is one more of them than of these. */
static void
open_with(int target, const char *parameters)
{
    char url[256];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "%s:pool?pool_max_size=%d%s%s%s", targets[target][0],
             1 + (target == MOVING), target == MOVING ? "&pool_threads=1" : "", targets[target][1],
             parameters);
    pool = dbal_pool_open(fixture.loop, url, DBAL_POOL_OPTIONS(TOLD), &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
}

static void
before(void)
{
    pool_fixture_init();
    hook = (program){.closes = KINDS, .asks = KINDS};
}

static dbal_deferred *
session(const char *label, const char *sql)
{
    return dbal_pool_session(pool, DBAL_SESSION(.label = label), run_one, (void *)(uintptr_t)sql);
}

START_TEST(who_is_told_of_what)
{
    open_with(_i, "");
    good(ask("get"));
    ck_assert_str_eq(hook.text, ""); /* it acquires nothing */
    good(session("one", "get"));
    good(session(NULL, "get"));
    good(dbal_pool_transaction(pool, DBAL_TRANSACTION(.label = "two"), run_one,
                               (void *)(uintptr_t) "add 1"));
    bad(session("bad", "fail '42000'"), DBAL_ERROR_OPERATIONAL, "42000", DBAL_EXECUTION_FAILED,
        NULL);
    ck_assert_str_eq(hook.text, "a:one r:one a r a:two r:two a:bad r:bad ");
    good(dbal_pool_close(pool));
    ck_assert_str_eq(hook.text, "a:one r:one a r a:two r:two a:bad r:bad c ");
    ck_assert_uint_eq(hook.last, hook.held);
}
END_TEST

/* Once more is the same session. */
START_TEST(an_attempt_more_is_not_told)
{
    open_with(_i, "");
    script->fail_commit = 1;
    good(dbal_pool_transaction(pool, DBAL_TRANSACTION(.label = "two", .retries = 3), run_one,
                               (void *)(uintptr_t) "add 1"));
    ck_assert_int_eq(fake_script_count(script, &script->commits), 2);
    ck_assert_str_eq(hook.text, "a:two r:two ");
}
END_TEST

/* Nor is one that it fails on ever open. */
START_TEST(on_connect_acquires_nothing)
{
    pool = dbal_pool_open(fixture.loop, "fake:pool?pool_max_size=1",
                          DBAL_POOL_OPTIONS(TOLD, .on_connect = run_one,
                                            .on_connect_arg = (void *)(uintptr_t) "fail '42000'"),
                          NULL);
    bad(ask("get"), DBAL_ERROR_OPERATIONAL, "42000", DBAL_EXECUTION_NOT_SENT, NULL);
    good(dbal_pool_close(pool));
    ck_assert_int_ge(fake_script_count(script, &script->closes), 1);
    ck_assert_str_eq(hook.text, "");
    pool = dbal_pool_open(
        fixture.loop, "fake:pool?pool_max_size=1",
        DBAL_POOL_OPTIONS(TOLD, .on_connect = run_one, .on_connect_arg = (void *)(uintptr_t) "get"),
        NULL);
    good(ask("get"));
    ck_assert_str_eq(hook.text, "");
}
END_TEST

/* One that never was open is not closed. */
START_TEST(a_connect_that_fails_is_no_end)
{
    script->fail_open_from = script->fail_open_to = 1;
    open_with(_i, "");
    good(ask("get"));
    good(dbal_pool_close(pool));
    ck_assert_str_eq(hook.text, "c ");
}
END_TEST

static bool
one_is_closed(void *arg)
{
    (void)arg;
    return hook.count[CLOSE] > 0;
}

START_TEST(a_lost_one_is_released_and_closed_once)
{
    open_with(_i, "");
    bad(session("one", "lose"), DBAL_ERROR_OPERATIONAL, "08006", DBAL_EXECUTION_UNKNOWN, NULL);
    loop_fixture_until(&fixture, one_is_closed, NULL);
    settle();
    ck_assert_int_eq(hook.count[RELEASE], 1);
    ck_assert_int_eq(hook.count[CLOSE], 1);
    uint64_t gone = hook.last;
    good(session("two", "get"));
    ck_assert_uint_ne(hook.last, gone);
}
END_TEST

START_TEST(each_may_close_the_pool)
{
    for (int i = 0; i < KINDS; i++) {
        hook = (program){.closes = (kind)i, .asks = KINDS};
        open_with(_i, "");
        good(session("one", "get"));
        if (i == CLOSE)
            good(dbal_pool_drain(pool));
        until_settled(&hook.inner);
        ck_assert_int_eq(hook.inner.error_class, 0);
        /* the one that the drain had opened too */
        ck_assert_str_eq(hook.text, i == CLOSE ? "a:one r:one c c " : "a:one r:one c ");
        fake_script_clear(script);
    }
}
END_TEST

START_TEST(each_may_ask_the_pool)
{
    for (int i = 0; i < KINDS; i++) {
        hook = (program){.closes = KINDS, .asks = (kind)i};
        open_with(_i, "");
        good(session("one", "get"));
        if (i == CLOSE)
            good(dbal_pool_drain(pool));
        until_settled(&hook.inner);
        ck_assert_int_eq(hook.inner.error_class, 0);
        good(dbal_pool_close(pool));
        fake_script_clear(script);
    }
}
END_TEST

START_TEST(each_may_change_the_pool)
{
    open_with(_i, "");
    hook.changes = true;
    good(session("one", "get"));
    hook.changes = false;
    good(dbal_pool_close(pool));
    ck_assert_int_eq(hook.count[ACQUIRE], 1);
    ck_assert_int_eq(hook.count[RELEASE], 1);
    ck_assert_uint_ge(log_lines_count(&fixture.log, "dbal_loop_free refused"), 2);
}
END_TEST

START_TEST(the_loops_end_is_told)
{
    holder one;
    open_with(_i, "");
    hold(&one);
    until_held(&one);
    dbal_loop_free(fixture.loop);
    ck_assert_str_eq(hook.text, "a:holder r:holder c ");
    fixture.loop = dbal_loop_new(fixture.ev);
    dbal_loop_set_log(fixture.loop, log_lines_add, &fixture.log);
    let_go(&one);
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

static void
scenario(void *arg)
{
    int asked = 0, settled = 0;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    log_lines log = {.count = 0};
    dbal_loop *loop = dbal_loop_new(ev);
    hook = (program){.closes = KINDS, .asks = KINDS, .mute = true};
    pool = NULL;
    if (loop != NULL) {
        dbal_loop_set_log(loop, log_lines_add, &log);
        pool = dbal_pool_open(loop, arg, DBAL_POOL_OPTIONS(TOLD), NULL);
    }
    for (int i = 0; pool != NULL && i < 4; i++) {
        dbal_deferred *one = i == 0 ? ask("get") : session("one", i == 1 ? "setting" : "get");
        asked += one != NULL;
        dbal_deferred_add_both(one, count, &settled);
    }
    uint64_t opened = 0;
    if (pool != NULL) {
        dbal_deferred *end = dbal_pool_close(pool);
        asked += end != NULL;
        dbal_deferred_add_both(end, count, &settled);
        ev_run(ev, 0);
        opened = counts_now().opened;
    }
    dbal_loop_free(loop);
    ck_assert_int_eq(settled, asked);
    ck_assert_int_eq(hook.count[ACQUIRE], hook.count[RELEASE]);
    ck_assert_uint_le((uint64_t)hook.count[CLOSE], opened + 4);
    ck_assert_uint_ge((uint64_t)hook.count[CLOSE], opened);
    ev_loop_destroy(ev);
}

START_TEST(without_memory)
{
    static const char *const urls[] = {"fake:pool?pool_max_size=2", "native:pool?pool_max_size=1"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        alloc_fault_install();
        alloc_fault_sweep(scenario, (void *)(uintptr_t)urls[i]);
        alloc_fault_remove();
    }
}
END_TEST

static void
register_fakes(void)
{
    fake_drivers_register();
    fake_script_clear(fake_script_get("pool"));
}

static void
add(Suite *suite, const TTest *test, int end)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, before, pool_fixture_fini);
    tcase_set_timeout(one, 60);
    tcase_add_loop_test(one, test, 0, end);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("told");
    add(suite, who_is_told_of_what, TARGETS);
    add(suite, an_attempt_more_is_not_told, TARGETS);
    add(suite, on_connect_acquires_nothing, 1);
    add(suite, a_connect_that_fails_is_no_end, TARGETS);
    add(suite, a_lost_one_is_released_and_closed_once, TARGETS);
    add(suite, each_may_close_the_pool, TARGETS);
    add(suite, each_may_ask_the_pool, TARGETS);
    add(suite, each_may_change_the_pool, TARGETS);
    add(suite, the_loops_end_is_told, TARGETS);
    suite_add(suite, without_memory, register_fakes, NULL);
    return suite_run(suite);
}
