/* What a trace function is told of statements, sessions and connections, however they end. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/fake_timed.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"
#include "tests/pool/story.h"

static const char *const targets[][2] = {
    {"fake", ""},   {"fake", "level=0"},        {"fake", "token=on&sharing=on"},
    {"native", ""}, {"native", "pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0], NATIVE = 3 };

/* The one thread of a driver at level 0 that hangs is given up for good, for later tests too. */
static bool
loses_its_thread(int target)
{
    return strcmp(targets[target][1], "level=0") == 0;
}

static const char done[] = "queue( queue) execute( execute) ";
static const char fetched[] = "queue( queue) execute( execute) fetch( fetch) ";
static const char failed[] = "queue( queue) execute( execute)! ";
static const char never_ran[] = "queue( queue)! ";

static story told;

static void
before(void)
{
    pool_fixture_init();
    fake_timed_init();
    story_clear(&told);
}

/* All that began has ended when the loop is gone. */
static void
after(void)
{
    told.also = NULL;
    pool_fixture_fini();
    story_check(&told);
}

static void
open_followed(const char *scheme, const char *parameters, dbal_pool_options options)
{
    char url[256];
    dbal_error *error = NULL;
    options.size = sizeof options;
    options.trace = story_add;
    options.trace_arg = &told;
    snprintf(url, sizeof url, "%s:pool?%s", scheme, parameters);
    pool = dbal_pool_open(fixture.loop, url, &options, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
}

static void
open_target(int target, dbal_pool_options options)
{
    open_followed(targets[target][0], targets[target][1], options);
    good(dbal_pool_ready(pool));
    loop_fixture_drive(&fixture);
}

static bool
time_passes(void *arg)
{
    loop_fixture_advance(&fixture, 0.001);
    return ((seen *)arg)->settled != 0;
}

static void
until_ended(seen *one)
{
    loop_fixture_until(&fixture, time_passes, one);
    settle();
}

static void
is_told(const char *name, const char *wanted)
{
    settle();
    ck_assert_str_eq(story_of(&told, name), wanted);
}

/* ---- statements ---- */

START_TEST(statements_that_end_by_themselves)
{
    open_target(_i, (dbal_pool_options){.max_size = 2});
    good(ask("rows 3"));
    good(ask("rows 0"));
    good(ask("add 5"));
    bad(ask("fail '23505'"), DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED, NULL);
    good(dbal_pool_run(pool, DBAL_QUERY(.sql = "get", .label = "cart")));
    is_told("rows 3", fetched);
    is_told("rows 0", done);
    is_told("add 5", done);
    is_told("fail '23505'", failed);
    is_told("get", fetched);
    ck_assert_str_eq(story_find(&told, "get")->label, "cart");
    ck_assert_str_eq(story_find(&told, "rows 3")->label, "");
    ck_assert_uint_eq(story_find(&told, "get")->session, 0);
    for (size_t i = 0; i < told.count; i++) {
        const story_event *one = &told.events[i];
        bool rows = strcmp(one->sql, "rows 3") == 0 && one->phase == DBAL_PHASE_FETCH;
        ck_assert_int_eq(one->rows, one->begins || one->phase != DBAL_PHASE_FETCH ? 0
                                    : rows                                        ? 3
                                                                                  : 1);
    }
}
END_TEST

/* Whoever calls finds everything as it left it: nothing is told within a call. */
START_TEST(not_within_a_call)
{
    seen first, second;
    open_target(_i, (dbal_pool_options){.max_size = 1});
    settle();
    size_t so_far = told.count;
    watch(ask("get"), &first);
    dbal_deferred *stopped = watch(ask("add 1"), &second);
    dbal_deferred_cancel(stopped);
    ck_assert_uint_eq(told.count, so_far);
    until_ended(&first);
    until_ended(&second);
    ck_assert_uint_gt(told.count, so_far);
}
END_TEST

START_TEST(phases_take_their_time)
{
    seen held, waits;
    open_target(_i, (dbal_pool_options){.max_size = 1, .pipeline_depth = 1});
    watch(ask("wait g"), &held);
    until_count(&script->waiting, 1);
    watch(ask("get"), &waits);
    settle();
    loop_fixture_advance(&fixture, 3);
    fake_script_open_gate(script, "g");
    until_ended(&held);
    until_ended(&waits);
    is_told("wait g", done);
    is_told("get", fetched);
    for (size_t i = 0; i < told.count; i++) {
        const story_event *one = &told.events[i];
        bool queued = strcmp(one->sql, "get") == 0 && one->phase == DBAL_PHASE_QUEUE;
        bool ran = strcmp(one->sql, "wait g") == 0 && one->phase == DBAL_PHASE_EXECUTE;
        if (!one->begins && (queued || ran))
            ck_assert_double_eq_tol(one->took, 3, 0.5);
        else
            ck_assert_double_le(one->took, 0.5);
    }
}
END_TEST

START_TEST(cancelled_while_it_waits)
{
    holder one;
    seen statement;
    holder late;
    open_target(_i, (dbal_pool_options){.max_size = 1});
    hold(&one);
    until_held(&one);
    dbal_deferred *first = watch(ask("get"), &statement), *second = hold(&late);
    settle();
    dbal_deferred_cancel(first);
    dbal_deferred_cancel(second);
    settle();
    is_told("get", never_ran);
    let_go(&one);
    until_ended(&one.end);
    let_go(&late);
    ck_assert_int_eq(statement.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_uint_eq(story_begun(&told, DBAL_PHASE_QUEUE), 3);
}
END_TEST

START_TEST(out_of_time_while_it_waits)
{
    holder one;
    seen statement;
    open_target(_i, (dbal_pool_options){.max_size = 1, .acquire_timeout = 1});
    hold(&one);
    until_held(&one);
    watch(ask("get"), &statement);
    settle();
    loop_fixture_advance(&fixture, 1.1);
    until_ended(&statement);
    ck_assert_int_eq(statement.error_class, DBAL_ERROR_POOL_EXHAUSTED);
    is_told("get", never_ran);
    let_go(&one);
    until_ended(&one.end);
}
END_TEST

START_TEST(stopped_while_it_runs)
{
    seen one;
    open_target(_i, (dbal_pool_options){.max_size = 1});
    dbal_deferred *running = watch(ask("wait g"), &one);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(running);
    until_ended(&one);
    is_told("wait g", failed);
    watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "wait h", .timeout = 2)), &one);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 2.1);
    until_ended(&one);
    ck_assert_int_eq(one.error_class, DBAL_ERROR_TIMEOUT);
    is_told("wait h", failed);
}
END_TEST

/* It never comes back, and it is not known when it began, but that it did. */
START_TEST(given_up)
{
    seen one;
    if (loses_its_thread(_i))
        return;
    open_target(_i, (dbal_pool_options){.max_size = 1, .cancel_timeout = 1, .close_timeout = 1});
    dbal_deferred *running = watch(ask("hang g"), &one);
    until_count(&script->waiting, 1);
    dbal_deferred_cancel(running);
    settle();
    loop_fixture_advance(&fixture, 1.1);
    until_ended(&one);
    is_told("hang g", failed);
    fake_script_open_gate(script, "g");
    until_count(&script->closes, 1);
    settle();
    is_told("hang g", failed);
}
END_TEST

START_TEST(lost_with_its_connection)
{
    seen one;
    open_target(_i, (dbal_pool_options){.max_size = 1});
    watch(ask("rows 2 lose"), &one);
    until_ended(&one);
    ck_assert_int_ne(one.error_class, 0);
    is_told("rows 2 lose", "queue( queue) execute( execute) fetch( fetch)! ");
    good(ask("get"));
    is_told("get", fetched);
    ck_assert_uint_eq(story_begun(&told, DBAL_PHASE_CONNECT), 2);
}
END_TEST

static bool
is_attached(void *arg)
{
    return fake_timed_connections() >= *(int *)arg;
}

START_TEST(one_that_moves_queues_again)
{
    seen sent, moves;
    int two = 2;
    fake_timed_window(1);
    open_followed("timed", "", (dbal_pool_options){.max_size = 1, .pipeline_wait = 1});
    good(dbal_pool_ready(pool));
    loop_fixture_drive(&fixture);
    watch(ask("take 1000"), &sent);
    watch(ask("take 2000"), &moves);
    settle();
    fake_timed_kill(0);
    loop_fixture_until(&fixture, is_attached, &two);
    pass(0.01);
    until_ended(&moves);
    ck_assert_int_eq(moves.error_class, 0);
    is_told("take 1000", failed);
    is_told("take 2000", "queue( queue) execute( execute)! queue( queue) execute( execute) ");
}
END_TEST

static dbal_flow
take(dbal_stream *stream, dbal_result *batch, void *arg)
{
    (void)stream;
    *(size_t *)arg += dbal_result_row_count(batch);
    return DBAL_CONTINUE;
}

static dbal_flow
stop_at_once(dbal_stream *stream, dbal_result *batch, void *arg)
{
    take(stream, batch, arg);
    return DBAL_STOP;
}

START_TEST(streams)
{
    size_t rows = 0;
    open_target(_i, (dbal_pool_options){.max_size = 1});
    good(dbal_pool_stream(pool, DBAL_QUERY(.sql = "rows 3000"), take, &rows));
    is_told("rows 3000", fetched);
    ck_assert_uint_eq(rows, 3000);
    good(dbal_pool_stream(pool, DBAL_QUERY(.sql = "rows 9000"), stop_at_once, &rows));
    is_told("rows 9000", fetched);
    for (size_t i = 0; i < told.count; i++) {
        if (strcmp(told.events[i].sql, "rows 3000") == 0 &&
            told.events[i].phase == DBAL_PHASE_FETCH)
            ck_assert_int_eq(told.events[i].rows, told.events[i].begins ? 0 : 3000);
    }
}
END_TEST

/* ---- sessions, transactions, connections ---- */

static dbal_outcome
two_statements(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_run(connection, DBAL_QUERY(.sql = "get", .label = "inside")));
}

START_TEST(a_transaction_and_its_statements)
{
    static const char *const statements[] = {"begin", "add 1", "get", "commit"};
    open_target(_i, (dbal_pool_options){.max_size = 1});
    good(dbal_pool_transaction(pool, DBAL_TRANSACTION(.label = "order"), two_statements, NULL));
    is_told("order", "queue( queue) ");
    uint64_t id = story_find(&told, "order")->id;
    ck_assert_uint_eq(story_find(&told, "order")->session, 0);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        const story_event *one = story_find(&told, statements[i]);
        is_told(statements[i], strcmp(statements[i], "get") == 0 ? fetched : done);
        ck_assert_uint_eq(one->session, id);
        ck_assert_str_eq(one->label, strcmp(statements[i], "get") == 0 ? "inside" : "order");
    }
}
END_TEST

static dbal_outcome
change(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "setting", DBAL_NO_PARAMS));
}

START_TEST(a_reset)
{
    open_target(NATIVE + _i, (dbal_pool_options){.max_size = 1});
    good(dbal_pool_session(pool, DBAL_SESSION(.label = "changes"), change, NULL));
    settle();
    ck_assert_uint_eq(story_begun(&told, DBAL_PHASE_RESET), 1);
    for (size_t i = 0; i < told.count; i++) {
        if (told.events[i].phase != DBAL_PHASE_RESET)
            continue;
        ck_assert_str_eq(story_of_id(&told, told.events[i].id), "queue( queue) reset( reset) ");
        ck_assert_str_eq(told.events[i].label, "changes");
    }
}
END_TEST

START_TEST(connects)
{
    seen one;
    script->fail_open_from = script->fail_open_to = 1;
    open_followed(targets[_i][0], targets[_i][1], (dbal_pool_options){.max_size = 1});
    watch(ask("get"), &one);
    until_settled(&one);
    settle();
    ck_assert_int_eq(one.error_class, 0);
    ck_assert_uint_eq(story_begun(&told, DBAL_PHASE_CONNECT), 2);
    const char *stories[2];
    int count = 0;
    for (size_t i = 0; i < told.count; i++) {
        if (told.events[i].phase == DBAL_PHASE_CONNECT && told.events[i].begins)
            stories[count++] = story_of_id(&told, told.events[i].id);
    }
    ck_assert_str_eq(stories[0], "connect( connect)! ");
    ck_assert_str_eq(stories[1], "connect( connect) ");
}
END_TEST

START_TEST(a_connect_that_hangs)
{
    seen one, closed;
    if (loses_its_thread(_i))
        return;
    script->hang_open = true;
    open_followed(targets[_i][0], targets[_i][1],
                  (dbal_pool_options){
                      .max_size = 1, .connect_timeout = 1, .fail_fast = true, .close_timeout = 1});
    loop_fixture_drive(&fixture);
    watch(ask("get"), &one);
    until_count(&script->waiting, 1);
    loop_fixture_advance(&fixture, 1.2);
    settle();
    is_told("", "connect( connect)! ");
    fake_script_open_gate(script, "open");
    watch(dbal_pool_close(pool), &closed);
    until_ended(&closed);
    ck_assert_int_eq(one.settled, 1);
    until_count(&script->closes, 1);
}
END_TEST

/* ---- what is done when it is told ---- */

static int asked_more;
static seen more[64];

static void
ask_more(const story_event *event)
{
    if (asked_more < 64 && (event->phase == DBAL_PHASE_QUEUE || !event->begins)) {
        int index = asked_more++;
        watch(ask("add 1"), &more[index]);
    }
}

START_TEST(who_is_told_may_ask)
{
    asked_more = 0;
    open_target(_i, (dbal_pool_options){.max_size = 2});
    told.also = ask_more;
    good(ask("get"));
    for (int i = 0; i < asked_more; i++)
        until_ended(&more[i]);
    ck_assert_int_eq(asked_more, 64);
    ck_assert_int_eq(fake_script_value(script), 64);
}
END_TEST

enum { CLOSE_AT = 24 };
static size_t close_at;
static seen closed;

static void
close_then(const story_event *event)
{
    (void)event;
    if (told.count == close_at)
        watch(dbal_pool_close(pool), &closed);
}

START_TEST(who_is_told_may_close)
{
    seen all[4];
    closed.settled = 0;
    close_at = (size_t)_i % CLOSE_AT + 1;
    told.also = close_then;
    open_followed(targets[_i / CLOSE_AT][0], targets[_i / CLOSE_AT][1],
                  (dbal_pool_options){.max_size = 2});
    watch(ask("get"), &all[0]);
    watch(ask("add 1"), &all[1]);
    watch(dbal_pool_transaction(pool, NULL, two_statements, NULL), &all[2]);
    watch(ask("fail '23505'"), &all[3]);
    until_settled(&closed);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(all[i].settled, 1);
}
END_TEST

START_TEST(the_loop_ends_first)
{
    seen all[6];
    open_target(_i, (dbal_pool_options){.max_size = 1, .close_timeout = 0.1});
    watch(ask("wait g"), &all[0]);
    until_count(&script->waiting, 1);
    for (int i = 1; i < 6; i++)
        watch(i == 3 ? dbal_pool_transaction(pool, NULL, two_statements, NULL) : ask("get"),
              &all[i]);
    dbal_loop_free(fixture.loop);
    story_check(&told);
    ck_assert_uint_gt(told.count, 0);
    ck_assert_uint_eq(story_begun(&told, DBAL_PHASE_QUEUE), 6);
    fixture.loop = dbal_loop_new(fixture.ev);
    fake_script_open_gate(script, "g");
}
END_TEST

/* ---- without memory ---- */

typedef struct tally {
    int asked, settled;
} tally;

static void
settled(void *arg)
{
    ((tally *)arg)->settled++;
}

static dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    (void)in;
    (void)arg;
    return dbal_done();
}

static void
expect(tally *self, dbal_deferred *deferred)
{
    self->asked++;
    dbal_deferred_add_errback(deferred, swallow, NULL);
    dbal_deferred_add_finally(deferred, settled, self);
}

static void
ask_for_all(tally *self, dbal_pool *one, size_t *rows)
{
    static const char *const sql[] = {"rows 3", "add 1", "fail '23505'"};
    for (int i = 0; i < 3; i++)
        expect(self, dbal_pool_run(one, DBAL_QUERY(.sql = sql[i], .label = "cart")));
    expect(self, dbal_pool_stream(one, DBAL_QUERY(.sql = "rows 600"), take, rows));
    expect(self, dbal_pool_transaction(one, NULL, two_statements, NULL));
}

static void
scenario(void *arg)
{
    tally self = {.asked = 0};
    size_t rows = 0;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    log_lines log = {.count = 0};
    dbal_pool *one = NULL;
    story_clear(&told);
    if (loop != NULL) {
        dbal_loop_set_log(loop, log_lines_add, &log);
        one = dbal_pool_open(loop, arg,
                             DBAL_POOL_OPTIONS(.max_size = 2, .histograms = true, .name = "one",
                                               .trace = story_add, .trace_arg = &told),
                             NULL);
    }
    if (one != NULL) {
        ask_for_all(&self, one, &rows);
        ev_run(ev, 0);
        dbal_pool_histograms(one, NULL, NULL);
        dbal_free(dbal_pool_metrics(1, &one));
        ask_for_all(&self, one, &rows);
    }
    dbal_loop_free(loop);
    ck_assert_int_eq(self.settled, self.asked);
    ev_loop_destroy(ev);
}

START_TEST(nothing_is_lost_without_memory)
{
    static const char *const urls[] = {"fake:memory", "native:memory",
                                       "native:memory?pipeline=off"};
    fake_drivers_register();
    fake_script_clear(fake_script_get("memory"));
    alloc_fault_install();
    alloc_fault_sweep(scenario, (void *)(uintptr_t)urls[_i]);
    alloc_fault_remove();
}
END_TEST

static void
add(Suite *suite, const TTest *test, int count)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, before, after);
    tcase_add_loop_test(one, test, 0, count);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("pool-trace");
    add(suite, statements_that_end_by_themselves, TARGETS);
    add(suite, not_within_a_call, TARGETS);
    TCase *times = tcase_create("phases_take_their_time");
    tcase_add_checked_fixture(times, before, after);
    tcase_add_loop_test(times, phases_take_their_time, NATIVE, TARGETS);
    suite_add_tcase(suite, times);
    add(suite, cancelled_while_it_waits, TARGETS);
    add(suite, out_of_time_while_it_waits, TARGETS);
    add(suite, stopped_while_it_runs, TARGETS);
    add(suite, given_up, TARGETS);
    add(suite, lost_with_its_connection, TARGETS);
    add(suite, one_that_moves_queues_again, 1);
    add(suite, streams, TARGETS);
    add(suite, a_transaction_and_its_statements, TARGETS);
    add(suite, a_reset, TARGETS - NATIVE);
    add(suite, connects, TARGETS);
    add(suite, a_connect_that_hangs, TARGETS);
    add(suite, who_is_told_may_ask, TARGETS);
    add(suite, who_is_told_may_close, TARGETS * CLOSE_AT);
    add(suite, the_loop_ends_first, TARGETS);
    TCase *memory = tcase_create("nothing_is_lost_without_memory");
    tcase_add_loop_test(memory, nothing_is_lost_without_memory, 0, 3);
    tcase_set_timeout(memory, 120);
    suite_add_tcase(suite, memory);
    return suite_run(suite);
}
